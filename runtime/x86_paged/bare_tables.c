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

static table *table_at(const mf_bare_tables *tables, uint64_t frame) {
    return (table *)(void *)bytes_at(tables, frame);
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

/* Everywhere, before a frame that the page or table had can be used for something else. */
static void forget_page(const mf_bare_tables *tables, uint64_t address) {
    const mf_frame_source *frames = tables->frames;
    mf_cpu_forget_page(address);
    if (frames->forget != NULL) {
        frames->forget(frames->context, address);
    }
}

/* The walk: the entry for `address` at `*level`, or above it where the way ends; then `*level` says where. */
static entry *find_entry(const mf_bare_tables *tables, uint64_t address, unsigned *level) {
    uint64_t frame = tables->root;
    for (unsigned at = LEVELS;; at--) {
        entry *e = &table_at(tables, frame)->entries[index_of(address, at)];
        if (at == *level || !is_table(*e, at)) {
            *level = at;
            return e;
        }
        frame = frame_of(*e);
    }
}

/* ---- Taking frames ------------------------------------------------------------------------- */

/* The rights of a table are those of all leaves below it. */
static uint64_t table_bits(const mf_bare_tables *tables) {
    return ENTRY_PRESENT | ENTRY_WRITE | ENTRY_OURS | (tables->is_user ? ENTRY_USER : 0);
}

static uint64_t take_zeroed(const mf_bare_tables *tables) {
    uint64_t frame = tables->frames->take(tables->frames->context);
    if (frame != MF_NO_FRAME) {
        memset(bytes_at(tables, frame), 0, MF_PAGE_SIZE);
    }
    return frame;
}

/* A table below the empty entry. */
static bool make_table(const mf_bare_tables *tables, entry *e) {
    uint64_t frame = take_zeroed(tables);
    if (frame == MF_NO_FRAME) {
        return false;
    }
    e->bits = frame | table_bits(tables);
    return true;
}

static bool make_leaf(const mf_bare_tables *tables, entry *e) {
    uint64_t frame = take_zeroed(tables);
    if (frame == MF_NO_FRAME) {
        return false;
    }
    e->bits = frame | ENTRY_HELD | ENTRY_NEW;
    return true;
}

static bool make_huge_leaf(const mf_bare_tables *tables, entry *e) {
    const mf_frame_source *frames = tables->frames;
    uint64_t frame = frames->take_huge == NULL ? MF_NO_FRAME : frames->take_huge(frames->context);
    if (frame == MF_NO_FRAME) {
        return false;
    }
    memset(bytes_at(tables, frame), 0, (size_t)MF_HUGE_LEAF_PAGES * MF_PAGE_SIZE);
    e->bits = frame | ENTRY_HELD | ENTRY_NEW | ENTRY_HUGE;
    return true;
}

/* Instead of the huge leaf, a table of leaves of the same bytes and rights. */
static bool split(const mf_bare_tables *tables, entry *e, uint64_t address) {
    uint64_t frame = tables->frames->take(tables->frames->context);
    if (frame == MF_NO_FRAME) {
        return false;
    }
    entry *leaves = table_at(tables, frame)->entries;
    for (uint64_t i = 0; i < TABLE_ENTRIES; i++) {
        leaves[i].bits = (e->bits & ~ENTRY_HUGE) + i * MF_PAGE_SIZE;
    }
    bool was_present = (e->bits & ENTRY_PRESENT) != 0;
    e->bits = frame | table_bits(tables);
    if (was_present) {
        forget_page(tables, address);
    }
    return true;
}

static bool covers_entry(mf_bare_run run, uint64_t address, unsigned level) {
    uint64_t first = address & ~(span_of(level) - 1);
    return run.start <= first && first + (span_of(level) - 1) <= last_byte(run);
}

/*
 * One step on the way to a leaf for `address`, which must have a frame if `needs_frame`. `*e` is where the
 * way ends, at `level`. Sets `is_there` when nothing is left to do.
 */
static bool extend_way(const mf_bare_tables *tables, mf_bare_run run, uint64_t address, bool needs_frame,
                       entry *e, unsigned level, bool *is_there) {
    *is_there = true;
    if (is_held(*e)) {
        bool is_whole = level == 1 || covers_entry(run, address, level);
        *is_there = is_whole;
        return is_whole || split(tables, e, address);
    }
    if (!needs_frame) {
        return true;
    }
    if (level == 1) {
        return make_leaf(tables, e);
    }
    if (level == HUGE_LEVEL && covers_entry(run, address, level) && make_huge_leaf(tables, e)) {
        return true;
    }
    *is_there = false;
    return make_table(tables, e);
}

/* Every page of the run has a leaf of its own or is part of one inside the run, if it has or needs a frame.
 */
static bool hold(const mf_bare_tables *tables, mf_bare_run run, bool needs_frame) {
    uint64_t address = run.start;
    uint64_t last = last_byte(run);
    for (;;) {
        unsigned level = 1;
        bool is_there;
        entry *e = find_entry(tables, address, &level);
        if (!extend_way(tables, run, address, needs_frame, e, level, &is_there)) {
            return false;
        }
        uint64_t entry_last = address | (span_of(level) - 1);
        if (is_there && entry_last >= last) {
            return true;
        }
        address = is_there ? entry_last + 1 : address;
    }
}

/* ---- Sweeping over leaves ------------------------------------------------------------------ */

/* What is done to the pages of `part` in the leaf `e`, which has a frame and spans span_of(level) bytes. */
typedef struct sweep sweep;
typedef bool leaf_step(const sweep *sweep, entry *e, unsigned level, mf_bare_run part);

struct sweep {
    const mf_bare_tables *tables;
    leaf_step *step;
    mf_perm perm;
    mf_bare_visit *visit;
    void *context;
    bool frees_tables;
};

static bool is_empty(const table *t) {
    for (size_t i = 0; i < TABLE_ENTRIES; i++) {
        if (t->entries[i].bits != 0) {
            return false;
        }
    }
    return true;
}

static void free_if_empty(const sweep *sweep, entry *e, uint64_t address) {
    const mf_frame_source *frames = sweep->tables->frames;
    uint64_t frame = frame_of(*e);
    if (sweep->frees_tables && (e->bits & ENTRY_OURS) != 0 && is_empty(table_at(sweep->tables, frame))) {
        e->bits = 0;
        forget_page(sweep->tables, address);
        frames->give(frames->context, frame);
    }
}

/* The entries of one table for [start, last], and all below. False if a step was. */
static bool sweep_table(const sweep *sweep, uint64_t frame, unsigned level, uint64_t start, uint64_t last) {
    for (uint64_t at = start;;) {
        entry *e = &table_at(sweep->tables, frame)->entries[index_of(at, level)];
        uint64_t entry_last = at | (span_of(level) - 1);
        uint64_t part_last = entry_last < last ? entry_last : last;
        mf_bare_run part = {at, (part_last - at + 1) / MF_PAGE_SIZE};
        if (is_table(*e, level)) {
            if (!sweep_table(sweep, frame_of(*e), level - 1, at, part_last)) {
                return false;
            }
            free_if_empty(sweep, e, at);
        } else if (is_held(*e) && !sweep->step(sweep, e, level, part)) {
            return false;
        }
        if (part_last == last) {
            return true;
        }
        at = part_last + 1;
    }
}

static bool sweep_run(const sweep *sweep, mf_bare_run run) {
    return run.pages == 0 || sweep_table(sweep, sweep->tables->root, LEVELS, run.start, last_byte(run));
}

/*
 * Rights that are added are forgotten, too: the CPU may fault by what it has cached (4.10.4.3), and the guest
 * would be blamed. Entries that are not present are never cached (4.10.2.3), and what the CPU notes in an
 * entry (4.8) is no change.
 */
static void change_entry(const mf_bare_tables *tables, entry *e, uint64_t bits, uint64_t address) {
    uint64_t noted = ENTRY_ACCESSED | ENTRY_DIRTY;
    uint64_t changed = (e->bits ^ bits) & ~noted;
    bool was_present = (e->bits & ENTRY_PRESENT) != 0;
    e->bits = bits;
    if (was_present && changed != 0) {
        forget_page(tables, address);
    }
}

static uint64_t rights(const mf_bare_tables *tables, mf_perm perm) {
    uint64_t user = tables->is_user ? ENTRY_USER : 0;
    return perm == MF_PERM_NONE
               ? 0
               : ENTRY_PRESENT | ENTRY_NO_EXECUTE | user | (perm == MF_PERM_RW ? ENTRY_WRITE : 0);
}

static bool set_step(const sweep *sweep, entry *e, unsigned level, mf_bare_run part) {
    (void)level;
    uint64_t kept = e->bits & (ENTRY_FRAME | ENTRY_HELD | ENTRY_HUGE);
    change_entry(sweep->tables, e, kept | rights(sweep->tables, sweep->perm), part.start);
    return true;
}

static void give_leaf(const mf_bare_tables *tables, entry *e, unsigned level, uint64_t address) {
    uint64_t frame = frame_of(*e);
    uint64_t count = span_of(level) / MF_PAGE_SIZE;
    change_entry(tables, e, 0, address);
    for (uint64_t i = 0; i < count; i++) {
        tables->frames->give(tables->frames->context, frame + i * MF_PAGE_SIZE);
    }
}

static bool undo_step(const sweep *sweep, entry *e, unsigned level, mf_bare_run part) {
    if ((e->bits & ENTRY_NEW) != 0) {
        give_leaf(sweep->tables, e, level, part.start);
    }
    return true;
}

static bool is_part(unsigned level, mf_bare_run part) {
    return part.pages * MF_PAGE_SIZE < span_of(level);
}

static bool zero_step(const sweep *sweep, entry *e, unsigned level, mf_bare_run part) {
    if ((e->bits & ENTRY_PRESENT) != 0 || is_part(level, part)) {
        uint64_t offset = part.start & (span_of(level) - 1);
        memset(bytes_at(sweep->tables, frame_of(*e)) + offset, 0, part.pages * MF_PAGE_SIZE);
    } else {
        give_leaf(sweep->tables, e, level, part.start);
    }
    return true;
}

static bool clear_step(const sweep *sweep, entry *e, unsigned level, mf_bare_run part) {
    give_leaf(sweep->tables, e, level, part.start);
    return true;
}

static bool visit_step(const sweep *sweep, entry *e, unsigned level, mf_bare_run part) {
    (void)e;
    (void)level;
    return sweep->visit(sweep->context, part);
}

/* ---- The verbs ----------------------------------------------------------------------------- */

bool mf_bare_tables_protect(const mf_bare_tables *tables, mf_bare_run run, mf_perm perm) {
    if (run.pages == 0) {
        return true;
    }
    if (!hold(tables, run, perm != MF_PERM_NONE)) {
        sweep undo = {.tables = tables, .step = undo_step, .frees_tables = true};
        sweep_run(&undo, run);
        return false;
    }
    sweep set = {.tables = tables, .step = set_step, .perm = perm};
    return sweep_run(&set, run);
}

bool mf_bare_tables_have(const mf_bare_tables *tables, mf_bare_run run, mf_perm perm) {
    uint64_t address = run.start;
    for (uint64_t left = run.pages; left > 0;) {
        unsigned level = 1;
        const entry *e = find_entry(tables, address, &level);
        uint64_t mask = ENTRY_PRESENT | ENTRY_WRITE | ENTRY_USER | ENTRY_NO_EXECUTE;
        if ((is_held(*e) ? e->bits & mask : 0) != rights(tables, perm)) {
            return false;
        }
        uint64_t pages = (span_of(level) - (address & (span_of(level) - 1))) / MF_PAGE_SIZE;
        left -= pages < left ? pages : left;
        address += pages * MF_PAGE_SIZE;
    }
    return true;
}

bool mf_bare_tables_are_empty(const mf_bare_tables *tables, mf_bare_run run) {
    uint64_t last = last_byte(run);
    for (uint64_t address = run.start;;) {
        unsigned level = 1;
        if (find_entry(tables, address, &level)->bits != 0) {
            return false;
        }
        uint64_t entry_last = address | (span_of(level) - 1);
        if (entry_last >= last) {
            return true;
        }
        address = entry_last + 1;
    }
}

/* The rights of a page are those that all entries on the way grant (4.6.1). */
bool mf_bare_tables_allow(unsigned char *direct_map, uint64_t root, uint64_t address, mf_operation operation,
                          bool *is_user_page) {
    uint64_t needed = ENTRY_PRESENT | (operation == MF_STORE ? ENTRY_WRITE : 0);
    uint64_t granted = ~UINT64_C(0);
    uint64_t frame = root;
    for (unsigned level = LEVELS;; level--) {
        entry e = ((const table *)(const void *)(direct_map + frame))->entries[index_of(address, level)];
        granted &= e.bits;
        if ((granted & needed) != needed) {
            return false;
        }
        if (!is_table(e, level)) {
            *is_user_page = (granted & ENTRY_USER) != 0;
            return true;
        }
        frame = frame_of(e);
    }
}

void mf_bare_tables_zero(const mf_bare_tables *tables, mf_bare_run run) {
    sweep zero = {.tables = tables, .step = zero_step, .frees_tables = true};
    sweep_run(&zero, run);
}

void mf_bare_tables_clear(const mf_bare_tables *tables, mf_bare_run run) {
    sweep clear = {.tables = tables, .step = clear_step, .frees_tables = true};
    sweep_run(&clear, run);
}

bool mf_bare_tables_visit(const mf_bare_tables *tables, mf_bare_run run, mf_bare_visit *visit,
                          void *context) {
    sweep visiting = {.tables = tables, .step = visit_step, .visit = visit, .context = context};
    return sweep_run(&visiting, run);
}
