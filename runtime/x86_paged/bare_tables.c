/*
 * Page tables: first everything that can fail is done, where the CPU does not see it, then the permissions
 * change.
 */
#include "bare_tables.h"
#include "bare_cpu.h"

#include <stddef.h>
#include <string.h>

#define LEVELS 4
#define LEVEL_BITS 9
#define TABLE_ENTRIES (1u << LEVEL_BITS)
#define HUGE_LEVEL 2

/* Intel SDM volume 3A, tables 4-15 to 4-20. Bits 9 to 11 are free for software, and all but bit 0 where that
 * is 0. */
#define ENTRY_PRESENT UINT64_C(0x1)
#define ENTRY_WRITE UINT64_C(0x2)
#define ENTRY_USER UINT64_C(0x4)
#define ENTRY_ACCESSED UINT64_C(0x20)
#define ENTRY_DIRTY UINT64_C(0x40)
#define ENTRY_HUGE UINT64_C(0x80) /* at level 2: a leaf */
#define ENTRY_FRAME UINT64_C(0x000ffffffffff000)
#define ENTRY_NO_EXECUTE (UINT64_C(1) << 63)
#define ENTRY_HELD UINT64_C(0x200) /* a leaf with a frame */
#define ENTRY_NEW UINT64_C(0x400)  /* its frame was taken by the change that is under way */
#define ENTRY_OURS UINT64_C(0x800) /* a table made here */

typedef struct entry {
    uint64_t bits;
} entry;

typedef struct table {
    entry entries[TABLE_ENTRIES];
} table;

MF_STATIC_ASSERT(sizeof(entry) == 8, "an entry is 8 bytes");
MF_STATIC_ASSERT(sizeof(table) == MF_PAGE_SIZE, "a table fills a frame");
MF_STATIC_ASSERT(MF_HUGE_LEAF_PAGES == TABLE_ENTRIES, "a huge leaf is as large as a table of leaves");

static unsigned char *bytes_at(const mf_bare_tables *tables, uint64_t frame) {
    return tables->frames->direct_map + frame;
}

static table *table_at(unsigned char *direct_map, uint64_t frame) {
    return (table *)(void *)(direct_map + frame);
}

static table *table_of(const mf_bare_tables *tables, entry e) {
    return table_at(tables->frames->direct_map, e.bits & ENTRY_FRAME);
}

static uint64_t frame_of(entry e) {
    return e.bits & ENTRY_FRAME;
}

static bool is_table(entry e, unsigned level) {
    return level > 1 && (e.bits & ENTRY_PRESENT) != 0 && (e.bits & ENTRY_HUGE) == 0;
}

static bool is_held(entry e) {
    return (e.bits & ENTRY_HELD) != 0;
}

/* Bytes that an entry of this level spans. */
static uint64_t span_of(unsigned level) {
    return UINT64_C(1) << (MF_PAGE_LOG2 + LEVEL_BITS * (level - 1));
}

static size_t index_of(uint64_t address, unsigned level) {
    return (size_t)(address >> (MF_PAGE_LOG2 + LEVEL_BITS * (level - 1))) & (TABLE_ENTRIES - 1);
}

static uint64_t last_byte(mf_bare_run run) {
    return run.start + run.pages * MF_PAGE_SIZE - 1;
}

/*
 * The walk (4.5.4):
 *
 *  63        48 47       39 38       30 29       21 20       12 11         0
 * | sign       | level 4   | level 3   | level 2   | level 1   | in the page |   4 KiB leaf
 * | sign       | level 4   | level 3   | level 2   | in the huge page        |   2 MiB leaf
 */
typedef struct way_end {
    entry *entry; /* the last on the way to an address: a leaf, or one that leads no further */
    unsigned level;
    uint64_t granted; /* the bits that all entries on the way have: what they grant together (4.6.1) */
} way_end;

static way_end walk(unsigned char *direct_map, uint64_t root, uint64_t address) {
    way_end at = {.granted = ~UINT64_C(0)};
    uint64_t frame = root;
    for (at.level = LEVELS;; at.level--) {
        at.entry = &table_at(direct_map, frame)->entries[index_of(address, at.level)];
        at.granted &= at.entry->bits;
        if (!is_table(*at.entry, at.level))
            return at;
        frame = frame_of(*at.entry);
    }
}

