/* `memfold bench` of a build without a clang that could have compiled what it measures. */
#include "command.h"

#include <llvm/Config/llvm-config.h>

int bench_main(int argc, char **argv) {
    (void)argc;
    (void)argv;
    return fail_print(
        NULL, 0,
        "this build has no bench: what it measures is compiled by clang, of version 19 to %d here, "
        "and CMake found none (MEMFOLD_CLANG)",
        LLVM_VERSION_MAJOR);
}
