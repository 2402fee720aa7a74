# memfold_add_accessors(<target> LAYOUT <file>
#                       [BACKEND copy|paged] [PREFIX <identifier>] [OPTIONS <option of memfold emit>...]
#                       [FORM object|bitcode])
#
# The accessors of a layout become part of <target>: their object is linked into it, and its sources (and those
# of targets that link it) include them as "<prefix>.h". They are made again when the layout, the options or the
# memfold command change. What <target> links besides is the caller's to say: memfold::runtime or
# memfold::runtime_static, or memfold::bare in a kernel, whose BACKEND is paged.
#
# <file> is a YAML or ELF file, relative to the current source directory, or the $<TARGET_FILE:guest> of a guest
# that the same project builds. PREFIX is by default the file's name without its extension. When CMake
# cross-compiles the object is for the machine that it compiles for. The command is the one that is installed with
# this package, or that of memfold as a part of this project, or else MEMFOLD_COMMAND.
#
# FORM bitcode inlines the accessors into the C and C++ of <target> itself, wherever they are called, without link-time
# optimisation; targets that link <target> still call them. Each compiler of these languages has to be a clang that
# reads the command's bitcode, which is tried when CMake runs. Where OPTIONS say that the base may be 0
# (--base=argument or --base=constant), <target> is compiled with -fno-delete-null-pointer-checks as well: clang
# inlines a function that has taken in such an access into none of another kind.
function(memfold_add_accessors target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LAYOUT;BACKEND;PREFIX;FORM" "OPTIONS")
  memfold_check_arguments()
  memfold_find_command(command)

  set(options "")
  if(arg_BACKEND)
    list(APPEND options --backend=${arg_BACKEND})
  endif()
  if(CMAKE_CROSSCOMPILING)
    memfold_find_triple(triple)
    list(APPEND options --target=${triple})
  endif()
  list(APPEND options ${arg_OPTIONS})

  set(layout ${arg_LAYOUT})
  if(NOT layout MATCHES "^\\$<")
    get_filename_component(layout ${layout} ABSOLUTE)
  endif()
  if(NOT arg_PREFIX)
    get_filename_component(arg_PREFIX ${layout} NAME_WE)
    string(MAKE_C_IDENTIFIER ${arg_PREFIX} arg_PREFIX)
  endif()

  set(directory ${CMAKE_CURRENT_BINARY_DIR}/memfold/${target})
  set(object ${directory}/${arg_PREFIX}.o)
  set(header ${directory}/${arg_PREFIX}.h)
  set(outputs ${object} ${header})
  set(emit ${command} emit ${layout} --prefix=${arg_PREFIX} ${options})
  # Written only when it changes; Makefiles know nothing of command lines.
  file(CONFIGURE OUTPUT ${directory}/${arg_PREFIX}.options CONTENT "${emit}" @ONLY)
  set(emit_bitcode "")
  if(arg_FORM STREQUAL "bitcode")
    memfold_check_compilers(${command} "${options}")
    set(bitcode ${directory}/${arg_PREFIX}.bc)
    list(APPEND outputs ${bitcode})
    set(emit_bitcode COMMAND ${emit} --emit=bc -o ${bitcode})
    memfold_inline(${target} ${bitcode} "${options}")
  endif()
  add_custom_command(OUTPUT ${outputs}
    COMMAND ${emit} --emit=obj -o ${object}
    COMMAND ${emit} --emit=header -o ${header}
    ${emit_bitcode}
    DEPENDS ${layout} ${directory}/${arg_PREFIX}.options ${command}
    COMMENT "Compiling the memory map ${arg_PREFIX}" VERBATIM)
  set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT TRUE)
  target_sources(${target} PRIVATE ${outputs})
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${directory}>)
endfunction()

# The rest is called by the function above only. Macro: reads its variables.
macro(memfold_check_arguments)
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "memfold_add_accessors: unexpected ${arg_UNPARSED_ARGUMENTS}")
  elseif(NOT arg_LAYOUT)
    message(FATAL_ERROR "memfold_add_accessors: LAYOUT is missing")
  elseif(arg_LAYOUT MATCHES "^\\$<" AND NOT arg_PREFIX)
    message(FATAL_ERROR "memfold_add_accessors: PREFIX is missing, and ${arg_LAYOUT} gives none")
  elseif(arg_FORM AND NOT arg_FORM MATCHES "^(object|bitcode)$")
    message(FATAL_ERROR "memfold_add_accessors: FORM is object or bitcode, not ${arg_FORM}")
  elseif(NOT TARGET ${target})
    message(FATAL_ERROR "memfold_add_accessors: there is no target ${target}")
  endif()
  # The object is a file of this directory, which other directories cannot see.
  get_target_property(target_directory ${target} SOURCE_DIR)
  if(NOT target_directory STREQUAL CMAKE_CURRENT_SOURCE_DIR)
    message(FATAL_ERROR "memfold_add_accessors: target ${target} is made in ${target_directory}; call it there")
  endif()
