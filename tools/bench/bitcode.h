/*
 * guest/loops.c and guest/peers.c, and programs/ with its peers, as bitcode carried in the command: each from
 * its first byte to its end.
 */
#ifndef MEMFOLD_TOOLS_BENCH_BITCODE_H
#define MEMFOLD_TOOLS_BENCH_BITCODE_H

#include "bench/programs/description.h"

extern const char bench_loops_bitcode[], bench_loops_bitcode_end[];
extern const char bench_peers_bitcode[], bench_peers_bitcode_end[];
extern const char bench_access_bitcode[], bench_access_bitcode_end[];

#define X(name)                                                                                              \
    extern const char bench_program_##name##_guest[], bench_program_##name##_guest_end[];                    \
    extern const char bench_program_##name##_native[], bench_program_##name##_native_end[];
PROGRAMS(X)
#undef X

#endif
