#include "codegen/prove/row_tiling.h"

#include <algorithm>

#include <fmt/format.h>

namespace tailor::codegen::prove {
namespace {

constexpr int64_t kMostBytes = int64_t{1} << 24;   // of a row's bitmap
constexpr int64_t kMostStores = int64_t{1} << 20;  // enumerated for a row

class Tiling {
 public:
  Tiling(const Knowledge& knowledge, const Execution& execution, const RowShape& shape,
         const std::vector<RowStore>& stores, Atom lane, int64_t lanes)
      : execution_(execution), shape_(shape), stores_(stores), lane_(lane), lanes_(lanes), evaluation_(knowledge) {}

  RowTiling run() {
    if (!make_map()) return std::move(result_);
    for (const RowStore& store : stores_) {
      for (int64_t lane = 0; lane < lanes_; ++lane) {
        evaluation_.clear();
        if (lane_ != 0) evaluation_.set(lane_, lane);
        lane_now_ = lane;
        if (!enter(store, 0)) return std::move(result_);
      }
    }
    for (int64_t at = 0; at < static_cast<int64_t>(wanted_.size()); ++at) {
      if (!wanted_[static_cast<size_t>(at)]) continue;
      return refuted(fmt::format("no lane writes {}", place(at)));
    }
    result_.verdict = Verdict::kProved;
    return std::move(result_);
  }

 private:
  RowTiling refuted(std::string why) {
    result_.verdict = Verdict::kRefuted;
    result_.reason = std::move(why);
    return std::move(result_);
  }
  bool fail(std::string why) {
    result_.verdict = Verdict::kUnknown;
    result_.reason = std::move(why);
    return false;
  }

  // wanted_: the bytes of the row that are still to be written; row_: all of them.
  bool make_map() {
    int64_t axes = 1;
    for (int64_t n : shape_.axes) {
      axes *= n;
      if (axes > kMostBytes) return fail("the row is too long to enumerate");
    }
    span_ = shape_.element;
    for (const RowShape::Bytes& b : shape_.bytes) {
      if (b.extent > kMostBytes || b.stride > kMostBytes) return fail("the row is too long to enumerate");
      span_ += (b.extent - 1) * b.stride;
    }
    if (span_ > kMostBytes || axes * span_ > kMostBytes) return fail("the row is too long to enumerate");
    std::vector<bool> line(static_cast<size_t>(span_), false);
    std::vector<int64_t> starts{0};
    for (const RowShape::Bytes& b : shape_.bytes) {
      std::vector<int64_t> next;
      for (int64_t start : starts) {
        for (int64_t i = 0; i < b.extent; ++i) next.push_back(start + i * b.stride);
      }
      starts = std::move(next);
    }
    for (int64_t start : starts) {
      for (int64_t k = 0; k < shape_.element; ++k) line[static_cast<size_t>(start + k)] = true;
    }
    for (int64_t i = 0; i < axes; ++i) wanted_.insert(wanted_.end(), line.begin(), line.end());
    row_ = wanted_;
    result_.bytes = std::count(row_.begin(), row_.end(), true);
    return true;
  }

  std::string place(int64_t at) const {
    std::string text = fmt::format("byte {}", at % span_);
    int64_t rest = at / span_;
    for (size_t k = shape_.axes.size(); k-- > 0; rest /= shape_.axes[k]) {
      text = fmt::format("index {} of axis {}, ", rest % shape_.axes[k], k) + text;
    }
    return text + " of a row";
  }

