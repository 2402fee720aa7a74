/*
 * Page tables. A change has two halves. First it populates: frames are taken, tables linked and huge leaves
 * split, which may fail and changes no permission. Then it sweeps over the leaves and sets their rights,
 * which cannot fail.
 *
 * TLBs and paging-structure caches know nothing of changes to memory. So a PTE that loses rights, moves or is
 * unlinked is followed by INVLPG on this CPU and by a shootdown on the others, and a frame is given back only
 * after that.
 */
#include "x86_paged/bare/tables.h"
#include "x86_paged/bare/cpu.h"

#include <stddef.h>
#include <string.h>

#define LEVELS 4
#define LEVEL_BITS 9
#define TABLE_ENTRIES (1u << LEVEL_BITS)
#define HUGE_LEVEL 2

/*
 * Intel SDM volume 3A, tables 4-15 to 4-20. The CPU ignores bits 9 to 11, and in a PTE that is not present
 * all bits but bit 0: that is where a page without permission keeps its frame.
 */
#define PTE_PRESENT UINT64_C(0x1)
#define PTE_WRITE UINT64_C(0x2)
#define PTE_USER UINT64_C(0x4)
#define PTE_ACCESSED UINT64_C(0x20)
#define PTE_DIRTY UINT64_C(0x40)
#define PTE_HUGE UINT64_C(0x80) /* PS: at level 2, a leaf */
#define PTE_FRAME UINT64_C(0x000ffffffffff000)
#define PTE_NX (UINT64_C(1) << 63)
#define PTE_HAS_FRAME UINT64_C(0x200) /* a leaf with a frame, present or not */
#define PTE_NEW UINT64_C(0x400)       /* its frame was taken by the change that is under way */
#define PTE_OURS UINT64_C(0x800)      /* leads to a table made here, not by the kernel */

/* An entry of a table of any level. The manual keeps the word PTE for level 1. */
typedef struct pte {
    uint64_t bits;
} pte;

typedef struct table {
    pte entries[TABLE_ENTRIES];
} table;

MF_STATIC_ASSERT(sizeof(pte) == 8, "a PTE is 8 bytes");
MF_STATIC_ASSERT(sizeof(table) == MF_PAGE_SIZE, "a table fills a frame");
MF_STATIC_ASSERT(HUGE_LEAF_PAGES == TABLE_ENTRIES, "a huge leaf is as large as a table of leaves");

static unsigned char *bytes_at(const page_tables *tables, uint64_t frame) {
    return tables->frames->direct_map + frame;
}

static table *table_at(unsigned char *direct_map, uint64_t frame) {
    return (table *)(void *)(direct_map + frame);
}

static table *table_of(const page_tables *tables, pte e) {
    return table_at(tables->frames->direct_map, e.bits & PTE_FRAME);
}

static uint64_t frame_of(pte e) {
    return e.bits & PTE_FRAME;
}

static bool is_table(pte e, unsigned level) {
    return level > 1 && (e.bits & PTE_PRESENT) != 0 && (e.bits & PTE_HUGE) == 0;
}

static bool has_frame(pte e) {
    return (e.bits & PTE_HAS_FRAME) != 0;
}

/* Bytes that a PTE of this level spans. */
static uint64_t span_of(unsigned level) {
    return UINT64_C(1) << (MF_PAGE_LOG2 + LEVEL_BITS * (level - 1));
}

static size_t index_of(uint64_t address, unsigned level) {
    return (size_t)(address >> (MF_PAGE_LOG2 + LEVEL_BITS * (level - 1))) & (TABLE_ENTRIES - 1);
}

static uint64_t last_byte(virtual_run run) {
    return run.start + run.pages * MF_PAGE_SIZE - 1;
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
    unsigned level;
    uint64_t granted; /* the bits that all PTEs of the walk have: a right counts if each grants it (4.6.1) */
} walk_end;

static walk_end walk(unsigned char *direct_map, uint64_t root, uint64_t address) {
    walk_end at = {.granted = ~UINT64_C(0)};
    uint64_t frame = root;
    for (at.level = LEVELS;; at.level--) {
        at.pte = &table_at(direct_map, frame)->entries[index_of(address, at.level)];
        at.granted &= at.pte->bits;
        if (!is_table(*at.pte, at.level))
            return at;
        frame = frame_of(*at.pte);
    }
}

