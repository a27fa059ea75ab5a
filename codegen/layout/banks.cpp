#include "codegen/layout/banks.h"

#include <algorithm>

#include <fmt/format.h>

#include "codegen/integer/arithmetic.h"
#include "codegen/layout/bank_tables.h"

namespace tailor::codegen::layout {
namespace {

struct Dword {
  int64_t index = 0;
  int lane = 0;
};

std::string rows_of(std::string_view arch) {
  std::string list;
  for (const BankModel& model : bank_models()) {
    if (model.arch == arch) list += fmt::format("{}{}", list.empty() ? "" : ", ", model.opcode);
  }
  return list;
}

std::string archs() {
  std::string list;
  std::string_view last;
  for (const BankModel& model : bank_models()) {
    if (model.arch != last) list += fmt::format("{}{}", list.empty() ? "" : ", ", model.arch);
    last = model.arch;
  }
  return list;
}

Status missing_row(std::string_view arch, std::string_view what) {
  for (const UnknownArch& unknown : unknown_bank_archs()) {
    if (unknown.arch == arch) return not_found(fmt::format("no bank model of {}: {}", arch, unknown.reason));
  }
  const std::string rows = rows_of(arch);
  if (rows.empty()) {
    return not_found(fmt::format("no bank model of architecture '{}'; there are models of {}", arch, archs()));
  }
  return not_found(fmt::format("no bank model of {} on {}; there are {}", what, arch, rows));
}

Status check_addresses(const BankModel& model, std::span<const int64_t> addresses) {
  const auto expected = static_cast<size_t>(model.lanes) * static_cast<size_t>(model.parts);
  if (addresses.size() != expected) {
    return invalid_argument(fmt::format("{} addresses given; {} takes {}", addresses.size(), model.opcode, expected));
  }
  // b96 takes 4-byte alignment at least; the others their own width.
  const int64_t alignment = integer::is_pow2(static_cast<uint64_t>(model.bytes)) ? model.bytes : 4;
  for (size_t i = 0; i < addresses.size(); ++i) {
    if (addresses[i] == kInactiveLane) continue;
    if (addresses[i] < 0 || addresses[i] % alignment != 0) {
      return invalid_argument(
          fmt::format("lane {} has address {}; {} needs a multiple of {} bytes that is not negative", i, addresses[i],
                      model.opcode, alignment));
    }
  }
  return {};
}

// The distinct dwords of one group, each with the first lane that names it.
std::vector<Dword> dwords_of(const BankModel& model, const LaneGroup& group, std::span<const int64_t> addresses) {
  std::vector<Dword> dwords;
  for (const LaneRange& range : group) {
    for (int lane = range.first; lane <= range.last; ++lane) {
      const int64_t address = addresses[static_cast<size_t>(lane)];
      if (address == kInactiveLane) continue;
      for (int64_t d = address / 4; d <= (address + model.bytes - 1) / 4; ++d) dwords.push_back({d, lane});
    }
  }
  std::stable_sort(dwords.begin(), dwords.end(), [](const Dword& a, const Dword& b) { return a.index < b.index; });
  dwords.erase(
      std::unique(dwords.begin(), dwords.end(), [](const Dword& a, const Dword& b) { return a.index == b.index; }),
      dwords.end());
  return dwords;
}

void count_group(const BankModel& model, size_t group, const std::vector<Dword>& dwords, BankConflicts& out) {
  std::vector<int64_t> load(static_cast<size_t>(model.banks), 0);
  for (const Dword& d : dwords) ++load[static_cast<size_t>(d.index % model.banks)];
  const auto worst = std::max_element(load.begin(), load.end());
  const int64_t ideal = (static_cast<int64_t>(dwords.size()) + model.banks - 1) / model.banks;
  out.cost += *worst;
  out.ideal += ideal;
  out.group_cost.push_back(*worst);
  if (*worst == ideal || out.witness) return;
  BankConflicts::Witness witness{group, static_cast<int>(worst - load.begin()), *worst, -1, -1};
  for (const Dword& d : dwords) {
    if (d.index % model.banks != witness.bank) continue;
    if (witness.lane_a < 0) {
      witness.lane_a = d.lane;
    } else if (witness.lane_b < 0) {
      witness.lane_b = d.lane;
    }
  }
  out.witness = witness;
}

}  // namespace

const std::vector<BankModel>& bank_models() {
  static const std::vector<BankModel> rows = make_bank_models();
  return rows;
}

Expected<const BankModel*> find_bank_model(std::string_view arch, std::string_view opcode) {
  for (const BankModel& model : bank_models()) {
    if (model.arch == arch && model.opcode == opcode) return &model;
  }
  return missing_row(arch, fmt::format("'{}'", opcode));
}

Expected<const BankModel*> find_bank_model(std::string_view arch, int bytes, bool write) {
  const std::string_view prefix = arch == "nvidia" ? (write ? "st." : "ld.") : (write ? "ds_write_" : "ds_read_");
  for (const BankModel& model : bank_models()) {
    if (model.arch == arch && model.bytes == bytes && model.opcode.substr(0, prefix.size()) == prefix) return &model;
  }
  return missing_row(arch, fmt::format("a {} of {} bytes per lane", write ? "write" : "read", bytes));
}

Expected<BankConflicts> count_conflicts(const BankModel& model, std::span<const int64_t> addresses) {
  TAILOR_RETURN_IF_ERROR(check_addresses(model, addresses));
  BankConflicts result;
  const auto lanes = static_cast<size_t>(model.lanes);
  for (int part = 0; part < model.parts; ++part) {
    const auto of_part = addresses.subspan(static_cast<size_t>(part) * lanes, lanes);
    for (size_t g = 0; g < model.groups.size(); ++g) {
      count_group(model, g, dwords_of(model, model.groups[g], of_part), result);
    }
  }
  return result;
}

}  // namespace tailor::codegen::layout
