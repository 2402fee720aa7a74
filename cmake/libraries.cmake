# The libraries that users link: the objects of one or more rooms as libmemfold-HALF.so and .a.
# Only what a public header declares can be seen from outside: in the shared library the rest is hidden.
set(version_script ${PROJECT_BINARY_DIR}/cmake/symbols.map)
configure_file(cmake/symbols.map.in ${version_script} @ONLY)

function(memfold_add_library half)
  set(objects ${ARGN})
  list(TRANSFORM objects REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>")

  set(shared memfold_${half}_shared)
  add_library(${shared} SHARED ${objects})
  target_link_options(${shared} PRIVATE LINKER:--version-script=${version_script} LINKER:-z,defs
    LINKER:-z,now) # a fault handler has no stack for binding at the first call
  set_target_properties(${shared} PROPERTIES
    EXPORT_NAME ${half} VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
    LINK_DEPENDS ${version_script} OUTPUT_NAME memfold-${half}
    LINKER_LANGUAGE C LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
  memfold_add_static_library(${half} ${ARGN})
endfunction()

memfold_add_library(runtime memfold_runtime)
if(MEMFOLD_GEN)
  memfold_add_library(gen memfold_layout ${memfold_gen_rooms})
  target_link_libraries(memfold_gen_shared PUBLIC memfold_runtime_shared
                                           PRIVATE memfold_llvm yaml elf)
  # Wherever the tree is moved, the runtime lies beside the generator.
  set_target_properties(memfold_gen_shared PROPERTIES INSTALL_RPATH $ORIGIN)
  target_link_libraries(memfold_gen_static INTERFACE memfold_runtime_static
    $<INSTALL_INTERFACE:LLVM-${LLVM_VERSION_MAJOR}> yaml elf)

  # The suite installs them.
  add_dependencies(check memfold_runtime_shared memfold_runtime_static memfold_gen_shared memfold_gen_static)
endif()
