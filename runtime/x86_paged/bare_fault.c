/* Page faults of the CPU: guest faults are resolved, all others are the kernel's. */
#include "bare_cpu.h"
#include "bare_host.h"
#include "bare_tables.h"
#include "bare_trap.h"
#include "fault.h"
#include "guard_impl.h"
#include "panic_impl.h"
#include "windows.h"

#include <memfold/bare.h>

/* The error code (Intel SDM volume 3A, 4.7). */
#define ERROR_WRITE UINT64_C(0x2)
#define ERROR_USER UINT64_C(0x4)
#define ERROR_DATA_OF_GUESTS (UINT64_C(0x1) | ERROR_WRITE | ERROR_USER) /* and bit 0: page was present */

/* The flags (volume 1, 3.4.3). */
#define FLAGS_NONE UINT64_C(0x2)
#define FLAGS_ALIGNMENT_CHECK UINT64_C(0x40000)

#define STACK_ALIGNMENT 16

/* Present, ring 0, 64-bit interrupt gate (volume 3A, 6.14.1 and table 3-2). */
#define GATE_PRESENT_INTERRUPT 0x8e

/* Reserved bits, fetches, protection keys, shadow stacks and enclaves are no matter of guest permissions. */
static bool is_data_fault(const mf_bare_registers *registers) {
    return (registers->error_code & ~ERROR_DATA_OF_GUESTS) == 0;
}

static bool is_of_ring_3(const mf_bare_registers *registers) {
    return (registers->error_code & ERROR_USER) != 0;
}

static mf_operation operation_of(const mf_bare_registers *registers) {
    return (registers->error_code & ERROR_WRITE) != 0 ? MF_STORE : MF_LOAD;
}

/* Whether the ring that faulted may touch a page with these rights, whatever the permission is. */
static bool ring_may_access(const mf_bare_registers *registers, bool is_user_page) {
    bool allows_user_pages = (registers->rflags & FLAGS_ALIGNMENT_CHECK) != 0 || !mf_cpu_forbids_user_data();
    return is_of_ring_3(registers) ? is_user_page : !is_user_page || allows_user_pages;
}

/*
 * The thread goes on as if it had called mf_guard_leave_frame(frame) in ring 0, with interrupts off: leaving
 * the frame brings back the flags of its mf_guard_run. It needs little stack: what was interrupted in ring 0
 * has it, and ring 3 has come to a stack that is free from `registers` on, once they are used.
 */
static void call_leave_frame(mf_bare_registers *registers, struct mf_guard *frame) {
    uint64_t stack = is_of_ring_3(registers) ? (uint64_t)(uintptr_t)registers : registers->rsp;
    registers->rip = (uint64_t)(uintptr_t)mf_guard_leave_frame;
    registers->rdi = (uint64_t)(uintptr_t)frame;
    registers->rsp = (stack & ~(uint64_t)(STACK_ALIGNMENT - 1)) - sizeof(void *);
    registers->cs = mf_cpu_code_selector();
    registers->ss = mf_cpu_stack_selector();
    registers->rflags = FLAGS_NONE;
}

static bool is_in_window(const mf_bare_registers *registers, uint64_t address) {
    return is_of_ring_3(registers) ? mf_window_of_user_is_around(address, mf_cpu_root())
                                   : mf_window_is_around(address);
}

bool mf_bare_page_fault_resolve(mf_bare_registers *registers, uint64_t address) {
    const mf_bare_host *host = mf_bare_host_get();
    mf_operation operation = operation_of(registers);
    mf_page_fault fault = {address, registers->rip, operation};
    mf_page_fault_exit way;
    if (host == NULL || !is_data_fault(registers) || !is_in_window(registers, address))
        return false;
    bool is_user_page;
    if (mf_bare_tables_allow(host->direct_map, mf_cpu_root(), address, operation, &is_user_page))
        return ring_may_access(registers, is_user_page);
    if (!mf_page_fault_resolve(&fault, &way))
        return false;
    if (way.host_pc != 0)
        registers->rip = way.host_pc;
    else
        call_leave_frame(registers, way.frame);
    return true;
}

void mf_bare_page_fault(mf_bare_registers *registers, uint64_t address) {
    const mf_bare_host *host = mf_bare_host_get();
    if (mf_bare_page_fault_resolve(registers, address))
        return;
    if (host == NULL || host->foreign_fault == NULL) {
        mf_panic_values("a page fault at ", address, " by the instruction at ", registers->rip,
                        " is not a guest's, and the kernel has no foreign_fault");
    }
    host->foreign_fault(host->context, registers, address);
}

mf_bare_gate mf_bare_page_fault_gate(uint16_t code_selector, uint8_t stack) {
    uint64_t entry = (uint64_t)(uintptr_t)mf_bare_page_fault_entry;
    return (mf_bare_gate){
        .offset_low = (uint16_t)entry,
        .selector = code_selector,
        .stack = stack,
        .type = GATE_PRESENT_INTERRUPT,
        .offset_middle = (uint16_t)(entry >> 16),
        .offset_high = (uint32_t)(entry >> 32),
    };
}
