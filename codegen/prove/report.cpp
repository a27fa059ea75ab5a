// A proof as JSON.
#include <fmt/format.h>

#include "codegen/prove/prove.h"

namespace tailor::codegen::prove {
namespace {

std::string quoted(std::string_view s) {
  std::string result = "\"";
  for (char c : s) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      result += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      result += c;
    }
  }
  return result + "\"";
}

}  // namespace

std::string to_json(const Proof& proof) {
  std::string text = "[";
  for (const Obligation& o : proof.obligations) {
    text += fmt::format(
        "{}\n  {{\"claim\": {}, \"verdict\": {}, \"access\": {}, \"operand\": {}, \"what\": {}, \"statement\": {}, "
        "\"method\": {}, \"counterexample\": {}}}",
        text.size() > 1 ? "," : "", quoted(to_string(o.claim)), quoted(to_string(o.verdict)), o.access,
        quoted(o.operand), quoted(o.what), quoted(o.statement), quoted(o.method), quoted(o.counterexample));
  }
  return text + "\n]\n";
}

}  // namespace tailor::codegen::prove
