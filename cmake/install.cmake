# What `cmake --install` puts where, in components: `runtime`; `jit`, which makes code without LLVM; `verify`, which proves
# it; `gen`, the generator; and `command`. Packages take the shared libraries alone, `runtime-library` and so on, which are no part of a whole
# installation. Nothing installed knows the prefix, so the tree may be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(headers_dir ${CMAKE_INSTALL_INCLUDEDIR}/memfold)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/memfold)
set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

function(memfold_install_targets component export)
  install(TARGETS ${ARGN} EXPORT ${export}
    RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT ${component}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${component}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${component}
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT ${export} FILE ${export}.cmake NAMESPACE memfold::
    DESTINATION ${package_dir} COMPONENT ${component})
  if(memfold_${component}_shared IN_LIST ARGN)
    install(TARGETS memfold_${component}_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
      COMPONENT ${component}-library NAMELINK_SKIP EXCLUDE_FROM_ALL)
  endif()
endfunction()

# A .pc file finds its prefix from its own place.
function(memfold_install_pkgconfig half component)
  file(RELATIVE_PATH up /${pkgconfig_dir} /)
  string(REGEX REPLACE "/$" "" up "${up}")
  set(pc ${PROJECT_BINARY_DIR}/cmake/memfold-${half}.pc)
  configure_file(cmake/memfold-${half}.pc.in ${pc} @ONLY)
  install(FILES ${pc} DESTINATION ${pkgconfig_dir} COMPONENT ${component})
endfunction()

# memfold.h goes with the runtime and includes the headers of the others only where they are.
file(GLOB runtime_headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/memfold/*.h
  ${PROJECT_SOURCE_DIR}/include/memfold/memfold.hpp)
set(jit_headers inline.h jit.h plan.h stencil.h)
set(verify_headers object.h sweep.h verify.h)
set(gen_headers aot.h embed.h layout_file.h llvm_maker.h orc.hpp)
list(TRANSFORM jit_headers PREPEND ${PROJECT_SOURCE_DIR}/include/memfold/)
list(TRANSFORM verify_headers PREPEND ${PROJECT_SOURCE_DIR}/include/memfold/)
list(TRANSFORM gen_headers PREPEND ${PROJECT_SOURCE_DIR}/include/memfold/)
list(REMOVE_ITEM runtime_headers ${jit_headers} ${verify_headers} ${gen_headers})

# All declarations in one file, for other languages.
set(ffi_header ${PROJECT_BINARY_DIR}/cmake/memfold-ffi.h)
set(ffi_sources "")
set(ffi_names "")
foreach(half runtime jit verify gen)
  if(TARGET memfold_${half}_shared)
    set(headers ${${half}_headers})
    list(FILTER headers EXCLUDE REGEX "/(bare|embed|memfold)[.]h$|[.]hpp$")
    list(APPEND ffi_sources ${headers})
    list(TRANSFORM headers REPLACE ".*/" "")
    list(JOIN headers "," headers)
    list(APPEND ffi_names "${half},${headers}")
  endif()
endforeach()
list(JOIN ffi_names "/" ffi_names)
add_custom_command(OUTPUT ${ffi_header}
  COMMAND ${CMAKE_COMMAND} -DCOMPILER=${CMAKE_C_COMPILER} -DINCLUDE=${PROJECT_SOURCE_DIR}/include
    -DHEADERS=${ffi_names} -DOUTPUT=${ffi_header} -P ${PROJECT_SOURCE_DIR}/cmake/ffi_header.cmake
  DEPENDS cmake/ffi_header.cmake ${ffi_sources} VERBATIM)
add_custom_target(memfold_ffi_header ALL DEPENDS ${ffi_header})

# ---- runtime
memfold_install_targets(runtime memfold-runtime-targets memfold_runtime_shared memfold_runtime_static)
memfold_install_pkgconfig(runtime runtime)
if(TARGET memfold_bare)
  memfold_install_targets(runtime memfold-bare-targets memfold_bare_static)
  memfold_install_pkgconfig(bare runtime)
endif()
install(FILES ${runtime_headers} ${ffi_header} DESTINATION ${headers_dir} COMPONENT runtime)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime)

configure_package_config_file(cmake/memfold-config.cmake.in ${PROJECT_BINARY_DIR}/cmake/memfold-config.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/memfold-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/cmake/memfold-config.cmake
  ${PROJECT_BINARY_DIR}/cmake/memfold-config-version.cmake
  cmake/memfold_add_accessors.cmake
  DESTINATION ${package_dir} COMPONENT runtime)

# ---- jit
if(TARGET memfold_jit_shared)
  memfold_install_targets(jit memfold-jit-targets memfold_jit_shared memfold_jit_static)
  memfold_install_pkgconfig(jit jit)
  install(FILES ${jit_headers} DESTINATION ${headers_dir} COMPONENT jit)
endif()

# ---- verify
if(TARGET memfold_verify_shared)
  memfold_install_targets(verify memfold-verify-targets memfold_verify_shared memfold_verify_static)
  memfold_install_pkgconfig(verify verify)
  install(FILES ${verify_headers} DESTINATION ${headers_dir} COMPONENT verify)
endif()

# ---- gen
if(MEMFOLD_GEN)
  set(gen_libraries memfold_gen_static)
  if(TARGET memfold_gen_shared)
    list(APPEND gen_libraries memfold_gen_shared)
  endif()
  memfold_install_targets(gen memfold-gen-targets ${gen_libraries})
  # In the .pc file they are -l words, or paths; a static library wants them always.
  set(pkgconfig_llvm -L${LLVM_LIBRARY_DIR})
  foreach(name ${memfold_llvm_names} yaml elf)
    string(REGEX REPLACE "^([^/].*)$" "-l\\1" word ${name})
    string(APPEND pkgconfig_llvm " ${word}")
  endforeach()
  if(MEMFOLD_LLVM_STATIC)
    set(pkgconfig_always " ${pkgconfig_llvm}")
    set(pkgconfig_llvm "")
  endif()
  set_target_properties(memfold PROPERTIES EXPORT_NAME command)
  memfold_install_targets(command memfold-command-targets memfold)
  memfold_install_pkgconfig(gen gen)
  install(FILES ${gen_headers} DESTINATION ${headers_dir} COMPONENT gen)
  install(FILES tools/completion/memfold
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT command)
  install(FILES tools/completion/_memfold DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions COMPONENT command)
  install(FILES tools/completion/memfold.fish
    DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT command)
endif()
