#include "runtime/ptx/parser.h"

#include <new>
#include <stdexcept>

#include <fmt/format.h>

#include "runtime/ptx/parser_impl.h"

namespace tailor::ptx {
namespace {

// A token as it may stand in a message: short and printable.
std::string shown(const Token& t) {
  if (t.kind == Token::Kind::kEnd) return "the end of the text";
  std::string out = "'";
  for (char c : t.text.substr(0, 48)) {
    if (c >= ' ' && c <= '~')
      out += c;
    else
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  if (t.text.size() > 48) out += "…";
  return out + "'";
}

}  // namespace

bool Parser::fail(const Token& at, std::string message, StatusCode code) {
  if (status_.ok()) status_ = Status(code, fmt::format("{}:{}: {}", at.line, at.column, message));
  return false;
}

bool Parser::expected(std::string_view what) {
  return fail(tok_, fmt::format("found {}, expected {}", shown(tok_), what));
}

bool Parser::expect(char punctuation) {
  if (!tok_.is(punctuation)) return expected(fmt::format("'{}'", punctuation));
  advance();
  return true;
}

bool Parser::accept(char punctuation) {
  if (!tok_.is(punctuation)) return false;
  advance();
  return true;
}

bool Parser::skip_to_semicolon() {
  while (!tok_.is(';')) {
    if (tok_.kind == Token::Kind::kEnd) return expected("';'");
    advance();
  }
  advance();
  return true;
}

Status Parser::run() {
  if (text_.size() > limits_.text_bytes)
    return unsupported(fmt::format("1:1: the text has {} bytes; the limit is {}", text_.size(), limits_.text_bytes));
  advance();
  parse_module();
  return status_;
}

bool Parser::parse_module() {
  if (!tok_.is(".version")) return expected("'.version'");
  if (!parse_version()) return false;
  if (!tok_.is(".target")) return expected("'.target'");
  if (!parse_target()) return false;
  while (tok_.kind != Token::Kind::kEnd) {
    bool ok = true;
    if (tok_.is(".address_size")) {
      advance();
      const Token at = tok_;
      ok = parse_small(module_.address_size, "32 or 64");
      if (ok && module_.address_size != 64)
        return fail(at, fmt::format(".address_size is {}; only 64 is read", module_.address_size),
                    StatusCode::kUnsupported);
    } else if (tok_.is(".visible")) {
      advance();
      ok = parse_linked(Linkage::kVisible);
    } else if (tok_.is(".extern")) {
      advance();
      ok = parse_linked(Linkage::kExtern);
    } else if (tok_.is(".weak")) {
      advance();
      ok = parse_linked(Linkage::kWeak);
    } else if (tok_.is(".common")) {
      advance();
      ok = parse_linked(Linkage::kCommon);
    } else if (tok_.is(".file")) {
      ok = parse_file();
    } else if (tok_.is(".section")) {
      ok = parse_section();
    } else if (tok_.is(".alias")) {
      ok = parse_alias();
    } else if (tok_.is(".pragma")) {
      ok = parse_pragma(nullptr);
    } else if (!accept(';')) {
      ok = parse_linked(Linkage::kInternal);
    }
    if (!ok) return false;
  }
  return true;
}

bool Parser::parse_linked(Linkage linkage) {
  static constexpr std::pair<std::string_view, Space> kSpaces[] = {
      {".global", Space::kGlobal}, {".const", Space::kConst}, {".shared", Space::kShared}};
  for (const auto& [word, space] : kSpaces)
    if (tok_.is(word)) {
      advance();
      return parse_variables(space, linkage);
    }
  if (tok_.is(".func") || tok_.is(".entry")) {
    const bool entry = tok_.is(".entry");
    advance();
    return parse_function(linkage, entry);
  }
  return expected("a module directive (.entry, .func, .global, .const, .shared, .file, …)");
}

bool Parser::parse_version() {
  advance();
  const Token at = tok_;
  if (tok_.kind != Token::Kind::kNumber) return expected("a version such as 8.3");
  uint32_t parts[2] = {0, 0};
  unsigned part = 0;
  for (char c : at.text) {
    if (c == '.' && part == 0) {
      part = 1;
    } else if (c >= '0' && c <= '9' && parts[part] < 1000) {
      parts[part] = parts[part] * 10 + static_cast<uint32_t>(c - '0');
    } else {
      return expected("a version such as 8.3");
    }
  }
  if (part == 0) return expected("a version such as 8.3");
  module_.version = {static_cast<uint16_t>(parts[0]), static_cast<uint16_t>(parts[1])};
  advance();
  return true;
}

bool Parser::parse_target() {
  do {
    advance();
    if (tok_.kind != Token::Kind::kIdentifier) return expected("a target such as sm_90a");
    if (module_.target.empty())
      module_.target = tok_.text;
    else if (tok_.text != "debug")  // goes with the .section directives, which are not kept
      module_.target_options.emplace_back(tok_.text);
    advance();
  } while (tok_.is(','));
  return true;
}

// .file index "path"[, timestamp, size]
bool Parser::parse_file() {
  advance();
  SourceFile file;
  if (!parse_small(file.index, "a file number")) return false;
  if (tok_.kind != Token::Kind::kString) return expected("a quoted path");
  file.path = tok_.text;
  advance();
  while (accept(',')) {
    uint64_t ignored = 0;
    if (!parse_unsigned(ignored, "a time stamp or size")) return false;
  }
  module_.files.push_back(std::move(file));
  return true;
}

// .section name { … }: DWARF; skipped to the closing brace.
bool Parser::parse_section() {
  advance();
  if (tok_.kind != Token::Kind::kDotted && tok_.kind != Token::Kind::kIdentifier) return expected("a section name");
  advance();
  if (!expect('{')) return false;
  for (uint64_t depth = 1; depth > 0; advance()) {
    if (tok_.kind == Token::Kind::kEnd) return expected("'}' at the end of the section");
    if (tok_.is('{')) ++depth;
    if (tok_.is('}')) --depth;
  }
  return true;
}

bool Parser::parse_alias() {
  advance();
  std::string names[2];
  for (int i = 0; i < 2; ++i) {
    if (tok_.kind != Token::Kind::kIdentifier) return expected("a function name");
    const auto found = globals_.find(tok_.text);
    if (found == globals_.end() || found->second.kind != SymbolRef::Kind::kFunction)
      return expected("the name of a declared function");
    names[i] = tok_.text;
    advance();
    if (i == 0 && !expect(',')) return false;
  }
  module_.aliases.push_back(names[0] + "=" + names[1]);
  return expect(';');
}

bool Parser::parse_pragma(std::vector<std::string>* pragmas) {
  do {
    advance();
    if (tok_.kind != Token::Kind::kString) return expected("a quoted pragma");
    if (pragmas) pragmas->emplace_back(tok_.text);
    advance();
  } while (tok_.is(','));
  return expect(';');
}

Expected<Module> parse(std::string_view text, const ParseLimits& limits) {
  try {
    Parser parser(text, limits);
    TAILOR_RETURN_IF_ERROR(parser.run());
    return parser.take();
  } catch (const std::bad_alloc&) {
    return unsupported("1:1: out of memory while reading the PTX text");
  } catch (const std::length_error&) {
    return unsupported("1:1: the PTX text asks for a table beyond what can be held");
  }
}

}  // namespace tailor::ptx
