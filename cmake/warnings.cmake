# How every target of the project is compiled.
add_library(memfold_flags INTERFACE)
target_compile_definitions(memfold_flags INTERFACE _GNU_SOURCE)
target_compile_options(memfold_flags INTERFACE -Wall -Wextra -Wpedantic -Wconversion -fvisibility=hidden
                                               -ffunction-sections -fdata-sections)
if(MEMFOLD_WERROR)
  target_compile_options(memfold_flags INTERFACE -Werror)
endif()
if(MEMFOLD_SANITIZE)
  target_compile_options(memfold_flags INTERFACE -fsanitize=${MEMFOLD_SANITIZE} -fno-sanitize-recover=all
                                                 -fno-omit-frame-pointer)
  target_link_options(memfold_flags INTERFACE -fsanitize=${MEMFOLD_SANITIZE})
endif()
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
