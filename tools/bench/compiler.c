/* From an engine to machine code: the loops' bitcode, linked with the engine, optimised, JITed. */
#include "bench/compiler.h"

#include "bench/bitcode.h"
#include "bench/module.h"

#include <memfold/embed.h>
#include <memfold/exception_table.h>
#include <memfold/generic.h>
#include <memfold/llvm_maker.h>

#include <llvm-c/Core.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEERS_MAX 16

typedef struct compiled_peer {
    const char *name;
    bench_code code;
} compiled_peer;

struct bench_compiler {
    bench_jit *modules;
    compiled_peer peers[PEERS_MAX];
    size_t peer_count;
    mf_jit *jit;      /* for engines that are called */
    mf_jit *stencils; /* for those whose code is made by stencils */
};

static const char *const loop_names[LOOP_COUNT] = {"loop_random", "loop_dependent", "loop_sequential",
                                                   "loop_scalar"};

/* ---- The compiler ---- */

bench_compiler *bench_compiler_create(mf_diag *diag) {
    const mf_jit_config config = {.maker = mf_llvm_maker()};
    bench_compiler *compiler = calloc(1, sizeof *compiler);
    if (compiler == NULL) {
        mf_diag_set(diag, MF_LLVM, 0, "out of memory");
        return NULL;
    }
    compiler->modules = bench_jit_create(diag);
    if (compiler->modules != NULL && mf_jit_create(&config, &compiler->jit, diag) == MF_OK &&
        mf_jit_create(NULL, &compiler->stencils, diag) == MF_OK)
        return compiler;
    bench_compiler_destroy(compiler);
    return NULL;
}

void bench_compiler_destroy(bench_compiler *compiler) {
    if (compiler == NULL)
        return;
    bench_jit_destroy(compiler->modules);
    mf_jit_destroy(compiler->jit);
    mf_jit_destroy(compiler->stencils);
    free(compiler);
}

/* ---- Modules: the loops call an engine instead of the functions that they declare ---- */

static LLVMValueRef peer_function(const bench_module *module, const char *peer, const char *accessor) {
    char name[BENCH_ENGINE_NAME_BYTES * 2];
    snprintf(name, sizeof name, "%s_%s", peer, accessor);
    return LLVMGetNamedFunction(module->module, name);
}

static mf_status insert_peer(bench_module *module, const char *peer, mf_diag *diag) {
    static const bench_bitcode peers = {bench_peers_bitcode, bench_peers_bitcode_end};
    mf_status status = bench_module_link(module, peers, diag);
    if (status != MF_OK)
        return status;
    bench_module_replace(module, "engine_load_u32", peer_function(module, peer, "load_u32"));
    bench_module_replace(module, "engine_store_u32", peer_function(module, peer, "store_u32"));
    return MF_OK;
}

/* Whether its accesses are listed in an exception table. */
static bool has_table(const bench_engine *spec) {
    return spec->form == FORM_INLINED && spec->options.backend == MF_BACKEND_X86_PAGED;
}

static mf_status insert_memfold(bench_module *module, const bench_engine *spec, const mf_layout *layout,
                                mf_diag *diag) {
    LLVMValueRef f_accessors[MF_ACCESSOR_COUNT];
    mf_status status = mf_embed_define(module->module, layout, &spec->options, "memfold", f_accessors, diag);
    if (status != MF_OK)
        return status;
    bench_module_replace(module, "engine_load_u32", f_accessors[MF_LOAD_U32]);
    bench_module_replace(module, "engine_store_u32", f_accessors[MF_STORE_U32]);
    if (!has_table(spec))
        return MF_OK;
    char name[64];
    bench_module_name(name, "entries", module->number);
    return mf_embed_define_exception_table(module->module, name, diag);
}

/* ---- Code ---- */

