# Looks for torch, which libtailor_torch needs and nothing else does.
#
# TAILOR_TORCH: AUTO takes what is there, ON makes its absence an error, OFF leaves it out. TAILOR_TORCH_PYTHON: the
# interpreter whose torch is used; by default that of <build folder>/torch-venv, which scripts/test makes.
# Sets TAILOR_TORCH_FOUND, TAILOR_TORCH_VERSION, TAILOR_TORCH_INCLUDE_DIR, TAILOR_TORCH_LIBRARY. Says what was decided.
set(TAILOR_TORCH AUTO CACHE STRING "Build libtailor_torch: AUTO (where torch is found), ON or OFF")
set_property(CACHE TAILOR_TORCH PROPERTY STRINGS AUTO ON OFF)
set(TAILOR_TORCH_PYTHON ${CMAKE_BINARY_DIR}/torch-venv/bin/python CACHE FILEPATH "Python interpreter that has torch")
set(TAILOR_TORCH_MINIMUM 2.15)  # for the parts of the stable ABI that are used

# Why there is no usable torch, or "".
function(tailor_find_torch reason)
  set(${reason} "" PARENT_SCOPE)
  if(NOT EXISTS ${TAILOR_TORCH_PYTHON})
    set(${reason} "there is no ${TAILOR_TORCH_PYTHON}" PARENT_SCOPE)
    return()
  endif()
  # The package is located without importing it, which would take seconds.
  execute_process(COMMAND ${TAILOR_TORCH_PYTHON} -c
      "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"
    OUTPUT_VARIABLE folder OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed ERROR_QUIET)
  if(failed)
    set(${reason} "${TAILOR_TORCH_PYTHON} has no torch" PARENT_SCOPE)
    return()
  endif()
  if(NOT EXISTS ${folder}/include/torch/csrc/stable/library.h OR NOT EXISTS ${folder}/lib/libtorch_cpu.so)
    set(${reason} "${folder} lacks torch/csrc/stable/library.h or libtorch_cpu.so" PARENT_SCOPE)
    return()
  endif()
  file(STRINGS ${folder}/version.py line REGEX "__version__ = ")
  string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" version "${line}")
  if(version VERSION_LESS TAILOR_TORCH_MINIMUM)
    set(${reason} "torch in ${folder} is ${version}; ${TAILOR_TORCH_MINIMUM} or newer is needed" PARENT_SCOPE)
    return()
  endif()
  set(TAILOR_TORCH_FOUND TRUE PARENT_SCOPE)
  set(TAILOR_TORCH_VERSION ${version} PARENT_SCOPE)
  set(TAILOR_TORCH_INCLUDE_DIR ${folder}/include PARENT_SCOPE)
  set(TAILOR_TORCH_LIBRARY ${folder}/lib/libtorch_cpu.so PARENT_SCOPE)
endfunction()

set(TAILOR_TORCH_FOUND FALSE)
if(TAILOR_TORCH STREQUAL "OFF")
  message(STATUS "torch: left out (TAILOR_TORCH=OFF): libtailor_torch is not built, its tests are skipped")
elseif(TAILOR_SANITIZE)
  message(STATUS "torch: left out of a build with sanitizers: libtailor_torch is not built, its tests are skipped")
else()
  tailor_find_torch(TAILOR_TORCH_REASON)
  if(TAILOR_TORCH_FOUND)
    message(STATUS "torch: ${TAILOR_TORCH_VERSION} of ${TAILOR_TORCH_PYTHON}")
  elseif(TAILOR_TORCH STREQUAL "AUTO")
    message(STATUS "torch: ${TAILOR_TORCH_REASON}: libtailor_torch is not built, its tests are skipped (scripts/test installs torch)")
  else()
    message(FATAL_ERROR "torch: ${TAILOR_TORCH_REASON}. scripts/test installs it into <build folder>/torch-venv; or set TAILOR_TORCH_PYTHON, or TAILOR_TORCH=OFF")
  endif()
endif()
