# The pages of the manual: the command's and the layout files' as they stand in tools/, and one for each library, made from
# its headers by awk.
find_program(MEMFOLD_AWK NAMES awk mawk gawk REQUIRED)
set(manual_date 2026-11-28)
set(manual_pages memfold-runtime)
if(TARGET memfold_bare)
  list(APPEND manual_pages memfold-bare)
endif()
if(TARGET memfold_jit_shared)
  list(APPEND manual_pages memfold-jit)
endif()
if(MEMFOLD_GEN)
  list(APPEND manual_pages memfold-verify memfold-gen)
endif()
set(manual_files)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/man) # Makefiles make no directory

# memfold_add_manual(PAGE COMPONENT SUMMARY HEADER...): the headers in the order in which they are to be read.
function(memfold_add_manual page component summary)
  set(file ${PROJECT_BINARY_DIR}/man/${page}.3)
  set(headers ${ARGN})
  list(TRANSFORM headers PREPEND ${PROJECT_SOURCE_DIR}/include/memfold/)
  list(JOIN manual_pages " " others)
  add_custom_command(OUTPUT ${file}
    COMMAND ${MEMFOLD_AWK} -v page=${page} -v version=${PROJECT_VERSION} -v date=${manual_date} -v summary=${summary}
            -v "link=Link with -l${page}; pkg-config and find_package(memfold) know the rest." -v others=${others}
            -f ${PROJECT_SOURCE_DIR}/cmake/manual.awk ${headers} > ${file}
    DEPENDS ${PROJECT_SOURCE_DIR}/cmake/manual.awk ${headers} VERBATIM)
  install(FILES ${file} DESTINATION ${CMAKE_INSTALL_MANDIR}/man3 COMPONENT ${component})
  set(manual_files ${manual_files} ${file} PARENT_SCOPE)
endfunction()

memfold_add_manual(memfold-runtime runtime "the memory of a sandboxed guest, its faults, and accessors in plain C"
  abi.h status.h layout.h memory.h options.h accessors.h generic.h pool.h guard.h fault_handler.h exception_table.h panic.h
  version.h)
if(TARGET memfold_bare)
  memfold_add_manual(memfold-bare runtime "guest pages that are pages of the CPU, in a kernel" bare.h)
endif()
if(TARGET memfold_jit_shared)
  memfold_add_manual(memfold-jit jit "accessors that are made at run time, without a compiler"
    jit.h plan.h stencil.h inline.h)
endif()
if(MEMFOLD_GEN)
  memfold_add_manual(memfold-verify verify "proofs of accessors from their machine code" verify.h object.h sweep.h)
  memfold_add_manual(memfold-gen gen "accessors by LLVM: in a module, as function pointers, as files"
    layout_file.h embed.h llvm_maker.h aot.h)
  install(FILES tools/memfold.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT command)
  install(FILES tools/memfold-yaml.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5 COMPONENT command)
endif()
add_custom_target(memfold_manual ALL DEPENDS ${manual_files})

# The same headers as linked pages, build/api/html/index.html, where there is Doxygen.
find_program(MEMFOLD_DOXYGEN doxygen)
if(MEMFOLD_DOXYGEN)
  configure_file(cmake/Doxyfile.in ${PROJECT_BINARY_DIR}/api/Doxyfile @ONLY)
  add_custom_target(memfold_api COMMAND ${MEMFOLD_DOXYGEN} ${PROJECT_BINARY_DIR}/api/Doxyfile VERBATIM)
endif()
