#include "codegen/layout/peel.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"

namespace tailor::codegen::layout {
namespace {

constexpr int64_t kWordBytes = 4;

// Where a byte of the row is after the loads.
struct ByteHome {
  int reg = -1;
  int byte = 0;  // within the register
};

// The vector load that wrote a register, for the question whether registers already stand side by side.
struct RegisterOrigin {
  int load = -1;
  int lane = 0;
  int lanes = 1;
};

int64_t positive_mod(int64_t value, int64_t modulus) { return ((value % modulus) + modulus) % modulus; }

bool aligned(const BaseAlignment& base, int64_t offset, int64_t width) {
  return base.modulus % width == 0 && positive_mod(base.residue + offset, width) == 0;
}

// One piece after the other, as wide as `fits(offset, width)` and the rest allow.
template <class Fits>
std::vector<TailPiece> greedy(int64_t bytes, int64_t max_width, const Fits& fits) {
  std::vector<TailPiece> pieces;
  for (int64_t offset = 0; offset < bytes;) {
    int64_t width = max_width;
    while (width > bytes - offset || !fits(offset, width)) width /= 2;
    pieces.push_back({offset, width});
    offset += width;
  }
  return pieces;
}

// Aligned blocks of `block` bytes that cover the row; the first and the last shrink to the smallest aligned power of
// two that holds their part of the row.
std::vector<TailPiece> covering_blocks(int64_t bytes, const BaseAlignment& base, int64_t block) {
  std::vector<TailPiece> pieces;
  const int64_t phase = positive_mod(base.residue, block);
  for (int64_t start = -phase; start < bytes; start += block) {
    const int64_t first = std::max<int64_t>(start, 0) - start;
    const int64_t last = std::min(start + block, bytes) - 1 - start;
    int64_t width = block;
    while (width > 1 && first / (width / 2) == last / (width / 2)) width /= 2;
    pieces.push_back({start + first / width * width, width});
  }
  return pieces;
}

class Assembler {
 public:
  explicit Assembler(const PeelRequest& request) : request_(request), homes_(static_cast<size_t>(request.bytes)) {}

  void load(const TailPiece& piece) {
    PeelStep step{PeelKind::kLoad, piece.offset, piece.width, {}, 0};
    const auto words = static_cast<int>(std::max<int64_t>(1, piece.width / kWordBytes));
    for (int lane = 0; lane < words; ++lane) step.registers.push_back(fresh({loads_, lane, words}));
    for (int64_t i = 0; i < piece.width; ++i) {
      const int64_t byte = piece.offset + i;
      if (byte < 0 || byte >= request_.bytes) continue;
      homes_[static_cast<size_t>(byte)] = {step.registers[static_cast<size_t>(i / kWordBytes)],
                                           static_cast<int>(i % kWordBytes)};
    }
    ++loads_;
    steps_.push_back(std::move(step));
  }

  void store(const TailPiece& piece) {
    PeelStep step{PeelKind::kStore, piece.offset, piece.width, {}, 0};
    const int64_t word_bytes = std::min(piece.width, kWordBytes);
    const int64_t words = piece.width / word_bytes;
    for (int64_t w = 0; w < words; ++w) step.registers.push_back(word(piece.offset + w * word_bytes, word_bytes));
    if (words > 1) place_side_by_side(step.registers);
    steps_.push_back(std::move(step));
  }

  PeelPlan finish(PeelStrategy strategy) {
    PeelPlan plan;
    plan.strategy = strategy;
    plan.steps = std::move(steps_);
    for (const PeelStep& step : plan.steps) {
      plan.loads += step.kind == PeelKind::kLoad;
      plan.stores += step.kind == PeelKind::kStore;
      plan.permutes += step.kind == PeelKind::kPermute;
      plan.moves += step.kind == PeelKind::kMove;
    }
    const InstructionCosts& c = request_.costs;
    plan.cost = plan.loads * c.load + plan.stores * c.store + plan.permutes * c.permute + plan.moves * c.move;
    return plan;
  }

