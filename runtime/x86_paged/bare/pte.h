/*
 * Entries of page tables (Intel SDM volume 3A, tables 4-15 to 4-20), and the walk through them.
 *
 * A leaf is one of four things, and with each of them the entry says what permission the page has:
 *
 *     own       a frame of this page alone; present, or for NONE not present and still naming it
 *     shared    a frame of an image; never writable, and COPY says that a store gets a copy
 *     promised  no frame: the first touch takes one, of zeros
 *     busy      shared, while a CPU makes the copy
 *
 * An entry of 0 is a page, or many, of zeros without permission. Entries are read and written as a whole,
 * because fault handlers of other CPUs change some of them without a lock (touch.h).
 */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_BARE_PTE_H
#define MEMFOLD_RUNTIME_X86_PAGED_BARE_PTE_H

#include <memfold/abi.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEVELS 4
#define LEVEL_BITS 9
#define TABLE_ENTRIES (1u << LEVEL_BITS)
#define HUGE_LEVEL 2
#define PROMISE_LEVEL_MAX 3

/*
 * The CPU ignores bits 9 to 11 and 52 to 58, and in a PTE that is not present all bits but bit 0: that is
 * where a page without permission keeps its frame.
 */
#define PTE_PRESENT UINT64_C(0x1)
#define PTE_WRITE UINT64_C(0x2)
#define PTE_USER UINT64_C(0x4)
#define PTE_ACCESSED UINT64_C(0x20)
#define PTE_DIRTY UINT64_C(0x40)
#define PTE_HUGE UINT64_C(0x80) /* PS: at level 2, a leaf; of a promise: it may be kept by a huge frame */
#define PTE_FRAME UINT64_C(0x000ffffffffff000)
#define PTE_NX (UINT64_C(1) << 63)
#define PTE_HAS_FRAME UINT64_C(0x200) /* a leaf with a frame, present or not */
#define PTE_NEW UINT64_C(0x400)       /* its frame was taken by the change that is under way */
#define PTE_OURS UINT64_C(0x800)      /* leads to a table made here, not by the kernel */
#define PTE_PROMISED (UINT64_C(1) << 52)
#define PTE_SHARED (UINT64_C(1) << 53)
#define PTE_COPY (UINT64_C(1) << 54) /* shared, and the permission is RW */
#define PTE_BUSY (UINT64_C(1) << 55)

/* An entry of a table of any level. The manual keeps the word PTE for level 1. */
typedef struct pte {
    uint64_t bits;
} pte;

typedef struct table {
    pte entries[TABLE_ENTRIES];
} table;

MF_STATIC_ASSERT(sizeof(pte) == 8, "a PTE is 8 bytes");
MF_STATIC_ASSERT(sizeof(table) == MF_PAGE_SIZE, "a table fills a frame");

static inline pte pte_read(const pte *e) {
    return (pte){__atomic_load_n(&e->bits, __ATOMIC_ACQUIRE)};
}

static inline void pte_write(pte *e, uint64_t bits) {
    __atomic_store_n(&e->bits, bits, __ATOMIC_RELEASE);
}

/* Whether it was `before`, and then it is `bits`. */
static inline bool pte_replace(pte *e, pte before, uint64_t bits) {
    return __atomic_compare_exchange_n(&e->bits, &before.bits, bits, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

static inline table *table_at(unsigned char *direct_map, uint64_t frame) {
    return (table *)(void *)(direct_map + frame);
}

static inline uint64_t frame_of(pte e) {
    return e.bits & PTE_FRAME;
}

static inline bool is_present(pte e) {
    return (e.bits & PTE_PRESENT) != 0;
}

static inline bool is_table(pte e, unsigned level) {
    return level > 1 && is_present(e) && (e.bits & PTE_HUGE) == 0;
}

static inline bool has_frame(pte e) {
    return (e.bits & PTE_HAS_FRAME) != 0;
}

static inline bool is_promised(pte e) {
    return (e.bits & PTE_PROMISED) != 0;
}

static inline bool is_shared(pte e) {
    return (e.bits & PTE_SHARED) != 0;
}

static inline bool is_own(pte e) {
    return has_frame(e) && !is_shared(e);
}

/* The permission of a leaf, or of an entry of 0. */
static inline mf_perm perm_of(pte e) {
    if (!is_present(e) && (e.bits & (PTE_PROMISED | PTE_BUSY)) == 0)
        return MF_PERM_NONE;
    return (e.bits & (PTE_WRITE | PTE_COPY)) != 0 ? MF_PERM_RW : MF_PERM_RO;
}

/* What the CPU finds in a leaf with a frame. */
static inline uint64_t rights_of(mf_perm perm, uint64_t user) {
    return perm == MF_PERM_NONE ? 0 : PTE_PRESENT | PTE_NX | user | (perm == MF_PERM_RW ? PTE_WRITE : 0);
}

/* Leaves decide about rights, so a PTE that leads to a table grants all that they may. */
static inline uint64_t table_bits(uint64_t user) {
    return PTE_PRESENT | PTE_WRITE | PTE_OURS | user;
}

/* Bytes that a PTE of this level spans. */
static inline uint64_t span_of(unsigned level) {
    return UINT64_C(1) << (MF_PAGE_LOG2 + LEVEL_BITS * (level - 1));
}

static inline size_t index_of(uint64_t address, unsigned level) {
    return (size_t)(address >> (MF_PAGE_LOG2 + LEVEL_BITS * (level - 1))) & (TABLE_ENTRIES - 1);
}

/* A promise for all that its entry spans becomes a table of promises. */
static inline void fill_with_promises(table *t, pte promise) {
    for (size_t i = 0; i < TABLE_ENTRIES; i++)
        t->entries[i] = promise;
}

/*
 * The walk (4.5.4):
 *
 *  63        48 47       39 38       30 29       21 20       12 11         0
 * | sign       | level 4   | level 3   | level 2   | level 1   | in the page |   4 KiB leaf
 * | sign       | level 4   | level 3   | level 2   | in the huge page        |   2 MiB leaf
 */
typedef struct walk_end {
    pte *pte; /* the last one of the walk: a leaf, or one that leads no further */
    pte read; /* what it was */
    unsigned level;
    uint64_t granted; /* the bits that all PTEs of the walk have: a right counts if each grants it (4.6.1) */
} walk_end;

static inline walk_end walk(unsigned char *direct_map, uint64_t root, uint64_t address) {
    walk_end at = {.granted = ~UINT64_C(0)};
    uint64_t frame = root;
    for (at.level = LEVELS;; at.level--) {
        at.pte = &table_at(direct_map, frame)->entries[index_of(address, at.level)];
        at.read = pte_read(at.pte);
        at.granted &= at.read.bits;
        if (!is_table(at.read, at.level))
            return at;
        frame = frame_of(at.read);
    }
}

#endif
