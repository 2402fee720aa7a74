/*
 * Inlined accesses written by hand, right but for one trick that LLVM does not play: what would be left in
 * vector registers across a call, moves that fault where they are not aligned, halves of which the MMU has
 * seen one, questions that are not put as they ought to be. None is proved. Right ones beside them are.
 *
 * RUN: %cc -I%source/gen -I%S/lib %s -o %t %verify %gen && %t | FileCheck %s
 *
 * CHECK: right: proved
 * CHECK-NEXT: in two halves: proved
 * CHECK-NEXT: the upper half first: proved
 * CHECK-NEXT: a half twice: refuted, accesses the guest more than once
 * CHECK-NEXT: halves with a gap: refuted, accesses another number of bytes
 * CHECK-NEXT: halves at unrelated places: refuted, accesses the guest more than once
 * CHECK-NEXT: a byte too many: refuted, accesses another number of bytes
 * CHECK-NEXT: a copy by SSE: proved
 * CHECK-NEXT: a word by VEX: refuted, returns another value
 * CHECK-NEXT: an aligned move of the guest: not proved, operands that the model does not know {{.*}}
 * CHECK-NEXT: a move by EVEX: proved
 * CHECK-NEXT: a move by EVEX of a size that there is not: not proved, an instruction that {{.*}}
 * CHECK-NEXT: an aligned spill: proved
 * CHECK-NEXT: a spill that is not aligned: not proved, operands that the model does not know {{.*}}
 * CHECK-NEXT: right with an exception entry: proved
 * CHECK-NEXT: a half with an exception entry: refuted, accesses another number of bytes
 * CHECK-NEXT: right with a trap: proved
 * CHECK-NEXT: two halves with a trap: refuted, goes on although the access is not allowed
 * CHECK-NEXT: right after a question: proved
 * CHECK-NEXT: a vector kept across a question: refuted, stores another value
 * CHECK-NEXT: an index kept in rsi across a question: refuted, {{.*}}
 * CHECK-NEXT: a question on a stack that is not aligned: refuted, calls the runtime on a stack that is not aligned
 * CHECK-NEXT: a question about the other view: refuted, asks about another view
 * CHECK-NEXT: a question twice: refuted, asks the runtime twice
 * CHECK-NEXT: a question after the access: refuted, {{.*}}
 * CHECK-NEXT: right address: proved
 * CHECK-NEXT: an address that is touched: refuted, accesses the guest
 */
#include "verify/code.h"

#include "scenes.h"

#include <string.h>

/* Of 16 bytes, for the window from 0x20000 to 0x21000. */
#define CHECK                                                                                                \
    "lea -0x20000(%rsi), %eax\n cmp $0xff0, %eax\n ja 1f\n"                                                  \
    "mov %esi, %esi\n mov (%rdi), %rax\n"
#define WHOLE "movups (%rax, %rsi), %xmm0\n"
#define DONE "xor %eax, %eax\n ret\n"
#define CALL(word) ".byte 0xff, 0x15\n .long " word " - . - 4\n"
#define FAULT                                                                                                \
    "1: push %rax\n mov %esi, %esi\n mov $32, %edx\n xor %ecx, %ecx\n" CALL("trick_fault") "pop %rcx\n "     \
                                                                                           "ret\n"
#define ADDRESS_FAULT                                                                                        \
    "1: push %rax\n mov %esi, %esi\n mov $32, %edx\n xor %ecx, %ecx\n" CALL(                                 \
        "trick_fault") "mov %eax, %edx\n pop %rcx\n ret\n"
#define PAGED "mov %esi, %esi\n mov (%rdi), %rax\n"

/* A store whose range the runtime is asked about: the view is kept in rbx, the index in rbp. */
#define BEGIN(bytes) "push %rbx\n push %rbp\n sub $" bytes ", %rsp\n mov %rdi, %rbx\n mov %esi, %ebp\n"
#define END(bytes) "add $" bytes ", %rsp\n pop %rbp\n pop %rbx\n ret\n"
#define ASK "mov %rbp, %rsi\n mov $33, %edx\n" CALL("trick_accessible") "test %eax, %eax\n je 1f\n"
#define SPILL "movups %xmm0, (%rsp)\n"
#define FILL "movups (%rsp), %xmm0\n"
#define WRITE "mov (%rbx), %rax\n movups %xmm0, (%rax, %rbp)\n"
#define STORE_FAULT(bytes)                                                                                   \
    "1: mov %rbx, %rdi\n mov %rbp, %rsi\n mov $33, %edx\n xor %ecx, %ecx\n" CALL("trick_fault") END(bytes)
