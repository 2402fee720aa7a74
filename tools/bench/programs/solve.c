/*
 * Triangular solve on doubles: L L' x = b for several b. Forwards each element is one product of two rows,
 * backwards each known element is subtracted from the rest.
 */
#include "program.h"

enum { N = 100, SIDES = 8 };

static void forwards(guest g, place l, place b, place x) {
    for (int i = 0; i < N; i++) {
        double rest = get_f64(g, b, i);
        for (int j = 0; j < i; j++)
            rest -= get_f64(g, l, i * N + j) * get_f64(g, x, j);
        put_f64(g, x, i, rest / get_f64(g, l, i * N + i));
    }
}

static void backwards(guest g, place l, place x) {
    for (int i = N - 1; i >= 0; i--) {
        double known = get_f64(g, x, i) / get_f64(g, l, i * N + i);
        put_f64(g, x, i, known);
        for (int j = 0; j < i; j++)
            put_f64(g, x, j, get_f64(g, x, j) - known * get_f64(g, l, i * N + j));
    }
}

static uint64_t run(guest g, const program_work *work) {
    place l = program_place(g, work, 0);
    place b = program_place(g, work, 1);
    place x = program_place(g, work, 2);
    for (int side = 0; side < SIDES; side++) {
        forwards(g, l, b + side * N * 8, x + side * N * 8);
        backwards(g, l, x + side * N * 8);
    }
    return SIDES;
}

/* The diagonal outweighs its row, so that nothing overflows. */
static void fill(unsigned char *const *arrays) {
    uint64_t random = 2;
    double *l = (double *)(void *)arrays[0];
    double *b = (double *)(void *)arrays[1];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            l[i * N + j] = j > i ? 0 : j == i ? (double)N : (double)(program_random(&random) % 1000) / 1000;
    for (int i = 0; i < SIDES * N; i++)
        b[i] = (double)(program_random(&random) % 1000);
}

PROGRAM(solve, "triangular solve, doubles", PROGRAM_READ_ONLY(N *N * 8), PROGRAM_READ_ONLY(SIDES *N * 8),
        PROGRAM_WRITABLE(SIDES *N * 8))
