/*
 * Accessors written by hand, each right but for one trick that a call does not show, or not on this CPU: what
 * a signal or an interrupt would write over, flags that C relies on, reads of what is no table, mispredicted
 * ways that no condition ever takes, hints that do something elsewhere. None is proved. Right ones beside
 * them are.
 *
 * RUN: %cc -I%S/lib %s -o %t %verify %gen && %t | FileCheck %s
 *
 * CHECK: right: proved
 * CHECK-NEXT: a stack pointer above the entry's: refuted, moves the stack pointer out of its own part of the stack
 * CHECK-NEXT: a write below the stack pointer, which is above: refuted, moves the stack pointer {{.*}}
 * CHECK-NEXT: a stack pointer in the view: refuted, moves the stack pointer {{.*}}
 * CHECK-NEXT: a stack pointer far below: refuted, moves the stack pointer {{.*}}
 * CHECK-NEXT: a read below the stack pointer: refuted, reads below the stack pointer
 * CHECK-NEXT: a write below the stack pointer: refuted, writes below the stack pointer
 * CHECK-NEXT: the direction flag set: refuted, returns with the direction flag set
 * CHECK-NEXT: the direction flag set on the way of a fault: refuted, returns with the direction flag set
 * CHECK-NEXT: the direction flag set at a call: refuted, calls the runtime with the direction flag set
 * CHECK-NEXT: the direction flag set and cleared: proved
 * CHECK-NEXT: bndstx: not proved, an instruction that the model does not know ({{nop|bndstx}} {{.*}}
 * CHECK-NEXT: cldemote: not proved, an instruction that the model does not know ({{nop|cldemote}} {{.*}}
 * CHECK-NEXT: lock nop: not proved, an instruction that the model does not know (lock nop {{.*}}
 * CHECK-NEXT: lock lea behind a REX: not proved, an instruction that the model does not know (lea {{.*}}
 * CHECK-NEXT: a REX that is not the last prefix: not proved, an instruction that the model does not know (lea {{.*}}
 * CHECK-NEXT: a far call: not proved, an instruction that the model does not know {{.*}}
 * CHECK-NEXT: rdsspd: not proved, an instruction that the model does not know {{.*}}
 * CHECK-NEXT: endbr64 behind a REX: not proved, an instruction that the model does not know {{.*}}
 * CHECK-NEXT: shlx behind 66: not proved, an instruction that the model does not know (shlx {{.*}}
 * CHECK-NEXT: shlx behind 67: proved
 * CHECK-NEXT: endbr64: proved
 * CHECK-NEXT: padding: proved
 * CHECK-NEXT: a call that a linker has made direct: proved
 * CHECK-NEXT: right with a mask: proved
 * CHECK-NEXT: a second access on a way never taken: refuted, accesses the guest more than once, speculative
 * CHECK-NEXT: a read of the view on a way never taken: refuted, reads the view where {{.*}}, speculative
 * CHECK-NEXT: a jump on a way never taken: refuted, jumps to an address that is computed, speculative
 * CHECK-NEXT: ud2 on a way never taken: proved
 * CHECK-NEXT: another access on a way never taken: refuted, does not mask {{.*}}, speculative
 * CHECK-NEXT: another access on a way never taken, where it is allowed: refuted, does not mask {{.*}}, speculative
 * CHECK-NEXT: a wider access on a way never taken: refuted, accesses more bytes than it may, speculative
 * CHECK-NEXT: a return to data on a way never taken: refuted, the stack pointer {{.*}}, speculative
 * CHECK-NEXT: right with a table: proved
 * CHECK-NEXT: a table at 0 before it: refuted, looks up what is no table
 * CHECK-NEXT: a table in the guest: refuted, looks up what is no table
 * CHECK-NEXT: a constant in the guest: refuted, reads the guest at a constant address
 * CHECK-NEXT: right with a trap: proved
 * CHECK-NEXT: an exception entry of a trap: refuted, an access that traps has an exception entry
 * CHECK-NEXT: right with an exception entry: proved
 * CHECK-NEXT: two exception entries that differ: not proved, the code is not readable{{.*}}
 */
#include "scenes.h"

#include <memfold/exception_table.h>
#include <memfold/verify.h>

#include <string.h>

/* Of load_u32, for the window from 0x20000 to 0x21000; and of a byte, by a table. */
#define CHECK                                                                                                \
    "lea -0x20000(%rsi), %eax\n cmp $0xffc, %eax\n ja 1f\n"                                                  \
    "mov %esi, %esi\n mov (%rdi), %rax\n"
