#include "runtime/ptx/suffixes.h"

#include "runtime/ptx/special_registers.h"

namespace tailor::ptx {
namespace {

struct TypeRow {
  std::string_view text;
  uint16_t bits;
  char kind;
};
constexpr TypeRow kTypes[] = {
#define X(name, text, bits, kind) {text, bits, kind},
    TAILOR_PTX_TYPES(X)
#undef X
        {"none", 0, 'b'}};

constexpr std::string_view kSpaces[] = {"generic",
#define X(name, text) text,
                                        TAILOR_PTX_SPACES(X)
#undef X
};

constexpr std::string_view kHints[] = {"none",
#define X(name, text) text,
                                       TAILOR_PTX_HINTS(X)
#undef X
};

struct ModifierRow {
  std::string_view text;
  ModifierGroup group;
};
constexpr ModifierRow kModifiers[] = {{"none", ModifierGroup::kOther},
#define X(name, text, group) {text, ModifierGroup::group},
                                      TAILOR_PTX_MODIFIERS(X)
#undef X
};

struct SpecialRow {
  std::string_view text;
  Type type;
};
constexpr SpecialRow kSpecials[] = {
#define X(name, text, type) {text, Type::type},
    TAILOR_PTX_SPECIAL_REGISTERS(X)
#undef X
        {"none", Type::kNone}};

}  // namespace

std::string_view to_string(Type type) { return kTypes[static_cast<unsigned>(type)].text; }
std::string_view to_string(Space space) { return kSpaces[static_cast<unsigned>(space)]; }
std::string_view to_string(CacheHint hint) { return kHints[static_cast<unsigned>(hint)]; }
std::string_view to_string(Modifier modifier) { return kModifiers[static_cast<unsigned>(modifier)].text; }
ModifierGroup group_of(Modifier modifier) { return kModifiers[static_cast<unsigned>(modifier)].group; }
unsigned bits_of(Type type) { return kTypes[static_cast<unsigned>(type)].bits; }
char kind_of(Type type) { return kTypes[static_cast<unsigned>(type)].kind; }
std::string_view to_string(SpecialRegister reg) { return kSpecials[static_cast<unsigned>(reg)].text; }
Type type_of(SpecialRegister reg) { return kSpecials[static_cast<unsigned>(reg)].type; }

}  // namespace tailor::ptx
