# `cpack` makes four Debian packages, one per component: memfold-runtime needs nothing but the C library, memfold-jit
# that and the runtime, memfold-verify a solver and a decoder beside, memfold adds the generator and the command.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "The memfold authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "compiles the memory map of a guest into machine code")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL runtime)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS ON)

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME memfold-runtime)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION
  "Libraries and headers for programs whose accessors are made ahead of time or are the generic ones.")

# Where dpkg-shlibdeps finds the libraries that others are linked with; the dependencies are the components'.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/lib)

if(TARGET memfold_jit_shared)
  list(APPEND CPACK_COMPONENTS_ALL jit)
  set(CPACK_COMPONENT_JIT_DEPENDS runtime)
  set(CPACK_COMPONENT_JIT_DESCRIPTION "A library that makes accessors at run time, without LLVM.")
  set(CPACK_DEBIAN_JIT_PACKAGE_NAME memfold-jit)
  set(CPACK_DEBIAN_JIT_PACKAGE_SECTION libs)
endif()

if(TARGET memfold_verify_shared)
  list(APPEND CPACK_COMPONENTS_ALL verify)
  set(CPACK_COMPONENT_VERIFY_DEPENDS runtime)
  set(CPACK_COMPONENT_VERIFY_DESCRIPTION "A library that proves accessors from their machine code.")
  set(CPACK_DEBIAN_VERIFY_PACKAGE_NAME memfold-verify)
  set(CPACK_DEBIAN_VERIFY_PACKAGE_SECTION libs)
endif()

if(MEMFOLD_GEN)
  list(APPEND CPACK_COMPONENTS_ALL gen)
  set(CPACK_COMPONENT_GEN_DEPENDS runtime jit)
  set(CPACK_COMPONENT_GEN_DESCRIPTION "The memfold command, and the generator as a library.")
  set(CPACK_DEBIAN_GEN_PACKAGE_NAME memfold)
  set(CPACK_DEBIAN_GEN_PACKAGE_SECTION devel)
  set(CPACK_DEBIAN_GEN_PACKAGE_SUGGESTS llvm-${LLVM_VERSION_MAJOR}-dev)
endif()

include(CPack)
