# One digest of the code generator for the whole build: target tailor_generator_digest writes, when it changes,
# TAILOR_GENERATOR_DIGEST_FOLDER/tailor_generator_digest_value.h. Whoever includes this first makes the target.
set(TAILOR_GENERATOR_DIGEST_FOLDER ${CMAKE_BINARY_DIR}/generated/generator_digest)
if(NOT TARGET tailor_generator_digest)
  set(llvm_version "unknown")
  if(LLVM_INCLUDE_DIR AND EXISTS ${LLVM_INCLUDE_DIR}/llvm/Config/llvm-config.h)
    file(STRINGS ${LLVM_INCLUDE_DIR}/llvm/Config/llvm-config.h llvm_version REGEX "define LLVM_VERSION_STRING")
    string(REGEX REPLACE ".*\"(.*)\".*" "\\1" llvm_version "${llvm_version}")
  endif()
  add_custom_target(tailor_generator_digest
    COMMAND ${CMAKE_COMMAND} -DSOURCE_DIR=${CMAKE_SOURCE_DIR} -DLLVM_VERSION=${llvm_version}
            -DOUTPUT=${TAILOR_GENERATOR_DIGEST_FOLDER}/tailor_generator_digest_value.h
            -P ${CMAKE_SOURCE_DIR}/cmake/write_generator_digest.cmake
    BYPRODUCTS ${TAILOR_GENERATOR_DIGEST_FOLDER}/tailor_generator_digest_value.h
    COMMENT "Digest of the code generator"
    VERBATIM)
endif()