 private:
  int fresh(RegisterOrigin origin) {
    origins_.push_back(origin);
    return static_cast<int>(origins_.size()) - 1;
  }

  // The register whose low bytes are the row's [offset, offset + count): as loaded, or made by permutes, each of which
  // brings in one more source register.
  int word(int64_t offset, int64_t count) {
    std::vector<int> sources;
    bool as_loaded = true;
    for (int64_t i = 0; i < count; ++i) {
      const ByteHome& home = homes_[static_cast<size_t>(offset + i)];
      if (std::find(sources.begin(), sources.end(), home.reg) == sources.end()) sources.push_back(home.reg);
      as_loaded = as_loaded && home.byte == i;
    }
    if (as_loaded && sources.size() == 1) return sources[0];
    int result = sources[0];
    bool first = true;
    for (size_t s = sources.size() == 1 ? 0 : 1; s < sources.size(); ++s) {
      uint32_t selector = 0;
      for (int64_t i = 0; i < count; ++i) {
        const ByteHome& home = homes_[static_cast<size_t>(offset + i)];
        // Bytes brought in before stand where they belong; the first permute takes them from the first source.
        uint32_t from = static_cast<uint32_t>(i);
        if (first && home.reg == sources[0]) from = static_cast<uint32_t>(home.byte);
        if (s > 0 && home.reg == sources[s]) from = 4 + static_cast<uint32_t>(home.byte);
        selector |= from << (4 * i);
      }
      const int made = fresh({});
      steps_.push_back({PeelKind::kPermute, 0, 0, {made, result, sources[s]}, selector});
      result = made;
      first = false;
    }
    return result;
  }

  // A wide store reads registers side by side, in order, from a multiple of their number. A loaded word can stay when
  // its load is allocated there too: loads and stores of L and W words agree when in every block of m = min(L, W) words
  // of the store all come from one load, in order, from a multiple of m. Others move; permuted words are made in place.
  void place_side_by_side(std::vector<int>& registers) {
    const auto width = static_cast<int>(registers.size());
    const std::vector<int> given = registers;
    for (int j = 0; j < width; ++j) {
      const RegisterOrigin& origin = origins_[static_cast<size_t>(given[static_cast<size_t>(j)])];
      if (origin.load < 0) continue;
      const int m = std::min(origin.lanes, width);
      const int block = j / m * m;
      bool stays = true;
      for (int k = 0; k < m && stays; ++k) {
        const RegisterOrigin& other = origins_[static_cast<size_t>(given[static_cast<size_t>(block + k)])];
        stays = other.load == origin.load && other.lane % m == k && other.lane / m == origin.lane / m;
      }
      if (stays) continue;
      const int moved = fresh({});
      steps_.push_back({PeelKind::kMove, 0, 0, {moved, given[static_cast<size_t>(j)]}, 0});
      registers[static_cast<size_t>(j)] = moved;
    }
  }