static way_end walk_to(const mf_bare_tables *tables, uint64_t address) {
    return walk(tables->frames->direct_map, tables->root, address);
}

/* ---- Taking frames ------------------------------------------------------------------------- */

/* The rights of a table are those of all leaves below it. */
static uint64_t table_bits(const mf_bare_tables *tables) {
    return ENTRY_PRESENT | ENTRY_WRITE | ENTRY_OURS | (tables->is_user ? ENTRY_USER : 0);
}

static uint64_t take_zeroed(const mf_bare_tables *tables) {
    uint64_t frame = tables->frames->take(tables->frames->context);
    if (frame != MF_NO_FRAME)
        memset(bytes_at(tables, frame), 0, MF_PAGE_SIZE);
    return frame;
}

/* A table below the empty entry. */
static bool make_table(const mf_bare_tables *tables, entry *e) {
    uint64_t frame = take_zeroed(tables);
    if (frame == MF_NO_FRAME)
        return false;
    e->bits = frame | table_bits(tables);
    return true;
}

static bool make_leaf(const mf_bare_tables *tables, entry *e) {
    uint64_t frame = take_zeroed(tables);
    if (frame == MF_NO_FRAME)
        return false;
    e->bits = frame | ENTRY_HELD | ENTRY_NEW;
    return true;
}

static bool make_huge_leaf(const mf_bare_tables *tables, entry *e) {
    const mf_frame_source *frames = tables->frames;
    uint64_t frame = frames->take_huge == NULL ? MF_NO_FRAME : frames->take_huge(frames->context);
    if (frame == MF_NO_FRAME)
        return false;
    memset(bytes_at(tables, frame), 0, (size_t)MF_HUGE_LEAF_PAGES * MF_PAGE_SIZE);
    e->bits = frame | ENTRY_HELD | ENTRY_NEW | ENTRY_HUGE;
    return true;
}

static void forget_elsewhere(const mf_bare_tables *tables, mf_bare_run run) {
    const mf_frame_source *frames = tables->frames;
    if (frames->forget != NULL)
        frames->forget(frames->context, run.start, run.pages);
}

/*
 * Instead of the huge leaf, a table of leaves of the same bytes and rights. A huge page is forgotten as a
 * whole by any address in it (4.10.4.1).
 */
static bool split(const mf_bare_tables *tables, entry *e, uint64_t address) {
    uint64_t frame = tables->frames->take(tables->frames->context);
    if (frame == MF_NO_FRAME)
        return false;
    entry *leaves = table_at(tables->frames->direct_map, frame)->entries;
    for (uint64_t i = 0; i < TABLE_ENTRIES; i++)
        leaves[i].bits = (e->bits & ~ENTRY_HUGE) + i * MF_PAGE_SIZE;
    bool was_present = (e->bits & ENTRY_PRESENT) != 0;
    e->bits = frame | table_bits(tables);
    if (was_present) {
        mf_cpu_forget_page(address);
        forget_elsewhere(tables, (mf_bare_run){address, 1});
    }
    return true;
}

static bool covers_entry(mf_bare_run run, uint64_t address, unsigned level) {
    uint64_t first = address & ~(span_of(level) - 1);
    return run.start <= first && first + (span_of(level) - 1) <= last_byte(run);
}

static uint64_t rights(const mf_bare_tables *tables, mf_perm perm) {
    uint64_t user = tables->is_user ? ENTRY_USER : 0;
    return perm == MF_PERM_NONE
               ? 0
               : ENTRY_PRESENT | ENTRY_NO_EXECUTE | user | (perm == MF_PERM_RW ? ENTRY_WRITE : 0);
}

static bool has_rights(const mf_bare_tables *tables, entry e, mf_perm perm) {
    uint64_t mask = ENTRY_PRESENT | ENTRY_WRITE | ENTRY_USER | ENTRY_NO_EXECUTE;
    return (e.bits & mask) == rights(tables, perm);
}

