/*
 * What others do for the accesses of a program, each inlined into the same code as memfold's. The base is the
 * caller's, in a local; bytes move by memcpy, as in wasm2c's code.
 *
 *   plain    nothing but the access: in a guard-page window the MMU checks it, unless it is deleted as dead
 *   guard    the same, but each value that is loaded is used by an empty instruction, so that no load that
 *            may fault is deleted. wasm2c asks for a general register in it, which costs a double one
 *            instruction more; here a double stays where it is
 *   bounds   a comparison with the memory's size, which is read from a struct that stores may change
 *   counted  plain, and counts the accesses of each page: what a hint is made from
 *   broken   stores a double wrong now and then, so that the suite sees the comparison fail
 */
#include "program.h"

#define PEER __attribute__((always_inline))
#define MOVE(to, from) __builtin_memcpy(to, from, sizeof(*(to)))

#define NOTHING(index, width, operation)
#define UNUSED(name, value)

#define USE(name, value) __asm__("" ::USE_##name(value))
#define USE_u8 "r"
#define USE_u16 "r"
#define USE_u32 "r"
#define USE_u64 "r"
#define USE_f32 "x"
#define USE_f64 "x"

#define BOUND(index, width, operation)                                                                       \
    if (__builtin_expect((index) + (width) > ((program_view *)view)->len, 0))                                \
        mf_rt_trap_v3(view, index, MF_ACCESS_CODE(operation, width), ((program_view *)view)->len);

#define COUNT(index, width, operation) ((program_view *)view)->counts[(index) / 4096 % PROGRAM_PAGES]++;

#define DEFINE_PEER(peer, name, type, before, use)                                                           \
    PEER type peer##_load_##name(mf_view *view, unsigned char *base, uint64_t index) {                       \
        type value;                                                                                          \
        (void)view;                                                                                          \
        before(index, sizeof value, MF_LOAD) MOVE(&value, base + index);                                     \
        use(name, value);                                                                                    \
        return value;                                                                                        \
    }                                                                                                        \
    PEER void peer##_store_##name(mf_view *view, unsigned char *base, uint64_t index, type value) {          \
        (void)view;                                                                                          \
        before(index, sizeof value, MF_STORE) MOVE((type *)(base + index), &value);                          \
    }

#define PLAIN(name, type) DEFINE_PEER(plain, name, type, NOTHING, UNUSED)
#define GUARD(name, type) DEFINE_PEER(guard, name, type, NOTHING, USE)
#define BOUNDS(name, type) DEFINE_PEER(bounds, name, type, BOUND, UNUSED)
#define COUNTED(name, type) DEFINE_PEER(counted, name, type, COUNT, UNUSED)
PROGRAM_TYPES(PLAIN)
PROGRAM_TYPES(GUARD)
PROGRAM_TYPES(BOUNDS)
PROGRAM_TYPES(COUNTED)

/* The second of two: a program with doubles in it is wrong, all others are right. */
#define BROKEN(name, type) DEFINE_PEER(broken, name, type, NOTHING, UNUSED)
BROKEN(u8, uint8_t)
BROKEN(u16, uint16_t)
BROKEN(u32, uint32_t)
BROKEN(u64, uint64_t)
BROKEN(f32, float)
PEER double broken_load_f64(mf_view *view, unsigned char *base, uint64_t index) {
    return plain_load_f64(view, base, index);
}
PEER void broken_store_f64(mf_view *view, unsigned char *base, uint64_t index, double value) {
    plain_store_f64(view, base, index, index % 4096 == 8 ? value + 1 : value);
}
