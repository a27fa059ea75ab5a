#include "runtime/ptx/grammar.h"

#include <cstdlib>
#include <memory>

#include <fmt/format.h>

#include "runtime/ptx/text_map.h"

namespace tailor::ptx {
namespace {

struct MnemonicEntry {
  Opcode opcode = Opcode::kCount;  // kCount: only the beginning of mnemonics
  bool longer = false;             // some mnemonic continues after this one
};

constexpr unsigned kMaxMnemonicWords = 5;

struct Tables {
  TextMap<Word, 1024> words;
  TextMap<MnemonicEntry, 1024> mnemonics;
  std::array<OpcodeGrammar, static_cast<unsigned>(Opcode::kCount)> grammars;

  Tables() {
    for (uint16_t id = 0; id < kShapeWord; ++id) {
      const Word w = word_from_id(id);
      if (is_named(w)) words.insert(text_of(w), w);
    }
    for (unsigned o = 0; o < static_cast<unsigned>(Opcode::kCount); ++o) {
      const auto opcode = static_cast<Opcode>(o);
      add_mnemonic(info(opcode).mnemonic, opcode);
    }
    for (unsigned o = 0; o < static_cast<unsigned>(Opcode::kCount); ++o) {
      const OpcodeInfo& row = info(static_cast<Opcode>(o));
      compile_words(row.words, grammars[o]);
      compile_operands(row.operands, grammars[o]);
    }
#define X(written, meant) add_mnemonic(written, mnemonics.find(meant)->opcode);
    TAILOR_PTX_MNEMONIC_ALIASES(X)
#undef X
  }

 private:
  static bool is_named(const Word& w) {
    switch (w.kind) {
      case WordKind::kSpace:
        return w.value != static_cast<uint8_t>(Space::kGeneric);
      case WordKind::kHint:
        return w.value != static_cast<uint8_t>(CacheHint::kNone);
      case WordKind::kModifier:
        return w.value != static_cast<uint8_t>(Modifier::kNone);
      default:
        return true;
    }
  }

  void add_mnemonic(std::string_view text, Opcode opcode) {
    for (size_t dot = text.find('.'); dot != std::string_view::npos; dot = text.find('.', dot + 1)) {
      mnemonics.insert(text.substr(0, dot), {});
      mnemonics.find(text.substr(0, dot))->longer = true;
    }
    mnemonics.insert(text, {});
    mnemonics.find(text)->opcode = opcode;
  }

  void add_to_group(std::string_view item, OpcodeGrammar& g, std::vector<uint16_t>& group) {
    if (item.front() == '@') {
      const std::string_view list = item.substr(1);
      if (list == "shape") return group.push_back(kShapeWord);
#define X(name, words)                                                                    \
  if (list == name) {                                                                     \
    if (list == "compare") g.has_compare = true;                                          \
    return split(words, ',', [&](std::string_view one) { add_to_group(one, g, group); }); \
  }
      TAILOR_PTX_WORD_LISTS(X)
#undef X
      std::abort();  // the table names a list that does not exist
    }
    if (item == "eq") g.has_compare = true;
    if (item == "row#2") return group.push_back(word_of(Modifier::kRowB).id);
    if (item == "col#2") return group.push_back(word_of(Modifier::kColB).id);
    const Word* w = words.find(item);
    if (!w) std::abort();  // the table names a word that does not exist
    group.push_back(w->id);
  }

  template <class F>
  static void split(std::string_view text, char separator, F&& f) {
    while (!text.empty()) {
      const size_t at = text.find(separator);
      f(text.substr(0, at));
      text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
    }
  }

  void compile_words(std::string_view text, OpcodeGrammar& g) {
    split(text, ' ', [&](std::string_view group_text) {
      const auto index = static_cast<unsigned>(g.groups.size());
      if (index >= OpcodeGrammar::kMaxGroups) std::abort();
      if (group_text.front() == '!') {
        g.required |= 1u << index;
        group_text.remove_prefix(1);
      }
      g.groups.emplace_back();
      split(group_text, ',', [&](std::string_view item) { add_to_group(item, g, g.groups.back()); });
      for (uint16_t id : g.groups.back()) g.containing[id] |= 1u << index;
    });
  }

