// The dependency rule of ARCHITECTURE.md, held against every #include of the tree.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

namespace fs = std::filesystem;

// Folder -> folders whose headers it may include, besides itself and include/tailor. Longest folder wins.
const std::map<std::string, std::set<std::string>>& allowed_includes() {
  static const std::map<std::string, std::set<std::string>> rule = {
      {"include/tailor", {}},
      {"cache", {}},
      {"runtime/ptx", {}},
      {"runtime/driver", {}},
      {"runtime/bucket", {"runtime/ops"}},
      {"runtime/ops", {"runtime/bucket"}},
      {"runtime/telemetry", {"runtime/bucket", "runtime/ops"}},
      {"runtime/virtual_device", {"runtime/ptx", "runtime/driver"}},
      {"runtime/dispatch", {"runtime/bucket", "runtime/ops", "runtime/driver", "runtime/telemetry", "cache"}},
      {"runtime/cli",
       {"runtime/bucket", "runtime/ops", "runtime/driver", "runtime/telemetry", "runtime/dispatch",
        "runtime/virtual_device", "cache"}},
      {"runtime/torch", {"runtime/driver"}},
      {"codegen/integer", {}},
      {"codegen/layout", {"codegen/integer"}},
      {"codegen/kernel", {}},
      {"codegen/emit", {"codegen/kernel"}},
      {"codegen/compile", {"runtime/ptx"}},
      {"codegen/tile", {"runtime/ops", "runtime/bucket"}},
      {"codegen/ops", {"codegen/tile", "runtime/ops", "runtime/bucket"}},
      {"codegen/movement",
       {"codegen/tile", "codegen/kernel", "codegen/layout", "codegen/integer", "runtime/ops", "runtime/bucket"}},
      {"codegen/prove", {"codegen/tile", "codegen/kernel", "codegen/integer", "runtime/ops", "runtime/bucket"}},
      {"codegen",
       {"codegen/tile", "codegen/ops", "codegen/movement", "codegen/prove", "codegen/kernel", "codegen/layout",
        "codegen/integer", "codegen/emit", "codegen/compile", "runtime/ops", "runtime/bucket", "runtime/ptx"}},
      {"examples", {"runtime/driver"}},
  };
  return rule;
}

struct Include {
  std::string file, header;
  int line;
};

