// A debugger names code that was made at run time: in the backtrace and at its place, also where code that is
// gone by now has been before. The leak checker of sanitizers refuses to run under one.
//
// RUN: %cc %s -o %t %gen
// RUN: echo 'break mf_rt_fault_v3' > %t.gdb
// RUN: echo 'run' >> %t.gdb
// RUN: echo 'backtrace' >> %t.gdb
// RUN: echo 'up' >> %t.gdb
// RUN: echo 'info symbol $pc' >> %t.gdb
// RUN: gdb -nx -batch -x %t.gdb %t > %t.out 2>&1
// RUN: FileCheck %s < %t.out
//
// UNSUPPORTED: sanitizer
//
// CHECK: Breakpoint 1, {{.*}}mf_rt_fault_v3
// CHECK: #0 {{.*}}mf_rt_fault_v3
// CHECK-NEXT: #1 {{.*}} in memfold_2_load_u32 ()
// CHECK: {{.*}} in main ()
// CHECK: memfold_2_load_u32 + {{[0-9]+}} in section .text
#include <memfold/jit.h>
#include <memfold/memory.h>

#include <stdlib.h>

/* Code for a window of `pages`, which is freed at once, so that the next is likely to take its place. */
static void come_and_go(mf_jit *jit, uint64_t pages) {
    mf_layout *layout;
    mf_code *code;
    mf_layout_builder *builder = mf_layout_builder_create();
    if (mf_layout_builder_map_region(builder, 0x10000, pages * 0x1000, MF_READ_WRITE, NULL, 0, NULL) !=
            MF_OK ||
        mf_layout_builder_finish(builder, &layout, NULL, NULL) != MF_OK ||
        mf_jit_get(jit, layout, NULL, &code, NULL) != MF_OK)
        abort();
    mf_code_release(code);
    mf_layout_release(layout);
    mf_layout_builder_destroy(builder);
}

int main(void) {
    mf_jit *jit;
    mf_layout *layout;
    mf_memory *memory;
    mf_code *code;
    mf_layout_builder *builder = mf_layout_builder_create();
    if (mf_layout_builder_map_region(builder, 0x10000, 0x1000, MF_READ_WRITE, NULL, 0, NULL) != MF_OK ||
        mf_layout_builder_finish(builder, &layout, NULL, NULL) != MF_OK ||
        mf_memory_create(layout, NULL, MF_BACKEND_COPY, &memory, NULL) != MF_OK ||
        mf_jit_create(NULL, &jit, NULL) != MF_OK)
        abort();
    come_and_go(jit, 2);
    come_and_go(jit, 3);
    if (mf_jit_get(jit, layout, NULL, &code, NULL) != MF_OK)
        abort();
    mf_load_result loaded = mf_code_accessors(code)->load_u32(mf_memory_view(memory), 0);
    mf_code_release(code);
    mf_jit_destroy(jit);
    mf_memory_destroy(memory);
    mf_layout_release(layout);
    mf_layout_builder_destroy(builder);
    return loaded.status == MF_PAGE_FAULT ? 0 : 1;
}
