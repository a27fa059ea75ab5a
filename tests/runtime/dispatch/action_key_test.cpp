// Cache keys: everything that decides the bytes is in them, nothing else is.
#include "runtime/dispatch/action_key.h"

#include <set>

#include <gtest/gtest.h>

#include "runtime/bucket/key_space.h"
#include "runtime/dispatch/generator_digest.h"

namespace tailor {
namespace {

TEST(ActionKey, SeparatesKeysAndDigestsAndPrintsBack) {
  const auto keys = enumerate_keys({OpId::kPagedAppend, Arch::kSm80, Emitter::kLlvm, Lowering::kTail, 2, 16, 8, 128});
  std::set<std::string> seen;
  for (const Key& key : *keys) {
    for (const char* digest : {"", "a", "ab"}) {
      const std::string bytes = action_key(key, digest);
      EXPECT_TRUE(seen.insert(bytes).second);
      EXPECT_EQ(describe_action_key(bytes), to_string(key) + " generator=" + digest);
    }
  }
}

TEST(ActionKey, OtherBytesPrintAsTheyAre) {
  EXPECT_EQ(describe_action_key("text:0123"), "text:0123");
  EXPECT_EQ(describe_action_key(std::string("\x01\xff", 2)), "01ff");
  EXPECT_EQ(describe_action_key(""), "");
}

TEST(TextKey, ChangesWithEachPart) {
  EmittedKernel base;
  base.entry = "tailor_paged_gather";
  base.text = ".version 8.3";
  const std::string tools = "NVRTC 13.0, nvJitLink 13.0";
  std::set<std::string> seen = {text_key(base, tools)};
  const auto differs = [&](auto change) {
    EmittedKernel k = base;
    std::string t = tools;
    change(k, t);
    EXPECT_TRUE(seen.insert(text_key(k, t)).second);
  };
  differs([](auto& k, auto&) { k.text += " "; });
  differs([](auto& k, auto&) { k.entry += "2"; });
  differs([](auto& k, auto&) { k.arch = Arch::kSm90a; });
  differs([](auto& k, auto&) { k.emitter = Emitter::kNvrtc; });
  differs([](auto&, auto& t) { t = "NVRTC 13.0, nvJitLink missing"; });
  differs([](auto&, auto& t) { t.clear(); });
  // Parts are length-prefixed: a byte that moves from one to the next makes another key.
  differs([](auto& k, auto& t) { k.text = "3" + k.text, t.pop_back(); });
  // Plans and timings do not count.
  EmittedKernel k = base;
  k.phases = {{"emit", 3}};
  k.plan.dynamic_shared_bytes = 7;
  EXPECT_EQ(text_key(k, tools), text_key(base, tools));
}

TEST(GeneratorDigest, IsThirtyTwoHexDigits) {
  EXPECT_EQ(generator_digest().size(), 32u);
  EXPECT_EQ(generator_digest().find_first_not_of("0123456789abcdef"), std::string_view::npos);
}

}  // namespace
}  // namespace tailor
