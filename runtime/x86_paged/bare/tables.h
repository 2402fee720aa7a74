/*
 * The page tables of an x86-64 CPU with four levels (Intel SDM volume 3A, 4.5), for pages whose permission
 * changes and whose bytes stay. It knows frames and virtual addresses, no reservations and no guests.
 *
 * A page has a frame of its own, or shares one that is never written, or has none and is zero; its bytes are
 * kept whatever its permission is. Where a page may not be accessed but has a frame, its PTE is not present
 * and still names the frame (pte.h).
 *
 * Thread rule: one at a time on one set of tables, on a CPU that uses them; touch.h at any time.
 */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_BARE_TABLES_H
#define MEMFOLD_RUNTIME_X86_PAGED_BARE_TABLES_H

#include <memfold/abi.h>

#include <stdbool.h>
#include <stddef.h>

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

/* Virtual pages from `start` on, a multiple of 4096. They do not leave the half of the space they begin in.
 */
typedef struct virtual_run {
    uint64_t start;
    uint64_t pages;
} virtual_run;

/* Below `root` tables are made as needed; those that others have made are used and left alone. */
typedef struct page_tables {
    const frame_source *frames;
    uint64_t root;     /* physical address of the level-4 table */
    bool is_user;      /* ring 3 may access the pages, too */
    bool at_touch;     /* frames are taken at first touch, not with the permission */
    virtual_run whole; /* all pages that are these tables'; with at_touch */
} page_tables;

/*
 * The pages have `perm` and keep their bytes; pages without a frame are given one, of zeros, unless `perm` is
 * NONE; with at_touch they are promised one. They are never executable (the bit XD, which needs EFER.NXE).
 * False if frames run out, and then all is as before, except that a huge leaf at an end of the run may be 512
 * small ones, and with at_touch tables may be more than needed until page_tables_unreserve.
 */
bool page_tables_protect(const page_tables *tables, virtual_run run, mf_perm perm);

/*
 * Pages with all that page_tables_protect may need for them; their permissions are what they were. False
 * as there. Unreserve takes back what was reserved for pages of the run and not protected since.
 */
bool page_tables_reserve(const page_tables *tables, virtual_run run);
void page_tables_unreserve(const page_tables *tables, virtual_run run);

/* The pages have frames of their own, with the bytes and permissions that they had. False as there. */
bool page_tables_populate(const page_tables *tables, virtual_run run);

/* What pages have at first, and again. */
typedef struct page_source {
    void *context;
    /* The bytes of the page at `address` are written to `bytes`. */
    void (*fill)(void *context, uint64_t address, unsigned char *bytes);
    /* A frame that has them and is shared, or NO_FRAME if they are zero; NULL: pages keep their frames. */
    uint64_t (*share)(void *context, uint64_t address);
} page_source;

/* The pages can be shared without failing; false as there. */
bool page_tables_reserve_small(const page_tables *tables, virtual_run run);

/* The pages, which are reserved small, have the source's frames as long as nobody stores to them, or keep
 * their own. */
void page_tables_share(const page_tables *tables, virtual_run run, const page_source *source);

/* Whether nobody has mapped anything there. */
bool page_tables_are_empty(const page_tables *tables, virtual_run run);

/* Whether all pages have `perm`. */
bool page_tables_have(const page_tables *tables, virtual_run run, mf_perm perm);

/*
 * The pages are zero. Those that cannot be accessed have no frame any more, and tables that map nothing else
 * are given back, unless they are kept for what comes.
 */
void page_tables_zero(const page_tables *tables, virtual_run run, bool keeps_tables);

/*
 * The pages, which cannot be accessed, are read-write and zero; false if frames run out, and then nothing has
 * changed.
 */
bool page_tables_renew(const page_tables *tables, virtual_run run);

/* The pages have no frame, and tables that were made for them and map nothing else are given back. */
void page_tables_clear(const page_tables *tables, virtual_run run);

/* The physical address of the page at `address`, or NO_FRAME. */
uint64_t page_tables_frame(const page_tables *tables, uint64_t address);

/* Pages beside each other that lie in frames beside each other. */
typedef struct frame_run {
    virtual_run pages;
    uint64_t frame;
} frame_run;

/* Which frames: any, or only a page's own, or only its own that may have been written since
 * page_tables_restore. */
typedef enum frame_kind { FRAME_ANY, FRAME_OWN, FRAME_DIRTY } frame_kind;

/* The first pages of the run that have such a frame; not all that follow each other. False if none has. */
bool page_tables_find(const page_tables *tables, virtual_run run, frame_kind kind, frame_run *part);

/* Whether the page has a frame that is not its own. */
bool page_tables_shares(const page_tables *tables, uint64_t address);

/*
 * Pages with frames of their own have the bytes of the source, and are not dirty: all of them, or only those
 * that were. Where the source shares frames and more than `keep_most` pages of the run have their own, none
 * has any more. No page can be accessed meanwhile.
 */
void page_tables_restore(const page_tables *tables, virtual_run run, const page_source *source,
                         bool only_dirty, uint64_t keep_most);

/* Bytes of one page that has a frame of its own, which is dirty then. */
void page_tables_write(const page_tables *tables, uint64_t address, const void *bytes, size_t count);

#endif
