#include "ptx_testing.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace tailor::ptx::testing {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

const std::vector<Sample>& samples() {
  static const std::vector<Sample> all = [] {
    std::vector<Sample> found;
    for (const auto& entry : fs::directory_iterator(TAILOR_SOURCE_DIR "/tests/runtime/ptx/samples")) {
      if (entry.path().extension() != ".ptx") continue;
      const std::string name = entry.path().stem().string();
      found.push_back({name, name.substr(name.rfind('.') + 1), read_file(entry.path())});
    }
    std::sort(found.begin(), found.end(), [](const Sample& a, const Sample& b) { return a.name < b.name; });
    return found;
  }();
  return all;
}

std::vector<std::string> opcode_lines() {
  std::istringstream in(read_file(TAILOR_SOURCE_DIR "/tests/runtime/ptx/opcode_lines.txt"));
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);)
    if (!line.empty() && line[0] != '#') lines.push_back(line);
  return lines;
}

std::string module_of_lines(const std::vector<std::string>& lines) {
  std::string out = R"(.version 9.0
.target sm_90a
.address_size 64
.global .align 16 .b8 buffer[64];
.const .align 4 .f32 constants[4];
.shared .align 128 .b8 tile[1024];
.func (.param .b32 r) helper(.param .b32 a)
{
  .reg .b32 %x;
  ld.param.b32 %x, [a];
  st.param.b32 [r], %x;
  ret;
}
.func nothing()
{
  ret;
}
.visible .entry lines(.param .u64 lines_param_0, .param .align 64 .b8 lines_param_1[128])
{
  .reg .pred %p<8>;
  .reg .b16 %rs<8>;
  .reg .b32 %r<32>;
  .reg .b64 %rd<16>;
  .reg .b128 %q<4>;
  .reg .f32 %f<16>;
  .reg .f64 %d<8>;
  .local .align 16 .b8 stack[64];
targets: .branchtargets here, there;
shape: .callprototype (.param .b32 _) _ (.param .b32 _);
candidates: .calltargets helper;
there:
)";
  for (const std::string& line : lines) {
    if (line.find("argument") == std::string::npos)
      out += line + "\n";
    else
      out += "{ .param .b32 argument; .param .b32 result; st.param.b32 [argument], %r1;\n" + line +
             "\nld.param.b32 %r1, [result]; }\n";
  }
  return out + "here:\n  ret;\n}\n";
}

std::string module_of_body(std::string_view body) {
  return fmt::format(".version 8.3\n.target sm_90a\n.address_size 64\n.visible .entry k()\n{{\n{}\n}}\n", body);
}

Module parse_or_fail(std::string_view text) {
  Expected<Module> m = parse(text);
  EXPECT_TRUE(m.ok()) << m.status().to_string();
  return m.ok() ? std::move(m).value() : Module();
}

bool have_ptxas() { return TAILOR_PTXAS[0] != '\0'; }

std::string ptxas_complaint(std::string_view text, const std::string& arch) {
  static std::atomic<int> counter{0};
  const std::string stem =
      (fs::temp_directory_path() / fmt::format("tailor_ptx_{}_{}", ::getpid(), counter++)).string();
  std::ofstream(stem + ".ptx", std::ios::binary) << text;
  const int code = std::system(
      fmt::format("'{}' -c -arch={} '{}.ptx' -o /dev/null > '{}.log' 2>&1", TAILOR_PTXAS, arch, stem, stem).c_str());
  std::string said = code == 0 ? "" : "ptxas: " + read_file(stem + ".log");
  fs::remove(stem + ".ptx");
  fs::remove(stem + ".log");
  return said;
}

}  // namespace tailor::ptx::testing