static walk_end walk_to(const page_tables *tables, uint64_t address) {
    return walk(tables->frames->direct_map, tables->root, address);
}

/* ---- Populating ------------------------------------------------------------------------------ */

/* Leaves decide about rights, so a PTE that leads to a table grants all that they may. */
static uint64_t table_bits(const page_tables *tables) {
    return PTE_PRESENT | PTE_WRITE | PTE_OURS | (tables->is_user ? PTE_USER : 0);
}

static uint64_t take_zeroed(const page_tables *tables) {
    uint64_t frame = tables->frames->take(tables->frames->context);
    if (frame != NO_FRAME)
        memset(bytes_at(tables, frame), 0, MF_PAGE_SIZE);
    return frame;
}

/* An empty table below the empty PTE. */
static bool make_table(const page_tables *tables, pte *e) {
    uint64_t frame = take_zeroed(tables);
    if (frame == NO_FRAME)
        return false;
    e->bits = frame | table_bits(tables);
    return true;
}

static bool make_leaf(const page_tables *tables, pte *e) {
    uint64_t frame = take_zeroed(tables);
    if (frame == NO_FRAME)
        return false;
    e->bits = frame | PTE_HAS_FRAME | PTE_NEW;
    return true;
}

static bool make_huge_leaf(const page_tables *tables, pte *e) {
    const frame_source *frames = tables->frames;
    uint64_t frame = frames->take_huge == NULL ? NO_FRAME : frames->take_huge(frames->context);
    if (frame == NO_FRAME)
        return false;
    memset(bytes_at(tables, frame), 0, (size_t)HUGE_LEAF_PAGES * MF_PAGE_SIZE);
    e->bits = frame | PTE_HAS_FRAME | PTE_NEW | PTE_HUGE;
    return true;
}

/* On every other CPU, and in every other PCID, nothing of these pages is cached any more. */
static void shootdown(const page_tables *tables, virtual_run run) {
    const frame_source *frames = tables->frames;
    if (frames->shootdown != NULL)
        frames->shootdown(frames->context, run.start, run.pages);
}

/*
 * Instead of the huge leaf, a table of leaves of the same bytes and rights. The TLB may hold the huge
 * translation as a whole or in parts; INVLPG of any address in it invalidates all of it (4.10.4.1).
 */
static bool split(const page_tables *tables, pte *e, uint64_t address) {
    uint64_t frame = tables->frames->take(tables->frames->context);
    if (frame == NO_FRAME)
        return false;
    pte *leaves = table_at(tables->frames->direct_map, frame)->entries;
    for (uint64_t i = 0; i < TABLE_ENTRIES; i++)
        leaves[i].bits = (e->bits & ~PTE_HUGE) + i * MF_PAGE_SIZE;
    bool was_present = (e->bits & PTE_PRESENT) != 0;
    e->bits = frame | table_bits(tables);
    if (was_present) {
        cpu_invlpg(address);
        shootdown(tables, (virtual_run){address, 1});
    }
    return true;
}

static bool covers_entry(virtual_run run, uint64_t address, unsigned level) {
    uint64_t first = address & ~(span_of(level) - 1);
    return run.start <= first && first + (span_of(level) - 1) <= last_byte(run);
}

static uint64_t rights(const page_tables *tables, mf_perm perm) {
    uint64_t user = tables->is_user ? PTE_USER : 0;
    return perm == MF_PERM_NONE ? 0 : PTE_PRESENT | PTE_NX | user | (perm == MF_PERM_RW ? PTE_WRITE : 0);
}

static bool has_rights(const page_tables *tables, pte e, mf_perm perm) {
    uint64_t mask = PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_NX;
    return (e.bits & mask) == rights(tables, perm);
}

/* What pages are populated for: one permission, or any that may come. */
typedef struct purpose {
    bool is_any;
    mf_perm perm;
} purpose;

