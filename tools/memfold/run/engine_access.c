/*
 * One access: the call by the signature that the options give the accessor, and the fault that comes of it.
 */
#include "run/engine.h"

#include <memfold/guard.h>

/* One access on its way through the function pointer. */
typedef struct engine_call {
    const run_engine *engine;
    mf_accessor_fn *function;
    mf_operation operation;
    uint64_t index;
    uint64_t value; /* of a load: written */
} engine_call;

static uint32_t load_return(engine_call *call) {
    mf_view *view = call->engine->view;
    bool at = call->engine->options.base == MF_BASE_ARGUMENT;
    bool u33 = call->engine->options.index == MF_INDEX_U33;
    mf_load_result result = at && u33 ? ((mf_load_at_u33_fn *)call->function)(view, view->base, call->index)
                            : at  ? ((mf_load_at_fn *)call->function)(view, view->base, (uint32_t)call->index)
                            : u33 ? ((mf_load_u33_fn *)call->function)(view, call->index)
                                  : ((mf_load_fn *)call->function)(view, (uint32_t)call->index);
    call->value = result.value;
    return result.status;
}

static uint32_t store_return(engine_call *call) {
    mf_view *view = call->engine->view;
    bool at = call->engine->options.base == MF_BASE_ARGUMENT;
    bool u33 = call->engine->options.index == MF_INDEX_U33;
    return at && u33 ? ((mf_store_at_u33_fn *)call->function)(view, view->base, call->index, call->value)
           : at  ? ((mf_store_at_fn *)call->function)(view, view->base, (uint32_t)call->index, call->value)
           : u33 ? ((mf_store_u33_fn *)call->function)(view, call->index, call->value)
                 : ((mf_store_fn *)call->function)(view, (uint32_t)call->index, call->value);
}

static void load_trap(mf_view *view, void *context) {
    engine_call *call = context;
    bool at = call->engine->options.base == MF_BASE_ARGUMENT;
    bool u33 = call->engine->options.index == MF_INDEX_U33;
    call->value = at && u33 ? ((mf_load_trap_at_u33_fn *)call->function)(view, view->base, call->index)
                  : at      ? ((mf_load_trap_at_fn *)call->function)(view, view->base, (uint32_t)call->index)
                  : u33     ? ((mf_load_trap_u33_fn *)call->function)(view, call->index)
                            : ((mf_load_trap_fn *)call->function)(view, (uint32_t)call->index);
}

static void store_trap(mf_view *view, void *context) {
    engine_call *call = context;
    bool at = call->engine->options.base == MF_BASE_ARGUMENT;
    bool u33 = call->engine->options.index == MF_INDEX_U33;
    if (at && u33)
        ((mf_store_trap_at_u33_fn *)call->function)(view, view->base, call->index, call->value);
    else if (at)
        ((mf_store_trap_at_fn *)call->function)(view, view->base, (uint32_t)call->index, call->value);
    else if (u33)
        ((mf_store_trap_u33_fn *)call->function)(view, call->index, call->value);
    else
        ((mf_store_trap_fn *)call->function)(view, (uint32_t)call->index, call->value);
}

/*
 * The fault is read as a client would: from the status and the record in the view, or from the guard frame.
 */
static void perform_call(engine_call *call, mf_fault *fault) {
    mf_view *view = call->engine->view;
    bool load = call->operation == MF_LOAD;
    *fault = (mf_fault){0};
    if (call->engine->options.on_fault == MF_ON_FAULT_TRAP) {
        mf_guard_run(view, load ? load_trap : store_trap, call, fault);
        return;
    }
    uint32_t status = load ? load_return(call) : store_return(call);
    if (status != MF_FAULT_NONE) {
        *fault = view->fault;
        fault->kind = status;
    }
}

/* policy = none: the accessor has no check, so the range is checked here, as a client would. */
static bool check_range(mf_view *view, const mf_accessor_info *info, uint64_t index, mf_fault *fault) {
    if (index >= MF_SPACE_BYTES) {
        uint64_t page = index & ~(uint64_t)(MF_PAGE_SIZE - 1);
        view->fault = (mf_fault){MF_PAGE_FAULT, info->operation, page, index, info->width_bytes};
    } else if (mf_view_span(view, (uint32_t)index, info->width_bytes, info->operation) != NULL) {
        return true;
    }
    *fault = view->fault;
    return false;
}

mf_status run_engine_access(run_engine *engine, mf_accessor_id accessor, uint64_t index, uint64_t *value,
                            mf_fault *fault, mf_diag *diag) {
    const mf_accessor_info *info = mf_accessor_info_get(accessor);
    mf_status status = engine->stale ? run_engine_renew(engine, diag) : MF_OK;
    if (status != MF_OK)
        return status;
    if (engine->options.policy == MF_POLICY_NONE && !check_range(engine->view, info, index, fault))
        return MF_OK;
    engine_call call = {engine, mf_accessors_member(engine->accessors, accessor), info->operation, index,
                        *value};
    perform_call(&call, fault);
    *value = call.value;
    return MF_OK;
}
