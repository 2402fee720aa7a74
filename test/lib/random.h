/* A small deterministic generator: the same seed gives the same test on every machine. */
#ifndef MEMFOLD_TEST_RANDOM_H
#define MEMFOLD_TEST_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

typedef struct random_source {
    uint64_t state;
} random_source;

/* splitmix64: every state is fine as a seed, also small and neighbouring ones. */
static inline uint64_t random_u64(random_source *source) {
    source->state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = source->state;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* A number in [0, count); count > 0. The bias is below count / 2^64. */
static inline uint64_t random_below(random_source *source, uint64_t count) {
    return random_u64(source) % count;
}

/* A number in [low, high], both included. */
static inline uint64_t random_between(random_source *source, uint64_t low, uint64_t high) {
    return low + random_below(source, high - low + 1);
}

static inline bool random_one_in(random_source *source, uint64_t count) {
    return random_below(source, count) == 0;
}

#endif
