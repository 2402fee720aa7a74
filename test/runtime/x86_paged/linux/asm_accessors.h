/*
 * Accessors in assembly, as code made by others would have them: one access each, an entry in the exception
 * table, and a fault edge that calls the classifier. Included once per program.
 */
#ifndef MEMFOLD_TEST_ASM_ACCESSORS_H
#define MEMFOLD_TEST_ASM_ACCESSORS_H

#include "../../support.h"

#include <memfold/exception_table.h>

/* The linker's bounds of this program's table. */
extern const mf_exception_entry __start_mf_extable[];
extern const mf_exception_entry __stop_mf_extable[];

/* An entry of the table for the instruction at local label 1, which continues at local label 2. */
#define EXTABLE_ENTRY                                                                                        \
    ".pushsection mf_extable,\"aR\",@progbits\n"                                                             \
    ".balign 4\n"                                                                                            \
    ".long 1b - .\n"                                                                                         \
    ".long 2b - .\n"                                                                                         \
    ".popsection\n"

/* The fault edge: classifies, and returns value 0 and the status as a load does, or the status as a store. */
#define FAULT_EDGE(access, status)                                                                           \
    "2: subq $8, %rsp\n"                                                                                     \
    "movl $" #access ", %edx\n"                                                                              \
    "xorl %ecx, %ecx\n"                                                                                      \
    "call mf_rt_fault_v3@PLT\n"                                                                              \
    "addq $8, %rsp\n" status "ret\n"

#define ASM_FUNCTION(name, body)                                                                             \
    __asm__(".text\n.globl " #name "\n.type " #name ", @function\n" #name ":\n" body ".size " #name          \
            ", . - " #name "\n");

#define ASM_LOAD(name, access, instruction)                                                                  \
    ASM_FUNCTION(name, "movq (%rdi), %rax\n"                                                                 \
                       "1: " instruction "\n"                                                                \
                       "xorl %edx, %edx\n"                                                                   \
                       "ret\n" FAULT_EDGE(access, "movl %eax, %edx\nxorl %eax, %eax\n") EXTABLE_ENTRY)       \
    mf_load_result name(mf_view *view, uint64_t index);

#define ASM_STORE(name, access, instruction)                                                                 \
    ASM_FUNCTION(name, "movq (%rdi), %rax\n"                                                                 \
                       "1: " instruction "\n"                                                                \
                       "xorl %eax, %eax\n"                                                                   \
                       "ret\n" FAULT_EDGE(access, "") EXTABLE_ENTRY)                                         \
    uint32_t name(mf_view *view, uint64_t index, uint64_t value);

/* The access code of abi.h: twice the length, plus 1 for a store. */
ASM_LOAD(asm_load_u8, 2, "movzbl (%rax,%rsi), %eax")
ASM_LOAD(asm_load_u16, 4, "movzwl (%rax,%rsi), %eax")
ASM_LOAD(asm_load_u32, 8, "movl (%rax,%rsi), %eax")
ASM_LOAD(asm_load_u64, 16, "movq (%rax,%rsi), %rax")
ASM_STORE(asm_store_u8, 3, "movb %dl, (%rax,%rsi)")
ASM_STORE(asm_store_u16, 5, "movw %dx, (%rax,%rsi)")
ASM_STORE(asm_store_u32, 9, "movl %edx, (%rax,%rsi)")
ASM_STORE(asm_store_u64, 17, "movq %rdx, (%rax,%rsi)")

typedef struct asm_width {
    uint32_t bytes;
    mf_load_result (*load)(mf_view *view, uint64_t index);
    uint32_t (*store)(mf_view *view, uint64_t index, uint64_t value);
} asm_width;

static const asm_width asm_widths[] = {
    {1, asm_load_u8, asm_store_u8},
    {2, asm_load_u16, asm_store_u16},
    {4, asm_load_u32, asm_store_u32},
    {8, asm_load_u64, asm_store_u64},
};

#define ASM_WIDTH_COUNT (sizeof asm_widths / sizeof asm_widths[0])

static inline void register_accessors(void) {
    expect_ok(mf_exception_table_register(__start_mf_extable,
                                          (size_t)(__stop_mf_extable - __start_mf_extable), NULL));
}

static inline void unregister_accessors(void) {
    mf_exception_table_unregister(__start_mf_extable);
}

#endif
