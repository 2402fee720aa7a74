/* What generated code calls (abi.h): to record a fault, to leave a guard frame, to ask about a range. */
#include "classify.h"
#include "entry_points.h"
#include "guard_impl.h"
#include "panic_impl.h"
#include "views.h"

const unsigned char mf_abi_v3 = MF_ABI_VERSION;

uint32_t entry_fault(mf_view *view, uint64_t index, uint64_t access, uint64_t limit) {
    view_check(view);
    view->fault = classify_fault(view, index, access >> 1, (mf_operation)(access & 1), limit);
    return view->fault.kind;
}

void mf_rt_trap_v3(mf_view *view, uint64_t index, uint64_t access, uint64_t limit) {
    entry_fault(view, index, access, limit);
    if (view->guard == NULL) {
        panic_values("a trap accessor faulted outside mf_guard_run: guest index ", index, ", page ",
                     view->fault.page, "");
    }
    guard_frame_leave_innermost(view);
}

uint32_t mf_rt_accessible_v3(const mf_view *view, uint64_t index, uint64_t access) {
    mf_operation operation = (mf_operation)(access & 1);
    return classify_refusal(view, index, access >> 1, operation) == NO_PAGE;
}

/* What fits the stamp for 32-bit indices was refused by the other one. */
static const char *stale_reason(const mf_view *view, uint64_t stamp) {
    uint64_t different = stamp ^ view->layout_stamp;
    bool is_for_any = (stamp & ~MF_LAYOUT_STAMP_BACKENDS) == 0;
    if ((different & MF_LAYOUT_STAMP_BACKENDS) != 0)
        return ": the memory is of another backend";
    if (view->u33_stamp == MF_LAYOUT_STAMP_REFUSED && (different == 0 || is_for_any))
        return ": the memory was made for 32-bit indices, and they take 33-bit ones";
    return ": ask for accessors again after a change of its layout";
}

void mf_rt_stale_v3(mf_view *view, uint64_t stamp) {
    panic_values("accessors made for layout ", stamp & ~MF_LAYOUT_STAMP_BACKENDS,
                 " were used on a memory with layout ", view->layout_stamp & ~MF_LAYOUT_STAMP_BACKENDS,
                 stale_reason(view, stamp));
}
