#include <functional>

#include <gtest/gtest.h>

#include "codegen/kernel/text.h"
#include "tests/codegen/kernel/programs.h"

namespace tailor::codegen::kernel {
namespace {

constexpr const char* kAccess = "access 1 \"o\" \"w\"\n";

// Each text breaks one rule; the message names it.
TEST(Verify, RefusesEveryBrokenText) {
  const std::string one_access = kAccess;
  const std::pair<std::string, const char*> cases[] = {
      {"%x = add %a, %b", "operands are two i32 or two i64"},
      {"%x = mul %o, %o", "operands are two i32 or two i64"},
      {"%x = add %a, %a yield %x", "the kernel's body has no terminator"},
      {"%p = cmp.eq %a, %b", "operands are two i32 or two i64"},
      {"%x = and %a, %b", "operands are two i32, two i64 or two pred"},
      {"%x = not %o", "the operand is i32, i64 or pred"},
      {"%x = select %a, %a, %a", "the condition is a pred"},
      {"%p = cmp.eq %a, %a %x = select %p, %a, %b", "both choices have one type"},
      {"%x = sext %b", "the operand is i32"},
      {"%x = zext %b", "the operand is i32"},
      {"%x = trunc %a", "the operand is i64"},
      {"%x = ptradd %a, %a", "the base is a ptr or an sptr"},
      {"%s = shared %x = ptradd %s, %b", "the offset of an sptr is i32"},
      {"%s = const sptr 0", "there are no pointer constants"},
      {"%f = const f32 4294967296", "4294967296 is not in [0, 4294967295]"},
      {"%f = const f32 0 %g = fadd %f, %a", "operands are f32"},
      {"%f = const f32 0 %g = fma %f, %f, %b", "operands are f32"},
      {"%f = const f32 0 %g = add %f, %f", "operands are two i32 or two i64"},
      {"%f = const f32 0 %p = cmp.eq %f, %f", "operands are two i32 or two i64"},
      {one_access + "%f = const f32 0 store f32 %o, %f align 4 access 1", "f32 has no form in memory"},
      {"%x = bitcast i64 %a", "renames i32, b32 and f32, or i64 and b64"},
      {"%x = bitcast b16 %a", "renames i32, b32 and f32, or i64 and b64"},
      {"%x = const b64 0 %y, %z = unpack i32 %x", "lanes are bits of one type"},
      {"%x = unpack b32 %a", "gives two lanes or more"},
      {"%x = const b16 0 %y = pack %x", "takes two lanes or more"},
      {"%x = const b16 0 %y = const b8 0 %z = pack %x, %y", "lanes are bits of one type"},
      {"%x = const b16 0 %y = pack %x, %x, %x", "3 lanes of b16 are 6 bytes, not b128"},
      {"%x = const b64 0 %y, %z = decode.f16 %x", "'decode' has 4 results, not 2"},  // the parser's rule
      {"%x = const b64 0 %y, %z, %u, %v = decode.f16 %x", "has one value or two"},
      {"%y, %z = decode.f16 %a", "2 values of f16 are 4 bytes, not i32"},
      {"%x = encode.f16 %a", "values are f32"},
      {"%f = const f32 0 %x = encode.e4m3 %f, %f, %f", "has one value or two"},
      {"%x = const b32 0 %y = zext %x", "the operand is i32, b8 or b16"},
      {one_access + "%s = shared %x = load i32 %s align 4 access 1", "through an sptr name the operand \"shared\""},
      {"access 1 \"shared\" \"w\" %x = load i32 %o align 4 access 1", "through an sptr name the operand \"shared\""},
      {"access 1 \"shared\" \"w\" %s = shared %x = load i32 %s align 4 access 1 readonly",
       "shared memory is not readonly"},
      {"access 1 \"shared\" \"w\" %s = shared atomic.max.u64 %s, %b align 8 access 1", "an atomic's address is a ptr"},
      {"access 1 \"shared\" \"w\" %s = shared %x = load sptr %s align 4 access 1", "sptr has no form in memory"},
      {"%t = special tid.x %p = cmp.eq %t, %a if %p { barrier }", "stands under a condition that may differ"},
      {"%x = ptradd %o, %o", "the offset is i32 (unsigned bytes) or i64"},
      {"%s = const i32 32 %x = shl %a, %s", "shifts by 32; the amount must be in [0, 32)"},
      {"%s = const i64 -1 %x = shr.s %b, %s", "shifts by -1; the amount must be in [0, 64)"},
      {"%x = const i32 2147483648", "2147483648 is not in [-2147483648, 2147483647]"},
      {"%x = const pred 2", "2 is not in [0, 1]"},
      {"%x = const b8 256", "256 is not in [0, 255]"},
      {"%x = const ptr 0", "there are no pointer constants"},
      {one_access + "%x = load i32 %a align 4 access 1", "the address is a ptr"},
      {one_access + "%x = load pred %o align 4 access 1", "pred has no form in memory"},
      {one_access + "%x = load b128 %o align 8 access 1", "align is 8; it must be a power of two and at least the 16"},
      {one_access + "%x = load i32 %o align 12 access 1", "align is 12; it must be a power of two"},
      {one_access + "%x = load i32 %o align 0 access 1", "align is 0; it must be a power of two"},
      {one_access + "%x = load i32 %o align 4 access 2", "access id 2 is not in the table (1 … 1)"},
      {one_access + "%x = load i32 %o align 4 access 1 %y = load i32 %o align 4 access 1", "access id 1 is used twice"},
      {one_access + "%x = add %a, %a", "access 1 is in the table and no instruction carries it"},
      {one_access + "%x = load i32 %o if %a align 4 access 1", "the guard is a pred"},
      {one_access + "store i32 %o, %b align 8 access 1", "the value is i64, the memory type i32"},
      {one_access + "atomic.max.u64 %o, %a align 8 access 1", "the value is i32, the memory type i64"},
      {one_access + "store i32 %r, %a align 4 access 1", "writes through a readonly parameter"},
      {one_access + "%q = ptradd %r, %a atomic.max.u64 %q, %b align 8 access 1", "writes through a readonly parameter"},
      {one_access + "%x = load i32 %o align 4 access 1 readonly", "through a parameter that is not readonly"},
      {one_access + "%p = cmp.eq %a, %a %q = select %p, %o, %r store i32 %q, %a align 4 access 1",
       "writes through a readonly parameter"},
      // The pointer that the loop carries becomes the readonly one in the second iteration.
      {one_access + "%e = for %i = %a to %a step %a carry %q = %o { store i32 %q, %a align 4 access 1 yield %r }",
       "writes through a readonly parameter"},
      {one_access + "%e = while %q = %r { %p = cmp.eq %a, %a condition %p, %q } do %s { yield %o } "
                    "%x = load i32 %e align 4 access 1 readonly",
       "through a parameter that is not readonly"},
      {"for %i = %a to %b step %a { yield }", "lo, hi and step are three i32 or three i64"},
      {"%z = const i32 0 for %i = %a to %a step %z { yield }", "the step is 0; it must be positive"},
      {"for %i = %a to %a step %a { }", "region 0 must end in yield"},
      {"%e = for %i = %a to %a step %a carry %c = %a { yield }", "passes 0 values; `for` takes 1"},
      {"%e = for %i = %a to %a step %a carry %c = %a { yield %b }", "value 0 is i64; `for` takes i32"},
      {"for %i = %a to %a step %a { %p = cmp.eq %i, %i condition %p }", "this region of `for` ends in yield"},
      {"for %i = %a to %a step %a { yield yield }", "a terminator is the last instruction of its region"},
      {"for %i = %a to %a step %a { %x = add %i, %i yield } %y = add %x, %x",
       "%x is used outside the region that defines it"},
      {"for %i = %a to %a step %a { yield } %y = add %i, %i", "%i is used outside the region that defines it"},
      {"while %c = %a { condition %c } do { yield %a }", "the first operand is a pred"},
      {"while %c = %a { %p = cmp.eq %c, %c condition %p } do { yield }", "passes 0 values; `while` takes 1"},
      {"%r1 = while { %p = cmp.eq %a, %a condition %p, %a } do { yield }",
       "its second region has an argument for every result"},
      {"if %a { }", "the condition is a pred"},
      {"%p = cmp.eq %a, %a %x = if %p { yield %a } else { yield %b }", "value 0 is i64; `if` takes i32"},
      {"%p = cmp.eq %a, %a %x = if %p { yield %a } else { }", "region 1 must end in yield"},
      {"%p = cmp.eq %a, %a %x = if %p { yield %a }", "if 2 (1 when it has no results)"},
      {"%p = cmp.eq %a, %a if %p { yield %a } else { yield %a }", "'if' has 1 results, not 0"},  // the parser's rule
  };
  for (const auto& [body, rule] : cases) {
    std::string text = "kernel @k(%o: ptr, %r: ptr readonly, %a: i32, %b: i64) block 32 shared 64 {\n" + body + "\n}";
    Expected<Program> parsed = parse(text);
    Status status = parsed.ok() ? verify(*parsed) : parsed.status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << body;
    EXPECT_NE(status.message().find(rule), std::string::npos)
        << body << "\n  gives " << status.message() << "\n  wants " << rule;
  }
}

// What no text can say: broken tables and fields.
TEST(Verify, RefusesEveryBrokenTable) {
  struct Case {
    std::function<void(Program&)> change;
    const char* rule;
  };
  // The example: body[0..5] straight, body[6] the if; parameters 0 … 2; tid 3, cta 4, t0 5, …
  auto load = [](Program& p) -> Instruction& { return p.body.body.back().regions[0].body[3]; };
  auto store = [](Program& p) -> Instruction& { return p.body.body.back().regions[0].body[5]; };
  const Case cases[] = {
      {[](Program& p) { p.entry = "a.b"; }, "the entry name is a C identifier"},
      {[](Program& p) { p.entry.clear(); }, "the entry name is a C identifier"},
      {[](Program& p) { p.block_threads = 0; }, "block is 0 threads; it must be 1 … 1024"},
      {[](Program& p) { p.block_threads = 1025; }, "block is 1025 threads; it must be 1 … 1024"},
      {[](Program& p) { p.values[3].name.clear(); }, "names are [A-Za-z_]"},
      {[](Program& p) { p.values[3].name = "a b"; }, "names are [A-Za-z_]"},
      {[](Program& p) { p.values[3].name = "cta"; }, "two values are named %cta; names are unique"},
      {[](Program& p) {
         p.values.push_back({Type::kI32, "extra"});
       },
       "value %extra (id 14) is in the table and nothing"},
      {[](Program& p) {
         p.accesses.push_back({"x", "y"});
       },
       "access 3 is in the table and no instruction carries it"},
      {[](Program& p) { p.accesses.resize(70000); }, "70000 accesses; ids are 16 bits"},
      {[](Program& p) { p.shared_bytes = 49153; }, "49153 bytes of shared memory; the limit is 49152"},
      {[](Program& p) {
         p.body.body[0].op = Op::kShared;
         p.values[3].type = Type::kSptr;
       },
       "the kernel has no shared memory"},
      {[](Program& p) { p.parameters[1].value = 99; }, "parameter 1 is value 99, which does not exist"},
      {[](Program& p) { p.parameters[1].value = 0; }, "parameter 1 is defined twice"},
      {[](Program& p) { p.values[2].type = Type::kB32; }, "parameter 2 is b32; parameters are i32, i64 or ptr"},
      {[](Program& p) { p.parameters[2].read_only = true; }, "parameter 2 is a readonly i32; only a ptr"},
      {[](Program& p) { p.body.body[0].results = {99}; }, "result 99 does not exist"},
      {[](Program& p) { p.body.body[0].results = {0}; }, "the result is i32, not ptr"},
      {[](Program& p) { p.body.body[0].results = {2}; }, "%n is defined twice"},
      {[](Program& p) { p.body.body[0].results.clear(); }, "has 1 results, not 0"},
      {[](Program& p) {
         p.body.body[3].operands = {4, 99};
       },
       "operand 99 does not exist"},
      {[](Program& p) { p.body.body[3].operands = {4}; }, "takes 2 operands, not 1"},
      {[](Program& p) { std::swap(p.body.body[2], p.body.body[3]); }, "is used before it is defined"},
      {[](Program& p) { p.values[6].type = Type::kI64; }, "the result is i32, not i64"},
      {[](Program& p) { p.body.body[0].immediate = 1; }, "only const has an immediate"},
      {[](Program& p) { p.body.body[0].compare = Compare::kNe; }, "only cmp has a relation"},
      {[](Program& p) { p.body.body[2].special = Special::kNtidX; }, "only special names a special register"},
      {[](Program& p) { p.body.body[3].align = 4; }, "only memory operations have a memory type"},
      {[](Program& p) { p.body.body[3].format = Format::kE4M3; }, "only decode and encode have a storage format"},
      {[](Program& p) { p.body.body[3].read_only = true; }, "only a load can be readonly"},
      {[](Program& p) { p.body.body[3].regions.resize(1); }, "for has 1, while 2, if 2"},
      {[](Program& p) { p.body.body.back().regions.clear(); }, "for has 1, while 2, if 2"},
      {[](Program& p) { p.body.body.back().regions[0].arguments = {0}; }, "regions of an if have no arguments"},
      {[](Program& p) { p.body.body.back().regions[0].arguments = {99}; }, "region argument 99 does not exist"},
      {[&](Program& p) { load(p).guarded = true; }, "takes a pointer, and a guard when guarded"},
      {[&](Program& p) { store(p).guarded = true; }, "takes a pointer and a value, and a guard when guarded"},
      {[&](Program& p) { store(p).read_only = true; }, "only a load can be readonly"},
      {[&](Program& p) { load(p).access = 0; }, "access id 0 is not in the table (1 … 2)"},
      {[&](Program& p) { load(p).op = Op::kAtomicMaxU64; }, "takes 2 operands, not 1"},
      {[](Program& p) {
         Region* region = &p.body;
         for (int depth = 0; depth < 70; ++depth) {
           Instruction branch;
           branch.op = Op::kIf;
           branch.operands = {8};  // %p
           branch.regions.resize(1);
           region->body.push_back(branch);
           region = &region->body.back().regions[0];
         }
       },
       "regions nest deeper than 64"},
      {[](Program& p) {
         for (int k = 0; k < 600; ++k) {
           p.values.push_back({Type::kI64, "extra" + std::to_string(k)});
           p.parameters.push_back({static_cast<ValueId>(p.values.size() - 1), false});
         }
       },
       "the limit is 4096"},
  };
  ASSERT_TRUE(verify(testing::example()).ok()) << verify(testing::example()).message();
  for (const Case& c : cases) {
    Program program = testing::example();
    c.change(program);
    Status status = verify(program);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << c.rule;
    EXPECT_NE(status.message().find(c.rule), std::string::npos) << "gives " << status.message() << "\nwants " << c.rule;
    print(program);  // printing a broken program is defined
  }
}

TEST(Verify, NamesTheInstructionAndItsNumber) {
  Expected<Program> parsed =
      parse("kernel @k(%a: i32, %b: i64) block 32 {\n%p = cmp.eq %a, %a\nif %p {\n%x = add %a, %b\n}\n}");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(verify(*parsed).message(), "kernel @k, instruction 3 `%x = add %a, %b`: operands are two i32 or two i64");
}

}  // namespace
}  // namespace tailor::codegen::kernel