static mf_status find_loops(bench_compiler *compiler, unsigned number, bench_code *code, mf_diag *diag) {
    for (int i = 0; i < LOOP_COUNT; i++) {
        uintptr_t address;
        mf_status status = bench_module_find(compiler->modules, loop_names[i], number, &address, diag);
        if (status != MF_OK)
            return status;
        code->loops[i] = (guest_loop *)address;
    }
    return MF_OK;
}

static mf_status register_table(bench_compiler *compiler, unsigned number, bench_code *code, mf_diag *diag) {
    uintptr_t address;
    mf_status status = bench_module_find(compiler->modules, "entries", number, &address, diag);
    if (status != MF_OK)
        return status;
    const mf_embed_exception_table *table = (const mf_embed_exception_table *)address;
    status = mf_exception_table_register(table->begin, (size_t)(table->end - table->begin), diag);
    if (status == MF_OK)
        code->entries = table->begin;
    return status;
}

/* Inserts the engine and compiles: a peer's prefix, or memfold's accessors for a layout. */
static mf_status make_module(bench_compiler *compiler, const bench_engine *spec, const char *peer,
                             const mf_layout *layout, bench_code *code, mf_diag *diag) {
    static const bench_bitcode loops = {bench_loops_bitcode, bench_loops_bitcode_end};
    bench_module module;
    mf_status status = bench_module_begin(compiler->modules, &module, loops, diag);
    if (status == MF_OK)
        status =
            peer != NULL ? insert_peer(&module, peer, diag) : insert_memfold(&module, spec, layout, diag);
    if (status == MF_OK) {
        bench_module_settle(&module, loop_names, LOOP_COUNT);
        status = bench_module_optimise(compiler->modules, &module, true, diag);
    }
    if (status == MF_OK)
        status = bench_module_load(compiler->modules, &module, &code->tracker, diag);
    if (status == MF_OK)
        status = find_loops(compiler, module.number, code, diag);
    if (status == MF_OK && peer == NULL && has_table(spec))
        status = register_table(compiler, module.number, code, diag);
    bench_module_fini(&module);
    return status;
}

/* A peer does not depend on the layout: it is compiled once, and its code stays with the compiler. */
static mf_status compile_peer(bench_compiler *compiler, const bench_engine *spec, const char *peer,
                              bench_code *code, mf_diag *diag) {
    for (size_t i = 0; i < compiler->peer_count; i++)
        if (strcmp(compiler->peers[i].name, peer) == 0) {
            *code = compiler->peers[i].code;
            return MF_OK;
        }
    mf_status status = make_module(compiler, spec, peer, NULL, code, diag);
    bench_module_keep(code->tracker);
    code->tracker = NULL;
    if (status == MF_OK)
        compiler->peers[compiler->peer_count++] = (compiled_peer){peer, *code};
    return status;
}

mf_status bench_compiler_compile(bench_compiler *compiler, const bench_engine *spec, const mf_layout *layout,
                                 bench_code *code, mf_diag *diag) {
    *code = (bench_code){0};
    mf_status status = MF_OK;
    switch (spec->form) {
    case FORM_PEER:
        return compile_peer(compiler, spec, spec->peer, code, diag);
    case FORM_INLINED:
        return make_module(compiler, spec, NULL, layout, code, diag);
    case FORM_CALLED:
    case FORM_STENCIL:
    case FORM_GENERIC:
        break;
    }
    status = compile_peer(compiler, spec, "called", code, diag);
    mf_jit *jit = spec->form == FORM_STENCIL ? compiler->stencils : compiler->jit;
    if (status == MF_OK && spec->form != FORM_GENERIC)
        status = mf_jit_get(jit, layout, &spec->options, &code->called, diag);
    if (status == MF_OK)
        code->accessors = code->called != NULL ? mf_code_accessors(code->called) : mf_generic_accessors(NULL);
    return status;
}

void bench_code_fini(bench_code *code) {
    if (code->entries != NULL)
        mf_exception_table_unregister(code->entries);
    bench_module_unload(code->tracker);
    mf_code_release(code->called);
    *code = (bench_code){0};
}
