// How a loop over rows deals them out: (block, group of threads, iteration) <-> rows, for every lane of a group.
//
//   The loop takes  v = B + g, B + g + R, …  while v < E  (unsigned), where
//     B = ctaid*C, E = min(B + C, X)          a chunk of C rows per block;   grid*C >= X
//     or B = ctaid*R, step grid*R, E = X      grid stride
//   and g is floor(tid / L) of a block of R*L threads: mixed radix. The chunks of the blocks are disjoint and their
//   union is [0, X). Where X <= C the first block takes all.
//   tiles     v = B, B + T, … and a thread takes the G rows from v + W on, W = G*(tid mod N) < T = G*N, if v + W < E;
//             C is a multiple of G
//   runs      v = B, v + n, …: the rows of a run [v, v + n) are dealt out by loops within
//
// Ownership: refers to its arguments, which must outlive it. Thread-safety: none. Errors: none; what is not understood
// is unknown.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/prove/coverage.h"

namespace tailor::codegen::prove {

class RowLoop {
 public:
  // `loop`: of Execution::loops, the outermost around all of the stores.
  RowLoop(const Subject& subject, const Host& host, Knowledge& knowledge, const Execution& execution, int loop,
          const std::vector<const StoreRecord*>& stores)
      : subject_(subject),
        host_(host),
        knowledge_(knowledge),
        execution_(execution),
        stores_(stores),
        row_loop_(loop),
        row_(&execution.loops()[static_cast<size_t>(loop)]) {}

  // The verdict and `o.method`; what follows is known once it is proved.
  Verdict take(Obligation& o);

  size_t path() const { return row_->path; }   // steps of the path outside the loop
  Atom variable() const { return variable_; }  // v
  Atom lane() const { return lane_; }          // 0: one lane
  int64_t lanes() const { return lanes_; }
  int64_t groups() const { return groups_; }
  const Polynomial& count() const { return count_; }  // X
  bool has_tiles() const { return tile_; }
  int64_t unit() const { return unit_; }                // G; 1 without tiles
  const Polynomial& row() const { return row_value_; }  // v + W; v without tiles
  bool takes_row(const PathStep& step) const;           // v + W < E

  // A loop over the rows of a run: at_once rows of each group in a step.
  struct Run {
    int loop;
    Atom variable;
    int64_t at_once;
  };
  const std::vector<Run>& runs() const { return runs_; }  // in the order of execution; empty: no runs
  int run_loop(const StoreRecord& s) const;

  // What a value depends on. A row's own loops are those around some store.
  struct Dependence {
    bool lane = false;                                // of the lane
    bool group = false;                               // of the group of lanes
    bool thread = false;                              // of the thread, otherwise than by the two
    bool block = false, loaded = false, row = false;  // of the row loop's state
    bool inner = false;                               // of a loop within
    bool uniform() const { return !lane && !thread && !inner; }
  };
  Dependence dependence(const Polynomial& p);
  Dependence dependence(PredicateId id);
  // On more than the row itself and the host: the loop over rows may carry what was loaded.
  bool is_loaded(PredicateId id) const;
  bool is_loaded(const Polynomial& p) const;

 private:
  Dependence dependence(Atom atom);
  static void join(Dependence& a, const Dependence& b);
  bool within_row(Atom a) const;
  bool is_loaded(std::vector<Atom> open) const;
  Verdict find_group(Obligation& o, const Polynomial& start);
  void find_tile(const Predicate& condition);
  Verdict by_chunks(Obligation& o, const Polynomial& begin, const Polynomial& step, const Polynomial& end);
  Verdict consecutive_chunks(Obligation& o, const Polynomial& begin, const Polynomial& end);
  Verdict by_one_chunk(Obligation& o, const Polynomial& begin, const Polynomial& end);
  Verdict by_runs(Obligation& o, size_t k, const Polynomial& begin, const Polynomial& end);
  Polynomial on_the_way(const StoreRecord& s, const Polynomial& p) const;
  Verdict by_grid_stride(Obligation& o, const Polynomial& begin, const Polynomial& step, const Polynomial& end);
  Verdict check_way(Obligation& o, size_t k, const Predicate& condition);

  const Subject& subject_;
  const Host& host_;
  Knowledge& knowledge_;
  const Execution& execution_;
  const std::vector<const StoreRecord*>& stores_;
  int row_loop_;
  const LoopRecord* row_;
  std::map<Atom, Dependence> dependence_;
  Atom variable_ = 0, lane_ = 0, group_ = 0;
  int64_t lanes_ = 1, groups_ = 1, unit_ = 1;
  bool tile_ = false;
  Polynomial group_part_, row_value_, end_, count_, run_;
  std::vector<Run> runs_;
};

}  // namespace tailor::codegen::prove
