/* What a client asks for, what it gets, and what is refused. */
#include <memfold/inline.h>

#include "inline/access.h"
#include "inline/steps.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static const mf_inline_options DEFAULT_OPTIONS;

/* Any that differ, to find out what a plan needs, and for those that are not given or cannot be. */
static const mf_inline_registers SOME_REGISTERS = {.base = MF_RDI,
                                                   .index = MF_RSI,
                                                   .value = MF_RAX,
                                                   .view = MF_RBX,
                                                   .table = MF_RBP,
                                                   .scratch = {MF_RCX, MF_RDX}};

/* ---- Plans and options ---- */

static bool is_enum(uint64_t value, uint64_t largest) {
    return value <= largest;
}

static mf_status validate_plan(const mf_plan *plan, const mf_inline_options *options, mf_diag *diag) {
    bool is_known = 0 < plan->step_count && plan->step_count <= MF_PLAN_STEPS_MAX && plan->width_bytes > 0;
    for (uint32_t i = 0; is_known && i < plan->step_count; i++)
        is_known = inline_knows_step((mf_step_kind)plan->steps[i].kind);
    if (!is_known)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, plan->check, "the plan is of no access");
    if (!options->check_only && mf_accessor_info_get((mf_accessor_id)plan->accessor) == NULL)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, plan->width_bytes,
                           "the plan is of no accessor: of an access of your own the check stands alone");
    return MF_OK;
}

/* So far from the first byte that every instruction of the code reaches it. */
static bool is_in_reach(int64_t target) {
    return INT32_MIN + MF_INLINE_BYTES_MAX <= target && target <= INT32_MAX - MF_INLINE_BYTES_MAX;
}

static mf_status validate_options(const mf_inline_options *options, mf_diag *diag) {
    if (!is_enum((uint64_t)options->endian, MF_BIG_ENDIAN))
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)options->endian,
                           "option endian has no value %" PRId32, (int32_t)options->endian);
    if (!options->base_is_constant && options->base_address != 0)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, options->base_address,
                           "a base address needs base_is_constant");
    if (options->base_address > INT32_MAX)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, options->base_address,
                           "a constant base lies below 2^31; hold 0x%" PRIx64 " in a register",
                           options->base_address);
    if (!options->has_fault_target && options->fault_target != 0)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)options->fault_target,
                           "a fault target needs has_fault_target");
    if (!is_in_reach(options->fault_target))
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)options->fault_target,
                           "the fault target is out of reach of a jump");
    return MF_OK;
}

/* ---- Registers ---- */

static x86_register number_of(mf_register reg, mf_register otherwise) {
    bool can_be = reg != MF_NO_REGISTER && (uint32_t)reg <= MF_R15 && reg != MF_RSP;
    return (x86_register)(can_be ? reg : otherwise) - 1;
}

/* A register with its name for messages, and whether it is needed. */
typedef struct named_register {
    const char *name;
    mf_register reg;
    bool is_needed;
    bool is_read; /* until the access is made */
} named_register;

static mf_status validate_register(const named_register *named, mf_diag *diag) {
    uint64_t value = (uint32_t)named->reg;
    if (!named->is_needed)
        return MF_OK;
    if (named->reg == MF_NO_REGISTER)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, value, "the plan needs a register for %s", named->name);
    if (value > MF_R15)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, value, "%s is no register: %" PRId32, named->name,
                           (int32_t)named->reg);
    if (named->reg == MF_RSP)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, value, "%s cannot be rsp", named->name);
    return MF_OK;
}

/* Those that are written before the access come last in `all`. */
static mf_status validate_registers(const mf_plan *plan, const mf_inline_options *options,
                                    const mf_inline_registers *r, const mf_inline_need *need, mf_diag *diag) {
    bool has_value = !options->check_only && !(plan->check == MF_CHECK_ALWAYS_FAULT);
    const named_register all[] = {
        {"base", r->base, need->base, true},
        {"index", r->index, true, true},
        {"value", r->value, has_value, plan->operation == MF_STORE},
        {"view", r->view, need->view, true},
        {"table", r->table, need->table, true},
        {"scratch[0]", r->scratch[0], need->scratch_count > 0, true},
        {"scratch[1]", r->scratch[1], need->scratch_count > 1, true},
    };
    const size_t count = sizeof all / sizeof all[0];
    for (size_t i = 0; i < count; i++) {
        mf_status status = validate_register(&all[i], diag);
        if (status != MF_OK)
            return status;
    }
    for (size_t i = count - 2; i < count; i++)
        for (size_t k = 0; k < i; k++)
            if (all[i].is_needed && all[k].is_needed && all[k].is_read && all[i].reg == all[k].reg)
                return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)all[i].reg,
                                   "%s is the same register as %s", all[i].name, all[k].name);
    return MF_OK;
}

