/*
 * What others do for an access, in plain C, each inlined into the same loops as memfold's accessors. All but
 * raw and seed answer as the contract says, straddling accesses and the top of the space included; the record
 * is memfold's own.
 */
#include "guest.h"

#include <memfold/abi.h>

#define PEER __attribute__((always_inline))

#define WIDTH 4

typedef struct __attribute__((packed)) guest_word {
    uint32_t value;
} guest_word;

/* ---- The access ---- */

static inline PEER mf_load_result load_at(const unsigned char *host) {
    return (mf_load_result){((const guest_word *)host)->value, 0};
}

static inline PEER uint32_t store_at(unsigned char *host, uint64_t value) {
    ((guest_word *)host)->value = (uint32_t)value;
    return 0;
}

static inline PEER uint32_t refuse(mf_view *view, uint64_t index, mf_operation operation) {
    return mf_rt_fault_v3(view, index, MF_ACCESS_CODE(operation, WIDTH), 0);
}

/* Peers differ only in `allowed`, the question whether an access may happen. */
#define DEFINE_PEER(name, allowed)                                                                           \
    PEER mf_load_result name##_load_u32(mf_view *view, uint32_t address) {                                   \
        if (__builtin_expect(allowed(view, address, MF_LOAD), 1))                                            \
            return load_at(view->base + address);                                                            \
        return (mf_load_result){0, refuse(view, address, MF_LOAD)};                                          \
    }                                                                                                        \
    PEER uint32_t name##_store_u32(mf_view *view, uint32_t address, uint64_t value) {                        \
        if (__builtin_expect(allowed(view, address, MF_STORE), 1))                                           \
            return store_at(view->base + address, value);                                                    \
        return refuse(view, address, MF_STORE);                                                              \
    }

static inline PEER guest_view *guest_of(mf_view *view) {
    return (guest_view *)view;
}

static inline PEER int within(const guest_window *window, uint64_t index) {
    return index - window->start <= window->size - WIDTH;
}

/* ---- raw: nothing is checked ---- */

static inline PEER int raw_allowed(mf_view *view, uint64_t index, mf_operation operation) {
    (void)view, (void)index, (void)operation;
    return 1;
}
DEFINE_PEER(raw, raw_allowed)

/* ---- seed: the end of the highest region, whatever lies below it ---- */

static inline PEER int seed_allowed(mf_view *view, uint64_t index, mf_operation operation) {
    (void)operation;
    return index + WIDTH <= guest_of(view)->len;
}
DEFINE_PEER(seed, seed_allowed)

/* ---- list: the windows one after the other ---- */

static inline PEER int list_allowed(mf_view *view, uint64_t index, mf_operation operation) {
    const guest_windows *windows = &guest_of(view)->windows[operation];
    uint64_t count = windows->count;
    for (uint64_t i = 0; i < count; i++)
        if (within(&windows->all[i], index))
            return 1;
    return 0;
}
DEFINE_PEER(list, list_allowed)

/* ---- search: the last window that begins at or below the index, found without a branch on the way ---- */

static inline PEER int search_allowed(mf_view *view, uint64_t index, mf_operation operation) {
    const guest_windows *windows = &guest_of(view)->windows[operation];
    const guest_window *found = windows->all;
    uint64_t count = windows->count;
    if (count == 0)
        return 0;
    while (count > 1) {
        uint64_t half = count / 2;
        int above = found[half].start <= index;
        found = __builtin_unpredictable(above) ? found + half : found;
        count -= half;
    }
    return within(found, index);
}
DEFINE_PEER(search, search_allowed)

/* ---- bytes: one permission byte for each page, at both ends of the access ---- */

static inline PEER int bytes_allowed(mf_view *view, uint64_t index, mf_operation operation) {
    unsigned least = operation == MF_LOAD ? MF_PERM_RO : MF_PERM_RW;
    const unsigned char *perms = view->perms;
    return perms[index >> MF_PAGE_LOG2] >= least && perms[(index + WIDTH - 1) >> MF_PAGE_LOG2] >= least;
}
DEFINE_PEER(bytes, bytes_allowed)

/* ---- tlb: recently used pages, by operation; a straddle and a miss are searched for ---- */

static __attribute__((noinline)) unsigned char *tlb_fill(mf_view *view, uint64_t index,
                                                         mf_operation operation) {
    uint64_t page = index >> MF_PAGE_LOG2;
    if (!search_allowed(view, index, operation))
        return 0;
    guest_tlb_entry *entry = &guest_of(view)->tlb[operation][page % GUEST_TLB_ENTRIES];
    entry->page = page;
    entry->host_offset = (uint64_t)view->base;
    return view->base + index;
}

static inline PEER unsigned char *tlb_translate(mf_view *view, uint64_t index, mf_operation operation) {
    uint64_t page = index >> MF_PAGE_LOG2;
    const guest_tlb_entry *entry = &guest_of(view)->tlb[operation][page % GUEST_TLB_ENTRIES];
    int hit = entry->page == page && (index & (MF_PAGE_SIZE - 1)) <= MF_PAGE_SIZE - WIDTH;
    if (__builtin_expect(hit, 1))
        return (unsigned char *)(entry->host_offset + index);
    return tlb_fill(view, index, operation);
}

PEER mf_load_result tlb_load_u32(mf_view *view, uint32_t address) {
    unsigned char *host = tlb_translate(view, address, MF_LOAD);
    if (__builtin_expect(host != 0, 1))
        return load_at(host);
    return (mf_load_result){0, refuse(view, address, MF_LOAD)};
}

PEER uint32_t tlb_store_u32(mf_view *view, uint32_t address, uint64_t value) {
    unsigned char *host = tlb_translate(view, address, MF_STORE);
    if (__builtin_expect(host != 0, 1))
        return store_at(host, value);
    return refuse(view, address, MF_STORE);
}

/* ---- called: through a pointer, as a client without LLVM does ---- */

PEER mf_load_result called_load_u32(mf_view *view, uint32_t address) {
    return guest_of(view)->load_u32(view, address);
}

PEER uint32_t called_store_u32(mf_view *view, uint32_t address, uint64_t value) {
    return guest_of(view)->store_u32(view, address, value);
}

/* ---- broken: raw that takes one word for another, by which the suite sees that the bench notices ---- */

PEER mf_load_result broken_load_u32(mf_view *view, uint32_t address) {
    return load_at(view->base + (address & 0xfff ? address : address + WIDTH));
}

PEER uint32_t broken_store_u32(mf_view *view, uint32_t address, uint64_t value) {
    return store_at(view->base + address, value);
}
