/* Faults: the classifier that every engine shares, and the entry points of generated code. */
#include "classify.h"
#include "guard_impl.h"
#include "pages.h"
#include "panic_impl.h"

const unsigned char mf_abi_v1 = MF_ABI_VERSION;

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
    bool is_protected = limit == 0 && operation == MF_STORE && page < MF_SPACE_BYTES &&
                        perms[page >> MF_PAGE_LOG2] == MF_PERM_RO;
    return (mf_fault){
        .kind = is_protected ? MF_WRITE_PROTECTED : MF_PAGE_FAULT,
        .operation = operation,
        .page = page,
        .address = index,
        .length = length,
    };
}

uint32_t mf_rt_fault_v1(mf_view *view, uint64_t index, uint64_t access, uint64_t limit) {
    view->fault = classify_fault(view->perms, index, access >> 1, (mf_operation)(access & 1), limit);
    return view->fault.kind;
}

void mf_rt_trap_v1(mf_view *view, uint64_t index, uint64_t access, uint64_t limit) {
    mf_rt_fault_v1(view, index, access, limit);
    if (view->guard == NULL) {
        panic_values("a trap accessor faulted outside mf_guard_run: guest index ", index, ", page ",
                     view->fault.page, "");
    }
    guard_frame_leave_innermost(view);
}

uint32_t mf_rt_accessible_v1(const mf_view *view, uint64_t index, uint64_t access) {
    mf_operation operation = (mf_operation)(access & 1);
    return classify_find_page(view->perms, index, access >> 1, operation) == NO_PAGE;
}

void mf_rt_stale_v1(mf_view *view, uint64_t fingerprint) {
    panic_values("accessors made for layout ", fingerprint, " were used on a memory with layout ",
                 view->layout_fingerprint, ": ask for accessors again after a change of its layout");
}
