# memfold_add_static_library(HALF ROOM... [INNER ROOM...]): the objects of the rooms as libmemfold-HALF.a. They are linked
# into a single one whose hidden symbols become local, so that an internal name never meets one of the user's. Functions
# keep their sections, and --gc-sections still drops what is not used. Rooms after INNER are those of another library too,
# whose internal names cannot be reached from this one: it has a copy of its own, of which every name is local.
function(memfold_add_static_library half)
  cmake_parse_arguments(arg "" "" INNER ${ARGN})
  set(rooms ${arg_UNPARSED_ARGUMENTS} ${arg_INNER})
  set(objects ${rooms})
  list(TRANSFORM objects REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>")
  set(static memfold_${half}_static)
  set(joined ${PROJECT_BINARY_DIR}/cmake/memfold-${half}.o)
  set(localize --localize-hidden)
  set(list_inner "")
  if(arg_INNER)
    set(inner ${arg_INNER})
    list(TRANSFORM inner REPLACE "(.+)" "'$<TARGET_FILE:\\1>'")
    list(JOIN inner " " inner)
    set(list_inner COMMAND sh -c "'${CMAKE_NM}' -gP --defined-only ${inner} | cut -d ' ' -f 1 > '${joined}.inner'")
    list(APPEND localize --localize-symbols=${joined}.inner)
  endif()
  add_custom_command(OUTPUT ${joined}
    COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o ${joined} ${objects}
    ${list_inner}
    COMMAND ${CMAKE_OBJCOPY} ${localize} ${joined}
    DEPENDS ${rooms} VERBATIM COMMAND_EXPAND_LISTS)
  set_source_files_properties(${joined} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
  add_library(${static} STATIC ${joined})
  target_include_directories(${static} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>)
  add_library(memfold::${half}_static ALIAS ${static})
  set_target_properties(${static} PROPERTIES EXPORT_NAME ${half}_static OUTPUT_NAME memfold-${half}
    LINKER_LANGUAGE C ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
endfunction()

# Kernels link statically only. It has no sanitizers in any build, and the suite uses what a kernel would.
if(TARGET memfold_bare)
  memfold_add_static_library(bare memfold_bare)
  set_target_properties(memfold_bare_static PROPERTIES EXPORT_NAME bare)
  add_library(memfold::bare ALIAS memfold_bare_static)
endif()
