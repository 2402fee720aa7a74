/*
 * Page tables. A change has two halves. First it populates: frames are taken, tables linked and leaves that
 * are too large split, which may fail and changes no permission. Then it sweeps over the leaves and sets
 * their rights, which cannot fail.
 *
 * TLBs and paging-structure caches know nothing of changes to memory. So a PTE that loses rights, moves or is
 * unlinked is followed by INVLPG on this CPU and by a shootdown on the others, and a frame is given back only
 * after that.
 *
 * Fault handlers keep promises meanwhile (touch.h), but none of pages that a change is about: those that sbrk
 * adds have no permission yet, and other changes exclude accesses.
 */
#include "x86_paged/bare/tables.h"
#include "x86_paged/bare/cpu.h"
#include "x86_paged/bare/pte.h"

#include <string.h>

MF_STATIC_ASSERT(HUGE_LEAF_PAGES == TABLE_ENTRIES, "a huge leaf is as large as a table of leaves");

static unsigned char *bytes_at(const page_tables *tables, uint64_t frame) {
    return tables->frames->direct_map + frame;
}

static table *table_of(const page_tables *tables, pte e) {
    return table_at(tables->frames->direct_map, frame_of(e));
}

static uint64_t last_byte(virtual_run run) {
    return run.start + run.pages * MF_PAGE_SIZE - 1;
}

static walk_end walk_to(const page_tables *tables, uint64_t address) {
    return walk(tables->frames->direct_map, tables->root, address);
}

static uint64_t user_bit(const page_tables *tables) {
    return tables->is_user ? PTE_USER : 0;
}

static bool covers_entry(virtual_run run, uint64_t address, unsigned level) {
    uint64_t first = address & ~(span_of(level) - 1);
    return run.start <= first && first + (span_of(level) - 1) <= last_byte(run);
}

/* ---- Entries ------------------------------------------------------------------------------- */

static bool is_leaf(pte e) {
    return has_frame(e) || is_promised(e);
}

/* Whether some TLB may have it (4.10.2.3). */
static bool is_cached(pte e) {
    return (e.bits & (PTE_PRESENT | PTE_BUSY)) != 0;
}

static uint64_t promise(const page_tables *tables, mf_perm perm) {
    uint64_t huge = tables->frames->take_huge != NULL ? PTE_HUGE : 0;
    uint64_t write = perm == MF_PERM_RW ? PTE_WRITE : 0;
    return perm == MF_PERM_NONE ? 0 : PTE_PROMISED | huge | user_bit(tables) | write;
}

/* A leaf with this frame, which is shared. */
static uint64_t shared_leaf(const page_tables *tables, uint64_t frame, mf_perm perm) {
    uint64_t rights = rights_of(perm, user_bit(tables));
    uint64_t copy = perm == MF_PERM_RW ? PTE_COPY : 0;
    return frame | PTE_HAS_FRAME | PTE_SHARED | (rights & ~PTE_WRITE) | copy;
}

/*
 * The leaf, or the entry of 0, with another permission. What the CPU has noted stays: other CPUs may keep
 * what they have cached when rights are added, and page_touch asks whether the page was accessed.
 */
static uint64_t with_perm(const page_tables *tables, pte e, mf_perm perm) {
    uint64_t noted = e.bits & (PTE_ACCESSED | PTE_DIRTY);
    if (!has_frame(e))
        return promise(tables, perm);
    if (is_shared(e))
        return shared_leaf(tables, frame_of(e), perm) | noted;
    return (e.bits & (PTE_FRAME | PTE_HAS_FRAME | PTE_HUGE)) | noted | rights_of(perm, user_bit(tables));
}

/* ---- Populating ------------------------------------------------------------------------------ */

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
    pte_write(e, frame | table_bits(user_bit(tables)));
    return true;
}

