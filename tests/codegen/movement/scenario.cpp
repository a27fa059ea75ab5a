#include <algorithm>
#include <climits>
#include <cstring>

#include "tests/codegen/movement/elements.h"
#include "tests/codegen/movement/scenario_maker.h"

namespace tailor::test {
namespace {

int64_t round_up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

}  // namespace

ScenarioMaker::ScenarioMaker(const Key& key, const ScenarioOptions& options, std::mt19937& random)
    : key_(key),
      options_(options),
      random_(random),
      source_(static_cast<RowContiguity>(key.get(KeyField::kSourceContiguity))),
      target_(static_cast<RowContiguity>(key.get(KeyField::kTargetContiguity))) {
  shape_ = {field(KeyField::kHeads), field(KeyField::kHeadDim), int64_t{1} << field(KeyField::kElementLog2),
            field(KeyField::kPageSize)};
  source_align_ = int64_t{1} << field(KeyField::kSourceAlignLog2);
  target_align_ = int64_t{1} << field(KeyField::kTargetAlignLog2);
  scenario_.symbols.assign(symbols_of(key.op()).size(), 0);
}

std::string ScenarioMaker::name(uint16_t symbol) const { return std::string(symbols_of(key_.op())[symbol].name); }

int32_t ScenarioMaker::anything() {
  switch (pick(0, 5)) {
    case 0:
      return INT_MIN;
    case 1:
      return INT_MAX;
    case 2:
      return static_cast<int32_t>(pick(-3, 3));
    case 3:
      return static_cast<int32_t>(pick(INT_MIN, INT_MAX));
    default:
      return static_cast<int32_t>(pick(0, 12));
  }
}

Strides ScenarioMaker::strides(RowContiguity contiguity, int64_t align, int64_t pages, int64_t slots,
                               int64_t element) const {
  RowShape s = shape_;
  if (element > 0) s.element = element;
  Strides r;
  const auto loose = [&](int64_t at_least) {  // an odd multiple of align
    const int64_t x = round_up(at_least, align);
    return (x / align) % 2 == 1 ? x : x + align;
  };
  r.dim = s.dim == 1 ? 0 : contiguity == RowContiguity::kNone ? loose(2 * s.element) : s.element;
  const int64_t head_bytes = (s.dim - 1) * r.dim + s.element;
  if (s.heads == 1) {
    r.slot = loose(head_bytes);
    r.page = loose(slots * r.slot);
  } else if (contiguity == RowContiguity::kRow) {
    r.head = s.dim * s.element;
    r.slot = loose(s.heads * r.head);
    r.page = loose(slots * r.slot);
  } else if (options_.head_major) {
    r.slot = loose(head_bytes);
    r.head = loose(slots * r.slot);
    r.page = loose(s.heads * r.head);
  } else {
    r.head = loose(head_bytes);
    r.slot = loose(s.heads * r.head);
    r.page = loose(slots * r.slot);
  }
  if (pages > 0 && slots > 0) {
    r.bytes = (pages - 1) * r.page + (slots - 1) * r.slot + (s.heads - 1) * r.head + head_bytes;
  }
  // Strides of extents of 1 are 0 in a Problem.
  if (pages <= 1) r.page = 0;
  if (slots <= 1) r.slot = 0;
  return r;
}

void ScenarioMaker::place(uint16_t symbol, int64_t align, std::vector<uint8_t> bytes, bool writable) {
  next_ += uint64_t{1} << 40;
  const uint64_t address = next_ + static_cast<uint64_t>(align);
  scenario_.symbols[symbol] = static_cast<int64_t>(address);
  scenario_.memory[name(symbol)] = {address, std::move(bytes), writable, 0, {}};
}

void ScenarioMaker::place_ints(uint16_t symbol, const std::vector<int32_t>& values) {
  std::vector<uint8_t> bytes(values.size() * 4);
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  place(symbol, 4, std::move(bytes), false);
}

void ScenarioMaker::place_status(uint16_t symbol) {
  if (options_.status) {
    place(symbol, 8, std::vector<uint8_t>(8, 0), true);
  } else {
    scenario_.memory["status_word"] = {};
  }
}

std::vector<uint8_t> ScenarioMaker::noise(int64_t bytes) {
  std::vector<uint8_t> result(static_cast<size_t>(bytes));
  for (uint8_t& b : result) b = static_cast<uint8_t>(random_());
  return result;
}

std::vector<uint8_t> ScenarioMaker::numbers(DType type, const Strides& strides, int64_t rows) {
  std::vector<uint8_t> result = noise(strides.bytes);
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t h = 0; h < shape_.heads; ++h) {
      for (int64_t d = 0; d < shape_.dim; ++d) {
        const uint32_t bits = random_element(type, random_);
        std::memcpy(result.data() + row * strides.slot + h * strides.head + d * strides.dim, &bits,
                    static_cast<size_t>(element_bytes(type)));
      }
    }
  }
  return result;
}

