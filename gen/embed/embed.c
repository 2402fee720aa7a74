/* Accessors inside a client's module: whole functions, or access by access at the client's builder. */
#include "embed/embed.h"

#include <memfold/exception_table.h>

#include <llvm-c/Target.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Functions ----------------------------------------------------------------------------- */

static void make_inline(const ir *ir, LLVMValueRef function) {
    static const ir_attribute ALWAYS[] = {{"alwaysinline", 0}, {NULL, 0}};
    LLVMSetLinkage(function, LLVMInternalLinkage);
    ir_add_function_attributes(ir, function, ALWAYS);
}

static void delete_functions(const LLVMValueRef functions[MF_ACCESSOR_COUNT]) {
    for (size_t i = 0; i < MF_ACCESSOR_COUNT && functions[i] != NULL; i++)
        LLVMDeleteFunction(functions[i]);
}

/* The module's own layout of pointers decides, so a 32-bit module is refused here. */
static mf_status begin(ir *ir, LLVMModuleRef module, LLVMBuilderRef builder, mf_diag *diag) {
    if (LLVMPointerSize(LLVMGetModuleDataLayout(module)) != sizeof(void *))
        return mf_diag_set(diag, MF_LLVM, 0, "the module's data layout is not one of a 64-bit host");
    return ir_init(ir, module, builder, diag);
}

static mf_status check_module_backend(LLVMModuleRef module, mf_backend backend, mf_diag *diag) {
    const char *triple = LLVMGetTarget(module);
    if (backend == MF_BACKEND_X86_PAGED && strncmp(triple, "x86_64", strlen("x86_64")) != 0)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, 0, "backend x86_paged needs an x86-64 module, not '%s'",
                           triple);
    return MF_OK;
}

mf_status mf_embed_define(LLVMModuleRef module, const mf_layout *layout, const mf_accessor_options *options,
                          const char *prefix, LLVMValueRef functions[MF_ACCESSOR_COUNT], mf_diag *diag) {
    static const mf_accessor_options DEFAULT_OPTIONS;
    LLVMValueRef defined[MF_ACCESSOR_COUNT] = {NULL};
    plan_set plans;
    ir ir;
    if (options == NULL)
        options = &DEFAULT_OPTIONS;
    mf_status status = check_module_backend(module, options->backend, diag);
    if (status == MF_OK)
        status = plan_set_make(layout, options, &plans, diag);
    if (status != MF_OK)
        return status;
    emit_input input = {&plans, options, mf_layout_fingerprint(layout), prefix};
    LLVMBuilderRef builder = LLVMCreateBuilderInContext(LLVMGetModuleContext(module));
    status = begin(&ir, module, builder, diag);
    if (status == MF_OK)
        status = emit_functions(&ir, &input, defined, diag);
    LLVMDisposeBuilder(builder);
    plan_set_fini(&plans);
    if (status != MF_OK) {
        delete_functions(defined);
        return status;
    }
    for (size_t i = 0; i < MF_ACCESSOR_COUNT; i++)
        make_inline(&ir, defined[i]);
    if (functions != NULL)
        memcpy(functions, defined, sizeof defined);
    return MF_OK;
}

/* ---- Exception table ----------------------------------------------------------------------- */

/*
 * Module assembly comes before the functions, but what is in a later subsection comes after their entries.
 * Both labels are local to the object: a JIT refuses objects that define more than their module has said.
 */
static const char BOUNDS_FORMAT[] = ".pushsection " MF_EXCEPTION_SECTION ",\"aR\",@progbits\n"
                                    ".balign 4\n%s_begin:\n.subsection 1\n%s_end:\n.popsection\n";

/* Declares the label "<name>_<suffix>" of the module's assembly. NULL if the host has no memory. */
static LLVMValueRef declare_label(LLVMModuleRef module, const char *name, const char *suffix) {
    char *symbol = NULL;
    if (asprintf(&symbol, "%s_%s", name, suffix) < 0)
        return NULL;
    LLVMTypeRef t_entries = LLVMArrayType2(LLVMInt8TypeInContext(LLVMGetModuleContext(module)), 0);
    LLVMValueRef label = LLVMAddGlobal(module, t_entries, symbol);
    free(symbol);
    return label;
}

