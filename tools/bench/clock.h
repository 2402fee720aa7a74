/* The time and the instructions that a piece of code takes. */
#ifndef MEMFOLD_TOOLS_BENCH_CLOCK_H
#define MEMFOLD_TOOLS_BENCH_CLOCK_H

/* A clock that only goes forward. */
double bench_clock_ns(void);

/* The time that this thread has had a CPU. */
double bench_thread_ns(void);

/* Instructions of this thread since the last call; negative if the kernel does not count them. */
double bench_instructions_take(void);

#endif
