// A serving trace: who asks when, with how many tokens. One CSV form, the one of the Azure LLM inference traces:
//
//   TIMESTAMP,ContextTokens,GeneratedTokens
//   2023-11-16 18:15:46.6805900,374,44
//
// Strict on purpose, so that a damaged trace is never replayed as another one: exactly these three columns, no quotes,
// no blank line but a last one, timestamps that do not decrease. Lines may end in CRLF; the last may lack its end.
// Errors: kInvalidArgument "<name>:<line>: <column> is '<value>'; <rule>"; kIo or kNotFound for the file itself.
// Thread-safety: plain functions and values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tailor/status.h"

namespace tailor::cli {

struct TraceRequest {
  int64_t arrival_us = 0;  // microseconds since the first request of the trace
  int32_t context_tokens = 0;
  int32_t generated_tokens = 0;

  int64_t tokens() const { return int64_t{context_tokens} + generated_tokens; }
};

using Trace = std::vector<TraceRequest>;  // in order of arrival, never empty

// Tokens of one column of one request; above it the value is taken for damage.
inline constexpr int32_t kMaxTraceTokens = 1 << 24;

// `name` is what messages call the text.
Expected<Trace> parse_trace(std::string_view text, std::string_view name);
Expected<Trace> load_trace(const std::string& path);

}  // namespace tailor::cli
