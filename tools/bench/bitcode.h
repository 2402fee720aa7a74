/* guest/loops.c and guest/peers.c as bitcode, carried in the command: each from its first byte to its end. */
#ifndef MEMFOLD_TOOLS_BENCH_BITCODE_H
#define MEMFOLD_TOOLS_BENCH_BITCODE_H

extern const char bench_loops_bitcode[], bench_loops_bitcode_end[];
extern const char bench_peers_bitcode[], bench_peers_bitcode_end[];

#endif
