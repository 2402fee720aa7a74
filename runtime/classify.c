/* Why an access fails, for every engine. */
#include "classify.h"
#include "perm_table.h"

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

static uint64_t fault_page(const unsigned char *perms, uint64_t index, uint64_t length,
                           mf_operation operation, uint64_t limit) {
    if (limit != 0)
        return page_floor(index > limit ? index : limit);
    uint64_t page = classify_find_page(perms, index, length, operation);
    return page != NO_PAGE ? page : page_floor(index);
}

mf_fault classify_fault(const unsigned char *perms, uint64_t index, uint64_t length, mf_operation operation,
                        uint64_t limit) {
    uint64_t page = fault_page(perms, index, length, operation, limit);
    bool is_protected = limit == 0 && operation != MF_LOAD && page < MF_SPACE_BYTES &&
                        perms[page >> MF_PAGE_LOG2] == MF_PERM_RO;
    return (mf_fault){
        .kind = is_protected ? MF_WRITE_PROTECTED : MF_PAGE_FAULT,
        .operation = operation,
        .page = page,
        .address = index,
        .length = length,
    };
}
