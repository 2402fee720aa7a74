/*
 * Accessors: the generated (or generic) load and store functions of one layout.
 *
 * MF_ACCESSORS is the one list of them; the generator, the generic engine, the command and the tests
 * all expand it. X(ID, name, operation, width_bytes, sign_extends)
 */
#ifndef MEMFOLD_ACCESSORS_H
#define MEMFOLD_ACCESSORS_H

#include <memfold/abi.h>
#include <memfold/public.h>

MF_PUBLIC_BEGIN

#define MF_LOAD_ACCESSORS(X)                                                                                 \
    X(LOAD_U8, load_u8, MF_LOAD, 1, 0)                                                                       \
    X(LOAD_U16, load_u16, MF_LOAD, 2, 0)                                                                     \
    X(LOAD_U32, load_u32, MF_LOAD, 4, 0)                                                                     \
    X(LOAD_U64, load_u64, MF_LOAD, 8, 0)                                                                     \
    X(LOAD_I8, load_i8, MF_LOAD, 1, 1)                                                                       \
    X(LOAD_I16, load_i16, MF_LOAD, 2, 1)                                                                     \
    X(LOAD_I32, load_i32, MF_LOAD, 4, 1)

#define MF_STORE_ACCESSORS(X)                                                                                \
    X(STORE_U8, store_u8, MF_STORE, 1, 0)                                                                    \
    X(STORE_U16, store_u16, MF_STORE, 2, 0)                                                                  \
    X(STORE_U32, store_u32, MF_STORE, 4, 0)                                                                  \
    X(STORE_U64, store_u64, MF_STORE, 8, 0)

#define MF_ACCESSORS(X) MF_LOAD_ACCESSORS(X) MF_STORE_ACCESSORS(X)

typedef enum mf_accessor_id {
#define MF_X(ID, name, operation, width, sign) MF_##ID,
    MF_ACCESSORS(MF_X)
#undef MF_X
        MF_ACCESSOR_COUNT
} mf_accessor_id;

/* What one accessor does. Loads extend to 64 bits; stores truncate to the width. */
typedef struct mf_accessor_info {
    const char *name; /* "load_u8" */
    mf_operation operation;
    uint32_t width_bytes; /* 1, 2, 4 or 8 */
    uint32_t sign_extends;
} mf_accessor_info;

/* Borrows the description of `id`, static storage. Any thread. */
const mf_accessor_info *mf_accessor_info_get(mf_accessor_id id);

/*
 * The signatures. The default options give mf_load_fn and mf_store_fn. `at` has a base argument
 * (base = argument), `u33` takes a 64-bit index (index = u33), `trap` leaves through the guard frame
 * of the view instead of returning a status (on_fault = trap).
 */
typedef mf_load_result mf_load_fn(mf_view *view, uint32_t address);
typedef mf_load_result mf_load_u33_fn(mf_view *view, uint64_t index);
typedef mf_load_result mf_load_at_fn(mf_view *view, void *base, uint32_t address);
typedef mf_load_result mf_load_at_u33_fn(mf_view *view, void *base, uint64_t index);
typedef uint64_t mf_load_trap_fn(mf_view *view, uint32_t address);
typedef uint64_t mf_load_trap_u33_fn(mf_view *view, uint64_t index);
typedef uint64_t mf_load_trap_at_fn(mf_view *view, void *base, uint32_t address);
typedef uint64_t mf_load_trap_at_u33_fn(mf_view *view, void *base, uint64_t index);

typedef uint32_t mf_store_fn(mf_view *view, uint32_t address, uint64_t value);
typedef uint32_t mf_store_u33_fn(mf_view *view, uint64_t index, uint64_t value);
typedef uint32_t mf_store_at_fn(mf_view *view, void *base, uint32_t address, uint64_t value);
typedef uint32_t mf_store_at_u33_fn(mf_view *view, void *base, uint64_t index, uint64_t value);
typedef void mf_store_trap_fn(mf_view *view, uint32_t address, uint64_t value);
typedef void mf_store_trap_u33_fn(mf_view *view, uint64_t index, uint64_t value);
typedef void mf_store_trap_at_fn(mf_view *view, void *base, uint32_t address, uint64_t value);
typedef void mf_store_trap_at_u33_fn(mf_view *view, void *base, uint64_t index, uint64_t value);

/*
 * One accessor of each kind for one layout and one set of options. The members carry the signature of
 * the default options; for other options cast a member to the type above before the call, e.g.
 * `((mf_load_trap_fn *)set->load_u32)(view, address)`.
 *
 * Thread rule: accessors may run in any number of threads at once, each with its own view. An access
 * that races with another access to the same bytes, or with a change of the memory's permissions, is
 * the caller's to synchronise.
 */
typedef struct mf_accessors {
#define MF_X(ID, name, operation, width, sign) mf_load_fn *name;
    MF_LOAD_ACCESSORS(MF_X)
#undef MF_X
#define MF_X(ID, name, operation, width, sign) mf_store_fn *name;
    MF_STORE_ACCESSORS(MF_X)
#undef MF_X
} mf_accessors;

MF_STATIC_ASSERT(sizeof(mf_accessors) == MF_ACCESSOR_COUNT * sizeof(void (*)(void)), "mf_accessors");

/* Any accessor, as an untyped function pointer. */
typedef void mf_accessor_fn(void);

/* Borrows member `id` of `set`. Any thread. */
mf_accessor_fn *mf_accessors_member(const mf_accessors *set, mf_accessor_id id);

MF_PUBLIC_END

#endif
