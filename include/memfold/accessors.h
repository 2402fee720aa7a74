/*
 * Accessors: the generated (or generic) load and store functions of one layout.
 *
 * MF_ACCESSORS is the one list of them; the generator, the generic engine, the command and the tests
 * all expand it. A set of accessors comes from jit.h, from an object that was emitted ahead of time (aot.h),
 * or from generic.h. Example:
 *
 *     #include <memfold/generic.h>
 *     #include <memfold/memory.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *         mf_memory *memory;
 *         if (mf_memory_create(NULL, NULL, MF_BACKEND_COPY, &memory, NULL) != MF_OK ||
 *             mf_memory_map_region(memory, 0x20000, 4096, MF_READ_WRITE, NULL, 0, NULL) != MF_OK)
 *             return 1;
 *         mf_view *view = mf_memory_view(memory);
 *         const mf_accessors *guest = mf_generic_accessors(NULL);
 *         guest->store_u16(view, 0x20000, 0xfffe);
 *         mf_load_result loaded = guest->load_i16(view, 0x20000); // sign-extends
 *         printf("%s: %lld\n", mf_accessor_info_get(MF_LOAD_I16)->name, (long long)loaded.value);
 *         mf_memory_destroy(memory);
 *         return loaded.status == MF_FAULT_NONE && (int64_t)loaded.value == -2 ? 0 : 1;
 *     }
 */
#ifndef MEMFOLD_ACCESSORS_H
#define MEMFOLD_ACCESSORS_H

#include <memfold/abi.h>
#include <memfold/public.h>

MF_PUBLIC_BEGIN

/*
 * The loads: expands X(ID, name, operation, width_bytes, sign_extends) for each of them, X being your macro;
 * so do the two lists below.
 */
#define MF_LOAD_ACCESSORS(X)                                                                                 \
    X(LOAD_U8, load_u8, MF_LOAD, 1, 0)                                                                       \
    X(LOAD_U16, load_u16, MF_LOAD, 2, 0)                                                                     \
    X(LOAD_U32, load_u32, MF_LOAD, 4, 0)                                                                     \
    X(LOAD_U64, load_u64, MF_LOAD, 8, 0)                                                                     \
    X(LOAD_I8, load_i8, MF_LOAD, 1, 1)                                                                       \
    X(LOAD_I16, load_i16, MF_LOAD, 2, 1)                                                                     \
    X(LOAD_I32, load_i32, MF_LOAD, 4, 1)

/* The stores; they truncate the value to their width. */
#define MF_STORE_ACCESSORS(X)                                                                                \
    X(STORE_U8, store_u8, MF_STORE, 1, 0)                                                                    \
    X(STORE_U16, store_u16, MF_STORE, 2, 0)                                                                  \
    X(STORE_U32, store_u32, MF_STORE, 4, 0)                                                                  \
    X(STORE_U64, store_u64, MF_STORE, 8, 0)

/* Loads, then stores. */
#define MF_ACCESSORS(X) MF_LOAD_ACCESSORS(X) MF_STORE_ACCESSORS(X)

/* The numbers of the accessors: MF_LOAD_U8, ..., MF_STORE_U64, in the order of the list. */
typedef enum mf_accessor_id {
#define MF_X(ID, name, operation, width, sign) MF_##ID,
    MF_ACCESSORS(MF_X)
#undef MF_X
        MF_ACCESSOR_COUNT
} mf_accessor_id;

/* What one accessor does. Loads extend to 64 bits; stores truncate to the width. */
typedef struct mf_accessor_info {
    const char *name;       /* "load_u8" */
    mf_operation operation; /* MF_LOAD or MF_STORE */
    uint32_t width_bytes;   /* 1, 2, 4 or 8 */
    uint32_t sign_extends;  /* 1: a load repeats the value's top bit upwards; 0: it fills with zeros */
} mf_accessor_info;

/* Borrows the description of `id`; static storage. NULL from MF_ACCESSOR_COUNT on. Any thread. */
const mf_accessor_info *mf_accessor_info_get(mf_accessor_id id);

/*
 * The signatures. `address` or `index` is the guest address of the first byte, at any alignment; a load
 * returns the value and a status; a store writes the low bytes of `value` and returns a status
 * (mf_fault_kind). With a status other than 0 nothing was done and the record is in the view. The default
 * options give mf_load_fn and mf_store_fn. `at` has a base argument (base = argument: the host address of
 * guest address 0), `u33` takes a 64-bit index (index = u33), `trap` leaves through the guard frame of the
 * view instead of returning a status (on_fault = trap).
 */
typedef mf_load_result mf_load_fn(mf_view *view, uint32_t address);
typedef mf_load_result mf_load_u33_fn(mf_view *view, uint64_t index);
typedef mf_load_result mf_load_at_fn(mf_view *view, void *base, uint32_t address);
typedef mf_load_result mf_load_at_u33_fn(mf_view *view, void *base, uint64_t index);
typedef uint64_t mf_load_trap_fn(mf_view *view, uint32_t address);
typedef uint64_t mf_load_trap_u33_fn(mf_view *view, uint64_t index);
typedef uint64_t mf_load_trap_at_fn(mf_view *view, void *base, uint32_t address);
typedef uint64_t mf_load_trap_at_u33_fn(mf_view *view, void *base, uint64_t index);

/* The same for stores; with `trap` they return nothing. */
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
 * the default options; for other options take the member untyped and cast it to the type above before the
 * call, e.g. `((mf_load_trap_fn *)mf_accessors_member(set, MF_LOAD_U32))(view, address)`. (A cast from one of
 * the types to another is right as well, but compilers warn of it.)
 *
 * Thread rule: accessors may run in any number of threads at once, each with its own view. An access
 * that races with another access to the same bytes, or with a change of the memory's permissions, is
 * the caller's to synchronise. Accessors take no lock and allocate nothing, so they also run in a signal
 * handler, with a view that no interrupted code is using.
 */
typedef struct mf_accessors {
#define MF_X(ID, name, operation, width, sign) mf_load_fn *name;
    MF_LOAD_ACCESSORS(MF_X)
#undef MF_X
#define MF_X(ID, name, operation, width, sign) mf_store_fn *name;
    MF_STORE_ACCESSORS(MF_X)
#undef MF_X
    uint64_t
        layout_stamp;  /* of the layout and backend they are exact for, MF_LAYOUT_STAMP; 0: every layout */
    uint32_t backends; /* bit n: they serve memories of mf_backend n; bit 8 + n: also those made for u32 */
    uint32_t policy;   /* mf_policy */
} mf_accessors;

/* The bits of `backends`: code for 33-bit indices serves no memory that was made for 32-bit ones. */
#define MF_ACCESSORS_SERVE(backend) (UINT32_C(1) << (backend))
#define MF_ACCESSORS_SERVE_U32(backend) (UINT32_C(0x100) << (backend))

MF_STATIC_ASSERT(sizeof(mf_accessors) == MF_ACCESSOR_COUNT * sizeof(void (*)(void)) + 16, "mf_accessors");

/* Any accessor, as an untyped function pointer. */
typedef void mf_accessor_fn(void);

/* Borrows member `id` of `set`, to be cast to its type before the call. NULL from MF_ACCESSOR_COUNT on. Any
 * thread. */
mf_accessor_fn *mf_accessors_member(const mf_accessors *set, mf_accessor_id id);

MF_PUBLIC_END

#endif
