/* Page faults of the CPU: guest faults are resolved, all others are the kernel's. */
#include "x86_paged/bare/fault.h"
#include "guard_impl.h"
#include "panic_impl.h"
#include "x86_paged/bare/cpu.h"
#include "x86_paged/bare/host.h"
#include "x86_paged/bare/touch.h"
#include "x86_paged/reservations.h"
#include "x86_paged/resolve.h"

#include <memfold/bare.h>

/* The error code (Intel SDM volume 3A, 4.7). */
#define ERROR_WRITE UINT64_C(0x2)
#define ERROR_USER UINT64_C(0x4)
#define ERROR_DATA_OF_GUESTS (UINT64_C(0x1) | ERROR_WRITE | ERROR_USER) /* and bit 0: page was present */

/* The flags (volume 1, 3.4.3). */
#define FLAGS_NONE UINT64_C(0x2)
#define FLAGS_AC UINT64_C(0x40000)

#define STACK_ALIGNMENT 16

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

/* Whether the ring that faulted may touch user pages, or others: SMAP keeps ring 0 from user pages while AC
 * is clear. */
static bool ring_may_access(const mf_bare_registers *registers, bool is_user_page) {
    bool allows_user_pages = (registers->rflags & FLAGS_AC) != 0 || !cpu_has_smap();
    return is_of_ring_3(registers) ? is_user_page : !is_user_page || allows_user_pages;
}

/*
 * The thread goes on as if it had called guard_frame_leave(frame) in ring 0, with interrupts off: leaving
 * the frame brings back the flags of its mf_guard_run. It needs little stack: what was interrupted in ring 0
 * has it, and ring 3 has come to a stack that is free from `registers` on, once they are used.
 */
static void call_leave_guard_frame(mf_bare_registers *registers, struct mf_guard *frame) {
    uint64_t stack = is_of_ring_3(registers) ? (uint64_t)(uintptr_t)registers : registers->rsp;
    registers->rip = (uint64_t)(uintptr_t)guard_frame_leave;
    registers->rdi = (uint64_t)(uintptr_t)frame;
    registers->rsp = (stack & ~(uint64_t)(STACK_ALIGNMENT - 1)) - sizeof(void *);
    registers->cs = cpu_code_selector();
    registers->ss = cpu_stack_selector();
    registers->rflags = FLAGS_NONE;
}

static bool is_in_reservation(const mf_bare_registers *registers, uint64_t address) {
    return is_of_ring_3(registers) ? reservation_of_user_contains(address, cpu_cr3())
                                   : reservation_contains(address);
}

static void resume(mf_bare_registers *registers, const page_fault_fixup *fixup) {
    if (fixup->host_pc != 0)
        registers->rip = fixup->host_pc;
    else
        call_leave_guard_frame(registers, fixup->frame);
}

static void report_no_frame(const mf_bare_host *host, mf_bare_registers *registers, uint64_t address) {
    if (host->out_of_frames == NULL) {
        panic_values("the kernel has no frame for the page at ", address,
                     ", which the guest may access, by the instruction at ", registers->rip,
                     ", and no out_of_frames");
    }
    host->out_of_frames(host->context, registers, address);
}

static frame_source frames_of(const mf_bare_host *host) {
    return (frame_source){
        .direct_map = host->direct_map,
        .context = host->context,
        .take = host->take_frame,
        .take_huge = host->take_huge_frame,
        .give = host->give_frame,
        .shootdown = host->shootdown,
    };
}

/* The guest may do it, and so may the ring: what is missing is the kernel's. */
static void keep_promise(const mf_bare_host *host, mf_bare_registers *registers, uint64_t address,
                         mf_operation operation) {
    frame_source frames = frames_of(host);
    if (!page_touch(&frames, cpu_cr3(), address, operation))
        report_no_frame(host, registers, address);
}

bool mf_bare_page_fault_resolve(mf_bare_registers *registers, uint64_t address) {
    const mf_bare_host *host = bare_host_get();
    mf_operation operation = operation_of(registers);
    page_fault fault = {.host_address = address, .host_pc = registers->rip, .operation = operation};
    page_fault_fixup fixup;
    if (host == NULL || !is_data_fault(registers) || !is_in_reservation(registers, address))
        return false;
    bool is_user_page = false;
    touch_answer answer = page_touch_ask(host->direct_map, cpu_cr3(), address, operation, &is_user_page);
    if (answer != TOUCH_REFUSED && !ring_may_access(registers, is_user_page))
        return false;
    if (answer == TOUCH_WANTS_FRAME)
        keep_promise(host, registers, address, operation);
    else if (answer == TOUCH_WAITS)
        cpu_pause();
    if (answer != TOUCH_REFUSED)
        return true;
    if (!page_fault_resolve(&fault, &fixup))
        return false;
    resume(registers, &fixup);
    return true;
}

bool mf_bare_guard_leave(mf_bare_registers *registers, uint64_t address) {
    page_fault fault = {.host_address = address, .operation = operation_of(registers)};
    struct mf_guard *frame = bare_host_get() != NULL ? page_fault_leave(&fault) : NULL;
    if (frame != NULL)
        call_leave_guard_frame(registers, frame);
    return frame != NULL;
}

void bare_page_fault(mf_bare_registers *registers, uint64_t address) {
    const mf_bare_host *host = bare_host_get();
    if (mf_bare_page_fault_resolve(registers, address))
        return;
    if (host == NULL || host->foreign_fault == NULL) {
        panic_values("a page fault at ", address, " by the instruction at ", registers->rip,
                     " is not a guest's, and the kernel has no foreign_fault");
    }
    host->foreign_fault(host->context, registers, address);
}
