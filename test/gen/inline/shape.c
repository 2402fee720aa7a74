// The code of each plan is as short as is claimed: what LLVM's disassembler reads in it, instruction by
// instruction.
//
// RUN: rm -rf %t && mkdir %t
// RUN: %cc %s -o %t/shape %inline
// RUN: %t/shape > %t/shape.s
// RUN: llvm-mc -triple=x86_64 -filetype=obj %t/shape.s -o %t/shape.o
// RUN: llvm-objdump -d -M intel --no-show-raw-insn --no-leading-addr --disassemble-zeroes %t/shape.o > %t/dump
// RUN: FileCheck %s --match-full-lines < %t/dump
// RUN: grep '^# ' %t/shape.s | FileCheck %s --check-prefix=COUNT --match-full-lines

#include <memfold/inline.h>

#include <stdio.h>
#include <stdlib.h>

#define RO MF_READ_ONLY
#define RW MF_READ_WRITE

typedef struct shape {
    const char *name;
    mf_region regions[4];
    mf_heap heap;
    mf_accessor_id id;
    mf_accessor_options options;
    mf_inline_options inline_options;
} shape;

#define WINDOW .regions = {{0x20000, 0x8000, RW}}
#define HIGH .regions = {{0x90000000, 0x8000, RW}}
#define BOUND .regions = {{0, 0x10000, RW}}
#define TWO .regions = {{0x20000, 0x8000, RW}, {0x40000, 0x1000, RW}}
#define THREE .regions = {{0x20000, 0x8000, RW}, {0x40000, 0x1000, RW}, {0x80000, 0x1000, RW}}
#define HEAP .regions = {{0x20000, 0x8000, RW}}, .heap = {0x28000, 16}
#define LOAD .id = MF_LOAD_U32
#define STORE .id = MF_STORE_U32

