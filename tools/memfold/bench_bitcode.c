/* tools/bench as bitcode, carried in the command. */
extern const char bench_loops_bitcode[], bench_loops_bitcode_end[];
extern const char bench_peers_bitcode[], bench_peers_bitcode_end[];

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
