#include "runtime/cli/sweep/configurations.h"

#include "runtime/bucket/key_domain.h"

namespace tailor::cli {
namespace {

struct Pool {
  int64_t page_size, heads, head_dim;
  int element_bytes;
};
constexpr Pool kPools[] = {{16, 8, 128, 2}, {64, 8, 64, 2},  {16, 8, 80, 2},  {16, 8, 65, 2}, {64, 1, 576, 2},
                           {16, 8, 128, 1}, {64, 8, 128, 4}, {16, 8, 128, 8}, {1, 3, 5, 1}};

struct Row {
  int64_t head_dim;
  int element_bytes;
};
constexpr Row kRows[] = {{128, 2}, {64, 2}, {80, 2}, {65, 2}, {4096, 2}, {128, 1}, {128, 4}, {128, 8}, {7, 1}, {1, 4}};

constexpr DType kConvertible[] = {DType::kFloat32, DType::kFloat16, DType::kBFloat16, DType::kFloat8E4M3,
                                  DType::kFloat8E5M2};

struct Rotation {
  int64_t page_size, heads, head_dim, rotary_dim;
  DType element, table;
};
constexpr Rotation kRotations[] = {{16, 8, 128, 128, DType::kBFloat16, DType::kFloat32},
                                   {64, 8, 80, 32, DType::kBFloat16, DType::kBFloat16},
                                   {16, 8, 65, 64, DType::kFloat16, DType::kFloat32},
                                   {64, 8, 64, 64, DType::kFloat16, DType::kFloat16},
                                   {16, 8, 128, 64, DType::kFloat32, DType::kFloat32}};

struct Strided {
  CopyMode mode;
  int64_t run;  // elements; 0: more than 2048 bytes
  int outer_rank, element_bytes;
};
constexpr Strided kStrided[] = {
    {CopyMode::kRows, 64, 1, 2},      {CopyMode::kRows, 80, 2, 2},      {CopyMode::kRows, 65, 3, 2},
    {CopyMode::kRows, 1, 4, 4},       {CopyMode::kRows, 0, 0, 1},       {CopyMode::kRows, 0, 1, 2},
    {CopyMode::kRows, 0, 2, 8},       {CopyMode::kTransposed, 1, 0, 2}, {CopyMode::kTransposed, 1, 1, 4},
    {CopyMode::kTransposed, 1, 2, 1}, {CopyMode::kTransposed, 1, 1, 8}, {CopyMode::kElements, 64, 1, 2},
    {CopyMode::kElements, 65, 2, 4},  {CopyMode::kElements, 0, 1, 1},   {CopyMode::kElements, 3, 4, 8},
};

void add_conversions(StaticConfiguration c, std::vector<StaticConfiguration>& list) {
  for (const DType source : kConvertible) {
    for (const DType target : kConvertible) {
      for (c.variant = 0; c.variant < 2; ++c.variant) {
        c.source_type = source;
        c.target_type = target;
        c.head_dim = 128;
        list.push_back(c);
      }
    }
  }
  c.source_type = DType::kBFloat16;
  c.target_type = DType::kFloat8E4M3;
  c.variant = 1;
  for (const int64_t head_dim : {int64_t{1}, int64_t{65}, int64_t{80}, int64_t{4096}}) {
    c.head_dim = head_dim;
    list.push_back(c);
  }
}

void add_rotations(StaticConfiguration c, std::vector<StaticConfiguration>& list) {
  for (const Rotation& r : kRotations) {
    c.page_size = r.page_size;
    c.heads = r.heads;
    c.head_dim = r.head_dim;
    c.rotary_dim = r.rotary_dim;
    c.source_type = r.element;
    c.target_type = r.table;
    for (const RopeStyle style : {RopeStyle::kHalves, RopeStyle::kInterleaved}) {
      c.variant = static_cast<int>(style);
      list.push_back(c);
    }
  }
}

}  // namespace

std::vector<StaticConfiguration> sweep_configurations(OpId op, Arch arch, Emitter emitter, Lowering lowering) {
  StaticConfiguration c;
  c.op = op;
  c.arch = arch;
  c.emitter = emitter;
  c.lowering = lowering;
  const KeyDomain domain = key_domain(op);
  std::vector<StaticConfiguration> list;
  if (domain.computes == Computes::kConvert) {
    add_conversions(c, list);
  } else if (domain.computes == Computes::kRotate) {
    add_rotations(c, list);
  } else if (domain.strided) {
    for (const Strided& s : kStrided) {
      c.variant = static_cast<int>(s.mode);
      c.head_dim = s.run;
      c.outer_rank = s.outer_rank;
      c.element_bytes = s.element_bytes;
      list.push_back(c);
    }
  } else if (domain.pages) {
    for (const Pool& pool : kPools) {
      c.page_size = pool.page_size;
      c.heads = pool.heads;
      c.head_dim = pool.head_dim;
      c.element_bytes = pool.element_bytes;
      list.push_back(c);
    }
  } else {
    for (const Row& row : kRows) {
      c.head_dim = row.head_dim;
      c.element_bytes = row.element_bytes;
      for (c.index_bytes = 4; c.index_bytes <= (domain.index ? 8 : 4); c.index_bytes += 4) list.push_back(c);
    }
  }
  for (size_t n = domain.reports ? list.size() : 0, i = 0; i < n; ++i) {
    StaticConfiguration silent = list[i];
    silent.reports = false;
    list.push_back(silent);
  }
  return list;
}

}  // namespace tailor::cli
