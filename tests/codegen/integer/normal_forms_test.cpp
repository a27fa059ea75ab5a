// Oracles: FLINT's fmpz_mat_hnf and fmpz_mat_snf (arbitrary precision), fmpz_mat_det, and brute force for lattices.
#include "codegen/integer/normal_forms.h"

#include <random>

#include <flint/fmpz.h>
#include <flint/fmpz_mat.h>
#include <gtest/gtest.h>

namespace tailor::codegen::integer {
namespace {

Matrix random_matrix(std::mt19937_64& rng, size_t rows, size_t cols, int64_t span) {
  Matrix m(rows, cols);
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < cols; ++c) {
      // A third zeros, so that rank-deficient and sparse cases occur.
      if (rng() % 3 != 0) m.at(r, c) = static_cast<int64_t>(rng() % static_cast<uint64_t>(2 * span + 1)) - span;
    }
  }
  return m;
}

struct FlintMatrix {
  fmpz_mat_t m;
  explicit FlintMatrix(const Matrix& a) {
    fmpz_mat_init(m, static_cast<slong>(a.rows()), static_cast<slong>(a.cols()));
    for (size_t r = 0; r < a.rows(); ++r) {
      for (size_t c = 0; c < a.cols(); ++c) {
        fmpz_set_si(fmpz_mat_entry(m, static_cast<slong>(r), static_cast<slong>(c)), a.at(r, c));
      }
    }
  }
  ~FlintMatrix() { fmpz_mat_clear(m); }
  FlintMatrix(const FlintMatrix&) = delete;
  FlintMatrix& operator=(const FlintMatrix&) = delete;
};

template <class Call>
Matrix through_flint(const Matrix& a, Call call) {
  FlintMatrix in(a);
  FlintMatrix out(a);
  call(out.m, in.m);
  Matrix result(a.rows(), a.cols());
  for (size_t r = 0; r < a.rows(); ++r) {
    for (size_t c = 0; c < a.cols(); ++c) {
      result.at(r, c) = fmpz_get_si(fmpz_mat_entry(out.m, static_cast<slong>(r), static_cast<slong>(c)));
    }
  }
  return result;
}

TEST(HermiteForm, EqualsFlintAndItsTransformsMultiplyBack) {
  std::mt19937_64 rng(11);
  int computed = 0;
  for (int i = 0; i < 3000; ++i) {
    size_t rows = 1 + rng() % 5;
    size_t cols = 1 + rng() % 5;
    Matrix a = random_matrix(rng, rows, cols, i % 2 == 0 ? 9 : 4096);
    auto form = hermite_normal_form(a);
    if (!form.ok()) {  // large entries may overflow, as a Status; the small ones of layouts never do
      EXPECT_NE(i % 2, 0) << a.to_string();
      continue;
    }
    ++computed;
    ASSERT_TRUE(verify(a, *form).ok()) << a.to_string() << " " << verify(a, *form).to_string();
    EXPECT_EQ(form->h, through_flint(a, fmpz_mat_hnf)) << a.to_string();
  }
  EXPECT_GT(computed, 2700);
}

TEST(SmithForm, EqualsFlintAndItsTransformsMultiplyBack) {
  std::mt19937_64 rng(12);
  int computed = 0;
  for (int i = 0; i < 3000; ++i) {
    size_t rows = 1 + rng() % 5;
    size_t cols = 1 + rng() % 5;
    Matrix a = random_matrix(rng, rows, cols, i % 2 == 0 ? 9 : 512);
    auto form = smith_normal_form(a);
    if (!form.ok()) {
      EXPECT_NE(i % 2, 0) << a.to_string();
      continue;
    }
    ++computed;
    ASSERT_TRUE(verify(a, *form).ok()) << a.to_string() << " " << verify(a, *form).to_string();
    EXPECT_EQ(form->d, through_flint(a, fmpz_mat_snf)) << a.to_string();
    size_t rank = 0;
    while (rank < std::min(rows, cols) && form->d.at(rank, rank) != 0) ++rank;
    EXPECT_EQ(form->factors.size(), rank);
  }
  EXPECT_GT(computed, 2400);
}

TEST(NormalForms, VerifyRefusesATamperedForm) {
  Matrix a{{2, 4, 4}, {-6, 6, 12}, {10, 4, 16}};
  auto hermite = hermite_normal_form(a);
  auto smith = smith_normal_form(a);
  ASSERT_TRUE(hermite.ok() && smith.ok());
  EXPECT_EQ(smith->factors, (std::vector<int64_t>{2, 2, 156}));
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 3; ++j) {
      HermiteForm h = *hermite;
      h.u.at(i, j) += 1;
      EXPECT_EQ(verify(a, h).code(), StatusCode::kVerification);
      SmithForm s = *smith;
      s.v.at(i, j) += 1;
      EXPECT_EQ(verify(a, s).code(), StatusCode::kVerification);
      s = *smith;
      s.u_inverse.at(i, j) -= 1;
      EXPECT_EQ(verify(a, s).code(), StatusCode::kVerification);
    }
  }
  // Not reduced: a form that still satisfies H = U A.
  HermiteForm h = *hermite;
  ASSERT_TRUE(h.h.add_row(0, 1, 1) && h.u.add_row(0, 1, 1) && h.u_inverse.add_col(1, 0, -1));
  EXPECT_EQ(verify(a, h).code(), StatusCode::kVerification);
}