/*
 * Whether the leaf at the end of the walk can stay as it is. A huge one that reaches out of the run can only
 * if its rights do not have to change.
 */
static bool suits(const page_tables *tables, virtual_run run, uint64_t address, purpose purpose,
                  const walk_end *at) {
    return at->level == 1 || covers_entry(run, address, at->level) ||
           (!purpose.is_any && has_rights(tables, *at->pte, purpose.perm));
}

/*
 * Makes the path to a leaf for `address` one level longer; `at` is where the walk ends now. The leaf gets a
 * frame, unless it is for NONE. Sets `is_there` when the path is complete. False if frames run out.
 */
static bool extend_path(const page_tables *tables, virtual_run run, uint64_t address, purpose purpose,
                        const walk_end *at, bool *is_there) {
    *is_there = true;
    if (has_frame(*at->pte)) {
        *is_there = suits(tables, run, address, purpose, at);
        return *is_there || split(tables, at->pte, address);
    }
    if (!purpose.is_any && purpose.perm == MF_PERM_NONE)
        return true;
    if (at->level == 1)
        return make_leaf(tables, at->pte);
    if (at->level == HUGE_LEVEL && covers_entry(run, address, at->level) && make_huge_leaf(tables, at->pte))
        return true;
    *is_there = false;
    return make_table(tables, at->pte);
}

/*
 * Afterwards every page of the run that has or needs a frame has a leaf, which lies inside the run or has the
 * right permission. False if frames run out.
 */
static bool populate(const page_tables *tables, virtual_run run, purpose purpose) {
    uint64_t address = run.start;
    uint64_t last = last_byte(run);
    for (;;) {
        walk_end at = walk_to(tables, address);
        bool is_there;
        if (!extend_path(tables, run, address, purpose, &at, &is_there))
            return false;
        uint64_t entry_last = address | (span_of(at.level) - 1);
        if (is_there && entry_last >= last)
            return true;
        address = is_there ? entry_last + 1 : address;
    }
}

/* ---- Sweeping over leaves ------------------------------------------------------------------ */

/*
 * A sweep visits the leaves of a run that have a frame, in ascending order. A step is what it does with one
 * leaf, or with the pages `part` of a leaf that reaches out of the run. False ends the sweep.
 */
typedef struct sweep sweep;
typedef bool leaf_step(sweep *sweep, pte *e, unsigned level, virtual_run part);

struct sweep {
    const page_tables *tables;
    leaf_step *step;
    mf_perm perm;
    bool frees_tables;
    virtual_run found;
    virtual_run pending; /* invalidated on this CPU, the shootdown is still to come */
    pte unlinked;        /* the first of a chain of tables that are to be given back */
};

/* One shootdown for all pages that follow each other, because interrupting another CPU is slow. */
static void send_shootdown(sweep *sweep) {
    if (sweep->pending.pages != 0) {
        shootdown(sweep->tables, sweep->pending);
        sweep->pending.pages = 0;
    }
}

/*
 * The PTE of these pages has changed: INVLPG now, and the shootdown with that of the pages before if they
 * touch. Pages come in ascending order, and those of an unlinked table after what was below it, so they may
 * repeat the last ones.
 */
static void invalidate(sweep *sweep, virtual_run part) {
    cpu_invlpg(part.start);
    uint64_t pending_pages = (part.start - sweep->pending.start) / MF_PAGE_SIZE;
    if (pending_pages > sweep->pending.pages) {
        send_shootdown(sweep);
        sweep->pending.start = part.start;
        pending_pages = 0;
    }
    uint64_t pages = pending_pages + part.pages;
    sweep->pending.pages = pages > sweep->pending.pages ? pages : sweep->pending.pages;
}

static bool is_empty(const table *t) {
    for (size_t i = 0; i < TABLE_ENTRIES; i++)
        if (t->entries[i].bits != 0)
            return false;
    return true;
}

/*
 * The table at `e`, if it was made here and is empty, is unlinked and joins the chain, whose link in it is
 * not present. Paging-structure caches may still lead through it until INVLPG and the shootdown of any
 * address below it (4.10.4.1); so it is given back behind them. A walk that comes meanwhile finds nothing
 * present.
 */
