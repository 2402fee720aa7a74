/*
 * The exception tables of the process: for each instruction that may fault, its fixup.
 *
 * Each table is kept as a private copy with absolute addresses, sorted, which does not change while it is in
 * force. An index of all tables, sorted by their lowest address, leads to them. Fault handlers read the
 * published index as registry.h says: the next one is written into a spare buffer and published by exchanging
 * the two, and tables and buffers that are no longer used are kept for the next ones. Two buffers that are
 * large enough make taking a table out possible without memory, so that unregistering cannot fail.
 *
 * The entries of an emitted object are also found without having been registered, through a note in the
 * object: before its constructors have run and after its destructors.
 */
#include <memfold/exception_table.h>

#include "os.h"
#include "panic_impl.h"
#include "registry.h"

#include <stdatomic.h>
#include <string.h>

typedef struct row {
    uintptr_t fault;
    uintptr_t fixup;
} row;

typedef struct shared_row {
    _Atomic(uintptr_t) fault;
    _Atomic(uintptr_t) fixup;
} shared_row;

/* Readers read the rows and their count; the rest is under the lock. */
typedef struct table {
    const mf_exception_entry *entries; /* what it was registered with: its identity */
    size_t registrations;              /* 0: its object has ended */
    struct table *next_unused;
    size_t capacity;
    atomic_size_t row_count;
    shared_row rows[];
} table;

/*
 * `reach` is the highest fault address of this table and of all before it. Tables may interleave, so a lookup
 * goes back from the last table that begins at or below the address, until no table before reaches it.
 */
typedef struct slot {
    _Atomic(uintptr_t) lowest;
    _Atomic(uintptr_t) reach;
    _Atomic(table *) table;
} slot;

typedef struct table_index {
    struct table_index *outgrown; /* the smaller one that this one has replaced */
    atomic_size_t count;
    slot slots[];
} table_index;

static _Atomic(table_index *) published;

/* Under the lock. Both buffers have room for `capacity` tables. */
static table_index *spare;
static size_t capacity;
static table *unused_tables;
static table_index *outgrown;

/* ---- Reading ------------------------------------------------------------------------------- */