TEST(NormalForms, OverflowIsAStatus) {
  Matrix a{{INT64_MAX, 2}, {INT64_MAX - 1, 3}};
  auto product = a.multiply(a);
  EXPECT_EQ(product.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(a.determinant().ok(), false);
  Matrix extreme{{INT64_MIN, 1}, {1, INT64_MIN}};
  EXPECT_FALSE(extreme.determinant().ok());
  EXPECT_FALSE(smith_normal_form(extreme).ok());
  EXPECT_FALSE((Matrix{{1, 2}}).multiply(Matrix{{1, 2}}).ok());
  EXPECT_FALSE((Matrix{{1, 2}}).determinant().ok());
}

TEST(NormalForms, EmptyAndZeroMatrices) {
  for (auto [rows, cols] : {std::pair<size_t, size_t>{0, 0}, {0, 3}, {3, 0}, {2, 3}}) {
    Matrix zero(rows, cols);
    auto hermite = hermite_normal_form(zero);
    auto smith = smith_normal_form(zero);
    ASSERT_TRUE(hermite.ok() && smith.ok());
    EXPECT_TRUE(verify(zero, *hermite).ok());
    EXPECT_TRUE(verify(zero, *smith).ok());
    EXPECT_TRUE(smith->factors.empty());
  }
}

TEST(Matrix, DeterminantEqualsFlint) {
  std::mt19937_64 rng(13);
  for (int i = 0; i < 2000; ++i) {
    size_t n = 1 + rng() % 5;
    Matrix a = random_matrix(rng, n, n, 100);
    FlintMatrix f(a);
    fmpz_t det;
    fmpz_init(det);
    fmpz_mat_det(det, f.m);
    auto got = a.determinant();
    ASSERT_TRUE(got.ok());
    EXPECT_EQ(*got, fmpz_get_si(det)) << a.to_string();
    fmpz_clear(det);
  }
}

TEST(Solve, FindsASolutionExactlyWhenOneExists) {
  std::mt19937_64 rng(14);
  int solvable = 0;
  int unsolvable = 0;
  for (int i = 0; i < 500; ++i) {
    Matrix a = random_matrix(rng, 2, 2, 4);
    std::vector<int64_t> b{static_cast<int64_t>(rng() % 11) - 5, static_cast<int64_t>(rng() % 11) - 5};
    auto solution = solve(a, b);
    ASSERT_TRUE(solution.ok());
    if (solution->has_value()) {
      ++solvable;
      EXPECT_EQ(*a.multiply(**solution), b);
      continue;
    }
    ++unsolvable;
    for (int64_t x = -60; x <= 60; ++x) {
      for (int64_t y = -60; y <= 60; ++y) EXPECT_NE(*a.multiply(std::vector<int64_t>{x, y}), b) << a.to_string();
    }
  }
  EXPECT_GT(solvable, 50);
  EXPECT_GT(unsolvable, 50);
}

TEST(Lattice, IndexMembershipAndIntersectionAgreeWithEnumeration) {
  std::mt19937_64 rng(15);
  for (int i = 0; i < 200; ++i) {
    Matrix a = random_matrix(rng, 2, 2, 5);
    Matrix b = random_matrix(rng, 2, 2, 5);
    auto both = lattice_intersection(a, b);
    ASSERT_TRUE(both.ok());
    for (int64_t x = -8; x <= 8; ++x) {
      for (int64_t y = -8; y <= 8; ++y) {
        bool in_a = *lattice_contains(a, {x, y});
        bool in_b = *lattice_contains(b, {x, y});
        bool in_both = both->rows() == 0 ? x == 0 && y == 0 : *lattice_contains(*both, {x, y});
        EXPECT_EQ(in_both, in_a && in_b) << a.to_string() << b.to_string() << x << "," << y;
      }
    }
    auto index = lattice_index(a);
    int64_t det = *a.determinant();
    ASSERT_TRUE(index.ok());
    EXPECT_EQ(index->has_value(), det != 0);
    if (det != 0) {
      EXPECT_EQ(**index, std::abs(det));
    }
  }
}

// The rule vector_width.cpp uses: the Hermite form of a column of generators is their gcd.
TEST(Lattice, HermiteFormOfAColumnIsTheGcd) {
  auto form = hermite_normal_form(Matrix::column({1280, 48, -80, 0}));
  ASSERT_TRUE(form.ok());
  EXPECT_EQ(form->h, Matrix::column({16, 0, 0, 0}));
}

}  // namespace
}  // namespace tailor::codegen::integer
