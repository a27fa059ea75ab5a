#include "tests/codegen/movement/configurations.h"

#include <algorithm>

namespace tailor::test {
namespace {

constexpr DType kFloats[] = {DType::kFloat32, DType::kFloat16, DType::kBFloat16, DType::kFloat8E4M3,
                             DType::kFloat8E5M2};

}  // namespace

std::vector<StaticConfiguration> configurations(OpId op, Arch arch, Emitter emitter, Lowering lowering) {
  std::vector<StaticConfiguration> result;
  const auto add = [&](auto&&... change) {
    StaticConfiguration c{};
    c.op = op, c.arch = arch, c.emitter = emitter, c.lowering = lowering;
    (change(c), ...);
    result.push_back(c);
  };
  switch (op) {
    case OpId::kPagedGather:
    case OpId::kPagedAppend:
      for (int element : {1, 2, 4, 8}) {
        for (int64_t page_size : {1, 3, 16, 48, 64}) {
          for (int64_t heads : {1, 2, 3, 8}) {
            for (int64_t dim : {1, 5, 64, 65, 80, 127, 128, 576}) {
              add([&](StaticConfiguration& c) {
                c.element_bytes = element, c.page_size = page_size, c.heads = heads, c.head_dim = dim;
              });
            }
          }
        }
      }
      break;
    case OpId::kAppendRope: {
      struct Shape {
        int64_t heads, dim, rotary;
      };
      for (DType type : {DType::kFloat32, DType::kFloat16, DType::kBFloat16}) {
        for (DType table : {DType::kFloat32, type}) {
          for (int style : {0, 1}) {
            for (int64_t page_size : {1, 16}) {
              for (const Shape& s : {Shape{1, 2, 2},
                                     {2, 64, 64},
                                     {3, 80, 32},
                                     {2, 65, 10},
                                     {4, 128, 128},
                                     {1, 5, 2},
                                     {2, 66, 66},
                                     {3, 7, 6}}) {
                add([&](StaticConfiguration& c) {
                  c.source_type = type, c.target_type = table, c.variant = style, c.page_size = page_size;
                  c.heads = s.heads, c.head_dim = s.dim, c.rotary_dim = s.rotary;
                });
              }
            }
          }
        }
      }
      break;
    }
    case OpId::kConvert:
      for (DType source : kFloats) {
        for (DType target : kFloats) {
          for (int64_t dim : {1, 5, 64, 65, 130}) {
            for (int scale : {0, 1}) {
              add([&](StaticConfiguration& c) {
                c.source_type = source, c.target_type = target, c.variant = scale, c.head_dim = dim;
              });
            }
          }
        }
      }
      break;
    case OpId::kCopy:
      for (const CopyMode mode : {CopyMode::kRows, CopyMode::kTransposed, CopyMode::kElements}) {
        for (int element : {1, 2, 4, 8}) {
          for (int64_t run : {0, 1, 2, 5, 64, 65, 127}) {
            if ((mode == CopyMode::kTransposed && run != 1) || (mode == CopyMode::kElements && run == 1)) continue;
            for (int rank : {0, 1, 2, 3, 4, 7, 8}) {
              if (mode == CopyMode::kTransposed && rank == 8) continue;
              add([&](StaticConfiguration& c) {
                c.variant = static_cast<int>(mode), c.element_bytes = element, c.head_dim = run, c.outer_rank = rank;
              });
            }
          }
        }
      }
      break;
    default:
      for (int element : {1, 2, 4, 8}) {
        for (int64_t dim : {1, 5, 64, 65, 80, 127, 128, 576}) {
          for (int index : {4, 8}) {
            if (index == 8 && op != OpId::kGatherRows && op != OpId::kScatterRows) continue;
            add([&](StaticConfiguration& c) { c.element_bytes = element, c.head_dim = dim, c.index_bytes = index; });
          }
        }
      }
      break;
  }
  return result;
}

std::vector<Key> sample_keys(OpId op, Arch arch, Emitter emitter, Lowering lowering, size_t count) {
  std::vector<Key> all, sample;
  for (const StaticConfiguration& c : configurations(op, arch, emitter, lowering)) {
    const std::vector<Key> keys = enumerate_keys(c).value();
    all.insert(all.end(), keys.begin(), keys.end());
  }
  count = std::min(count, all.size());
  // From the middle of each of `count` equal parts, so that the first and last of a configuration are not preferred.
  for (size_t i = 0; i < count; ++i) sample.push_back(all[(2 * i + 1) * all.size() / (2 * count)]);
  return sample;
}

}  // namespace tailor::test
