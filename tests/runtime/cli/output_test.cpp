// Reports, the progress line and the environment's lists: text made from values, without a terminal or a process.
#include "runtime/cli/output.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "runtime/cli/environment.h"
#include "runtime/cli/exit_code.h"
#include "runtime/cli/progress.h"

namespace tailor::cli {
namespace {

TEST(Output, TextHasEveryLeafUnderItsJsonName) {
  const Json report{{"verified", true},
                    {"compile_ms", {{"total", 12.5}, {"by_phase", {{"emit", 3}}}}},
                    {"tiers", {"memory", "disk"}},
                    {"rows", Json::array({{{"name", "a"}, {"n", 1}}, {{"name", "long"}, {"extra", nullptr}}})}};
  EXPECT_EQ(to_text(report),
            "verified                  true\n"
            "compile_ms.total          12.5\n"
            "compile_ms.by_phase.emit  3\n"
            "tiers                     memory, disk\n"
            "rows\n"
            "  name  n  extra\n"
            "  a     1\n"
            "  long     null\n");
}

TEST(Output, BytesThatAreNotUtf8DoNotThrow) { EXPECT_FALSE(to_text(Json{{"path", "\xff\xfe"}}).empty()); }

TEST(Output, AFileThatCannotBeWrittenIsNamed) {
  const Status status = write_output("x", "/nonexistent/folder/file");
  EXPECT_EQ(status.code(), StatusCode::kIo);
  EXPECT_THAT(status.message(), testing::HasSubstr("/nonexistent/folder/file"));
  EXPECT_EQ(write_output(std::string(1 << 20, 'x'), "/dev/full").code(), StatusCode::kIo);
}

TEST(Progress, LineShowsShareAndNeverExceedsTheTerminal) {
  EXPECT_EQ(progress_line("serve", 50, 200, "x", 200), "serve [#######-----------------------]  25% 50/200 x");
  EXPECT_EQ(progress_line("serve", 7, 0, "y", 200), "serve 7 y");
  EXPECT_EQ(progress_line("serve", 300, 200, "", 200).find("100%") == std::string::npos, false);
  for (int width = 0; width < 80; ++width) {
    EXPECT_LT(static_cast<int>(progress_line("serve", 50, 200, "note", width).size()), std::max(1, width));
  }
}

TEST(Environment, ListsAreSplitAndEmptyPartsDropped) {
  EXPECT_THAT(split_path_list("/a:/b"), testing::ElementsAre("/a", "/b"));
  EXPECT_THAT(split_path_list("::/a::"), testing::ElementsAre("/a"));
  EXPECT_THAT(split_path_list(""), testing::IsEmpty());
}

TEST(Environment, FindsTheFoldersOfPackagesBesideTheBuild) {
  namespace fs = std::filesystem;
  const fs::path root = fs::path(testing::TempDir()) / ("tailor_env_" + std::to_string(getpid()));
  const fs::path nvidia = root / "venv/lib/python3.11/site-packages/nvidia";
  fs::create_directories(nvidia / "cuda_nvrtc/lib");
  fs::create_directories(nvidia / "nvjitlink/lib");
  fs::create_directories(nvidia / "empty");
  fs::create_directories(root / "bin");
  std::ofstream(nvidia / "file").put('x');
  Environment environment;
  environment.library_path = "/first";
  EXPECT_THAT(
      library_folders(environment, root / "bin/tailor"),
      testing::ElementsAre("/first", (nvidia / "cuda_nvrtc/lib").string(), (nvidia / "nvjitlink/lib").string()));
  EXPECT_THAT(library_folders(environment, root / "nowhere/bin/tailor"), testing::ElementsAre("/first"));
  EXPECT_THAT(library_folders(environment, {}), testing::ElementsAre("/first"));
  fs::remove_all(root);
}

TEST(ExitCode, FollowsTheStatus) {
  EXPECT_EQ(exit_code(Status()), 0);
  EXPECT_EQ(exit_code(verification_error("")), 1);
  EXPECT_EQ(exit_code(unavailable("")), 1);
  EXPECT_EQ(exit_code(invalid_argument("")), 2);
  EXPECT_EQ(exit_code(corruption("")), 4);
}

}  // namespace
}  // namespace tailor::cli
