/*
 * From a program and an engine to machine code. The program's bitcode declares a function for each type of
 * access. A peer's functions take their place; for memfold they are given bodies here, which a backend would
 * emit where the access stands.
 */
#include "bench/program_code.h"

#include "bench/bitcode.h"

#include <memfold/embed.h>

#include <llvm-c/Core.h>

#include <stdio.h>
#include <string.h>

/* ---- The programs ---- */

#define X(name) extern const program program_##name;
PROGRAMS(X)
#undef X

static const program *const programs[PROGRAM_COUNT] = {
#define X(name) &program_##name,
    PROGRAMS(X)
#undef X
};

static const bench_bitcode guest_bitcode[PROGRAM_COUNT] = {
#define X(name) {bench_program_##name##_guest, bench_program_##name##_guest_end},
    PROGRAMS(X)
#undef X
};

static const bench_bitcode native_bitcode[PROGRAM_COUNT] = {
#define X(name) {bench_program_##name##_native, bench_program_##name##_native_end},
    PROGRAMS(X)
#undef X
};

const program *program_get(program_id id) {
    return programs[id];
}

/* ---- Accesses ---- */

typedef struct access_type {
    const char *name;
    mf_accessor_id load, store; /* of its width */
} access_type;

static const access_type types[] = {{"u8", MF_LOAD_U8, MF_STORE_U8},    {"u16", MF_LOAD_U16, MF_STORE_U16},
                                    {"u32", MF_LOAD_U32, MF_STORE_U32}, {"u64", MF_LOAD_U64, MF_STORE_U64},
                                    {"f32", MF_LOAD_U32, MF_STORE_U32}, {"f64", MF_LOAD_U64, MF_STORE_U64}};
#define TYPE_COUNT (sizeof types / sizeof types[0])

/* "<stem>_load_f64" */
static void access_name(char name[64], const char *stem, mf_operation operation, const access_type *type) {
    snprintf(name, 64, "%s_%s_%s", stem, operation == MF_LOAD ? "load" : "store", type->name);
}

static mf_status insert_peer(bench_module *module, const char *peer, mf_diag *diag) {
    static const bench_bitcode access = {bench_access_bitcode, bench_access_bitcode_end};
    mf_status status = bench_module_link(module, access, diag);
    for (size_t i = 0; status == MF_OK && i < TYPE_COUNT; i++)
        for (mf_operation operation = MF_LOAD; operation <= MF_STORE; operation++) {
            char declared[64], defined[64];
            access_name(declared, "engine", operation, &types[i]);
            access_name(defined, peer, operation, &types[i]);
            bench_module_replace(module, declared, LLVMGetNamedFunction(module->module, defined));
        }
    return status;
}

/* What a body is made of: an emitter, or functions. */
typedef struct access_maker {
    LLVMModuleRef module;
    LLVMBuilderRef builder;
    mf_embed *embed; /* NULL: the functions are called */
    LLVMValueRef f_accessors[MF_ACCESSOR_COUNT];
} access_maker;

static LLVMValueRef call(const access_maker *maker, mf_accessor_id id, LLVMValueRef *arguments,
                         unsigned count) {
    LLVMValueRef f_accessor = maker->f_accessors[id];
    return LLVMBuildCall2(maker->builder, LLVMGlobalGetValueType(f_accessor), f_accessor, arguments, count,
                          "");
}

/* The functions move integers of 64 bits: a value is narrowed and widened, and takes another type. */
static LLVMValueRef call_load(const access_maker *maker, const access_type *type, LLVMValueRef f_body) {
    LLVMValueRef arguments[3];
    LLVMTypeRef t_value = LLVMGetReturnType(LLVMGlobalGetValueType(f_body));
    LLVMTypeRef t_bits = LLVMIntTypeInContext(LLVMGetModuleContext(maker->module),
                                              8 * mf_accessor_info_get(type->load)->width_bytes);
    LLVMGetParams(f_body, arguments);
    LLVMValueRef v_wide = call(maker, type->load, arguments, 3);
    LLVMValueRef v_bits = LLVMBuildTruncOrBitCast(maker->builder, v_wide, t_bits, "");
    return LLVMBuildBitCast(maker->builder, v_bits, t_value, "");
}

static void call_store(const access_maker *maker, const access_type *type, LLVMValueRef f_body) {
    LLVMValueRef arguments[4];
    LLVMContextRef context = LLVMGetModuleContext(maker->module);
    LLVMTypeRef t_bits = LLVMIntTypeInContext(context, 8 * mf_accessor_info_get(type->store)->width_bytes);
    LLVMGetParams(f_body, arguments);
    LLVMValueRef v_bits = LLVMBuildBitCast(maker->builder, arguments[3], t_bits, "");
    arguments[3] = LLVMBuildZExtOrBitCast(maker->builder, v_bits, LLVMInt64TypeInContext(context), "");
    call(maker, type->store, arguments, 4);
}