#define STORED(bytes) "xor %eax, %eax\n" END(bytes) STORE_FAULT(bytes)

#define TRICKS(X)                                                                                            \
    X(LOAD, "right", CHECK WHOLE DONE FAULT)                                                                 \
    X(LOAD, "in two halves", CHECK "movlps (%rax, %rsi), %xmm0\n movhps 8(%rax, %rsi), %xmm0\n" DONE FAULT)  \
    X(LOAD, "the upper half first",                                                                          \
      CHECK "movhps 8(%rax, %rsi), %xmm0\n movlps (%rax, %rsi), %xmm0\n" DONE FAULT)                         \
    X(LOAD, "a half twice", CHECK "movlps (%rax, %rsi), %xmm1\n" WHOLE DONE FAULT)                           \
    X(LOAD, "halves with a gap",                                                                             \
      CHECK "movlps (%rax, %rsi), %xmm0\n movhps 9(%rax, %rsi), %xmm0\n" DONE FAULT)                         \
    X(LOAD, "halves at unrelated places",                                                                    \
      CHECK "movlps (%rax, %rsi), %xmm0\n movhps (%rax, %rsi, 2), %xmm0\n" DONE FAULT)                       \
    X(LOAD, "a byte too many", CHECK WHOLE "movzbl 16(%rax, %rsi), %ecx\n" DONE FAULT)                       \
    X(LOAD, "a copy by SSE", CHECK "movups (%rax, %rsi), %xmm1\n movaps %xmm1, %xmm0\n" DONE FAULT)          \
    X(LOAD, "a word by VEX", CHECK WHOLE "vmovq %xmm0, %xmm0\n" DONE FAULT)                                  \
    X(LOAD, "an aligned move of the guest", CHECK "movaps (%rax, %rsi), %xmm0\n" DONE FAULT)                 \
    X(LOAD, "a move by EVEX", CHECK WHOLE ".byte 0x62, 0xf1, 0x7c, 0x48, 0x10, 0xc8\n" DONE FAULT)           \
    X(LOAD, "a move by EVEX of a size that there is not",                                                    \
      CHECK WHOLE ".byte 0x62, 0xf1, 0x7c, 0x68, 0x10, 0xc8\n" DONE FAULT)                                   \
    X(LOAD, "an aligned spill",                                                                              \
      CHECK WHOLE                                                                                            \
      "sub $24, %rsp\n movaps %xmm0, (%rsp)\n movaps (%rsp), %xmm0\n add $24, %rsp\n" DONE FAULT)            \
    X(LOAD, "a spill that is not aligned",                                                                   \
      CHECK WHOLE "sub $24, %rsp\n movaps %xmm0, 8(%rsp)\n add $24, %rsp\n" DONE FAULT)                      \
    X(PAGED_LOAD, "right with an exception entry",                                                           \
      PAGED "trick_whole: " WHOLE DONE "trick_whole_out: " FAULT)                                            \
    X(PAGED_LOAD, "a half with an exception entry",                                                          \
      PAGED "trick_half: movlps (%rax, %rsi), %xmm0\n movhps 8(%rax, %rsi), %xmm0\n" DONE                    \
            "trick_half_out: " FAULT)                                                                        \
    X(TRAP_LOAD, "right with a trap", PAGED WHOLE "ret\n")                                                   \
    X(TRAP_LOAD, "two halves with a trap",                                                                   \
      PAGED "movlps (%rax, %rsi), %xmm0\n movhps 8(%rax, %rsi), %xmm0\n ret\n")                              \
    X(STORE, "right after a question", BEGIN("24") SPILL ASK FILL WRITE STORED("24"))                        \
    X(STORE, "a vector kept across a question", BEGIN("24") SPILL ASK WRITE STORED("24"))                    \
    X(STORE, "an index kept in rsi across a question",                                                       \
      BEGIN("24") SPILL ASK FILL "mov (%rbx), %rax\n movups %xmm0, (%rax, %rsi)\n" STORED("24"))             \
    X(STORE, "a question on a stack that is not aligned",                                                    \
      BEGIN("16") SPILL ASK FILL WRITE "xor %eax, %eax\n" END("16") "1: sub $8, %rsp\n" STORE_FAULT("24"))   \
    X(STORE, "a question about the other view",                                                              \
      BEGIN("24") SPILL "lea 96(%rdi), %rdi\n" ASK FILL WRITE STORED("24"))                                  \
    X(STORE, "a question twice", BEGIN("24") SPILL ASK "mov %rbx, %rdi\n" ASK FILL WRITE STORED("24"))       \
    X(STORE, "a question after the access",                                                                  \
      BEGIN("24") "mov (%rbx), %rax\n movups %xmm0, (%rax, %rbp)\n" ASK STORED("24"))                        \
    X(ADDRESS, "right address", CHECK "add %rsi, %rax\n xor %edx, %edx\n ret\n" ADDRESS_FAULT)               \
    X(ADDRESS, "an address that is touched",                                                                 \
      CHECK "add %rsi, %rax\n movzbl (%rax), %ecx\n xor %edx, %edx\n ret\n" ADDRESS_FAULT)

