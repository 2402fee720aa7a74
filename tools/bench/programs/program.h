/*
 * What the programs of `memfold bench --only=programs` are written against. Each is one file, compiled three
 * times:
 *
 *   - by clang to bitcode with PROGRAM_GUEST: places are guest addresses, and loads and stores are calls that
 *     the bench replaces by an engine's accesses before it optimises;
 *   - by clang to bitcode with PROGRAM_NATIVE: places are pointers, and loads and stores are C's own;
 *   - by the compiler of the command, with neither: native as well. It describes the program, fills its
 *     arrays, and is the reference that all others are compared with.
 *
 * A program reads its read-only arrays and initialises whatever else it uses, so that it may run again and
 * again. It stores no places: a link is a number of an element, so that native memory has the same bytes.
 */
#ifndef MEMFOLD_TOOLS_BENCH_PROGRAMS_PROGRAM_H
#define MEMFOLD_TOOLS_BENCH_PROGRAMS_PROGRAM_H

#include "description.h"

/* ---- Memory, as a program sees it ---- */

typedef struct guest {
    mf_view *view;
    unsigned char *base; /* in a local: it need not be read again after each store */
} guest;

#define PROGRAM_INLINE static inline __attribute__((always_inline, unused))

/* The types of accesses: X(name, C type). */
#define PROGRAM_TYPES(X)                                                                                     \
    X(u8, uint8_t)                                                                                           \
    X(u16, uint16_t)                                                                                         \
    X(u32, uint32_t)                                                                                         \
    X(u64, uint64_t)                                                                                         \
    X(f32, float)                                                                                            \
    X(f64, double)

/*
 * A place in memory, and what is `offset` bytes behind it: in native code a pointer, in a guest a 32-bit
 * address, which wraps, and an index of 33 bits. get and put are for the elements of arrays.
 */
#ifdef PROGRAM_GUEST
typedef uint32_t place;
#define PROGRAM_ACCESSES(name, type)                                                                         \
    type engine_load_##name(mf_view *view, unsigned char *base, uint64_t index);                             \
    void engine_store_##name(mf_view *view, unsigned char *base, uint64_t index, type value);                \
    PROGRAM_INLINE type load_##name(guest g, place at, uint32_t offset) {                                    \
        return engine_load_##name(g.view, g.base, (uint64_t)at + offset);                                    \
    }                                                                                                        \
    PROGRAM_INLINE void store_##name(guest g, place at, uint32_t offset, type value) {                       \
        engine_store_##name(g.view, g.base, (uint64_t)at + offset, value);                                   \
    }
#else
typedef unsigned char *place;
#define PROGRAM_ACCESSES(name, type)                                                                         \
    PROGRAM_INLINE type load_##name(guest g, place at, uint32_t offset) {                                    \
        (void)g;                                                                                             \
        return *(const type *)(const void *)(at + offset);                                                   \
    }                                                                                                        \
    PROGRAM_INLINE void store_##name(guest g, place at, uint32_t offset, type value) {                       \
        (void)g;                                                                                             \
        *(type *)(void *)(at + offset) = value;                                                              \
    }
#endif

#define PROGRAM_ELEMENTS(name, type)                                                                         \
    PROGRAM_ACCESSES(name, type)                                                                             \
    PROGRAM_INLINE type get_##name(guest g, place array, int i) {                                            \
        return load_##name(g, array + i * (int)sizeof(type), 0);                                             \
    }                                                                                                        \
    PROGRAM_INLINE void put_##name(guest g, place array, int i, type value) {                                \
        store_##name(g, array + i * (int)sizeof(type), 0, value);                                            \
    }
PROGRAM_TYPES(PROGRAM_ELEMENTS)

/* Where an array of the program begins. */
PROGRAM_INLINE place program_place(guest g, const program_work *work, int array) {
#ifdef PROGRAM_GUEST
    (void)g;
    return work->at[array];
#else
    return g.base + work->at[array];
#endif
}

/* A fixed sequence for `fill`. */
PROGRAM_INLINE uint32_t program_random(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

/* ---- The end of a program's file: its name, its title, and its arrays; it has written `fill` and `run` ----
 */

#define PROGRAM_READ_ONLY(bytes) {(uint32_t)(bytes), false}
#define PROGRAM_WRITABLE(bytes) {(uint32_t)(bytes), true}

#if defined PROGRAM_GUEST || defined PROGRAM_NATIVE
#define PROGRAM(name, title, ...)                                                                            \
    uint64_t program_entry(mf_view *view, unsigned char *base, const program_work *work) {                   \
        return run((guest){view, base}, work);                                                               \
    }
#else
#define PROGRAM(name, title, ...)                                                                            \
    static uint64_t enter(mf_view *view, unsigned char *base, const program_work *work) {                    \
        return run((guest){view, base}, work);                                                               \
    }                                                                                                        \
    extern const program program_##name;                                                                     \
    const program program_##name = {#name, title, {__VA_ARGS__}, fill, enter};
#endif

#endif
