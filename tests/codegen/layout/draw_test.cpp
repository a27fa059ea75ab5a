// The picture is read back: every cell's number against the layout, marks counted, text escaped, XML well-formed.
#include "codegen/layout/draw.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "codegen/layout/cute_notation.h"
#include "codegen/layout/draw_scene.h"

namespace tailor::codegen::layout {
namespace {

using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::json;

std::string draw(const Json& request) {
  const auto svg = draw_json(request.dump());
  EXPECT_TRUE(svg.ok()) << request.dump() << ": " << svg.status().message();
  return svg.ok() ? *svg : "";
}

Scene scene(const Json& request) {
  const auto made = make_scene(request.dump());
  EXPECT_TRUE(made.ok()) << request.dump() << ": " << made.status().message();
  return made.ok() ? *made : Scene{};
}

std::string refused(std::string_view request) {
  const auto svg = draw_json(request);
  EXPECT_FALSE(svg.ok()) << request;
  return svg.status().message();
}

size_t count(const std::string& text, std::string_view part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

// Tags open and close in order, and no text holds a raw '<' or '&'.
void expect_well_formed(const std::string& svg) {
  std::vector<std::string> open;
  const std::regex tag(R"(<(/?)([a-zA-Z]+)([^<>]*?)(/?)>)");
  std::string rest;
  std::sregex_iterator it(svg.begin(), svg.end(), tag);
  size_t last = 0;
  for (; it != std::sregex_iterator(); ++it) {
    rest += svg.substr(last, static_cast<size_t>(it->position()) - last);
    last = static_cast<size_t>(it->position() + it->length());
    if ((*it)[1].length() != 0) {
      ASSERT_FALSE(open.empty());
      ASSERT_EQ(open.back(), (*it)[2].str());
      open.pop_back();
    } else if ((*it)[4].length() == 0) {
      open.push_back((*it)[2].str());
    }
  }
  EXPECT_TRUE(open.empty());
  EXPECT_EQ(rest.find('<'), std::string::npos);
  EXPECT_FALSE(std::regex_search(rest, std::regex("&(?!amp;|lt;|gt;|quot;|apos;)")));
}

TEST(Draw, EveryCellShowsItsIndexAndAddress) {
  const Scene s = scene({{"layout", "(8,(2,3)):(6,(1,2))"}});
  const std::vector<int64_t> values = *parse_cute("(8,(2,3)):(6,(1,2))")->values();
  EXPECT_EQ(s.rows, 8);
  EXPECT_EQ(s.columns, 6);
  ASSERT_EQ(s.cells.size(), values.size());
  for (size_t i = 0; i < s.cells.size(); ++i) {
    const Cell& cell = s.cells[i];
    EXPECT_EQ(cell.index, static_cast<int64_t>(i / 6 + i % 6 * 8));
    EXPECT_EQ(cell.address, values[static_cast<size_t>(cell.index)]);
  }
  const std::string svg = draw({{"layout", "(8,(2,3)):(6,(1,2))"}});
  for (int64_t v : values) EXPECT_THAT(svg, HasSubstr(fmt::format("font-weight=\"bold\">{}</text>", v)));
  expect_well_formed(svg);
}

TEST(Draw, LayoutsOfOneModeAreWrapped) {
  const Scene s = scene({{"layout", "100:3"}});
  EXPECT_EQ(s.columns, 16);
  EXPECT_EQ(s.rows, 7);
  EXPECT_EQ(s.cells.size(), 100u);
  EXPECT_EQ(s.cells[99].address, 297);
  EXPECT_EQ(scene({{"layout", "20:1"}}).rows, 1);
}

TEST(Draw, ASwizzleRemovesTheConflictsOfColumns) {
  const Scene plain = scene({{"layout", "(8,8):(8,1)"}, {"element_bytes", 16}, {"banks", "nvidia"}});
  const Scene swizzled =
      scene({{"layout", "(8,8):(8,1)"}, {"swizzle", "Sw<3,0,3>"}, {"element_bytes", 16}, {"banks", "nvidia"}});
  for (size_t c = 0; c < 8; ++c) {
    EXPECT_EQ(plain.row_passes[c].cost, 1);
    EXPECT_EQ(plain.column_passes[c].cost, 8);
    EXPECT_EQ(swizzled.row_passes[c].cost, 1);
    EXPECT_EQ(swizzled.column_passes[c].cost, 1);
  }
  for (const Cell& cell : swizzled.cells) {
    const int64_t linear = cell.index % 8 * 8 + cell.index / 8;
    EXPECT_EQ(cell.address, linear ^ linear / 8);
    EXPECT_EQ(*cell.bank, cell.address * 4 % 32);
  }
}

TEST(Draw, ThreadsByNumberAndByLayout) {
  for (const Cell& cell : scene({{"layout", "(8,8):(8,1)"}, {"threads", 32}}).cells) {
    EXPECT_EQ(*cell.thread, cell.index % 32);
  }
  const Scene owned = scene({{"layout", "(8,8):(8,1)"}, {"threads", "(32,2):(2,1)"}});
  for (const Cell& cell : owned.cells) EXPECT_EQ(*cell.thread, cell.index / 2);
  EXPECT_EQ(owned.threads, 32);
}

// The owners of each index counted by hand: thread t of 4 has the indices t … t + 2 of 6.
TEST(Draw, WhatSeveralThreadsOwnIsMarked) {
  const Json request = {{"layout", "6:1"}, {"threads", "(4,3):(1,1)"}};
  const Scene s = scene(request);
  std::vector<std::vector<int64_t>> owners(6);
  for (int64_t t = 0; t < 4; ++t) {
    for (int64_t v = 0; v < 3; ++v) owners[static_cast<size_t>(t + v)].push_back(t);
  }
  size_t shared = 0;
  const std::string svg = draw(request);
  for (const Cell& cell : s.cells) {
    const std::vector<int64_t>& want = owners[static_cast<size_t>(cell.index)];
    EXPECT_TRUE(std::find(want.begin(), want.end(), *cell.thread) != want.end()) << cell.index;
    EXPECT_EQ(cell.sharers, std::ssize(want) - 1) << cell.index;
    shared += want.size() > 1 ? 1 : 0;
    if (want.size() < 2) continue;
    EXPECT_THAT(svg, HasSubstr(fmt::format(">t{}+{}</text>", *cell.thread, want.size() - 1)));
  }
  EXPECT_EQ(count(svg, "stroke=\"#b42318\""), shared + 1) << "a frame for each, and the legend";
  EXPECT_THAT(svg, HasSubstr("owned by n further threads"));
  expect_well_formed(svg);
  // A thread that names an index twice shares it with nobody.
  const Json twice = {{"layout", "8:1"}, {"threads", "(4,(2,2)):(2,(1,0))"}};
  for (const Cell& cell : scene(twice).cells) EXPECT_EQ(cell.sharers, 0);
  EXPECT_THAT(draw(twice), Not(HasSubstr("further threads")));
}

// 4096 columns side by side would be 140000 pixels; nothing lies beyond the frame of 64.
TEST(Draw, WidePicturesGoOnBelow) {
  for (const char* layout : {"(1,4096):(0,1)", "(2,130):(130,1)", "(4,65):(1,4)"}) {
    const Json request = {{"layout", layout}, {"banks", "nvidia"}, {"vector", 4}};
    const Scene s = scene(request);
    const std::string svg = draw(request);
    expect_well_formed(svg);
    const std::regex frame(R"re(x="([0-9.]+)" y="([0-9.]+)" width="([0-9.]+)" height="([0-9.]+)" class="frame")re");
    size_t frames = 0;
    for (std::sregex_iterator it(svg.begin(), svg.end(), frame), end; it != end; ++it, ++frames) {
      EXPECT_LE(std::stod((*it)[3]), 64 * 64.0) << layout;
    }
    EXPECT_EQ(frames, static_cast<size_t>((s.columns + 63) / 64)) << layout;
    const std::regex size(R"re(<svg [^>]*width="([0-9]+)" height="([0-9]+)")re");
    std::smatch found;
    ASSERT_TRUE(std::regex_search(svg, found, size));
    const double width = std::stod(found[1]), height = std::stod(found[2]);
    EXPECT_LT(width, 5000) << layout;
    // Every cell has a place of its own inside the picture.
    const std::regex cell(
        R"re(<rect x="([0-9.]+)" y="([0-9.]+)" width="[0-9.]+" height="[0-9.]+" fill="[^"]*" stroke="#9aa3af" stroke-width="0.8")re");
    std::set<std::pair<double, double>> places;
    for (std::sregex_iterator it(svg.begin(), svg.end(), cell), end; it != end; ++it) {
      places.emplace(std::stod((*it)[1]), std::stod((*it)[2]));
      EXPECT_LT(std::stod((*it)[1]), width);
      EXPECT_LT(std::stod((*it)[2]), height);
    }
    EXPECT_GE(places.size(), s.cells.size()) << layout;
  }
}

TEST(Draw, GuardsAndTailsAreHatched) {
  const Json request = {{"layout", "layout [M] (i: 4, j: 16) -> 1 { when M - 16*i - j - 1 >= 0: (16*i + j); }"},
                        {"values", {{"M", 43}}},
                        {"vector", 8}};
  const Scene s = scene(request);
  for (const Cell& cell : s.cells) {
    EXPECT_EQ(cell.state, cell.index >= 43   ? CellState::kGuarded
                          : cell.index >= 40 ? CellState::kTail
                                             : CellState::kFull);
  }
  const std::string svg = draw(request);
  EXPECT_EQ(count(svg, "url(#guard)"), 21u + 1);  // the cells and the legend
  EXPECT_EQ(count(svg, "url(#tail)"), 3u + 1);
  EXPECT_THAT(svg, HasSubstr("outside the guard"));
  expect_well_formed(svg);
  const Scene extra = scene({{"layout", "(8,8):(8,1)"}, {"guard", "m0 + m1 <= 7 and m0 >= 1"}});
  for (const Cell& cell : extra.cells) {
    const bool inside = cell.index % 8 + cell.index / 8 <= 7 && cell.index % 8 >= 1;
    EXPECT_EQ(cell.state == CellState::kFull, inside);
  }
}

TEST(Draw, TextIsEscaped) {
  const std::string svg = draw({{"layout", "4:1"}, {"title", "<script>alert('x')</script> & \"y\"\n\x01"}});
  EXPECT_THAT(svg, Not(HasSubstr("<script")));
  EXPECT_THAT(svg, HasSubstr("&lt;script&gt;alert(&apos;x&apos;)&lt;/script&gt; &amp; &quot;y&quot;"));
  expect_well_formed(svg);
}

// The words of a shell line: single quotes, and a backslash that continues it.
std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  bool quoted = false;
  bool any = false;
  for (char c : line + " ") {
    if (c == '\'') {
      quoted = !quoted;
      any = true;
    } else if (!quoted && (c == ' ' || c == '\n' || c == '\\')) {
      if (any) words.push_back(word);
      word.clear();
      any = false;
    } else {
      word += c;
      any = true;
    }
  }
  return words;
}

// Every `tailor layout draw` that docs/LAYOUTS.md shows makes the picture of that name beside it, and each is shown.
TEST(Draw, ThePicturesOfTheDocumentationAreWhatItsCommandsPrint) {
  std::ifstream page(std::string(TAILOR_SOURCE_DIR) + "/docs/LAYOUTS.md");
  std::stringstream text;
  text << page.rdbuf();
  const std::string words = text.str();
  const std::string command = "$ tailor layout draw ";
  size_t pictures = 0;
  for (size_t at = words.find(command); at != std::string::npos; at = words.find(command, at + 1)) {
    const std::vector<std::string> arguments = words_of(words.substr(at, words.find("\n\n", at) - at));
    Json request{{"layout", arguments.at(4)}};
    std::string file;
    for (size_t i = 5; i + 1 < arguments.size(); i += 2) {
      const std::string& value = arguments[i + 1];
      if (arguments[i] == "-o") {
        file = value;
        continue;
      }
      ASSERT_EQ(arguments[i], "--set");
      const std::string member = value.substr(value.find('=') + 1);
      const Json parsed = Json::parse(member, nullptr, false);
      request[value.substr(0, value.find('='))] = parsed.is_discarded() ? Json(member) : parsed;
    }
    std::ifstream stored(fmt::format("{}/docs/pictures/{}", TAILOR_SOURCE_DIR, file));
    std::stringstream svg;
    svg << stored.rdbuf();
    EXPECT_TRUE(svg.str() == draw(request)) << "docs/pictures/" << file << " is stale";
    EXPECT_THAT(words, HasSubstr(fmt::format("](pictures/{})", file)));
    ++pictures;
  }
  EXPECT_EQ(pictures, count(words, "](pictures/"));
  EXPECT_GE(pictures, 3u);
}

// Numbers in the corners of a cell do not touch, however many digits they have.
TEST(Draw, CellsHoldTheirNumbers) {
  for (const auto& [layout, threads] : {std::pair{"(64,64):(1,64)", Json(4096)},
                                        {"(32,32):(32,1)", Json(32)},
                                        {"(2,2):(1,2)", Json(4)},
                                        {"(64,64):(1,64)", Json("(1024,4):(1,0)")}}) {
    const std::string svg = draw({{"layout", layout}, {"threads", threads}, {"banks", "nvidia"}});
    const std::regex text(
        R"re(<text x="([0-9.]+)" y="([0-9.]+)" font-size="9.5" fill="[^"]*" text-anchor="(start|end)"[^>]*>([^<]*)<)re");
    std::map<std::string, std::vector<std::pair<double, double>>> lines;  // y -> from, to
    for (std::sregex_iterator it(svg.begin(), svg.end(), text), end; it != end; ++it) {
      const double x = std::stod((*it)[1]);
      const double width = 9.5 * 0.64 * static_cast<double>((*it)[4].length());
      lines[(*it)[2]].emplace_back((*it)[3] == "start" ? x : x - width, (*it)[3] == "start" ? x + width : x);
    }
    EXPECT_FALSE(lines.empty());
    for (auto& [y, spans] : lines) {
      std::sort(spans.begin(), spans.end());
      for (size_t i = 1; i < spans.size(); ++i) ASSERT_LT(spans[i - 1].second, spans[i].first) << layout << " at " << y;
    }
  }
}

TEST(Draw, ExactlyTheLimitIsDrawnAndOneMoreIsRefused) {
  expect_well_formed(draw({{"layout", "(64,64):(1,64)"}, {"threads", 128}}));
  EXPECT_THAT(refused(R"json({"layout":"(17,241):(1,17)"})json"), HasSubstr("more than 4096 cells"));
  EXPECT_THAT(refused(R"json({"layout":"(4611686018427387904,1):(0,0)"})json"), HasSubstr("more than 4096 cells"));
}

TEST(Draw, BadRequestsAreRefusedByMember) {
  EXPECT_THAT(refused("{"), HasSubstr("not one JSON object"));
  EXPECT_THAT(refused("{}"), HasSubstr("no 'layout'"));
  EXPECT_THAT(refused(R"json({"layout":"0:1"})json"), HasSubstr("nothing to draw"));
  EXPECT_THAT(refused(R"json({"layout":"8:1","colour":"red"})json"), HasSubstr("member 'colour'"));
  EXPECT_THAT(refused(R"json({"layout":"8:1","threads":0})json"), HasSubstr("'threads' is 0"));
  EXPECT_THAT(refused(R"json({"layout":"8:1","threads":"16:1"})json"), HasSubstr("names index 8"));
  EXPECT_THAT(refused(R"json({"layout":"8:1","threads":"(0,8):(1,1)"})json"), HasSubstr("thread"));
  EXPECT_THAT(refused(R"json({"layout":"8:1","banks":"gfx90a"})json"), HasSubstr("neither published nor measured"));
  const auto unknown = draw_json(R"json({"layout":"8:1","banks":"foo"})json");
  EXPECT_EQ(unknown.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(unknown.status().message(), HasSubstr("'banks': no bank model of architecture 'foo'"));
  EXPECT_THAT(refused(R"json({"layout":"8:1","layout":"4:1"})json"), HasSubstr("gives 'layout' twice"));
  EXPECT_THAT(refused(R"json({"layout":"8:1","banks":3})json"), HasSubstr("not one JSON object"));
  EXPECT_THAT(refused(R"json({"layout":"8:1","banks":{"arch":"nvidia","width":3}})json"), HasSubstr("width"));
  EXPECT_THAT(refused(R"json({"layout":"8:-1","banks":"nvidia"})json"), HasSubstr("at least 0"));
  EXPECT_THAT(refused(R"json({"layout":"8:-1","swizzle":"Sw<1,0,1>"})json"), HasSubstr("at least 0"));
  EXPECT_THAT(refused(R"json({"layout":"8:1","swizzle":"Sw<3"})json"), HasSubstr("position"));
  EXPECT_THAT(refused(R"json({"layout":"Sw<1,0,1> o 8:1","swizzle":"Sw<1,0,1>"})json"), HasSubstr("a second"));
  EXPECT_THAT(refused(R"json({"layout":"layout [n] (i: n) -> 1 { : (i); }"})json"), HasSubstr("n has no value"));
  EXPECT_THAT(refused(R"json({"layout":"layout [s] (i: 4) -> 1 { : (s*i); }"})json"), HasSubstr("s"));
  EXPECT_THAT(refused(R"json({"layout":"8:1","guard":"q < 3"})json"), HasSubstr("q"));
  EXPECT_THAT(refused(R"json({"layout":"8:1","guard":"m0 <"})json"), HasSubstr("position"));
  EXPECT_THAT(refused(R"json({"layout":"8:1","vector":0})json"), HasSubstr("'vector' is 0"));
  EXPECT_THAT(refused(R"json({"layout":"8:1","values":{"M":"x"}})json"), HasSubstr("must be an integer"));
  EXPECT_THAT(refused(R"json({"layout":"2:4611686018427387904"})json"), HasSubstr("2^56"));
}

}  // namespace
}  // namespace tailor::codegen::layout