/* What pages are made ready for: one permission, or any that may come. */
typedef struct purpose {
    bool is_any;
    mf_perm perm;
} purpose;

/* A leaf that has the permission already may reach out of the run. */
static bool suits(const mf_bare_tables *tables, mf_bare_run run, uint64_t address, purpose purpose,
                  const way_end *at) {
    return at->level == 1 || covers_entry(run, address, at->level) ||
           (!purpose.is_any && has_rights(tables, *at->entry, purpose.perm));
}

/*
 * One step on the way to a leaf for `address`, which needs a frame unless it is for NONE; `at` is where the
 * way ends. Sets `is_there` when nothing is left to do.
 */
static bool extend_way(const mf_bare_tables *tables, mf_bare_run run, uint64_t address, purpose purpose,
                       const way_end *at, bool *is_there) {
    *is_there = true;
    if (is_held(*at->entry)) {
        *is_there = suits(tables, run, address, purpose, at);
        return *is_there || split(tables, at->entry, address);
    }
    if (!purpose.is_any && purpose.perm == MF_PERM_NONE)
        return true;
    if (at->level == 1)
        return make_leaf(tables, at->entry);
    if (at->level == HUGE_LEVEL && covers_entry(run, address, at->level) && make_huge_leaf(tables, at->entry))
        return true;
    *is_there = false;
    return make_table(tables, at->entry);
}

/* Every page of the run has a leaf of its own or is part of one inside the run, if it has or needs a frame.
 */
static bool hold(const mf_bare_tables *tables, mf_bare_run run, purpose purpose) {
    uint64_t address = run.start;
    uint64_t last = last_byte(run);
    for (;;) {
        way_end at = walk_to(tables, address);
        bool is_there;
        if (!extend_way(tables, run, address, purpose, &at, &is_there))
            return false;
        uint64_t entry_last = address | (span_of(at.level) - 1);
        if (is_there && entry_last >= last)
            return true;
        address = is_there ? entry_last + 1 : address;
    }
}

/* ---- Sweeping over leaves ------------------------------------------------------------------ */

/* What is done to the pages of `part` in the leaf `e`, which has a frame and spans span_of(level) bytes. */
typedef struct sweep sweep;
typedef bool leaf_step(sweep *sweep, entry *e, unsigned level, mf_bare_run part);

struct sweep {
    const mf_bare_tables *tables;
    leaf_step *step;
    mf_perm perm;
    bool frees_tables;
    mf_bare_run found;
    mf_bare_run stale; /* forgotten here, not yet elsewhere */
    entry unlinked;    /* the first of a chain of tables that are to be given back */
};

/* Elsewhere too, for pages that follow each other at once: interrupting another CPU is slow. */
static void forget_stale(sweep *sweep) {
    if (sweep->stale.pages != 0) {
        forget_elsewhere(sweep->tables, sweep->stale);
        sweep->stale.pages = 0;
    }
}

/* Pages of an entry that has changed; they come in ascending order, tables behind what was below them. */
static void forget(sweep *sweep, mf_bare_run part) {
    mf_cpu_forget_page(part.start);
    uint64_t stale_pages = (part.start - sweep->stale.start) / MF_PAGE_SIZE;
    if (stale_pages > sweep->stale.pages) {
        forget_stale(sweep);
        sweep->stale.start = part.start;
        stale_pages = 0;
    }
    uint64_t pages = stale_pages + part.pages;
    sweep->stale.pages = pages > sweep->stale.pages ? pages : sweep->stale.pages;
}

static bool is_empty(const table *t) {
    for (size_t i = 0; i < TABLE_ENTRIES; i++)
        if (t->entries[i].bits != 0)
            return false;
    return true;
}

/*
 * The table at `e`, if it is ours and empty, joins the chain; the entry that links it is not present. Cached
 * ways lead through it until it is forgotten, by any address below it (4.10.4.1).
 */
