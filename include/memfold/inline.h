/*
 * Check and access as bytes for the registers of your own code: for JITs with an assembler of their own, on
 * x86-64. No LLVM, no call, no stack: the shortest sequence that is exact for a plan, appended where you
 * write.
 *
 * You name the registers that hold the host base, the guest index, the value, the view where the plan reads
 * it, and one or two scratch registers (mf_inline_needs says what is needed), and get bytes that fall through
 * behind the access. Where the check fails they jump: to the place that you give, or through rel32 fields
 * that you patch. Registers that are not the destination of a load or scratch are never written, a load's
 * destination only once the access is allowed, and nothing else is touched but the flags.
 *
 * Faults. Nothing is recorded: what happens is your code's. To have the record that every accessor of memfold
 * leaves, the fault block calls the runtime's entry, with what the plan says of the access:
 *
 *     mf_rt_fault_v3(view, index, MF_ACCESS_CODE(plan.operation, plan.width_bytes), plan.limit)
 *
 * or mf_rt_trap_v3 with the same, to leave through the view's guard frame. The index is in the register that
 * you named, which is as it was; of a 32-bit index the lower half counts, so the block widens it. With the
 * view in rbx and the index in esi, for load_u32:
 *
 *     fault:  mov   rdi, rbx
 *             mov   esi, esi              ; unless it is u33 or extended
 *             mov   edx, 8                ; MF_ACCESS_CODE(MF_LOAD, 4)
 *             xor   ecx, ecx              ; plan.limit; of policy = bounds a 64-bit constant
 *             call  mf_rt_fault_v3        ; eax: the kind of the fault; the stack aligned as for any call
 *             jmp   leave_guest
 *
 * One block serves all accesses of one index register, operation, width and limit. mf_rt_fault_v3 keeps all
 * general registers but rax and r11 (abi.h), so the guest's are there afterwards, but for the four that the
 * block has written.
 *
 * On x86_paged the access itself faults, and result.access_offset says where. With on_fault = return or
 * branch you register an mf_exception_entry (exception_table.h) that leads from there to your fault block,
 * where all registers are as they were before the access, scratch excepted. With on_fault = trap the handler
 * leaves through the guard frame, and there is nothing to register.
 *
 * Example: load_u32 with the base in rdi and the index in esi, the value to rax:
 *
 *     #include <memfold/inline.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *         mf_layout_builder *builder = mf_layout_builder_create();
 *         mf_layout *layout;
 *         mf_plan plan;
 *         mf_diag diag;
 *         if (mf_layout_builder_map_region(builder, 0x20000, 0x8000, MF_READ_WRITE, NULL, 0, &diag) ||
 *             mf_layout_builder_finish(builder, &layout, NULL, &diag) ||
 *             mf_plan_make(layout, MF_LOAD_U32, NULL, &plan, &diag))
 *             return 1;
 *         static mf_inline_registers registers; // none
 *         registers.base = MF_RDI;
 *         registers.index = MF_RSI;
 *         registers.value = MF_RAX;
 *         registers.scratch[0] = MF_RCX;
 *         unsigned char code[MF_INLINE_BYTES_MAX];
 *         mf_inline_result result;
 *         if (mf_inline_emit(&plan, NULL, &registers, code, sizeof code, &result, &diag)) {
 *             fprintf(stderr, "%s\n", diag.message);
 *             return 1;
 *         }
 *         // lea ecx, [rsi - 0x20000]; cmp ecx, 0x7ffc; ja fault; mov ecx, esi; mov eax, [rdi + rcx]
 *         for (uint32_t i = 0; i < result.byte_count; i++)
 *             printf("%02x", code[i]);
 *         // A fault block at code + 100 would be reached by code[field] = 100 - (field + 4), of 4 bytes:
 *         printf(", %u instructions, rel32 at %u\n", result.instruction_count, result.fault_fields[0]);
 *         mf_layout_builder_destroy(builder);
 *         mf_layout_release(layout);
 *         return result.fault_count == 1 ? 0 : 1;
 *     }
 */
#ifndef MEMFOLD_INLINE_H
#define MEMFOLD_INLINE_H

#include <memfold/abi.h>
#include <memfold/options.h>
#include <memfold/plan.h>
#include <memfold/public.h>
#include <memfold/status.h>

MF_PUBLIC_BEGIN

/* A general register; 0 is none. MF_REGISTER gives the one with the number that instructions have for it. */
typedef enum mf_register {
    MF_NO_REGISTER = 0,
    MF_RAX,
    MF_RCX,
    MF_RDX,
    MF_RBX,
    MF_RSP,
    MF_RBP,
    MF_RSI,
    MF_RDI,
    MF_R8,
    MF_R9,
    MF_R10,
    MF_R11,
    MF_R12,
    MF_R13,
    MF_R14,
    MF_R15
} mf_register;

/* From an encoding: rax 0, rcx 1, ..., r15 15. */
#define MF_REGISTER(number) ((mf_register)((number) + 1))