static bool define_bounds(LLVMModuleRef module, const char *name) {
    LLVMValueRef members[] = {declare_label(module, name, "begin"), declare_label(module, name, "end")};
    char *text = NULL;
    if (members[0] == NULL || members[1] == NULL || asprintf(&text, BOUNDS_FORMAT, name, name) < 0)
        return false;
    LLVMAppendModuleInlineAsm(module, text, strlen(text));
    free(text);
    LLVMValueRef v_bounds = LLVMConstStructInContext(LLVMGetModuleContext(module), members, 2, false);
    LLVMValueRef bounds = LLVMAddGlobal(module, LLVMTypeOf(v_bounds), name);
    LLVMSetInitializer(bounds, v_bounds);
    LLVMSetGlobalConstant(bounds, true);
    return true;
}

mf_status mf_embed_define_exception_table(LLVMModuleRef module, const char *name, mf_diag *diag) {
    if (define_bounds(module, name))
        return MF_OK;
    return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for an exception table");
}

/* ---- Access by access: the emitter --------------------------------------------------------- */

static mf_status make_plans(mf_embed *embed, mf_diag *diag) {
    mf_status status = MF_OK;
    for (mf_index index = MF_INDEX_U32; index <= MF_INDEX_U33; index++) {
        mf_accessor_options options = embed->options;
        options.index = index;
        for (mf_accessor_id id = 0; status == MF_OK && id < MF_ACCESSOR_COUNT; id++)
            status = mf_plan_make(embed->layout, id, &options, &embed->plans[index][id], diag);
    }
    return status;
}

/* Placed in the module by the first access that reads it. */
static mf_status make_tables(mf_embed *embed, mf_diag *diag) {
    static const mf_accessor_id FIRST[] = {MF_LOAD_U8, MF_STORE_U8};
    mf_status status = MF_OK;
    for (mf_operation operation = MF_LOAD; status == MF_OK && operation <= MF_STORE; operation++) {
        const mf_plan *plan = &embed->plans[MF_INDEX_U33][FIRST[operation]];
        plan_table table;
        status = plan_table_make(embed->layout, plan, &table, diag);
        if (status == MF_OK)
            embed->tables[operation] = emit_table_make(&embed->ir, &table);
        free(table.bytes);
    }
    return status;
}

/* A range is checked in software on every backend: one byte's plan on copy says where its bytes may lie. */
static mf_status make_range_plans(mf_embed *embed, mf_diag *diag) {
    mf_accessor_options options = {.policy = embed->options.policy, .index = MF_INDEX_U33};
    mf_status status = mf_plan_make(embed->layout, MF_LOAD_U8, &options, &embed->range_plans[MF_LOAD], diag);
    if (status == MF_OK)
        status = mf_plan_make(embed->layout, MF_STORE_U8, &options, &embed->range_plans[MF_STORE], diag);
    return status;
}

static mf_status embed_start(mf_embed *embed, LLVMModuleRef module, mf_diag *diag) {
    if (embed->options.stale == MF_STALE_CHECK)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, MF_STALE_CHECK, "stale checks are for whole accessors");
    mf_status status = check_module_backend(module, embed->options.backend, diag);
    if (status == MF_OK)
        status = begin(&embed->ir, module, NULL, diag);
    if (status == MF_OK)
        status = make_plans(embed, diag);
    if (status == MF_OK)
        status = make_tables(embed, diag);
    return status == MF_OK ? make_range_plans(embed, diag) : status;
}

mf_status mf_embed_create(LLVMModuleRef module, const mf_layout *layout, const mf_accessor_options *options,
                          mf_embed **embed, mf_diag *diag) {
    mf_embed *made = calloc(1, sizeof *made);
    if (made == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, sizeof *made, "no memory for an emitter");
    made->layout = mf_layout_retain(layout);
    made->options = options == NULL ? (mf_accessor_options){0} : *options;
    mf_status status = embed_start(made, module, diag);
    if (status != MF_OK) {
        mf_embed_destroy(made);
        return status;
    }
    *embed = made;
    return MF_OK;
}

