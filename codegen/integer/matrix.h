// Matrices over Z with checked arithmetic.
//
// Worked example: A = {{2, 4}, {6, 8}} maps x = (1, -1) to A x = (-2, -2); det A = -8, so the lattice that its columns
// generate has index 8 in Z^2.
//
// Ownership: value type, row-major. Threads: const access from any thread. Errors: overflow and shape mismatches are
// kInvalidArgument; indexing outside the shape is a bug of the caller.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "tailor/status.h"

namespace tailor::codegen::integer {

class Matrix {
 public:
  Matrix() = default;
  Matrix(size_t rows, size_t cols) : rows_(rows), cols_(cols), entries_(rows * cols, 0) {}
  // Rows of equal length.
  Matrix(std::initializer_list<std::initializer_list<int64_t>> rows);
  static Matrix identity(size_t n);
  static Matrix column(const std::vector<int64_t>& entries);

  size_t rows() const { return rows_; }
  size_t cols() const { return cols_; }
  int64_t& at(size_t row, size_t col) { return entries_[row * cols_ + col]; }
  int64_t at(size_t row, size_t col) const { return entries_[row * cols_ + col]; }

  Matrix transposed() const;
  Expected<Matrix> multiply(const Matrix& right) const;                              // (r × c)(c × k)
  Expected<std::vector<int64_t>> multiply(const std::vector<int64_t>& right) const;  // length c -> length r
  Expected<int64_t> determinant() const;                                             // square; fraction-free (Bareiss)

  void swap_rows(size_t a, size_t b);
  void swap_cols(size_t a, size_t b);
  // row[target] += factor * row[source]; false on overflow.
  bool add_row(size_t target, size_t source, int64_t factor);
  bool add_col(size_t target, size_t source, int64_t factor);
  bool negate_row(size_t row);
  bool negate_col(size_t col);

  bool is_zero_row(size_t row) const;
  // "[[2, 4], [6, 8]]"
  std::string to_string() const;
  friend bool operator==(const Matrix&, const Matrix&) = default;

 private:
  size_t rows_ = 0;
  size_t cols_ = 0;
  std::vector<int64_t> entries_;
};

}  // namespace tailor::codegen::integer
