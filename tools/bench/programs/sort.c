/*
 * Quicksort of 32-bit integers with the median of three; the larger part waits on a stack in memory, and
 * short parts are sorted by insertion at the end.
 */
#include "program.h"

enum { COUNT = 16000, SHORT = 12, STACK_ENTRIES = 32 };

static void swap(guest g, place array, int i, int j) {
    uint32_t kept = get_u32(g, array, i);
    put_u32(g, array, i, get_u32(g, array, j));
    put_u32(g, array, j, kept);
}

static void order(guest g, place array, int i, int j) {
    if (get_u32(g, array, j) < get_u32(g, array, i))
        swap(g, array, i, j);
}

/* The place in [low, high] that separates what is less from what is greater. */
static int partition(guest g, place array, int low, int high) {
    int middle = low + (high - low) / 2;
    order(g, array, low, middle);
    order(g, array, low, high);
    order(g, array, middle, high);
    uint32_t pivot = get_u32(g, array, middle);
    int i = low, j = high - 1;
    swap(g, array, middle, high - 1);
    for (;;) {
        while (get_u32(g, array, ++i) < pivot)
            ;
        while (pivot < get_u32(g, array, --j))
            ;
        if (i >= j)
            break;
        swap(g, array, i, j);
    }
    swap(g, array, i, high - 1);
    return i;
}

static void split(guest g, place array, place stack) {
    int low = 0, high = COUNT - 1, waiting = 0;
    for (;;) {
        while (high - low > SHORT) {
            int middle = partition(g, array, low, high);
            bool left_is_larger = middle - low > high - middle;
            put_u32(g, stack, 2 * waiting, (uint32_t)(left_is_larger ? low : middle + 1));
            put_u32(g, stack, 2 * waiting + 1, (uint32_t)(left_is_larger ? middle - 1 : high));
            waiting++;
            low = left_is_larger ? middle + 1 : low;
            high = left_is_larger ? high : middle - 1;
        }
        if (waiting == 0)
            break;
        waiting--;
        low = (int)get_u32(g, stack, 2 * waiting);
        high = (int)get_u32(g, stack, 2 * waiting + 1);
    }
}

static void insert(guest g, place array) {
    for (int i = 1; i < COUNT; i++) {
        uint32_t value = get_u32(g, array, i);
        int at = i;
        for (; at > 0 && get_u32(g, array, at - 1) > value; at--)
            put_u32(g, array, at, get_u32(g, array, at - 1));
        put_u32(g, array, at, value);
    }
}

static uint64_t run(guest g, const program_work *work) {
    place input = program_place(g, work, 0);
    place array = program_place(g, work, 1);
    for (int i = 0; i < COUNT; i++)
        put_u32(g, array, i, get_u32(g, input, i));
    split(g, array, program_place(g, work, 2));
    insert(g, array);
    uint64_t inversions = 0;
    for (int i = 1; i < COUNT; i++)
        inversions += get_u32(g, array, i - 1) > get_u32(g, array, i);
    return inversions;
}

static void fill(unsigned char *const *arrays) {
    uint64_t random = 8;
    uint32_t *input = (uint32_t *)(void *)arrays[0];
    for (int i = 0; i < COUNT; i++)
        input[i] = program_random(&random) % (4 * COUNT);
}

PROGRAM(sort, "quicksort, 32-bit integers", PROGRAM_READ_ONLY(COUNT * 4), PROGRAM_WRITABLE(COUNT * 4),
        PROGRAM_WRITABLE(STACK_ENTRIES * 8))