static const shape SHAPES[] = {
    // A window is three comparing instructions beyond the access, and one that widens the index.
    //       CHECK: <window>:
    //  CHECK-NEXT: lea ecx, [rsi - 0x20000]
    //  CHECK-NEXT: cmp ecx, 0x7ffc
    //  CHECK-NEXT: ja {{.*}}
    //  CHECK-NEXT: mov ecx, esi
    //  CHECK-NEXT: mov eax, dword ptr [rdi + rcx]
    // CHECK-EMPTY:
    {.name = "window", WINDOW, LOAD},
    //  CHECK-NEXT: <window_extended>:
    //  CHECK-NEXT: lea ecx, [rsi - 0x20000]
    //  CHECK-NEXT: cmp ecx, 0x7ffc
    //  CHECK-NEXT: ja {{.*}}
    //  CHECK-NEXT: mov eax, dword ptr [rdi + rsi]
    // CHECK-EMPTY:
    {.name = "window_extended", WINDOW, LOAD, .inline_options = {.index_is_extended = true}},
    // Wherever it lies.
    //  CHECK-NEXT: <window_high>:
    //  CHECK-NEXT: lea ecx, [rsi + 0x70000000]
    //  CHECK-NEXT: cmp ecx, 0x7ffc
    //  CHECK-NEXT: ja {{.*}}
    //  CHECK-NEXT: mov ecx, esi
    //  CHECK-NEXT: mov dword ptr [rdi + rcx], eax
    // CHECK-EMPTY:
    {.name = "window_high", HIGH, STORE},
    //  CHECK-NEXT: <window_u33>:
    //  CHECK-NEXT: lea rcx, [rsi - 0x20000]
    //  CHECK-NEXT: cmp rcx, 0x7ffc
    //  CHECK-NEXT: ja {{.*}}
    //  CHECK-NEXT: mov eax, dword ptr [rdi + rsi]
    // CHECK-EMPTY:
    {.name = "window_u33", WINDOW, LOAD, .options = {.index = MF_INDEX_U33}},
    //  CHECK-NEXT: <window_high_u33>:
    //  CHECK-NEXT: lea rcx, [rsi - 0x80000000]
    //  CHECK-NEXT: sub rcx, 0x10000000
    //  CHECK-NEXT: cmp rcx, 0x7ffc
    //  CHECK-NEXT: ja {{.*}}
    //  CHECK-NEXT: mov eax, dword ptr [rdi + rsi]
    // CHECK-EMPTY:
    {.name = "window_high_u33", HIGH, LOAD, .options = {.index = MF_INDEX_U33}},
    //  CHECK-NEXT: <window_large_u33>:
    //  CHECK-NEXT: lea rcx, [rsi - 0x1000]
    //  CHECK-NEXT: mov edx, 0xeffffffc
    //  CHECK-NEXT: cmp rcx, rdx
    //  CHECK-NEXT: ja {{.*}}
    //  CHECK-NEXT: mov eax, dword ptr [rdi + rsi]
    // CHECK-EMPTY:
    {.name = "window_large_u33",
     .regions = {{0x1000, 0xf0000000, RW}},
     LOAD,
     .options = {.index = MF_INDEX_U33}},
    // A bound compares the index itself.
    //  CHECK-NEXT: <bound>:
    //  CHECK-NEXT: cmp esi, 0xfffc
    //  CHECK-NEXT: ja {{.*}}
    //  CHECK-NEXT: mov ecx, esi
    //  CHECK-NEXT: mov eax, dword ptr [rdi + rcx]
    // CHECK-EMPTY:
    {.name = "bound", BOUND, LOAD},
    // A mask takes two moves and a conditional one.
    //  CHECK-NEXT: <window_mask>:
    //  CHECK-NEXT: mov ecx, esi
    //  CHECK-NEXT: lea edx, [rsi - 0x20000]
    //  CHECK-NEXT: cmp edx, 0x7ffc
    //  CHECK-NEXT: ja {{.*}}
    //  CHECK-NEXT: mov edx, 0x20000
    //  CHECK-NEXT: cmova ecx, edx
    //  CHECK-NEXT: mov eax, dword ptr [rdi + rcx]
    // CHECK-EMPTY:
    {.name = "window_mask", WINDOW, LOAD, .options = {.spectre = MF_SPECTRE_MASK}},
    // A hole is compared like a window.
    //  CHECK-NEXT: <two_windows>:
    //  CHECK-NEXT: lea ecx, [rsi - 0x20000]
    //  CHECK-NEXT: cmp ecx, 0x20ffc
    //  CHECK-NEXT: ja {{.*}}
    //  CHECK-NEXT: lea ecx, [rsi - 0x27ffd]
    //  CHECK-NEXT: cmp ecx, 0x18002
    //  CHECK-NEXT: jbe {{.*}}
    //  CHECK-NEXT: mov eax, dword ptr [rdi + rsi]
    // CHECK-EMPTY:
    {.name = "two_windows", TWO, LOAD, .inline_options = {.index_is_extended = true}},
    // Windows in turn: a short jump to the access for each but the last, with one place for faults.
    //  CHECK-NEXT: <in_turn>:
    //  CHECK-NEXT: lea ecx, [rsi - 0x40000]
    //  CHECK-NEXT: cmp ecx, 0xffc
    //  CHECK-NEXT: jbe {{.*}} <in_turn+0x2a>
    //  CHECK-NEXT: lea ecx, [rsi - 0x20000]
    //  CHECK-NEXT: cmp ecx, 0x7ffc
    //  CHECK-NEXT: jbe {{.*}} <in_turn+0x2a>
    //  CHECK-NEXT: lea ecx, [rsi - 0x80000]
    //  CHECK-NEXT: cmp ecx, 0xffc
    //  CHECK-NEXT: ja {{.*}}
    //  CHECK-NEXT: mov eax, dword ptr [rdi + rsi]
    // CHECK-EMPTY:
    {.name = "in_turn",
     THREE,
     LOAD,
     .options = {.hot_address = 0x40000, .hot_percent = 90},
     .inline_options = {.index_is_extended = true, .has_fault_target = true, .fault_target = 0x40}},
    // The heap's end is compared in memory; the index of the comparison serves the access.
    //  CHECK-NEXT: <heap>:
    //  CHECK-NEXT: cmp esi, 0x20000
    //  CHECK-NEXT: jb {{.*}}
    //  CHECK-NEXT: mov ecx, esi
    //  CHECK-NEXT: add rcx, 0x3
    //  CHECK-NEXT: cmp rcx, qword ptr [rbx + 0x10]
    //  CHECK-NEXT: jae {{.*}}
    //  CHECK-NEXT: mov eax, dword ptr [rdi + rcx - 0x3]
    // CHECK-EMPTY:
    {.name = "heap", HEAP, LOAD},
    //  CHECK-NEXT: <heap_extended>:
    //  CHECK-NEXT: cmp esi, 0x20000
    //  CHECK-NEXT: jb {{.*}}
    //  CHECK-NEXT: lea rcx, [rsi + 0x3]
    //  CHECK-NEXT: cmp rcx, qword ptr [rbx + 0x10]
    //  CHECK-NEXT: jae {{.*}}
    //  CHECK-NEXT: mov eax, dword ptr [rdi + rsi]
    // CHECK-EMPTY:
    {.name = "heap_extended", HEAP, LOAD, .inline_options = {.index_is_extended = true}},
    // An access above the heap passes by its address, one in the heap by the live end.
    //  CHECK-NEXT: <heap_and_window>:
    //  CHECK-NEXT: lea ecx, [rsi - 0x20000]
    //  CHECK-NEXT: cmp ecx, 0x50ffc
    //  CHECK-NEXT: ja {{.*}}
    //  CHECK-NEXT: lea rcx, [rsi + 0x3]
    //  CHECK-NEXT: cmp rcx, qword ptr [rbx + 0x10]
    //  CHECK-NEXT: jb {{.*}} <heap_and_window+0x28>
    //  CHECK-NEXT: cmp esi, 0x6ffff
    //  CHECK-NEXT: jbe {{.*}}
    //  CHECK-NEXT: mov eax, dword ptr [rdi + rsi]
    // CHECK-EMPTY:
    {.name = "heap_and_window",
     .regions = {{0x20000, 0x8000, RW}, {0x70000, 0x1000, RW}},
     .heap = {0x28000, 16},
     LOAD,
     .inline_options = {.index_is_extended = true}},
    // Lookups: the first byte, whether the access straddles, the last byte.
    //  CHECK-NEXT: <perm_table>:
    //  CHECK-NEXT: mov ecx, esi
    //  CHECK-NEXT: shr ecx, 0xc
    //  CHECK-NEXT: add rcx, qword ptr [rbx + 0x8]
    //  CHECK-NEXT: cmp byte ptr [rcx], 0x1
    //  CHECK-NEXT: jb {{.*}}
    //  CHECK-NEXT: lea ecx, [rsi + 0x3]
    //  CHECK-NEXT: and ecx, 0xfff
    //  CHECK-NEXT: cmp ecx, 0x3
    //  CHECK-NEXT: jae {{.*}} <perm_table+0x35>
    //  CHECK-NEXT: lea rcx, [rsi + 0x3]
    //  CHECK-NEXT: shr rcx, 0xc
    //  CHECK-NEXT: add rcx, qword ptr [rbx + 0x8]
    //  CHECK-NEXT: cmp byte ptr [rcx], 0x1
    //  CHECK-NEXT: jb {{.*}}
    //  CHECK-NEXT: mov eax, dword ptr [rdi + rsi]
    // CHECK-EMPTY:
    {.name = "perm_table",
     THREE,
     LOAD,
     .options = {.strategy = MF_STRATEGY_PERM_TABLE},
     .inline_options = {.index_is_extended = true}},
    //  CHECK-NEXT: <perm_table_u8>:
    //  CHECK-NEXT: mov ecx, esi
    //  CHECK-NEXT: shr ecx, 0xc
    //  CHECK-NEXT: cmp byte ptr [rcx + rbp], 0x2
    //  CHECK-NEXT: jb {{.*}}
    //  CHECK-NEXT: mov byte ptr [rdi + rsi], al
    // CHECK-EMPTY:
    {.name = "perm_table_u8",
     THREE,
     .id = MF_STORE_U8,
     .options = {.strategy = MF_STRATEGY_PERM_TABLE},
     .inline_options = {.index_is_extended = true, .perms_are_in_table = true}},
    //  CHECK-NEXT: <granule_table_u8>:
    //  CHECK-NEXT: mov ecx, esi
    //  CHECK-NEXT: shr ecx, 0x10
    //  CHECK-NEXT: cmp byte ptr [rcx + 0x1000000], 0x0
    //  CHECK-NEXT: je {{.*}}
    //  CHECK-NEXT: movzx eax, byte ptr [rdi + rsi]
    // CHECK-EMPTY:
    {.name = "granule_table_u8",
     .regions = {{0, 0x10000, RW}, {0x30000, 0x10000, RW}},
     .id = MF_LOAD_U8,
     .options = {.strategy = MF_STRATEGY_GRANULE_TABLE},
     .inline_options = {.index_is_extended = true, .table_address = 0x1000000}},
    //  CHECK-NEXT: <granule_table_far_u8>:
    //  CHECK-NEXT: mov ecx, esi
    //  CHECK-NEXT: shr ecx, 0x10
    //  CHECK-NEXT: movabs rdx, 0x123456789000
    //  CHECK-NEXT: cmp byte ptr [rdx + rcx], 0x0
    //  CHECK-NEXT: je {{.*}}
    //  CHECK-NEXT: movsx rax, byte ptr [rdi + rsi]
    // CHECK-EMPTY:
    {.name = "granule_table_far_u8",
     .regions = {{0, 0x10000, RW}, {0x30000, 0x10000, RW}},
     .id = MF_LOAD_I8,
     .options = {.strategy = MF_STRATEGY_GRANULE_TABLE},
     .inline_options = {.index_is_extended = true, .table_address = 0x123456789000}},
    //  CHECK-NEXT: <granule_bitmap_u8>:
    //  CHECK-NEXT: mov ecx, esi
    //  CHECK-NEXT: shr ecx, 0x11
    //  CHECK-NEXT: mov ecx, dword ptr [rbp + 4*rcx]
    //  CHECK-NEXT: mov edx, esi
    //  CHECK-NEXT: shr edx, 0xc
    //  CHECK-NEXT: bt ecx, edx
    //  CHECK-NEXT: jae {{.*}}
    //  CHECK-NEXT: movzx eax, byte ptr [rdi + rsi]
    // CHECK-EMPTY:
    {.name = "granule_bitmap_u8",
     THREE,
     .id = MF_LOAD_U8,
     .options = {.strategy = MF_STRATEGY_GRANULE_BITMAP},
     .inline_options = {.index_is_extended = true}},
    // What the comparison with the hull has left is shifted.
    //  CHECK-NEXT: <immediate_bitmap_u8>:
    //  CHECK-NEXT: lea ecx, [rsi - 0x20000]
    //  CHECK-NEXT: cmp ecx, 0x20fff
    //  CHECK-NEXT: ja {{.*}}
    //  CHECK-NEXT: shr ecx, 0xc
    //  CHECK-NEXT: movabs rdx, 0x1000000ff
    //  CHECK-NEXT: bt rdx, rcx
    //  CHECK-NEXT: jae {{.*}}
    //  CHECK-NEXT: mov byte ptr [rdi + rsi], al
    // CHECK-EMPTY:
    {.name = "immediate_bitmap_u8",
     TWO,
     .id = MF_STORE_U8,
     .options = {.strategy = MF_STRATEGY_IMMEDIATE_BITMAP},
     .inline_options = {.index_is_extended = true}},
    // Where the MMU checks there is the access alone, at base 0 without a register of its own for the index.
    //  CHECK-NEXT: <paged>:
    //  CHECK-NEXT: mov ecx, esi
    //  CHECK-NEXT: mov eax, dword ptr [rdi + rcx]
    // CHECK-EMPTY:
    {.name = "paged", WINDOW, LOAD, .options = {.backend = MF_BACKEND_X86_PAGED}},
    //  CHECK-NEXT: <paged_base_0>:
    //  CHECK-NEXT: mov eax, dword ptr [esi]
    // CHECK-EMPTY:
    {.name = "paged_base_0",
     WINDOW,
     LOAD,
     .options = {.backend = MF_BACKEND_X86_PAGED},
     .inline_options = {.base_is_constant = true}},
    //  CHECK-NEXT: <paged_base>:
    //  CHECK-NEXT: movsxd rax, dword ptr [rsi + 0x40000000]
    // CHECK-EMPTY:
    {.name = "paged_base",
     WINDOW,
     .id = MF_LOAD_I32,
     .options = {.backend = MF_BACKEND_X86_PAGED},
     .inline_options = {.index_is_extended = true, .base_is_constant = true, .base_address = 0x40000000}},
    // Big-endian.
    //  CHECK-NEXT: <big_load>:
    //  CHECK-NEXT: movzx eax, word ptr [rdi + rsi]
    //  CHECK-NEXT: rol ax, 0x8
    //  CHECK-NEXT: movsx rax, ax
    // CHECK-EMPTY:
    {.name = "big_load",
     WINDOW,
     .id = MF_LOAD_I16,
     .options = {.backend = MF_BACKEND_X86_PAGED},
     .inline_options = {.index_is_extended = true, .endian = MF_BIG_ENDIAN}},
    //  CHECK-NEXT: <big_store>:
    //  CHECK-NEXT: mov rcx, rax
    //  CHECK-NEXT: bswap rcx
    //  CHECK-NEXT: mov qword ptr [rdi + rsi], rcx
    // CHECK-EMPTY:
    {.name = "big_store",
     WINDOW,
     .id = MF_STORE_U64,
     .options = {.backend = MF_BACKEND_X86_PAGED},
     .inline_options = {.index_is_extended = true, .endian = MF_BIG_ENDIAN}},
    //  CHECK-NEXT: <big_store_movbe>:
    //  CHECK-NEXT: movbe qword ptr [rdi + rsi], rax
    // CHECK-EMPTY:
    {.name = "big_store_movbe",
     WINDOW,
     .id = MF_STORE_U64,
     .options = {.backend = MF_BACKEND_X86_PAGED},
     .inline_options = {.index_is_extended = true, .endian = MF_BIG_ENDIAN, .has_movbe = true}},
    // The stamp stands before all that is asked.
    //  CHECK-NEXT: <stale>:
    //  CHECK-NEXT: test byte ptr [rbx + 0x18], 0x2
    //  CHECK-NEXT: jne {{.*}}
    //  CHECK-NEXT: mov eax, dword ptr [rdi + rsi]
    // CHECK-EMPTY:
    {.name = "stale",
     WINDOW,
     LOAD,
     .options = {.backend = MF_BACKEND_X86_PAGED, .stale = MF_STALE_CHECK},
     .inline_options = {.index_is_extended = true}},
    //  CHECK-NEXT: <always_fault>:
    //  CHECK-NEXT: jmp {{.*}}
    // CHECK-EMPTY:
    {.name = "always_fault", .regions = {{0x1000, 0x1000, RO}}, STORE},
    //  CHECK-NEXT: <always_allowed>:
    //  CHECK-NEXT: mov eax, dword ptr [rdi + rsi]
    // CHECK-EMPTY:
    {.name = "always_allowed",
     LOAD,
     .options = {.policy = MF_POLICY_NONE},
     .inline_options = {.index_is_extended = true}},
    // The check alone.
    //  CHECK-NEXT: <check_only>:
    //  CHECK-NEXT: lea ecx, [rsi - 0x20000]
    //  CHECK-NEXT: cmp ecx, 0x7ffc
    //  CHECK-NEXT: ja {{.*}}
    {.name = "check_only", WINDOW, LOAD, .inline_options = {.index_is_extended = true, .check_only = true}},
};