  // Runs the loops from `depth` on, then the store.
  bool enter(const RowStore& store, size_t depth) {
    for (const RowStore::Condition& c : store.conditions) {
      if (c.depth != depth) continue;
      const std::optional<bool> holds = evaluation_.value(c.predicate);
      if (!holds) return fail("a condition on the way to a store does not depend on the lane alone");
      if (*holds != c.holds) return true;
    }
    if (depth == store.loops.size()) return write(store);
    const LoopRecord& loop = execution_.loops()[static_cast<size_t>(store.loops[depth])];
    std::vector<Wide> carried;
    for (const Polynomial& p : loop.entry) {
      const std::optional<Wide> start = evaluation_.value(p);
      if (!start) return fail("an inner loop starts at a value that does not depend on the lane alone");
      carried.push_back(*start);
    }
    const auto outer = outer_values(store, depth);
    for (;;) {
      evaluation_.clear();
      if (lane_ != 0) evaluation_.set(lane_, lane_now_);
      for (const auto& [atom, value] : outer) evaluation_.set(atom, value);
      for (size_t k = 0; k < carried.size(); ++k) {
        if (loop.arguments[k] != 0) evaluation_.set(loop.arguments[k], carried[k]);
      }
      current_.resize(depth);
      current_.push_back(carried);
      const std::optional<bool> more = evaluation_.value(loop.condition);
      if (!more) return fail("an inner loop ends on a condition that does not depend on the lane alone");
      if (!*more) return true;
      if (++result_.stores > kMostStores) return fail("the row takes too many stores to enumerate");
      std::vector<Wide> next;
      for (const Polynomial& p : loop.next) {
        const std::optional<Wide> value = evaluation_.value(p);
        if (!value) return fail("an inner loop steps by a value that does not depend on the lane alone");
        next.push_back(*value);
      }
      if (!enter(store, depth + 1)) return false;
      carried = std::move(next);
    }
  }

  std::vector<std::pair<Atom, Wide>> outer_values(const RowStore& store, size_t depth) const {
    std::vector<std::pair<Atom, Wide>> values;
    for (size_t d = 0; d < depth; ++d) {
      const LoopRecord& loop = execution_.loops()[static_cast<size_t>(store.loops[d])];
      for (size_t k = 0; k < loop.arguments.size(); ++k) {
        if (loop.arguments[k] != 0) values.emplace_back(loop.arguments[k], current_[d][k]);
      }
    }
    return values;
  }

  bool write(const RowStore& store) {
    if (++result_.stores > kMostStores) return fail("the row takes too many stores to enumerate");
    int64_t line = 0;
    for (size_t k = 0; k < store.axes.size(); ++k) {
      const std::optional<Wide> index = evaluation_.value(store.axes[k]);
      if (!index) return fail("an index within the row does not depend on the lane alone");
      if (*index < 0 || *index >= shape_.axes[k]) {
        return refute(fmt::format("access {} of lane {} has index {} of an extent of {}", store.access, lane_now_,
                                  to_string(*index), shape_.axes[k]));
      }
      line = line * shape_.axes[k] + static_cast<int64_t>(*index);
    }
    const std::optional<Wide> offset = evaluation_.value(store.offset);
    if (!offset) return fail("an offset within the row does not depend on the lane alone");
    if (*offset < 0 || *offset + store.width > span_) {
      return refute(fmt::format("access {} of lane {} writes byte {} of a row of {}", store.access, lane_now_,
                                to_string(*offset), span_));
    }
    const int64_t first = line * span_ + static_cast<int64_t>(*offset);
    for (int64_t at = first; at < first + store.width; ++at) {
      const auto byte = static_cast<size_t>(at);
      if (wanted_[byte]) {
        wanted_[byte] = false;
        continue;
      }
      return refute(row_[byte] ? fmt::format("{} is written twice, the second time by access {} of lane {}", place(at),
                                             store.access, lane_now_)
                               : fmt::format("access {} of lane {} writes byte {}, which no element has", store.access,
                                             lane_now_, at % span_));
    }
    return true;
  }

  bool refute(std::string why) {
    result_.verdict = Verdict::kRefuted;
    result_.reason = std::move(why);
    return false;
  }

  const Execution& execution_;
  const RowShape& shape_;
  const std::vector<RowStore>& stores_;
  Atom lane_;
  int64_t lanes_;
  Evaluation evaluation_;
  int64_t lane_now_ = 0;
  int64_t span_ = 0;
  std::vector<std::vector<Wide>> current_;  // carried values of the loops that are entered
  std::vector<bool> wanted_, row_;
  RowTiling result_;
};

}  // namespace

RowTiling tile_row(const Knowledge& knowledge, const Execution& execution, const RowShape& shape,
                   const std::vector<RowStore>& stores, Atom lane, int64_t lanes) {
  return Tiling(knowledge, execution, shape, stores, lane, lanes).run();
}

}  // namespace tailor::codegen::prove
