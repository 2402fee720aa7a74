# The libraries that users link: the objects of one or more rooms as libmemfold-HALF.so and .a.
# Only what a public header declares can be seen from outside. In the shared library the rest is hidden; for the
# static one the objects are linked into a single one whose hidden symbols become local, so that an internal name
# never meets one of the user's. Functions keep their sections, and --gc-sections still drops what is not used.
set(version_script ${PROJECT_BINARY_DIR}/cmake/symbols.map)
configure_file(cmake/symbols.map.in ${version_script} @ONLY)

# The static library of a half.
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

function(memfold_add_library half)
  set(objects ${ARGN})
  list(TRANSFORM objects REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>")

  set(shared memfold_${half}_shared)
  add_library(${shared} SHARED ${objects})
  target_link_options(${shared} PRIVATE LINKER:--version-script=${version_script} LINKER:-z,defs)
  set_target_properties(${shared} PROPERTIES
    EXPORT_NAME ${half} VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
    LINK_DEPENDS ${version_script} OUTPUT_NAME memfold-${half}
    LINKER_LANGUAGE C LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
  memfold_add_static_library(${half} ${ARGN})
endfunction()

# Kernels link statically only.
if(TARGET memfold_bare)
  memfold_add_static_library(bare memfold_bare)
  set_target_properties(memfold_bare_static PROPERTIES EXPORT_NAME bare)
endif()
memfold_add_library(runtime memfold_runtime)
if(MEMFOLD_GEN)
  memfold_add_library(gen memfold_gen memfold_layout memfold_plan)
  target_link_libraries(memfold_gen_shared PUBLIC memfold_runtime_shared
                                           PRIVATE memfold_llvm yaml elf)
  # Wherever the tree is moved, the runtime lies beside the generator.
  set_target_properties(memfold_gen_shared PROPERTIES INSTALL_RPATH $ORIGIN)
  target_link_libraries(memfold_gen_static INTERFACE memfold_runtime_static
    $<INSTALL_INTERFACE:LLVM-${LLVM_VERSION_MAJOR}> yaml elf)

  # The suite installs them.
  if(TARGET memfold_bare)
    add_dependencies(check memfold_bare_static)
  endif()
  add_dependencies(check memfold_runtime_shared memfold_runtime_static memfold_gen_shared memfold_gen_static)
endif()
