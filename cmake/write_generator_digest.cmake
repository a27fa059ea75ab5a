# Run at build time by cmake/GeneratorDigest.cmake: cmake -DSOURCE_DIR=… -DLLVM_VERSION=… -DOUTPUT=… -P write_generator_digest.cmake
#
# Writes OUTPUT, a header with one digest over everything that decides what the code generator emits: the sources under
# codegen/ and templates/, what they take from runtime/ops and runtime/bucket, and the version of LLVM. Paths are
# relative to SOURCE_DIR, so that two checkouts of one revision agree. The file is touched only when the digest changes.
file(GLOB_RECURSE sources RELATIVE ${SOURCE_DIR}
  ${SOURCE_DIR}/codegen/*.h ${SOURCE_DIR}/codegen/*.cpp ${SOURCE_DIR}/codegen/*.in ${SOURCE_DIR}/templates/*
  ${SOURCE_DIR}/runtime/ops/*.h ${SOURCE_DIR}/runtime/ops/*.cpp ${SOURCE_DIR}/runtime/bucket/*.h
  ${SOURCE_DIR}/runtime/bucket/*.cpp ${SOURCE_DIR}/include/tailor/ops.h ${SOURCE_DIR}/include/tailor/types.h)
list(SORT sources)
set(manifest "llvm ${LLVM_VERSION}\n")
foreach(source IN LISTS sources)
  file(SHA256 ${SOURCE_DIR}/${source} digest)
  string(APPEND manifest "${source} ${digest}\n")
endforeach()
string(SHA256 digest "${manifest}")
string(SUBSTRING ${digest} 0 32 digest)
set(text "// Made by cmake/write_generator_digest.cmake.\n#pragma once\n#define TAILOR_GENERATOR_DIGEST \"${digest}\"\n")
set(old "")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} old)
endif()
if(NOT old STREQUAL text)
  file(WRITE ${OUTPUT} "${text}")
endif()