void mf_embed_destroy(mf_embed *embed) {
    if (embed == NULL)
        return;
    mf_layout_release(embed->layout);
    free(embed);
}

/* ---- Access by access: one access ---------------------------------------------------------- */

LLVMValueRef embed_index(const ir *ir, const mf_embed_access *access) {
    bool is_wide = LLVMGetIntTypeWidth(LLVMTypeOf(access->address)) == 64;
    if (!is_wide && access->offset == 0)
        return NULL;
    LLVMValueRef v_index =
        is_wide ? access->address : LLVMBuildZExt(ir->builder, access->address, ir->t_i64, "index");
    if (access->offset == 0)
        return v_index;
    return LLVMBuildNUWAdd(ir->builder, v_index, ir_const(ir->t_i64, access->offset), "index");
}

void embed_leave(const ir *ir, const emit_site *site, LLVMBasicBlockRef client_block) {
    if (site->options->on_fault == MF_ON_FAULT_TRAP) {
        emit_fault_trap(ir, site);
        return;
    }
    emit_fault_return(ir, site);
    LLVMBuildBr(ir->builder, client_block);
}

void embed_tell_edge(const emit_site *site, LLVMBasicBlockRef b_fault, LLVMBasicBlockRef *fault_from) {
    if (fault_from != NULL)
        *fault_from = site->options->on_fault == MF_ON_FAULT_TRAP ? NULL : b_fault;
}

/* The accessor that moves a value of `width_bytes` bits and all. */
static mf_accessor_id accessor_of(mf_operation operation, uint64_t width_bytes) {
    mf_accessor_id id = 0;
    while (mf_accessor_info_get(id)->operation != operation ||
           mf_accessor_info_get(id)->width_bytes != width_bytes)
        id++;
    return id;
}

/* What one constant address can do: nothing else is left to check. */
static void decide_constant(const mf_embed *embed, emit_site *site, mf_plan *decided) {
    LLVMValueRef v_index = site->v_address != NULL ? site->v_address : site->v_index;
    if (!LLVMIsAConstantInt(v_index) || site->plan->check == MF_CHECK_ALWAYS_FAULT)
        return;
    *decided = *site->plan;
    mf_decision decision = mf_plan_decide(embed->layout, site->plan, LLVMConstIntGetZExtValue(v_index));
    if (decision == MF_DECIDED_FAULT)
        decided->check = MF_CHECK_ALWAYS_FAULT;
    else if (decision == MF_DECIDED_ALLOWED)
        decided->check = MF_CHECK_ALWAYS_ALLOWED;
    decided->may_fault = decided->check != MF_CHECK_ALWAYS_ALLOWED;
    site->plan = decided;
}

/* Emits the site with its cold block; the builder goes on along the good path. */
static LLVMValueRef emit_site_at_builder(const mf_embed *embed, const ir *ir, emit_site *site,
                                         const mf_embed_access *access, LLVMValueRef v_value,
                                         LLVMBasicBlockRef *fault_from) {
    mf_plan decided;
    decide_constant(embed, site, &decided);
    if (mf_plan_table_bytes(site->plan) > 0)
        site->v_table = emit_table_place(ir, &embed->tables[site->info->operation]);
    LLVMBasicBlockRef b_fault = NULL;
    LLVMValueRef function = LLVMGetBasicBlockParent(LLVMGetInsertBlock(ir->builder));
    emit_null_is_valid(ir, function, site->options);
    if (emit_guarded_has_fault_edge(site))
        b_fault = ir_block_append(ir, function, "fault");
    LLVMValueRef v_loaded = emit_guarded(ir, site, v_value, b_fault);
    if (b_fault != NULL) {
        LLVMBasicBlockRef b_good = LLVMGetInsertBlock(ir->builder);
        emit_guarded_enter_fault(ir, site, b_fault);
        embed_leave(ir, site, access->fault_block);
        ir_block_enter(ir, b_good);
    }
    embed_tell_edge(site, b_fault, fault_from);
    return v_loaded;
}

