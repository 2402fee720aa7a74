/*
 * The loops of `memfold bench`, written once for all engines. clang makes bitcode of them without running a
 * pass; the command replaces the two functions below by an engine's, and only then optimises, so that every
 * engine goes through the same compiler and the same loop.
 *
 * Loops begin at multiples of 64 bytes: otherwise their place weighs more than the check in them.
 */
#include "guest.h"

mf_load_result engine_load_u32(mf_view *view, uint32_t address);
uint32_t engine_store_u32(mf_view *view, uint32_t address, uint64_t value);

#define ALIGNED_LOOP [[clang::code_align(64)]]

/* A refused load has the value 0. */
static inline __attribute__((always_inline)) void load(mf_view *view, uint32_t address, guest_tally *tally) {
    mf_load_result result = engine_load_u32(view, address);
    tally->sum += result.value;
    if (result.status != 0)
        tally->faults++;
}

static inline __attribute__((always_inline)) void store(mf_view *view, uint32_t address, guest_tally *tally) {
    if (engine_store_u32(view, address, guest_stored(address)) != 0)
        tally->faults++;
}

/* Three loads, one store, at addresses that are read from a list. */
void loop_random(mf_view *view, const guest_batch *work, guest_tally *tally) {
    guest_tally seen = {0, 0};
    const uint32_t *addresses = work->addresses;
    uint64_t count = work->count;
    for (uint64_t repeat = work->repeats; repeat > 0; repeat--) {
        ALIGNED_LOOP for (uint64_t i = 0; i < count; i += 4) {
            load(view, addresses[i], &seen);
            load(view, addresses[i + 1], &seen);
            load(view, addresses[i + 2], &seen);
            store(view, addresses[i + 3], &seen);
        }
    }
    *tally = seen;
}

/* Each load gives the address of the next one. */
void loop_dependent(mf_view *view, const guest_batch *work, guest_tally *tally) {
    guest_tally seen = {0, 0};
    uint64_t steps = work->count;
    for (uint64_t repeat = work->repeats; repeat > 0; repeat--) {
        uint32_t at = work->first;
        ALIGNED_LOOP for (uint64_t i = 0; i < steps; i++) {
            mf_load_result result = engine_load_u32(view, at);
            at = (uint32_t)result.value;
            if (result.status != 0) {
                seen.faults++;
                break;
            }
        }
        seen.sum += at;
    }
    *tally = seen;
}

/* Runs of words, as far as the first fault: the form that a compiler may vectorise. */
void loop_sequential(mf_view *view, const guest_batch *work, guest_tally *tally) {
    guest_tally seen = {0, 0};
    for (uint64_t repeat = work->repeats; repeat > 0; repeat--) {
        for (uint64_t r = 0; r < work->count; r++) {
            uint32_t start = work->runs[r].start;
            uint32_t words = work->runs[r].words;
            uint64_t sum = 0;
            ALIGNED_LOOP for (uint32_t i = 0; i < words; i++) {
                mf_load_result result = engine_load_u32(view, start + 4 * i);
                if (result.status != 0) {
                    seen.faults++;
                    break;
                }
                sum += result.value;
            }
            seen.sum += sum;
        }
    }
    *tally = seen;
}

/* The same with vectorisation off: one access at a time, whatever the engine. */
void loop_scalar(mf_view *view, const guest_batch *work, guest_tally *tally) {
    guest_tally seen = {0, 0};
    for (uint64_t repeat = work->repeats; repeat > 0; repeat--) {
        for (uint64_t r = 0; r < work->count; r++) {
            uint32_t start = work->runs[r].start;
            uint32_t words = work->runs[r].words;
            uint64_t sum = 0;
#pragma clang loop vectorize(disable) interleave(disable)
            ALIGNED_LOOP for (uint32_t i = 0; i < words; i++) {
                mf_load_result result = engine_load_u32(view, start + 4 * i);
                if (result.status != 0) {
                    seen.faults++;
                    break;
                }
                sum += result.value;
            }
            seen.sum += sum;
        }
    }
    *tally = seen;
}