static bool make_leaf(const page_tables *tables, pte *e) {
    uint64_t frame = take_zeroed(tables);
    if (frame == NO_FRAME)
        return false;
    pte_write(e, frame | PTE_HAS_FRAME | PTE_NEW);
    return true;
}

static bool make_huge_leaf(const page_tables *tables, pte *e) {
    const frame_source *frames = tables->frames;
    uint64_t frame = frames->take_huge == NULL ? NO_FRAME : frames->take_huge(frames->context);
    if (frame == NO_FRAME)
        return false;
    memset(bytes_at(tables, frame), 0, (size_t)HUGE_LEAF_PAGES * MF_PAGE_SIZE);
    pte_write(e, frame | PTE_HAS_FRAME | PTE_NEW | PTE_HUGE);
    return true;
}

/* On every other CPU, and in every other PCID, nothing of these pages is cached any more. */
static void shootdown(const page_tables *tables, virtual_run run) {
    const frame_source *frames = tables->frames;
    if (frames->shootdown != NULL)
        frames->shootdown(frames->context, run.start, run.pages);
}

static void fill_with_leaves(table *t, pte huge) {
    for (uint64_t i = 0; i < TABLE_ENTRIES; i++)
        t->entries[i].bits = (huge.bits & ~PTE_HUGE) + i * MF_PAGE_SIZE;
}

/*
 * Instead of the huge leaf, or of the promise, a table of leaves of the same bytes and rights. The TLB may
 * hold the huge translation as a whole or in parts; INVLPG of any address in it invalidates all of it
 * (4.10.4.1). True also where a fault handler has been faster; then the walk ends elsewhere.
 */
static bool split(const page_tables *tables, const walk_end *at, uint64_t address) {
    uint64_t frame = tables->frames->take(tables->frames->context);
    if (frame == NO_FRAME)
        return false;
    if (has_frame(at->read))
        fill_with_leaves(table_at(tables->frames->direct_map, frame), at->read);
    else
        fill_with_promises(table_at(tables->frames->direct_map, frame), at->read);
    if (!pte_replace(at->pte, at->read, frame | table_bits(user_bit(tables)))) {
        tables->frames->give(tables->frames->context, frame);
        return true;
    }
    if (is_present(at->read)) {
        cpu_invlpg(address);
        shootdown(tables, (virtual_run){address, 1});
    }
    return true;
}

/* What pages are populated for: one permission, or any that may come. */
typedef struct purpose {
    bool is_any;
    bool is_small;  /* each page has an entry of its own */
    bool keeps_own; /* unless it has a frame of its own */
    mf_perm perm;
} purpose;

/*
 * Whether the leaf at the end of the walk can stay as it is. One that reaches out of the run can only if its
 * rights do not have to change.
 */
static bool suits(virtual_run run, uint64_t address, purpose purpose, const walk_end *at) {
    if (at->level == 1 || (purpose.keeps_own && is_own(at->read)))
        return true;
    return !purpose.is_small &&
           (covers_entry(run, address, at->level) || (!purpose.is_any && perm_of(at->read) == purpose.perm));
}

/* The same for an entry of 0 that is to be a promise. */
static bool suits_a_promise(virtual_run run, uint64_t address, purpose purpose, const walk_end *at) {
    return at->level == 1 ||
           (!purpose.is_small && at->level <= PROMISE_LEVEL_MAX && covers_entry(run, address, at->level));
}

/*
 * Makes the path to a leaf for `address` one level longer; `at` is where the walk ends now. The leaf gets a
 * frame, unless it is for NONE or for a promise. Sets `is_there` when the path is complete. False if frames
 * run out.
 */
