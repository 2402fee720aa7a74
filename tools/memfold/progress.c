/* The progress line. */
#include "progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* A command that is done by then shows none; a line stands as long as one can read it. */
#define FIRST_SECONDS 2.0
#define STEP_SECONDS 0.2

/* Before that much of the work is done, its speed says nothing about the rest. */
#define ESTIMATE_FROM 0.01

static struct {
    const char *name; /* NULL: nobody looks */
    double start, shown;
    bool stands;
} line;

static double now_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void progress_begin(const char *name) {
    line.name = isatty(STDERR_FILENO) ? name : NULL;
    line.start = now_seconds();
    line.shown = 0;
}

static void print_rest(double seconds) {
    unsigned long whole = (unsigned long)(seconds + 0.5);
    if (whole >= 3600)
        fprintf(stderr, ", %lu h %lu min left", whole / 3600, whole / 60 % 60);
    else if (whole >= 60)
        fprintf(stderr, ", %lu min %lu s left", whole / 60, whole % 60);
    else
        fprintf(stderr, ", %lu s left", whole);
}

void progress_update(double part, const char *doing) {
    double now = now_seconds();
    if (line.name == NULL || now - line.start < FIRST_SECONDS || now - line.shown < STEP_SECONDS)
        return;
    fprintf(stderr, "\r\033[K%s: %.0f %%", line.name, part * 100);
    if (part >= ESTIMATE_FROM)
        print_rest((now - line.start) / part * (1 - part));
    fprintf(stderr, ": %s", doing);
    fflush(stderr);
    line.shown = now;
    line.stands = true;
}

void progress_clear(void) {
    if (line.stands)
        fputs("\r\033[K", stderr);
    line.stands = false;
    line.shown = 0;
}
