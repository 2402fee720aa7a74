# The objects of one or more rooms as libmemfold-HALF.a: they are linked into a single one whose hidden symbols become
# local, so that an internal name never meets one of the user's. Functions keep their sections, and --gc-sections still
# drops what is not used.
function(memfold_add_static_library half)
  set(objects ${ARGN})
  list(TRANSFORM objects REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>")
  set(static memfold_${half}_static)
  set(joined ${PROJECT_BINARY_DIR}/cmake/memfold-${half}.o)
  add_custom_command(OUTPUT ${joined}
    COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o ${joined} ${objects}
    COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${joined}
    DEPENDS ${ARGN} VERBATIM COMMAND_EXPAND_LISTS)
  set_source_files_properties(${joined} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
  add_library(${static} STATIC ${joined})
  set_target_properties(${static} PROPERTIES EXPORT_NAME ${half}_static OUTPUT_NAME memfold-${half}
    LINKER_LANGUAGE C ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
endfunction()

# Kernels link statically only. It has no sanitizers in any build, and the suite uses what a kernel would.
if(TARGET memfold_bare)
  memfold_add_static_library(bare memfold_bare)
  set_target_properties(memfold_bare_static PROPERTIES EXPORT_NAME bare)
endif()
