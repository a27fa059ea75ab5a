#include "codegen/integer/matrix.h"

#include <algorithm>

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"

namespace tailor::codegen::integer {

Matrix::Matrix(std::initializer_list<std::initializer_list<int64_t>> rows)
    : Matrix(rows.size(), rows.size() == 0 ? 0 : rows.begin()->size()) {
  size_t r = 0;
  for (const auto& row : rows) {
    std::copy_n(row.begin(), std::min(row.size(), cols_), entries_.begin() + static_cast<ptrdiff_t>(r * cols_));
    ++r;
  }
}

Matrix Matrix::identity(size_t n) {
  Matrix result(n, n);
  for (size_t i = 0; i < n; ++i) result.at(i, i) = 1;
  return result;
}

Matrix Matrix::column(const std::vector<int64_t>& entries) {
  Matrix result(entries.size(), 1);
  result.entries_ = entries;
  return result;
}

Matrix Matrix::transposed() const {
  Matrix result(cols_, rows_);
  for (size_t r = 0; r < rows_; ++r) {
    for (size_t c = 0; c < cols_; ++c) result.at(c, r) = at(r, c);
  }
  return result;
}

Expected<Matrix> Matrix::multiply(const Matrix& right) const {
  if (cols_ != right.rows_) {
    return invalid_argument(fmt::format("matrix product of {}x{} by {}x{}: inner sizes must agree", rows_, cols_,
                                        right.rows_, right.cols_));
  }
  Matrix result(rows_, right.cols_);
  for (size_t r = 0; r < rows_; ++r) {
    for (size_t c = 0; c < right.cols_; ++c) {
      __int128 sum = 0;  // products of unimodular inverses cancel to small numbers; only the sum must fit
      bool overflow = false;
      for (size_t k = 0; k < cols_; ++k) {
        overflow = overflow || __builtin_add_overflow(sum, static_cast<__int128>(at(r, k)) * right.at(k, c), &sum);
      }
      if (overflow || sum > INT64_MAX || sum < INT64_MIN) return overflow_error("matrix product");
      result.at(r, c) = static_cast<int64_t>(sum);
    }
  }
  return result;
}

Expected<std::vector<int64_t>> Matrix::multiply(const std::vector<int64_t>& right) const {
  TAILOR_ASSIGN_OR_RETURN(Matrix product, multiply(column(right)));
  return std::move(product.entries_);
}

// Bareiss: after step k every entry is a (k+1)x(k+1) minor of the original, so divisions are exact and intermediate
// products fit 128 bits whenever the minors fit 64.
Expected<int64_t> Matrix::determinant() const {
  if (rows_ != cols_)
    return invalid_argument(fmt::format("determinant of a {}x{} matrix; it must be square", rows_, cols_));
  if (rows_ == 0) return int64_t{1};
  Matrix m = *this;
  int64_t previous_pivot = 1;
  bool negative = false;
  for (size_t k = 0; k + 1 < rows_; ++k) {
    size_t pivot = k;
    while (pivot < rows_ && m.at(pivot, k) == 0) ++pivot;
    if (pivot == rows_) return int64_t{0};
    if (pivot != k) {
      m.swap_rows(pivot, k);
      negative = !negative;
    }
    for (size_t r = k + 1; r < rows_; ++r) {
      for (size_t c = k + 1; c < cols_; ++c) {
        __int128 minor = 0;
        __int128 left = static_cast<__int128>(m.at(r, c)) * m.at(k, k);
        __int128 right = static_cast<__int128>(m.at(r, k)) * m.at(k, c);
        if (__builtin_sub_overflow(left, right, &minor)) return overflow_error("determinant");
        minor /= previous_pivot;
        if (minor > INT64_MAX || minor < INT64_MIN) return overflow_error("determinant");
        m.at(r, c) = static_cast<int64_t>(minor);
      }
    }
    previous_pivot = m.at(k, k);
  }
  int64_t result = m.at(rows_ - 1, cols_ - 1);
  if (negative && result == INT64_MIN) return overflow_error("determinant");
  return negative ? -result : result;
}

void Matrix::swap_rows(size_t a, size_t b) {
  for (size_t c = 0; c < cols_; ++c) std::swap(at(a, c), at(b, c));
}

void Matrix::swap_cols(size_t a, size_t b) {
  for (size_t r = 0; r < rows_; ++r) std::swap(at(r, a), at(r, b));
}

bool Matrix::add_row(size_t target, size_t source, int64_t factor) {
  for (size_t c = 0; c < cols_; ++c) {
    Checked sum = Checked(at(target, c)) + Checked(at(source, c)) * factor;
    if (!sum.ok()) return false;
    at(target, c) = sum.value();
  }
  return true;
}

bool Matrix::add_col(size_t target, size_t source, int64_t factor) {
  for (size_t r = 0; r < rows_; ++r) {
    Checked sum = Checked(at(r, target)) + Checked(at(r, source)) * factor;
    if (!sum.ok()) return false;
    at(r, target) = sum.value();
  }
  return true;
}

bool Matrix::negate_row(size_t row) {
  for (size_t c = 0; c < cols_; ++c) {
    if (at(row, c) == INT64_MIN) return false;
    at(row, c) = -at(row, c);
  }
  return true;
}

bool Matrix::negate_col(size_t col) {
  for (size_t r = 0; r < rows_; ++r) {
    if (at(r, col) == INT64_MIN) return false;
    at(r, col) = -at(r, col);
  }
  return true;
}

bool Matrix::is_zero_row(size_t row) const {
  for (size_t c = 0; c < cols_; ++c) {
    if (at(row, c) != 0) return false;
  }
  return true;
}

std::string Matrix::to_string() const {
  std::string text = "[";
  for (size_t r = 0; r < rows_; ++r) {
    text += r == 0 ? "[" : ", [";
    for (size_t c = 0; c < cols_; ++c) text += (c == 0 ? "" : ", ") + fmt::to_string(at(r, c));
    text += "]";
  }
  return text + "]";
}

}  // namespace tailor::codegen::integer