static void unlink_if_empty(sweep *sweep, entry *e, unsigned level, mf_bare_run part) {
    table *t = table_of(sweep->tables, *e);
    if (sweep->frees_tables && (e->bits & ENTRY_OURS) != 0 && is_empty(t)) {
        t->entries[0] = sweep->unlinked;
        sweep->unlinked.bits = frame_of(*e) | ENTRY_HELD;
        e->bits = 0;
        forget(sweep, (mf_bare_run){part.start, level == HUGE_LEVEL ? part.pages : 1});
    }
}

static void give_unlinked(sweep *sweep) {
    const mf_frame_source *frames = sweep->tables->frames;
    while (is_held(sweep->unlinked)) {
        entry first = sweep->unlinked;
        sweep->unlinked = table_of(sweep->tables, first)->entries[0];
        frames->give(frames->context, frame_of(first));
    }
}

/* The entries of one table for [start, last], and all below. False if a step was. */
static bool sweep_table(sweep *sweep, uint64_t frame, unsigned level, uint64_t start, uint64_t last) {
    table *t = table_at(sweep->tables->frames->direct_map, frame);
    for (uint64_t at = start;;) {
        entry *e = &t->entries[index_of(at, level)];
        uint64_t entry_last = at | (span_of(level) - 1);
        uint64_t part_last = entry_last < last ? entry_last : last;
        mf_bare_run part = {at, (part_last - at + 1) / MF_PAGE_SIZE};
        if (is_table(*e, level)) {
            if (!sweep_table(sweep, frame_of(*e), level - 1, at, part_last))
                return false;
            unlink_if_empty(sweep, e, level, part);
        } else if (is_held(*e) && !sweep->step(sweep, e, level, part)) {
            return false;
        }
        if (part_last == last)
            return true;
        at = part_last + 1;
    }
}

static bool sweep_run(sweep *sweep, mf_bare_run run) {
    bool is_done =
        run.pages == 0 || sweep_table(sweep, sweep->tables->root, LEVELS, run.start, last_byte(run));
    forget_stale(sweep);
    give_unlinked(sweep);
    return is_done;
}

/*
 * Entries that are not present are never cached (4.10.2.3), and what the CPU notes in an entry (4.8) is no
 * change. Of rights that are only added other CPUs need not be told: one that still faults forgets the page
 * by that (4.10.4.1), and its handler tries again.
 */
static bool set_step(sweep *sweep, entry *e, unsigned level, mf_bare_run part) {
    const mf_bare_tables *tables = sweep->tables;
    bool was_present = (e->bits & ENTRY_PRESENT) != 0;
    (void)level;
    if (was_present && has_rights(tables, *e, sweep->perm))
        return true;
    e->bits = (e->bits & (ENTRY_FRAME | ENTRY_HELD | ENTRY_HUGE)) | rights(tables, sweep->perm);
    if (was_present && sweep->perm == MF_PERM_RW)
        mf_cpu_forget_page(part.start);
    else if (was_present)
        forget(sweep, part);
    return true;
}

/* The leaf is not present, so no CPU has cached it. */
static bool give_step(sweep *sweep, entry *e, unsigned level, mf_bare_run part) {
    const mf_frame_source *frames = sweep->tables->frames;
    uint64_t frame = frame_of(*e);
    (void)part;
    e->bits = 0;
    for (uint64_t i = 0; i < span_of(level) / MF_PAGE_SIZE; i++)
        frames->give(frames->context, frame + i * MF_PAGE_SIZE);
    return true;
}

static bool undo_step(sweep *sweep, entry *e, unsigned level, mf_bare_run part) {
    return (e->bits & ENTRY_NEW) == 0 || give_step(sweep, e, level, part);
}

static bool is_part(unsigned level, mf_bare_run part) {
    return part.pages * MF_PAGE_SIZE < span_of(level);
}

static bool zero_step(sweep *sweep, entry *e, unsigned level, mf_bare_run part) {
    if ((e->bits & ENTRY_PRESENT) == 0 && !is_part(level, part))
        return give_step(sweep, e, level, part);
    uint64_t offset = part.start & (span_of(level) - 1);
    memset(bytes_at(sweep->tables, frame_of(*e)) + offset, 0, part.pages * MF_PAGE_SIZE);
    return true;
}