static void unlink_if_empty(sweep *sweep, pte *e, unsigned level, virtual_run part) {
    table *t = table_of(sweep->tables, *e);
    if (sweep->frees_tables && (e->bits & PTE_OURS) != 0 && is_empty(t)) {
        t->entries[0] = sweep->unlinked;
        sweep->unlinked.bits = frame_of(*e) | PTE_HAS_FRAME;
        e->bits = 0;
        invalidate(sweep, (virtual_run){part.start, level == HUGE_LEVEL ? part.pages : 1});
    }
}

static void give_unlinked(sweep *sweep) {
    const frame_source *frames = sweep->tables->frames;
    while (has_frame(sweep->unlinked)) {
        pte first = sweep->unlinked;
        sweep->unlinked = table_of(sweep->tables, first)->entries[0];
        frames->give(frames->context, frame_of(first));
    }
}

/* The PTEs of one table for [start, last], and all below. False if a step was. */
static bool sweep_table(sweep *sweep, uint64_t frame, unsigned level, uint64_t start, uint64_t last) {
    table *t = table_at(sweep->tables->frames->direct_map, frame);
    for (uint64_t at = start;;) {
        pte *e = &t->entries[index_of(at, level)];
        uint64_t entry_last = at | (span_of(level) - 1);
        uint64_t part_last = entry_last < last ? entry_last : last;
        virtual_run part = {at, (part_last - at + 1) / MF_PAGE_SIZE};
        if (is_table(*e, level)) {
            if (!sweep_table(sweep, frame_of(*e), level - 1, at, part_last))
                return false;
            unlink_if_empty(sweep, e, level, part);
        } else if (has_frame(*e) && !sweep->step(sweep, e, level, part)) {
            return false;
        }
        if (part_last == last)
            return true;
        at = part_last + 1;
    }
}

static bool sweep_run(sweep *sweep, virtual_run run) {
    bool is_done =
        run.pages == 0 || sweep_table(sweep, sweep->tables->root, LEVELS, run.start, last_byte(run));
    send_shootdown(sweep);
    give_unlinked(sweep);
    return is_done;
}

/*
 * A PTE that was not present is cached nowhere (4.10.2.3). One that has the rights already is left alone,
 * whatever the CPU has set of accessed and dirty (4.8). Rights that are only added need no shootdown: a CPU
 * that faults by what it had cached drops that with the fault (4.10.4.1), and its handler tries the access
 * again.
 */
static bool set_step(sweep *sweep, pte *e, unsigned level, virtual_run part) {
    const page_tables *tables = sweep->tables;
    bool was_present = (e->bits & PTE_PRESENT) != 0;
    (void)level;
    if (was_present && has_rights(tables, *e, sweep->perm))
        return true;
    e->bits = (e->bits & (PTE_FRAME | PTE_HAS_FRAME | PTE_HUGE)) | rights(tables, sweep->perm);
    if (was_present && sweep->perm == MF_PERM_RW)
        cpu_invlpg(part.start);
    else if (was_present)
        invalidate(sweep, part);
    return true;
}

/* The leaf is not present, and if it ever was the shootdown is done: no TLB has it. */
static bool give_step(sweep *sweep, pte *e, unsigned level, virtual_run part) {
    const frame_source *frames = sweep->tables->frames;
    uint64_t frame = frame_of(*e);
    (void)part;
    e->bits = 0;
    for (uint64_t i = 0; i < span_of(level) / MF_PAGE_SIZE; i++)
        frames->give(frames->context, frame + i * MF_PAGE_SIZE);
    return true;
}

static bool undo_step(sweep *sweep, pte *e, unsigned level, virtual_run part) {
    return (e->bits & PTE_NEW) == 0 || give_step(sweep, e, level, part);
}

static bool is_part(unsigned level, virtual_run part) {
    return part.pages * MF_PAGE_SIZE < span_of(level);
}

