// Runs a lowered program on the host, thread by thread, from the semantics in codegen/kernel/ir.h and nothing else: the
// oracle of the movement tests. Every access must lie inside the operand that it names and be aligned as it claims.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "codegen/kernel/ir.h"

namespace tailor::test {

struct Region {
  uint64_t address = 0;
  std::vector<uint8_t> bytes;
  bool writable = false;
  uint64_t sparse_size = 0;              // when not 0: so many bytes, 0 but for those in `sparse`; `bytes` is empty
  std::map<uint64_t, uint8_t> sparse{};  // by offset

  uint64_t size() const { return sparse_size ? sparse_size : bytes.size(); }
  void read(uint64_t offset, void* to, uint64_t count) const;
  void write(uint64_t offset, const void* from, uint64_t count);
};
using Memory = std::map<std::string, Region>;  // by operand

struct RunCounts {
  uint64_t instructions = 0;  // executed by all threads, constants and terminators left out
  uint64_t loads = 0, stores = 0, atomics = 0;
  uint64_t guarded = 0, guarded_off = 0;
  std::map<int, uint64_t> store_widths;
};

class Interpreter {
 public:
  Interpreter(const codegen::kernel::Program& program, Memory& memory) : program_(program), memory_(memory) {}

  // Parameter values in order. False with `error` set at the first access that breaks a rule, or a runaway loop.
  bool launch(uint32_t grid, const std::vector<int64_t>& parameters);
  // Some of its blocks only.
  bool launch(uint32_t grid, const std::vector<int64_t>& parameters, const std::vector<uint32_t>& blocks);

  std::string error;
  RunCounts counts;

 private:
  using Bits = std::array<uint64_t, 2>;
  bool run(const codegen::kernel::Region& region, std::vector<Bits>& passed);
  bool execute(const codegen::kernel::Instruction& i, std::vector<Bits>& passed);
  bool loop_for(const codegen::kernel::Instruction& i);
  bool loop_while(const codegen::kernel::Instruction& i);
  bool access(const codegen::kernel::Instruction& i);
  bool fail(std::string message);
  int64_t integer(codegen::kernel::ValueId v) const;  // sign-extended
  uint64_t word(codegen::kernel::ValueId v) const;    // zero-extended to its width
  void set(codegen::kernel::ValueId v, uint64_t bits);

  const codegen::kernel::Program& program_;
  Memory& memory_;
  std::vector<Bits> values_;
  uint32_t block_ = 0, thread_ = 0, grid_ = 0;
  uint64_t budget_ = 0;
};

}  // namespace tailor::test