static bool extend_path(const page_tables *tables, virtual_run run, uint64_t address, purpose purpose,
                        const walk_end *at, bool *is_there) {
    *is_there = true;
    if (is_leaf(at->read)) {
        *is_there = suits(run, address, purpose, at);
        return *is_there || split(tables, at, address);
    }
    if (!purpose.is_any && purpose.perm == MF_PERM_NONE)
        return true;
    if (tables->at_touch) {
        *is_there = suits_a_promise(run, address, purpose, at);
        return *is_there || make_table(tables, at->pte);
    }
    if (at->level == 1)
        return make_leaf(tables, at->pte);
    if (at->level == HUGE_LEVEL && covers_entry(run, address, at->level) && make_huge_leaf(tables, at->pte))
        return true;
    *is_there = false;
    return make_table(tables, at->pte);
}

/*
 * Afterwards every page of the run that has or needs a leaf has one, which lies inside the run or has the
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
        /* Where frames come later, all entries of a lowest table are there with one. */
        unsigned level = tables->at_touch && at.level == 1 ? HUGE_LEVEL : at.level;
        uint64_t entry_last = address | (span_of(level) - 1);
        if (is_there && entry_last >= last)
            return true;
        address = is_there ? entry_last + 1 : address;
    }
}

/* ---- Chains of frames ---------------------------------------------------------------------- */

/* No frame is there, and as an entry of a table it is not present, as the address of a frame is not. */
#define CHAIN_END UINT64_C(2)

/* A chain is the address of its first frame; each frame begins with that of the next one. */
static void push_frame(const page_tables *tables, uint64_t *chain, uint64_t frame) {
    memcpy(bytes_at(tables, frame), chain, sizeof *chain);
    *chain = frame;
}

static uint64_t pop_frame(const page_tables *tables, uint64_t *chain) {
    uint64_t frame = *chain;
    memcpy(chain, bytes_at(tables, frame), sizeof *chain);
    return frame;
}

static void give_chain(const page_tables *tables, uint64_t chain) {
    while (chain != CHAIN_END)
        tables->frames->give(tables->frames->context, pop_frame(tables, &chain));
}

/* All of them or none. */
static bool take_chain(const page_tables *tables, uint64_t count, uint64_t *chain) {
    *chain = CHAIN_END;
    for (; count > 0; count--) {
        uint64_t frame = tables->frames->take(tables->frames->context);
        if (frame == NO_FRAME) {
            give_chain(tables, *chain);
            return false;
        }
        push_frame(tables, chain, frame);
    }
    return true;
}

/* ---- Sweeping over leaves ------------------------------------------------------------------ */

/*
 * A sweep visits the leaves of a run, in ascending order. A step is what it does with one leaf, or with the
 * pages `part` of a leaf that reaches out of the run. False ends the sweep.
 */
typedef struct sweep sweep;
typedef bool leaf_step(sweep *sweep, pte *e, unsigned level, virtual_run part);

/* Which leaves: those whose bits under the mask are these; all zero: all. */
typedef struct leaf_filter {
    uint64_t mask;
    uint64_t bits;
} leaf_filter;

static leaf_filter filter_of(frame_kind kind) {
    switch (kind) {
    case FRAME_ANY:
        break;
    case FRAME_OWN:
        return (leaf_filter){PTE_HAS_FRAME | PTE_SHARED, PTE_HAS_FRAME};
    case FRAME_DIRTY:
        return (leaf_filter){PTE_HAS_FRAME | PTE_SHARED | PTE_DIRTY, PTE_HAS_FRAME | PTE_DIRTY};
    }
    return (leaf_filter){PTE_HAS_FRAME, PTE_HAS_FRAME};
}

