#include "codegen/integer/normal_forms.h"

#include <algorithm>

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"

namespace tailor::codegen::integer {
namespace {

// A row operation E applied to m and u keeps m = u a; the inverse operation on the columns of u_inverse keeps
// u u_inverse = 1. The column operations of the Smith form mirror that on the right.
struct RowOps {
  Matrix& m;
  Matrix& u;
  Matrix& u_inverse;

  void swap(size_t a, size_t b) {
    if (a == b) return;
    m.swap_rows(a, b);
    u.swap_rows(a, b);
    u_inverse.swap_cols(a, b);
  }
  bool add(size_t target, size_t source, int64_t factor) {
    if (factor == 0) return true;
    if (factor == INT64_MIN) return false;
    return m.add_row(target, source, factor) && u.add_row(target, source, factor) &&
           u_inverse.add_col(source, target, -factor);
  }
  // target -= q * source
  bool subtract(size_t target, size_t source, int64_t q) { return q != INT64_MIN && add(target, source, -q); }
  bool negate(size_t row) { return m.negate_row(row) && u.negate_row(row) && u_inverse.negate_col(row); }
};

struct ColOps {
  Matrix& m;
  Matrix& v;
  Matrix& v_inverse;

  void swap(size_t a, size_t b) {
    if (a == b) return;
    m.swap_cols(a, b);
    v.swap_cols(a, b);
    v_inverse.swap_rows(a, b);
  }
  bool add(size_t target, size_t source, int64_t factor) {
    if (factor == 0) return true;
    if (factor == INT64_MIN) return false;
    return m.add_col(target, source, factor) && v.add_col(target, source, factor) &&
           v_inverse.add_row(source, target, -factor);
  }
  bool subtract(size_t target, size_t source, int64_t q) { return q != INT64_MIN && add(target, source, -q); }
};

// Nearest integer to a / b (ties either way): remainders at most |b| / 2 keep entries small. b != 0 and the quotient
// fits.
int64_t rounded_quotient(int64_t a, int64_t b) {
  __int128 numerator = 2 * static_cast<__int128>(a) + (b < 0 ? -static_cast<__int128>(b) : b);
  __int128 denominator = 2 * static_cast<__int128>(b < 0 ? -static_cast<__int128>(b) : b);
  __int128 q = numerator / denominator;
  if (numerator % denominator != 0 && numerator < 0) --q;
  return static_cast<int64_t>(b < 0 ? -q : q);
}

std::optional<size_t> smallest_in_column(const Matrix& m, size_t first_row, size_t col) {
  std::optional<size_t> best;
  for (size_t r = first_row; r < m.rows(); ++r) {
    if (m.at(r, col) == 0) continue;
    if (!best || magnitude(m.at(r, col)) < magnitude(m.at(*best, col))) best = r;
  }
  return best;
}

// Makes column `col` zero below row `row` by the Euclidean algorithm; false on overflow.
bool eliminate_below(RowOps& ops, size_t row, size_t col) {
  while (true) {
    std::optional<size_t> pivot = smallest_in_column(ops.m, row, col);
    if (!pivot) return true;
    ops.swap(*pivot, row);
    bool done = true;
    for (size_t r = row + 1; r < ops.m.rows(); ++r) {
      if (ops.m.at(r, col) == 0) continue;
      int64_t q = rounded_quotient(ops.m.at(r, col), ops.m.at(row, col));
      if (!ops.subtract(r, row, q)) return false;
      done = done && ops.m.at(r, col) == 0;
    }
    if (done) return true;
  }
}

// Smallest non-zero entry of the trailing block, moved to (k, k). False when the block is zero.
bool bring_pivot(RowOps& rows, ColOps& cols, size_t k) {
  const Matrix& m = rows.m;
  size_t best_row = 0;
  size_t best_col = 0;
  uint64_t best = 0;
  for (size_t r = k; r < m.rows(); ++r) {
    for (size_t c = k; c < m.cols(); ++c) {
      uint64_t size = magnitude(m.at(r, c));
      if (size != 0 && (best == 0 || size < best)) {
        best = size;
        best_row = r;
        best_col = c;
      }
    }
  }
  if (best == 0) return false;
  rows.swap(best_row, k);
  cols.swap(best_col, k);
  return true;
}

// An entry of the trailing block that the pivot does not divide.
std::optional<size_t> row_not_divided(const Matrix& m, size_t k) {
  for (size_t r = k + 1; r < m.rows(); ++r) {
    for (size_t c = k + 1; c < m.cols(); ++c) {
      if (magnitude(m.at(r, c)) % magnitude(m.at(k, k)) != 0) return r;
    }
  }
  return std::nullopt;
}

// A product with 128-bit entries, so that a verdict does not fail on the size of an intermediate. Two 64-bit factors
// leave room for two summands of full size; more of them wrap only if nearly all entries are at the limit, which is
// reported.
Expected<std::vector<__int128>> wide_product(const Matrix& a, const Matrix& b) {
  if (a.cols() != b.rows()) return invalid_argument("normal form: the transforms do not match the shape of the matrix");
  std::vector<__int128> result(a.rows() * b.cols(), 0);
  for (size_t r = 0; r < a.rows(); ++r) {
    for (size_t c = 0; c < b.cols(); ++c) {
      __int128& sum = result[r * b.cols() + c];
      for (size_t k = 0; k < a.cols(); ++k) {
        if (__builtin_add_overflow(sum, static_cast<__int128>(a.at(r, k)) * b.at(k, c), &sum)) {
          return overflow_error("normal form verification");
        }
      }
    }
  }
  return result;
}

Status check_inverse(const Matrix& u, const Matrix& inverse, std::string_view name) {
  TAILOR_ASSIGN_OR_RETURN(auto product, wide_product(u, inverse));
  bool identity = u.rows() == inverse.cols();
  for (size_t i = 0; identity && i < product.size(); ++i) {
    identity = product[i] == (i / u.rows() == i % u.rows() ? 1 : 0);
  }
  if (!identity) {
    return verification_error(fmt::format("{} times its inverse is not the identity", name));
  }
  return {};
}

}  // namespace

Expected<HermiteForm> hermite_normal_form(const Matrix& a) {
  HermiteForm form{a, Matrix::identity(a.rows()), Matrix::identity(a.rows()), {}};
  RowOps ops{form.h, form.u, form.u_inverse};
  size_t row = 0;
  for (size_t col = 0; col < a.cols() && row < a.rows(); ++col) {
    if (!eliminate_below(ops, row, col)) return overflow_error("Hermite normal form");
    int64_t pivot = form.h.at(row, col);
    if (pivot == 0) continue;
    if (pivot < 0 && !ops.negate(row)) return overflow_error("Hermite normal form");
    pivot = form.h.at(row, col);
    for (size_t above = 0; above < row; ++above) {
      if (!ops.subtract(above, row, floor_div(form.h.at(above, col), pivot)))
        return overflow_error("Hermite normal form");
    }
    form.pivots.push_back(col);
    ++row;
  }
  return form;
}

Expected<SmithForm> smith_normal_form(const Matrix& a) {
  SmithForm form{
      a, Matrix::identity(a.rows()), Matrix::identity(a.rows()), Matrix::identity(a.cols()), Matrix::identity(a.cols()),
      {}};
  RowOps rows{form.d, form.u, form.u_inverse};
  ColOps cols{form.d, form.v, form.v_inverse};
  const Status overflow = overflow_error("Smith normal form");
  size_t rank_bound = std::min(a.rows(), a.cols());
  for (size_t k = 0; k < rank_bound && bring_pivot(rows, cols, k);) {
    bool clean = true;
    for (size_t r = k + 1; r < a.rows(); ++r) {
      if (form.d.at(r, k) == 0) continue;
      if (!rows.subtract(r, k, rounded_quotient(form.d.at(r, k), form.d.at(k, k)))) return overflow;
      clean = clean && form.d.at(r, k) == 0;
    }
    for (size_t c = k + 1; c < a.cols(); ++c) {
      if (form.d.at(k, c) == 0) continue;
      if (!cols.subtract(c, k, rounded_quotient(form.d.at(k, c), form.d.at(k, k)))) return overflow;
      clean = clean && form.d.at(k, c) == 0;
    }
    if (!clean) continue;  // a smaller entry appeared; it becomes the pivot, so this ends
    if (std::optional<size_t> r = row_not_divided(form.d, k)) {
      if (!rows.add(k, *r, 1)) return overflow;
      // Row k now holds an entry the pivot does not divide; one column step leaves a remainder smaller than the pivot.
      for (size_t c = k + 1; c < a.cols(); ++c) {
        if (!cols.subtract(c, k, rounded_quotient(form.d.at(k, c), form.d.at(k, k)))) return overflow;
      }
      continue;
    }
    if (form.d.at(k, k) < 0 && !rows.negate(k)) return overflow;
    form.factors.push_back(form.d.at(k, k));
    ++k;
  }
  return form;
}

Status verify(const Matrix& a, const HermiteForm& form) {
  TAILOR_ASSIGN_OR_RETURN(Matrix product, form.u.multiply(a));
  if (product != form.h) return verification_error("H differs from U A");
  TAILOR_RETURN_IF_ERROR(check_inverse(form.u, form.u_inverse, "U"));
  size_t next_col = 0;
  for (size_t r = 0; r < form.h.rows(); ++r) {
    size_t col = 0;
    while (col < form.h.cols() && form.h.at(r, col) == 0) ++col;
    if (r >= form.pivots.size()) {
      if (col != form.h.cols()) return verification_error(fmt::format("row {} of H after the rank is not zero", r));
      continue;
    }
    if (col != form.pivots[r] || col < next_col) return verification_error(fmt::format("row {} breaks the echelon", r));
    next_col = col + 1;
    if (form.h.at(r, col) <= 0) return verification_error(fmt::format("pivot of row {} is not positive", r));
    for (size_t above = 0; above < r; ++above) {
      if (form.h.at(above, col) < 0 || form.h.at(above, col) >= form.h.at(r, col)) {
        return verification_error(fmt::format("entry ({}, {}) above a pivot is not reduced", above, col));
      }
    }
  }
  return {};
}

Status verify(const Matrix& a, const SmithForm& form) {
  TAILOR_RETURN_IF_ERROR(check_inverse(form.u, form.u_inverse, "U"));
  TAILOR_RETURN_IF_ERROR(check_inverse(form.v, form.v_inverse, "V"));
  // With V V^-1 = 1, D = U A V is D V^-1 = U A, which needs one product on each side.
  TAILOR_ASSIGN_OR_RETURN(auto left, wide_product(form.d, form.v_inverse));
  TAILOR_ASSIGN_OR_RETURN(auto right, wide_product(form.u, a));
  if (form.d.cols() != a.cols() || left != right) return verification_error("D differs from U A V");
  int64_t previous = 1;
  for (size_t r = 0; r < form.d.rows(); ++r) {
    for (size_t c = 0; c < form.d.cols(); ++c) {
      if (r != c && form.d.at(r, c) != 0) return verification_error(fmt::format("D[{}, {}] is not zero", r, c));
    }
    if (r >= form.d.cols()) continue;
    int64_t entry = form.d.at(r, r);
    if (entry < 0) return verification_error(fmt::format("d_{} is negative", r));
    bool divides = previous == 0 ? entry == 0 : entry % previous == 0;
    if (!divides) return verification_error(fmt::format("d_{} does not divide d_{}", r - 1, r));
    previous = entry;
  }
  return {};
}

Expected<std::optional<std::vector<int64_t>>> solve(const Matrix& a, const std::vector<int64_t>& b) {
  if (b.size() != a.rows()) {
    return invalid_argument(fmt::format("right-hand side has {} entries; the matrix has {} rows", b.size(), a.rows()));
  }
  TAILOR_ASSIGN_OR_RETURN(SmithForm form, smith_normal_form(a));
  TAILOR_ASSIGN_OR_RETURN(std::vector<int64_t> c, form.u.multiply(b));  // D y = c with x = V y
  std::vector<int64_t> y(a.cols(), 0);
  for (size_t i = 0; i < c.size(); ++i) {
    if (i < form.factors.size()) {
      if (c[i] % form.factors[i] != 0) return std::optional<std::vector<int64_t>>{};
      y[i] = c[i] / form.factors[i];
    } else if (c[i] != 0) {
      return std::optional<std::vector<int64_t>>{};
    }
  }
  TAILOR_ASSIGN_OR_RETURN(std::vector<int64_t> x, form.v.multiply(y));
  return std::optional<std::vector<int64_t>>(std::move(x));
}

Expected<bool> lattice_contains(const Matrix& generators, const std::vector<int64_t>& point) {
  TAILOR_ASSIGN_OR_RETURN(auto solution, solve(generators.transposed(), point));
  return solution.has_value();
}

Expected<std::optional<int64_t>> lattice_index(const Matrix& generators) {
  TAILOR_ASSIGN_OR_RETURN(HermiteForm form, hermite_normal_form(generators));
  if (form.pivots.size() < generators.cols()) return std::optional<int64_t>{};
  Checked index = 1;
  for (size_t i = 0; i < form.pivots.size(); ++i) index *= form.h.at(i, form.pivots[i]);
  if (!index.ok()) return overflow_error("lattice index");
  return std::optional<int64_t>(index.value());
}

// x = s A = t B.  In the stacked matrix [[A, A], [B, 0]] the row s·[A, A] - t·[B, 0] = [sA - tB, sA]; after Hermite
// reduction the rows whose left half is zero are a basis of { (0, sA) : sA = tB }.
Expected<Matrix> lattice_intersection(const Matrix& a, const Matrix& b) {
  if (a.cols() != b.cols()) {
    return invalid_argument(fmt::format("lattices in Z^{} and Z^{}: the dimensions must agree", a.cols(), b.cols()));
  }
  size_t n = a.cols();
  Matrix stacked(a.rows() + b.rows(), 2 * n);
  for (size_t r = 0; r < a.rows(); ++r) {
    for (size_t c = 0; c < n; ++c) stacked.at(r, c) = stacked.at(r, n + c) = a.at(r, c);
  }
  for (size_t r = 0; r < b.rows(); ++r) {
    for (size_t c = 0; c < n; ++c) stacked.at(a.rows() + r, c) = b.at(r, c);
  }
  TAILOR_ASSIGN_OR_RETURN(HermiteForm form, hermite_normal_form(stacked));
  size_t first = 0;
  while (first < form.pivots.size() && form.pivots[first] < n) ++first;
  Matrix basis(form.pivots.size() - first, n);
  for (size_t r = 0; r < basis.rows(); ++r) {
    for (size_t c = 0; c < n; ++c) basis.at(r, c) = form.h.at(first + r, n + c);
  }
  return basis;
}

}  // namespace tailor::codegen::integer
