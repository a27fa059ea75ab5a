// tailor run paged_gather | paged_append: one launch on made-up data, every byte compared.
#include <cstring>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "runtime/cli/counters_json.h"
#include "runtime/cli/exit_code.h"
#include "runtime/cli/flags.h"
#include "runtime/cli/run/check.h"
#include "runtime/cli/run/placement.h"
#include "runtime/cli/run/workload.h"

namespace tailor::cli {
namespace {

struct RunOptions {
  WorkloadOptions workload;
  SessionFlags session;
  std::vector<std::string> corruptions;
  bool check = false;
  const CLI::Option *batch = nullptr, *tokens = nullptr;
};

void add_shape_options(CLI::App& app, RunOptions& options) {
  WorkloadOptions& w = options.workload;
  options.batch = app.add_option("--batch", w.batch, "number of sequences, of random lengths without --seq-lens");
  app.add_option_function<std::string>(
         "--seq-lens",
         [&w](const std::string& text) {
           auto lengths = parse_lengths(text);
           if (!lengths.ok()) throw CLI::ValidationError("--seq-lens", lengths.status().message());
           w.seq_lens = *lengths;
         },
         w.op == OpId::kPagedGather ? "lengths, as 5,0,17" : "lengths before the new tokens, as 5,0,17")
      ->type_name("LENGTHS");
  if (w.op == OpId::kPagedAppend) {
    options.tokens =
        app.add_option("--tokens", w.tokens, "new tokens, dealt to the sequences at random; 0 for an empty batch");
  }
  app.add_option("--heads", w.heads, "H");
  app.add_option("--head-dim", w.head_dim, "D");
  app.add_option("--page-size", w.page_size, "tokens per page; any number");
  app.add_option("--pool-pages", w.pool_pages, "P; 0: as many as needed and three more");
  app.add_option("--max-pages", w.max_pages, "columns of block_table; 0: as the longest sequence needs");
  add_dtype_flag(app, w.dtype);
  add_layout_flag(app, w.layout);
  app.add_option("--misalign", w.misalign_bytes, "offset of the bases of moved operands from a 256-byte boundary")
      ->type_name("BYTES");
  app.add_option("--pad-row", w.pad_row, "elements between the end of a packed row and the next");
  app.add_option("--seed", w.seed, "of data, lengths and page order");
  app.add_option("--corrupt", options.corruptions,
                 "overwrite an entry of a device array, as block_table:3=999999; may be repeated");
  app.add_flag("--check", options.check, "give the kernel a status word and report the first broken promise");
}

// What the options say together.
void settle(RunOptions& options) {
  WorkloadOptions& w = options.workload;
  if (options.batch->count() > 0 && !w.seq_lens.empty() && w.batch != std::ssize(w.seq_lens)) {
    throw CLI::ValidationError(
        "--batch",
        fmt::format("it is {}, but the number of --seq-lens is {}; give one of the two", w.batch, w.seq_lens.size()));
  }
  if (options.tokens && options.tokens->count() == 0 && w.batch == 0 && w.seq_lens.empty()) w.tokens = 0;
}

Json fault_json(const DeviceFaultReport& report) {
  return {{"kind", to_string(report.kind)}, {"code", static_cast<int>(report.kind)}, {"index", report.index}};
}

// Launches and fills `report`; ok means that the report is complete, not that the bytes are right.
Status launch_and_compare(const RunOptions& options, const Invocation& invocation, Json& report, bool& verified) {
  Workload workload;
  TAILOR_ASSIGN_OR_RETURN(workload, make_workload(options.workload));
  TAILOR_ASSIGN_OR_RETURN(const Session session, open_session(options.session, invocation));
  report.update(describe(session, options.session));
  TAILOR_ASSIGN_OR_RETURN(Placement placement, Placement::place(*session.device, workload));

  DeviceBuffer status_word;
  const std::vector<uint8_t> clean(8, 0);
  if (options.check) {
    TAILOR_ASSIGN_OR_RETURN(status_word, DeviceBuffer::allocate(*session.device, 8));
    TAILOR_RETURN_IF_ERROR(status_word.upload(clean));
  }
  LaunchInfo info;
  LaunchOptions launch;
  launch.info = &info;
  if (session.device->is_virtual()) virtual_device::reset_counters();
  Status launched;
  if (workload.op == OpId::kPagedGather) {
    PagedGather operands = workload.gather();
    operands.status_word = status_word.address();
    launched = session.runtime->launch(operands, launch);
  } else {
    PagedAppend operands = workload.append();
    operands.status_word = status_word.address();
    launched = session.runtime->launch(operands, launch);
  }
  if (launched.ok()) launched = session.device->synchronize();
  TAILOR_RETURN_IF_ERROR(session.device->explain(launched));
  warn_of_lost_events(*session.runtime);
  report["key"] = info.key;
  report["launched"] = info.launched;
  report["tier"] = to_string(info.tier);
  report["miss_reason"] = to_string(info.miss_reason);
  for (const FallbackNote& note : info.fallback_notes) {
    report["fallbacks"].push_back({{"kind", to_string(note.fallback)}, {"detail", note.detail}});
  }
  report["compile_ms"] = phases_json(info.phases);

  const Expectation expectation = expect(workload);
  CheckResult result;
  TAILOR_ASSIGN_OR_RETURN(result, placement.compare(workload, expectation));
  const int64_t row_bytes = options.workload.heads * options.workload.head_dim * element_bytes(options.workload.dtype);
  report["rows_moved"] = expectation.rows_moved;
  report["bytes_moved"] = expectation.rows_moved * row_bytes * (workload.op == OpId::kPagedAppend ? 4 : 2);
  report["bytes_checked"] = result.bytes_checked;
  report["broken_promises"] = expectation.faults.size();
  bool fault_right = true;
  if (options.check) {
    std::vector<uint8_t> word(8);
    TAILOR_RETURN_IF_ERROR(status_word.download(word));
    uint64_t value = 0;
    std::memcpy(&value, word.data(), 8);
    const DeviceFaultReport fault = decode_status_word(value);
    fault_right = fault_is_expected(expectation, fault);
    report["fault"] = fault_json(fault);
    if (!fault_right) say_error("the device's fault is not one that the operands hold");
    if (fault.kind != DeviceFault::kNone) {
      say_error(fmt::format("device fault {}: {}, index {}", static_cast<int>(fault.kind), to_string(fault.kind),
                            fault.index));
    }
  } else if (!expectation.faults.empty()) {
    say_error("the operands break a promise, so rows were skipped; --check names the first");
  }
  if (session.device->is_virtual()) report["counters"] = counters_json(virtual_device::counters());
  report["verified"] = result.mismatches == 0 && fault_right;
  report["mismatches"] = result.mismatches;
  if (result.mismatches > 0) {
    report["first_mismatch"] = result.first;
    say_error(fmt::format("{} bytes differ from the reference; the first: {}", result.mismatches, result.first));
  }
  verified = result.mismatches == 0 && fault_right && expectation.faults.empty();
  return {};
}

int run_operation(RunOptions options, const Invocation& invocation) {
  for (const std::string& text : options.corruptions) {
    auto corruption = parse_corruption(text);
    if (!corruption.ok()) return fail(corruption.status(), options.session.json);
    options.workload.corruptions.push_back(std::move(*corruption));
  }
  Json report{{"op", to_string(options.workload.op)}};
  bool verified = false;
  Status status = launch_and_compare(options, invocation, report, verified);
  if (!status.ok()) return fail(status, options.session.json);
  status = print_report(report, options.session.json);
  if (!status.ok()) return fail(status, false);
  return verified ? kExitOk : kExitFailed;
}

}  // namespace

void add_run_operations(CLI::App& run, Invocation& invocation) {
  const auto add = [&](OpId op, const char* what) {
    auto options = std::make_shared<RunOptions>();
    options->workload.op = op;
    CLI::App& app = *run.add_subcommand(std::string(to_string(op)), what);
    add_shape_options(app, *options);
    add_session_flags(app, options->session);
    app.callback([options, &invocation] {
      settle(*options);
      invocation.action = [options, &invocation] { return run_operation(*options, invocation); };
    });
  };
  add(OpId::kPagedGather, "Pages of ragged sequences into packed rows");
  add(OpId::kPagedAppend, "New keys and values into pages");
}

void add_run(CLI::App& app, Invocation& invocation) {
  app.require_subcommand(1);
  add_run_operations(app, invocation);
  add_run_serve(app, invocation);
}

}  // namespace tailor::cli