/* ---- Writing ---- */

/* The step that masks is the last one. */
static const mf_plan_step *find_mask(const mf_plan *plan) {
    const mf_plan_step *last = &plan->steps[plan->step_count - 1];
    return last->kind == MF_STEP_MASK ? last : NULL;
}

static void writer_init(inline_writer *w, const mf_plan *plan, const mf_inline_options *options,
                        const mf_inline_registers *r) {
    *w = (inline_writer){
        .plan = plan,
        .options = options,
        .mask = find_mask(plan),
        .base = number_of(r->base, SOME_REGISTERS.base),
        .index = number_of(r->index, SOME_REGISTERS.index),
        .value = number_of(r->value, SOME_REGISTERS.value),
        .view = number_of(r->view, SOME_REGISTERS.view),
        .table = number_of(r->table, SOME_REGISTERS.table),
        .scratch = {number_of(r->scratch[0], SOME_REGISTERS.scratch[0]),
                    number_of(r->scratch[1], SOME_REGISTERS.scratch[1])},
        .index_is_wide = plan->index == MF_INDEX_U33 || options->index_is_extended,
    };
}

static void write_once(inline_writer *w) {
    w->code = (x86_code){.bytes = w->bytes, .room_bytes = sizeof w->bytes};
    w->result = (mf_inline_result){0};
    w->is_reached = true;
    w->content = (inline_content){0};
    w->has_changed = false;
    w->jump_count = 0;
    for (uint32_t i = 0; i <= INLINE_LABEL_ACCESS; i++)
        w->labels[i].is_target = false;
    if (w->mask != NULL)
        x86_move(&w->code, inline_is_narrow(w) ? X86_32 : X86_64, inline_masked(w), w->index);
    for (uint32_t i = 0; i < w->plan->step_count; i++) {
        inline_bind(w, i);
        if (w->is_reached)
            inline_step(w, i);
    }
    inline_bind(w, INLINE_LABEL_ACCESS);
    inline_access(w);
    w->result.byte_count = (uint32_t)w->code.byte_count;
    w->result.instruction_count = w->code.instruction_count;
}

/* Each pass that changes more than positions makes a jump long, and there is an end to them. */
static mf_status write(inline_writer *w, mf_inline_need *need, mf_diag *diag) {
    do
        write_once(w);
    while (w->has_changed);
    assert(w->code.byte_count <= sizeof w->bytes);
    bool asks_mmu = mf_plan_has_step(w->plan, MF_STEP_MMU);
    if (w->is_misfit)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, w->plan->check,
                           "a mask of the check %s needs a register for the table, or an address below 2^31",
                           mf_check_name((mf_check)w->plan->check));
    *need = (mf_inline_need){.scratch_count = w->scratch_count,
                             .base = w->reads_base,
                             .view = w->reads_view,
                             .table = w->reads_table,
                             .flags = w->code.writes_flags,
                             .may_fault = mf_plan_has_fault_edge(w->plan) && !asks_mmu,
                             .access_traps = asks_mmu,
                             .may_be_stale = w->result.stale_field != 0};
    return MF_OK;
}

static mf_status validate(const mf_plan *plan, const mf_inline_options *options, mf_diag *diag) {
    mf_status status = validate_plan(plan, options, diag);
    return status == MF_OK ? validate_options(options, diag) : status;
}

/* ---- What is public ---- */

mf_status mf_inline_needs(const mf_plan *plan, const mf_inline_options *options, mf_inline_need *need,
                          mf_diag *diag) {
    if (options == NULL)
        options = &DEFAULT_OPTIONS;
    inline_writer w;
    mf_status status = validate(plan, options, diag);
    if (status != MF_OK)
        return status;
    writer_init(&w, plan, options, &SOME_REGISTERS);
    return write(&w, need, diag);
}

mf_status mf_inline_emit(const mf_plan *plan, const mf_inline_options *options,
                         const mf_inline_registers *registers, void *buffer, size_t room_bytes,
                         mf_inline_result *result, mf_diag *diag) {
    mf_inline_need need;
    if (options == NULL)
        options = &DEFAULT_OPTIONS;
    inline_writer w;
    mf_status status = validate(plan, options, diag);
    if (status != MF_OK)
        return status;
    writer_init(&w, plan, options, registers);
    status = write(&w, &need, diag);
    if (status == MF_OK)
        status = validate_registers(plan, options, registers, &need, diag);
    if (status != MF_OK)
        return status;
    if (w.code.byte_count > room_bytes)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, w.code.byte_count,
                           "the code has %zu bytes, and there is room for %zu", w.code.byte_count,
                           room_bytes);
    if (w.code.byte_count > 0)
        memcpy(buffer, w.bytes, w.code.byte_count);
    *result = w.result;
    return MF_OK;
}
