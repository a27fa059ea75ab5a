#include "tests/runtime/operations/operand.h"

#include <cstring>

#include <fmt/format.h>
#include <sys/mman.h>

#include "runtime/driver/cuda_api.h"
#include "tests/runtime/operations/formats.h"

namespace tailor::truth {
namespace {

constexpr size_t kPage = 4096, kSparse = size_t{64} << 20;

}  // namespace

Operand::Operand(std::string name, const Tensor& view, bool written, uint64_t seed)
    : name_(std::move(name)), view_(view), element_bytes_(element_bytes(view.dtype)), written_(written) {
  int64_t low = 0, high = 0;  // bytes from element [0, …, 0] to the first and behind the last
  for (int d = 0; d < view.rank; ++d) {
    size_ *= view.shape[d];
    if (view.shape[d] <= 1) continue;
    const int64_t reach = (view.shape[d] - 1) * view.stride[d] * element_bytes_;
    (reach < 0 ? low : high) += reach;
  }
  high = size_ == 0 ? 0 : high + element_bytes_;
  low = size_ == 0 ? 0 : low;
  const auto bytes = static_cast<size_t>(high - low);
  sparse_ = bytes >= kSparse;
  mapped_ = (bytes / kPage + 4) * kPage;
  void* pages = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED) return;  // attach() says so
  mapping_ = static_cast<uint8_t*>(pages);
  // Element [0, …, 0] is as far from a multiple of 512 as it was; before the first there is a guard.
  const uint64_t least = reinterpret_cast<uint64_t>(mapping_) + kPage / 2 + static_cast<uint64_t>(-low);
  view_.address = least + (view.address - least) % 512;
  first_ = reinterpret_cast<uint8_t*>(view_.address) + low;
  last_ = reinterpret_cast<uint8_t*>(view_.address) + high;
  std::mt19937_64 random(seed);
  if (sparse_) {
    for (int64_t i = 0; i < size_; ++i) set_bits(i, random());
  } else {
    for (size_t at = 0; at < mapped_; at += 8) {
      const uint64_t word = random();
      std::memcpy(mapping_ + at, &word, 8);
    }
  }
}

Operand::~Operand() {
  if (mapping_) munmap(mapping_, mapped_);
}

uint8_t* Operand::place(int64_t element) const {
  int64_t offset = 0;
  for (int d = view_.rank; d-- > 0;) {
    offset += element % view_.shape[d] * view_.stride[d];
    element /= view_.shape[d];
  }
  return reinterpret_cast<uint8_t*>(view_.address) + offset * element_bytes_;
}

uint64_t Operand::bits(int64_t element) const {
  uint64_t bits = 0;
  std::memcpy(&bits, place(element), static_cast<size_t>(element_bytes_));
  return bits;
}

void Operand::set_bits(int64_t element, uint64_t bits) {
  std::memcpy(place(element), &bits, static_cast<size_t>(element_bytes_));
}

int64_t Operand::number(int64_t element) const {
  const uint64_t value = bits(element);
  return element_bytes_ == 4 ? static_cast<int32_t>(value) : static_cast<int64_t>(value);
}

void Operand::settle() {
  original_.resize(static_cast<size_t>(size_));
  for (int64_t i = 0; i < size_; ++i) original_[static_cast<size_t>(i)] = bits(i);
  expected_ = original_;
  nan_.assign(static_cast<size_t>(size_), false);
  may_be_nan_ = nan_;
  if (!sparse_) before_.assign(mapping_, mapping_ + mapped_);
}

void Operand::expect_nan(int64_t element) { nan_[static_cast<size_t>(element)] = true; }

Status Operand::attach(const DriverTable& driver) {
  if (!mapping_) return unavailable(fmt::format("{}: {} bytes of address space were refused", name_, mapped_));
  if (first_ == last_) return {};
  const Status status = check(
      driver,
      driver.cuMemHostRegister(first_, static_cast<size_t>(last_ - first_), written_ ? 0 : cu::kHostRegisterReadOnly),
      name_);
  attached_ = status.ok();
  return status;
}

void Operand::detach(const DriverTable& driver) {
  if (attached_) driver.cuMemHostUnregister(first_);
  attached_ = false;
}

bool Operand::accepted(int64_t element, uint64_t actual) const {
  const auto at = static_cast<size_t>(element);
  if ((nan_[at] || may_be_nan_[at]) && is_nan(view_.dtype, actual)) return true;
  const auto [begin, end] = alternatives_.equal_range(element);
  for (auto it = begin; it != end; ++it) {
    if (it->second == actual) return true;
  }
  return actual == expected(element) && !nan_[at];
}

std::string Operand::difference() {
  for (int64_t i = 0; i < size_; ++i) {
    const uint64_t actual = bits(i);
    if (accepted(i, actual)) continue;
    std::string index;
    for (int64_t rest = i, d = view_.rank; d-- > 0; rest /= view_.shape[d]) {
      index = fmt::format("{}{}{}", rest % view_.shape[d], index.empty() ? "" : ", ", index);
    }
    return fmt::format("{}[{}] is {:#x}; it must be {}; it was {:#x}", name_, index, actual,
                       nan_[static_cast<size_t>(i)] ? "a NaN" : fmt::format("{:#x}", expected(i)),
                       original_[static_cast<size_t>(i)]);
  }
  if (sparse_) return {};
  for (int64_t i = 0; i < size_; ++i) set_bits(i, original_[static_cast<size_t>(i)]);
  for (size_t at = 0; at < mapped_; ++at) {
    if (mapping_[at] == before_[at]) continue;
    return fmt::format("{}: the byte {} from its first element was written", name_,
                       mapping_ + at - reinterpret_cast<uint8_t*>(view_.address));
  }
  return {};
}

}  // namespace tailor::truth
