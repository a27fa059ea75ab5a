// Walks a lowered program once for all threads and all contents of device memory: every value becomes a polynomial over
// atoms, every branch and loop condition a fact while its region is walked, and each memory access is shown to an
// observer together with what is known there.
//
// Loops. A carried value is an atom of its own, about which nothing is known but what is found to be invariant: of a
// list of candidates (x >= 0, x <= or < its start, a parameter that the loop compares, or another carried value;
// x = start mod step) those are kept that hold at the start and, all together, after any iteration.
//
// A value that a loop carries is read as a signed integer. What is not understood becomes an atom that may be anything:
// a new operation of the program makes proofs weaker, never wrong.
//
// Ownership: refers to subject, knowledge and host, which must outlive it. Thread-safety: none.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "codegen/prove/host.h"
#include "codegen/prove/knowledge.h"

namespace tailor::codegen::prove {

// A byte offset; `narrow`: the low 32 bits, unsigned, are what is added.
struct ByteOffset {
  Polynomial value;
  bool narrow = false;
};

struct Pointer {
  int operand = -1;  // of Host::operands; -1: unknown
  std::vector<ByteOffset> offsets;
};

// A branch or a loop that was entered: `holds` is the way that was taken.
struct PathStep {
  PredicateId predicate = kNoPredicate;
  bool holds = true;
  int loop = -1;         // of Execution::loops, when this is a loop's condition
  bool certain = false;  // the other way is never taken, whatever was loaded
};

struct LoopRecord {
  std::vector<Atom> arguments;          // of the carried values; 0 where one is no integer
  std::vector<Polynomial> entry, next;  // by argument
  std::optional<Polynomial> limit;      // of a condition a < b, signed: b as an integer
  Wide most = 0;                        // limit <= most
  std::vector<bool> grows;              // by argument: next is larger, as an integer, whatever the way
  PredicateId condition = kNoPredicate;
  size_t path = 0;  // steps of the path outside the loop
  int parent = -1;
};

struct AccessPoint {
  const kernel::Instruction& instruction;
  const Pointer& pointer;
  std::span<const PathStep> path;
  PredicateId guard = kNoPredicate;
  int loop = -1;  // innermost
};

class Execution {
 public:
  using Observer = std::function<void(const AccessPoint&)>;
  Execution(const Subject& subject, Knowledge& knowledge, const Host& host, Observer observer);

  void run();

  const std::vector<LoopRecord>& loops() const { return loops_; }
  Atom thread() const { return thread_; }
  Atom block() const { return block_; }

 private:
  struct SymbolicValue {
    enum class Kind : uint8_t { kOther, kInteger, kPointer, kPredicate } kind = Kind::kOther;
    Polynomial integer;
    PredicateId predicate = kNoPredicate;
    Pointer pointer;
  };
  struct Candidate {
    Polynomial fact;
    size_t number = 0;
    bool holds = true;
  };

  const std::vector<kernel::ValueId>* region(const kernel::Region& r);
  void instruction(const kernel::Instruction& i);
  void arithmetic(const kernel::Instruction& i);
  void divide_or_shift(const kernel::Instruction& i);
  bool high_by_reciprocal(const kernel::Instruction& i, const Polynomial& a, const Polynomial& b);
  bool ratio_by_reciprocal(const kernel::Instruction& i, const Polynomial& high, const Polynomial& shift);
  void smallest_or_largest(const kernel::Instruction& i);
  Wide floor_of(const Polynomial& a, const Polynomial& b);
  void predicate(const kernel::Instruction& i);
  void name_bits(kernel::ValueId v);
  Polynomial named_difference(const Polynomial& p, const Polynomial& other);
  void select(const kernel::Instruction& i);
  void special(const kernel::Instruction& i);
  void access(const kernel::Instruction& i);
  void branch(const kernel::Instruction& i);
  void while_loop(const kernel::Instruction& i);
  void for_loop(const kernel::Instruction& i);

  // One iteration: `at_end` is called where what holds at its end is known.
  struct Iteration {
    std::vector<SymbolicValue> next, passed;
    PredicateId condition = kNoPredicate;
  };
  using Iterate = std::function<Iteration(const std::function<void(const Iteration&)>& at_end)>;
  void loop(const kernel::Instruction& i, const std::vector<kernel::ValueId>& initial,
            const std::vector<kernel::ValueId>& arguments, const Iterate& iterate,
            const std::vector<kernel::ValueId>& results);
  void carried(const std::vector<kernel::ValueId>& initial, const std::vector<kernel::ValueId>& arguments,
               LoopRecord& record);
  std::vector<Candidate> candidates(const LoopRecord& record, const std::vector<kernel::ValueId>& arguments,
                                    std::vector<bool>& dropped, const kernel::Instruction& i);
  bool keep_inductive(const LoopRecord& record, const std::vector<kernel::ValueId>& arguments,
                      std::vector<Candidate>& list, std::vector<bool>& dropped, const std::vector<SymbolicValue>& next);
  struct Residue {
    Atom atom;
    int64_t modulus, remainder;
  };
  bool find_steps(const LoopRecord& record, const std::vector<kernel::ValueId>& arguments,
                  const std::vector<SymbolicValue>& next, bool first, std::vector<Residue>& found);

  bool is_loaded(PredicateId p) const;  // depends on what some load returned
  const SymbolicValue& value(kernel::ValueId v) const { return values_[v]; }
  int width(kernel::ValueId v) const { return subject_.program.type_of(v) == kernel::Type::kI64 ? 64 : 32; }
  bool is_integer(kernel::ValueId v) const;
  void set(kernel::ValueId v, Polynomial p);
  void set(kernel::ValueId v, PredicateId p);
  void set_anything(kernel::ValueId v, std::vector<Atom> parents, AtomKind kind = AtomKind::kOpaque);
  void set_anything_from(const kernel::Instruction& i);
  void collect(const SymbolicValue& v, std::vector<Atom>& atoms) const;
  // One of two values, and the range it has where it is taken.
  struct Side {
    SymbolicValue value;
    Range range;
  };
  SymbolicValue merged(kernel::ValueId result, PredicateId condition, const Side& a, const Side& b);
  Polynomial quotient_by_magic(const Polynomial& n, Wide multiplier, int exponent, bool high_bit, int width);
  void note_bounds(const kernel::Region& r, std::vector<Polynomial>& bounds) const;

  const Subject& subject_;
  Knowledge& knowledge_;
  const Host& host_;
  Observer observer_;
  bool observing_ = true;
  std::vector<SymbolicValue> values_;
  std::vector<PathStep> path_;
  std::vector<LoopRecord> loops_;
  int loop_ = -1;
  std::vector<std::pair<kernel::ValueId, Polynomial>> renamed_;      // by name_bits, and what they were
  std::map<const kernel::Instruction*, std::vector<bool>> dropped_;  // candidates, by loop
  // Of a least of several and of selections of such, what they are at most: of a least anywhere, of a selection where it
  // was made. Dropped with the atoms.
  std::map<Atom, std::vector<Polynomial>> most_;
  Atom thread_ = 0, block_ = 0;
};

// The atoms that a polynomial or a predicate mentions, and those that an atom is directly made from.
void collect_atoms(const Polynomial& p, std::vector<Atom>& atoms);
void collect_atoms(const Knowledge& knowledge, PredicateId p, std::vector<Atom>& atoms);
void direct_dependencies(const Knowledge& knowledge, Atom a, std::vector<Atom>& atoms);

}  // namespace tailor::codegen::prove
