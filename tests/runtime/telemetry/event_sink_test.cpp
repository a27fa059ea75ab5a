// Events are JSON lines whatever stands in them: read back by an independent parser.
#include "runtime/telemetry/event_sink.h"

#include <filesystem>
#include <fstream>
#include <limits>
#include <random>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "runtime/telemetry/telemetry.h"

namespace tailor {
namespace {

using nlohmann::json;

class EventFile : public ::testing::Test {
 protected:
  std::string path_ =
      (std::filesystem::temp_directory_path() / ("tailor_events_" + std::to_string(::getpid()) + "_" +
                                                 ::testing::UnitTest::GetInstance()->current_test_info()->name()))
          .string();
  ~EventFile() override { std::filesystem::remove(path_); }
  std::vector<json> lines() const {
    std::vector<json> parsed;
    std::ifstream in(path_);
    for (std::string line; std::getline(in, line);) parsed.push_back(json::parse(line));
    return parsed;
  }
};

TEST(JsonQuote, IsParsedBackForAnyBytes) {
  std::mt19937 rng(41);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (unsigned n = rng() % 12; n > 0; --n) text += static_cast<char>(rng() % (round % 2 ? 128 : 256));
    const json parsed = json::parse(json_quote(text), nullptr, false);
    ASSERT_TRUE(parsed.is_string()) << json_quote(text);
    if (round % 2) {
      ASSERT_EQ(parsed.get<std::string>(), text);  // ASCII is kept as it is
    }
  }
  EXPECT_EQ(json::parse(json_quote("ä€𝄞")).get<std::string>(), "ä€𝄞");
  EXPECT_EQ(json_quote("\xed\xa0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");  // a surrogate is not UTF-8
}

TEST_F(EventFile, ManyWritersDoNotTearLines) {
  auto sink = EventSink::open(path_);
  ASSERT_TRUE(sink.ok());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        (*sink)->write(std::move(JsonLine().integer("thread", t).integer("i", i).text("pad", std::string(200, 'x'))));
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(lines().size(), 2000u);
  EXPECT_EQ((*sink)->failed_writes(), 0u);
}

TEST_F(EventFile, ALaunchEventSaysWhy) {
  auto sink = EventSink::open(path_);
  Telemetry telemetry(std::move(*sink));
  MissReport report;
  report.reason = MissReason::kCorruptObject;
  report.detail = "objects/ab \"quoted\"";
  report.new_component = "head_dim";
  report.phases = {{"emit", 1.5}, {"odd", std::numeric_limits<double>::quiet_NaN()}};
  telemetry.launch_event("op=paged_gather", "compiled", &report, {});
  telemetry.launch_event("", "refused", nullptr, invalid_argument("k.rank is 4"));
  const auto events = lines();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0]["miss_reason"], "corrupt_object");
  EXPECT_EQ(events[0]["miss_detail"], report.detail);
  EXPECT_EQ(events[0]["new_component"], "head_dim");
  EXPECT_EQ(events[0]["phase_ms"]["emit"], 1.5);
  EXPECT_TRUE(events[0]["phase_ms"]["odd"].is_null());
  EXPECT_EQ(events[1]["status"], "invalid_argument");
  EXPECT_EQ(events[1]["message"], "k.rank is 4");
}

TEST(EventSink, AnUnusablePathIsAnError) {
  const auto sink = EventSink::open("/nonexistent/folder/events");
  ASSERT_FALSE(sink.ok());
  EXPECT_EQ(sink.status().code(), StatusCode::kIo);
  EXPECT_NE(sink.status().message().find("/nonexistent/folder/events"), std::string::npos);
}

TEST(EventSink, AFullDiskIsCountedAndNothingElse) {
  auto sink = EventSink::open("/dev/full");
  if (!sink.ok()) GTEST_SKIP() << "no /dev/full";
  (*sink)->write(std::move(JsonLine().integer("i", 1)));
  EXPECT_EQ((*sink)->failed_writes(), 1u);
}

}  // namespace
}  // namespace tailor
