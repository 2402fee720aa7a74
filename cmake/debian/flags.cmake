# The build that Debian's packages are made of: for /usr, optimised, with the hardening flags of Debian.
#
#     cmake -C cmake/debian/flags.cmake -G Ninja -S . -B build-debian && ninja -C build-debian
#     (cd build-debian && cpack)
set(CMAKE_INSTALL_PREFIX /usr CACHE PATH "")
set(CMAKE_BUILD_TYPE None CACHE STRING "")
set(CMAKE_SKIP_RPATH ON CACHE BOOL "")
set(MEMFOLD_TESTS OFF CACHE BOOL "")
set(ENV{DEB_BUILD_MAINT_OPTIONS} hardening=+all)
foreach(kind CFLAGS CPPFLAGS LDFLAGS)
  execute_process(COMMAND dpkg-buildflags --get ${kind} OUTPUT_VARIABLE ${kind} OUTPUT_STRIP_TRAILING_WHITESPACE
    COMMAND_ERROR_IS_FATAL ANY)
endforeach()
string(REGEX REPLACE "(^| )-g( |$)" " " CFLAGS "${CFLAGS}") # no packages of debugging symbols are made
set(CMAKE_C_FLAGS "${CFLAGS} ${CPPFLAGS} -DNDEBUG" CACHE STRING "")
foreach(kind EXE SHARED)
  set(CMAKE_${kind}_LINKER_FLAGS "${LDFLAGS}" CACHE STRING "")
endforeach()
