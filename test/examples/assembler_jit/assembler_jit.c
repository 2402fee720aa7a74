/*
 * A JIT with an assembler of its own: guest code of four instructions becomes x86-64, and each load of the
 * guest is the bytes that memfold gives for the registers named here. No LLVM, no call for an access, and one
 * fault block for all.
 *
 *     $ cc -O2 assembler_jit.c $(pkg-config --cflags --libs memfold-jit) -o assembler_jit
 *     $ ./assembler_jit
 */
#include <memfold/inline.h>
#include <memfold/memory.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { ADD, ADD_CONSTANT, LOAD, BRANCH_IF_NOT_EQUAL, END, REGISTERS = 4, MOST = 16, CODE_BYTES = 4096 };

/* ADD to, from; ADD_CONSTANT to, constant; LOAD to, [from + constant]; BRANCH to, from, instruction; END. */
typedef struct instruction {
    uint8_t operation, to, from;
    uint32_t constant;
} instruction;

/* Returns the kind of the fault, or 0; the guest's registers are read before and written afterwards. */
typedef uint32_t guest_code(mf_view *view, uint32_t registers[REGISTERS]);

/* The guest's registers are ebx, r12d, r13d and r14d; r15 has the view, rbp the base, rsi the index. */
static const uint8_t HOST[REGISTERS] = {3, 12, 13, 14};

typedef struct assembler {
    uint8_t *code;
    uint32_t at, leave, entry;
    uint32_t starts[MOST]; /* of the instructions; right from the second pass on */
} assembler;

static void put(assembler *a, const char *bytes, size_t count) {
    memcpy(a->code + a->at, bytes, count);
    a->at += (uint32_t)count;
}
#define PUT(a, bytes) put(a, bytes, sizeof bytes - 1)

static void put_number(assembler *a, uint64_t number, uint32_t count) {
    put(a, (const char *)&number, count);
}

/* An instruction on 32 bits of two registers, or of one and a part of the opcode. */
static void put_registers(assembler *a, uint8_t opcode, uint8_t reg, uint8_t rm) {
    uint8_t bytes[] = {(uint8_t)(0x40 | reg >> 3 << 2 | rm >> 3), opcode,
                       (uint8_t)(0xc0 | (reg & 7) << 3 | (rm & 7))};
    put(a, (const char *)bytes, sizeof bytes);
}

/* At the start of the code, where the jumps of all accesses lead: rsi is the index, as the function takes it.
 */
static void put_fault_block(assembler *a) {
    PUT(a, "\x4c\x89\xff\xba"); // mov rdi, r15; mov edx, ...
    put_number(a, MF_ACCESS_CODE(MF_LOAD, 4), 4);
    PUT(a, "\x31\xc9\x48\xb8"); // xor ecx, ecx; mov rax, ...
    put_number(a, (uintptr_t)mf_rt_fault_v3, 8);
    PUT(a, "\xff\xd0"); // call rax
    a->leave = a->at;
    PUT(a, "\x5e\x89\x1e\x44\x89\x66\x04\x44\x89\x6e\x08\x44\x89\x76\x0c"); // pop rsi; mov [rsi], ebx; ...
    PUT(a, "\x41\x5f\x41\x5e\x41\x5d\x41\x5c\x5b\x5d\xc3");                 // pop r15, ..., rbp; ret
}

static void put_entry(assembler *a) {
    PUT(a, "\x55\x53\x41\x54\x41\x55\x41\x56\x41\x57\x56");             // push rbp, rbx, r12, ..., r15, rsi
    PUT(a, "\x8b\x1e\x44\x8b\x66\x04\x44\x8b\x6e\x08\x44\x8b\x76\x0c"); // mov ebx, [rsi]; ...
    PUT(a, "\x49\x89\xff\x49\x8b\x2f"); // mov r15, rdi; mov rbp, [r15]: view->base
}

