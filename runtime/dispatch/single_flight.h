// One computation per name at a time: the first caller computes, callers that come while it does wait for its answer.
// Nothing is kept afterwards, so that a failure is tried again by the next caller. Threads: any. `compute` must not
// call run() with the same name.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

namespace tailor {

template <class Name, class Value, class Hash = std::hash<Name>>
class SingleFlight {
 public:
  // `compute` is called without a lock held and does not throw. Value is copied to each waiter.
  template <class Compute>
  Value run(const Name& name, Compute&& compute) {
    auto flight = std::make_shared<Flight>();
    {
      std::unique_lock lock(mutex_);
      const auto [it, first] = flights_.try_emplace(name, flight);
      if (!first) {
        flight = it->second;
        flight->landed.wait(lock, [&] { return flight->value.has_value(); });
        return *flight->value;
      }
    }
    Value value = compute();
    {
      const std::lock_guard lock(mutex_);
      flight->value = value;
      flights_.erase(name);
    }
    flight->landed.notify_all();
    return value;
  }

 private:
  struct Flight {
    std::condition_variable landed;
    std::optional<Value> value;
  };
  std::mutex mutex_;
  std::unordered_map<Name, std::shared_ptr<Flight>, Hash> flights_;
};

}  // namespace tailor
