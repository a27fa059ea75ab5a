#include "codegen/movement/discharge_guards.h"

#include <algorithm>

#include <fmt/format.h>

#include "codegen/layout/layout.h"
#include "codegen/tile/known.h"

namespace tailor::codegen::movement {
namespace {

using layout::AffineExpr;
using layout::Constraint;
using layout::Dim;

// The access indices that one kind of wave covers: v = lane + lanes * wave + first.
struct Domain {
  std::vector<Dim> dims;
  std::string index;
  std::string text;
};

std::vector<Domain> domains(const Stream& stream, const RowPlan& rows) {
  const int64_t lanes = rows.threads.lanes;
  const int64_t full = rows.threads.full_waves(stream, rows.lowering);
  std::vector<Domain> result;
  if (full > 0) {
    result.push_back({{{"lane", AffineExpr(lanes)}, {"wave", AffineExpr(full)}},
                      fmt::format("lane + {}*wave", lanes),
                      fmt::format("lane < {}, wave < {}", lanes, full)});
  }
  const int64_t rest = rows.lowering == Lowering::kTail ? rows.threads.remainder(stream) : 0;
  if (rest > 0) {
    result.push_back({{{"lane", AffineExpr(rest)}},
                      fmt::format("lane + {}", lanes * full),
                      fmt::format("lane < {} (one lane test)", rest)});
  }
  return result;
}

// "k_pages <- k", "padded <- fill", "target <- source as bf16 <- f32", "k_pages <- k turned by cos, sin"
std::string moved(const tile::Program& program, const CopyPlan& copy) {
  const tile::Node& node = copy.copy;
  const tile::View& target = program.views()[node.view];
  if (node.source == tile::kNone) return fmt::format("{} <- {}", target.name, node.extent.symbol);
  const tile::View& source = program.views()[node.source];
  std::string text = fmt::format("{} <- {}", target.name, source.name);
  if (node.op == tile::Op::kConvert) {
    text += fmt::format(" as {} <- {}", to_string(*target.type), to_string(*source.type));
  } else if (node.op == tile::Op::kRotate) {
    text +=
        fmt::format(" turned by {}, {}", program.views()[node.tables[0]].name, program.views()[node.tables[1]].name);
  }
  return text;
}

std::string subject(const tile::Program& program, const CopyPlan& copy, const Stream& stream) {
  return fmt::format("{}, {} {} B", moved(program, copy), stream.is_body ? "vector" : "tail piece", stream.width);
}

Expected<GuardProof> decide(std::string what, const std::string& guard, const std::vector<Dim>& dims,
                            std::string domain) {
  TAILOR_ASSIGN_OR_RETURN(const Constraint constraint, Constraint::parse(guard));
  TAILOR_ASSIGN_OR_RETURN(const layout::Verdict verdict, layout::implies_on_domain({}, dims, {}, constraint));
  return GuardProof{std::move(what), constraint.to_string(), std::move(domain), verdict};
}

Status count_guards(const tile::Program& program, const RowPlan& rows, const CopyPlan& copy, const Stream& stream,
                    std::vector<GuardProof>& out) {
  for (const Domain& d : domains(stream, rows)) {
    TAILOR_ASSIGN_OR_RETURN(
        GuardProof proof,
        decide(subject(program, copy, stream), fmt::format("{} <= {}", d.index, stream.count - 1), d.dims, d.text));
    out.push_back(std::move(proof));
  }
  return {};
}

// digit k = floor(v / (radices below it)) mod its radix; the last one takes the whole quotient.
Status digit_guards(const tile::Program& program, const RowPlan& rows, const CopyPlan& copy, const Stream& stream,
                    std::vector<GuardProof>& out) {
  if (stream.digits.size() < 2) return {};
  for (const Domain& d : domains(stream, rows)) {
    int64_t below = 1;
    for (size_t k = 0; k < stream.digits.size(); ++k) {
      const Digit& digit = stream.digits[k];
      const std::string quotient = fmt::format("floor(({}) / {})", d.index, below);
      const std::string value =
          k + 1 < stream.digits.size() ? fmt::format("({}) mod {}", quotient, digit.padded) : quotient;
      TAILOR_ASSIGN_OR_RETURN(GuardProof proof,
                              decide(subject(program, copy, stream) + ", " + digit.name,
                                     fmt::format("{} <= {}", value, digit.radix - 1), d.dims, d.text));
      out.push_back(std::move(proof));
      below *= digit.padded;
    }
  }
  return {};
}

// The layout of one side of a row: bytes from the row's start, over the digits of the body.
Expected<std::string> side_layout(const CopyPlan& copy, bool source) {
  std::vector<Dim> dims;
  std::vector<AffineExpr> strides;
  const Stream& body = copy.streams[0];
  for (size_t k = body.digits.size(); k-- > 0;) {
    const Digit& digit = body.digits[k];
    const tile::Stride& stride = source ? digit.source : digit.target;
    std::string name = digit.name;
    for (char& c : name) c = c == '*' ? '_' : c;
    dims.push_back({name, AffineExpr(digit.radix)});
    strides.push_back(stride.exact ? AffineExpr(*stride.exact) : AffineExpr::symbol(stride.symbol));
  }
  TAILOR_ASSIGN_OR_RETURN(
      const layout::GuardedAffineLayout result,
      layout::GuardedAffineLayout::strided(std::move(dims), std::move(strides), AffineExpr::symbol("row_start")));
  std::string text = result.to_string();
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

// "page_stride*page + slot_stride*slot": where a row starts in a view.
std::string row_start(const tile::Program& program, tile::ViewId id, const std::vector<tile::ValueId>& indices) {
  std::string text;
  for (size_t i = 0; i < indices.size(); ++i) {
    const tile::Dimension& d = program.views()[id].dims[i];
    if (d.extent.exact == int64_t{1}) continue;
    text +=
        fmt::format("{}{}*{}", text.empty() ? "" : " + ",
                    d.stride.exact ? std::to_string(*d.stride.exact) : d.stride.symbol, program.name_of(indices[i]));
  }
  return text.empty() ? "0" : text;
}

}  // namespace

Expected<std::vector<GuardProof>> discharge_guards(const tile::Program& program, const RowPlan& rows) {
  std::vector<GuardProof> proofs;
  for (const CopyPlan& copy : rows.copies) {
    for (const Stream& stream : copy.streams) {
      TAILOR_RETURN_IF_ERROR(count_guards(program, rows, copy, stream, proofs));
      TAILOR_RETURN_IF_ERROR(digit_guards(program, rows, copy, stream, proofs));
    }
  }
  Status status;
  tile::for_each_node(program.body(), [&](const tile::Node& node) {
    if (!status.ok() || node.op != tile::Op::kResolve || !node.extent.exact) return;
    const std::string t = program.name_of(node.operands[0]);
    Expected<GuardProof> proof = decide(fmt::format("{} within its page", program.name_of(node.results[1])),
                                        fmt::format("{} mod {} <= {}", t, *node.extent.exact, *node.extent.exact - 1),
                                        {{t, AffineExpr(tile::kScalarMax)}}, fmt::format("0 <= {} < 2^31 - 1", t));
    status = proof.status();
    if (status.ok()) proofs.push_back(std::move(*proof));
  });
  TAILOR_RETURN_IF_ERROR(status);
  return proofs;
}

Status check_discharged(const tile::Program& program, const RowPlan& rows) {
  if (rows.lowering != Lowering::kTail) return {};
  std::vector<GuardProof> proofs;
  for (const CopyPlan& copy : rows.copies) {
    for (const Stream& stream : copy.streams) {
      TAILOR_RETURN_IF_ERROR(count_guards(program, rows, copy, stream, proofs));
    }
  }
  for (const GuardProof& proof : proofs) {
    if (proof.verdict == layout::Verdict::kProved) continue;
    return internal_error(fmt::format("{}: the guard {} is {} for {}; the tail lowering leaves it out", proof.subject,
                                      proof.guard, to_string(proof.verdict), proof.domain));
  }
  return {};
}

Expected<std::string> explain(const tile::Program& program, const RowPlan& rows) {
  std::string text =
      fmt::format("lowering {}: {} lanes per row, {} rows per block of {} threads\n  {}\n", to_string(rows.lowering),
                  rows.threads.lanes, rows.threads.rows_per_block, rows.threads.block(), rows.threads.why);
  for (const CopyPlan& copy : rows.copies) {
    const layout::CopyShape& shape = copy.shape;
    text += fmt::format("\n{}: {} run{} of {} bytes, {} vectors of {} bytes each", moved(program, copy), shape.runs,
                        shape.runs == 1 ? "" : "s", shape.run_bytes, shape.vectors_per_run, shape.vector_bytes);
    for (const layout::TailPiece& piece : shape.tail) text += fmt::format(", then {} at {}", piece.width, piece.offset);
    text += fmt::format("\n  {}\n", shape.reason);
    const auto bodies =
        std::count_if(copy.streams.begin(), copy.streams.end(), [](const Stream& s) { return s.is_body; });
    if (bodies > 1) text += fmt::format("  {} bodies, one below, alike but for where they start\n", bodies);
    for (const bool source : {true, false}) {
      if (source && copy.copy.source == tile::kNone) continue;
      TAILOR_ASSIGN_OR_RETURN(const std::string side, side_layout(copy, source));
      text += fmt::format("  {} {}  row_start = {}\n", source ? "source" : "target", side,
                          source ? row_start(program, copy.copy.source, copy.copy.source_indices)
                                 : row_start(program, copy.copy.view, copy.copy.indices));
    }
  }
  for (const TransposePlan& plan : rows.transposes) {
    text += fmt::format(
        "\n{} <- {} transposed through {} bytes of shared memory: tiles of {} rows and {} bytes, read {} bytes at a "
        "time, "
        "written {} row{} ({} bytes) at a time\n  a row ends in {} bytes of a tile\n",
        program.views()[plan.node.view].name, program.views()[plan.node.source].name,
        TransposePlan::kTileRows * TransposePlan::kTileBytes, TransposePlan::kTileRows, TransposePlan::kTileBytes,
        plan.vector, plan.group, plan.group == 1 ? "" : "s", plan.group * plan.element,
        plan.row_bytes % TransposePlan::kTileBytes);
  }
  TAILOR_ASSIGN_OR_RETURN(const std::vector<GuardProof> proofs, discharge_guards(program, rows));
  text += "\nguards\n";
  for (const GuardProof& proof : proofs) {
    text +=
        fmt::format("  {:<9} {}   for {}   ({})\n", to_string(proof.verdict), proof.guard, proof.domain, proof.subject);
  }
  return text;
}

}  // namespace tailor::codegen::movement
