// Errors as values: Status and Expected<T>.
//
// Every public function that can fail returns one of these; no exception crosses the library boundary. A message names
// the thing, its value and the rule it broke, e.g. "block_table.shape[0] is 7; it must equal seq_lens.shape[0] (8)".
// Thread-safety: value types; const access from any thread.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace tailor {

// code, printed name, meaning.
#define TAILOR_STATUS_CODES(X)                                                          \
  X(kOk, "ok", "success")                                                               \
  X(kInvalidArgument, "invalid_argument", "the caller's input breaks a stated rule")    \
  X(kUnsupported, "unsupported", "valid, but this build or device cannot do it")        \
  X(kUnavailable, "unavailable", "an optional part (driver, NVRTC, …) is missing")      \
  X(kNotFound, "not_found", "the thing asked for does not exist")                       \
  X(kIo, "io", "the operating system refused a file operation")                         \
  X(kCorruption, "corruption", "stored bytes do not match their checksum or grammar")   \
  X(kDriver, "driver", "a CUDA driver call failed, or the device trapped a bad access") \
  X(kCompiler, "compiler", "LLVM, NVRTC or nvJitLink rejected what was emitted")        \
  X(kVerification, "verification", "produced bytes differ from the reference")          \
  X(kInternal, "internal", "a bug in Tailor")

enum class StatusCode : uint8_t {
#define X(name, text, meaning) name,
  TAILOR_STATUS_CODES(X)
#undef X
};

constexpr std::string_view to_string(StatusCode code) {
  switch (code) {
#define X(name, text, meaning) \
  case StatusCode::name:       \
    return text;
    TAILOR_STATUS_CODES(X)
#undef X
  }
  return "unknown";
}

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }
  // "corruption: objects/ab…: checksum mismatch"
  std::string to_string() const {
    return ok() ? std::string("ok") : std::string(tailor::to_string(code_)) + ": " + message_;
  }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status invalid_argument(std::string m) { return {StatusCode::kInvalidArgument, std::move(m)}; }
inline Status unsupported(std::string m) { return {StatusCode::kUnsupported, std::move(m)}; }
inline Status unavailable(std::string m) { return {StatusCode::kUnavailable, std::move(m)}; }
inline Status not_found(std::string m) { return {StatusCode::kNotFound, std::move(m)}; }
inline Status io_error(std::string m) { return {StatusCode::kIo, std::move(m)}; }
inline Status corruption(std::string m) { return {StatusCode::kCorruption, std::move(m)}; }
inline Status driver_error(std::string m) { return {StatusCode::kDriver, std::move(m)}; }
inline Status compiler_error(std::string m) { return {StatusCode::kCompiler, std::move(m)}; }
inline Status verification_error(std::string m) { return {StatusCode::kVerification, std::move(m)}; }
inline Status internal_error(std::string m) { return {StatusCode::kInternal, std::move(m)}; }

// Either a T or a Status that is not ok. Reading the value of a failed Expected is a bug of ours and aborts.
template <class T>
class [[nodiscard]] Expected {
 public:
  Expected(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Expected(Status status) : state_(std::in_place_index<1>, std::move(status)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  Status status() const { return ok() ? Status() : std::get<1>(state_); }
  T& value() & { return ok() ? *std::get_if<0>(&state_) : (std::abort(), *std::get_if<0>(&state_)); }
  const T& value() const& { return ok() ? *std::get_if<0>(&state_) : (std::abort(), *std::get_if<0>(&state_)); }
  T&& value() && { return std::move(value()); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(value()); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<T, Status> state_;
};

// Return the Status of a failed expression to the caller.
#define TAILOR_RETURN_IF_ERROR(expression)                                                           \
  do {                                                                                               \
    if (::tailor::Status tailor_status_ = (expression); !tailor_status_.ok()) return tailor_status_; \
  } while (0)

#define TAILOR_CONCAT_(a, b) a##b
#define TAILOR_CONCAT(a, b) TAILOR_CONCAT_(a, b)
// TAILOR_ASSIGN_OR_RETURN(auto x, f()): x = value of f(), or return its Status.
#define TAILOR_ASSIGN_OR_RETURN(declaration, expression) \
  TAILOR_ASSIGN_OR_RETURN_(TAILOR_CONCAT(tailor_expected_, __LINE__), declaration, expression)
#define TAILOR_ASSIGN_OR_RETURN_(temporary, declaration, expression) \
  auto temporary = (expression);                                     \
  if (!temporary.ok()) return temporary.status();                    \
  declaration = std::move(temporary).value()

}  // namespace tailor