struct sweep {
    const page_tables *tables;
    leaf_step *step;
    mf_perm perm;
    bool frees_tables;
    bool visits_empty; /* entries of 0 as well, where a promise may be */
    leaf_filter filter;
    const page_source *source;
    frame_run found;
    uint64_t count;
    uint64_t count_most;
    uint64_t spare;      /* a chain for pages that need frames */
    uint64_t going;      /* a chain that is given back when nobody can use it any more */
    virtual_run pending; /* invalidated on this CPU, the shootdown is still to come */
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

/* All entries are 0, or the same promise. */
static bool is_uniform(const table *t) {
    pte first = t->entries[0];
    for (size_t i = 1; i < TABLE_ENTRIES; i++)
        if (t->entries[i].bits != first.bits)
            return false;
    return first.bits == 0 || is_promised(first);
}

/* What the entry can be instead of a table like this one: promises are made for what is all of these tables'.
 */
static bool can_be_folded(const sweep *sweep, const table *t, unsigned level, uint64_t address) {
    return is_uniform(t) && (t->entries[0].bits == 0 || (level <= PROMISE_LEVEL_MAX &&
                                                         covers_entry(sweep->tables->whole, address, level)));
}

/*
 * The table at `e`, if it was made here and has nothing to say, is unlinked and joins the chain, whose link
 * in it is not present. Paging-structure caches may still lead through it until INVLPG and the shootdown of
 * any address below it (4.10.4.1); so it is given back behind them. A walk that comes meanwhile finds nothing
 * present.
 */
static void fold_table(sweep *sweep, pte *e, unsigned level, virtual_run part) {
    table *t = table_of(sweep->tables, *e);
    if (!sweep->frees_tables || (e->bits & PTE_OURS) == 0 || !can_be_folded(sweep, t, level, part.start))
        return;
    uint64_t frame = frame_of(*e);
    pte_write(e, t->entries[0].bits);
    push_frame(sweep->tables, &sweep->going, frame);
    invalidate(sweep, (virtual_run){part.start, level == HUGE_LEVEL ? part.pages : 1});
}

static bool is_visited(const sweep *sweep, pte e, unsigned level) {
    if ((e.bits & sweep->filter.mask) != sweep->filter.bits)
        return false;
    return is_leaf(e) || (sweep->visits_empty && e.bits == 0 && level <= PROMISE_LEVEL_MAX);
}

/*
 * The first page from `at` on whose entry of this lowest table is visited, or what lies behind `last`. Most
 * entries are not, where little was touched.
 */
static uint64_t skip_entries(const sweep *sweep, const table *t, uint64_t at, uint64_t last) {
    const pte *first = &t->entries[index_of(at, 1)];
    const pte *end = &t->entries[index_of(last, 1)] + 1;
    const pte *e = first;
    while (e < end && !is_visited(sweep, pte_read(e), 1))
        e++;
    return at + (uint64_t)(e - first) * MF_PAGE_SIZE;
}

static bool sweep_table(sweep *sweep, uint64_t frame, unsigned level, uint64_t start, uint64_t last);

/* One entry, and all below. */
static bool sweep_entry(sweep *sweep, pte *e, unsigned level, virtual_run part) {
    pte read = pte_read(e);
    if (!is_table(read, level))
        return !is_visited(sweep, read, level) || sweep->step(sweep, e, level, part);
    if (!sweep_table(sweep, frame_of(read), level - 1, part.start, last_byte(part)))
        return false;
    fold_table(sweep, e, level, part);
    return true;
}

/* The PTEs of one table for [start, last], and all below. False if a step was. */
static bool sweep_table(sweep *sweep, uint64_t frame, unsigned level, uint64_t start, uint64_t last) {
    table *t = table_at(sweep->tables->frames->direct_map, frame);
    for (uint64_t at = start; at - 1 != last;) {
        at = level == 1 ? skip_entries(sweep, t, at, last) : at;
        if (at - 1 == last)
            break;
        uint64_t entry_last = at | (span_of(level) - 1);
        uint64_t part_last = entry_last < last ? entry_last : last;
        virtual_run part = {at, (part_last - at + 1) / MF_PAGE_SIZE};
        if (!sweep_entry(sweep, &t->entries[index_of(at, level)], level, part))
            return false;
        at = part_last + 1;
    }
    return true;
}

static bool sweep_run(sweep *sweep, virtual_run run) {
    sweep->going = CHAIN_END;
    bool is_done =
        run.pages == 0 || sweep_table(sweep, sweep->tables->root, LEVELS, run.start, last_byte(run));
    send_shootdown(sweep);
    give_chain(sweep->tables, sweep->going);
    return is_done;
}

/* ---- Steps --------------------------------------------------------------------------------- */

/*
 * A PTE that was not present is cached nowhere (4.10.2.3). One that has the rights already is left alone,
 * whatever the CPU has set of accessed and dirty (4.8). Rights that are only added need no shootdown: a CPU
 * that faults by what it had cached drops that with the fault (4.10.4.1), and its handler tries the access
 * again.
 */
static bool set_step(sweep *sweep, pte *e, unsigned level, virtual_run part) {
    (void)level;
    pte before;
    do {
        before = pte_read(e);
        if (is_present(before) && perm_of(before) == sweep->perm)
            return true;
    } while (!pte_replace(e, before, with_perm(sweep->tables, before, sweep->perm)));
    if (is_cached(before) && sweep->perm == MF_PERM_RW)
        cpu_invlpg(part.start);
    else if (is_cached(before))
        invalidate(sweep, part);
    return true;
}

static uint64_t pages_of_leaf(unsigned level) {
    return span_of(level) / MF_PAGE_SIZE;
}

static bool is_part(unsigned level, virtual_run part) {
    return part.pages < pages_of_leaf(level);
}

/* The leaf is not present, and if it ever was the shootdown is done: no TLB has it. */
static bool give_step(sweep *sweep, pte *e, unsigned level, virtual_run part) {
    const frame_source *frames = sweep->tables->frames;
    pte before = *e;
    (void)part;
    pte_write(e, 0);
    for (uint64_t i = 0; is_own(before) && i < pages_of_leaf(level); i++)
        frames->give(frames->context, frame_of(before) + i * MF_PAGE_SIZE);
    return true;
}

static bool undo_step(sweep *sweep, pte *e, unsigned level, virtual_run part) {
    return (e->bits & PTE_NEW) == 0 || give_step(sweep, e, level, part);
}

static unsigned char *bytes_of_part(const sweep *sweep, pte e, unsigned level, virtual_run part) {
    return bytes_at(sweep->tables, frame_of(e)) + (part.start & (span_of(level) - 1));
}

static bool zero_step(sweep *sweep, pte *e, unsigned level, virtual_run part) {
    pte before = pte_read(e);
    if (is_promised(before))
        return true;
    if (perm_of(before) == MF_PERM_NONE && !is_part(level, part))
        return give_step(sweep, e, level, part);
    if (is_own(before)) {
        memset(bytes_of_part(sweep, before, level, part), 0, part.pages * MF_PAGE_SIZE);
        pte_write(e, before.bits | PTE_DIRTY);
        return true;
    }
    pte_write(e, promise(sweep->tables, perm_of(before)));
    invalidate(sweep, part);
    return true;
}

/* The page could not be accessed, so no TLB has it. */
static bool renew_step(sweep *sweep, pte *e, unsigned level, virtual_run part) {
    pte before = *e;
    if (is_own(before) && !sweep->tables->at_touch) {
        memset(bytes_of_part(sweep, before, level, part), 0, part.pages * MF_PAGE_SIZE);
        pte_write(e, with_perm(sweep->tables, before, MF_PERM_RW));
        return true;
    }
    pte_write(e, promise(sweep->tables, MF_PERM_RW));
    for (uint64_t i = 0; is_own(before) && i < pages_of_leaf(level); i++)
        push_frame(sweep->tables, &sweep->going, frame_of(before) + i * MF_PAGE_SIZE);
    return true;
}

static bool count_missing_step(sweep *sweep, pte *e, unsigned level, virtual_run part) {
    (void)level;
    sweep->count += is_own(*e) ? 0 : part.pages;
    return true;
}

/* False if there are too many. */
static bool count_step(sweep *sweep, pte *e, unsigned level, virtual_run part) {
    (void)e;
    (void)level;
    sweep->count += part.pages;
    return sweep->count <= sweep->count_most;
}

/* One of the frames that were taken for this. */
static bool populate_step(sweep *sweep, pte *e, unsigned level, virtual_run part) {
    const page_tables *tables = sweep->tables;
    pte before = pte_read(e);
    (void)level;
    if (is_own(before))
        return true;
    uint64_t frame = pop_frame(tables, &sweep->spare);
    if (is_shared(before))
        memcpy(bytes_at(tables, frame), bytes_at(tables, frame_of(before)), MF_PAGE_SIZE);
    else
        memset(bytes_at(tables, frame), 0, MF_PAGE_SIZE);
    pte_write(e, frame | PTE_HAS_FRAME | rights_of(perm_of(before), user_bit(tables)));
    if (is_cached(before))
        invalidate(sweep, part);
    return true;
}

static bool find_step(sweep *sweep, pte *e, unsigned level, virtual_run part) {
    uint64_t offset = part.start & (span_of(level) - 1);
    sweep->found = (frame_run){part, frame_of(*e) + offset};
    return false;
}

/* The page as it is with no frame of its own. A huge leaf has no page that the source shares. */
static uint64_t without_own(const sweep *sweep, pte e, unsigned level, uint64_t address) {
    const page_source *source = sweep->source;
    uint64_t frame = level == 1 ? source->share(source->context, address) : NO_FRAME;
    return frame == NO_FRAME ? promise(sweep->tables, perm_of(e))
                             : shared_leaf(sweep->tables, frame, perm_of(e));
}

static bool share_step(sweep *sweep, pte *e, unsigned level, virtual_run part) {
    if (!has_frame(*e))
        pte_write(e, without_own(sweep, *e, level, part.start));
    return true;
}

static bool retire_step(sweep *sweep, pte *e, unsigned level, virtual_run part) {
    pte before = *e;
    pte_write(e, without_own(sweep, before, level, part.start));
    if (is_present(before))
        invalidate(sweep, part);
    for (uint64_t i = 0; i < pages_of_leaf(level); i++)
        push_frame(sweep->tables, &sweep->going, frame_of(before) + i * MF_PAGE_SIZE);
    return true;
}

/* A CPU that had the page cached as dirty would not note the next store to it. */
static bool refill_step(sweep *sweep, pte *e, unsigned level, virtual_run part) {
    bool is_dirty = (e->bits & PTE_DIRTY) != 0;
    unsigned char *bytes = bytes_of_part(sweep, *e, level, part);
    for (uint64_t i = 0; i < part.pages; i++)
        sweep->source->fill(sweep->source->context, part.start + i * MF_PAGE_SIZE, bytes + i * MF_PAGE_SIZE);
    pte_write(e, e->bits & ~(PTE_NEW | (is_part(level, part) ? 0 : PTE_DIRTY)));
    if (is_dirty && is_present(*e))
        invalidate(sweep, part);
    return true;
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
    bool promises = tables->at_touch && perm != MF_PERM_NONE;
    sweep set = {.tables = tables, .step = set_step, .perm = perm, .visits_empty = promises};
    return sweep_run(&set, run);
}

bool page_tables_reserve(const page_tables *tables, virtual_run run) {
    return run.pages == 0 || populate_or_undo(tables, run, (purpose){.is_any = true});
}

bool page_tables_reserve_small(const page_tables *tables, virtual_run run) {
    purpose purpose = {.is_any = true, .is_small = true};
    return run.pages == 0 || populate_or_undo(tables, run, purpose);
}

void page_tables_unreserve(const page_tables *tables, virtual_run run) {
    sweep undo = {.tables = tables, .step = undo_step, .frees_tables = true};
    sweep_run(&undo, run);
}

/* The frames are taken before the first page changes. */
static bool populate_small(const page_tables *tables, virtual_run run) {
    sweep count = {.tables = tables, .step = count_missing_step, .visits_empty = true};
    sweep_run(&count, run);
    sweep fill = {.tables = tables, .step = populate_step, .visits_empty = true};
    if (!take_chain(tables, count.count, &fill.spare)) {
        page_tables_unreserve(tables, run);
        return false;
    }
    return sweep_run(&fill, run);
}

bool page_tables_populate(const page_tables *tables, virtual_run run) {
    purpose purpose = {.is_any = true, .is_small = tables->at_touch, .keeps_own = true};
    return run.pages == 0 ||
           (populate_or_undo(tables, run, purpose) && (!tables->at_touch || populate_small(tables, run)));
}

void page_tables_share(const page_tables *tables, virtual_run run, const page_source *source) {
    sweep share = {.tables = tables, .step = share_step, .source = source, .visits_empty = true};
    sweep_run(&share, run);
}

bool page_tables_have(const page_tables *tables, virtual_run run, mf_perm perm) {
    uint64_t address = run.start;
    for (uint64_t left = run.pages; left > 0;) {
        walk_end at = walk_to(tables, address);
        if (perm_of(at.read) != perm)
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
        if (at.read.bits != 0 || entry_last >= last)
            return at.read.bits == 0;
        address = entry_last + 1;
    }
}

void page_tables_zero(const page_tables *tables, virtual_run run, bool keeps_tables) {
    sweep zero = {.tables = tables, .step = zero_step, .frees_tables = !keeps_tables};
    sweep_run(&zero, run);
}

bool page_tables_renew(const page_tables *tables, virtual_run run) {
    if (!page_tables_reserve(tables, run))
        return false;
    sweep renew = {.tables = tables, .step = renew_step, .visits_empty = true};
    return sweep_run(&renew, run);
}

void page_tables_clear(const page_tables *tables, virtual_run run) {
    sweep hide = {.tables = tables, .step = set_step, .perm = MF_PERM_NONE, .filter = filter_of(FRAME_ANY)};
    sweep clear = {.tables = tables, .step = give_step, .frees_tables = true};
    sweep_run(&hide, run);
    sweep_run(&clear, run);
}

uint64_t page_tables_frame(const page_tables *tables, uint64_t address) {
    walk_end at = walk_to(tables, address);
    uint64_t inside = address & (span_of(at.level) - 1) & ~(uint64_t)(MF_PAGE_SIZE - 1);
    return has_frame(at.read) ? frame_of(at.read) + inside : NO_FRAME;
}

bool page_tables_find(const page_tables *tables, virtual_run run, frame_kind kind, frame_run *part) {
    sweep find = {.tables = tables, .step = find_step, .filter = filter_of(kind)};
    bool has_none = sweep_run(&find, run);
    *part = find.found;
    return !has_none;
}

bool page_tables_shares(const page_tables *tables, uint64_t address) {
    return is_shared(walk_to(tables, address).read);
}

void page_tables_restore(const page_tables *tables, virtual_run run, const page_source *source,
                         bool only_dirty, uint64_t keep_most) {
    sweep count = {
        .tables = tables, .step = count_step, .filter = filter_of(FRAME_OWN), .count_most = keep_most};
    bool keeps_frames = source->share == NULL || sweep_run(&count, run);
    sweep restore = {
        .tables = tables,
        .step = keeps_frames ? refill_step : retire_step,
        .source = source,
        .filter = filter_of(keeps_frames && only_dirty ? FRAME_DIRTY : FRAME_OWN),
    };
    sweep_run(&restore, run);
}

void page_tables_write(const page_tables *tables, uint64_t address, const void *bytes, size_t count) {
    walk_end at = walk_to(tables, address);
    unsigned char *to = bytes_at(tables, frame_of(at.read)) + (address & (span_of(at.level) - 1));
    memcpy(to, bytes, count);
    pte_write(at.pte, at.read.bits | PTE_DIRTY);
}
