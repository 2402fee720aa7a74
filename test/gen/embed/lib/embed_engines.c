#include "embed_engines.h"

#include "client.h"

#include <memfold/embed.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

embed_style embed_style_now;

/* What one module gives: `set` is first, so that it leads back here. */
typedef struct made_code {
    mf_accessors set;
    client_code code;
} made_code;

/* What is needed while one module is built. */
typedef struct session {
    client_module module;
    mf_layout *layout;
    mf_accessor_options options;
    mf_embed *embed;
    unsigned serial;
    LLVMTypeRef t_i32, t_i64, t_ptr, t_result;
} session;

static unsigned next_serial;

/* ---- Signatures ---- */

static bool traps(const session *s) {
    return s->options.on_fault == MF_ON_FAULT_TRAP;
}

static LLVMTypeRef function_type(const session *s, const mf_accessor_info *info) {
    LLVMTypeRef parameters[4];
    unsigned count = 0;
    parameters[count++] = s->t_ptr;
    if (s->options.base == MF_BASE_ARGUMENT)
        parameters[count++] = s->t_ptr;
    parameters[count++] = s->options.index == MF_INDEX_U33 ? s->t_i64 : s->t_i32;
    if (info->operation == MF_STORE)
        parameters[count++] = s->t_i64;
    LLVMTypeRef t_status = traps(s) ? LLVMVoidTypeInContext(s->module.context) : s->t_i32;
    LLVMTypeRef t_loaded = traps(s) ? s->t_i64 : s->t_result;
    return LLVMFunctionType(info->operation == MF_LOAD ? t_loaded : t_status, parameters, count, false);
}

static void symbol_print(const session *s, mf_accessor_id id, char *text, size_t text_bytes) {
    snprintf(text, text_bytes, "client%u_%s", s->serial, mf_accessor_info_get(id)->name);
}

static LLVMValueRef begin_function(const session *s, mf_accessor_id id) {
    char symbol[64];
    symbol_print(s, id, symbol, sizeof symbol);
    return client_function_begin(&s->module, symbol, function_type(s, mf_accessor_info_get(id)));
}

/* ---- mf_embed_define: each function has a caller of the same type ---- */

static void build_caller(const session *s, mf_accessor_id id, LLVMValueRef callee) {
    LLVMValueRef function = begin_function(s, id);
    LLVMTypeRef type = LLVMGlobalGetValueType(function);
    LLVMValueRef arguments[4];
    LLVMGetParams(function, arguments);
    LLVMValueRef v_result =
        LLVMBuildCall2(s->module.builder, type, callee, arguments, LLVMCountParams(function), "");
    if (LLVMTypeOf(v_result) == LLVMVoidTypeInContext(s->module.context))
        LLVMBuildRetVoid(s->module.builder);
    else
        LLVMBuildRet(s->module.builder, v_result);
}

static void build_defined(session *s) {
    LLVMValueRef functions[MF_ACCESSOR_COUNT];
    mf_diag diag;
    client_must(mf_embed_define(s->module.module, s->layout, &s->options, "inner", functions, &diag), &diag,
                "mf_embed_define");
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        build_caller(s, id, functions[id]);
}

/* ---- mf_embed_load and mf_embed_store ---- */

static LLVMTypeRef value_type(const session *s, const mf_accessor_info *info) {
    LLVMContextRef context = s->module.context;
    if (embed_style_now.type == EMBED_FLOATS && info->width_bytes == 4)
        return LLVMFloatTypeInContext(context);
    if (embed_style_now.type == EMBED_FLOATS && info->width_bytes == 8)
        return LLVMDoubleTypeInContext(context);
    if (embed_style_now.type == EMBED_POINTERS && info->width_bytes == 8)
        return s->t_ptr;
    return LLVMIntTypeInContext(context, 8 * info->width_bytes);
}

static LLVMValueRef extend(const session *s, const mf_accessor_info *info, LLVMValueRef v_loaded) {
    LLVMBuilderRef b = s->module.builder;
    LLVMTypeRef t_bits = LLVMIntTypeInContext(s->module.context, 8 * info->width_bytes);
    LLVMValueRef v_bits = LLVMGetTypeKind(LLVMTypeOf(v_loaded)) == LLVMPointerTypeKind
                              ? LLVMBuildPtrToInt(b, v_loaded, t_bits, "")
                              : LLVMBuildBitCast(b, v_loaded, t_bits, "");
    if (info->width_bytes == 8)
        return v_bits;
    return info->sign_extends ? LLVMBuildSExt(b, v_bits, s->t_i64, "")
                              : LLVMBuildZExt(b, v_bits, s->t_i64, "");
}

