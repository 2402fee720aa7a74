#include "reference.h"

#include <stdlib.h>
#include <string.h>

#define BOUNDS_END_UNKNOWN UINT64_MAX

static void *must_have(void *storage) {
    if (storage == NULL)
        abort();
    return storage;
}

static uint64_t page_of(uint64_t index) {
    return index / MF_PAGE_SIZE;
}

static uint64_t round_up_to_page(uint64_t index) {
    return (index + MF_PAGE_SIZE - 1) / MF_PAGE_SIZE * MF_PAGE_SIZE;
}

/* ---- State ---------------------------------------------------------------------------------- */

static void state_init(reference_state *state) {
    *state = (reference_state){
        .perms = must_have(calloc(MF_SPACE_PAGES, 1)),
        .table = must_have(calloc(MF_SPACE_PAGES, sizeof(reference_page *))),
    };
}

static void state_fini(reference_state *state) {
    for (size_t i = 0; i < state->page_count; i++)
        free(state->pages[i]);
    free(state->pages);
    free(state->table);
    free(state->perms);
}

static reference_page *state_page(reference_state *state, uint32_t number) {
    if (state->table[number] != NULL)
        return state->table[number];
    if (state->page_count == state->page_capacity) {
        state->page_capacity = 2 * state->page_capacity + 16;
        state->pages = must_have(realloc(state->pages, state->page_capacity * sizeof(reference_page *)));
    }
    reference_page *page = must_have(calloc(1, sizeof *page));
    page->number = number;
    state->pages[state->page_count++] = page;
    state->table[number] = page;
    return page;
}

/* Pages that only `to` has stay listed, as zeros: they are still worth comparing. */
static void state_copy(reference_state *to, const reference_state *from) {
    memcpy(to->perms, from->perms, MF_SPACE_PAGES);
    to->heap_top = from->heap_top;
    for (size_t i = 0; i < to->page_count; i++)
        memset(to->pages[i]->bytes, 0, MF_PAGE_SIZE);
    for (size_t i = 0; i < from->page_count; i++)
        memcpy(state_page(to, from->pages[i]->number)->bytes, from->pages[i]->bytes, MF_PAGE_SIZE);
}

/* ---- Life ----------------------------------------------------------------------------------- */

reference *reference_create(mf_heap heap) {
    reference *r = must_have(calloc(1, sizeof *r));
    state_init(&r->now);
    state_init(&r->created);
    r->heap = heap;
    r->bounds_end = BOUNDS_END_UNKNOWN;
    r->now.heap_top = heap.base;
    r->created.heap_top = heap.base;
    return r;
}

void reference_destroy(reference *r) {
    if (r == NULL)
        return;
    state_fini(&r->now);
    state_fini(&r->created);
    free(r);
}

void reference_seal(reference *r) {
    state_copy(&r->created, &r->now);
}

reference *reference_clone(const reference *r) {
    reference *clone = reference_create(r->heap);
    clone->empty_range = r->empty_range;
    state_copy(&clone->now, &r->now);
    state_copy(&clone->created, &r->created);
    return clone;
}

/* ---- Single bytes ---------------------------------------------------------------------------- */

static mf_perm perm_at(const reference *r, uint64_t index) {
    return index < MF_SPACE_BYTES ? (mf_perm)r->now.perms[page_of(index)] : MF_PERM_NONE;
}

bool reference_byte_allows(const reference *r, uint64_t index, mf_operation operation) {
    mf_perm perm = perm_at(r, index);
    return operation == MF_LOAD ? perm == MF_PERM_RO || perm == MF_PERM_RW : perm == MF_PERM_RW;
}

unsigned char reference_peek(const reference *r, uint64_t index) {
    const reference_page *page = r->now.table[page_of(index)];
    return page == NULL ? 0 : page->bytes[index % MF_PAGE_SIZE];
}

void reference_poke(reference *r, uint64_t index, unsigned char byte) {
    state_page(&r->now, (uint32_t)page_of(index))->bytes[index % MF_PAGE_SIZE] = byte;
}

/* ---- Checks ---------------------------------------------------------------------------------- */

uint64_t reference_end_for(const reference *r, mf_operation operation) {
    uint64_t end = reference_len(r);
    while (end > 0 && !reference_byte_allows(r, end - 1, operation))
        end -= MF_PAGE_SIZE;
    return end;
}

