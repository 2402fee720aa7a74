/* How far the walk is. */
#include "bench/pace.h"

#include "progress.h"

#include <stdio.h>

static double expected, done, current;

void bench_pace_expect(double seconds) {
    expected += seconds;
}

void bench_pace_begin(double seconds, const char *doing, const char *what) {
    char text[96];
    done += current;
    current = seconds;
    snprintf(text, sizeof text, "%s%s%s", doing, what[0] == '\0' ? "" : ", ", what);
    progress_update(expected > done ? done / expected : 1, text);
}