// Beyond the access, for 32-bit indices as they come, and extended; and how many scratch registers.
//
//      COUNT: # window: 4 beyond the access, 1 scratch, flags
// COUNT-NEXT: # window_extended: 3 beyond the access, 1 scratch, flags
// COUNT-NEXT: # window_high: 4 beyond the access, 1 scratch, flags
// COUNT-NEXT: # window_u33: 3 beyond the access, 1 scratch, flags
// COUNT-NEXT: # window_high_u33: 4 beyond the access, 1 scratch, flags
// COUNT-NEXT: # window_large_u33: 4 beyond the access, 2 scratch, flags
// COUNT-NEXT: # bound: 3 beyond the access, 1 scratch, flags
// COUNT-NEXT: # window_mask: 6 beyond the access, 2 scratch, flags
// COUNT-NEXT: # two_windows: 6 beyond the access, 1 scratch, flags
// COUNT-NEXT: # in_turn: 9 beyond the access, 1 scratch, flags
// COUNT-NEXT: # heap: 6 beyond the access, 1 scratch, flags, view
// COUNT-NEXT: # heap_extended: 5 beyond the access, 1 scratch, flags, view
// COUNT-NEXT: # heap_and_window: 8 beyond the access, 1 scratch, flags, view
// COUNT-NEXT: # perm_table: 14 beyond the access, 1 scratch, flags, view
// COUNT-NEXT: # perm_table_u8: 4 beyond the access, 1 scratch, flags, table
// COUNT-NEXT: # granule_table_u8: 4 beyond the access, 1 scratch, flags
// COUNT-NEXT: # granule_table_far_u8: 5 beyond the access, 2 scratch, flags
// COUNT-NEXT: # granule_bitmap_u8: 7 beyond the access, 2 scratch, flags, table
// COUNT-NEXT: # immediate_bitmap_u8: 7 beyond the access, 2 scratch, flags
// COUNT-NEXT: # paged: 1 beyond the access, 1 scratch
// COUNT-NEXT: # paged_base_0: 0 beyond the access, 0 scratch
// COUNT-NEXT: # paged_base: 0 beyond the access, 0 scratch
// COUNT-NEXT: # big_load: 2 beyond the access, 0 scratch, flags
// COUNT-NEXT: # big_store: 2 beyond the access, 1 scratch
// COUNT-NEXT: # big_store_movbe: 0 beyond the access, 0 scratch
// COUNT-NEXT: # stale: 2 beyond the access, 0 scratch, flags, view
// COUNT-NEXT: # always_fault: 1 beyond the access, 0 scratch
// COUNT-NEXT: # always_allowed: 0 beyond the access, 0 scratch
// COUNT-NEXT: # check_only: 3 beyond the access, 1 scratch, flags

