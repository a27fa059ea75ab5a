#include "runtime/cli/serve/batcher.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>

namespace tailor::cli {

Batcher::Batcher(Trace trace, const BatcherOptions& options)
    : trace_(std::move(trace)),
      options_(options),
      table_(static_cast<size_t>(options.max_batch) * static_cast<size_t>(options.max_pages), kNoPage),
      free_pages_(static_cast<size_t>(options.pool_pages)),
      free_rows_(static_cast<size_t>(options.max_batch)) {
  std::iota(free_pages_.begin(), free_pages_.end(), 0);
  std::mt19937_64 engine(options.seed);
  for (size_t i = free_pages_.size(); i > 1; --i) std::swap(free_pages_[i - 1], free_pages_[engine() % i]);
  std::iota(free_rows_.rbegin(), free_rows_.rend(), 0);
  const int64_t most_tokens = int64_t{std::min(options.pool_pages, options.max_pages)} * options.page_size;
  for (size_t i = 0; i < trace_.size(); ++i) {
    if (trace_[i].tokens() > most_tokens) {
      ++refused_;
    } else {
      waiting_.push_back(static_cast<int64_t>(i));
    }
  }
}

int64_t Batcher::pages_for(int64_t tokens) const { return (tokens + options_.page_size - 1) / options_.page_size; }

// Free pages that the contexts of running sequences will still take.
int64_t Batcher::pages_owed() const {
  int64_t owed = 0;
  for (const Sequence& sequence : running_) {
    const int64_t context = trace_[static_cast<size_t>(sequence.request)].context_tokens;
    owed += std::max<int64_t>(0, pages_for(context) - std::ssize(sequence.pages));
  }
  return owed;
}

void Batcher::release(Sequence& sequence) {
  free_pages_.insert(free_pages_.end(), sequence.pages.begin(), sequence.pages.end());
  const auto row = table_.begin() + int64_t{sequence.row} * options_.max_pages;
  std::fill(row, row + std::ssize(sequence.pages), kNoPage);
  free_rows_.push_back(sequence.row);
  sequence.pages.clear();
}

void Batcher::retire_complete() {
  const auto complete = [&](Sequence& sequence) {
    if (sequence.length < trace_[static_cast<size_t>(sequence.request)].tokens()) return false;
    release(sequence);
    ++finished_;
    return true;
  };
  running_.erase(std::remove_if(running_.begin(), running_.end(), complete), running_.end());
}

void Batcher::admit_arrived() {
  while (!waiting_.empty()) {
    const TraceRequest& request = trace_[static_cast<size_t>(waiting_.front())];
    if (request.arrival_us > now_us_) {
      if (!running_.empty()) return;
      now_us_ = request.arrival_us;
    }
    if (request.tokens() == 0) {
      ++finished_;
      waiting_.pop_front();
      continue;
    }
    if (free_rows_.empty() || pages_owed() + pages_for(request.context_tokens) > std::ssize(free_pages_)) return;
    Sequence sequence;
    sequence.request = waiting_.front();
    sequence.stream = next_stream_++;
    sequence.row = free_rows_.back();
    free_rows_.pop_back();
    waiting_.pop_front();
    running_.push_back(std::move(sequence));
  }
}

// Takes pages until `length` tokens fit; false, with what was free taken, when the pool is empty.
bool Batcher::grow(Sequence& sequence, int64_t length) {
  while (std::ssize(sequence.pages) < pages_for(length)) {
    if (free_pages_.empty()) return false;
    table_[static_cast<size_t>(int64_t{sequence.row} * options_.max_pages) + sequence.pages.size()] =
        free_pages_.back();
    sequence.pages.push_back(free_pages_.back());
    free_pages_.pop_back();
  }
  return true;
}

// Drops younger sequences until running_[index] has its pages. False when only older ones are left to drop: then
// running_[index] itself is gone.
bool Batcher::grow_or_preempt(size_t& index, int64_t length) {
  while (!grow(running_[index], length)) {
    Sequence& victim = running_.back();
    release(victim);
    waiting_.push_front(victim.request);
    ++preemptions_;
    running_.pop_back();
    if (index == running_.size()) return false;
  }
  return true;
}

std::optional<std::vector<Segment>> Batcher::next() {
  retire_complete();
  admit_arrived();
  if (running_.empty()) return std::nullopt;
  std::vector<Segment> segments;
  int64_t budget = options_.token_budget;
  // Decoding first, as engines do: a sequence that has its context waits for nobody's prefill.
  for (const bool decoding : {true, false}) {
    for (size_t i = 0; i < running_.size() && budget > 0; ++i) {
      const int64_t context = trace_[static_cast<size_t>(running_[i].request)].context_tokens;
      const int64_t length = running_[i].length;
      const bool decoded = std::any_of(segments.begin(), segments.end(),
                                       [&](const Segment& segment) { return segment.stream == running_[i].stream; });
      if (decoded || (length >= context) != decoding) continue;
      const int64_t count = decoding ? 1 : std::min(context - length, budget);
      if (!grow_or_preempt(i, length + count)) break;
      segments.push_back({running_[i].row, running_[i].stream, length, count});
      running_[i].length += count;
      budget -= count;
    }
  }
  // A sequence dropped for an older one may have had its segment planned already.
  std::erase_if(segments, [&](const Segment& segment) {
    return std::none_of(running_.begin(), running_.end(),
                        [&](const Sequence& sequence) { return sequence.stream == segment.stream; });
  });
  now_us_ += options_.step_us;
  return segments;
}

}  // namespace tailor::cli
