# The libraries that users link: the objects of one or more rooms as libmemfold-HALF.so and .a; arguments as
# memfold_add_static_library. They have the names of the package, memfold::HALF and memfold::HALF_static, also where
# memfold is a part of another project. Only what a public header declares can be seen from outside: in the shared library the
# rest is hidden.
set(version_script ${PROJECT_BINARY_DIR}/cmake/symbols.map)
configure_file(cmake/symbols.map.in ${version_script} @ONLY)

function(memfold_add_library half)
  memfold_add_static_library(${half} ${ARGN})
  set(shared memfold_${half}_shared)
  set(objects ${ARGN})
  list(TRANSFORM objects REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>")
  if("INNER" IN_LIST ARGN)
    set(objects ${PROJECT_BINARY_DIR}/cmake/memfold-${half}.o)
  endif()
  add_library(${shared} SHARED ${objects})
  add_dependencies(${shared} memfold_${half}_static)
  target_link_options(${shared} PRIVATE LINKER:--version-script=${version_script} LINKER:-z,defs
    LINKER:-z,now) # a fault handler has no stack for binding at the first call
  target_include_directories(${shared} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>)
  add_library(memfold::${half} ALIAS ${shared})
  set_target_properties(${shared} PROPERTIES
    EXPORT_NAME ${half} VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
    LINK_DEPENDS ${version_script} OUTPUT_NAME memfold-${half}
    LINKER_LANGUAGE C LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
endfunction()

memfold_add_library(runtime memfold_runtime)
if(TARGET memfold_jit)
  memfold_add_library(jit ${memfold_jit_rooms})
  target_link_libraries(memfold_jit_shared PUBLIC memfold_runtime_shared)
  target_link_libraries(memfold_jit_static INTERFACE memfold_runtime_static)
  # Wherever the tree is moved, the libraries lie beside each other.
  set_target_properties(memfold_jit_shared PROPERTIES INSTALL_RPATH $ORIGIN)
endif()
if(NOT MEMFOLD_GEN)
  return()
endif()

memfold_add_library(verify memfold_verify INNER memfold_note memfold_plan)
target_link_libraries(memfold_verify_shared PUBLIC memfold_runtime_shared PRIVATE z3 capstone)
target_link_libraries(memfold_verify_static INTERFACE memfold_runtime_static z3 capstone)
set_target_properties(memfold_verify_shared PROPERTIES INSTALL_RPATH $ORIGIN)

# With LLVM inside it, a shared library would bring one of its own to programs that have one, and modules of the one are
# none to the other: then the generator is a static library only.
set(gen_inner INNER memfold_plan memfold_host)
if(MEMFOLD_LLVM_STATIC)
  memfold_add_static_library(gen ${memfold_gen_rooms} ${gen_inner})
  add_library(memfold::gen ALIAS memfold_gen_static)
else()
  memfold_add_library(gen ${memfold_gen_rooms} ${gen_inner})
  target_include_directories(memfold_gen_shared SYSTEM INTERFACE $<BUILD_INTERFACE:${LLVM_INCLUDE_DIRS}>)
  target_link_libraries(memfold_gen_shared PUBLIC memfold_jit_shared PRIVATE memfold_llvm yaml elf)
  # Also where the linker leaves out what nothing is called of: a program that links memfold-gen may ask for a jit.
  target_link_options(memfold_gen_shared PRIVATE LINKER:--no-as-needed)
  set_target_properties(memfold_gen_shared PROPERTIES INSTALL_RPATH $ORIGIN)
endif()
target_link_libraries(memfold_gen_static INTERFACE memfold_jit_static $<BUILD_INTERFACE:memfold_llvm>
  "$<INSTALL_INTERFACE:${memfold_llvm_names}>" yaml elf)

# The suite installs them.
if(TARGET check)
  foreach(half runtime jit verify gen)
    add_dependencies(check memfold_${half}_shared memfold_${half}_static)
  endforeach()
endif()