#define CHECK_MASKED                                                                                         \
    "mov %esi, %esi\n mov (%rdi), %rax\n lea -0x20000(%rsi), %ecx\n cmp $0xffc, %ecx\n"                      \
    "mov $0x20000, %edx\n mov %rsi, %r8\n cmova %rdx, %r8\n ja 1f\n"
#define CHECK_TABLE                                                                                          \
    "lea trick_table(%rip), %r8\n movzbl (%r8, %rax), %ecx\n test %ecx, %ecx\n je 1f\n mov %esi, %esi\n"
#define DONE "mov (%rax, %rsi), %eax\n xor %edx, %edx\n ret\n"
#define DONE_MASKED "mov (%rax, %r8), %eax\n xor %edx, %edx\n ret\n"
#define DONE_BYTE "movzbl (%rax, %rsi), %eax\n xor %edx, %edx\n ret\n"
#define NEVER "cmp %eax, %eax\n jne 2f\n"
#define GRANULE "mov %esi, %eax\n shr $29, %eax\n"
/* The call is written as bytes: no linker changes it. */
#define FAULT_OF(code, call)                                                                                 \
    "1: push %rax\n mov %esi, %esi\n mov $" code ", %edx\n xor %ecx, %ecx\n" call "mov %eax, %edx\n"         \
    "xor %eax, %eax\n pop %rcx\n ret\n"
#define BY_WORD ".byte 0xff, 0x15\n .long trick_word - . - 4\n"
#define FAR ".byte 0xff, 0x1d\n .long trick_word - . - 4\n"
#define DIRECT ".byte 0x67, 0xe8\n .long mf_rt_fault_v3 - . - 4\n"
#define PAGED(at) "mov %esi, %esi\n mov (%rdi), %rax\n " at ": " DONE at "_resume: "
#define FAULT FAULT_OF("8", BY_WORD)
#define BYTE_FAULT FAULT_OF("2", BY_WORD)