/* The number of slots that begin at or below `pc`. */
static size_t slots_up_to(const table_index *all, uintptr_t pc) {
    size_t low = 0;
    size_t high = atomic_load(&all->count);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (atomic_load(&all->slots[middle].lowest) <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uintptr_t find_in_table(const table *t, uintptr_t pc) {
    size_t count = atomic_load(&t->row_count);
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (atomic_load(&t->rows[middle].fault) < pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && atomic_load(&t->rows[low].fault) == pc ? atomic_load(&t->rows[low].fixup) : 0;
}

static uintptr_t find(const table_index *all, uintptr_t pc) {
    for (size_t i = slots_up_to(all, pc); i > 0 && atomic_load(&all->slots[i - 1].reach) >= pc; i--) {
        uintptr_t fixup = find_in_table(atomic_load(&all->slots[i - 1].table), pc);
        if (fixup != 0)
            return fixup;
    }
    return 0;
}

static uintptr_t find_registered(uintptr_t pc) {
    uintptr_t fixup;
    unsigned long version;
    do {
        version = registry_version();
        const table_index *all = atomic_load(&published);
        fixup = all != NULL ? find(all, pc) : 0;
    } while (registry_has_changed(version));
    return fixup;
}

static uintptr_t target_of(const int32_t *field) {
    return (uintptr_t)field + (uintptr_t)(intptr_t)*field;
}

/* The entries of the object that has loaded `pc`. */
static const mf_exception_entry *entries_of_object(uintptr_t pc, const mf_exception_entry **end) {
    const char *note =
        os_find_note(pc, MF_EXCEPTION_NOTE_NAME, MF_EXCEPTION_NOTE_TYPE, sizeof(mf_exception_note));
    mf_exception_note bounds;
    if (note == NULL)
        return NULL;
    memcpy(&bounds, note, sizeof bounds);
    *end = (const void *)((uintptr_t)note + offsetof(mf_exception_note, end) + (uintptr_t)bounds.end);
    return (const void *)((uintptr_t)note + offsetof(mf_exception_note, begin) + (uintptr_t)bounds.begin);
}

/* From one end to the other, because an object's entries are in no order. */
static uintptr_t find_in_object(uintptr_t pc) {
    const mf_exception_entry *end = NULL;
    const mf_exception_entry *at = entries_of_object(pc, &end);
    while (at != end && target_of(&at->fault) != pc)
        at++;
    return at != end ? target_of(&at->resume) : 0;
}

uintptr_t mf_exception_table_lookup(uintptr_t host_pc) {
    uintptr_t fixup = find_registered(host_pc);
    return fixup != 0 ? fixup : find_in_object(host_pc);
}

/* ---- A table ------------------------------------------------------------------------------- */

/* Heapsort: no memory, no recursion, and no library that a freestanding host lacks. */
static void sift_down(row *rows, size_t root, size_t count) {
    const row moved = rows[root];
    for (size_t child = 2 * root + 1; child < count; child = 2 * root + 1) {
        if (child + 1 < count && rows[child + 1].fault > rows[child].fault)
            child++;
        if (rows[child].fault <= moved.fault)
            break;
        rows[root] = rows[child];
        root = child;
    }
    rows[root] = moved;
}

static void sort(row *rows, size_t count) {
    for (size_t root = count / 2; root > 0; root--)
        sift_down(rows, root - 1, count);
    for (size_t rest = count; rest > 1; rest--) {
        row last = rows[rest - 1];
        rows[rest - 1] = rows[0];
        rows[0] = last;
        sift_down(rows, 0, rest - 1);
    }
}

/* One that is not in use and large enough, but not so large that it would be missed elsewhere. */
static table *table_take(size_t count) {
    table **at = &unused_tables;
    while (*at != NULL && ((*at)->capacity < count || (*at)->capacity > 2 * count))
        at = &(*at)->next_unused;
    table *taken = *at;
    if (taken != NULL) {
        *at = taken->next_unused;
        return taken;
    }
    taken = os_allocate(sizeof *taken + count * sizeof taken->rows[0]);
    if (taken != NULL)
        taken->capacity = count;
    return taken;
}

static void table_give(table *t) {
    t->next_unused = unused_tables;
    unused_tables = t;
}

static table *table_create(const mf_exception_entry *entries, size_t count) {
    bool fits = count <= (SIZE_MAX - sizeof(table)) / sizeof(row);
    row *rows = fits ? os_allocate(count * sizeof *rows) : NULL;
    table *t = rows != NULL ? table_take(count) : NULL;
    if (t != NULL) {
        for (size_t i = 0; i < count; i++)
            rows[i] = (row){target_of(&entries[i].fault), target_of(&entries[i].resume)};
        sort(rows, count);
        t->entries = entries;
        t->registrations = 1;
        atomic_store(&t->row_count, count);
        for (size_t i = 0; i < count; i++) {
            atomic_store(&t->rows[i].fault, rows[i].fault);
            atomic_store(&t->rows[i].fixup, rows[i].fixup);
        }
    }
    os_free(rows);
    return t;
}

static uintptr_t lowest_of(const table *t) {
    return atomic_load(&t->rows[0].fault);
}

static uintptr_t highest_of(const table *t) {
    return atomic_load(&t->rows[atomic_load(&t->row_count) - 1].fault);
}

/* ---- Changing, under the lock and inside a change ------------------------------------------ */

static size_t count_of(const table_index *all) {
    return all != NULL ? atomic_load(&all->count) : 0;
}

static table *table_at(const table_index *all, size_t i) {
    return atomic_load(&all->slots[i].table);
}

static void append(table_index *all, table *t) {
    size_t count = atomic_load(&all->count);
    uintptr_t highest = highest_of(t);
    uintptr_t reach = count > 0 ? atomic_load(&all->slots[count - 1].reach) : 0;
    atomic_store(&all->slots[count].lowest, lowest_of(t));
    atomic_store(&all->slots[count].reach, highest > reach ? highest : reach);
    atomic_store(&all->slots[count].table, t);
    atomic_store(&all->count, count + 1);
}

static bool overlap(const table *a, const table *b) {
    return lowest_of(a) <= highest_of(b) && lowest_of(b) <= highest_of(a);
}

/* The object of `old` has ended and was unloaded, because `added` is in its place or speaks of code there. */
static bool is_replaced(const table *old, const table *added) {
    return old->registrations == 0 && (old->entries == added->entries || overlap(old, added));
}

static void publish_with(table *added) {
    const table_index *all = atomic_load(&published);
    bool is_in = false;
    atomic_store(&spare->count, 0);
    for (size_t i = 0; i < count_of(all); i++) {
        if (!is_in && lowest_of(table_at(all, i)) > lowest_of(added)) {
            append(spare, added);
            is_in = true;
        }
        if (!is_replaced(table_at(all, i), added))
            append(spare, table_at(all, i));
    }
    if (!is_in)
        append(spare, added);
    spare = atomic_exchange(&published, spare);
    for (size_t i = 0; i < count_of(spare); i++)
        if (is_replaced(table_at(spare, i), added))
            table_give(table_at(spare, i));
}

static void publish_without(table *removed) {
    const table_index *all = atomic_load(&published);
    atomic_store(&spare->count, 0);
    for (size_t i = 0; i < count_of(all); i++)
        if (table_at(all, i) != removed)
            append(spare, table_at(all, i));
    spare = atomic_exchange(&published, spare);
    table_give(removed);
}

static table_index *index_create(size_t slot_count) {
    return os_allocate(sizeof(table_index) + slot_count * sizeof(slot));
}

static void keep_outgrown(table_index *all) {
    if (all != NULL) {
        all->outgrown = outgrown;
        outgrown = all;
    }
}

/*
 * Both buffers have room for one table more than there are; false, and nothing changed, without memory.
 * Readers may still be in the smaller ones, which are kept; each is half as large as the next.
 */
static bool make_room(void) {
    table_index *all = atomic_load(&published);
    size_t count = count_of(all);
    if (count < capacity)
        return true;
    size_t wanted = 2 * count + 8;
    table_index *first = index_create(wanted);
    table_index *second = index_create(wanted);
    if (first == NULL || second == NULL) {
        os_free(first);
        os_free(second);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        append(first, table_at(all, i));
    keep_outgrown(atomic_exchange(&published, first));
    keep_outgrown(spare);
    spare = second;
    capacity = wanted;
    return true;
}

static table *find_table(const mf_exception_entry *entries) {
    const table_index *all = atomic_load(&published);
    for (size_t i = 0; i < count_of(all); i++)
        if (table_at(all, i)->entries == entries)
            return table_at(all, i);
    return NULL;
}

static bool put_in_force(const mf_exception_entry *entries, size_t count) {
    table *known = find_table(entries);
    if (known != NULL && known->registrations > 0) {
        known->registrations++;
        return true;
    }
    registry_change();
    table *made = table_create(entries, count);
    if (made == NULL)
        return false;
    if (!make_room()) {
        table_give(made);
        return false;
    }
    publish_with(made);
    return true;
}

mf_status mf_exception_table_register(const mf_exception_entry *entries, size_t count, mf_diag *diag) {
    if (count == 0)
        return MF_OK;
    registry_lock();
    bool done = put_in_force(entries, count);
    registry_unlock();
    return done ? MF_OK : mf_diag_set(diag, MF_OUT_OF_MEMORY, count, "no host memory for an exception table");
}

/* A table that is not there was registered with no entries. */
static void unregister(const mf_exception_entry *entries, bool is_kept) {
    registry_lock();
    table *known = find_table(entries);
    if (known != NULL && known->registrations > 0 && --known->registrations == 0 && !is_kept) {
        registry_change();
        publish_without(known);
    }
    registry_unlock();
}

void mf_exception_table_unregister(const mf_exception_entry *entries) {
    unregister(entries, false);
}

/* ---- Emitted objects ----------------------------------------------------------------------- */

void mf_rt_register_v3(const mf_exception_entry *begin, const mf_exception_entry *end) {
    size_t count = (size_t)(end - begin);
    if (mf_exception_table_register(begin, count, NULL) != MF_OK) {
        panic_values("no host memory for the exception table at ", (uint64_t)(uintptr_t)begin, " with ",
                     count, " entries");
    }
}

/*
 * The object ends alone, when it is unloaded, or with the process, and then other threads may still be in its
 * code. So its entries stay in force for as long as the code is there: the object's note leads to them, or
 * else the table is kept until another one is registered in its place.
 */
void mf_rt_unregister_v3(const mf_exception_entry *begin, const mf_exception_entry *end) {
    const mf_exception_entry *found_end = NULL;
    if (begin == end)
        return;
    bool has_note = entries_of_object(target_of(&begin->fault), &found_end) == begin;
    unregister(begin, os_code_outlives_its_end() && !has_note);
}