static void build_body(const access_maker *maker, mf_operation operation, const access_type *type,
                       LLVMValueRef f_body) {
    mf_embed_access access = {
        .view = LLVMGetParam(f_body, 0), .base = LLVMGetParam(f_body, 1), .address = LLVMGetParam(f_body, 2)};
    LLVMValueRef v_loaded = NULL;
    if (operation == MF_LOAD && maker->embed != NULL)
        v_loaded = mf_embed_load(maker->embed, maker->builder, &access,
                                 LLVMGetReturnType(LLVMGlobalGetValueType(f_body)), NULL);
    else if (operation == MF_LOAD)
        v_loaded = call_load(maker, type, f_body);
    else if (maker->embed != NULL)
        mf_embed_store(maker->embed, maker->builder, &access, LLVMGetParam(f_body, 3), NULL);
    else
        call_store(maker, type, f_body);
    if (v_loaded != NULL)
        LLVMBuildRet(maker->builder, v_loaded);
    else
        LLVMBuildRetVoid(maker->builder);
}

/* Gives each access that the program declares a body, which is inlined wherever it is called. */
static void define_accesses(const access_maker *maker) {
    LLVMContextRef context = LLVMGetModuleContext(maker->module);
    static const char always[] = "alwaysinline";
    unsigned kind = LLVMGetEnumAttributeKindForName(always, sizeof always - 1);
    for (size_t i = 0; i < TYPE_COUNT; i++)
        for (mf_operation operation = MF_LOAD; operation <= MF_STORE; operation++) {
            char name[64];
            access_name(name, "engine", operation, &types[i]);
            LLVMValueRef f_body = LLVMGetNamedFunction(maker->module, name);
            if (f_body == NULL)
                continue;
            LLVMAddAttributeAtIndex(f_body, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                                    LLVMCreateEnumAttribute(context, kind, 0));
            LLVMPositionBuilderAtEnd(maker->builder, LLVMAppendBasicBlockInContext(context, f_body, "entry"));
            build_body(maker, operation, &types[i], f_body);
        }
}

static mf_status insert_memfold(bench_module *module, const program_engine *engine, const mf_layout *layout,
                                const mf_accessor_options *options, mf_diag *diag) {
    access_maker maker = {.module = module->module};
    mf_status status =
        engine->form == PROGRAM_FORM_FUNCTIONS
            ? mf_embed_define(module->module, layout, options, "memfold", maker.f_accessors, diag)
            : mf_embed_create(module->module, layout, options, &maker.embed, diag);
    if (status != MF_OK)
        return status;
    maker.builder = LLVMCreateBuilderInContext(module->context);
    define_accesses(&maker);
    LLVMDisposeBuilder(maker.builder);
    mf_embed_destroy(maker.embed);
    return MF_OK;
}

/* ---- Code ---- */

/* The signature of the programs decides on three of the options. */
static mf_accessor_options settle_options(const program_engine *engine, const mf_accessor_options *hot) {
    mf_accessor_options options = engine->options;
    options.on_fault = MF_ON_FAULT_TRAP;
    options.base = MF_BASE_ARGUMENT;
    options.index = MF_INDEX_U33;
    if (hot != NULL) {
        options.hot_address = hot->hot_address;
        options.hot_percent = hot->hot_percent;
    }
    return options;
}

static bool is_native(const program_engine *engine) {
    return engine->form == PROGRAM_FORM_NATIVE || engine->form == PROGRAM_FORM_SCALAR;
}

static mf_status insert(bench_module *module, const program_engine *engine, const mf_layout *layout,
                        const mf_accessor_options *hot, mf_diag *diag) {
    if (is_native(engine))
        return MF_OK;
    if (engine->form == PROGRAM_FORM_PEER)
        return insert_peer(module, engine->peer, diag);
    mf_accessor_options options = settle_options(engine, hot);
    return insert_memfold(module, engine, layout, &options, diag);
}

mf_status program_code_compile(bench_jit *jit, program_id id, const program_engine *engine,
                               const mf_layout *layout, const mf_accessor_options *hot, program_code *code,
                               mf_diag *diag) {
    static const char *const names[] = {"program_entry"};
    bench_module module;
    uintptr_t address = 0;
    *code = (program_code){0};
    mf_status status =
        bench_module_begin(jit, &module, is_native(engine) ? native_bitcode[id] : guest_bitcode[id], diag);
    if (status == MF_OK)
        status = insert(&module, engine, layout, hot, diag);
    if (status == MF_OK) {
        bench_module_settle(&module, names, 1);
        status = bench_module_optimise(jit, &module, engine->form != PROGRAM_FORM_SCALAR, diag);
    }
    if (status == MF_OK)
        status = bench_module_load(jit, &module, &code->tracker, diag);
    if (status == MF_OK)
        status = bench_module_find(jit, names[0], module.number, &address, diag);
    code->run = (program_run *)address;
    bench_module_fini(&module);
    return status;
}

void program_code_fini(program_code *code) {
    bench_module_unload(code->tracker);
    *code = (program_code){0};
}