static LLVMValueRef emit_access(const mf_embed *embed, LLVMBuilderRef builder, const mf_embed_access *access,
                                mf_operation operation, uint64_t width_bytes, LLVMValueRef v_value,
                                LLVMBasicBlockRef *fault_from) {
    ir ir = embed->ir;
    ir.builder = builder;
    LLVMValueRef v_index = embed_index(&ir, access);
    mf_index index = v_index == NULL ? MF_INDEX_U32 : MF_INDEX_U33;
    mf_accessor_id id = accessor_of(operation, width_bytes);
    mf_accessor_options options = embed->options;
    options.index = index;
    emit_site site = {.plan = &embed->plans[index][id],
                      .info = mf_accessor_info_get(id),
                      .options = &options,
                      .v_view = access->view,
                      .v_base = access->base,
                      .v_address = v_index == NULL ? access->address : NULL,
                      .v_index = v_index};
    return emit_site_at_builder(embed, &ir, &site, access, v_value, fault_from);
}

/* ---- Types: every value moves as the integer of its width ---------------------------------- */

static uint64_t width_of(const mf_embed *embed, LLVMTypeRef type) {
    return LLVMStoreSizeOfType(LLVMGetModuleDataLayout(embed->ir.module), type);
}

static LLVMValueRef value_from_i64(const mf_embed *embed, LLVMBuilderRef builder, LLVMValueRef v_loaded,
                                   LLVMTypeRef type) {
    LLVMTypeRef t_bits = ir_int_type(&embed->ir, (uint32_t)width_of(embed, type));
    LLVMValueRef v_bits =
        t_bits == embed->ir.t_i64 ? v_loaded : LLVMBuildTrunc(builder, v_loaded, t_bits, "");
    switch (LLVMGetTypeKind(type)) {
    case LLVMIntegerTypeKind:
        return v_bits;
    case LLVMPointerTypeKind:
        return LLVMBuildIntToPtr(builder, v_bits, type, "");
    default:
        return LLVMBuildBitCast(builder, v_bits, type, "");
    }
}

static LLVMValueRef value_to_i64(const mf_embed *embed, LLVMBuilderRef builder, LLVMValueRef v_value) {
    LLVMTypeRef type = LLVMTypeOf(v_value);
    LLVMTypeRef t_bits = ir_int_type(&embed->ir, (uint32_t)width_of(embed, type));
    LLVMValueRef v_bits = v_value;
    if (LLVMGetTypeKind(type) == LLVMPointerTypeKind)
        v_bits = LLVMBuildPtrToInt(builder, v_value, t_bits, "");
    else if (LLVMGetTypeKind(type) != LLVMIntegerTypeKind)
        v_bits = LLVMBuildBitCast(builder, v_value, t_bits, "");
    return t_bits == embed->ir.t_i64 ? v_bits : LLVMBuildZExt(builder, v_bits, embed->ir.t_i64, "");
}

LLVMValueRef mf_embed_load(const mf_embed *embed, LLVMBuilderRef builder, const mf_embed_access *access,
                           LLVMTypeRef type, LLVMBasicBlockRef *fault_from) {
    LLVMValueRef v_loaded =
        emit_access(embed, builder, access, MF_LOAD, width_of(embed, type), NULL, fault_from);
    return value_from_i64(embed, builder, v_loaded, type);
}

void mf_embed_store(const mf_embed *embed, LLVMBuilderRef builder, const mf_embed_access *access,
                    LLVMValueRef value, LLVMBasicBlockRef *fault_from) {
    LLVMValueRef v_value = value_to_i64(embed, builder, value);
    emit_access(embed, builder, access, MF_STORE, width_of(embed, LLVMTypeOf(value)), v_value, fault_from);
}
