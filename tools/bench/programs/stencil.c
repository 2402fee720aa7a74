/* Heat spreading over a plate of doubles: each inner cell becomes the mean of itself and its neighbours. */
#include "program.h"

enum { WIDTH = 120, HEIGHT = 90, STEPS = 8, BYTES = WIDTH * HEIGHT * 8 };

static void step(guest g, place from, place to) {
    for (int y = 1; y < HEIGHT - 1; y++)
        for (int x = 1; x < WIDTH - 1; x++) {
            place above = from + ((y - 1) * WIDTH + x) * 8;
            place row = from + (y * WIDTH + x - 1) * 8;
            double sum = load_f64(g, row, 0) + load_f64(g, row, 8) + load_f64(g, row, 16);
            sum += load_f64(g, above, 0) + load_f64(g, above, 2 * WIDTH * 8);
            put_f64(g, to, y * WIDTH + x, sum * 0.2);
        }
}

static uint64_t run(guest g, const program_work *work) {
    place plate = program_place(g, work, 0);
    place now = program_place(g, work, 1);
    place next = program_place(g, work, 2);
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        put_f64(g, now, i, get_f64(g, plate, i));
        put_f64(g, next, i, get_f64(g, plate, i));
    }
    for (int i = 0; i < STEPS; i += 2) {
        step(g, now, next);
        step(g, next, now);
    }
    return STEPS;
}

static void fill(unsigned char *const *arrays) {
    uint64_t random = 3;
    double *plate = (double *)(void *)arrays[0];
    for (int i = 0; i < WIDTH * HEIGHT; i++)
        plate[i] = (double)(program_random(&random) % 256);
}

PROGRAM(stencil, "five-point stencil, doubles", PROGRAM_READ_ONLY(BYTES), PROGRAM_WRITABLE(BYTES),
        PROGRAM_WRITABLE(BYTES))
