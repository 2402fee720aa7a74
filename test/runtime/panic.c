/*
 * Panics: through the hook, and by abort in any case.
 *
 * RUN: %cc %s -o %t %runtime
 * RUN: not --crash %t trap 2>&1 | FileCheck --check-prefix=TRAP %s
 * RUN: not --crash %t stale 2>&1 | FileCheck --check-prefix=STALE %s
 * RUN: not --crash %t hook-returns 2>&1 | FileCheck --check-prefix=RETURNS %s
 * RUN: %t hook-exits | FileCheck --check-prefix=EXITS %s
 * RUN: not --crash %t default-again 2>&1 | FileCheck --check-prefix=DEFAULT %s
 *
 * TRAP: {{^}}memfold: a trap accessor faulted outside mf_guard_run:
 * TRAP-SAME: guest index 0x100000fff, page 0x100000000{{$}}
 *
 * STALE: {{^}}memfold: accessors made for layout 0x1234 were used on a memory with layout 0x0:
 * STALE-SAME: ask for accessors again after a change of its layout{{$}}
 *
 * RETURNS: {{^}}hook: accessors made for layout 0xfedcba9876543210 were used
 * RETURNS-NOT: memfold:
 *
 * EXITS: {{^}}hook: a trap accessor faulted outside mf_guard_run: guest index 0x0, page 0x0
 *
 * DEFAULT-NOT: hook:
 * DEFAULT: {{^}}memfold: accessors made for layout
 */
#include "support.h"

static void tell(const char *message) {
    printf("hook: %s\n", message);
    fflush(stdout);
}

static void tell_and_exit(const char *message) {
    tell(message);
    exit(0);
}

int main(int argc, char **argv) {
    expect(argc == 2);
    mf_memory *m = memory_of(NULL, 0, (mf_heap){0});
    mf_view *view = mf_memory_view(m);
    if (strcmp(argv[1], "trap") == 0) {
        mf_rt_trap_v3(view, 0x100000fff, MF_ACCESS_CODE(MF_LOAD, 1), 0);
    } else if (strcmp(argv[1], "stale") == 0) {
        view->layout_stamp = 0;
        mf_rt_stale_v3(view, 0x1234);
    } else if (strcmp(argv[1], "hook-returns") == 0) {
        mf_panic_hook_set(tell);
        mf_rt_stale_v3(view, 0xfedcba9876543210);
    } else if (strcmp(argv[1], "hook-exits") == 0) {
        mf_panic_hook *before = mf_panic_hook_set(tell);
        expect(mf_panic_hook_set(tell_and_exit) == tell && before != tell);
        mf_rt_trap_v3(view, 0, MF_ACCESS_CODE(MF_STORE, 1), 0);
    } else if (strcmp(argv[1], "default-again") == 0) {
        mf_panic_hook_set(tell);
        expect(mf_panic_hook_set(NULL) == tell);
        mf_rt_stale_v3(view, 2);
    }
    return 0;
}