#define TRICKS(X)                                                                                            \
    X(0, LOAD_U32, "right", CHECK DONE FAULT)                                                                \
    X(0, LOAD_U32, "a stack pointer above the entry's", CHECK "add $8, %rsp\n sub $8, %rsp\n" DONE FAULT)    \
    X(0, LOAD_U32, "a write below the stack pointer, which is above",                                        \
      CHECK "lea 8(%rsp), %rsp\n mov %rax, -16(%rsp)\n lea -8(%rsp), %rsp\n" DONE FAULT)                     \
    X(0, LOAD_U32, "a stack pointer in the view",                                                            \
      CHECK "mov %rsp, %r8\n mov %rdi, %rsp\n mov %r8, %rsp\n" DONE FAULT)                                   \
    X(0, LOAD_U32, "a stack pointer far below",                                                              \
      CHECK "lea -0x100000(%rsp), %rsp\n lea 0x100000(%rsp), %rsp\n" DONE FAULT)                             \
    X(0, LOAD_U32, "a read below the stack pointer",                                                         \
      CHECK "push %rax\n pop %rcx\n mov -8(%rsp), %rax\n" DONE FAULT)                                        \
    X(0, LOAD_U32, "a write below the stack pointer", CHECK "mov %rax, -8(%rsp)\n" DONE FAULT)               \
    X(0, LOAD_U32, "the direction flag set", CHECK "std\n" DONE FAULT)                                       \
    X(0, LOAD_U32, "the direction flag set on the way of a fault",                                           \
      CHECK DONE FAULT_OF("8", BY_WORD "std\n"))                                                             \
    X(0, LOAD_U32, "the direction flag set at a call", CHECK DONE FAULT_OF("8", "std\n" BY_WORD "cld\n"))    \
    X(0, LOAD_U32, "the direction flag set and cleared", CHECK "std\n cld\n" DONE FAULT)                     \
    X(0, LOAD_U32, "bndstx", CHECK ".byte 0x0f, 0x1b, 0x00\n" DONE FAULT)                                    \
    X(0, LOAD_U32, "cldemote", CHECK ".byte 0x0f, 0x1c, 0x00\n" DONE FAULT)                                  \
    X(0, LOAD_U32, "lock nop", CHECK ".byte 0xf0, 0x0f, 0x1f, 0x00\n" DONE FAULT)                            \
    X(0, LOAD_U32, "lock lea behind a REX", CHECK ".byte 0x40, 0xf0, 0xf3, 0x8d, 0x0f\n" DONE FAULT)         \
    X(0, LOAD_U32, "a REX that is not the last prefix", CHECK ".byte 0x48, 0x66, 0x8d, 0x0f\n" DONE FAULT)   \
    X(0, LOAD_U32, "a far call", CHECK DONE FAULT_OF("8", FAR))                                              \
    X(0, LOAD_U32, "rdsspd", CHECK ".byte 0xf3, 0x0f, 0x1e, 0xc8\n" DONE FAULT)                              \
    X(0, LOAD_U32, "endbr64 behind a REX", ".byte 0xf3, 0x48, 0x0f, 0x1e, 0xfa\n" CHECK DONE FAULT)          \
    X(0, LOAD_U32, "shlx behind 66", CHECK ".byte 0x66, 0xc4, 0xe2, 0xf9, 0xf7, 0xd0\n" DONE FAULT)          \
    X(0, LOAD_U32, "shlx behind 67", CHECK ".byte 0x67, 0xc4, 0xe2, 0xf9, 0xf7, 0xd0\n" DONE FAULT)          \
    X(0, LOAD_U32, "endbr64", ".byte 0xf3, 0x0f, 0x1e, 0xfa\n" CHECK DONE FAULT)                             \
    X(0, LOAD_U32, "padding",                                                                                \
      CHECK ".byte 0x90, 0x66, 0x90, 0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0\n" DONE FAULT)        \
    X(0, LOAD_U32, "a call that a linker has made direct", CHECK DONE FAULT_OF("8", DIRECT))                 \
    X(1, LOAD_U32, "right with a mask", CHECK_MASKED DONE_MASKED FAULT)                                      \
    X(1, LOAD_U32, "a second access on a way never taken",                                                   \
      CHECK_MASKED "mov (%rax, %r8), %r9d\n" NEVER "mov %r9d, %eax\n xor %edx, %edx\n ret\n"                 \
                   "2: mov (%rax, %rsi, 8), %eax\n ret\n" FAULT)                                             \
    X(1, LOAD_U32, "a read of the view on a way never taken",                                                \
      CHECK_MASKED NEVER DONE_MASKED "2: mov 0x40(%rdi), %rax\n mov (%rax), %eax\n ret\n" FAULT)             \
    X(1, LOAD_U32, "a jump on a way never taken", CHECK_MASKED NEVER DONE_MASKED "2: jmp *%rsi\n" FAULT)     \
    X(1, LOAD_U32, "ud2 on a way never taken", CHECK_MASKED NEVER DONE_MASKED "2: ud2\n" FAULT)              \
    X(1, LOAD_U32, "another access on a way never taken",                                                    \
      CHECK_MASKED NEVER DONE_MASKED "2: mov (%rax, %rsi, 8), %eax\n ret\n" FAULT)                           \
    X(1, LOAD_U32, "another access on a way never taken, where it is allowed",                               \
      CHECK_MASKED NEVER DONE_MASKED "2: lea -0x20000(%r8), %rcx\n shl $20, %rcx\n"                          \
                                     "mov 0x20000(%rax, %rcx), %eax\n ret\n" FAULT)                          \
    X(1, LOAD_U32, "a wider access on a way never taken",                                                    \
      CHECK_MASKED NEVER DONE_MASKED "2: mov (%rax, %r8), %rax\n ret\n" FAULT)                               \
    X(1, LOAD_U32, "a return to data on a way never taken",                                                  \
      CHECK_MASKED NEVER DONE_MASKED "2: push %rsi\n ret\n" FAULT)                                           \
    X(2, LOAD_U8, "right with a table", GRANULE CHECK_TABLE "mov (%rdi), %rax\n" DONE_BYTE BYTE_FAULT)       \
    X(2, LOAD_U8, "a table at 0 before it",                                                                  \
      GRANULE "movzbl (%rax), %ecx\n" CHECK_TABLE "mov (%rdi), %rax\n" DONE_BYTE BYTE_FAULT)                 \
    X(3, LOAD_U8, "a table in the guest",                                                                    \
      GRANULE CHECK_TABLE "lea trick_table(%rip), %rax\n" DONE_BYTE BYTE_FAULT)                              \
    X(3, LOAD_U8, "a constant in the guest",                                                                 \
      "mov %esi, %ecx\n shr $29, %ecx\n movzbl trick_bits(%rip), %edx\n bt %ecx, %edx\n jae 1f\n"            \
      "mov %esi, %esi\n lea trick_table(%rip), %rax\n" DONE_BYTE BYTE_FAULT)                                 \
    X(4, LOAD_U32, "right with a trap",                                                                      \
      "mov %esi, %esi\n mov (%rdi), %rax\n mov (%rax, %rsi), %eax\n ret\n")                                  \
    X(4, LOAD_U32, "an exception entry of a trap",                                                           \
      "mov %esi, %esi\n mov (%rdi), %rax\n trick_access: mov (%rax, %rsi), %eax\n trick_resume: ret\n")      \
    X(5, LOAD_U32, "right with an exception entry", PAGED("trick_once") FAULT)                               \
    X(5, LOAD_U32, "two exception entries that differ", PAGED("trick_twice") FAULT)

