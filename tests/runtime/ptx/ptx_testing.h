// Shared by the PTX tests: samples, the file of opcode lines, and ptxas.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/ptx/module.h"
#include "runtime/ptx/parser.h"

namespace tailor::ptx::testing {

struct Sample {
  std::string name;  // "nvcc_calls.sm_90a"
  std::string arch;  // "sm_90a"
  std::string text;
};

std::string read_file(const std::filesystem::path& path);
// All of tests/runtime/ptx/samples, sorted by name.
const std::vector<Sample>& samples();
// The lines of opcode_lines.txt without comments.
std::vector<std::string> opcode_lines();
// A module for sm_90a with one kernel `lines`, whose body holds the given lines among declarations of every name that
// opcode_lines.txt uses.
std::string module_of_lines(const std::vector<std::string>& lines);
// A module with one kernel `k` of that body.
std::string module_of_body(std::string_view body);
// Parses, and fails the running test when that fails (then the module is empty).
Module parse_or_fail(std::string_view text);

bool have_ptxas();
// Empty when ptxas accepts the text (compiled as relocatable, so that extern symbols may stay open), else what it said.
std::string ptxas_complaint(std::string_view text, const std::string& arch);

}  // namespace tailor::ptx::testing