  const PeelRequest& request_;
  std::vector<ByteHome> homes_;
  std::vector<RegisterOrigin> origins_;
  std::vector<PeelStep> steps_;
  int loads_ = 0;
};

PeelPlan write_out(const PeelRequest& request, PeelStrategy strategy, const std::vector<TailPiece>& loads,
                   const std::vector<TailPiece>& stores) {
  Assembler assembler(request);
  for (const TailPiece& piece : loads) assembler.load(piece);
  for (const TailPiece& piece : stores) assembler.store(piece);
  return assembler.finish(strategy);
}

PeelPlan direct_plan(const PeelRequest& request) {
  const std::vector<TailPiece> pieces = greedy(request.bytes, request.max_vector_bytes, [&](int64_t offset, int64_t w) {
    return aligned(request.src, offset, w) && aligned(request.dst, offset, w);
  });
  return write_out(request, PeelStrategy::kDirect, pieces, pieces);
}

Status check(const BaseAlignment& base, const char* which) {
  if (base.modulus < 1 || !integer::is_pow2(static_cast<uint64_t>(base.modulus))) {
    return invalid_argument(
        fmt::format("modulus of the {} address is {}; it must be a power of two", which, base.modulus));
  }
  return {};
}

std::string describe(const PeelPlan& plan) {
  std::string text = fmt::format("{} loads + {} stores", plan.loads, plan.stores);
  if (plan.permutes != 0) text += fmt::format(" + {} permutes", plan.permutes);
  if (plan.moves != 0) text += fmt::format(" + {} moves", plan.moves);
  return text;
}

// The widest power of two to which both sides are aligned at the same offsets of the row.
int64_t common_phase(const PeelRequest& request) {
  int64_t width = 1;
  while (2 * width <= request.max_vector_bytes && request.src.modulus % (2 * width) == 0 &&
         request.dst.modulus % (2 * width) == 0 &&
         positive_mod(request.src.residue - request.dst.residue, 2 * width) == 0) {
    width *= 2;
  }
  return width;
}

std::string explain(const PeelRequest& request, const PeelPlan& best, const PeelPlan& direct) {
  const int64_t phase = common_phase(request);
  std::string text = fmt::format(
      "source {} mod {}, destination {} mod {}: aligned together to {} bytes at most; copied directly: {} = {}",
      positive_mod(request.src.residue, request.src.modulus), request.src.modulus,
      positive_mod(request.dst.residue, request.dst.modulus), request.dst.modulus, phase, describe(direct),
      direct.cost);
  if (best.strategy != PeelStrategy::kDirect) {
    return text + fmt::format("; {}: {} = {}", to_string(best.strategy), describe(best), best.cost);
  }
  text += "; no plan with permutes is cheaper";
  if (!request.may_read_blocks && phase < request.max_vector_bytes) {
    text += " without reading whole aligned blocks around the row";
  }
  return text;
}

}  // namespace

std::string_view to_string(PeelStrategy strategy) {
  switch (strategy) {
    case PeelStrategy::kDirect:
      return "direct";
    case PeelStrategy::kPermuteExact:
      return "aligned loads within the row and permutes";
    case PeelStrategy::kPermuteBlocks:
      return "aligned blocks around the row and permutes";
  }
  return "unknown";
}

std::vector<TailPiece> peel(int64_t bytes, BaseAlignment alignment, int64_t max_width) {
  return greedy(bytes, max_width, [&](int64_t offset, int64_t width) { return aligned(alignment, offset, width); });
}

Expected<PeelPlan> plan_peel(const PeelRequest& request) {
  if (request.bytes < 0 || request.bytes > kMaxPeelBytes) {
    return invalid_argument(fmt::format("a row of {} bytes; it must be 0 to {}", request.bytes, kMaxPeelBytes));
  }
  const int64_t max = request.max_vector_bytes;
  if (max < 1 || max > 16 || !integer::is_pow2(static_cast<uint64_t>(max))) {
    return invalid_argument(fmt::format("largest vector is {} bytes; it must be 1, 2, 4, 8 or 16", max));
  }
  TAILOR_RETURN_IF_ERROR(check(request.src, "source"));
  TAILOR_RETURN_IF_ERROR(check(request.dst, "destination"));

  const PeelPlan direct = direct_plan(request);
  PeelPlan best = direct;
  int64_t candidates = 1;
  const auto consider = [&](PeelPlan plan) {
    ++candidates;
    if (plan.cost < best.cost) best = std::move(plan);
  };
  for (int64_t store_width = max; store_width >= 1; store_width /= 2) {
    const std::vector<TailPiece> stores = peel(request.bytes, request.dst, store_width);
    for (int64_t load_width = max; load_width >= 1; load_width /= 2) {
      consider(write_out(request, PeelStrategy::kPermuteExact, peel(request.bytes, request.src, load_width), stores));
      if (!request.may_read_blocks || request.src.modulus % load_width != 0) continue;
      consider(write_out(request, PeelStrategy::kPermuteBlocks, covering_blocks(request.bytes, request.src, load_width),
                         stores));
    }
  }
  best.candidates = candidates;
  best.direct_cost = direct.cost;
  best.explanation = explain(request, best, direct);
  return best;
}

}  // namespace tailor::codegen::layout
