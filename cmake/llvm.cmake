# LLVM, 19 to 22: the one of LLVM_DIR; or of the major version MEMFOLD_LLVM; or the newest that is installed, also where
# others are installed beside it. Older ones do not do: in their C API callbr cannot be built, by which an access on CPU
# pages reaches its fault edge.
set(memfold_llvm_majors 22 21 20 19)
set(MEMFOLD_LLVM "" CACHE STRING "Major version of LLVM, 19 to 22; empty: that of LLVM_DIR, or the newest installed")
option(MEMFOLD_LLVM_STATIC "Link LLVM's static libraries; the generator is a static library only, then" OFF)

if(MEMFOLD_LLVM AND NOT MEMFOLD_LLVM IN_LIST memfold_llvm_majors)
  message(FATAL_ERROR "MEMFOLD_LLVM is ${MEMFOLD_LLVM}: memfold is built with LLVM 19, 20, 21 or 22. "
    "Before 19 LLVM's C API cannot build callbr.")
endif()

# A directory that an earlier run has found is no wish of the caller's when he asks for another version now.
if(MEMFOLD_LLVM AND LLVM_DIR AND LLVM_DIR STREQUAL MEMFOLD_LLVM_FOUND AND NOT MEMFOLD_LLVM STREQUAL MEMFOLD_LLVM_FOUND_MAJOR)
  unset(LLVM_DIR CACHE)
endif()

if(LLVM_DIR)
  set(asked ${LLVM_DIR})
  find_package(LLVM QUIET CONFIG PATHS ${LLVM_DIR} NO_DEFAULT_PATH)
  if(NOT LLVM_FOUND)
    set(LLVM_DIR ${asked} CACHE PATH "" FORCE)
    message(FATAL_ERROR "LLVM_DIR is ${asked}, where no LLVMConfig.cmake can be read.")
  elseif(NOT LLVM_VERSION_MAJOR IN_LIST memfold_llvm_majors)
    message(FATAL_ERROR "LLVM_DIR is ${asked}, which is LLVM ${LLVM_VERSION}: memfold is built with LLVM 19, 20, 21 "
      "or 22. Before 19 LLVM's C API cannot build callbr.")
  elseif(MEMFOLD_LLVM AND NOT MEMFOLD_LLVM EQUAL LLVM_VERSION_MAJOR)
    message(FATAL_ERROR "LLVM_DIR is ${asked}, which is LLVM ${LLVM_VERSION}, but MEMFOLD_LLVM is ${MEMFOLD_LLVM}.")
  endif()
else()
  set(seen "")
  foreach(major ${MEMFOLD_LLVM} ${memfold_llvm_majors})
    find_package(LLVM ${major}.1 QUIET CONFIG PATHS /usr/lib/llvm-${major} /usr/lib/llvm${major} /usr/lib64/llvm${major})
    list(APPEND seen ${LLVM_CONSIDERED_VERSIONS})
    if(LLVM_FOUND OR MEMFOLD_LLVM)
      break()
    endif()
  endforeach()
  if(NOT LLVM_FOUND)
    list(REMOVE_DUPLICATES seen)
    list(JOIN seen ", " seen)
    if(seen)
      set(seen " Found was ${seen}; before 19 LLVM's C API cannot build callbr.")
    endif()
    if(MEMFOLD_LLVM)
      message(FATAL_ERROR "There is no LLVM ${MEMFOLD_LLVM} here (MEMFOLD_LLVM).${seen}")
    endif()
    message(FATAL_ERROR "The generator needs LLVM 19, 20, 21 or 22, which is not here: tools/setup installs it, LLVM_DIR "
      "names one elsewhere, and -DMEMFOLD_GEN=OFF builds the runtime without.${seen}")
  endif()
  set(MEMFOLD_LLVM_FOUND ${LLVM_DIR} CACHE INTERNAL "")
  set(MEMFOLD_LLVM_FOUND_MAJOR ${LLVM_VERSION_MAJOR} CACHE INTERNAL "")
endif()
message(STATUS "memfold: LLVM ${LLVM_VERSION} (${LLVM_DIR})")

# What is linked, by names that an installed package can repeat: the shared library, or the static ones with what is behind
# them. Headers count as system headers.
if(MEMFOLD_LLVM_STATIC)
  execute_process(COMMAND ${LLVM_TOOLS_BINARY_DIR}/llvm-config --link-static --libs --system-libs
    all-targets analysis bitreader bitwriter core irreader linker object orcjit passes
    OUTPUT_VARIABLE memfold_llvm_names COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX REPLACE "[ \n]+" ";" memfold_llvm_names " ${memfold_llvm_names} stdc++")
  list(TRANSFORM memfold_llvm_names REPLACE "^-l" "")
  list(REMOVE_ITEM memfold_llvm_names "")
elseif(TARGET LLVM)
  set(memfold_llvm_names LLVM-${LLVM_VERSION_MAJOR})
else()
  message(FATAL_ERROR "LLVM ${LLVM_VERSION} in ${LLVM_DIR} has no shared library: configure with MEMFOLD_LLVM_STATIC=ON.")
endif()
add_library(memfold_llvm INTERFACE)
target_include_directories(memfold_llvm SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS})
if(MEMFOLD_LLVM_STATIC)
  target_link_directories(memfold_llvm INTERFACE ${LLVM_LIBRARY_DIR})
  target_link_libraries(memfold_llvm INTERFACE ${memfold_llvm_names})
else()
  target_link_libraries(memfold_llvm INTERFACE LLVM)
endif()