static bool find_step(sweep *sweep, entry *e, unsigned level, mf_bare_run part) {
    (void)e;
    (void)level;
    sweep->found = part;
    return false;
}

/* ---- The verbs ----------------------------------------------------------------------------- */

static bool hold_or_undo(const mf_bare_tables *tables, mf_bare_run run, purpose purpose) {
    if (!hold(tables, run, purpose)) {
        mf_bare_tables_unreserve(tables, run);
        return false;
    }
    return true;
}

bool mf_bare_tables_protect(const mf_bare_tables *tables, mf_bare_run run, mf_perm perm) {
    if (run.pages == 0)
        return true;
    if (!hold_or_undo(tables, run, (purpose){.perm = perm}))
        return false;
    sweep set = {.tables = tables, .step = set_step, .perm = perm};
    return sweep_run(&set, run);
}

bool mf_bare_tables_reserve(const mf_bare_tables *tables, mf_bare_run run) {
    return run.pages == 0 || hold_or_undo(tables, run, (purpose){.is_any = true});
}

void mf_bare_tables_unreserve(const mf_bare_tables *tables, mf_bare_run run) {
    sweep undo = {.tables = tables, .step = undo_step, .frees_tables = true};
    sweep_run(&undo, run);
}

bool mf_bare_tables_have(const mf_bare_tables *tables, mf_bare_run run, mf_perm perm) {
    uint64_t address = run.start;
    for (uint64_t left = run.pages; left > 0;) {
        way_end at = walk_to(tables, address);
        if (!has_rights(tables, *at.entry, perm))
            return false;
        uint64_t pages = (span_of(at.level) - (address & (span_of(at.level) - 1))) / MF_PAGE_SIZE;
        left -= pages < left ? pages : left;
        address += pages * MF_PAGE_SIZE;
    }
    return true;
}

bool mf_bare_tables_are_empty(const mf_bare_tables *tables, mf_bare_run run) {
    uint64_t last = last_byte(run);
    for (uint64_t address = run.start;;) {
        way_end at = walk_to(tables, address);
        uint64_t entry_last = address | (span_of(at.level) - 1);
        if (at.entry->bits != 0 || entry_last >= last)
            return at.entry->bits == 0;
        address = entry_last + 1;
    }
}

/*
 * Other CPUs may change the tables meanwhile. A table that is taken out is given back after every CPU has
 * forgotten it, so not before this one has left its fault handler.
 */
bool mf_bare_tables_allow(unsigned char *direct_map, uint64_t root, uint64_t address, mf_operation operation,
                          bool *is_user_page) {
    uint64_t needed = ENTRY_PRESENT | (operation == MF_STORE ? ENTRY_WRITE : 0);
    way_end at = walk(direct_map, root, address);
    if ((at.granted & needed) != needed)
        return false;
    *is_user_page = (at.granted & ENTRY_USER) != 0;
    return true;
}

void mf_bare_tables_zero(const mf_bare_tables *tables, mf_bare_run run) {
    sweep zero = {.tables = tables, .step = zero_step, .frees_tables = true};
    sweep_run(&zero, run);
}

void mf_bare_tables_clear(const mf_bare_tables *tables, mf_bare_run run) {
    sweep hide = {.tables = tables, .step = set_step, .perm = MF_PERM_NONE};
    sweep clear = {.tables = tables, .step = give_step, .frees_tables = true};
    sweep_run(&hide, run);
    sweep_run(&clear, run);
}

uint64_t mf_bare_tables_frame(const mf_bare_tables *tables, uint64_t address) {
    way_end at = walk_to(tables, address);
    uint64_t inside = address & (span_of(at.level) - 1) & ~(uint64_t)(MF_PAGE_SIZE - 1);
    return is_held(*at.entry) ? frame_of(*at.entry) + inside : MF_NO_FRAME;
}

bool mf_bare_tables_find(const mf_bare_tables *tables, mf_bare_run run, mf_bare_run *part) {
    sweep find = {.tables = tables, .step = find_step};
    bool has_none = sweep_run(&find, run);
    *part = find.found;
    return !has_none;
}