static mf_status put_load(assembler *a, const mf_plan *plan, const instruction *i, mf_diag *diag) {
    mf_inline_options options = {.index_is_extended = true, .has_fault_target = true};
    mf_inline_registers registers = {
        .base = MF_RBP, .index = MF_RSI, .view = MF_R15, .scratch = {MF_RCX, MF_RDX}};
    mf_inline_result result;
    put_registers(a, 0x89, HOST[i->from], 6); // mov esi, from; add esi, constant
    PUT(a, "\x81\xc6");
    put_number(a, i->constant, 4);
    options.fault_target = -(int64_t)a->at;
    registers.value = MF_REGISTER(HOST[i->to]);
    mf_status status =
        mf_inline_emit(plan, &options, &registers, a->code + a->at, CODE_BYTES - a->at, &result, diag);
    a->at += status == MF_OK ? result.byte_count : 0;
    return status;
}

static mf_status put_instruction(assembler *a, const mf_plan *plan, const instruction *i, mf_diag *diag) {
    switch (i->operation) {
    case LOAD:
        return put_load(a, plan, i, diag);
    case ADD:
        put_registers(a, 0x01, HOST[i->from], HOST[i->to]);
        break;
    case ADD_CONSTANT:
        put_registers(a, 0x81, 0, HOST[i->to]);
        put_number(a, i->constant, 4);
        break;
    case BRANCH_IF_NOT_EQUAL:
        put_registers(a, 0x39, HOST[i->from], HOST[i->to]); // cmp to, from; jne
        PUT(a, "\x0f\x85");
        put_number(a, a->starts[i->constant] - (a->at + 4), 4);
        break;
    default:
        PUT(a, "\x31\xc0\xe9"); // xor eax, eax; jmp
        put_number(a, a->leave - (a->at + 4), 4);
    }
    return MF_OK;
}

/* Twice the same bytes, but that the second pass knows where branches lead. */
static mf_status assemble(assembler *a, const mf_plan *plan, const instruction *guest, uint32_t count,
                          mf_diag *diag) {
    mf_status status = MF_OK;
    for (int pass = 0; pass < 2; pass++) {
        a->at = 0;
        put_fault_block(a);
        a->entry = a->at;
        put_entry(a);
        for (uint32_t i = 0; i < count && status == MF_OK; i++) {
            a->starts[i] = a->at;
            status = put_instruction(a, plan, &guest[i], diag);
        }
    }
    return status;
}

static void run(guest_code *code, mf_memory *memory, uint32_t end) {
    uint32_t registers[REGISTERS] = {0, 0x20000, end, 0};
    uint32_t status = code(mf_memory_view(memory), registers);
    if (status == MF_FAULT_NONE)
        printf("sum %u\n", (unsigned)registers[0]);
    else
        printf("fault at 0x%x, page 0x%x\n", (unsigned)registers[1],
               (unsigned)mf_memory_last_fault(memory).page);
}

int main(void) {
    static const instruction SUM[] = {// r0 += the words from r1 to r2
                                      {LOAD, 3, 1, 0},
                                      {ADD, 0, 3, 0},
                                      {ADD_CONSTANT, 1, 0, 4},
                                      {BRANCH_IF_NOT_EQUAL, 1, 2, 0},
                                      {END, 0, 0, 0}};
    static const uint32_t words[] = {1, 2, 3, 4, 5};
    assembler a = {.at = 0};
    mf_memory *memory;
    mf_layout *layout;
    mf_plan plan;
    mf_diag diag = {.message = "no memory for code"};
    a.code = (uint8_t *)mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (a.code == MAP_FAILED || mf_memory_create(NULL, NULL, MF_BACKEND_COPY, &memory, &diag) ||
        mf_memory_map_region(memory, 0x20000, 4096, MF_READ_WRITE, words, sizeof words, &diag) ||
        mf_memory_layout(memory, &layout, &diag) || mf_plan_make(layout, MF_LOAD_U32, NULL, &plan, &diag) ||
        assemble(&a, &plan, SUM, sizeof SUM / sizeof *SUM, &diag) ||
        mprotect(a.code, CODE_BYTES, PROT_READ | PROT_EXEC) != 0) {
        fprintf(stderr, "%s\n", diag.message);
        return 1;
    }
    run((guest_code *)(uintptr_t)(a.code + a.entry), memory, 0x20014);
    run((guest_code *)(uintptr_t)(a.code + a.entry), memory, 0x22000); // beyond the page
    munmap(a.code, CODE_BYTES);
    mf_layout_release(layout);
    mf_memory_destroy(memory);
}
