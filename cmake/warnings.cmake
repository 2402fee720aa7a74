# How every target of the project is compiled; memfold_warnings is the part that needs no host.
add_library(memfold_warnings INTERFACE)
target_compile_options(memfold_warnings INTERFACE -Wall -Wextra -Wpedantic -Wconversion -fvisibility=hidden
                                                  -ffunction-sections -fdata-sections)
if(MEMFOLD_WERROR)
  target_compile_options(memfold_warnings INTERFACE -Werror)
endif()

add_library(memfold_flags INTERFACE)
target_link_libraries(memfold_flags INTERFACE memfold_warnings)
target_compile_definitions(memfold_flags INTERFACE _GNU_SOURCE)
if(MEMFOLD_SANITIZE)
  target_compile_options(memfold_flags INTERFACE -fsanitize=${MEMFOLD_SANITIZE} -fno-sanitize-recover=all
                                                 -fno-omit-frame-pointer)
  target_link_options(memfold_flags INTERFACE -fsanitize=${MEMFOLD_SANITIZE})
endif()
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
