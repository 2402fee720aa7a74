/* Why an access fails, for every engine. */
#include "classify.h"
#include "memory_impl.h"

uint64_t classify_find_page(const unsigned char *perms, uint64_t index, uint64_t length,
                            mf_operation operation) {
    if (length == 0)
        return NO_PAGE;
    if (index >= MF_SPACE_BYTES)
        return page_floor(index);
    /* index < 2^32 <= last is possible, and then the first index past the top is touched. */
    uint64_t last = saturating_add(index, length - 1);
    bool passes_top = last >= MF_SPACE_BYTES;
    uint64_t last_inside = passes_top ? MF_SPACE_BYTES - 1 : last;
    page_run run = {(uint32_t)(index >> MF_PAGE_LOG2), (uint32_t)(last_inside >> MF_PAGE_LOG2) + 1};
    uint32_t page = perms_find_below(perms, run, operation_least_perm(operation));
    if (page < run.end)
        return page_bytes(page);
    return passes_top ? MF_SPACE_BYTES : NO_PAGE;
}

/*
 * The scan reads words where sbrk writes bytes too, and between operations of different sizes C knows no
 * order. What sbrk has written before the first byte was released with `grown_to`.
 */
uint64_t classify_refusal(const mf_view *view, uint64_t index, uint64_t length, mf_operation operation) {
    uint64_t page = classify_find_page(view->perms, index, length, operation);
    (void)__atomic_load_n(&view->memory->grown_to, __ATOMIC_ACQUIRE);
    return page;
}

/*
 * A page on which the range was refused before sbrk has added it. What was refused then is a page r of the
 * heap that some growth has added since, and the one that came last, [from, to), is that one or a later one:
 * r < to, and what was there when the access began lies below from. So every touched page from `from` on was
 * refused as well; and if there is none, r <= the highest page that is touched of the heap.
 */
static uint64_t page_before_growth(const mf_memory *memory, uint64_t index, uint64_t length) {
    uint64_t first = page_floor(index);
    uint64_t last = page_floor(saturating_add(index, length == 0 ? 0 : length - 1));
    uint64_t from = __atomic_load_n(&memory->grown_from, __ATOMIC_ACQUIRE);
    uint64_t to = __atomic_load_n(&memory->grown_to, __ATOMIC_ACQUIRE);
    if (first >= to || last < memory->heap.base)
        return first;
    uint64_t lowest = first > from ? first : from;
    uint64_t highest = last < to ? last : to - MF_PAGE_SIZE;
    return lowest < highest ? lowest : highest;
}

mf_fault classify_page(const unsigned char *perms, uint64_t page, uint64_t index, uint64_t length,
                       mf_operation operation) {
    bool is_protected =
        operation != MF_LOAD && page < MF_SPACE_BYTES && perms_at(perms, page >> MF_PAGE_LOG2) == MF_PERM_RO;
    return (mf_fault){
        .kind = is_protected ? MF_WRITE_PROTECTED : MF_PAGE_FAULT,
        .operation = operation,
        .page = page,
        .address = index,
        .length = length,
    };
}

/* By the bounds policy, which knows no permissions. */
static mf_fault classify_beyond(uint64_t limit, uint64_t index, uint64_t length, mf_operation operation) {
    return (mf_fault){
        .kind = MF_PAGE_FAULT,
        .operation = operation,
        .page = page_floor(index > limit ? index : limit),
        .address = index,
        .length = length,
    };
}

mf_fault classify_fault(const mf_view *view, uint64_t index, uint64_t length, mf_operation operation,
                        uint64_t limit) {
    if (limit != 0 ||
        length == 0) /* of an empty range nothing is touched: it lies beyond what is accessible */
        return classify_beyond(limit, index, length, operation);
    uint64_t page = classify_refusal(view, index, length, operation);
    if (page == NO_PAGE)
        page = page_before_growth(view->memory, index, length);
    return classify_page(view->perms, page, index, length, operation);
}