static bool zero_step(sweep *sweep, pte *e, unsigned level, virtual_run part) {
    if ((e->bits & PTE_PRESENT) == 0 && !is_part(level, part))
        return give_step(sweep, e, level, part);
    uint64_t offset = part.start & (span_of(level) - 1);
    memset(bytes_at(sweep->tables, frame_of(*e)) + offset, 0, part.pages * MF_PAGE_SIZE);
    return true;
}

static bool find_step(sweep *sweep, pte *e, unsigned level, virtual_run part) {
    (void)e;
    (void)level;
    sweep->found = part;
    return false;
}

/* ---- The verbs ----------------------------------------------------------------------------- */

static bool populate_or_undo(const page_tables *tables, virtual_run run, purpose purpose) {
    if (!populate(tables, run, purpose)) {
        page_tables_unreserve(tables, run);
        return false;
    }
    return true;
}

bool page_tables_protect(const page_tables *tables, virtual_run run, mf_perm perm) {
    if (run.pages == 0)
        return true;
    if (!populate_or_undo(tables, run, (purpose){.perm = perm}))
        return false;
    sweep set = {.tables = tables, .step = set_step, .perm = perm};
    return sweep_run(&set, run);
}

bool page_tables_reserve(const page_tables *tables, virtual_run run) {
    return run.pages == 0 || populate_or_undo(tables, run, (purpose){.is_any = true});
}

void page_tables_unreserve(const page_tables *tables, virtual_run run) {
    sweep undo = {.tables = tables, .step = undo_step, .frees_tables = true};
    sweep_run(&undo, run);
}

bool page_tables_have(const page_tables *tables, virtual_run run, mf_perm perm) {
    uint64_t address = run.start;
    for (uint64_t left = run.pages; left > 0;) {
        walk_end at = walk_to(tables, address);
        if (!has_rights(tables, *at.pte, perm))
            return false;
        uint64_t pages = (span_of(at.level) - (address & (span_of(at.level) - 1))) / MF_PAGE_SIZE;
        left -= pages < left ? pages : left;
        address += pages * MF_PAGE_SIZE;
    }
    return true;
}

bool page_tables_are_empty(const page_tables *tables, virtual_run run) {
    uint64_t last = last_byte(run);
    for (uint64_t address = run.start;;) {
        walk_end at = walk_to(tables, address);
        uint64_t entry_last = address | (span_of(at.level) - 1);
        if (at.pte->bits != 0 || entry_last >= last)
            return at.pte->bits == 0;
        address = entry_last + 1;
    }
}

/*
 * Other CPUs may change the tables meanwhile, and the walk takes no lock. It never reads a frame that was
 * given back: an unlinked table is given back after a shootdown, which returns only when this CPU has left
 * its fault handler.
 */
bool page_tables_allow(unsigned char *direct_map, uint64_t root, uint64_t address, mf_operation operation,
                       bool *is_user_page) {
    uint64_t needed = PTE_PRESENT | (operation == MF_STORE ? PTE_WRITE : 0);
    walk_end at = walk(direct_map, root, address);
    if ((at.granted & needed) != needed)
        return false;
    *is_user_page = (at.granted & PTE_USER) != 0;
    return true;
}

void page_tables_zero(const page_tables *tables, virtual_run run) {
    sweep zero = {.tables = tables, .step = zero_step, .frees_tables = true};
    sweep_run(&zero, run);
}

void page_tables_clear(const page_tables *tables, virtual_run run) {
    sweep hide = {.tables = tables, .step = set_step, .perm = MF_PERM_NONE};
    sweep clear = {.tables = tables, .step = give_step, .frees_tables = true};
    sweep_run(&hide, run);
    sweep_run(&clear, run);
}

uint64_t page_tables_frame(const page_tables *tables, uint64_t address) {
    walk_end at = walk_to(tables, address);
    uint64_t inside = address & (span_of(at.level) - 1) & ~(uint64_t)(MF_PAGE_SIZE - 1);
    return has_frame(*at.pte) ? frame_of(*at.pte) + inside : NO_FRAME;
}

bool page_tables_find(const page_tables *tables, virtual_run run, virtual_run *part) {
    sweep find = {.tables = tables, .step = find_step};
    bool has_none = sweep_run(&find, run);
    *part = find.found;
    return !has_none;
}
