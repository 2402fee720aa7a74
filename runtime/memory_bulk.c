/* Accesses by the runtime itself: check the whole range in the live table, then touch it directly. */
#include "classify.h"
#include "memory_impl.h"
#include "panic_impl.h"
#include "views.h"

#include <string.h>

#ifdef NDEBUG
static void operation_check(mf_operation operation) {
    (void)operation;
}
#else
static void operation_check(mf_operation operation) {
    if (operation != MF_LOAD && operation != MF_STORE)
        panic_values("there is no operation ", (uint32_t)operation, "; the greatest is ", MF_STORE, "");
}
#endif

/*
 * address <= the end of the highest page p that the operation may touch   <=>   p >= (address - 1) >> 12:
 * there is such a page from that of the byte before on.
 */
static bool is_within(const mf_memory *memory, uint32_t address, mf_operation operation) {
    uint32_t len_pages = perm_table_len_pages(&memory->table);
    uint32_t before = address == 0 ? 0 : (address - 1) >> MF_PAGE_LOG2;
    page_run above = {before < len_pages ? before : len_pages, len_pages};
    return address == 0 ||
           perms_find_reaching(memory->table.perms, above, operation_least_perm(operation)) < len_pages;
}

/*
 * The lowest page that refuses the range, or NO_PAGE. Asked once, because sbrk may make another answer of it;
 * the record says what was seen.
 */
static uint64_t find_refusal(const mf_view *view, uint32_t address, uint64_t length, mf_operation operation) {
    view_check(view);
    operation_check(operation);
    if (length != 0)
        return classify_refusal(view, address, length, operation);
    const mf_memory *memory = view->memory;
    bool passes = memory->config.empty_range == MF_EMPTY_ANYWHERE || is_within(memory, address, operation);
    return passes ? NO_PAGE : page_floor(address);
}

bool mf_view_is_accessible(const mf_view *view, uint32_t address, uint64_t length, mf_operation operation) {
    return find_refusal(view, address, length, operation) == NO_PAGE;
}

static bool check(mf_view *view, uint32_t address, uint64_t length, mf_operation operation) {
    uint64_t page = find_refusal(view, address, length, operation);
    if (page == NO_PAGE)
        return true;
    view->fault = classify_page(view->perms, page, address, length, operation);
    if (length == 0)
        view->fault.kind = MF_PAGE_FAULT;
    return false;
}

bool mf_view_read(mf_view *view, uint32_t address, void *to, size_t length) {
    bool allowed = check(view, address, length, MF_LOAD);
    if (allowed && length != 0)
        memcpy(to, view->base + address, length);
    return allowed;
}

bool mf_view_write(mf_view *view, uint32_t address, const void *from, size_t length) {
    bool allowed = check(view, address, length, MF_STORE);
    if (allowed && length != 0)
        memcpy(view->base + address, from, length);
    return allowed;
}

bool mf_view_fill(mf_view *view, uint32_t address, uint8_t byte, uint64_t length) {
    bool allowed = check(view, address, length, MF_STORE);
    if (allowed)
        memset(view->base + address, byte, (size_t)length);
    return allowed;
}

bool mf_view_copy(mf_view *view, uint32_t to, uint32_t from, uint64_t length) {
    bool allowed = check(view, from, length, MF_LOAD) && check(view, to, length, MF_STORE);
    if (allowed)
        memmove(view->base + to, view->base + from, (size_t)length);
    return allowed;
}

void *mf_view_span(mf_view *view, uint32_t address, uint64_t length, mf_operation operation) {
    return check(view, address, length, operation) ? view->base + address : NULL;
}