/* Writes the fault of the lowest byte that may not be touched, or returns true. */
static bool check_by_permission(const reference *r, uint64_t index, uint64_t length, mf_operation operation,
                                mf_fault *fault) {
    bool is_checked_empty = length == 0 && r->empty_range == MF_EMPTY_WITHIN;
    if (is_checked_empty && index > reference_end_for(r, operation)) {
        *fault = (mf_fault){MF_PAGE_FAULT, operation, page_of(index) * MF_PAGE_SIZE, index, 0};
        return false;
    }
    for (uint64_t offset = 0; offset < length; offset++) {
        uint64_t i = index + offset;
        if (reference_byte_allows(r, i, operation))
            continue;
        bool is_protected = operation == MF_STORE && perm_at(r, i) == MF_PERM_RO;
        *fault = (mf_fault){
            .kind = is_protected ? MF_WRITE_PROTECTED : MF_PAGE_FAULT,
            .operation = operation,
            .page = page_of(i) * MF_PAGE_SIZE,
            .address = index,
            .length = length,
        };
        return false;
    }
    return true;
}

static bool check_by_bounds(reference *r, uint64_t index, uint64_t length, mf_operation operation,
                            mf_fault *fault) {
    uint64_t end = reference_bounds_end(r);
    for (uint64_t i = index; i < index + length; i++) {
        if (i < end)
            continue;
        *fault = (mf_fault){MF_PAGE_FAULT, operation, page_of(i) * MF_PAGE_SIZE, index, length};
        return false;
    }
    return true;
}

static bool check_access(reference *r, mf_policy policy, uint64_t index, uint32_t width_bytes,
                         mf_operation operation) {
    if (policy == MF_POLICY_NONE)
        return true;
    if (policy == MF_POLICY_BOUNDS)
        return check_by_bounds(r, index, width_bytes, operation, &r->fault);
    return check_by_permission(r, index, width_bytes, operation, &r->fault);
}

static uint64_t heap_limit(const reference *r) {
    return r->heap.base + (uint64_t)r->heap.max_pages * MF_PAGE_SIZE;
}

/* Whether the pages below the heap's top are still as sbrk made them, so that they belong to the heap. */
static bool heap_is_whole(const reference *r) {
    for (uint64_t i = r->heap.base; i < r->now.heap_top; i += MF_PAGE_SIZE)
        if (perm_at(r, i) != MF_PERM_RW)
            return false;
    return true;
}

/*
 * The heap counts up to its maximum while the layout has one that holds pages. A heap that is no longer
 * whole is regions up to its top, and if it was full nothing of it is left.
 */
static uint64_t find_bounds_end(const reference *r) {
    uint64_t len = reference_len(r);
    bool is_full = round_up_to_page(r->now.heap_top) == heap_limit(r);
    bool has_heap = r->heap.max_pages > 0 && (!is_full || heap_is_whole(r));
    return has_heap && heap_limit(r) > len ? heap_limit(r) : len;
}

uint64_t reference_bounds_end(reference *r) {
    if (r->bounds_end == BOUNDS_END_UNKNOWN)
        r->bounds_end = find_bounds_end(r);
    return r->bounds_end;
}

/* ---- Accesses -------------------------------------------------------------------------------- */

/* How far the byte at guest offset `offset` of a value is shifted. */
static uint32_t shift_of(mf_endian endian, uint32_t offset, uint32_t width_bytes) {
    return 8 * (endian == MF_LITTLE_ENDIAN ? offset : width_bytes - 1 - offset);
}

bool reference_load(reference *r, mf_policy policy, mf_endian endian, uint64_t index, uint32_t width_bytes,
                    uint64_t *value) {
    if (!check_access(r, policy, index, width_bytes, MF_LOAD))
        return false;
    *value = 0;
    for (uint32_t offset = 0; offset < width_bytes; offset++)
        *value |= (uint64_t)reference_peek(r, index + offset) << shift_of(endian, offset, width_bytes);
    return true;
}

bool reference_store(reference *r, mf_policy policy, mf_endian endian, uint64_t index, uint32_t width_bytes,
                     uint64_t value) {
    if (!check_access(r, policy, index, width_bytes, MF_STORE))
        return false;
    for (uint32_t offset = 0; offset < width_bytes; offset++)
        reference_poke(r, index + offset, (unsigned char)(value >> shift_of(endian, offset, width_bytes)));
    return true;
}

bool reference_is_accessible(const reference *r, uint64_t index, uint64_t length, mf_operation operation) {
    mf_fault unused;
    return check_by_permission(r, index, length, operation, &unused);
}

bool reference_check(reference *r, uint64_t index, uint64_t length, mf_operation operation) {
    return check_by_permission(r, index, length, operation, &r->fault);
}

bool reference_read(reference *r, uint64_t index, unsigned char *to, uint64_t length) {
    if (!reference_check(r, index, length, MF_LOAD))
        return false;
    for (uint64_t offset = 0; offset < length; offset++)
        to[offset] = reference_peek(r, index + offset);
    return true;
}

