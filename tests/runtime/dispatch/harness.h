// A Runtime over the fakes.
#pragma once

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "runtime/dispatch/runtime_access.h"
#include "tests/runtime/dispatch/fakes.h"
#include "tests/runtime/ops/operands.h"

namespace tailor::testing {

inline std::unique_ptr<Runtime> open_fake(FakeDriver& driver, std::shared_ptr<KernelGenerator> generator,
                                          RuntimeOptions options = {},
                                          std::shared_ptr<cache::FileSystem> file_system = nullptr) {
  RuntimeParts parts;
  parts.driver = &driver.table;
  parts.generator = std::move(generator);
  parts.generator_digest = "fake-digest-1";
  parts.file_system = std::move(file_system);
  auto runtime = RuntimeAccess::open(options, std::move(parts));
  EXPECT_TRUE(runtime.ok()) << runtime.status().to_string();
  return runtime.ok() ? std::move(*runtime) : nullptr;
}

// Gathers whose keys differ pairwise, for n in [0, 100).
inline PagedGather gather_number(int n) {
  PagedGather op = gather_operands();
  op.pages = Tensor::dense(at(0), DType::kBFloat16, {64, 16 + n, 8, 128});
  return op;
}

}  // namespace tailor::testing
