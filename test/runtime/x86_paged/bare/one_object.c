/*
 * One emitted object, byte for byte, in a program of Linux and in a kernel: the same lines.
 *
 * RUN: %memfold emit --emit=obj --backend=paged --prefix=guest -o %t.o %inputs/sandbox.yaml
 * RUN: %memfold emit --emit=obj --backend=paged --on-fault=trap --prefix=trapping -o %t.trap.o \
 * RUN:     %inputs/sandbox.yaml
 * RUN: %cc %s %t.o %t.trap.o -o %t.linux %runtime && %t.linux > %t.linux.out
 * RUN: %bare-cc %s %t.o %t.trap.o -o %t.kernel && %boot %t.kernel > %t.bare.out
 * RUN: diff %t.linux.out %t.bare.out
 * RUN: FileCheck %s < %t.bare.out
 *
 * CHECK: load_u8 0xffff ! page-fault 0xf000
 * CHECK: store_u32 0x13ffe ! write-protected 0x13000
 * CHECK: store_u64 0x27ffc ! page-fault 0x28000
 * CHECK: load_u64 0xffffffff ! page-fault 0xfffff000
 * CHECK: trap: load_u16 0x13fff ! page-fault 0x14000
 * CHECK: done
 *
 * At base 0 an accessor is the access, the status and the return.
 * RUN: %memfold emit --emit=obj --backend=paged --base=constant --base-address=0 --prefix=zero -o %t.zero.o \
 * RUN:     %inputs/sandbox.yaml
 * RUN: llvm-objdump -d --no-show-raw-insn --disassemble-symbols=zero_load_u32 %t.zero.o \
 * RUN:     | FileCheck %s --check-prefix=ZERO
 *
 * ZERO: <zero_load_u32>:
 * ZERO-NEXT: movl (%esi), %eax
 * ZERO-NEXT: xorl %edx, %edx
 * ZERO-NEXT: retq
 */
#include <memfold/accessors.h>
#include <memfold/guard.h>
#include <memfold/layout.h>
#include <memfold/memory.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

extern const mf_accessors guest_accessors, trapping_accessors;

static mf_memory *memory;

static void must(mf_status status) {
    if (status != MF_OK) {
        puts(mf_status_name(status));
        exit(1);
    }
}

static mf_memory *create(void) {
    static const char words[] = "read-only bytes";
    mf_layout_builder *b = mf_layout_builder_create();
    mf_layout *layout;
    mf_image *image;
    mf_memory *m;
    must(mf_layout_builder_map_region(b, 0x10000, 0x4000, MF_READ_ONLY, words, sizeof words, NULL));
    must(mf_layout_builder_map_region(b, 0x20000, 0x8000, MF_READ_WRITE, NULL, 0, NULL));
    must(mf_layout_builder_map_region(b, 0xfefd0000, 0x10000, MF_READ_WRITE, NULL, 0, NULL));
    must(mf_layout_builder_set_heap(b, 0x28000, 256, NULL));
    must(mf_layout_builder_finish(b, &layout, &image, NULL));
    must(mf_memory_create(layout, image, MF_BACKEND_X86_PAGED, &m, NULL));
    mf_layout_builder_destroy(b);
    mf_layout_release(layout);
    mf_image_release(image);
    return m;
}

static void print_fault(const char *name, uint32_t address, const mf_fault *fault) {
    printf("%s 0x%x ! %s 0x%" PRIx64 "\n", name, address,
           fault->kind == MF_WRITE_PROTECTED ? "write-protected" : "page-fault", fault->page);
}

typedef struct job {
    mf_accessor_id id;
    uint32_t address;
    uint64_t value;
} job;

static void trap_body(mf_view *view, void *context) {
    job *j = context;
    mf_accessor_fn *function = mf_accessors_member(&trapping_accessors, j->id);
    if (mf_accessor_info_get(j->id)->operation == MF_LOAD)
        j->value = ((mf_load_trap_fn *)function)(view, j->address);
    else
        ((mf_store_trap_fn *)function)(view, j->address, j->value);
}

static void perform(job j) {
    const mf_accessor_info *info = mf_accessor_info_get(j.id);
    mf_accessor_fn *function = mf_accessors_member(&guest_accessors, j.id);
    mf_view *view = mf_memory_view(memory);
    mf_fault fault;
    mf_load_result loaded = {0};
    if (info->operation == MF_LOAD)
        loaded = ((mf_load_fn *)function)(view, j.address);
    else
        loaded.status = ((mf_store_fn *)function)(view, j.address, j.value);
    fault = view->fault;
    if (loaded.status != MF_FAULT_NONE)
        print_fault(info->name, j.address, &fault);
    else
        printf("%s 0x%x = 0x%" PRIx64 "\n", info->name, j.address, loaded.value);
    fputs("trap: ", stdout);
    if (!mf_guard_run(view, trap_body, &j, &fault))
        print_fault(info->name, j.address, &fault);
    else
        printf("%s 0x%x = 0x%" PRIx64 "\n", info->name, j.address, j.value);
}

int main(void) {
    static const uint32_t edges[] = {0,        0x10000,    0x14000,    0x20000, 0x28000,
                                     0x128000, 0xfefd0000, 0xfefe0000, 0x2a000};
    memory = create();
    uint64_t value = 1;
    for (int heap = 0; heap < 2; heap++) {
        for (unsigned i = 0; i < sizeof edges / sizeof edges[0]; i++)
            for (uint32_t back = 9; back-- > 0;)
                for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
                    value = value * UINT64_C(6364136223846793005) + 1442695040888963407;
                    perform((job){id, edges[i] - back, value});
                }
        uint64_t old_top;
        must(mf_memory_sbrk(memory, 0x2000, &old_top, NULL));
    }
    mf_memory_destroy(memory);
    puts("done");
    return 0;
}
