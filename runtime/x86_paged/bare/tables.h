/*
 * The page tables of an x86-64 CPU with four levels (Intel SDM volume 3A, 4.5), for pages whose permission
 * changes and whose bytes stay. It knows frames and virtual addresses, no reservations and no guests.
 *
 * A page has no frame, or it has one: then its bytes are kept whatever its permission is. Where a page may
 * not be accessed but has a frame, its PTE is not present and still names the frame.
 *
 * Thread rule: one at a time on one set of tables, on a CPU that uses them; page_tables_allow at any time.
 */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_BARE_TABLES_H
#define MEMFOLD_RUNTIME_X86_PAGED_BARE_TABLES_H

#include <memfold/abi.h>

#include <stdbool.h>

/* No frame has this address. */
#define NO_FRAME UINT64_MAX

#define HUGE_LEAF_PAGES 512

/* Where frames come from. Physical address p can be read and written at direct_map + p. */
typedef struct frame_source {
    unsigned char *direct_map;
    void *context;
    uint64_t (*take)(void *context); /* a frame of 4096 bytes, or NO_FRAME */
    /* 512 frames in a row, aligned to 2 MiB, or NO_FRAME; NULL: there are none. */
    uint64_t (*take_huge)(void *context);
    void (*give)(void *context, uint64_t frame); /* one frame, also of a huge one */
    /*
     * TLB shootdown: no other CPU has these pages, or the tables of their walk, cached any more. NULL: there
     * is no other CPU.
     */
    void (*shootdown)(void *context, uint64_t address, uint64_t pages);
} frame_source;

/* Below `root` tables are made as needed; those that others have made are used and left alone. */
typedef struct page_tables {
    const frame_source *frames;
    uint64_t root; /* physical address of the level-4 table */
    bool is_user;  /* ring 3 may access the pages, too */
} page_tables;

/* Virtual pages from `start` on, a multiple of 4096. They do not leave the half of the space they begin in.
 */
typedef struct virtual_run {
    uint64_t start;
    uint64_t pages;
} virtual_run;

/*
 * The pages have `perm` and keep their bytes; pages without a frame are given one, of zeros, unless `perm` is
 * NONE. They are never executable (the bit XD, which needs EFER.NXE). False if frames run out, and then all
 * is as before, except that a huge leaf at an end of the run may be 512 small ones.
 */
bool page_tables_protect(const page_tables *tables, virtual_run run, mf_perm perm);

/*
 * Pages with all that page_tables_protect may need for them; their permissions are what they were. False
 * as there. Unreserve takes back what was reserved for pages of the run and not protected since.
 */
bool page_tables_reserve(const page_tables *tables, virtual_run run);
void page_tables_unreserve(const page_tables *tables, virtual_run run);

/* Whether nobody has mapped anything there. */
bool page_tables_are_empty(const page_tables *tables, virtual_run run);

/*
 * Whether the tables below `root` let the byte at `address` be accessed by some ring; then whether ring 3 is
 * one. For a fault handler: no entry is changed.
 */
bool page_tables_allow(unsigned char *direct_map, uint64_t root, uint64_t address, mf_operation operation,
                       bool *is_user_page);

/* Whether all pages have `perm` for the CPU. */
bool page_tables_have(const page_tables *tables, virtual_run run, mf_perm perm);

/* The pages are zero. Those that cannot be accessed have no frame any more. */
void page_tables_zero(const page_tables *tables, virtual_run run);

/* The pages have no frame, and tables that were made for them and map nothing else are given back. */
void page_tables_clear(const page_tables *tables, virtual_run run);

/* The physical address of the page at `address`, or NO_FRAME. */
uint64_t page_tables_frame(const page_tables *tables, uint64_t address);

/* The first pages of the run that have a frame; not all that follow each other. False if none has. */
bool page_tables_find(const page_tables *tables, virtual_run run, virtual_run *part);

#endif
