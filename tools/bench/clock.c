/* Clock and instruction counter of this thread. */
#include "bench/clock.h"

#include <linux/perf_event.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

double bench_clock_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
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
