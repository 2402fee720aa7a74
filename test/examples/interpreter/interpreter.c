/*
 * An interpreter of RV32IM programs: the guest is an ELF file, its memory is memfold's, and every fetch, load
 * and store goes through accessors that were made for its layout when it was loaded. What the guest does
 * wrong ends the guest, not the interpreter.
 *
 *     $ clang --target=riscv32 -march=rv32im -mabi=ilp32 -O1 -nostdlib -static -fuse-ld=lld guest.c -o guest
 *     $ cc -O2 interpreter.c $(pkg-config --cflags --libs memfold-gen) -o interpreter
 *     $ ./interpreter guest || echo ended with $?
 */
#include "arithmetic.h"

#include <memfold/jit.h>
#include <memfold/layout_file.h>
#include <stdio.h>

#define STACK_TOP 0x80000000u
#define STACK_BYTES 0x10000u
#define ENTRY_IN_ELF32 24 /* where the header has the entry */

typedef struct machine {
    mf_memory *memory;
    mf_view *view;
    const mf_accessors *guest;
    uint32_t pc;
    uint32_t x[32];
    uint32_t exit_status;
    bool has_exited;
} machine;

/* False if the guest ends there: it exits, or the bytes that it wants written are not its own. */
static bool system_call(machine *m) {
    uint32_t number = m->x[17], a0 = m->x[10], a1 = m->x[11], a2 = m->x[12];
    m->has_exited = number == 93;
    m->exit_status = a0;
    if (number != 64) // write(1, a1, a2)
        return !m->has_exited;
    const void *text = mf_memory_span(m->memory, a1, a2, MF_LOAD);
    return text != NULL && fwrite(text, 1, a2, stdout) == a2;
}

/* lb, lh, lw, -, lbu, lhu: false if there is no such load, or it faults. */
static bool load(machine *m, uint32_t function, uint32_t address, uint32_t *value) {
    mf_load_fn *const loads[8] = {m->guest->load_i8, m->guest->load_i16, m->guest->load_u32, NULL,
                                  m->guest->load_u8, m->guest->load_u16};
    if (loads[function] == NULL)
        return false;
    mf_load_result loaded = loads[function](m->view, address);
    *value = (uint32_t)loaded.value;
    return loaded.status == MF_FAULT_NONE;
}

/* sb, sh, sw. */
static bool store(machine *m, uint32_t function, uint32_t address, uint32_t value) {
    mf_store_fn *const stores[3] = {m->guest->store_u8, m->guest->store_u16, m->guest->store_u32};
    return function < 3 && stores[function](m->view, address, value) == MF_FAULT_NONE;
}

/* One instruction; false if the guest ends there. */
static bool step(machine *m) {
    mf_load_result code = m->guest->load_u32(m->view, m->pc);
    if (code.status != MF_FAULT_NONE)
        return false;
    uint32_t i = (uint32_t)code.value, next = m->pc + 4, function = i >> 12 & 7;
    uint32_t a = m->x[i >> 15 & 31], b = m->x[i >> 20 & 31], immediate = (uint32_t)((int32_t)i >> 20);
    uint32_t result = 0, destination = i >> 7 & 31;
    bool goes_on = true;
    switch (i & 0x7f) {
    case 0x03:
        goes_on = load(m, function, a + immediate, &result);
        break;
    case 0x23:
        goes_on = store(m, function, a + ((immediate & ~31u) | destination), b);
        destination = 0;
        break;
    case 0x13:
        result = compute(function, function == 5 && i >> 30 & 1, a, immediate);
        break;
    case 0x33:
        result = i >> 25 & 1 ? multiply(function, a, b) : compute(function, i >> 30 & 1, a, b);
        break;
    case 0x37: // lui, auipc
        result = i & ~0xfffu;
        break;
    case 0x17:
        result = m->pc + (i & ~0xfffu);
        break;
    case 0x6f: // jal, jalr
        result = next;
        next = m->pc + jump_offset(i);
        break;
    case 0x67:
        result = next;
        next = (a + immediate) & ~1u;
        break;
    case 0x63:
        destination = 0;
        if (branches(function, a, b))
            next = m->pc + branch_offset(i);
        break;
    case 0x73:
        destination = 0;
        goes_on = system_call(m);
        break;
    default:
        goes_on = false;
    }
    if (destination != 0)
        m->x[destination] = result;
    m->pc = goes_on ? next : m->pc;
    return goes_on;
}

int main(int count, char **arguments) {
    machine m = {.pc = 0};
    mf_layout_file file;
    mf_jit *jit;
    mf_code *code;
    mf_diag diag;
    FILE *elf = count == 2 ? fopen(arguments[1], "rb") : NULL;
    if (elf == NULL || fseek(elf, ENTRY_IN_ELF32, SEEK_SET) != 0 || fread(&m.pc, sizeof m.pc, 1, elf) != 1)
        return 2;
    fclose(elf);
    if (mf_layout_file_read(arguments[1], MF_FORMAT_ELF, &file, &diag) ||
        mf_memory_create(file.layout, file.image, MF_BACKEND_COPY, &m.memory, &diag) ||
        mf_memory_map_region(m.memory, STACK_TOP - STACK_BYTES, STACK_BYTES, MF_READ_WRITE, NULL, 0, &diag) ||
        mf_jit_create(NULL, &jit, &diag) || mf_jit_get_for(jit, m.memory, NULL, &code, &diag)) {
        fprintf(stderr, "%s\n", diag.message);
        return 1;
    }
    m.view = mf_memory_view(m.memory);
    m.guest = mf_code_accessors(code);
    m.x[2] = STACK_TOP;
    while (step(&m))
        ;
    mf_fault fault = m.view->fault;
    if (fault.kind != MF_FAULT_NONE)
        printf("%s on page 0x%llx at 0x%x\n", fault.kind == MF_WRITE_PROTECTED ? "read-only" : "page fault",
               (unsigned long long)fault.page, (unsigned)m.pc);
    else if (!m.has_exited)
        printf("no such instruction at 0x%x\n", (unsigned)m.pc);
    mf_code_release(code);
    mf_jit_destroy(jit);
    mf_memory_destroy(m.memory);
    mf_layout_file_fini(&file);
    return m.has_exited ? (int)m.exit_status : 100;
}