  static OperandRole role_of(char letter) {
    switch (letter) {
      case 'd':
        return OperandRole::kWritten;
      case 'x':
        return OperandRole::kUpdated;
      case 's':
        return OperandRole::kRead;
      case 'a':
        return OperandRole::kMemory;
      case 't':
        return OperandRole::kTensor;
      case 'l':
        return OperandRole::kLabel;
      case 'b':
        return OperandRole::kBranchTable;
      case 'c':
        return OperandRole::kCall;
    }
    std::abort();  // the table uses a letter that does not exist
  }

  void compile_operands(std::string_view text, OpcodeGrammar& g) {
    const auto add = [&](std::string_view one) {
      OperandAlternative alternative;
      bool optional = false;
      for (char letter : one) {
        if (letter == '?') {
          optional = true;
          continue;
        }
        alternative.roles.push_back(role_of(letter));
        if (!optional) ++alternative.required;
      }
      g.alternatives.push_back(std::move(alternative));
    };
    if (text.empty()) return add("");
    split(text, '|', add);
  }
};

const Tables& tables() {
  static const std::unique_ptr<const Tables> instance = std::make_unique<Tables>();
  return *instance;
}

}  // namespace

Word word_from_id(uint16_t id) {
  if (id < kSpaceBase) return word_of(static_cast<Type>(id));
  if (id < kHintBase) return word_of(static_cast<Space>(id - kSpaceBase));
  if (id < kModifierBase) return word_of(static_cast<CacheHint>(id - kHintBase));
  if (id < kVectorBase) return word_of(static_cast<Modifier>(id - kModifierBase));
  if (id < kShapeWord) return word_of_vector(id == kVectorBase ? 2 : 4);
  return {WordKind::kShape, 0, static_cast<uint16_t>(kShapeWord)};
}

std::string_view text_of(const Word& w) {
  switch (w.kind) {
    case WordKind::kType:
      return to_string(static_cast<Type>(w.value));
    case WordKind::kSpace:
      return to_string(static_cast<Space>(w.value));
    case WordKind::kHint:
      return to_string(static_cast<CacheHint>(w.value));
    case WordKind::kModifier:
      return to_string(static_cast<Modifier>(w.value));
    case WordKind::kVector:
      return w.value == 2 ? "v2" : "v4";
    case WordKind::kShape:
      return "mXnYkZ";
  }
  return "";
}

bool find_word(std::string_view text, Word& word) {
  const Word* w = tables().words.find(text);
  if (!w) return false;
  word = *w;
  return true;
}

const OpcodeGrammar& grammar(Opcode opcode) { return tables().grammars[static_cast<unsigned>(opcode)]; }

MnemonicMatch find_mnemonic(const std::string_view* words, unsigned count) {
  const Tables& t = tables();
  MnemonicMatch match;
  for (unsigned n = 1; n <= count && n <= kMaxMnemonicWords; ++n) {
    // The pieces are neighbours in one text, so a prefix is one view.
    const std::string_view prefix(words[0].data(),
                                  static_cast<size_t>(words[n - 1].data() + words[n - 1].size() - words[0].data()));
    const MnemonicEntry* entry = t.mnemonics.find(prefix);
    if (!entry) break;
    if (entry->opcode != Opcode::kCount) match = {entry->opcode, n};
    if (!entry->longer) break;
  }
  return match;
}

std::string describe_words(Opcode opcode) {
  const OpcodeGrammar& g = grammar(opcode);
  std::string out;
  for (size_t i = 0; i < g.groups.size(); ++i) {
    if (i) out += ' ';
    const bool required = g.required >> i & 1;
    if (!required) out += '{';
    for (size_t j = 0; j < g.groups[i].size(); ++j)
      out += fmt::format("{}.{}", j ? "|" : "", text_of(word_from_id(g.groups[i][j])));
    if (!required) out += '}';
  }
  return out.empty() ? "nothing" : out;
}

std::string describe_operands(Opcode opcode) {
  std::string out;
  for (const OperandAlternative& a : grammar(opcode).alternatives) {
    if (!out.empty()) out += " or ";
    if (a.roles.empty()) out += "none";
    for (size_t i = 0; i < a.roles.size(); ++i) {
      static constexpr std::string_view kNames[] = {"destination", "accumulator", "source",       "[address]",
                                                    "[map, {…}]",  "label",       "branch table", "call"};
      out += fmt::format("{}{}{}", i ? ", " : "", i == a.required ? "optional " : "",
                         kNames[static_cast<unsigned>(a.roles[i])]);
    }
  }
  return out;
}

}  // namespace tailor::ptx
