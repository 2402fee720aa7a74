# memfold_add_accessors(<target> LAYOUT <file>
#                       [BACKEND copy|paged] [PREFIX <identifier>] [OPTIONS <option of memfold emit>...])
#
# The accessors of a layout become part of <target>: their object is linked into it, and its sources (and those
# of targets that link it) include them as "<prefix>.h". They are made again when the layout, the options or the
# memfold command change. What <target> links besides is the caller's to say: memfold::runtime or
# memfold::runtime_static, or memfold::bare in a kernel, whose BACKEND is paged.
#
# <file> is a YAML or ELF file, relative to the current source directory, or the $<TARGET_FILE:guest> of a guest
# that the same project builds. PREFIX is by default the file's name without its extension. When CMake
# cross-compiles the object is for the machine that it compiles for. The command is the one that is installed with
# this package, or else MEMFOLD_COMMAND.
function(memfold_add_accessors target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LAYOUT;BACKEND;PREFIX" "OPTIONS")
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
  set(emit ${command} emit ${layout} --prefix=${arg_PREFIX} ${options})
  # Written only when it changes; Makefiles know nothing of command lines.
  file(CONFIGURE OUTPUT ${directory}/${arg_PREFIX}.options CONTENT "${emit}" @ONLY)
  add_custom_command(OUTPUT ${object} ${header}
    COMMAND ${emit} --emit=obj -o ${object}
    COMMAND ${emit} --emit=header -o ${header}
    DEPENDS ${layout} ${directory}/${arg_PREFIX}.options ${command}
    COMMENT "Compiling the memory map ${arg_PREFIX}" VERBATIM)
  set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT TRUE)
  target_sources(${target} PRIVATE ${object} ${header})
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
  elseif(NOT TARGET ${target})
    message(FATAL_ERROR "memfold_add_accessors: there is no target ${target}")
  endif()
  # The object is a file of this directory, which other directories cannot see.
  get_target_property(target_directory ${target} SOURCE_DIR)
  if(NOT target_directory STREQUAL CMAKE_CURRENT_SOURCE_DIR)
    message(FATAL_ERROR "memfold_add_accessors: target ${target} is made in ${target_directory}; call it there")
  endif()
endmacro()

function(memfold_find_command result)
  if(TARGET memfold::command)
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
