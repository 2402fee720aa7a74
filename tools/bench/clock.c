/* Clock and instruction counter of this thread. */
#include "bench/clock.h"

#include <linux/perf_event.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double read_clock(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

double bench_clock_ns(void) {
    return read_clock(CLOCK_MONOTONIC);
}

double bench_thread_ns(void) {
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

static int open_counter(void) {
    struct perf_event_attr attributes = {.type = PERF_TYPE_HARDWARE,
                                         .size = sizeof attributes,
                                         .config = PERF_COUNT_HW_INSTRUCTIONS,
                                         .exclude_kernel = 1,
                                         .exclude_hv = 1};
    return (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
}

double bench_instructions_take(void) {
    static int counter = -2;
    static uint64_t last;
    uint64_t now;
    if (counter == -2)
        counter = open_counter();
    if (counter < 0 || read(counter, &now, sizeof now) != (ssize_t)sizeof now)
        return -1;
    double since = (double)(now - last);
    last = now;
    return since;
}
