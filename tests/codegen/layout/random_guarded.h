// Seeded random guarded layouts with one parameter n, and their enumeration, for property tests.
#pragma once

#include <functional>
#include <map>
#include <random>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "codegen/layout/layout.h"

namespace tailor::codegen::layout {

using Point = std::vector<int64_t>;

struct RandomGuarded {
  std::mt19937_64 rng;

  int64_t below(int64_t n) { return static_cast<int64_t>(rng() % static_cast<uint64_t>(n)); }
  bool one_in(int64_t n) { return below(n) == 0; }

  // Extents 0, 1, primes, neighbours of powers of two, or affine in n.
  AffineExpr extent(bool parametric) {
    if (parametric && one_in(3)) return *AffineExpr::parse(one_in(2) ? "n" : "n + 1");
    const int64_t extents[] = {1, 2, 3, 4, 5, 7, 3, 2};
    return AffineExpr(one_in(25) ? 0 : extents[below(8)]);
  }

  struct Options {
    size_t min_rank = 1;
    size_t max_rank = 3;
    size_t outputs = 1;
    bool parametric = true;  // extents, guards and offsets over n
    bool guarded = true;
    bool compact = false;  // strides that mostly nest
  };

  GuardedAffineLayout layout(const Options& options) {
    const size_t rank = options.min_rank + rng() % (options.max_rank - options.min_rank + 1);
    std::vector<Dim> dims;
    for (size_t i = 0; i < rank; ++i) dims.push_back({fmt::format("x{}", i), extent(options.parametric)});
    AffineExpr plane(below(9) - 2);
    for (const Dim& dim : dims) plane = *plane.add(*AffineExpr::symbol(dim.name).scale(below(5) - 2));
    if (options.parametric && one_in(2)) plane = *plane.add(*AffineExpr::symbol("n").scale(below(3) - 1));
    const size_t count = options.guarded ? 1 + rng() % 2 : 1;
    const bool cut = count == 2 || (options.guarded && one_in(2));
    std::vector<Piece> pieces;
    for (size_t p = 0; p < count; ++p) {
      Piece piece;
      for (size_t o = 0; o < options.outputs; ++o) {
        piece.a.emplace_back();
        std::vector<int64_t> strides(rank);
        int64_t next = 1 + below(2);
        std::vector<size_t> order(rank);
        for (size_t i = 0; i < rank; ++i) order[i] = i;
        std::shuffle(order.begin(), order.end(), rng);
        for (size_t i : order) {
          strides[i] = next;
          next *= dims[i].extent.is_constant() ? std::max<int64_t>(dims[i].extent.constant(), 1) : 8;
          if (one_in(3)) next *= 1 + below(3);
          if (options.compact ? one_in(12) : one_in(3)) strides[i] = below(11) - 2;
          if (one_in(8)) strides[i] = -strides[i];
        }
        for (size_t i = 0; i < rank; ++i) piece.a.back().emplace_back(strides[i]);
        AffineExpr offset(one_in(2) ? 0 : below(20) - 4);
        if (options.parametric && one_in(4)) offset = *offset.add(AffineExpr::symbol("n"));
        piece.b.push_back(offset);
      }
      if (cut)
        piece.guard.push_back(Constraint::non_negative(p == 0 ? plane : *plane.scale(-1)->subtract(AffineExpr(1))));
      if (options.guarded && one_in(6)) {
        piece.guard.push_back(Constraint::zero(*AffineExpr::mod_of(AffineExpr::symbol(dims[0].name), 2)));
      }
      pieces.push_back(std::move(piece));
    }
    auto made = GuardedAffineLayout::of_pieces(std::move(dims), options.outputs, std::move(pieces));
    EXPECT_TRUE(made.ok()) << made.status().message();
    return *made;
  }
};

// Every point of the domain with its value.
inline std::map<Point, Point> table_of(const GuardedAffineLayout& layout, const Assignment& parameters) {
  std::map<Point, Point> table;
  std::vector<int64_t> extents;
  for (const Dim& dim : layout.dims()) {
    extents.push_back(*dim.extent.evaluate(parameters));
    if (extents.back() <= 0) return table;
  }
  Point point(extents.size(), 0);
  while (true) {
    const auto value = layout.evaluate(point, parameters);
    EXPECT_TRUE(value.ok()) << value.status().message();
    if (value.ok() && *value) table[point] = **value;
    size_t i = 0;
    while (i < point.size() && point[i] + 1 == extents[i]) point[i++] = 0;
    if (i == point.size()) return table;
    ++point[i];
  }
}

}  // namespace tailor::codegen::layout
