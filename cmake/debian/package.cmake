# Debian's packages, by cpack in a build that debian/flags.cmake has configured: one for each library, named after its
# soname, which depends on what it links; libmemfold-dev for those who compile; and memfold, the command.
set(package_version ${PROJECT_VERSION}-1)
set(major ${PROJECT_VERSION_MAJOR})
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME memfold)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "The memfold authors <memfold@users.noreply.github.com>")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
# Where dpkg-shlibdeps finds our own libraries; that one needs the other is said below, with the version.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/lib)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_BINARY_DIR}/cmake/debian_stage.cmake)
configure_file(cmake/debian/stage.cmake.in ${CPACK_PRE_BUILD_SCRIPTS} @ONLY)
set(CPACK_POST_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/debian/finish.cmake)
set(CPACK_COMPONENTS_ALL "")

# debian_add(PACKAGE SECTION SUMMARY TEXT DEPENDS PACKAGE... COMPONENTS COMPONENT...): of memfold's packages it depends on
# the same version.
macro(debian_add package section summary text)
  cmake_parse_arguments(arg "" "" "DEPENDS;COMPONENTS" ${ARGN})
  string(TOUPPER ${package} upper)
  foreach(component ${arg_COMPONENTS})
    string(TOUPPER ${component} upper_component)
    set(CPACK_COMPONENT_${upper_component}_GROUP ${package})
    list(APPEND CPACK_COMPONENTS_ALL ${component})
  endforeach()
  list(TRANSFORM arg_DEPENDS APPEND " (= ${package_version})")
  list(JOIN arg_DEPENDS ", " depends)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${package})
  set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION ${section})
  set(CPACK_DEBIAN_${upper}_PACKAGE_DEPENDS "${depends}")
  set(CPACK_DEBIAN_${upper}_DESCRIPTION "${summary}\n${text}")
endmacro()

set(about "memfold compiles the memory map of a 32-bit guest into machine code: load and\nstore functions with every bound and permission folded into the instructions.\n.\n")
set(libraries "")
foreach(half runtime jit gen verify)
  if(TARGET memfold_${half}_shared)
    list(APPEND libraries libmemfold-${half}${major})
  endif()
endforeach()

debian_add(libmemfold-runtime${major} libs "memories and faults of sandboxed guests"
  "${about}This library holds the guest's bytes, grows its heap, and says of every refused\naccess why it was. It needs nothing but the C library."
  COMPONENTS runtime-library)
if(TARGET memfold_jit_shared)
  debian_add(libmemfold-jit${major} libs "accessors for the memory of a guest, made at run time"
    "${about}This library makes such functions at run time, in microseconds and without\nLLVM."
    DEPENDS libmemfold-runtime${major} COMPONENTS jit-library)
endif()
if(TARGET memfold_gen_shared)
  debian_add(libmemfold-gen${major} libs "compiles the memory map of a guest by LLVM"
    "${about}This library makes them by LLVM: inside a module of the caller's, as functions\nat run time, or as files."
    DEPENDS libmemfold-jit${major} libmemfold-runtime${major} COMPONENTS gen-library)
endif()
if(TARGET memfold_verify_shared)
  debian_add(libmemfold-verify${major} libs "proves the machine code of accessors"
    "${about}This library proves that the code of such functions keeps to the map."
    DEPENDS libmemfold-runtime${major} COMPONENTS verify-library)
endif()
set(development runtime)
foreach(half jit gen verify)
  if(TARGET memfold_${half}_shared)
    list(APPEND development ${half})
  endif()
endforeach()
debian_add(libmemfold-dev libdevel "compiles the memory map of a guest: files for development"
  "${about}These are the headers, the static libraries, one of them for kernels, and what\nCMake and pkg-config read."
  DEPENDS ${libraries} COMPONENTS ${development})
if(TARGET memfold)
  set(CPACK_DEBIAN_LIBMEMFOLD-DEV_PACKAGE_SUGGESTS "memfold (= ${package_version}), llvm-${LLVM_VERSION_MAJOR}-dev")
  debian_add(memfold devel "compiles the memory map of a guest into machine code"
    "${about}This is the command: it draws a map, says and shows what is generated for it,\nruns and measures it."
    COMPONENTS command)
endif()

foreach(library ${libraries})
  string(TOUPPER ${library} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA ${PROJECT_BINARY_DIR}/cmake/${library}/shlibs
    ${PROJECT_BINARY_DIR}/cmake/${library}/symbols ${PROJECT_SOURCE_DIR}/cmake/debian/triggers)
  string(REGEX REPLACE "${major}$" "" name ${library})
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/cmake/${library}/shlibs
    CONTENT "${name} ${major} ${library} (>= ${PROJECT_VERSION})\n")
  configure_file(cmake/debian/${library}.symbols ${PROJECT_BINARY_DIR}/cmake/${library}/symbols COPYONLY)
endforeach()

include(CPack)
