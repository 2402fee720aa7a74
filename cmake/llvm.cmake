# LLVM 19.1, also where another LLVM is installed beside it. Headers count as system headers.
find_package(LLVM 19.1 REQUIRED CONFIG PATHS /usr/lib/llvm-19/lib/cmake/llvm NO_DEFAULT_PATH)
add_library(memfold_llvm INTERFACE)
target_include_directories(memfold_llvm SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS})
target_link_libraries(memfold_llvm INTERFACE LLVM)
