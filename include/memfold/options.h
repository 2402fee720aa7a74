/*
 * What an accessor set should be like. All zero is the default: the copy backend, the full fault
 * contract, little-endian, status return, base from the view, 32-bit addresses.
 */
#ifndef MEMFOLD_OPTIONS_H
#define MEMFOLD_OPTIONS_H

#include <memfold/public.h>

#include <stdbool.h>
#include <stdint.h>

MF_PUBLIC_BEGIN

/* Where the guest bytes live and who checks the accesses. */
typedef enum mf_backend {
    MF_BACKEND_COPY = 0,     /* a flat, lazily committed host buffer; software checks */
    MF_BACKEND_X86_PAGED = 1 /* guest pages are CPU pages; the MMU checks. x86-64 only */
} mf_backend;

/*
 * Which accesses are refused.
 * PERMS: the fault contract, by page permission.
 * BOUNDS: only an access that ends above the highest region (or the heap's maximum, whichever is higher);
 *         permissions are ignored and everything below counts as accessible.
 * NONE:   nothing; the caller has already checked the range. An access outside it is undefined.
 * BOUNDS goes with the copy backend only.
 */
typedef enum mf_policy { MF_POLICY_PERMS = 0, MF_POLICY_BOUNDS = 1, MF_POLICY_NONE = 2 } mf_policy;

/* Byte order of the guest. */
typedef enum mf_endian { MF_LITTLE_ENDIAN = 0, MF_BIG_ENDIAN = 1 } mf_endian;

/*
 * How a fault is reported.
 * RETURN: by the status of the accessor (embed.h: by your fault block), after it has been recorded in the
 *         view.
 * TRAP:   by leaving through the view's guard frame, after it has been recorded.
 * BRANCH: by your fault block alone. Nothing is recorded and nothing is called: for runtimes that have one
 *         kind of trap. For the accesses of embed.h only, since functions have nowhere to branch to.
 */
typedef enum mf_on_fault { MF_ON_FAULT_RETURN = 0, MF_ON_FAULT_TRAP = 1, MF_ON_FAULT_BRANCH = 2 } mf_on_fault;

/*
 * What stays in order around an access that leaves by the MMU's fault: x86_paged with on_fault = trap.
 * Elsewhere a fault is an edge in the code, which LLVM sees, and both are the same.
 *
 * With both the access is a volatile load or store, executed exactly once each time it is reached, which LLVM
 * folds into operands. A division that comes after it may be executed before it: by 0 it has no meaning in
 * LLVM, so a client asks before it divides.
 *
 * ALL:   everything. When the access faults, each effect of the client's code before it has happened, and
 *        none of those after it: for clients that look at their own memory after a fault, or that go on. The
 *        access stands between two fences for the compiler, which no load or store passes.
 * GUEST: the guest's accesses among themselves and against calls. Those that cannot fault are volatile too,
 *        unless the policy is NONE. When one faults the guest's memory is exact; what the client keeps in
 *        memory of its own is as LLVM left it. For guests whose registers nobody reads after a fault.
 */
typedef enum mf_order { MF_ORDER_ALL = 0, MF_ORDER_GUEST = 1 } mf_order;

/* Where the host address of guest address 0 comes from. */
typedef enum mf_base {
    MF_BASE_VIEW = 0,     /* read from the view */
    MF_BASE_ARGUMENT = 1, /* second argument of the accessor */
    MF_BASE_CONSTANT = 2  /* `base_address`, folded into the code; 0 is legal */
} mf_base;

/*
 * The type of the address argument. U33 takes a uint64_t that is the sum of a 32-bit address and a
 * 32-bit offset; an index of 2^32 or more is inaccessible and reported as it is. Larger values than
 * such a sum are a programmer's mistake. Code for U32 serves every memory, code for U33 those that were made
 * for it (mf_memory_index in memory.h).
 */
typedef enum mf_index { MF_INDEX_U32 = 0, MF_INDEX_U33 = 1 } mf_index;

/*
 * What the CPU may touch while it follows a check that it has predicted wrongly. Faults are reported alike.
 *
 * NONE: the access itself, at base + index for the index that was asked for. With 32-bit addresses it ends
 * less than 2^32 + 64 bytes from the base, which the copy backend reserves for this memory alone, unless the
 * memory has a bound (max_bytes): the guest may meet bytes of its own pages for which it has no permission,
 * but none of the host's. With u33 it ends less than 2^33 + 64 bytes from the base, and from 2^32 + 4096 on
 * lies whatever the host has there.
 *
 * MASK: whenever the check fails, data flow forces the access to one place of the guest: to the start of the
 * first window that the operation may touch (the heap's range counts as one), or to guest address 0 where the
 * check is a table in memory (granule-table, granule-bitmap, perm-table) and under the policy BOUNDS.
 * `memfold plan` prints the place.
 *
 * The checks read the same with both. Windows, heaps, bounds and immediate bitmaps read nothing but fields of
 * the view. A lookup in a granule table or bitmap stays in its table for every index, but without a mask in
 * code for 33-bit indices that LLVM's passes have optimised, where the access itself is bounded by nothing
 * else; one in the permission table does for every sum of a 32-bit address and a 32-bit offset.
 *
 * MASK changes nothing where there is no check: where a plan always allows or always faults, under the policy
 * NONE, and where the MMU checks (X86_PAGED), whose every index lies in the memory's own reservation. The
 * range checks of embed.h, the generic accessors and the functions of memory.h have no mask.
 */
