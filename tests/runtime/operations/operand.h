// An operand in host memory of its own, and what must stand in it after a launch.
//
// The memory is seen by kernels of the virtual device only from the operand's first byte to its last, read-only if the
// operation does not write it; bytes around it and between its elements must be as they were. Elements are numbered in
// row-major order of the indices, whatever the strides. An operand of 64 MiB or more is sparse: only its elements are
// ever touched, and compared. Ownership: the mapping goes with the object. Threads: one.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "runtime/driver/driver.h"
#include "tailor/status.h"
#include "tailor/types.h"

namespace tailor::truth {

class Operand {
 public:
  // Takes shape and strides of `view`, and of its address what is below 512. The bytes are random.
  Operand(std::string name, const Tensor& view, bool written, uint64_t seed);
  ~Operand();
  Operand(const Operand&) = delete;
  Operand& operator=(const Operand&) = delete;

  const std::string& name() const { return name_; }
  const Tensor& view() const { return view_; }
  int64_t extent(int dim) const { return view_.shape[dim]; }
  int64_t size() const { return size_; }
  bool sparse() const { return sparse_; }

  uint64_t bits(int64_t element) const;
  void set_bits(int64_t element, uint64_t bits);
  // An integer element, sign extended.
  int64_t number(int64_t element) const;

  // What is there now is expected afterwards, until something else is.
  void settle();
  uint64_t expected(int64_t element) const { return expected_[static_cast<size_t>(element)]; }
  void expect(int64_t element, uint64_t bits) { expected_[static_cast<size_t>(element)] = bits; }
  // Any NaN of the operand's type.
  void expect_nan(int64_t element);
  // One more value that the element may have.
  void allow(int64_t element, uint64_t bits) { alternatives_.emplace(element, bits); }
  void allow_nan(int64_t element) { may_be_nan_[static_cast<size_t>(element)] = true; }

  Status attach(const DriverTable& driver);
  void detach(const DriverTable& driver);

  // Empty if everything is as expected, else the first element that is not, or byte beside the elements. Destroys what
  // it compares.
  std::string difference();

 private:
  uint8_t* place(int64_t element) const;
  bool accepted(int64_t element, uint64_t actual) const;

  std::string name_;
  Tensor view_;
  int element_bytes_;
  bool written_, sparse_ = false, attached_ = false;
  int64_t size_ = 1;
  uint8_t* mapping_ = nullptr;
  size_t mapped_ = 0;
  uint8_t *first_ = nullptr, *last_ = nullptr;  // of the elements
  std::vector<uint8_t> before_;                 // the mapping; empty if sparse
  std::vector<uint64_t> original_, expected_;
  std::multimap<int64_t, uint64_t> alternatives_;
  std::vector<bool> nan_, may_be_nan_;
};

}  // namespace tailor::truth