void ScenarioMaker::copy_row(const std::string& from, int64_t from_offset, const Strides& fs, const std::string& to,
                             int64_t to_offset, const Strides& ts) {
  const auto& source = scenario_.memory.at(from).bytes;
  auto& target = scenario_.expected.at(to).bytes;
  for (int64_t h = 0; h < shape_.heads; ++h) {
    for (int64_t d = 0; d < shape_.dim; ++d) {
      std::memcpy(target.data() + to_offset + h * ts.head + d * ts.dim,
                  source.data() + from_offset + h * fs.head + d * fs.dim, static_cast<size_t>(shape_.element));
    }
  }
}

void ScenarioMaker::choose_row(const std::string& from, const std::vector<int64_t>& from_offsets, const Strides& fs,
                               const std::string& to, int64_t to_offset, const Strides& ts) {
  const auto& source = scenario_.memory.at(from).bytes;
  for (int64_t d = 0; d < shape_.dim; ++d) {
    Scenario::Choice choice{to, to_offset + d * ts.dim, {}};
    for (int64_t offset : from_offsets) {
      const auto element = source.begin() + offset + d * fs.dim;
      choice.elements.emplace_back(element, element + shape_.element);
    }
    scenario_.choices.push_back(std::move(choice));
  }
}

void ScenarioMaker::fill_row(const std::vector<uint8_t>& element, const std::string& to, int64_t to_offset,
                             const Strides& ts) {
  auto& target = scenario_.expected.at(to).bytes;
  for (int64_t d = 0; d < shape_.dim; ++d) {
    std::copy(element.begin(), element.end(), target.begin() + to_offset + d * ts.dim);
  }
}

void ScenarioMaker::fault(DeviceFault kind, int64_t index) {
  const uint64_t word = static_cast<uint64_t>(kStatusIndexLimit - index) << 8 | static_cast<uint64_t>(kind);
  scenario_.least_status = std::max(scenario_.least_status, word);
}

void ScenarioMaker::finish_status() {
  auto& bytes = scenario_.expected["status_word"].bytes;
  if (!bytes.empty()) std::memcpy(bytes.data(), &scenario_.least_status, 8);
}

Scenario make_scenario(const Key& key, const ScenarioOptions& options, std::mt19937& random) {
  ScenarioMaker maker(key, options, random);
  switch (key.op()) {
    case OpId::kPagedGather:
      make_paged_gather(maker);
      break;
    case OpId::kPagedAppend:
      make_paged_append(maker);
      break;
    case OpId::kPack:
      make_pack(maker);
      break;
    case OpId::kUnpack:
      make_unpack(maker);
      break;
    case OpId::kGatherRows:
      make_gather_rows(maker);
      break;
    case OpId::kScatterRows:
      make_scatter_rows(maker);
      break;
    case OpId::kAppendRope:
      make_append_rope(maker);
      break;
    case OpId::kConvert:
      make_convert(maker);
      break;
    case OpId::kConcat:
      make_concat(maker);
      break;
    case OpId::kSplit:
      make_split(maker);
      break;
    case OpId::kRaggedTranspose:
      make_ragged_transpose(maker);
      break;
    case OpId::kCopy:
      make_copy(maker);
      break;
    default:
      break;
  }
  return maker.take();
}

bool differ(const Memory& a, const Memory& b) {
  return std::any_of(a.begin(), a.end(),
                     [&](const auto& operand) { return operand.second.bytes != b.at(operand.first).bytes; });
}

void settle(Scenario& scenario) {
  for (const Scenario::Choice& choice : scenario.choices) {
    const auto actual = scenario.memory.at(choice.operand).bytes.begin() + choice.offset;
    const auto size = static_cast<ptrdiff_t>(choice.elements[0].size());
    const std::vector<uint8_t> element(actual, actual + size);
    if (std::find(choice.elements.begin(), choice.elements.end(), element) == choice.elements.end()) continue;
    std::copy(element.begin(), element.end(), scenario.expected.at(choice.operand).bytes.begin() + choice.offset);
  }
}

std::vector<int64_t> parameter_values(const LaunchPlan& plan, const std::vector<int64_t>& symbols,
                                      const DeviceNumbers& device) {
  std::vector<int64_t> values;
  for (const PlanParameter& p : plan.parameters) values.push_back(evaluate(p.value, symbols, device));
  return values;
}

}  // namespace tailor::test