/* What the tricks use, their code, and a list of where each begins. */
/* Compilers need not take so long a text, says C; both do. */
#pragma GCC diagnostic ignored "-Woverlength-strings"

__asm__(".section .rodata\n .balign 4\n"
        ".globl trick_entries\n trick_entries: .long trick_whole - ., trick_whole_out - .\n"
        ".long trick_half - ., trick_half_out - .\n"
        ".section .data.rel.ro, \"aw\"\n .balign 8\n trick_fault: .quad mf_rt_fault_v3\n"
        "trick_accessible: .quad mf_rt_accessible_v3\n"
        ".text\n"
#define X(kind, name, code)                                                                                  \
    ".balign 16\n 999: " code ".pushsection .data.rel.ro, \"aw\"\n .quad 999b\n .popsection\n"
        ".pushsection .data.rel.ro, \"aw\"\n .globl trick_code\n trick_code:\n .popsection\n" TRICKS(X)
#undef X
);

extern const mf_exception_entry trick_entries[2];
extern const uint64_t trick_code[];

typedef enum kind { LOAD, PAGED_LOAD, TRAP_LOAD, STORE, ADDRESS } kind;

typedef struct trick {
    kind kind;
    const char *name;
} trick;

static const trick LIST[] = {
#define X(kind, name, code) {kind, name},
    TRICKS(X)
#undef X
};

static void print(const char *name, const mf_verify_result *r) {
    const char *did = r->counterexample.did;
    printf("%s: %s", name, mf_verdict_name(r->verdict));
    if (r->verdict == MF_VERDICT_REFUTED)
        printf(", %.*s", (int)strcspn(did, ":"), did);
    else if (r->verdict == MF_VERDICT_NOT_PROVED)
        printf(", %s", r->reason);
    printf("\n");
}

/* Each field is an address relative to itself. */
static verify_entry entry_of(const mf_exception_entry *e) {
    return (verify_entry){(uint64_t)(uintptr_t)&e->fault + (uint64_t)(int64_t)e->fault,
                          (uint64_t)(uintptr_t)&e->resume + (uint64_t)(int64_t)e->resume};
}

static void try_trick(size_t number) {
    static const scene WINDOW = {.regions = {{0x20000, 0x1000, MF_READ_WRITE}}};
    const trick *t = &LIST[number];
    const mf_accessor_options options = {
        .backend = t->kind == PAGED_LOAD || t->kind == TRAP_LOAD ? MF_BACKEND_X86_PAGED : MF_BACKEND_COPY,
        .on_fault = t->kind == TRAP_LOAD ? MF_ON_FAULT_TRAP : MF_ON_FAULT_RETURN};
    const verify_entry entries[] = {entry_of(&trick_entries[0]), entry_of(&trick_entries[1])};
    verify_code code = {.is_of_process = true, .entries = entries, .entry_count = 2};
    const verify_function function = {.id = MF_ACCESSOR_COUNT,
                                      .entry = trick_code[number],
                                      .access = {t->kind == STORE ? MF_STORE : MF_LOAD, 16, 128, false},
                                      .value =
                                          t->kind == ADDRESS ? VERIFY_VALUE_ADDRESS : VERIFY_VALUE_VECTORS,
                                      .vector_bytes = 16,
                                      .is_embedded = true};
    mf_layout *layout = scene_layout(&WINDOW);
    verify_prover *prover;
    mf_verify_result result;
    verify_code_set_runtime(&code);
    scene_must(verify_prover_create(layout, &options, NULL, &prover, NULL) == MF_OK, "verify_prover_create");
    scene_must(verify_prover_prove_function(prover, &code, &function, &result, NULL, NULL) == MF_OK,
               "verify_prover_prove_function");
    print(t->name, &result);
    verify_prover_destroy(prover);
    mf_layout_release(layout);
}

int main(void) {
    for (size_t i = 0; i < sizeof LIST / sizeof LIST[0]; i++)
        try_trick(i);
    return 0;
}
