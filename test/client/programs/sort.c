/* Quicksort by recursion, heapsort through a comparison function, and a merge sort in memory from sbrk. */
#include "program.h"

#define COUNT 50000u

static uint32_t numbers[COUNT];

static void fill(uint64_t seed) {
    for (size_t i = 0; i < COUNT; i++)
        numbers[i] = (uint32_t)random_next(&seed);
}

static void swap(uint32_t *a, uint32_t *b) {
    uint32_t kept = *a;
    *a = *b;
    *b = kept;
}

static void quicksort(uint32_t *from, uint32_t *to) {
    while (to - from > 1) {
        uint32_t pivot = from[(to - from) / 2];
        uint32_t *low = from;
        uint32_t *high = to - 1;
        while (low <= high) {
            while (*low < pivot)
                low++;
            while (*high > pivot)
                high--;
            if (low <= high)
                swap(low++, high--);
        }
        quicksort(from, high + 1);
        from = low;
    }
}

typedef int comparison(uint32_t a, uint32_t b);

static int ascending(uint32_t a, uint32_t b) {
    return (a > b) - (a < b);
}

static int by_remainder(uint32_t a, uint32_t b) {
    return a % 1000 != b % 1000 ? ascending(a % 1000, b % 1000) : ascending(a, b);
}

static void sift(uint32_t *heap, size_t root, size_t count, comparison *compare) {
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && compare(heap[child], heap[child + 1]) < 0)
            child++;
        if (compare(heap[root], heap[child]) >= 0)
            return;
        swap(&heap[root], &heap[child]);
    }
}

static void heapsort(comparison *compare) {
    for (size_t i = COUNT / 2; i > 0; i--)
        sift(numbers, i - 1, COUNT, compare);
    for (size_t i = COUNT; i > 1; i--) {
        swap(&numbers[0], &numbers[i - 1]);
        sift(numbers, 0, i - 1, compare);
    }
}

static void merge(const uint32_t *from, uint32_t *to, size_t half, size_t end) {
    size_t a = 0;
    size_t b = half;
    for (size_t i = 0; i < end; i++)
        to[i] = b >= end || (a < half && from[a] <= from[b]) ? from[a++] : from[b++];
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static void mergesort(void) {
    uint32_t *other = platform_sbrk(sizeof numbers);
    for (size_t width = 1; width < COUNT; width *= 2) {
        for (size_t i = 0; i < COUNT; i += 2 * width)
            merge(numbers + i, other + i, least(width, COUNT - i), least(2 * width, COUNT - i));
        memcpy(numbers, other, sizeof numbers);
    }
}

static void report(const char *name) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < COUNT; i++)
        hash = (hash ^ numbers[i]) * 16777619u;
    print(name);
    print(" ");
    print_number(numbers[0]);
    print(" ");
    print_number(numbers[COUNT - 1]);
    print(" ");
    print_hex(hash);
    print("\n");
}

int program(void) {
    comparison *volatile compare = by_remainder;
    fill(1);
    quicksort(numbers, numbers + COUNT);
    report("quicksort");
    fill(2);
    heapsort(compare);
    report("heapsort");
    fill(3);
    mergesort();
    report("mergesort");
    return 0;
}
