/*
 * The exception tables of the process: for each instruction that may fault, its fixup.
 *
 * Each table is kept as a private copy with absolute addresses, sorted, which never changes. An index of all
 * tables, sorted by their lowest address, leads to them. Fault handlers read the published index without a
 * lock, so it does not change either: the next one is written into a spare buffer and published by exchanging
 * the two. Two buffers that are large enough make taking a table out possible without memory, so that
 * unregistering cannot fail.
 *
 * After the exchange readers may still be in the old buffer, which is now the spare one. So it is written,
 * and a table that only it leads to is freed, only after the registry has been drained.
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

typedef struct table {
    const mf_exception_entry *entries; /* what it was registered with: its identity */
    size_t registrations;
    size_t row_count;
    row rows[];
} table;

/*
 * `reach` is the highest fault address of this table and of all before it. Tables may interleave, so a lookup
 * goes back from the last table that begins at or below the address, until no table before reaches it.
 */
typedef struct slot {
    uintptr_t lowest;
    uintptr_t reach;
    table *table;
} slot;

typedef struct table_index {
    size_t count;
    slot slots[];
} table_index;

static _Atomic(table_index *) published;

/* Under the lock. Both buffers have room for `capacity` tables. */
static table_index *spare;
static bool spare_has_readers; /* it was published, and the registry has not been drained since */
static size_t capacity;

/* ---- Reading ------------------------------------------------------------------------------- */

/* The number of slots that begin at or below `pc`. */
static size_t slots_up_to(const table_index *all, uintptr_t pc) {
    size_t low = 0;
    size_t high = all->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (all->slots[middle].lowest <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uintptr_t find_in_table(const table *t, uintptr_t pc) {
    size_t low = 0;
    size_t high = t->row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->rows[middle].fault < pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low < t->row_count && t->rows[low].fault == pc ? t->rows[low].fixup : 0;
}

static uintptr_t find(const table_index *all, uintptr_t pc) {
    for (size_t i = slots_up_to(all, pc); i > 0 && all->slots[i - 1].reach >= pc; i--) {
        uintptr_t fixup = find_in_table(all->slots[i - 1].table, pc);
        if (fixup != 0)
            return fixup;
    }
    return 0;
}

uintptr_t mf_exception_table_lookup(uintptr_t host_pc) {
    epoch_reader self = registry_enter();
    const table_index *all = atomic_load(&published);
    uintptr_t fixup = all != NULL ? find(all, host_pc) : 0;
    registry_leave(self);
    return fixup;
}

/* ---- A table ------------------------------------------------------------------------------- */

static uintptr_t target_of(const int32_t *field) {
    return (uintptr_t)field + (uintptr_t)(intptr_t)*field;
}

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

static table *table_create(const mf_exception_entry *entries, size_t count) {
    bool fits = count <= (SIZE_MAX - sizeof(table)) / sizeof(row);
    table *t = fits ? os_allocate(sizeof *t + count * sizeof t->rows[0]) : NULL;
    if (t == NULL)
        return NULL;
    t->entries = entries;
    t->registrations = 1;
    t->row_count = count;
    for (size_t i = 0; i < count; i++)
        t->rows[i] = (row){target_of(&entries[i].fault), target_of(&entries[i].resume)};
    sort(t->rows, count);
    return t;
}

/* ---- Changing, under the lock -------------------------------------------------------------- */

static void append(table_index *all, table *t) {
    uintptr_t highest = t->rows[t->row_count - 1].fault;
    uintptr_t reach = all->count > 0 ? all->slots[all->count - 1].reach : 0;
    all->slots[all->count++] = (slot){t->rows[0].fault, highest > reach ? highest : reach, t};
}

/* Before the spare buffer is written or freed, or a table that it leads to. */
static void wait_for_readers(void) {
    if (spare_has_readers) {
        registry_drain();
        spare_has_readers = false;
    }
}

static void publish_spare(void) {
    spare = atomic_exchange(&published, spare);
    spare_has_readers = true;
}

static void publish_with(table *added) {
    const table_index *all = atomic_load(&published);
    size_t place = slots_up_to(all, added->rows[0].fault);
    wait_for_readers();
    spare->count = 0;
    for (size_t i = 0; i < place; i++)
        append(spare, all->slots[i].table);
    append(spare, added);
    for (size_t i = place; i < all->count; i++)
        append(spare, all->slots[i].table);
    publish_spare();
}

static void publish_without(const table *removed) {
    const table_index *all = atomic_load(&published);
    wait_for_readers();
    spare->count = 0;
    for (size_t i = 0; i < all->count; i++)
        if (all->slots[i].table != removed)
            append(spare, all->slots[i].table);
    publish_spare();
}

static table_index *index_create(size_t slot_count) {
    return os_allocate(sizeof(table_index) + slot_count * sizeof(slot));
}

/*
 * Both buffers have room for one table more than there are; false, and nothing changed, without memory. The
 * first new buffer takes over what is published, and when nobody reads the old ones any more they are freed.
 */
static bool make_room(void) {
    table_index *all = atomic_load(&published);
    size_t count = all != NULL ? all->count : 0;
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
    first->count = count;
    if (count > 0)
        memcpy(first->slots, all->slots, count * sizeof(slot));
    wait_for_readers();
    os_free(spare);
    spare = first;
    publish_spare();
    wait_for_readers();
    os_free(spare);
    spare = second;
    capacity = wanted;
    return true;
}

static table *find_table(const mf_exception_entry *entries) {
    const table_index *all = atomic_load(&published);
    for (size_t i = 0; all != NULL && i < all->count; i++)
        if (all->slots[i].table->entries == entries)
            return all->slots[i].table;
    return NULL;
}

static bool put_in_force(const mf_exception_entry *entries, size_t count) {
    table *known = find_table(entries);
    if (known != NULL) {
        known->registrations++;
        return true;
    }
    table *made = table_create(entries, count);
    if (made == NULL || !make_room()) {
        os_free(made);
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
void mf_exception_table_unregister(const mf_exception_entry *entries) {
    registry_lock();
    table *known = find_table(entries);
    if (known != NULL && --known->registrations == 0) {
        publish_without(known);
        wait_for_readers();
        os_free(known);
    }
    registry_unlock();
}

/* ---- Emitted objects ----------------------------------------------------------------------- */

void mf_rt_register_v2(const mf_exception_entry *begin, const mf_exception_entry *end) {
    size_t count = (size_t)(end - begin);
    if (mf_exception_table_register(begin, count, NULL) != MF_OK) {
        panic_values("no host memory for the exception table at ", (uint64_t)(uintptr_t)begin, " with ",
                     count, " entries");
    }
}

void mf_rt_unregister_v2(const mf_exception_entry *begin, const mf_exception_entry *end) {
    if (begin != end)
        mf_exception_table_unregister(begin);
}
