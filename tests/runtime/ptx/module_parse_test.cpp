// What the parser makes of each form of the language. Values are worked out by hand from the PTX text beside them.
#include <gtest/gtest.h>

#include "ptx_testing.h"

namespace tailor::ptx {
namespace {

using namespace testing;
using Kind = Operand::Kind;

const Module& hand() {
  static const Module m = [] {
    for (const Sample& s : samples())
      if (s.name == "hand_syntax.sm_90a") return parse_or_fail(s.text);
    return Module();
  }();
  return m;
}

const Function& scopes() { return *hand().find_function("scopes"); }

TEST(ModuleParse, HeadAndFiles) {
  EXPECT_EQ(hand().version, (std::array<uint16_t, 2>{8, 3}));
  EXPECT_EQ(hand().target, "sm_90a");
  ASSERT_EQ(hand().files.size(), 2u);
  EXPECT_EQ(hand().files[1].index, 2u);
  EXPECT_EQ(hand().files[1].path, "dir/other.cu");
}

TEST(ModuleParse, VariablesHaveSizesAlignmentsAndBytes) {
  const Module& m = hand();
  const Variable& smem = *m.find_variable("smem");
  EXPECT_TRUE(smem.unsized);
  EXPECT_EQ(smem.align, 1024u);
  EXPECT_EQ(smem.linkage, Linkage::kExtern);
  EXPECT_EQ(smem.space, Space::kShared);
  EXPECT_EQ(m.find_variable("counter")->data, (std::vector<uint8_t>{7, 0, 0, 0}));
  EXPECT_EQ(m.find_variable("$str")->data, (std::vector<uint8_t>{120, 32, 37, 100, 10}));
  EXPECT_EQ(m.find_variable("$str")->bytes, 6u);
  const Variable& floats = *m.find_variable("floats");
  EXPECT_EQ(floats.data, (std::vector<uint8_t>{0, 0, 0x80, 0x3F, 0, 0, 0x80, 0xBF, 0, 0, 0x20, 0x40}));
  const Variable& matrix = *m.find_variable("matrix");
  EXPECT_EQ(matrix.bytes, 12u);
  EXPECT_EQ(matrix.align, 2u);
  EXPECT_EQ(matrix.data, (std::vector<uint8_t>{1, 0, 0xFE, 0xFF, 3, 0, 0xFC, 0xFF})) << "rows begin at whole rows";
  const Variable& quads = *m.find_variable("quads");
  EXPECT_EQ(quads.bytes, 32u);
  EXPECT_EQ(quads.vector_width, 4);
  EXPECT_EQ(m.find_variable("masks")->data,
            (std::vector<uint8_t>{0xFF, 0xFF, 0xFF, 0xFF, 5, 0, 0, 0, 15, 0, 0, 0, 3, 0, 0, 0}));
  EXPECT_TRUE(m.find_variable("both_sides")->managed);
  EXPECT_EQ(m.find_variable("maybe")->linkage, Linkage::kWeak);
  EXPECT_EQ(m.find_variable("joint")->linkage, Linkage::kCommon);
  EXPECT_TRUE(m.find_variable("cst")->data.empty());
}

TEST(ModuleParse, AddressesInInitialisersAreRelocations) {
  const Variable& a = *hand().find_variable("addresses");
  ASSERT_EQ(a.relocations.size(), 3u);
  EXPECT_TRUE(a.relocations[1].generic);
  EXPECT_EQ(a.relocations[1].offset, 8u);
  EXPECT_EQ(a.relocations[1].addend, 4);
  EXPECT_EQ(hand().variables[a.relocations[1].symbol.index].name, "floats");
  EXPECT_FALSE(a.relocations[2].generic);
  EXPECT_EQ(a.relocations[2].addend, 2);
  const Variable& packed = *hand().find_variable("packed");
  ASSERT_EQ(packed.relocations.size(), 2u);
  EXPECT_EQ(packed.relocations[1].shift_bytes, 1);
  EXPECT_EQ(packed.relocations[1].bytes, 1);
  const Variable& table = *hand().find_variable("table");
  ASSERT_EQ(table.relocations.size(), 2u);
  EXPECT_EQ(table.relocations[0].symbol.kind, SymbolRef::Kind::kFunction);
  EXPECT_EQ(hand().functions[table.relocations[0].symbol.index].name, "first_of");
}

TEST(ModuleParse, ParametersLieWhereTheDriverPutsThem) {
  const auto& p = scopes().parameters;
  ASSERT_EQ(p.size(), 4u);
  EXPECT_EQ(p[0].bytes, 128u);
  EXPECT_EQ(p[0].align, 64u);
  EXPECT_EQ(p[1].offset, 128u);
  EXPECT_TRUE(p[1].is_pointer);
  EXPECT_EQ(p[1].pointer_space, Space::kGlobal);
  EXPECT_EQ(p[1].pointer_align, 16u);
  EXPECT_EQ(p[2].offset, 136u);
  EXPECT_EQ(p[3].offset, 140u);
  EXPECT_EQ(scopes().parameter_bytes, 144u);
  const Module m = parse_or_fail(
      ".version 8.0\n.target sm_80\n.visible .entry k(.param .u8 a, .param .u64 b, .param .u16 c, .param .align 4 .b8 "
      "d[6])"
      "{ ret; }");
  const auto& q = m.functions[0].parameters;
  EXPECT_EQ(q[1].offset, 8u);
  EXPECT_EQ(q[2].offset, 16u);
  EXPECT_EQ(q[3].offset, 20u);
  EXPECT_EQ(m.functions[0].parameter_bytes, 26u);
}

TEST(ModuleParse, DirectivesOfAnEntry) {
  const Directives& d = scopes().directives;
  EXPECT_EQ(d.maxntid, (std::array<uint32_t, 3>{256, 1, 1}));
  EXPECT_EQ(d.reqnctapercluster, (std::array<uint32_t, 3>{2, 1, 1}));
  EXPECT_EQ(d.minnctapersm, 2u);
  EXPECT_TRUE(d.explicit_cluster);
  EXPECT_EQ(d.pragmas, std::vector<std::string>{"nounroll"});
  EXPECT_TRUE(hand().find_function("stops")->directives.noreturn);
}

TEST(ModuleParse, DeclarationsAndDefinitionsAreOneFunction) {
  EXPECT_FALSE(hand().find_function("vprintf")->defined);
  EXPECT_EQ(hand().find_function("vprintf")->linkage, Linkage::kExtern);
  const Function& f = *hand().find_function("first_of");
  EXPECT_TRUE(f.defined);
  EXPECT_EQ(f.linkage, Linkage::kVisible);
  size_t mentions = 0;
  for (const SymbolRef& s : hand().order)
    mentions += s.kind == SymbolRef::Kind::kFunction && hand().functions[s.index].name == "first_of";
  EXPECT_EQ(mentions, 2u);
}

std::string name_of(const Function& f, const Operand& o) { return f.register_name(o.index); }

TEST(ModuleParse, InnerScopesHideRegistersAndLabels) {
  const Function& f = scopes();
  const auto at = [&](uint32_t line) -> const Instruction& {
    for (const Instruction& i : f.instructions)
      if (i.text_line == line) return i;
    ADD_FAILURE() << "no instruction on line " << line;
    return f.instructions[0];
  };
  // Lines are found by the comments of the sample.
  uint32_t line = 1, inner1 = 0, inner7 = 0, outer1 = 0;
  for (const Sample& s : samples()) {
    if (s.name != "hand_syntax.sm_90a") continue;
    for (size_t p = 0; p < s.text.size(); ++p) {
      if (s.text.compare(p, 14, "// inner %r1\n ") == 0) inner1 = line;
      if (s.text.compare(p, 13, "// inner %r7,") == 0) inner7 = line;
      if (s.text.compare(p, 12, "// outer %r1") == 0) outer1 = line;
      line += s.text[p] == '\n';
    }
  }
  EXPECT_EQ(name_of(f, f.operands_of(at(inner1))[0]), "%r$1_1");
  EXPECT_EQ(name_of(f, f.operands_of(at(inner7))[0]), "%r7$1");
  EXPECT_EQ(name_of(f, f.operands_of(at(inner7))[1]), "%r30");
  EXPECT_EQ(name_of(f, f.operands_of(at(outer1))[1]), "%r1");
  // Two labels of one name; each branch goes to its own.
  std::vector<std::string> labels;
  for (const Label& l : f.labels) labels.push_back(l.name);
  EXPECT_EQ(labels, (std::vector<std::string>{"LAB_WAIT", "DONE", "LAB_WAIT$1", "AGAIN", "OUT"}));
  for (const Instruction& i : f.instructions) {
    if (i.opcode != Opcode::kBra) continue;
    const Operand& target = f.operands_of(i)[0];
    EXPECT_EQ(target.value, f.labels[target.index].instruction);
  }
}

TEST(ModuleParse, LocationsFollowLoc) {
  bool seen = false;
  for (const Instruction& i : scopes().instructions)
    if (i.location == SourceLocation{20, 2, 3}) seen = true;
  EXPECT_TRUE(seen);
  EXPECT_EQ(scopes().instructions[0].location, SourceLocation{});
}

TEST(ModuleParse, CallsHaveResultsCalleeArgumentsPrototype) {
  const Function& f = scopes();
  std::vector<const Instruction*> calls;
  for (const Instruction& i : f.instructions)
    if (i.opcode == Opcode::kCall) calls.push_back(&i);
  ASSERT_EQ(calls.size(), 4u);
  const CallOperands direct = call_operands(f, *calls[0]);
  EXPECT_EQ(direct.results.count, 1u);
  EXPECT_EQ(hand().functions[direct.callee.symbol.index].name, "first_of");
  EXPECT_EQ(f.elements(direct.arguments)[0].symbol.kind, SymbolRef::Kind::kFunctionVariable);
  EXPECT_EQ(direct.prototype, nullptr);
  const CallOperands registers = call_operands(f, *calls[2]);
  EXPECT_EQ(name_of(f, f.elements(registers.results)[0]), "%r9");
  EXPECT_EQ(name_of(f, f.elements(registers.arguments)[0]), "param0") << "the register, not the hidden .param";
  EXPECT_EQ(f.elements(registers.arguments)[1].value, 5);
  const CallOperands indirect = call_operands(f, *calls[3]);
  EXPECT_EQ(indirect.callee.kind, Kind::kRegister);
  ASSERT_NE(indirect.prototype, nullptr);
  EXPECT_EQ(f.prototypes[indirect.prototype->index].parameters[0].bytes, 8u);
  const Function& by_register = *hand().find_function("through_registers");
  EXPECT_EQ(by_register.register_types[by_register.parameters[1].register_index], Type::kB64);
}

TEST(ModuleParse, BranchTablesResolveToLabels) {
  const Function& f = scopes();
  ASSERT_EQ(f.branch_tables.size(), 1u);
  ASSERT_EQ(f.branch_tables[0].labels.size(), 3u);
  EXPECT_EQ(f.labels[f.branch_tables[0].labels[0]].name, "OUT");
  EXPECT_EQ(f.labels[f.branch_tables[0].labels[1]].name, "AGAIN");
}

// One instruction of a body with the registers below, and its operands.
struct One {
  Module module;
  explicit One(const std::string& line)
      : module(parse_or_fail(module_of_body(".reg .pred %p<4>; .reg .b32 %r<8>; .reg .b64 %rd<8>; .reg .f32 %f<4>;"
                                            ".shared .align 16 .b8 s[64];\n" +
                                            line + " ret;"))) {}
  const Function& f() const { return module.functions[0]; }
  const Instruction& i() const { return f().instructions[0]; }
  const Operand& o(size_t n) const { return f().operands_of(i())[n]; }
};

TEST(ModuleParse, Immediates) {
  const auto value = [](const char* text) {
    const One one(std::string("mov.b64 %rd1, ") + text + ";");
    return std::make_pair(one.o(1).kind, one.o(1).value);
  };
  EXPECT_EQ(value("42"), std::make_pair(Kind::kInteger, int64_t{42}));
  EXPECT_EQ(value("-1"), std::make_pair(Kind::kInteger, int64_t{-1}));
  EXPECT_EQ(value("0x7FU"), std::make_pair(Kind::kInteger, int64_t{127}));
  EXPECT_EQ(value("0xFFFFFFFFFFFFFFFF"), std::make_pair(Kind::kInteger, int64_t{-1}));
  EXPECT_EQ(value("18446744073709551615"), std::make_pair(Kind::kInteger, int64_t{-1}));
  EXPECT_EQ(value("-9223372036854775808"), std::make_pair(Kind::kInteger, INT64_MIN));
  EXPECT_EQ(value("0f3F800000"), std::make_pair(Kind::kFloat32, int64_t{0x3F800000}));
  EXPECT_EQ(value("0dBFF0000000000000"), std::make_pair(Kind::kFloat, static_cast<int64_t>(0xBFF0000000000000u)));
  EXPECT_EQ(value("1.5"), std::make_pair(Kind::kFloat, int64_t{0x3FF8000000000000}));
  EXPECT_EQ(value("-1.5e0"), std::make_pair(Kind::kFloat, static_cast<int64_t>(0xBFF8000000000000u)));
  EXPECT_EQ(value("WARP_SZ"), std::make_pair(Kind::kInteger, int64_t{32}));
}

TEST(ModuleParse, Addresses) {
  const One a("ld.shared.u32 %r1, [%r2+-16];");
  EXPECT_EQ(a.o(1).kind, Kind::kAddress);
  EXPECT_TRUE(a.o(1).has_register_base());
  EXPECT_EQ(a.o(1).value, -16);
  const One b("ld.shared.u32 %r1, [s+4];");
  EXPECT_FALSE(b.o(1).has_register_base());
  EXPECT_EQ(b.o(1).symbol, (SymbolRef{SymbolRef::Kind::kFunctionVariable, 0}));
  EXPECT_EQ(b.o(1).value, 4);
  const One c("ld.shared.u32 %r1, [64];");
  EXPECT_EQ(c.o(1).symbol.kind, SymbolRef::Kind::kNone);
  EXPECT_EQ(c.o(1).value, 64);
  const One d("cp.async.bulk.prefetch.tensor.2d.L2.global [%rd1, {%r1, -5}];");
  EXPECT_EQ(d.o(0).kind, Kind::kTensor);
  ASSERT_EQ(d.f().elements(d.o(0)).size(), 2u);
  EXPECT_EQ(d.f().elements(d.o(0))[1].value, -5);
}

TEST(ModuleParse, VectorsPairsSinksAndNegation) {
  const One v("ld.shared.v4.u32 {%r1, _, %r3, %r4}, [s];");
  ASSERT_EQ(v.f().elements(v.o(0)).size(), 4u);
  EXPECT_EQ(v.f().elements(v.o(0))[1].kind, Kind::kSink);
  const One p("elect.sync _|%p1, 0xffffffff;");
  EXPECT_EQ(p.o(0).kind, Kind::kPair);
  EXPECT_EQ(p.f().elements(p.o(0))[0].kind, Kind::kSink);
  EXPECT_EQ(name_of(p.f(), p.f().elements(p.o(0))[1]), "%p1");
  const One n("@!%p2 setp.eq.and.s32 %p1, %r1, 0, !%p3;");
  EXPECT_TRUE(n.i().guard_negated);
  EXPECT_EQ(n.f().register_name(n.i().guard), "%p2");
  EXPECT_TRUE(n.o(3).negated);
  const One h("vadd.s32.u32.s32 %r1, %r2.b1, %r3.h1;");
  EXPECT_EQ(h.o(1).selector, Operand::Selector::kB1);
  EXPECT_EQ(h.o(2).selector, Operand::Selector::kH1);
}

TEST(ModuleParse, EverySpecialRegister){
#define X(name, text, type)                                     \
  {                                                             \
    const One one("mov.b32 %r1, " text ";");                    \
    EXPECT_EQ(one.o(1).kind, Kind::kSpecial) << text;           \
    EXPECT_EQ(one.o(1).special, SpecialRegister::name) << text; \
  }
    TAILOR_PTX_SPECIAL_REGISTERS(X)
#undef X
}

TEST(ModuleParse, RegistersOfAFamilyAreConsecutive) {
  const One one("mov.u32 %r7, %r0;");
  EXPECT_EQ(one.f().register_types.size(), 4u + 8 + 8 + 4);
  EXPECT_EQ(one.o(0).index, 4u + 7);
  EXPECT_EQ(one.f().register_types[4], Type::kB32);
  EXPECT_EQ(one.f().family_of(4 + 7).name, "%r");
}

TEST(ModuleParse, LabelAtTheEndPointsPastTheLastInstruction) {
  const Module m = parse_or_fail(module_of_body("bra END; ret; END:"));
  EXPECT_EQ(m.functions[0].operands_of(m.functions[0].instructions[0])[0].value, 2);
}

TEST(ModuleParse, CallArgumentsOfManyScopesKeepUniqueNames) {
  std::string body = ".reg .b32 %r<2>;";
  for (int n = 0; n < 200; ++n) body += "{ .param .b32 param0; st.param.b32 [param0], %r1; }\n";
  const Module m = parse_or_fail(module_of_body(body + "ret;"));
  ASSERT_EQ(m.functions[0].variables.size(), 200u);
  EXPECT_EQ(m.functions[0].variables[199].name, "param0$199");
}

}  // namespace
}  // namespace tailor::ptx
