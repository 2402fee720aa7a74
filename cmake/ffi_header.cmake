# cmake -DCOMPILER=CC -DINCLUDE=DIRECTORY -DHEADERS=LIBRARY,HEADER,.../... -DOUTPUT=FILE -P THIS:
# the declarations of these public headers as one file of plain C, without directives but `#define NAME NUMBER`, for
# tools that read C but run no preprocessor. The compiler expands the headers, whose own includes find nothing but
# empty files: the reader knows the types of <stdint.h>, <stddef.h> and <stdbool.h>.
cmake_minimum_required(VERSION 3.25)
get_filename_component(work ${OUTPUT} DIRECTORY)
set(work ${work}/ffi)
file(MAKE_DIRECTORY ${work})
file(WRITE ${work}/stddef.h "")
file(WRITE ${work}/stdbool.h "")
file(WRITE ${work}/stdint.h
  "#define UINT32_C(number) number\n#define UINT64_C(number) number\n#define UINT64_MAX UINT64_MAX\n")

# The headers of each library behind a mark, and behind the last what each macro without parameters is expanded to.
set(source "")
set(constants "")
string(REPLACE "/" ";" HEADERS "${HEADERS}")
foreach(half ${HEADERS})
  string(REPLACE "," ";" headers "${half}")
  list(POP_FRONT headers library)
  string(APPEND source "@library memfold-${library}@\n")
  foreach(header ${headers})
    string(APPEND source "#include <memfold/${header}>\n")
    file(STRINGS ${INCLUDE}/memfold/${header} defines REGEX "^#define MF_[A-Z0-9_]+ ")
    foreach(define ${defines})
      string(REGEX REPLACE "^#define (MF_[A-Z0-9_]+).*" "\\1" name "${define}")
      string(APPEND constants "@constant@ \"${name}\" ${name}\n")
    endforeach()
  endforeach()
endforeach()
file(WRITE ${work}/all.c "${source}${constants}")
execute_process(
  COMMAND ${COMPILER} -E -P -nostdinc -U__GNUC__ -D_Noreturn= "-D_Static_assert(...)=" -I${work} -I${INCLUDE} ${work}/all.c
  OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)

# Semicolons part the elements of lists in CMake.
string(REPLACE ";" "@semicolon@" text "${text}")
string(REGEX REPLACE "(^|\n)#[^\n]*" "" text "${text}")
string(REGEX REPLACE "(^|\n) *@semicolon@" "" text "${text}")
string(REGEX REPLACE "inline ([^{}@]+) {[^}]*}" "\\1@semicolon@" text "${text}")
string(REGEX REPLACE "@library ([a-z-]+)@" "\n/* ---- lib\\1 */\n" text "${text}")
string(REGEX REPLACE "\n\n+" "\n" text "${text}")
string(REGEX MATCHALL "@constant@ [^\n]*" constants "${text}")
string(REGEX REPLACE "@constant@ [^\n]*\n?" "" text "${text}")
set(numbers "")
foreach(constant ${constants})
  if(constant MATCHES "^@constant@ \"([A-Z0-9_]+)\" ([0-9a-fx()*+<& ]+)$")
    math(EXPR number "${CMAKE_MATCH_2}")
    string(APPEND numbers "#define ${CMAKE_MATCH_1} ${number}\n")
  endif()
endforeach()
string(REPLACE "@semicolon@" ";" text "${text}")
file(WRITE ${OUTPUT}
"/*
 * What memfold's public headers declare, as plain C, for tools that read declarations and run no preprocessor: made from
 * the headers, which are the manual. The only directives are lines of #define with a name and a number; a tool that does
 * not take them takes the rest without these lines. embed.h and orc.hpp, which need LLVM's headers, and bare.h are left
 * out. <stdint.h>, <stddef.h> and <stdbool.h> stand before it where the tool does not know their types. Not for C, C++
 * and Go's cgo, which include memfold.h.
 */
${numbers}${text}")
