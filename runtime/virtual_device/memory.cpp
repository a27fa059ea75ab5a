#include "runtime/virtual_device/memory.h"

#include <cstdlib>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <sys/mman.h>

namespace tailor::virtual_device {
namespace {

constexpr uint64_t kAlignment = 512;
constexpr uint64_t kRedZone = 512;
constexpr size_t kFreedKept = 1024;

uint64_t round_up(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }

// Zeroed, lazily backed; nullptr on failure.
uint8_t* map_pages(uint64_t bytes) {
  void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return pages == MAP_FAILED ? nullptr : static_cast<uint8_t*>(pages);
}

}  // namespace

DeviceMemory::~DeviceMemory() {
  for (auto& [begin, allocation] : live_) release(allocation);
}

void DeviceMemory::release(Allocation& allocation) {
  if (allocation.owned) {
    munmap(allocation.host, allocation.bytes);
    in_use_ -= allocation.bytes;
  }
  if (allocation.valid) munmap(allocation.valid, allocation.bytes);
  allocation.host = allocation.valid = nullptr;
}

const Allocation* DeviceMemory::allocate(uint64_t bytes, std::string name, bool track_valid) {
  if (bytes == 0 || bytes > kParameterBase - next_ - 2 * kRedZone) return nullptr;
  Allocation allocation;
  allocation.host = map_pages(bytes);
  if (!allocation.host) return nullptr;
  if (track_valid && !(allocation.valid = map_pages(bytes))) {
    munmap(allocation.host, bytes);
    return nullptr;
  }
  allocation.begin = next_ + kRedZone;
  allocation.bytes = bytes;
  allocation.name = name.empty() ? fmt::format("allocation {}", ++count_) : std::move(name);
  next_ = round_up(allocation.end(), kAlignment);
  in_use_ += bytes;
  return &(live_[allocation.begin] = std::move(allocation));
}

void DeviceMemory::mark_module_variable(uint64_t begin, bool read_only) {
  if (auto found = live_.find(begin); found != live_.end()) {
    found->second.module_variable = true;
    found->second.read_only = read_only;
  }
}

const Allocation* DeviceMemory::add_host(void* pointer, uint64_t bytes) {
  Allocation allocation;
  allocation.begin = reinterpret_cast<uint64_t>(pointer);
  allocation.bytes = bytes;
  allocation.host = static_cast<uint8_t*>(pointer);
  allocation.owned = false;
  allocation.name = fmt::format("host allocation {}", ++count_);
  return &(live_[allocation.begin] = std::move(allocation));
}

const Allocation* DeviceMemory::register_host(void* pointer, uint64_t bytes, bool read_only) {
  const auto begin = reinterpret_cast<uint64_t>(pointer);
  const auto after = live_.lower_bound(begin + bytes);
  if (after != live_.begin() && std::prev(after)->second.end() > begin) return nullptr;
  Allocation allocation;
  allocation.begin = begin;
  allocation.bytes = bytes;
  allocation.host = static_cast<uint8_t*>(pointer);
  allocation.owned = false;
  allocation.registered = true;
  allocation.read_only = read_only;
  allocation.name = "registered host memory";
  return &(live_[begin] = std::move(allocation));
}

void DeviceMemory::map_at(uint64_t address, uint8_t* host, uint64_t bytes, std::string name) {
  Allocation allocation;
  allocation.begin = address;
  allocation.bytes = bytes;
  allocation.host = host;
  allocation.owned = false;
  allocation.read_only = true;
  allocation.name = std::move(name);
  live_[address] = std::move(allocation);
}

bool DeviceMemory::remove(uint64_t begin) {
  const auto found = live_.find(begin);
  if (found == live_.end()) return false;
  Allocation allocation = std::move(found->second);
  live_.erase(found);
  const bool owned = allocation.owned;
  release(allocation);
  if (owned) {
    freed_[begin] = std::move(allocation);
    if (freed_.size() > kFreedKept) freed_.erase(freed_.begin());
  }
  return true;
}

const Allocation* DeviceMemory::find(uint64_t address) const {
  auto after = live_.upper_bound(address);
  if (after == live_.begin()) return nullptr;
  const Allocation& allocation = std::prev(after)->second;
  return address < allocation.end() ? &allocation : nullptr;
}

bool DeviceMemory::was_freed(uint64_t address) const {
  auto after = freed_.upper_bound(address);
  return after != freed_.begin() && address < std::prev(after)->second.end();
}

std::string DeviceMemory::describe(uint64_t address, uint64_t bytes) const {
  const auto range = [](const Allocation& a) {
    return fmt::format("{} [{:#x}, {:#x}) of {} bytes", a.name, a.begin, a.end(), a.bytes);
  };
  if (const Allocation* holder = find(address)) {
    const uint64_t over = address + bytes > holder->end() ? address + bytes - holder->end() : 0;
    if (over != 0) return fmt::format("passes the end of {} by {} bytes", range(*holder), over);
    return fmt::format("is in {}", range(*holder));
  }
  if (was_freed(address))
    return fmt::format("is in {}, which was freed", range(std::prev(freed_.upper_bound(address))->second));
  const auto after = live_.upper_bound(address);
  const Allocation* below = after == live_.begin() ? nullptr : &std::prev(after)->second;
  const Allocation* above = after == live_.end() ? nullptr : &after->second;
  if (below && (!above || address - below->end() <= above->begin - address)) {
    return fmt::format("is {} bytes past the end of {}", address - below->end(), range(*below));
  }
  if (above) return fmt::format("is {} bytes before {}", above->begin - address, range(*above));
  return "is in no allocation; there are none";
}

void DeviceMemory::mark_valid(uint64_t address, uint64_t bytes) {
  const Allocation* allocation = find(address);
  if (allocation && allocation->valid && bytes <= allocation->end() - address) {
    std::memset(allocation->valid + (address - allocation->begin), 1, bytes);
  }
}

bool find_allocation(DeviceMemory& memory, uint64_t address, uint32_t bytes, SiteCache& cache) {
  const Allocation* allocation = memory.find(address);
  if (!allocation || bytes > allocation->end() - address) return false;
  cache.begin = allocation->begin;
  cache.end = allocation->end();
  cache.bias = reinterpret_cast<uint64_t>(allocation->host) - allocation->begin;
  cache.valid_bias = reinterpret_cast<uint64_t>(allocation->valid) - allocation->begin;
  cache.tracked = allocation->valid != nullptr;
  cache.read_only = allocation->read_only;
  return true;
}

}  // namespace tailor::virtual_device
