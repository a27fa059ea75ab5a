#include <set>
#include <string>

#include <gtest/gtest.h>

#include "runtime/driver/driver.h"

namespace tailor {
namespace {

// A table whose only live entries are the two that check() needs.
DriverTable table_with_names() {
  DriverTable table{};
  table.name = "fake";
  table.cuGetErrorName = [](cu::CUresult error, const char** name) {
    *name = error == cu::CUDA_ERROR_ILLEGAL_ADDRESS ? "CUDA_ERROR_ILLEGAL_ADDRESS" : nullptr;
    return *name ? cu::CUDA_SUCCESS : cu::CUDA_ERROR_INVALID_VALUE;
  };
  table.cuGetErrorString = [](cu::CUresult error, const char** text) {
    *text = error == cu::CUDA_ERROR_ILLEGAL_ADDRESS ? "an illegal memory access" : nullptr;
    return *text ? cu::CUDA_SUCCESS : cu::CUDA_ERROR_INVALID_VALUE;
  };
  return table;
}

TEST(DriverTable, CheckNamesTheCallTheCodeAndTheText) {
  const DriverTable table = table_with_names();
  EXPECT_TRUE(check(table, cu::CUDA_SUCCESS, "cuInit").ok());
  const Status status = check(table, cu::CUDA_ERROR_ILLEGAL_ADDRESS, "launch of gather");
  EXPECT_EQ(status.code(), StatusCode::kDriver);
  EXPECT_EQ(status.message(), "launch of gather: CUDA_ERROR_ILLEGAL_ADDRESS (700): an illegal memory access");
  EXPECT_EQ(check(table, static_cast<cu::CUresult>(12345), "x").message(), "x: unnamed error (12345): no text");
}

TEST(DriverTable, CudaDriverOpensOrSaysWhyNot) {
  const auto first = open_cuda_driver();
  const auto second = open_cuda_driver();
  ASSERT_EQ(first.ok(), second.ok());
  if (first.ok()) {
    EXPECT_EQ(*first, *second);
    EXPECT_STREQ((*first)->name, "cuda");
  } else {
    EXPECT_EQ(first.status().code(), StatusCode::kUnavailable);
    EXPECT_NE(first.status().message().find("libcuda.so.1"), std::string::npos);
  }
}

TEST(DriverTable, MissingVirtualLibraryIsNamed) {
  const auto opened = open_virtual_driver("/nonexistent/libtailor_virtual.so");
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.status().code(), StatusCode::kUnavailable);
  EXPECT_NE(opened.status().message().find("/nonexistent/libtailor_virtual.so"), std::string::npos);
}

TEST(DriverTable, LibraryWithoutTheEntryIsRefused) {
  const auto opened = open_virtual_driver("libm.so.6");
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.status().message().find("tailor_virtual_driver_table"), std::string::npos);
}

TEST(DriverTable, ExportedSymbolsAreDistinct) {
  std::set<std::string> symbols;
  size_t count = 0;
#define X(member, symbol, parameters) \
  symbols.insert(#symbol);            \
  ++count;
  TAILOR_DRIVER_FUNCTIONS(X)
#undef X
  EXPECT_EQ(symbols.size(), count);
}

}  // namespace
}  // namespace tailor
