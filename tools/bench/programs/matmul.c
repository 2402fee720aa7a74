/* Dense matrix product on doubles: row by row, the inner loop runs along rows of both matrices. */
#include "program.h"

enum { N = 60, BYTES = N * N * 8 };

static uint64_t run(guest g, const program_work *work) {
    place a = program_place(g, work, 0);
    place b = program_place(g, work, 1);
    place c = program_place(g, work, 2);
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++)
            put_f64(g, c, i * N + j, 0);
        for (int k = 0; k < N; k++) {
            double factor = get_f64(g, a, i * N + k);
            for (int j = 0; j < N; j++) {
                double sum = get_f64(g, c, i * N + j) + factor * get_f64(g, b, k * N + j);
                put_f64(g, c, i * N + j, sum);
            }
        }
    }
    return N;
}

static void fill(unsigned char *const *arrays) {
    uint64_t random = 1;
    for (int matrix = 0; matrix < 2; matrix++) {
        double *elements = (double *)(void *)arrays[matrix];
        for (int i = 0; i < N * N; i++)
            elements[i] = (double)(program_random(&random) % 2000) / 1000 - 1;
    }
}

PROGRAM(matmul, "dense matrix product, doubles", PROGRAM_READ_ONLY(BYTES), PROGRAM_READ_ONLY(BYTES),
        PROGRAM_WRITABLE(BYTES))