// Quoted includes of one file; angle brackets are third-party and are ruled by `kForbiddenThirdParty`.
std::vector<Include> includes_of(const fs::path& path, const std::string& name, char open) {
  static const std::regex pattern(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
  std::vector<Include> found;
  std::ifstream in(path);
  std::string text;
  for (int line = 1; std::getline(in, text); ++line) {
    std::smatch match;
    if (std::regex_search(text, match, pattern) && match[1].str()[0] == open) found.push_back({name, match[2], line});
  }
  return found;
}

std::string folder_of_file(const std::string& name) { return name.substr(0, name.rfind('/')); }

std::string folder_of_header(const std::string& header) {
  if (header.rfind("tailor/", 0) == 0) return "include/tailor";
  return folder_of_file(header);
}

// The rule's folder that governs `folder`: itself or the nearest ancestor that the table names; "" if none does.
std::string governing(std::string folder) {
  while (!folder.empty() && !allowed_includes().contains(folder)) {
    const auto slash = folder.rfind('/');
    folder = slash == std::string::npos ? "" : folder.substr(0, slash);
  }
  return folder;
}

std::string violation(const Include& include) {
  // Third-party and generated headers without a folder.
  if (include.header == "xxhash.h" || include.header == "tailor_generator_digest_value.h") return "";
  const std::string from = governing(folder_of_file(include.file));
  if (from.empty()) return include.file + " lies in a folder that the dependency rule does not name";
  const std::string to = governing(folder_of_header(include.header));
  if (to.empty())
    return include.file + ":" + std::to_string(include.line) + " includes \"" + include.header +
           "\", which is not of the tree (use the path from the root)";
  if (to == from || to == "include/tailor" || allowed_includes().at(from).contains(to)) return "";
  return include.file + ":" + std::to_string(include.line) + ": " + from + " may not include " + to + " (\"" +
         include.header + "\")";
}

std::vector<std::pair<fs::path, std::string>> sources(const std::vector<std::string>& roots) {
  std::vector<std::pair<fs::path, std::string>> files;
  for (const auto& root : roots) {
    const fs::path base = fs::path(TAILOR_SOURCE_DIR) / root;
    if (!fs::exists(base)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(base)) {
      const auto extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp") continue;
      files.emplace_back(entry.path(), fs::relative(entry.path(), TAILOR_SOURCE_DIR).generic_string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

TEST(DependencyRule, EveryIncludePointsTheAllowedWay) {
  const auto files = sources({"include", "runtime", "codegen", "cache", "examples"});
  ASSERT_GT(files.size(), 40u);
  for (const auto& [path, name] : files) {
    for (const auto& include : includes_of(path, name, '"')) {
      const std::string problem = violation(include);
      EXPECT_TRUE(problem.empty()) << problem;
    }
  }
}

// Third-party headers stay where they belong, so that a warm engine needs neither a compiler nor JSON.
TEST(DependencyRule, ThirdPartyHeadersStayInTheirModules) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> homes = {
      {"llvm/", {"codegen/emit"}},
      {"isl/", {"codegen/layout", "codegen"}},
      {"nlohmann/", {"runtime/cli", "codegen/layout"}},
      {"CLI/", {"runtime/cli"}},
      {"xxhash.h", {"cache", "runtime/dispatch"}},
      {"torch/", {"runtime/torch"}},
      {"cuda", {}},
      {"nvrtc", {}},
      {"dlfcn.h", {"runtime/driver", "runtime/dispatch", "codegen/compile", "runtime/cli"}},
  };
  for (const auto& [path, name] : sources({"include", "runtime", "codegen", "cache"})) {
    for (const auto& include : includes_of(path, name, '<')) {
      for (const auto& [prefix, allowed] : homes) {
        if (include.header.rfind(prefix, 0) != 0) continue;
        const std::string folder = governing(folder_of_file(name));
        const bool home = std::find(allowed.begin(), allowed.end(), folder) != allowed.end();
        EXPECT_TRUE(home) << name << ":" << include.line << " includes <" << include.header << ">";
      }
    }
  }
}

// The environment is read in one place; everything else gets its configuration as options.
TEST(DependencyRule, OnlyOneFileReadsTheEnvironment) {
  std::set<std::string> readers;
  for (const auto& [path, name] : sources({"include", "runtime", "codegen", "cache"})) {
    std::ifstream in(path);
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    if (text.find("getenv(") != std::string::npos) readers.insert(folder_of_file(name));
  }
  EXPECT_LE(readers.size(), 1u);
  for (const auto& folder : readers) EXPECT_EQ(folder, "runtime/cli");
}

// The rule itself can fail: a planted include in the wrong direction is named.
TEST(DependencyRule, PlantedViolationsAreFound) {
  EXPECT_NE(violation({"cache/store.cpp", "runtime/ops/problem.h", 3}), "");
  EXPECT_NE(violation({"runtime/dispatch/runtime.cpp", "codegen/kernel/ir.h", 3}), "");
  EXPECT_NE(violation({"include/tailor/ops.h", "runtime/bucket/key.h", 3}), "");
  EXPECT_NE(violation({"codegen/integer/matrix.h", "codegen/layout/facts.h", 3}), "");
  EXPECT_NE(violation({"runtime/ptx/parser.cpp", "runtime/driver/driver.h", 3}), "");
  EXPECT_NE(violation({"runtime/ptx/parser.cpp", "module.h", 3}), "");
  EXPECT_EQ(violation({"codegen/layout/facts.cpp", "codegen/integer/residue.h", 3}), "");
  EXPECT_EQ(violation({"runtime/cli/main.cpp", "tailor/status.h", 3}), "");
}

}  // namespace
