/*
 * A view that was moved or copied while it is attached is caught where assertions are on: by whatever the
 * runtime is called for with the copy, and when the memory tells a change to the place where the view was.
 *
 * REQUIRES: debug
 * RUN: %cc %s -o %t %runtime
 * RUN: not --crash %t read 2>&1 | FileCheck %s
 * RUN: not --crash %t is-accessible 2>&1 | FileCheck %s
 * RUN: not --crash %t fault 2>&1 | FileCheck %s
 * RUN: not --crash %t trap 2>&1 | FileCheck %s
 * RUN: not --crash %t guard 2>&1 | FileCheck %s
 * RUN: not --crash %t detach 2>&1 | FileCheck %s
 * RUN: not --crash %t sbrk 2>&1 | FileCheck %s
 * RUN: not --crash %t protect 2>&1 | FileCheck %s
 * RUN: not --crash %t reset 2>&1 | FileCheck %s
 * RUN: %t none | FileCheck %s --check-prefix=NONE
 *
 * CHECK: {{^}}memfold: a view was moved or copied while attached: the one at 0x
 * CHECK-SAME: is not a view of the memory at 0x
 * NONE: a view where it was attached
 */
#include "support.h"

static void body(mf_view *view, void *context) {
    (void)view;
    (void)context;
}

static void use(const char *how, mf_memory *m, mf_view *view) {
    uint8_t byte;
    uint64_t old;
    if (strcmp(how, "read") == 0)
        mf_view_read(view, 0, &byte, 1);
    else if (strcmp(how, "is-accessible") == 0)
        mf_view_is_accessible(view, 0, 1, MF_LOAD);
    else if (strcmp(how, "fault") == 0)
        mf_generic_accessors(NULL)->load_u8(view, 9 * PAGE);
    else if (strcmp(how, "trap") == 0)
        mf_rt_trap_v3(view, 9 * PAGE, MF_ACCESS_CODE(MF_LOAD, 1), 0);
    else if (strcmp(how, "guard") == 0)
        mf_guard_run(view, body, NULL, NULL);
    else if (strcmp(how, "detach") == 0)
        mf_view_detach(view);
    else if (strcmp(how, "sbrk") == 0)
        mf_memory_sbrk(m, PAGE, &old, NULL);
    else if (strcmp(how, "protect") == 0)
        mf_memory_protect(m, 0, PAGE, MF_PERM_RO, NULL);
    else if (strcmp(how, "reset") == 0)
        mf_memory_reset(m, NULL);
}

int main(int argc, char **argv) {
    static const mf_region region = {0, MF_PAGE_SIZE, MF_READ_WRITE};
    expect(argc == 2);
    mf_memory *m = memory_of(&region, 1, (mf_heap){64 * PAGE, 4});
    mf_view first, view, last;
    mf_view_attach(&first, m);
    mf_view_attach(&view, m);
    mf_view_attach(&last, m);
    mf_view_read(&view, 0, &(uint8_t){0}, 1);
    mf_view moved = view;
    memset(&view, 0, sizeof view);
    use(argv[1], m, &moved);
    view = moved;
    mf_view_detach(&view);
    mf_view_detach(&first);
    mf_view_detach(&last);
    mf_memory_destroy(m);
    puts("a view where it was attached");
    return 0;
}
