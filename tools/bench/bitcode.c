/* The bitcode of guest/ and programs/ in the command: the bytes of files that the build has made. */
#include "bench/bitcode.h"

#define CARRY(name, file)                                                                                    \
    __asm__(".section .rodata\n"                                                                             \
            ".balign 16\n"                                                                                   \
            ".global " #name "\n" #name ":\n"                                                                \
            ".incbin \"" file "\"\n"                                                                         \
            ".global " #name "_end\n" #name "_end:\n"                                                        \
            ".byte 0\n"                                                                                      \
            ".previous\n")

CARRY(bench_loops_bitcode, BENCH_LOOPS_FILE);
CARRY(bench_peers_bitcode, BENCH_PEERS_FILE);
CARRY(bench_access_bitcode, BENCH_PROGRAMS_DIRECTORY "/bench_access.bc");

#define X(name)                                                                                              \
    CARRY(bench_program_##name##_guest, BENCH_PROGRAMS_DIRECTORY "/bench_" #name "_guest.bc");               \
    CARRY(bench_program_##name##_native, BENCH_PROGRAMS_DIRECTORY "/bench_" #name "_native.bc");
PROGRAMS(X)
