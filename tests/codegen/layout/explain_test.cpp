// Widths and tails are held against every address of the layout, enumerated; reasons and edges by what they must name.
#include "codegen/layout/explain.h"

#include <map>
#include <random>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "codegen/layout/cute_notation.h"

namespace tailor::codegen::layout {
namespace {

using testing::HasSubstr;
using Json = nlohmann::json;

Json explain(const Json& request) {
  const auto answer = explain_json(request.dump());
  EXPECT_TRUE(answer.ok()) << request.dump() << ": " << answer.status().message();
  return answer.ok() ? Json::parse(*answer) : Json();
}

std::string refused(std::string_view request) {
  const auto answer = explain_json(request);
  EXPECT_FALSE(answer.ok()) << request;
  return answer.status().message();
}

TEST(Explain, TheWorkedExamplesOfTheHeader) {
  const Json packed = explain({{"layout", "(100,37):(37,1)"}, {"element_bytes", 2}});
  EXPECT_EQ(packed["vector_bytes"], 16);
  EXPECT_EQ(packed["pieces"][0]["run_bytes"], "= 7400");
  const Json padded = explain({{"layout", "(100,37):(40,1)"}, {"element_bytes", 2}});
  EXPECT_EQ(padded["vector_bytes"], 16);
  EXPECT_EQ(padded["pieces"][0]["vectors_per_run"], 4);
  EXPECT_EQ(padded["pieces"][0]["tail"], "8+2 bytes: 74 = 4*16 + 8 + 2");
}

// A run is cut into vectors from its start; each must be aligned and hold consecutive addresses of the layout.
TEST(Explain, VectorsOfRandomLayoutsAreAlignedAndContiguous) {
  std::mt19937_64 rng(4);
  for (int round = 0; round < 400; ++round) {
    const int64_t e0 = 1 + static_cast<int64_t>(rng() % 12);
    const int64_t e1 = 1 + static_cast<int64_t>(rng() % 12);
    const bool packed = rng() % 2 == 0;
    const int64_t pitch = packed ? e1 : e1 + static_cast<int64_t>(rng() % 9);
    const int64_t elem = int64_t{1} << rng() % 4;
    const int64_t align = int64_t{1} << (3 + rng() % 3);
    const std::string text = fmt::format("({},{}):({},1)", e0, e1, pitch);
    const Json answer = explain({{"layout", text}, {"element_bytes", elem}, {"base_align", align}});
    const Json& piece = answer["pieces"][0];
    const int64_t width = answer["vector_bytes"];
    std::set<int64_t> bytes;
    const std::vector<int64_t> values = *parse_cute(text)->values();
    for (int64_t v : values) {
      for (int64_t b = 0; b < elem; ++b) bytes.insert(v * elem + b);
    }
    const int64_t vectors = piece["vectors_per_run"];
    // Starts of runs: addresses whose predecessor is not in the same run, by the definition of the answer's run length.
    const int64_t run_bytes = std::stoll(piece["run_bytes"].get<std::string>().substr(2));
    for (int64_t v : values) {
      const int64_t within = pitch == e1 || e0 == 1 ? v * elem % run_bytes : v % pitch * elem;
      if (within != 0) continue;
      for (int64_t k = 0; k < vectors; ++k) {
        const int64_t at = v * elem + k * width;
        ASSERT_EQ((at + align) % std::min(width, align), 0) << text;
        for (int64_t b = 0; b < width; ++b) ASSERT_TRUE(bytes.contains(at + b)) << text << " width " << width;
      }
    }
    ASSERT_LE(width, std::max<int64_t>(16, elem));
    ASSERT_LE(width, align) << text;
  }
}

TEST(Explain, TheFactThatWouldWidenIsNamedAndDoesWiden) {
  const Json narrow = explain({{"layout", "layout [s] (i: 64, j: 128) -> 1 { : (s*i + j); }"}, {"element_bytes", 2}});
  EXPECT_EQ(narrow["vector_bytes"], 2);
  EXPECT_THAT(narrow["pieces"][0]["reason"].get<std::string>(),
              HasSubstr("the fact that s is a multiple of 2 elements would allow 4"));
  const Json wide = explain(
      {{"layout", "layout [s] (i: 64, j: 128) -> 1 { : (s*i + j); }"}, {"element_bytes", 2}, {"facts", {"s % 8 = 0"}}});
  EXPECT_EQ(wide["vector_bytes"], 16);
  EXPECT_EQ(wide["tma"], "legal");
}

TEST(Explain, AGuardThatEndsTheRunGivesTheTailAtTheEdge) {
  const Json answer = explain({{"layout", "layout [M, s] (i: 64, j: 128) -> 1 { when M - j - 1 >= 0: (s*i + j); }"},
                               {"element_bytes", 2},
                               {"facts", {"M % 128 = 17", "s % 8 = 0"}}});
  EXPECT_EQ(answer["pieces"][0]["tail"], "none where the run is whole, 2 bytes at the edge");
  EXPECT_THAT(answer["pieces"][0]["edge"].get<std::string>(), HasSubstr("the run ends at M - j - 1 >= 0"));
  EXPECT_EQ(answer["guards"][0]["verdict"], "left");
}

TEST(Explain, DischargedGuardsVanishAndCuttingGuardsLimitToElements) {
  const char* text = "layout [M, s] (i: 64, j: 128) -> 1 { when M - i - j - 1 >= 0: (s*i + j); }";
  const Json cut = explain({{"layout", text}, {"element_bytes", 2}, {"facts", {"s % 8 = 0"}}});
  EXPECT_EQ(cut["vector_bytes"], 2);
  EXPECT_EQ(cut["pieces"][0]["body_vector_bytes"], 16);
  EXPECT_THAT(cut["pieces"][0]["edge"].get<std::string>(), HasSubstr("may cut through a vector"));
  const Json decided = explain({{"layout", text}, {"element_bytes", 2}, {"facts", {"s % 8 = 0", "M >= 200"}}});
  EXPECT_EQ(decided["vector_bytes"], 16);
  EXPECT_EQ(decided["guards"][0]["verdict"], "proved: it vanishes");
}

TEST(Explain, PiecesAreExplainedOneByOne) {
  const Json answer = explain({{"layout",
                                "layout [n] (i: n + 5, j: 8) -> 1 { when -i + n - 1 >= 0: (8*i + j); "
                                "when i - n >= 0: (12*i + j - 4*n); }"},
                               {"element_bytes", 2}});
  ASSERT_EQ(answer["pieces"].size(), 2u);
  EXPECT_EQ(answer["pieces"][0]["vector_bytes"], 16);
  EXPECT_EQ(answer["pieces"][1]["vector_bytes"], 8);
  EXPECT_EQ(answer["vector_bytes"], 8);
}

TEST(Explain, ASwizzleKeepsTwoToTheMElementsTogether) {
  EXPECT_EQ(explain({{"layout", "Sw<3,3,3> o (8,64):(64,1)"}, {"element_bytes", 2}})["vector_bytes"], 16);
  const Json torn = explain({{"layout", "Sw<3,2,3> o (8,64):(64,1)"}, {"element_bytes", 2}});
  EXPECT_EQ(torn["vector_bytes"], 8);
  EXPECT_THAT(torn["pieces"][0]["reason"].get<std::string>(), HasSubstr("Sw<3,2,3> keeps only 4 elements"));
}

TEST(Explain, AMisalignedBaseIsNamedAndItsPeelGiven) {
  const Json answer = explain({{"layout", "64:1"}, {"element_bytes", 2}, {"base_align", 16}, {"base_residue", 6}});
  EXPECT_EQ(answer["vector_bytes"], 2);
  EXPECT_THAT(answer["pieces"][0]["peel"].get<std::string>(), HasSubstr("2+8+16"));
  EXPECT_THAT(answer["tma"][0].get<std::string>(), HasSubstr("aligned to 16"));
}

TEST(Explain, GuardsAreReportedWithTheTimeAtWhichTheyAreDecided) {
  const Json request = {{"layout", "layout [M] (t: 4, r: 128) -> 1 { when M - 128*t - r - 1 >= 0: (128*t + r); }"},
                        {"element_bytes", 2},
                        {"facts", {"M % 8 = 0", "M >= 8"}}};
  Json answer = explain(request);
  EXPECT_EQ(answer["guards"][0]["binding"], "thread");
  EXPECT_EQ(answer["body"], "M - 512 >= 0") << "t and r are both loops of constant extent";
  EXPECT_EQ(answer["body_decided"], "launch");
  Json bound = request;
  bound["bindings"] = {{"t", "launch"}, {"M", "bucket"}};
  answer = explain(bound);
  EXPECT_EQ(answer["guards"][0]["binding"], "thread");
  EXPECT_EQ(answer["body"], "M - 128*t - 128 >= 0");
  EXPECT_EQ(answer["fringe"], "-M + 128*t + 127 >= 0 and M - r - 128*t - 1 >= 0");
  EXPECT_EQ(answer["body_decided"], "launch");
  bound["bindings"] = {{"r", "later"}};
  EXPECT_THAT(refused(bound.dump()), HasSubstr("must be one of static, bucket, launch, thread, device"));
  EXPECT_THAT(refused(R"json({"layout":"8:1","bindings":[1]})json"), HasSubstr("must be an object"));
  EXPECT_FALSE(explain({{"layout", "8:1"}}).contains("body"));
}

TEST(Explain, AGuardThatStopsTheWidthIsNamedWithTheFactThatWouldHelp) {
  const char* text = "layout [M, s] (i: 64, j: 128) -> 1 { when M - i - j - 1 >= 0: (s*i + j); }";
  Json request = {{"layout", text}, {"element_bytes", 2}, {"facts", {"s % 8 = 0"}}};
  const std::string reason = explain(request)["pieces"][0]["reason"];
  EXPECT_THAT(reason,
              HasSubstr("vector 2: the guard M - i - j - 1 >= 0 may cut through a vector; the fact M - 191 >= 0 "
                        "would allow 16"));
  request["facts"].push_back("M - 191 >= 0");
  EXPECT_EQ(explain(request)["vector_bytes"], 16) << "and it does";
}

TEST(Explain, ATailThatIsNotKnownSaysWhatItDependsOn) {
  Json request = {{"layout", "layout [M] (j: 128) -> 1 { when M - j - 1 >= 0: (j); }"}, {"element_bytes", 2}};
  EXPECT_EQ(explain(request)["pieces"][0]["tail"],
            "any of 0, 2 … 14 bytes, it depends on M: the residue of it mod 8 would fix it");
  request["facts"] = {"M % 8 = 3"};
  EXPECT_EQ(explain(request)["pieces"][0]["tail"], "none where the run is whole, 4+2 bytes at the edge");
}

// A pitch of 74 bytes breaks a rule of tensor maps; the packed rows are one dimension without a pitch.
TEST(Explain, TheTensorMapOfTheCoalescedLayoutIsTriedToo) {
  EXPECT_EQ(explain({{"layout", "(37,100):(1,37)"}, {"element_bytes", 2}})["tma"],
            "legal when coalesced to [3700], innermost first");
  EXPECT_EQ(explain({{"layout", "(100,37):(37,1)"}, {"element_bytes", 2}})["tma"],
            "legal when coalesced to [3700], innermost first");
  EXPECT_EQ(explain({{"layout", "(40,100):(1,40)"}, {"element_bytes", 2}})["tma"], "legal");
  EXPECT_TRUE(explain({{"layout", "(37,100):(1,39)"}, {"element_bytes", 2}})["tma"].is_array());
}

// The last byte of a run must have a place in 64 bits, as a stride in bytes must.
TEST(Explain, ARunWhoseBytesOverflowIsRefused) {
  const auto request = [](std::string layout, int64_t element_bytes, std::vector<std::string> facts = {}) {
    return Json{{"layout", std::move(layout)}, {"element_bytes", element_bytes}, {"facts", std::move(facts)}};
  };
  const char* ragged = "layout [M] (i: M) -> 1 { when M - i - 1 >= 0: (i); }";
  for (const Json& beyond : {request("4611686018427387904:1", 2), request("9223372036854775807:1", 2),
                             request("(4,2305843009213693951):(1,4)", 16), request("1152921504606846976:1", 8),
                             request(ragged, 2, {"M >= 4611686018427387904"})}) {
    EXPECT_THAT(refused(beyond.dump()), HasSubstr("bytes overflow 64-bit integers")) << beyond.dump();
  }
  EXPECT_EQ(explain(request("4611686018427387903:1", 2))["pieces"][0]["run_bytes"], "= 9223372036854775806");
  EXPECT_EQ(explain(request("4611686018427387903:1", 2))["pieces"][0]["vectors_per_run"], 576460752303423487);
  EXPECT_TRUE(explain(request(ragged, 2)).contains("pieces"));
}

TEST(Explain, BadRequestsAreRefusedByMember) {
  // Nested values that a recursive print or copy would die of.
  EXPECT_THAT(refused("{\"element_bytes\":" + std::string(400000, '[') + std::string(400000, ']') + "}"),
              HasSubstr("nested more than 64"));
  EXPECT_THAT(refused("["), HasSubstr("not one JSON object"));
  EXPECT_THAT(refused("[]"), HasSubstr("not one JSON object"));
  EXPECT_THAT(refused(std::string((1 << 20) + 1, ' ')), HasSubstr("longer than 1048576 bytes"));
  EXPECT_THAT(refused("{}"), HasSubstr("no 'layout'"));
  EXPECT_THAT(refused(R"json({"layout":5})json"), HasSubstr("'layout' must be a string"));
  EXPECT_THAT(refused(R"json({"layout":"8:1","width":1})json"), HasSubstr("member 'width'"));
  EXPECT_THAT(refused(R"json({"layout":"8:1","element_bytes":0})json"), HasSubstr("'element_bytes' is 0"));
  EXPECT_THAT(refused(R"json({"layout":"8:1","element_bytes":3})json"), HasSubstr("must be 1, 2, 4, 8 or 16"));
  EXPECT_THAT(refused(R"json({"layout":"8:1","element_bytes":18446744073709551615})json"),
              HasSubstr("'element_bytes'"));
  EXPECT_THAT(refused(R"json({"layout":"8:1","element_bytes":1.5})json"), HasSubstr("must be an integer"));
  EXPECT_THAT(refused(R"json({"layout":"(8,8:(1,8)"})json"), HasSubstr("position"));
  EXPECT_THAT(refused(R"json({"layout":"8:1","facts":["M ="]})json"), HasSubstr("position"));
  EXPECT_THAT(refused(R"json({"layout":"8:1","facts":["M = 3","M = 4"]})json"), HasSubstr("M"));
  EXPECT_THAT(refused(R"json({"layout":"8:1","facts":[3]})json"), HasSubstr("list of strings"));
  EXPECT_THAT(refused(R"json({"layout":"layout [] (i: 4) -> 2 { : (i, i); }"})json"), HasSubstr("2 outputs"));
  EXPECT_FALSE(explain_json("{\"layout\":\"\xff\"}").ok());
}

}  // namespace
}  // namespace tailor::codegen::layout