typedef enum mf_spectre { MF_SPECTRE_NONE = 0, MF_SPECTRE_MASK = 1 } mf_spectre;

/* Which check to use. AUTO takes the cheapest; another is refused where it is not exact for the layout. */
typedef enum mf_strategy {
    MF_STRATEGY_AUTO = 0,
    MF_STRATEGY_WINDOW,      /* one window: one subtraction and one unsigned comparison */
    MF_STRATEGY_TWO_WINDOWS, /* two of them */
    MF_STRATEGY_HEAP,        /* a window that ends at the live heap end, and at most one constant window */
    MF_STRATEGY_FEW_WINDOWS, /* two to four windows: from the first to the last, but not between them */
    MF_STRATEGY_IN_TURN,     /* two to four windows, one comparison after the other, the hot one first */
    MF_STRATEGY_IMMEDIATE_BITMAP, /* windows within 64 granules: one 64-bit constant in the instructions */
    MF_STRATEGY_GRANULE_TABLE,    /* constant data, a byte for each granule of 32 KiB or more */
    MF_STRATEGY_GRANULE_BITMAP,   /* constant data, a bit for each granule of 4 KiB or more */
    MF_STRATEGY_PERM_TABLE,       /* the memory's live permission table: exact for every layout */
    MF_STRATEGY_LAST = MF_STRATEGY_PERM_TABLE /* where loops over all of them end */
} mf_strategy;

/*
 * Which empty ranges pass: what an operation on 0 bytes does at an address where it could touch nothing.
 *
 * ANYWHERE: all of them, because nothing is touched.
 * WITHIN:   those that do not begin beyond the end of what the operation may touch, as in Wasm. The end is
 *           that of the highest page that is accessible for it at that moment, the pages of the heap
 *           included: a load's of the highest page that is not MF_PERM_NONE, a store's of the highest
 *           MF_PERM_RW one; 0 if there is none. What is below, holes too, passes, and the end itself does.
 *           The others are page faults on the page of their start, with length 0, whatever permission that
 *           page has.
 */
typedef enum mf_empty_range { MF_EMPTY_ANYWHERE = 0, MF_EMPTY_WITHIN = 1 } mf_empty_range;

/*
 * Whether an accessor first compares the layout it was made for with the memory's, and panics. One that is
 * exact for every layout (perm-table, paged) compares the backend alone.
 */
typedef enum mf_stale { MF_STALE_TRUST = 0, MF_STALE_CHECK = 1 } mf_stale;

/*
 * The options. Whatever compares, checks or reads them expands this list, so that none is forgotten.
 * X(ID, type, field, largest value)
 *
 * empty_range is for the range checks of embed.h; accessors have no empty ranges, and memories are told by
 * their configuration (memory.h). base_address is for MF_BASE_CONSTANT, and 0 otherwise. The hot window is a
 * hint: the window that holds hot_address gets hot_percent of 100 accesses; 0 percent: nothing is known, and
 * then the address is 0. Accesses in it are let through by a comparison of their own before any other check
 * is made, and AUTO then takes up to four windows in turn; what is allowed does not change. A mask (spectre)
 * takes no hint.
 */
#define MF_ACCESSOR_OPTIONS(X)                                                                               \
    X(BACKEND, mf_backend, backend, MF_BACKEND_X86_PAGED)                                                    \
    X(POLICY, mf_policy, policy, MF_POLICY_NONE)                                                             \
    X(ENDIAN, mf_endian, endian, MF_BIG_ENDIAN)                                                              \
    X(ON_FAULT, mf_on_fault, on_fault, MF_ON_FAULT_BRANCH)                                                   \
    X(BASE, mf_base, base, MF_BASE_CONSTANT)                                                                 \
    X(INDEX, mf_index, index, MF_INDEX_U33)                                                                  \
    X(SPECTRE, mf_spectre, spectre, MF_SPECTRE_MASK)                                                         \
    X(STRATEGY, mf_strategy, strategy, MF_STRATEGY_LAST)                                                     \
    X(STALE, mf_stale, stale, MF_STALE_CHECK)                                                                \
    X(BASE_ADDRESS, uint64_t, base_address, UINT64_MAX)                                                      \
    X(HOT_ADDRESS, uint32_t, hot_address, UINT32_MAX)                                                        \
    X(HOT_PERCENT, uint32_t, hot_percent, 100)                                                               \
    X(ORDER, mf_order, order, MF_ORDER_GUEST)                                                                \
    X(EMPTY_RANGE, mf_empty_range, empty_range, MF_EMPTY_WITHIN)

/* The options as a value: a field for each line of the list. */
typedef struct mf_accessor_options {
#define MF_X(ID, type, field, largest) type field;
    MF_ACCESSOR_OPTIONS(MF_X)
#undef MF_X
} mf_accessor_options;

/* True if `a` and `b` ask for the same code. Pure; any thread. */
bool mf_accessor_options_equal(const mf_accessor_options *a, const mf_accessor_options *b);

MF_PUBLIC_END

#endif