/* What the tricks use, their code, and a list of where each begins. */
/* Compilers need not take so long a text, says C; both do. */
#pragma GCC diagnostic ignored "-Woverlength-strings"

__asm__(".section .rodata\n .balign 8\n"
        ".globl trick_table\n trick_table: .byte 1, 1, 0, 0, 1, 0, 1, 0\n"
        "trick_bits: .byte 0x53\n"
        ".balign 4\n .globl trick_entries\n trick_entries: .long trick_access - ., trick_resume - .\n"
        ".long trick_once - ., trick_once_resume - .\n"
        ".long trick_twice - ., trick_twice_resume - .\n"
        ".long trick_twice - ., trick_once_resume - .\n"
        ".section .data.rel.ro, \"aw\"\n .balign 8\n trick_word: .quad mf_rt_fault_v3\n"
        ".text\n"
#define X(kind, id, name, code)                                                                              \
    ".balign 16\n 999: " code ".pushsection .data.rel.ro, \"aw\"\n .quad 999b\n .popsection\n"
        ".pushsection .data.rel.ro, \"aw\"\n .globl trick_code\n trick_code:\n .popsection\n" TRICKS(X)
#undef X
);

extern const uint8_t trick_table[8];
extern const mf_exception_entry trick_entries[4];
extern mf_accessor_fn *const trick_code[];

typedef struct trick {
    uint32_t kind;
    mf_accessor_id id;
    const char *name;
} trick;

static const trick LIST[] = {
#define X(kind, id, name, code) {kind, MF_##id, name},
    TRICKS(X)
#undef X
};

static const scene WINDOW = {.regions = {{0x20000, 0x1000, MF_READ_WRITE}}};
static const scene GRANULES = {.regions = {{0, 0x40000000, MF_READ_WRITE},
                                           {0x80000000, 0x20000000, MF_READ_WRITE},
                                           {0xc0000000, 0x20000000, MF_READ_WRITE}}};

/* By kind: a window, the same with a mask, a table, the table in the guest, the MMU with a trap and without
 * one. */
static mf_accessor_options options_of(uint32_t kind) {
    mf_accessor_options options = {0};
    if (kind == 1)
        options.spectre = MF_SPECTRE_MASK;
    if (kind == 3) {
        options.base = MF_BASE_CONSTANT;
        options.base_address = (uint64_t)(uintptr_t)trick_table;
    }
    if (kind >= 4)
        options.backend = MF_BACKEND_X86_PAGED;
    if (kind == 4)
        options.on_fault = MF_ON_FAULT_TRAP;
    return options;
}

static void print(const char *name, const mf_verify_result *r) {
    const char *did = r->counterexample.did;
    printf("%s: %s", name, mf_verdict_name(r->verdict));
    if (r->verdict == MF_VERDICT_REFUTED)
        printf(", %.*s%s", (int)strcspn(did, ":"), did,
               r->counterexample.is_speculative ? ", speculative" : "");
    else if (r->verdict == MF_VERDICT_NOT_PROVED)
        printf(", %s", r->reason);
    printf("\n");
}

static void try_trick(size_t number) {
    const trick *t = &LIST[number];
    mf_accessor_options options = options_of(t->kind);
    mf_layout *layout = scene_layout(t->kind == 2 || t->kind == 3 ? &GRANULES : &WINDOW);
    mf_accessors accessors;
    static mf_verify_report report;
    mf_diag diag = {0};
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        memcpy((char *)&accessors + sizeof trick_code[0] * id, &trick_code[number], sizeof trick_code[0]);
    const mf_verify_subject subject = {&accessors, trick_entries, 4};
    scene_must(mf_verify_accessors(layout, &options, &subject, NULL, &report, &diag) == MF_OK, diag.message);
    print(t->name, &report.results[t->id]);
    mf_layout_release(layout);
}

int main(void) {
    for (size_t i = 0; i < sizeof LIST / sizeof LIST[0]; i++)
        try_trick(i);
    return 0;
}