endmacro()

# A command that this project builds runs here only if the project is for this machine.
function(memfold_find_command result)
  if(TARGET memfold::command)
    get_target_property(imported memfold::command IMPORTED)
  endif()
  if(TARGET memfold::command AND (imported OR NOT CMAKE_CROSSCOMPILING))
    set(${result} memfold::command PARENT_SCOPE)
    return()
  endif()
  find_program(MEMFOLD_COMMAND memfold DOC "The memfold command of the machine that builds")
  if(NOT MEMFOLD_COMMAND)
    message(FATAL_ERROR "memfold_add_accessors: the memfold command is not installed (MEMFOLD_COMMAND)")
  endif()
  set(${result} ${MEMFOLD_COMMAND} PARENT_SCOPE)
endfunction()

function(memfold_find_triple result)
  if(CMAKE_C_COMPILER_TARGET)
    set(${result} ${CMAKE_C_COMPILER_TARGET} PARENT_SCOPE)
  else()
    set(${result} ${CMAKE_SYSTEM_PROCESSOR}-unknown-linux-gnu PARENT_SCOPE)
  endif()
endfunction()

# Every C and C++ file of the target is compiled together with the bitcode, of which it takes what it calls; the rest of
# the build stays as it is. A file that calls includes the header, which is made again with the bitcode, so it is compiled
# again.
function(memfold_inline target bitcode options)
  set(flags "SHELL:-Xclang -mlink-builtin-bitcode -Xclang \"${bitcode}\"")
  if(options MATCHES "--base=[ac]")
    string(APPEND flags " -fno-delete-null-pointer-checks")
  endif()
  target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:C,CXX>:${flags}>")
endfunction()

# Tries a small file of each language with the bitcode of a small layout, once for each compiler and command. Not where
# memfold is a part of the project: its command is not built yet.
function(memfold_check_compilers command options)
  if(TARGET ${command})
    get_target_property(imported ${command} IMPORTED)
    if(NOT imported)
      return()
    endif()
    get_target_property(command ${command} LOCATION)
  endif()
  set(targets ${options})
  list(FILTER targets INCLUDE REGEX "^--target=")
  set(probe ${CMAKE_BINARY_DIR}/CMakeFiles/memfold_probe)
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  foreach(language C CXX)
    set(key "${CMAKE_${language}_COMPILER} ${CMAKE_${language}_COMPILER_VERSION} ${command} ${targets}")
    if(NOT language IN_LIST languages OR MEMFOLD_INLINES_${language} STREQUAL key)
      continue()
    endif()
    file(WRITE ${probe}/probe.yaml "regions: [{ start: 0, size: 0x1000, access: rw }]\n")
    file(WRITE ${probe}/probe.c "int memfold_probe;\n")
    execute_process(COMMAND ${command} emit ${probe}/probe.yaml ${targets} --emit=bc -o ${probe}/probe.bc
      COMMAND_ERROR_IS_FATAL ANY)
    set(target_flag "")
    if(CMAKE_${language}_COMPILER_TARGET)
      set(target_flag --target=${CMAKE_${language}_COMPILER_TARGET})
    endif()
    string(REPLACE CXX c++ name ${language})
    string(TOLOWER ${name} name)
    execute_process(COMMAND ${CMAKE_${language}_COMPILER} ${target_flag} -Xclang -mlink-builtin-bitcode
      -Xclang ${probe}/probe.bc -x ${name} -c ${probe}/probe.c -o ${probe}/probe.o
      RESULT_VARIABLE failed OUTPUT_VARIABLE said ERROR_VARIABLE said)
    if(failed)
      message(FATAL_ERROR "memfold_add_accessors: FORM bitcode needs a clang that reads the bitcode of ${command}; "
        "${CMAKE_${language}_COMPILER} (${CMAKE_${language}_COMPILER_ID} ${CMAKE_${language}_COMPILER_VERSION}) does not. "
        "Set CMAKE_${language}_COMPILER to one, or take FORM object. It says:\n${said}")
    endif()
    set(MEMFOLD_INLINES_${language} "${key}" CACHE INTERNAL "")
  endforeach()
endfunction()