bool reference_write(reference *r, uint64_t index, const unsigned char *from, uint64_t length) {
    if (!reference_check(r, index, length, MF_STORE))
        return false;
    for (uint64_t offset = 0; offset < length; offset++)
        reference_poke(r, index + offset, from[offset]);
    return true;
}

bool reference_fill(reference *r, uint64_t index, unsigned char byte, uint64_t length) {
    if (!reference_check(r, index, length, MF_STORE))
        return false;
    for (uint64_t offset = 0; offset < length; offset++)
        reference_poke(r, index + offset, byte);
    return true;
}

/* Through a third place, so that overlap needs no thought. */
bool reference_copy(reference *r, uint64_t to, uint64_t from, uint64_t length) {
    if (!reference_check(r, from, length, MF_LOAD) || !reference_check(r, to, length, MF_STORE))
        return false;
    unsigned char *bytes = must_have(malloc((size_t)length + 1));
    bool done = reference_read(r, from, bytes, length) && reference_write(r, to, bytes, length);
    free(bytes);
    return done;
}

/* ---- Changes --------------------------------------------------------------------------------- */

static mf_status check_range(uint64_t start, uint64_t size, uint64_t *offending) {
    *offending = start;
    if (start % MF_PAGE_SIZE != 0)
        return MF_UNALIGNED_START;
    *offending = size;
    if (size % MF_PAGE_SIZE != 0)
        return MF_UNALIGNED_SIZE;
    *offending = size > UINT64_MAX - start ? UINT64_MAX : start + size;
    return *offending > MF_SPACE_BYTES ? MF_OVERFLOW : MF_OK;
}

static void set_perms(reference *r, uint64_t start, uint64_t size, mf_perm perm) {
    if (size > 0)
        memset(r->now.perms + page_of(start), (int)perm, page_of(size));
    r->bounds_end = BOUNDS_END_UNKNOWN;
}

static void clear_bytes(reference *r, uint64_t start, uint64_t size) {
    for (size_t i = 0; i < r->now.page_count; i++) {
        uint64_t index = (uint64_t)r->now.pages[i]->number * MF_PAGE_SIZE;
        if (index >= start && index < start + size)
            memset(r->now.pages[i]->bytes, 0, MF_PAGE_SIZE);
    }
}

mf_status reference_map_region(reference *r, uint64_t start, uint64_t size, mf_access access,
                               const unsigned char *init, size_t init_bytes, uint64_t *offending) {
    mf_status status = check_range(start, size, offending);
    if (status != MF_OK)
        return status;
    set_perms(r, start, size, (mf_perm)access);
    for (uint64_t offset = 0; init != NULL && offset < init_bytes && offset < size; offset++)
        reference_poke(r, start + offset, init[offset]);
    return MF_OK;
}

mf_status reference_protect(reference *r, uint64_t start, uint64_t size, mf_perm perm, uint64_t *offending) {
    mf_status status = check_range(start, size, offending);
    if (status == MF_OK)
        set_perms(r, start, size, perm);
    return status;
}

mf_status reference_unmap(reference *r, uint64_t start, uint64_t size, uint64_t *offending) {
    mf_status status = check_range(start, size, offending);
    if (status == MF_OK) {
        set_perms(r, start, size, MF_PERM_NONE);
        clear_bytes(r, start, size);
    }
    return status;
}

bool reference_sbrk(reference *r, uint64_t bytes, uint64_t *old_top) {
    uint64_t old = r->now.heap_top;
    if (bytes > heap_limit(r) - old)
        return false;
    uint64_t first = round_up_to_page(old);
    uint64_t end = round_up_to_page(old + bytes);
    for (uint64_t i = first; i < end; i += MF_PAGE_SIZE)
        if (perm_at(r, i) != MF_PERM_NONE)
            return false;
    set_perms(r, first, end - first, MF_PERM_RW);
    clear_bytes(r, first, end - first);
    r->now.heap_top = old + bytes;
    *old_top = old;
    return true;
}

void reference_reset(reference *r) {
    state_copy(&r->now, &r->created);
    r->bounds_end = BOUNDS_END_UNKNOWN;
    r->fault = (mf_fault){0};
}

/* Many pages at a time first, because tests ask often. */
uint64_t reference_len(const reference *r) {
    static const unsigned char NONE[MF_PAGE_SIZE];
    uint64_t page = MF_SPACE_PAGES;
    while (page >= sizeof NONE && memcmp(r->now.perms + page - sizeof NONE, NONE, sizeof NONE) == 0)
        page -= sizeof NONE;
    while (page > 0 && r->now.perms[page - 1] == MF_PERM_NONE)
        page--;
    return page * MF_PAGE_SIZE;
}