static LLVMValueRef narrow(const session *s, const mf_accessor_info *info, LLVMValueRef v_value) {
    LLVMBuilderRef b = s->module.builder;
    LLVMTypeRef type = value_type(s, info);
    LLVMTypeRef t_bits = LLVMIntTypeInContext(s->module.context, 8 * info->width_bytes);
    LLVMValueRef v_bits = LLVMBuildTruncOrBitCast(b, v_value, t_bits, "");
    if (type == s->t_ptr)
        return LLVMBuildIntToPtr(b, v_bits, type, "");
    return LLVMBuildBitCast(b, v_bits, type, "");
}

/* A 33-bit index comes as one value, or as a 32-bit address with a constant offset to be added. */
static void set_index(const session *s, mf_embed_access *access, LLVMValueRef v_index) {
    LLVMBuilderRef b = s->module.builder;
    access->address = v_index;
    if (s->options.index != MF_INDEX_U33 || embed_style_now.offset == 0)
        return;
    LLVMValueRef v_offset = LLVMConstInt(s->t_i64, embed_style_now.offset, false);
    LLVMValueRef v_rest = LLVMBuildSub(b, v_index, v_offset, "");
    access->address = LLVMBuildTrunc(b, v_rest, s->t_i32, "");
    access->offset = embed_style_now.offset;
}

/* The fault block: the kind from the record, if the phi says that it was reached from the access's edge. */
static LLVMValueRef build_status(const session *s, LLVMValueRef v_view, LLVMBasicBlockRef fault_from) {
    LLVMBuilderRef b = s->module.builder;
    LLVMValueRef v_one = LLVMConstInt(s->t_i32, 1, false);
    LLVMValueRef v_phi = LLVMBuildPhi(b, s->t_i32, "");
    LLVMAddIncoming(v_phi, &v_one, &fault_from, 1);
    LLVMValueRef v_offset = LLVMConstInt(s->t_i64, MF_VIEW_FAULT_OFFSET + offsetof(mf_fault, kind), false);
    LLVMValueRef v_field =
        LLVMBuildGEP2(b, LLVMInt8TypeInContext(s->module.context), v_view, &v_offset, 1, "");
    LLVMValueRef v_kind = LLVMBuildLoad2(b, s->t_i32, v_field, "");
    return LLVMBuildMul(b, v_kind, v_phi, "");
}

static void build_result(const session *s, LLVMValueRef v_value, LLVMValueRef v_status) {
    LLVMBuilderRef b = s->module.builder;
    if (v_value == NULL) {
        LLVMBuildRet(b, v_status);
        return;
    }
    LLVMValueRef v_result = LLVMBuildInsertValue(b, LLVMGetPoison(s->t_result), v_value, 0, "");
    v_result = LLVMBuildInsertValue(b, v_result, v_status, 1, "");
    LLVMBuildRet(b, v_result);
}

static void end_function(const session *s, const mf_embed_access *access, LLVMValueRef v_value,
                         LLVMBasicBlockRef fault_from) {
    LLVMBuilderRef b = s->module.builder;
    LLVMValueRef v_zero = LLVMConstInt(s->t_i64, 0, false);
    if (traps(s)) {
        if (v_value != NULL)
            LLVMBuildRet(b, v_value);
        else
            LLVMBuildRetVoid(b);
        return;
    }
    build_result(s, v_value, LLVMConstInt(s->t_i32, MF_FAULT_NONE, false));
    LLVMPositionBuilderAtEnd(b, access->fault_block);
    if (fault_from == NULL) {
        LLVMBuildUnreachable(b);
        return;
    }
    LLVMValueRef v_status = build_status(s, access->view, fault_from);
    build_result(s, v_value == NULL ? NULL : v_zero, v_status);
}

static void build_access(const session *s, mf_accessor_id id) {
    const mf_accessor_info *info = mf_accessor_info_get(id);
    LLVMValueRef function = begin_function(s, id);
    mf_embed_access access = {.view = LLVMGetParam(function, 0)};
    unsigned position = 1;
    if (s->options.base == MF_BASE_ARGUMENT)
        access.base = LLVMGetParam(function, position++);
    set_index(s, &access, LLVMGetParam(function, position));
    if (embed_style_now.keeps_state) {
        access.heap_end = mf_embed_load_heap_end(s->embed, s->module.builder, access.view);
        if (s->options.base != MF_BASE_ARGUMENT)
            access.base = mf_embed_load_base(s->embed, s->module.builder, access.view);
    }
    access.hot_address = embed_style_now.hot_address;
    access.hot_percent = embed_style_now.hot_percent;
    if (!traps(s))
        access.fault_block = LLVMAppendBasicBlockInContext(s->module.context, function, "client.fault");
    LLVMBasicBlockRef fault_from;
    LLVMValueRef v_value = NULL;
    if (info->operation == MF_STORE) {
        LLVMValueRef v_stored = narrow(s, info, LLVMGetLastParam(function));
        mf_embed_store(s->embed, s->module.builder, &access, v_stored, &fault_from);
    } else {
        LLVMValueRef v_loaded =
            mf_embed_load(s->embed, s->module.builder, &access, value_type(s, info), &fault_from);
        v_value = extend(s, info, v_loaded);
    }
    end_function(s, &access, v_value, fault_from);
}