/* What the bytes assume about the code around them. All zero is the default. */
typedef struct mf_inline_options {
    mf_endian endian; /* of the guest: as in the options of the plan */

    /*
     * A promise about a 32-bit index: the upper half of its register is 0. Without it that half may hold
     * anything, and most accesses take one instruction and sometimes a scratch register more. A 33-bit index
     * (index = u33) always is all of its register.
     */
    bool index_is_extended;

    /*
     * The check alone, of a plan of any width: behind it you make the access yourself, at the host base plus
     * the register result.index. No value is named.
     */
    bool check_only;

    /* The CPU has MOVBE: big-endian accesses take an instruction or two less. */
    bool has_movbe;

    /* The host address of guest address 0 is `base_address`, below 2^31, and in no register; 0 is legal. */
    bool base_is_constant;
    uint64_t base_address;

    /*
     * Where the plan's constant table will be when the code runs (mf_plan_fill_table); 0: the register
     * `table` holds the address. An address from 2^31 on takes a scratch register and an instruction.
     */
    uint64_t table_address;

    /* For perm-table: the register `table` holds view->perms, which is not read from the view then. */
    bool perms_are_in_table;

    /* Faults go to the place `fault_target` bytes from the first byte of the code, and leave no field. */
    bool has_fault_target;
    int64_t fault_target;
} mf_inline_options;

/*
 * Where things are. Registers that are only read may be the same; a load's value may be any register, also
 * one of those that are read. Scratch registers that are needed are different from each other and from all
 * that is read; one may be the value of a load, which a fault then does not preserve. rsp is none of them.
 */
typedef struct mf_inline_registers {
    mf_register base;  /* host address of guest address 0: view->base */
    mf_register index; /* guest index of the first byte */
    mf_register value; /* written by a load, all 64 bits; its low bytes are stored by a store */
    mf_register view;  /* mf_view * */
    mf_register table; /* host address of the plan's table, or of the live permission table */
    mf_register scratch[2];
} mf_inline_registers;

/* What a plan needs beside index, and value unless the check stands alone; and what it leaves. */
typedef struct mf_inline_need {
    uint32_t scratch_count; /* the first so many of `scratch` are needed, and hold anything afterwards */
    bool base;
    bool view;
    bool table;
    bool flags;        /* the flags are written */
    bool may_fault;    /* the check can fail: the code jumps to your fault block */
    bool access_traps; /* the MMU checks: the access needs an exception entry or a guard frame */
    bool may_be_stale; /* stale = check: the code jumps to where you call mf_rt_stale_v3 */
} mf_inline_need;

/* No code is longer, and none has more fields. */
#define MF_INLINE_BYTES_MAX 256
#define MF_INLINE_FAULTS_MAX 16

/* What was written. Offsets count from the first byte of the code. */
typedef struct mf_inline_result {
    uint32_t byte_count;
    uint32_t instruction_count;

    /* Of the instruction that accesses guest memory; byte_count if there is none. */
    uint32_t access_offset;

    /*
     * Of the rel32 fields that lead to the fault block: 4 bytes, little-endian, the distance from the end of
     * the field. Until you patch them they lead far below the code. None with a fault target.
     */
    uint32_t fault_count;
    uint32_t fault_fields[MF_INLINE_FAULTS_MAX];

    /*
     * Of the one that leads to a call of mf_rt_stale_v3(view, stale_stamp); 0 if there is none (stale =
     * trust).
     */
    uint32_t stale_field;
    uint64_t stale_stamp;

    /* With check_only: the register that holds the 64-bit index to access, the index itself or a scratch. */
    mf_register index;
} mf_inline_result;

/*
 * Writes what code for `plan` under `options` (NULL: the default) needs, whichever registers it is given.
 * Pure; any thread. MF_INVALID_ARGUMENT, with what is wrong: a plan of a range; one of no accessor unless the
 * check stands alone; options that are no values of their types, a constant base from 2^31 on, a fault target
 * out of reach; a mask (spectre) over a granule table at a constant address from 2^31 on, for which two
 * scratch registers do not suffice: name a register for the table.
 */
mf_status mf_inline_needs(const mf_plan *plan, const mf_inline_options *options, mf_inline_need *need,
                          mf_diag *diag);

/*
 * Writes the code for `plan` to `buffer`, at most `room_bytes`; MF_INLINE_BYTES_MAX always suffice. Where
 * there is less room than needed: MF_INVALID_ARGUMENT, the number of bytes in diag->value, and the buffer as
 * it was. The code is position-independent, but for a fault target it lies where the target was measured
 * from. Pure; any thread. MF_INVALID_ARGUMENT as above, and for registers that are missing, none, rsp, or the
 * same where they must not be.
 */
mf_status mf_inline_emit(const mf_plan *plan, const mf_inline_options *options,
                         const mf_inline_registers *registers, void *buffer, size_t room_bytes,
                         mf_inline_result *result, mf_diag *diag);

MF_PUBLIC_END

#endif
