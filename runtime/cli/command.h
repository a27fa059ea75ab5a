// The verbs of the command: one table, from which the parser and its help are made.
//
// A verb adds its options to a CLI11 subcommand and leaves an action in the Invocation when it is the one that was
// asked for. Actions return exit codes (exit_code.h) and do not throw on outside data.
#pragma once

#include <filesystem>
#include <functional>

#include <CLI/CLI.hpp>

#include "runtime/cli/environment.h"
#include "runtime/cli/output.h"
#include "tailor/status.h"

namespace tailor::cli {

struct Invocation {
  Environment environment;
  std::filesystem::path executable;
  std::function<int()> action;
};

// add function, verb, description
#define TAILOR_VERBS(X)                                                                             \
  X(add_run, "run", "Launch an operation on made-up data or serve a trace, and check every byte")   \
  X(add_emit, "emit", "Show a kernel at one stage of its way from key to cubin")                    \
  X(add_buckets, "buckets", "List the finite key space of a static configuration")                  \
  X(add_sweep, "sweep", "Emit and compile the key space of every operation")                        \
  X(add_cache, "cache", "List, measure or verify the disk cache")                                   \
  X(add_layout, "layout", "Evaluate, explain or draw layouts")                                      \
  X(add_doctor, "doctor", "Report which parts are here, their versions, and how to get the others") \
  X(add_version, "version", "Print the version")

#define X(add, verb, description) void add(CLI::App& app, Invocation& invocation);
TAILOR_VERBS(X)
#undef X

// The children of `run`.
void add_run_operations(CLI::App& run, Invocation& invocation);
void add_run_serve(CLI::App& run, Invocation& invocation);

// Says why on stderr (and with `as_json` as {"error": …} on stdout, so that a reader of stdout is never left with
// nothing) and gives the exit code.
int fail(const Status& status, bool as_json);

}  // namespace tailor::cli
