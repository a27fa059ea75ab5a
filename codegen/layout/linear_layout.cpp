#include "codegen/layout/linear_layout.h"

#include <algorithm>
#include <bit>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "codegen/integer/arithmetic.h"
#include "codegen/layout/text.h"

namespace tailor::codegen::layout {
namespace {

using integer::F2Map;

bool is_power_of_two(int64_t n) { return n > 0 && integer::is_pow2(static_cast<uint64_t>(n)); }
int log2_of(int64_t n) { return std::countr_zero(static_cast<uint64_t>(n)); }

Status check_names(const std::vector<LinearInput>& inputs, const std::vector<LinearOutput>& outputs) {
  std::set<std::string_view> in;
  std::set<std::string_view> out;
  const auto valid = [](const std::string& name) -> Status {
    if (text::is_valid_name(name)) return {};
    return invalid_argument(
        fmt::format("linear layout: dimension name '{}' is not a name (letters, digits, '_', '.')", name));
  };
  for (const LinearInput& input : inputs) {
    TAILOR_RETURN_IF_ERROR(valid(input.name));
    if (!in.insert(input.name).second)
      return invalid_argument(fmt::format("linear layout: input dimension '{}' appears twice", input.name));
  }
  for (const LinearOutput& output : outputs) {
    TAILOR_RETURN_IF_ERROR(valid(output.name));
    if (!out.insert(output.name).second)
      return invalid_argument(fmt::format("linear layout: output dimension '{}' appears twice", output.name));
    if (!is_power_of_two(output.size)) {
      return invalid_argument(fmt::format("linear layout: output dimension '{}' has size {}; it must be a power of two",
                                          output.name, output.size));
    }
  }
  return {};
}

Status check_size(int64_t size, const std::string& name) {
  if (is_power_of_two(size)) return {};
  return invalid_argument(
      fmt::format("linear layout: dimension '{}' has size {}; it must be a power of two", name, size));
}

}  // namespace

Expected<LinearLayout> LinearLayout::create(std::vector<LinearInput> inputs, std::vector<LinearOutput> outputs) {
  TAILOR_RETURN_IF_ERROR(check_names(inputs, outputs));
  LinearLayout layout;
  for (const LinearOutput& output : outputs) layout.output_bits_ += log2_of(output.size);
  if (layout.output_bits_ > integer::kF2Bits) {
    return invalid_argument(fmt::format("linear layout: the outputs have {} bits; at most {} are allowed",
                                        layout.output_bits_, integer::kF2Bits));
  }
  std::vector<uint64_t> columns;
  for (const LinearInput& input : inputs) {
    for (const std::vector<int64_t>& base : input.bases) {
      if (base.size() != outputs.size()) {
        return invalid_argument(fmt::format("linear layout: a base of '{}' has {} coordinates, there are {} outputs",
                                            input.name, base.size(), outputs.size()));
      }
      uint64_t column = 0;
      int place = 0;
      for (size_t k = 0; k < base.size(); ++k) {
        if (base[k] < 0 || base[k] >= outputs[k].size) {
          return invalid_argument(fmt::format("linear layout: a base of '{}' is {} in '{}'; it must be in [0, {})",
                                              input.name, base[k], outputs[k].name, outputs[k].size));
        }
        column |= static_cast<uint64_t>(base[k]) << place;
        place += log2_of(outputs[k].size);
      }
      columns.push_back(column);
    }
  }
  TAILOR_ASSIGN_OR_RETURN(layout.flat_, F2Map::create(std::move(columns)));
  layout.inputs_ = std::move(inputs);
  layout.outputs_ = std::move(outputs);
  return layout;
}

Expected<LinearLayout> LinearLayout::from_flat(const F2Map& flat,
                                               const std::vector<std::pair<std::string, int>>& inputs,
                                               std::vector<LinearOutput> outputs) {
  std::vector<LinearInput> result;
  size_t next = 0;
  for (const auto& [name, bits] : inputs) {
    LinearInput input{name, {}};
    for (int i = 0; i < bits; ++i) {
      uint64_t column = flat.columns()[next++];
      std::vector<int64_t> base;
      for (const LinearOutput& output : outputs) {
        base.push_back(static_cast<int64_t>(column) & (output.size - 1));
        column >>= log2_of(output.size);
      }
      input.bases.push_back(std::move(base));
    }
    result.push_back(std::move(input));
  }
  return create(std::move(result), std::move(outputs));
}

Expected<LinearLayout> LinearLayout::identity(int64_t size, const std::string& input, const std::string& output) {
  TAILOR_RETURN_IF_ERROR(check_size(size, input));
  return from_flat(F2Map::identity(log2_of(size)), {{input, log2_of(size)}}, {{output, size}});
}

Expected<LinearLayout> LinearLayout::zeros(int64_t size, const std::string& input, const std::string& output,
                                           int64_t out_size) {
  TAILOR_RETURN_IF_ERROR(check_size(size, input));
  TAILOR_RETURN_IF_ERROR(check_size(out_size, output));
  return create({{input, std::vector<std::vector<int64_t>>(static_cast<size_t>(log2_of(size)), {0})}},
                {{output, out_size}});
}

Expected<LinearLayout> LinearLayout::strided(int64_t size, int64_t stride, const std::string& input,
                                             const std::string& output) {
  TAILOR_RETURN_IF_ERROR(check_size(size, input));
  if (!is_power_of_two(stride)) {
    return invalid_argument(fmt::format("linear layout: the stride is {}; it must be a power of two", stride));
  }
  const int bits = log2_of(size);
  const int shift = bits == 0 ? 0 : log2_of(stride);
  if (bits + shift > integer::kF2Bits) return integer::overflow_error("the size of '" + output + "'");
  std::vector<uint64_t> columns;
  for (int i = 0; i < bits; ++i) columns.push_back(uint64_t{1} << (i + shift));
  TAILOR_ASSIGN_OR_RETURN(F2Map flat, F2Map::create(std::move(columns)));
  return from_flat(flat, {{input, bits}}, {{output, int64_t{1} << (bits + shift)}});
}

Expected<LinearLayout> LinearLayout::from_layout(const ComposedLayout& layout,
                                                 const std::vector<std::pair<std::string, int64_t>>& inputs,
                                                 const std::string& output) {
  TAILOR_ASSIGN_OR_RETURN(F2Map flat, linear_over_f2(layout));
  std::vector<std::pair<std::string, int>> bits;
  int total = 0;
  for (const auto& [name, size] : inputs) {
    TAILOR_RETURN_IF_ERROR(check_size(size, name));
    bits.emplace_back(name, log2_of(size));
    total += log2_of(size);
  }
  if (total != flat.input_bits()) {
    return invalid_argument(fmt::format("linear layout of {}: the input dimensions have 2^{} points, the layout {}",
                                        layout.to_string(), total, layout.size()));
  }
  return from_flat(flat, bits, {{output, int64_t{1} << flat.output_bits()}});
}

Expected<std::vector<int64_t>> LinearLayout::apply(const std::vector<int64_t>& coordinates) const {
  if (coordinates.size() != inputs_.size()) {
    return invalid_argument(fmt::format("{} coordinates for {} input dimensions", coordinates.size(), inputs_.size()));
  }
  uint64_t word = 0;
  int place = 0;
  for (size_t k = 0; k < coordinates.size(); ++k) {
    if (coordinates[k] < 0 || coordinates[k] >= input_size(k)) {
      return invalid_argument(
          fmt::format("coordinate {} of '{}'; it must be in [0, {})", coordinates[k], inputs_[k].name, input_size(k)));
    }
    word |= static_cast<uint64_t>(coordinates[k]) << place;
    place += static_cast<int>(inputs_[k].bases.size());
  }
  uint64_t image = flat_.apply(word);
  std::vector<int64_t> result;
  for (const LinearOutput& output : outputs_) {
    result.push_back(static_cast<int64_t>(image) & (output.size - 1));
    image >>= log2_of(output.size);
  }
  return result;
}

std::vector<int64_t> LinearLayout::free_variable_masks() const {
  // A bit whose base depends on those of the bits below it adds nothing that they do not reach.
  std::vector<int64_t> masks;
  std::vector<uint64_t> independent;
  for (const LinearInput& input : inputs_) {
    int64_t mask = 0;
    for (size_t i = 0; i < input.bases.size(); ++i) {
      size_t position = i;
      for (const LinearInput& before : inputs_) {
        if (before.name == input.name) break;
        position += before.bases.size();
      }
      uint64_t rest = flat_.columns()[position];
      for (uint64_t b : independent) rest = std::min(rest, rest ^ b);
      if (rest == 0) {
        mask |= int64_t{1} << i;
      } else {
        independent.push_back(rest);
        std::sort(independent.rbegin(), independent.rend());
      }
    }
    masks.push_back(mask);
  }
  return masks;
}

Expected<LinearLayout> LinearLayout::product(const LinearLayout& outer) const {
  std::vector<LinearOutput> outputs = outputs_;
  std::vector<int> shifts(outer.outputs_.size(), 0);
  std::vector<size_t> places(outer.outputs_.size());
  for (size_t k = 0; k < outer.outputs_.size(); ++k) {
    const LinearOutput& output = outer.outputs_[k];
    auto shared = std::find_if(outputs.begin(), outputs.end(), [&](const auto& o) { return o.name == output.name; });
    places[k] = static_cast<size_t>(shared - outputs.begin());
    if (shared == outputs.end()) {
      outputs.push_back(output);
      continue;
    }
    shifts[k] = log2_of(shared->size);
    if (shifts[k] + log2_of(output.size) > integer::kF2Bits)
      return integer::overflow_error("the size of '" + output.name + "'");
    shared->size *= output.size;
  }
  std::vector<LinearInput> inputs = inputs_;
  for (LinearInput& input : inputs) {
    for (auto& base : input.bases) base.resize(outputs.size(), 0);
  }
  for (const LinearInput& input : outer.inputs_) {
    auto shared = std::find_if(inputs.begin(), inputs.end(), [&](const auto& i) { return i.name == input.name; });
    if (shared == inputs.end()) shared = inputs.insert(inputs.end(), LinearInput{input.name, {}});
    for (const auto& base : input.bases) {
      std::vector<int64_t> moved(outputs.size(), 0);
      for (size_t k = 0; k < base.size(); ++k) moved[places[k]] = base[k] << shifts[k];
      shared->bases.push_back(std::move(moved));
    }
  }
  return create(std::move(inputs), std::move(outputs));
}

// The divisor's bits are the low ones of every dimension (left) or the high ones (right): there the bases must be the
// divisor's own, and the others must keep clear of its outputs.
Expected<LinearLayout> LinearLayout::quotient(const LinearLayout& divisor, bool left) const {
  const auto refuse = [&](const std::string& why) {
    return invalid_argument(fmt::format("{} divided from the {} by {}: {}", to_string(), left ? "left" : "right",
                                        divisor.to_string(), why));
  };
  const auto find = [](const auto& dims, const std::string& name) {
    return std::find_if(dims.begin(), dims.end(), [&](const auto& d) { return d.name == name; });
  };
  for (const LinearInput& input : divisor.inputs_) {
    const auto own = find(inputs_, input.name);
    if (own == inputs_.end() || own->bases.size() < input.bases.size())
      return refuse(fmt::format("the dividend has no {} bits in '{}'", input.bases.size(), input.name));
  }
  for (const LinearOutput& output : divisor.outputs_) {
    const auto own = find(outputs_, output.name);
    if (own == outputs_.end() || own->size < output.size)
      return refuse(fmt::format("the dividend has no size {} in '{}'", output.size, output.name));
  }
  std::vector<LinearOutput> outputs = outputs_;
  for (LinearOutput& output : outputs) {
    if (const auto d = find(divisor.outputs_, output.name); d != divisor.outputs_.end()) output.size /= d->size;
  }
  std::vector<LinearInput> inputs;
  for (const LinearInput& input : inputs_) {
    const auto d = find(divisor.inputs_, input.name);
    const size_t taken = d == divisor.inputs_.end() ? 0 : d->bases.size();
    const size_t from = left ? 0 : input.bases.size() - taken;
    LinearInput rest{input.name, {}};
    for (size_t i = 0; i < input.bases.size(); ++i) {
      const bool divided = i >= from && i < from + taken;
      std::vector<int64_t> base;
      for (size_t k = 0; k < outputs_.size(); ++k) {
        const auto o = find(divisor.outputs_, outputs_[k].name);
        const bool shared = o != divisor.outputs_.end();
        // What the divisor gives, at its place in the output, and how the quotient's own part reads.
        const int64_t expected =
            divided && shared ? d->bases[i - from][static_cast<size_t>(o - divisor.outputs_.begin())] : 0;
        const int64_t size = left ? (shared ? o->size : 1) : outputs[k].size;
        const int64_t low = input.bases[i][k] % size;
        const int64_t high = input.bases[i][k] / size;
        const int64_t of_divisor = left ? low : high;
        const int64_t of_quotient = left ? high : low;
        if (of_divisor != expected || (divided && of_quotient != 0)) {
          return refuse(fmt::format("base {} of '{}' is {} in '{}', which is not the product's", i, input.name,
                                    input.bases[i][k], outputs_[k].name));
        }
        base.push_back(of_quotient);
      }
      if (!divided) rest.bases.push_back(std::move(base));
    }
    inputs.push_back(std::move(rest));
  }
  return create(std::move(inputs), std::move(outputs));
}

Expected<LinearLayout> LinearLayout::divide_left(const LinearLayout& divisor) const { return quotient(divisor, true); }

Expected<LinearLayout> LinearLayout::divide_right(const LinearLayout& divisor) const {
  return quotient(divisor, false);
}

Expected<LinearLayout> LinearLayout::sublayout(const std::vector<std::string>& inputs,
                                               const std::vector<std::string>& outputs) const {
  const auto named = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  std::vector<LinearInput> ins;
  std::vector<LinearOutput> outs;
  std::vector<size_t> kept;
  for (size_t k = 0; k < outputs_.size(); ++k) {
    if (!named(outputs, outputs_[k].name)) continue;
    outs.push_back(outputs_[k]);
    kept.push_back(k);
  }
  for (const LinearInput& input : inputs_) {
    if (!named(inputs, input.name)) continue;
    LinearInput part{input.name, {}};
    for (const auto& base : input.bases) {
      std::vector<int64_t> coordinates;
      for (size_t k : kept) coordinates.push_back(base[k]);
      part.bases.push_back(std::move(coordinates));
    }
    ins.push_back(std::move(part));
  }
  if (ins.size() != inputs.size() || outs.size() != outputs.size()) {
    return invalid_argument(
        fmt::format("part of {}: every dimension asked for must be one of its own, named once", to_string()));
  }
  return create(std::move(ins), std::move(outs));
}

Expected<LinearLayout> LinearLayout::compose(const LinearLayout& outer) const {
  if (outer.inputs_.size() != outputs_.size()) {
    return invalid_argument(fmt::format("composition of {} after {}: {} inputs for {} outputs", outer.to_string(),
                                        to_string(), outer.inputs_.size(), outputs_.size()));
  }
  std::vector<LinearInput> inputs = inputs_;
  for (size_t k = 0; k < outputs_.size(); ++k) {
    if (outer.inputs_[k].name != outputs_[k].name || outer.input_size(k) < outputs_[k].size) {
      return invalid_argument(fmt::format(
          "composition of linear layouts: output '{}' of size {} meets input '{}' of size {}; names must agree and the "
          "input be as large",
          outputs_[k].name, outputs_[k].size, outer.inputs_[k].name, outer.input_size(k)));
    }
  }
  for (LinearInput& input : inputs) {
    for (auto& base : input.bases) {
      TAILOR_ASSIGN_OR_RETURN(base, outer.apply(base));
    }
  }
  return create(std::move(inputs), outer.outputs_);
}

std::string LinearLayout::input_text(uint64_t word) const {
  std::string text;
  for (const LinearInput& input : inputs_) {
    const uint64_t mask = (uint64_t{1} << input.bases.size()) - 1;
    text += fmt::format("{}{}={}", text.empty() ? "" : ", ", input.name, word & mask);
    word >>= input.bases.size();
  }
  return text;
}

// `back` maps the flat outputs to the flat inputs.
Expected<LinearLayout> LinearLayout::swapped(const F2Map& back) const {
  std::vector<std::pair<std::string, int>> inputs;
  for (const LinearOutput& output : outputs_) inputs.emplace_back(output.name, log2_of(output.size));
  std::vector<LinearOutput> outputs;
  for (size_t k = 0; k < inputs_.size(); ++k) outputs.push_back({inputs_[k].name, input_size(k)});
  return from_flat(back, inputs, std::move(outputs));
}

Expected<LinearLayout> LinearLayout::invert() const {
  const std::vector<uint64_t> kernel = flat_.kernel();
  if (!kernel.empty()) {
    return invalid_argument(fmt::format("inverse of {}: none exists, the inputs {} and {} have the same output",
                                        to_string(), input_text(0), input_text(kernel.back())));
  }
  return pseudoinvert();
}

Expected<LinearLayout> LinearLayout::pseudoinvert() const {
  const auto back = flat_.right_inverse(output_bits_);
  if (back) return swapped(*back);
  for (int j = 0; j < output_bits_; ++j) {
    if (flat_.solve(uint64_t{1} << j)) continue;
    return invalid_argument(
        fmt::format("inverse of {}: none exists, no input has the flat output {}", to_string(), uint64_t{1} << j));
  }
  return internal_error("a map that reaches every unit vector is onto");
}

Expected<LinearLayout> LinearLayout::invert_and_compose(const LinearLayout& outer) const {
  if (outer.outputs_ != outputs_) {
    return invalid_argument(fmt::format("{} and {} must have the same outputs", to_string(), outer.to_string()));
  }
  std::vector<uint64_t> columns;
  for (uint64_t column : flat_.columns()) {
    const auto source = outer.flat_.solve(column);
    if (!source) {
      return invalid_argument(
          fmt::format("{} does not reach the flat output {} of {}", outer.to_string(), column, to_string()));
    }
    columns.push_back(*source);
  }
  TAILOR_ASSIGN_OR_RETURN(F2Map flat, F2Map::create(std::move(columns)));
  std::vector<std::pair<std::string, int>> inputs;
  for (const LinearInput& input : inputs_) inputs.emplace_back(input.name, static_cast<int>(input.bases.size()));
  std::vector<LinearOutput> outputs;
  for (size_t k = 0; k < outer.inputs_.size(); ++k) outputs.push_back({outer.inputs_[k].name, outer.input_size(k)});
  return from_flat(flat, inputs, std::move(outputs));
}

}  // namespace tailor::codegen::layout
