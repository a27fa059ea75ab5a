// Every line gets one answer of the promised form, whatever it holds.
#include "codegen/layout/eval.h"

#include <random>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace tailor::codegen::layout {
namespace {

using Json = nlohmann::json;

// The answer, with its form checked.
Json answer(const std::string& line) {
  const std::string text = evaluate_line(line);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const Json json = Json::parse(text, nullptr, false);
  EXPECT_TRUE(json.is_object() && json.contains("ok") && json["ok"].is_boolean()) << text;
  if (!json.is_object() || !json.contains("ok")) return Json::object();
  if (json["ok"] == true) {
    EXPECT_TRUE(json["layout"].is_string() && json["size"].is_number() && json["cosize"].is_number()) << text;
    EXPECT_EQ(json.contains("values"), json["size"].get<int64_t>() <= 4096) << text;
    if (json.contains("values")) {
      EXPECT_EQ(json["values"].size(), json["size"].get<size_t>());
    }
  } else {
    EXPECT_TRUE(json["reason"].is_string() && !json["reason"].get<std::string>().empty()) << text;
    EXPECT_TRUE(json["fault"] == "question" || json["fault"] == "operation") << text;
  }
  return json;
}

std::string layout(const std::string& line) {
  const Json json = answer(line);
  return json.value("layout", json.value("reason", ""));
}

TEST(Eval, AnswersTheDocumentedQuestions) {
  EXPECT_EQ(
      evaluate_line(R"~({"op":"composition","a":"(6,2):(8,2)","b":"(4,3):(3,1)"})~"),
      R"~({"ok":true,"layout":"((2,2),3):((24,2),8)","size":12,"cosize":43,"values":[0,24,2,26,8,32,10,34,16,40,18,42]})~");
  EXPECT_EQ(layout(R"~({"op":"complement","a":"4:1","b":24})~"), "6:4");
  EXPECT_EQ(layout(R"~({"op":"complement","a":"6:4","b":"24"})~"), "4:1");
  EXPECT_EQ(layout(R"~({"op":"logical_divide","a":"(4,2,3):(2,1,8)","b":"4:2"})~"), "((2,2),(2,3)):((4,1),(2,8))");
  EXPECT_EQ(layout(R"~({"op":"logical_divide","a":"(9,(4,8)):(59,(13,1))","b":"<3:3,(2,4):(1,8)>"})~"),
            "((3,3),((2,4),(2,2))):((177,59),((13,2),(26,1)))");
  EXPECT_EQ(layout(R"~({"op":"logical_product","a":"(2,2):(4,1)","b":"6:1"})~"), "((2,2),(2,3)):((4,1),(2,8))");
  EXPECT_EQ(layout(R"~({"op":"evaluate","a":"Sw<1,0,1> o 4:1"})~"), "Sw<1,0,1> o 4:1");
  EXPECT_EQ(answer(R"~({"op":"evaluate","a":"Sw<1,0,1> o 4:1"})~")["values"], (Json{0, 1, 3, 2}));
  EXPECT_EQ(answer(R"~({"op":"evaluate","a":"(3,(2,3)):(3,(12,1))","b":"(1,(0,2))"})~")["value"], 5);
  EXPECT_EQ(answer(R"~({"op":"max_common_vector","a":"(8,8):(8,1)","b":"(8,8):(8,1)"})~")["vector"], 64);
  EXPECT_EQ(layout(R"~({"op":"left_inverse","a":"(4,8):(1,5)"})~"), "(5,8):(1,4)");
  EXPECT_EQ(layout(R"~({"op":"slice","a":"(3,(2,3)):(3,(12,1))","b":"(_,(1,_))"})~"), "12 o (3,3):(3,1)");
  EXPECT_EQ(layout(R"~({"op":"reshape","a":"(4,6):(1,8)","b":"(2,12)"})~"), "(2,(2,6)):(1,(2,8))");
  EXPECT_EQ(layout(R"~({"op":"recast","a":"(8,4):(1,8)","from":8,"to":16})~"), "(4,4):(1,4)");
  EXPECT_EQ(layout(R"~({"op":"from_linear","a":{"in":{"lane":[[1],[2]],"warp":[[4],[8]]},"out":{"dim0":16}}})~"),
            "16:1");
  EXPECT_EQ(answer(R"~({"op":"to_linear","a":"(2,2):(2,1)"})~")["linear"], "{index: (2) (1)} -> {value: 4}");
  EXPECT_EQ(answer(R"~({"op":"to_linear","a":"(2,2):(2,1)","b":"{lane: 2, warp: 2}"})~")["linear"],
            "{lane: (2); warp: (1)} -> {value: 4}");
  EXPECT_EQ(layout(R"~({"op":"from_linear","a":"{lane: (1) (2); warp: (4) (8)} -> {dim0: 16}"})~"), "16:1");
  EXPECT_EQ(layout(R"~({"op":"from_linear","a":"{i: (1) (2) (5) (10)} -> {x: 16}"})~"), "Sw<2,0,2> o 16:1");
  EXPECT_EQ(answer(R"~({"op":"linear_product","a":"{i: (1)} -> {x: 2}","b":"{i: (1)} -> {x: 2}"})~")["linear"],
            "{i: (1) (2)} -> {x: 4}");
  EXPECT_EQ(answer(R"~({"op":"linear_divide_right","a":"{i: (1) (2)} -> {x: 4}","b":"{i: (1)} -> {x: 2}"})~")["linear"],
            "{i: (1)} -> {x: 2}");
  EXPECT_EQ(answer(R"~({"op":"linear_invert_and_compose","a":"{i: (2) (1)} -> {x: 4}","b":"{j: (1) (3)} -> {x: 4}"})~")
                ["linear"],
            "{i: (3) (1)} -> {j: 4}");
  EXPECT_EQ(layout(R"~({"op":"dice","a":"Sw<1,0,1> o (2,4):(4,1)","b":"(_,1)"})~"), "Sw<1,0,1> o (4):(1)");
  EXPECT_EQ(layout(R"~({"op":"nullspace","a":"Xor<1,1> o 4:1"})~"), "2:3");
  EXPECT_EQ(answer(R"~({"op":"evaluate","a":"5000:1"})~").contains("values"), false);
  EXPECT_EQ(answer(R"~({"op":"evaluate","a":"0:1"})~")["cosize"], 0);
}

TEST(Eval, BadQuestionsGetAReason) {
  for (const auto& [line, part] : std::vector<std::pair<std::string, std::string>>{
           {"", "blank"},
           {"   \t\r", "blank"},
           {"{", "not JSON"},
           {"[1]", "must be a JSON object"},
           {"null", "must be a JSON object"},
           {R"~({"a":"4:1"})~", "\"op\" is missing"},
           {R"~({"op":"frobnicate","a":"4:1"})~", "must be one of evaluate, coalesce"},
           {R"~({"op":["coalesce"],"a":"4:1"})~", "\"op\" must be a string"},
           {R"~({"op":"coalesce"})~", "\"a\" is missing"},
           {R"~({"op":"coalesce","a":null})~", "\"a\" must be a string"},
           {R"~({"op":"coalesce","a":1.5})~", "\"a\" is 1.5; it must be a string or an integer"},
           {R"~({"op":"coalesce","a":"4:1","c":1})~", "\"c\" is no member that coalesce takes"},
           {R"~({"op":"coalesce","a":"4:1","b":"2:1"})~", "\"b\" is no member that coalesce takes"},
           {R"~({"op":"complement","a":"4:1","b":8,"order":"(1,0)"})~", "here it takes \"a\", \"b\", \"op\""},
           {R"~({"op":"coalesce","a":"4:1","a":"8:1"})~", "the line gives 'a' twice"},
           {R"~({"op":"from_linear","a":{"in":{"x":[[1]],"x":[[1]]},"out":{"y":2}}})~", "the line gives 'x' twice"},
           {R"~({"op":"coalesce","a":"(4,2:1"})~", "position 4: expected ',' or ')', found ':'"},
           {R"~({"op":"coalesce","a":"(4,2):(1)"})~", "same hierarchy"},
           {R"~({"op":"coalesce","a":"(4294967296,4294967296):(1,1)"})~", "overflows"},
           {R"~({"op":"complement","a":"4:1","b":"x"})~", "must be an integer of 64 bits"},
           {R"~({"op":"complement","a":"4:1","b":99999999999999999999})~", "\"b\" is 1e+20; it must be a string or an"},
           {R"~({"op":"complement","a":"4:1","b":9223372036854775808})~", "must be an integer of 64 bits"},
           {R"~({"op":"complement","a":"4:1","b":-1})~", "must not be negative"},
           {R"~({"op":"left_inverse","a":"(2,2):(1,1)"})~", "indices 1 and 2 both have the value 1"},
           {R"~({"op":"tile_to_shape","a":"4:1","b":"Sw<1,0,1> o 4:1"})~", "without xor factor"},
           {R"~({"op":"complement","a":"Xor<3,6> o 4:1","b":16})~", "not those of a strided layout"},
           {R"~({"op":"nullspace","a":"Xor<1,1> o 3:1"})~", "no inverse"},
           {R"~({"op":"flip","a":"4:1","b":-1})~", "counted from 0"},
           {R"~({"op":"from_linear","a":4})~", "must be a linear layout"},
           {R"~({"op":"from_linear","a":"4:1"})~", "position 0: expected '{', found '4:1'"},
           {R"~({"op":"from_linear","a":"{lane: (1) (3} -> {x: 4}"})~", "position 13: expected ',' or ')'"},
           {R"~({"op":"from_linear","a":{"in":{"x":[[18446744073709551615]]},"out":{"z":2}}})~", "arrays of integers"},
           {R"~({"op":"to_linear","a":"8:1","b":"{lane: 3}"})~", "powers of two"},
           {R"~({"op":"linear_divide_left","a":"{i: (1)} -> {x: 2}","b":"{i: (1) (2)} -> {x: 4}"})~", "no 2 bits"},
           {R"~({"op":"from_linear","a":{"in":{"x":7},"out":{}}})~", "must be an array of arrays"},
           {R"~({"op":"from_linear","a":{"in":{"x":[["y"]]},"out":{"z":2}}})~", "arrays of integers"},
           {std::string("{\"op\":\"coalesce\",\"a\":\"\xff\xfe\"}"), "not JSON"},
           {std::string("\0\0", 2), "not JSON"},
           {R"~({"op":"evaluate","a":")~" + std::string(100000, '(') + R"~("})~", "at most 64 nested"},
           {std::string(3000000, 'x'), "longer than 1048576 bytes"},
           {std::string(900000, '['), "nested more than 64"}}) {
    const Json json = answer(line);
    EXPECT_EQ(json["ok"], false) << line.substr(0, 100);
    EXPECT_NE(json.value("reason", "").find(part), std::string::npos) << line.substr(0, 100) << ": " << json.dump();
  }
  std::string many = "(1";
  for (int i = 0; i < 200000; ++i) many += ",2";
  EXPECT_EQ(answer(R"~({"op":"coalesce","a":")~" + many.substr(0, 1000) + R"~():1"})~")["ok"], false);
  std::string ones = "(1";
  for (int i = 0; i < 100000; ++i) ones += ",1";
  EXPECT_NE(layout(R"~({"op":"coalesce","a":")~" + ones + R"~()"})~").find("at most 64"), std::string::npos);
}

// Who is at fault: the words of the question, or an operation that has no answer.
TEST(Eval, TellsABadQuestionFromAnOperationWithoutAnswer) {
  for (const char* line :
       {R"~({"op":"left_inverse","a":"(2,2):(1,1)"})~", R"~({"op":"complement","a":"4:1","b":-1})~",
        R"~({"op":"upcast","a":"(8,4):(1,6)","b":4})~", R"~({"op":"reshape","a":"(2,3):(5,7)","b":"(3,2)"})~",
        R"~({"op":"evaluate","a":"(4,4):(1,4)","b":"(9,9,9)"})~"}) {
    EXPECT_EQ(answer(line).value("fault", ""), "operation") << line;
  }
  for (const char* line : {"", "{", R"~({"op":"x","a":"4:1"})~", R"~({"op":"coalesce","a":"(4"})~",
                           R"~({"op":"complement","a":"4:1","b":"x"})~", R"~({"op":"complement","a":"4:1"})~",
                           R"~({"op":"coalesce","a":"4:1","z":1})~"}) {
    EXPECT_EQ(answer(line).value("fault", ""), "question") << line;
  }
}

// Lines that are made to break a reader: each is answered, whatever it holds.
TEST(Eval, HostileLinesAreAnswered) {
  std::vector<std::string> lines;
  lines.push_back(std::string(10 << 20, 'x'));
  lines.push_back("{\"op\":\"coalesce\",\"a\":\"" + std::string(10 << 20, '8') + "\"}");
  lines.push_back("{\"op\":\"coalesce\",\"a\":\"" + std::string(1000000, '8') + "\"}");
  for (const char* open : {"[", "{\"a\":", "[{\"a\":", "[[],"}) {
    std::string deep;
    while (deep.size() < 900000) deep += open;
    lines.push_back(deep);
    lines.push_back("{\"op\":\"coalesce\",\"a\":" + deep);
  }
  for (int depth : {62, 63, 64, 65, 100000}) {
    const std::string nested =
        std::string(static_cast<size_t>(depth), '[') + std::string(static_cast<size_t>(depth), ']');
    for (const char* member : {"op", "a", "b", "in"}) {
      lines.push_back(fmt::format("{{\"op\":\"from_linear\",\"{}\":{}}}", member, nested));
      lines.push_back(fmt::format("{{\"op\":\"from_linear\",\"a\":{{\"in\":{{\"x\":{}}},\"out\":{{}}}}}}", nested));
    }
  }
  std::string many = "{\"op\":\"coalesce\"";
  for (int i = 0; i < 100000; ++i) many += fmt::format(",\"m{}\":1", i);
  lines.push_back(many + "}");
  std::string list = "[{}";
  for (int i = 0; i < 300000; ++i) list += ",{}";
  lines.push_back(list + "]");
  for (const char* number :
       {"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
        "18446744073709551615", "18446744073709551616", "1e400", "-1e400", "1e18", "1.5", "-0", "0x10", "NaN",
        "Infinity", "99999999999999999999999999999999999999999999999999999999999999999999999999"}) {
    for (const char* op : {"coalesce", "complement", "composition", "flip", "upcast", "downcast", "recast",
                           "from_linear", "to_linear", "left_inverse", "evaluate", "nothing"}) {
      lines.push_back(fmt::format("{{\"op\":\"{}\",\"a\":{},\"b\":{}}}", op, number, number));
      lines.push_back(fmt::format("{{\"op\":\"{}\",\"a\":\"{}:{}\",\"b\":\"{}\"}}", op, number, number, number));
      lines.push_back(fmt::format("{{\"op\":\"{}\",\"a\":\"({},2):(1,{})\",\"b\":\"({},{})\",\"from\":{},\"to\":{}}}",
                                  op, number, number, number, number, number, number));
      lines.push_back(fmt::format("{{\"op\":\"{}\",\"a\":\"Sw<{},{},{}> o {} o 8:1\",\"b\":\"<{}>\"}}", op, number,
                                  number, number, number, number));
      lines.push_back(fmt::format("{{\"op\":\"{}\",\"a\":\"{{x: ({})}} -> {{y: {}}}\",\"b\":\"{{x: {}}}\"}}", op,
                                  number, number, number));
      lines.push_back(
          fmt::format("{{\"op\":\"{0}\",\"a\":{{\"in\":{{\"x\":[[{1}]]}},\"out\":{{\"y\":{1}}}}}}}", op, number));
    }
  }
  for (const char* bytes :
       {"\xff", "\xc3\x28", "\xed\xa0\x80", "\xf8\x88\x80\x80\x80", "\\ud800", "\\u0000", "\x01", "\x7f"}) {
    lines.push_back(fmt::format("{{\"op\":\"{}\",\"a\":\"8:1\"}}", bytes));
    lines.push_back(fmt::format("{{\"op\":\"coalesce\",\"a\":\"8:1{}\"}}", bytes));
    lines.push_back(
        fmt::format("{{\"op\":\"from_linear\",\"a\":{{\"in\":{{\"{0}\":[[1]]}},\"out\":{{\"{0}\":2}}}}}}", bytes));
    lines.push_back(std::string(bytes));
  }
  constexpr char kZero[] = "{\"op\":\"coalesce\0\",\"a\":\"8:1\"}";
  lines.emplace_back(kZero, sizeof kZero - 1);
  // Every operation with members missing, empty, null, or of the wrong kind.
  for (const char* op : {
#define X(name, b) #name,
           TAILOR_LAYOUT_OPERATIONS(X)
#undef X
       }) {
    for (const char* value :
         {"null", "true", "\"\"", "{}", "[]", "\"(\"", "\"_\"", "\"()\"", "\"<>\"", "\"():()\"", "\"0\"",
          "\"{} -> {}\"", "{\"in\":{},\"out\":{}}", "\"2147483647:2147483648\"", "\"(4611686018427387904,0):(1,1)\""}) {
      lines.push_back(fmt::format("{{\"op\":\"{}\",\"a\":{}}}", op, value));
      lines.push_back(fmt::format("{{\"op\":\"{}\",\"a\":{},\"b\":{}}}", op, value, value));
      lines.push_back(fmt::format("{{\"op\":\"{}\",\"b\":{}}}", op, value));
      lines.push_back(fmt::format("{{\"op\":\"{}\",\"a\":\"(4,8):(8,1)\",\"b\":{},\"order\":{},\"from\":{}}}", op,
                                  value, value, value));
    }
  }
  for (const std::string& line : lines) {
    const Json json = answer(line);
    EXPECT_TRUE(json.contains("ok")) << line.substr(0, 200);
    EXPECT_LT(json.value("reason", "").size(), 2000u) << line.substr(0, 200);
  }
}

// Questions of the right form with hostile numbers, and the same with bytes changed.
TEST(Eval, NeverDiesOnRandomQuestions) {
  std::mt19937_64 rng(441);
  const std::vector<std::string> operations = {
#define X(name, b) #name,
      TAILOR_LAYOUT_OPERATIONS(X)
#undef X
  };
  const std::vector<std::string> numbers = {"0",
                                            "1",
                                            "2",
                                            "3",
                                            "4",
                                            "7",
                                            "8",
                                            "-1",
                                            "-8",
                                            "16",
                                            "31",
                                            "2147483647",
                                            "2147483648",
                                            "4611686018427387904",
                                            "9223372036854775807",
                                            "-9223372036854775807"};
  const auto number = [&] { return numbers[rng() % (rng() % 4 == 0 ? numbers.size() : 7)]; };
  const auto random_layout = [&] {
    std::vector<std::string> shape(1 + rng() % 3);
    std::vector<std::string> stride(shape.size());
    for (std::string& extent : shape) extent = number();
    for (std::string& step : stride) step = number();
    std::string text;
    if (rng() % 4 == 0) text = fmt::format("Sw<{},{},{}> o ", number(), number(), number());
    if (rng() % 5 == 0) text += fmt::format("{} o ", number());
    return fmt::format("{}({}):({})", text, fmt::join(shape, ","), fmt::join(stride, ","));
  };
  int fine = 0;
  for (int i = 0; i < 30000; ++i) {
    Json question{{"op", operations[rng() % operations.size()]}, {"a", random_layout()}};
    switch (rng() % 5) {
      case 0:
        question["b"] = number();
        break;
      case 1:
        question["b"] = fmt::format("(_,{})", number());
        break;
      case 2:
        question["b"] = fmt::format("<{}>", random_layout());
        break;
      default:
        question["b"] = random_layout();
    }
    if (rng() % 2 == 0) question.erase("b");
    if (question["op"] == "recast") {
      question["from"] = number();
      question["to"] = number();
      question.erase("b");
    }
    std::string line = question.dump();
    if (rng() % 3 == 0) line[rng() % line.size()] = static_cast<char>(rng());
    fine += answer(line)["ok"] == true ? 1 : 0;
  }
  EXPECT_GT(fine, 1000);
}

}  // namespace
}  // namespace tailor::codegen::layout
