// What a verb has to say, once: an ordered JSON object, printed as JSON or as text with the same names.
//
// Data goes to stdout, diagnostics to stderr. Thread-safety: none needed; the command prints from one thread.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "tailor/status.h"

namespace tailor::cli {

using Json = nlohmann::ordered_json;

// Text form: one aligned "name  value" line per leaf, members of objects as "outer.inner", arrays of objects as tables,
// other arrays separated by commas.
std::string to_text(const Json& report);

// Writes the report to stdout. kIo if stdout takes no more (a closed pipe, a full disk).
Status print_report(const Json& report, bool as_json);
// Raw bytes to stdout, or to `path` if it is not empty.
Status write_output(std::string_view bytes, const std::string& path);

// Diagnostics to stderr: "tailor: warning: …".
void say_error(std::string_view message);
void say_warning(std::string_view message);
void say_info(std::string_view message);

}  // namespace tailor::cli
