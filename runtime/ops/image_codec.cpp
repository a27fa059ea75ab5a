#include "runtime/ops/image_codec.h"

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include <fmt/format.h>

#include "runtime/ops/schema.h"

namespace tailor {
namespace {

constexpr std::string_view kMagic = "TIMG";

class Writer {
 public:
  template <class T>
  void number(T value) {
    auto bits = static_cast<std::make_unsigned_t<T>>(value);
    for (size_t i = 0; i < sizeof(T); ++i) bytes_ += static_cast<char>(static_cast<uint64_t>(bits) >> (8 * i) & 0xff);
  }
  void raw(std::string_view text) { bytes_ += text; }
  void text(std::string_view text) {
    text = text.substr(0, UINT16_MAX);
    number(static_cast<uint16_t>(text.size()));
    bytes_ += text;
  }
  void expression(const PlanExpression& terms) {
    number(static_cast<uint8_t>(terms.size()));
    for (const PlanTerm& term : terms) {
      number(static_cast<uint8_t>(term.op));
      number(term.operand);
    }
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Reads past the end give zeros and set failed(); the caller asks once at the end of each part.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  T number() {
    if (rest_.size() < sizeof(T)) {
      failed_ = true;
      rest_ = {};
      return 0;
    }
    uint64_t bits = 0;
    for (size_t i = 0; i < sizeof(T); ++i) bits |= static_cast<uint64_t>(static_cast<uint8_t>(rest_[i])) << (8 * i);
    rest_.remove_prefix(sizeof(T));
    return static_cast<T>(bits);
  }
  std::string_view raw(size_t size) {
    if (rest_.size() < size) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view part = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return part;
  }
  std::string text() { return std::string(raw(number<uint16_t>())); }
  PlanExpression expression() {
    PlanExpression terms(number<uint8_t>());
    for (PlanTerm& term : terms) {
      term.op = static_cast<PlanOp>(number<uint8_t>());
      term.operand = number<int64_t>();
    }
    return terms;
  }
  // An enumerator whose to_string is known.
  template <class Enum>
  Enum enumerator() {
    const auto value = static_cast<Enum>(number<uint8_t>());
    unknown_ |= to_string(value) == "unknown";
    return value;
  }
  bool failed() const { return failed_; }
  bool unknown() const { return unknown_; }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool failed_ = false, unknown_ = false;
};

bool known(FactKind kind) {
  switch (kind) {
#define X(name, text) case FactKind::name:
    TAILOR_FACT_KINDS(X)
#undef X
    return true;
  }
  return false;
}

}  // namespace

std::string encode_image(const StoredImage& image) {
  Writer w;
  w.raw(kMagic);
  w.number(kImageVersion);
  w.number(static_cast<uint8_t>(image.op));
  w.number(static_cast<uint8_t>(image.arch));
  w.number(static_cast<uint8_t>(image.emitter));
  w.text(image.entry);
  w.number(static_cast<uint16_t>(image.premises.size()));
  for (const Fact& fact : image.premises) {
    w.number(fact.symbol);
    w.number(static_cast<uint8_t>(fact.kind));
    w.number(fact.a);
    w.number(fact.b);
  }
  for (const PlanExpression& g : image.plan.grid) w.expression(g);
  for (uint32_t b : image.plan.block) w.number(b);
  w.number(image.plan.dynamic_shared_bytes);
  w.number(static_cast<uint8_t>(image.plan.parameters.size()));
  for (const PlanParameter& p : image.plan.parameters) {
    w.number(p.offset);
    w.number(p.width);
    w.expression(p.value);
  }
  w.text(image.cubin_missing);
  w.text(image.unproved);
  return w.take();
}

Expected<StoredImage> decode_image(std::string_view bytes) {
  const auto corrupt = [](std::string rule) { return corruption("image metadata: " + std::move(rule)); };
  Reader r(bytes);
  if (r.raw(kMagic.size()) != kMagic) return corrupt("it does not begin with TIMG");
  if (const auto version = r.number<uint16_t>(); version != kImageVersion) {
    return corrupt(fmt::format("version is {}; it must be {}", version, kImageVersion));
  }
  StoredImage image;
  image.op = r.enumerator<OpId>();
  image.arch = r.enumerator<Arch>();
  image.emitter = r.enumerator<Emitter>();
  if (r.unknown()) return corrupt("operation, architecture or emitter is unknown");
  image.entry = r.text();
  if (image.entry != entry_symbol(image.op)) {
    return corrupt(fmt::format("the entry is not {}, that of its operation", entry_symbol(image.op)));
  }
  const auto symbol_count = static_cast<int>(symbols_of(image.op).size());
  const auto premise_count = r.number<uint16_t>();
  for (int i = 0; i < premise_count && !r.failed(); ++i) {
    Fact fact;
    fact.symbol = r.number<uint16_t>();
    fact.kind = static_cast<FactKind>(r.number<uint8_t>());
    fact.a = r.number<int64_t>();
    fact.b = r.number<int64_t>();
    if (fact.symbol >= symbol_count) {
      return corrupt(fmt::format("premise {} is about symbol {} of {}", i, fact.symbol, symbol_count));
    }
    if (!known(fact.kind)) return corrupt(fmt::format("premise {} is of an unknown kind", i));
    image.premises.push_back(fact);
  }
  for (PlanExpression& g : image.plan.grid) g = r.expression();
  for (uint32_t& b : image.plan.block) b = r.number<uint32_t>();
  image.plan.dynamic_shared_bytes = r.number<uint32_t>();
  image.plan.parameters.resize(r.number<uint8_t>());
  for (PlanParameter& p : image.plan.parameters) {
    p.offset = r.number<uint16_t>();
    p.width = r.number<uint8_t>();
    p.value = r.expression();
  }
  image.cubin_missing = r.text();
  image.unproved = r.text();
  if (r.failed()) return corrupt(fmt::format("it ends after {} bytes, inside a field", bytes.size()));
  if (!r.at_end()) return corrupt("bytes follow its end");
  if (const Status plan = validate(image.plan, symbol_count); !plan.ok()) return corrupt(plan.message());
  return image;
}

}  // namespace tailor