static void build_accesses(session *s) {
    mf_diag diag;
    client_must(mf_embed_create(s->module.module, s->layout, &s->options, &s->embed, &diag), &diag,
                "mf_embed_create");
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        build_access(s, id);
    mf_embed_destroy(s->embed);
}

/* ---- A module, from begin to end ---- */

static session session_begin(mf_memory *memory, const mf_accessor_options *options, mf_backend backend) {
    session s = {.module = client_module_create("client"), .options = *options, .serial = next_serial++};
    LLVMContextRef context = s.module.context;
    mf_diag diag;
    s.options.backend = backend;
    s.t_i32 = LLVMInt32TypeInContext(context);
    s.t_i64 = LLVMInt64TypeInContext(context);
    s.t_ptr = LLVMPointerTypeInContext(context, 0);
    LLVMTypeRef fields[] = {s.t_i64, s.t_i32};
    s.t_result = LLVMStructTypeInContext(context, fields, 2, false);
    client_must(mf_memory_layout(memory, &s.layout, &diag), &diag, "mf_memory_layout");
    return s;
}

static engine_code session_end(session *s) {
    char table[64];
    mf_diag diag;
    bool has_table = s->options.backend == MF_BACKEND_X86_PAGED && !traps(s);
    snprintf(table, sizeof table, "client%u_table", s->serial);
    if (has_table)
        client_must(mf_embed_define_exception_table(s->module.module, table, &diag), &diag, "table");
    client_module_optimise(&s->module, embed_style_now.pipeline);
    made_code *made = calloc(1, sizeof *made);
    made->code = client_module_load(&s->module, has_table ? table : NULL);
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        char symbol[64];
        symbol_print(s, id, symbol, sizeof symbol);
        uintptr_t host = client_lookup(symbol);
        memcpy((char *)&made->set + id * sizeof host, &host, sizeof host);
    }
    mf_layout_release(s->layout);
    return (engine_code){.set = &made->set};
}

static engine_code acquire(mf_memory *memory, const mf_accessor_options *options, mf_backend backend,
                           void (*build)(session *s)) {
    session s = session_begin(memory, options, backend);
    build(&s);
    return session_end(&s);
}

static void release(engine_code code) {
    made_code *made = (made_code *)code.set;
    client_code_unload(&made->code);
    free(made);
}

/* ---- The table ---- */

static engine_code copy_defined(mf_memory *memory, const mf_accessor_options *options) {
    return acquire(memory, options, MF_BACKEND_COPY, build_defined);
}

static engine_code copy_built(mf_memory *memory, const mf_accessor_options *options) {
    return acquire(memory, options, MF_BACKEND_COPY, build_accesses);
}

static engine_code paged_defined(mf_memory *memory, const mf_accessor_options *options) {
    return acquire(memory, options, MF_BACKEND_X86_PAGED, build_defined);
}

static engine_code paged_built(mf_memory *memory, const mf_accessor_options *options) {
    return acquire(memory, options, MF_BACKEND_X86_PAGED, build_accesses);
}

static bool copy_serves(const mf_accessor_options *options) {
    (void)options;
    return true;
}

static bool paged_serves(const mf_accessor_options *options) {
    return options->policy != MF_POLICY_BOUNDS && options->strategy == MF_STRATEGY_AUTO;
}

const engine EMBED_ENGINES[] = {
    {"copy/define", MF_BACKEND_COPY, copy_serves, copy_defined, release},
    {"copy/builder", MF_BACKEND_COPY, copy_serves, copy_built, release},
    {"paged/define", MF_BACKEND_X86_PAGED, paged_serves, paged_defined, release},
    {"paged/builder", MF_BACKEND_X86_PAGED, paged_serves, paged_built, release},
};
const size_t EMBED_ENGINE_COUNT = sizeof EMBED_ENGINES / sizeof EMBED_ENGINES[0];
MF_STATIC_ASSERT(sizeof EMBED_ENGINES / sizeof EMBED_ENGINES[0] <= ENGINE_MAX, "ENGINE_MAX");