static const mf_inline_registers REGISTERS = {.base = MF_RDI,
                                              .index = MF_RSI,
                                              .value = MF_RAX,
                                              .view = MF_RBX,
                                              .table = MF_RBP,
                                              .scratch = {MF_RCX, MF_RDX}};

static void must(mf_status status, const mf_diag *diag) {
    if (status == MF_OK)
        return;
    fprintf(stderr, "%s\n", diag->message);
    exit(1);
}

static mf_plan plan_of(const shape *s) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_plan plan;
    mf_diag diag;
    must(mf_layout_builder_set_heap(builder, s->heap.base, s->heap.max_pages, &diag), &diag);
    for (size_t i = 0; i < 4 && s->regions[i].size > 0; i++)
        must(mf_layout_builder_map_region(builder, s->regions[i].start, s->regions[i].size,
                                          s->regions[i].access, NULL, 0, &diag),
             &diag);
    must(mf_layout_builder_finish(builder, &layout, NULL, &diag), &diag);
    must(mf_plan_make(layout, s->id, &s->options, &plan, &diag), &diag);
    mf_layout_builder_destroy(builder);
    mf_layout_release(layout);
    return plan;
}

/* As assembly: the bytes under the shape's name, and what is claimed of them. */
static void print_shape(const shape *s) {
    unsigned char code[MF_INLINE_BYTES_MAX];
    mf_inline_need need;
    mf_inline_result result;
    mf_diag diag;
    mf_plan plan = plan_of(s);
    must(mf_inline_needs(&plan, &s->inline_options, &need, &diag), &diag);
    must(mf_inline_emit(&plan, &s->inline_options, &REGISTERS, code, sizeof code, &result, &diag), &diag);
    bool has_access = result.access_offset < result.byte_count;
    printf("# %s: %u beyond the access, %u scratch%s%s%s\n", s->name, result.instruction_count - has_access,
           need.scratch_count, need.flags ? ", flags" : "", need.view ? ", view" : "",
           need.table ? ", table" : "");
    printf("%s:\n", s->name);
    for (uint32_t i = 0; i < result.byte_count; i++)
        printf(".byte 0x%02x\n", code[i]);
}

int main(void) {
    for (size_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++)
        print_shape(&SHAPES[i]);
    return 0;
}
