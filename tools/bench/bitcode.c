/* The bitcode of guest/ in the command: the bytes of two files that the build has made. */
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
