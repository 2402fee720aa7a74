// Accesses that are embedded in a client's module keep the contract: each is compiled in a function around it
// that has an accessor's ABI, and that is proved. All plans, both backends, all ways of a fault, as emitted
// and optimised; types that are no integers; ranges of a length that only the running code knows.
//
// RUN: %cc -I%source/gen -I%S/lib -I%source/test/gen/embed/lib -isystem %llvm-include -iquote %source/tools %s %S/lib/sample_layouts.c %source/test/gen/embed/lib/client.c -o %t %verify %gen && %t | FileCheck %s
//
// CHECK: accesses: {{[1-9][0-9][0-9]+}} proved
// CHECK-NEXT: masks: {{[1-9][0-9]+}} proved
// CHECK-NEXT: types: {{[1-9][0-9]+}} proved
// CHECK-NEXT: ranges: {{[1-9][0-9]+}} proved
// CHECK-NEXT: the wrong layout: refuted
#include "client.h"
#include "sample_layouts.h"

#include <verify/code.h>

#include <memfold/embed.h>
#include <memfold/plan.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- One module ---- */

/* What an access is made with, and of which type. */
typedef struct session {
    mf_layout *layout;
    mf_accessor_options options;
    client_module module;
    mf_embed *embed;
    const mf_accessor_info *info;
    LLVMTypeRef t_access;
    bool is_range; /* a check of the range before an access without one */
    mf_embed *unchecked;
} session;

static LLVMTypeRef int_type(const session *s, unsigned bits) {
    return LLVMIntTypeInContext(s->module.context, bits);
}

static LLVMTypeRef address_type(const session *s) {
    return int_type(s, s->options.index == MF_INDEX_U33 ? 64 : 32);
}

/* {i64, i32} of a load, i32 of a store; with a trap the value alone, or nothing. */
static LLVMTypeRef result_type(const session *s) {
    LLVMTypeRef both[] = {int_type(s, 64), int_type(s, 32)};
    bool is_load = s->info->operation == MF_LOAD;
    if (s->options.on_fault == MF_ON_FAULT_TRAP)
        return is_load ? both[0] : LLVMVoidTypeInContext(s->module.context);
    return is_load ? LLVMStructTypeInContext(s->module.context, both, 2, false) : both[1];
}

static LLVMValueRef begin_function(const session *s) {
    LLVMTypeRef t_ptr = LLVMPointerTypeInContext(s->module.context, 0);
    LLVMTypeRef parameters[4] = {t_ptr};
    unsigned count = 1;
    if (s->options.base == MF_BASE_ARGUMENT)
        parameters[count++] = t_ptr;
    parameters[count++] = address_type(s);
    if (s->info->operation == MF_STORE)
        parameters[count++] = int_type(s, 64);
    LLVMTypeRef t_function = LLVMFunctionType(result_type(s), parameters, count, false);
    return client_function_begin(&s->module, s->info->name, t_function);
}

/* ---- Ends ---- */

static void return_result(const session *s, LLVMValueRef v_value, LLVMValueRef v_status) {
    LLVMBuilderRef b = s->module.builder;
    bool is_load = s->info->operation == MF_LOAD;
    if (s->options.on_fault == MF_ON_FAULT_TRAP) {
        if (is_load)
            LLVMBuildRet(b, v_value);
        else
            LLVMBuildRetVoid(b);
        return;
    }
    if (!is_load) {
        LLVMBuildRet(b, v_status);
        return;
    }
    LLVMValueRef v_half = LLVMBuildInsertValue(b, LLVMGetPoison(result_type(s)), v_value, 0, "");
    LLVMValueRef v_whole = LLVMBuildInsertValue(b, v_half, v_status, 1, "");
    LLVMBuildRet(b, v_whole);
}

/* What the accessor's type becomes in 64 bits. */
static LLVMValueRef widen(const session *s, LLVMValueRef v_loaded) {
    LLVMBuilderRef b = s->module.builder;
    LLVMTypeRef t_bits = int_type(s, 8 * s->info->width_bytes);
    bool is_pointer = LLVMGetTypeKind(s->t_access) == LLVMPointerTypeKind;
    LLVMValueRef v_bits = v_loaded;
    if (is_pointer)
        v_bits = LLVMBuildPtrToInt(b, v_loaded, t_bits, "");
    else if (LLVMGetTypeKind(s->t_access) != LLVMIntegerTypeKind)
        v_bits = LLVMBuildBitCast(b, v_loaded, t_bits, "");
    return s->info->sign_extends ? LLVMBuildSExt(b, v_bits, int_type(s, 64), "")
                                 : LLVMBuildZExt(b, v_bits, int_type(s, 64), "");
}

static LLVMValueRef narrow(const session *s, LLVMValueRef v_value) {
    LLVMBuilderRef b = s->module.builder;
    LLVMValueRef v_bits = LLVMBuildTrunc(b, v_value, int_type(s, 8 * s->info->width_bytes), "");
    if (LLVMGetTypeKind(s->t_access) == LLVMPointerTypeKind)
        return LLVMBuildIntToPtr(b, v_bits, s->t_access, "");
    return LLVMGetTypeKind(s->t_access) == LLVMIntegerTypeKind ? v_bits
                                                               : LLVMBuildBitCast(b, v_bits, s->t_access, "");
}

/* The status that the cold block in front of the client's got from the runtime. */
static LLVMValueRef find_status(LLVMBasicBlockRef b_from) {
    LLVMValueRef v_found = NULL;
    for (LLVMValueRef v = LLVMGetFirstInstruction(b_from); v != NULL; v = LLVMGetNextInstruction(v))
        if (LLVMIsACallInst(v) != NULL && LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMIntegerTypeKind &&
            LLVMGetNumArgOperands(v) == 4)
            v_found = v;
    return v_found;
}

/* With branch nothing is recorded: the client does here what accessors do. */
static LLVMValueRef record(const session *s, LLVMValueRef v_view, LLVMValueRef v_address) {
    LLVMBuilderRef b = s->module.builder;
    LLVMTypeRef t_i64 = int_type(s, 64);
    LLVMTypeRef parameters[] = {LLVMTypeOf(v_view), t_i64, t_i64, t_i64};
    LLVMTypeRef t_fault = LLVMFunctionType(int_type(s, 32), parameters, 4, false);
    LLVMValueRef f_fault = LLVMGetNamedFunction(s->module.module, "mf_rt_fault_v3");
    if (f_fault == NULL)
        f_fault = LLVMAddFunction(s->module.module, "mf_rt_fault_v3", t_fault);
    LLVMValueRef v_index = v_address;
    if (s->options.index == MF_INDEX_U32)
        v_index = LLVMBuildZExt(b, v_address, t_i64, "");
    LLVMValueRef v_access =
        LLVMConstInt(t_i64, MF_ACCESS_CODE(s->info->operation, s->info->width_bytes), false);
    LLVMValueRef arguments[] = {v_view, v_index, v_access, LLVMConstInt(t_i64, 0, false)};
    return LLVMBuildCall2(b, t_fault, f_fault, arguments, 4, "status");
}

static void end_fault(const session *s, LLVMBasicBlockRef b_fault, LLVMBasicBlockRef b_from,
                      LLVMValueRef v_view, LLVMValueRef v_address) {
    if (b_fault == NULL)
        return;
    LLVMPositionBuilderAtEnd(s->module.builder, b_fault);
    if (b_from == NULL) {
        LLVMBuildUnreachable(s->module.builder);
        return;
    }
    LLVMValueRef v_status =
        s->options.on_fault == MF_ON_FAULT_BRANCH ? record(s, v_view, v_address) : find_status(b_from);
    return_result(s, LLVMConstInt(int_type(s, 64), 0, false), v_status);
}

/* ---- The access ---- */

/* A number that LLVM does not know. */
static LLVMValueRef hide(const session *s, uint64_t number) {
    LLVMTypeRef t_i64 = int_type(s, 64);
    LLVMTypeRef t_asm = LLVMFunctionType(t_i64, &t_i64, 1, false);
    LLVMValueRef f_asm =
        LLVMGetInlineAsm(t_asm, "", 0, "=r,0", 4, false, false, LLVMInlineAsmDialectATT, false);
    LLVMValueRef v_number = LLVMConstInt(t_i64, number, false);
    return LLVMBuildCall2(s->module.builder, t_asm, f_asm, &v_number, 1, "length");
}

static LLVMValueRef access_guest(const session *s, const mf_embed_access *access, LLVMValueRef v_value,
                                 LLVMBasicBlockRef *b_from) {
    LLVMBuilderRef b = s->module.builder;
    const mf_embed *embed = s->embed;
    LLVMBasicBlockRef b_unused;
    if (s->is_range) {
        LLVMValueRef v_length = hide(s, s->info->width_bytes);
        mf_embed_check_range(embed, b, access, v_length, s->info->operation, b_from);
        embed = s->unchecked;
        b_from = &b_unused;
    }
    if (s->info->operation == MF_LOAD)
        return mf_embed_load(embed, b, access, s->t_access, b_from);
    mf_embed_store(embed, b, access, narrow(s, v_value), b_from);
    return NULL;
}

static void build(const session *s) {
    LLVMValueRef f = begin_function(s);
    unsigned next = 0;
    mf_diag diag = {0};
    mf_embed_access access = {.view = LLVMGetParam(f, next++), .diag = &diag};
    if (s->options.base == MF_BASE_ARGUMENT)
        access.base = LLVMGetParam(f, next++);
    access.address = LLVMGetParam(f, next++);
    LLVMValueRef v_value = s->info->operation == MF_STORE ? LLVMGetParam(f, next) : NULL;
    if (s->options.on_fault != MF_ON_FAULT_TRAP)
        access.fault_block = LLVMAppendBasicBlockInContext(s->module.context, f, "client");
    LLVMBasicBlockRef b_from = NULL;
    LLVMValueRef v_loaded = access_guest(s, &access, v_value, &b_from);
    if (s->info->operation == MF_LOAD && v_loaded == NULL) {
        printf("%s: %s\n", s->info->name, diag.message);
        exit(1);
    }
    v_value = v_loaded == NULL ? NULL : widen(s, v_loaded);
    return_result(s, v_value, LLVMConstInt(int_type(s, 32), 0, false));
    end_fault(s, access.fault_block, b_from, access.view, access.address);
}

/* ---- Proofs ---- */

static uint32_t proved_count;

/* Proves the functions that are there as accessors of these options. True if all are. */
static bool prove(const mf_layout *layout, const mf_accessor_options *options, uint32_t accessors,
                  const char *what) {
    mf_accessor_options abi = *options;
    verify_code code = {.is_of_process = true, .takes_registered_entries = true};
    verify_prover *prover;
    mf_diag diag;
    bool all = true;
    if (abi.on_fault == MF_ON_FAULT_BRANCH)
        abi.on_fault = MF_ON_FAULT_RETURN;
    verify_code_set_runtime(&code);
    client_must(verify_prover_create(layout, &abi, NULL, &prover, &diag), &diag, "prover");
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        mf_verify_result result;
        char text[4096];
        if ((accessors >> id & 1) == 0)
            continue;
        code.accessors[id] = client_lookup(mf_accessor_info_get(id)->name);
        client_must(verify_prover_prove(prover, &code, id, &result, &diag), &diag, "prove");
        proved_count += result.verdict == MF_VERDICT_PROVED;
        all = all && result.verdict == MF_VERDICT_PROVED;
        mf_verify_print(&result, text, sizeof text);
        if (what != NULL && result.verdict != MF_VERDICT_PROVED)
            printf("%s: %s\n", what, text);
    }
    verify_prover_destroy(prover);
    return all;
}

static void open_embeds(session *s) {
    mf_diag diag;
    const mf_accessor_options unchecked = {
        .policy = MF_POLICY_NONE, .base = s->options.base, .endian = s->options.endian};
    client_must(mf_embed_create(s->module.module, s->layout, &s->options, &s->embed, &diag), &diag, "embed");
    client_must(mf_embed_create(s->module.module, s->layout, &unchecked, &s->unchecked, &diag), &diag,
                "embed");
}

static client_code finish(session *s, const char *pipeline) {
    mf_diag diag;
    bool has_entries =
        s->options.backend == MF_BACKEND_X86_PAGED && s->options.on_fault != MF_ON_FAULT_TRAP && !s->is_range;
    if (has_entries)
        client_must(mf_embed_define_exception_table(s->module.module, "entries", &diag), &diag, "table");
    mf_embed_destroy(s->embed);
    mf_embed_destroy(s->unchecked);
    client_module_optimise(&s->module, pipeline);
    return client_module_load(&s->module, has_entries ? "entries" : NULL);
}

static void describe(const session *s, sample sample, char *text, size_t text_bytes) {
    const mf_accessor_options *o = &s->options;
    snprintf(text, text_bytes,
             "sample %d backend %d on_fault %d base %d index %d endian %d spectre %d strategy %d",
             (int)sample, (int)o->backend, (int)o->on_fault, (int)o->base, (int)o->index, (int)o->endian,
             (int)o->spectre, (int)o->strategy);
}

#define ALL_ACCESSORS ((UINT32_C(1) << MF_ACCESSOR_COUNT) - 1)

/* The accesses of these accessors in one module. */
static void try_accesses(sample sample, const mf_accessor_options *options, const char *pipeline,
                         uint32_t accessors, bool is_range) {
    session s = {.layout = sample_layout(sample), .options = *options, .is_range = is_range};
    char text[256];
    s.module = client_module_create("accesses");
    open_embeds(&s);
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        s.info = mf_accessor_info_get(id);
        s.t_access = int_type(&s, 8 * s.info->width_bytes);
        if ((accessors >> id & 1) != 0)
            build(&s);
    }
    client_code code = finish(&s, pipeline);
    describe(&s, sample, text, sizeof text);
    prove(s.layout, options, accessors, text);
    client_code_unload(&code);
    mf_layout_release(s.layout);
}

/* ---- What is tried ---- */

/* The strategies that are exact for all accessors. */
static bool is_exact(sample sample, const mf_accessor_options *options) {
    mf_layout *layout = sample_layout(sample);
    mf_plan plan;
    bool exact = true;
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        exact = exact && mf_plan_make(layout, id, options, &plan, NULL) == MF_OK;
    mf_layout_release(layout);
    return exact;
}

/*
 * The prover asks that a lookup stays in its table whatever is predicted, as accessors do. Optimised code for
 * 33-bit indices does so with a mask only (options.h).
 */
static bool leaves_table(const mf_accessor_options *options) {
    bool is_table =
        options->strategy == MF_STRATEGY_GRANULE_TABLE || options->strategy == MF_STRATEGY_GRANULE_BITMAP;
    return is_table && options->index == MF_INDEX_U33 && options->spectre == MF_SPECTRE_NONE;
}

/* Every plan with every way of a fault; what else there is goes round with them. */
static void try_copy(void) {
    uint32_t n = 0;
    for (sample sample = 0; sample < SAMPLE_COUNT; sample++)
        for (mf_strategy strategy = 0; strategy <= MF_STRATEGY_PERM_TABLE; strategy++)
            for (mf_on_fault on_fault = 0; on_fault <= MF_ON_FAULT_BRANCH; on_fault++) {
                mf_accessor_options options = {.strategy = strategy,
                                               .on_fault = on_fault,
                                               .base = (mf_base)(n % 2),
                                               .index = (mf_index)(n / 2 % 2),
                                               .endian = (mf_endian)(n / 4 % 2),
                                               .spectre = (mf_spectre)(n / 3 % 2)};
                if (!is_exact(sample, &options))
                    continue;
                bool is_optimised = n % 3 == 0 && !leaves_table(&options);
                try_accesses(sample, &options, is_optimised ? "default<O2>" : NULL, ALL_ACCESSORS, false);
                n++;
            }
}

/* What LLVM's passes might make of a mask. */
static void try_masks(void) {
    for (mf_strategy strategy = 0; strategy <= MF_STRATEGY_PERM_TABLE; strategy++)
        for (mf_index index = 0; index <= MF_INDEX_U33; index++) {
            const mf_accessor_options options = {
                .strategy = strategy, .index = index, .spectre = MF_SPECTRE_MASK};
            if (is_exact(SAMPLE_MANY, &options))
                try_accesses(SAMPLE_MANY, &options, "default<O2>", ALL_ACCESSORS, false);
        }
}

static void try_paged(void) {
    for (uint32_t n = 0; n < 24; n += 1 + n % 2) {
        const mf_accessor_options options = {.backend = MF_BACKEND_X86_PAGED,
                                             .on_fault = (mf_on_fault)(n % 3),
                                             .order = (mf_order)(n / 3 % 2),
                                             .index = (mf_index)(n / 6 % 2),
                                             .endian = (mf_endian)(n / 12),
                                             .base = (mf_base)(n / 3 % 2)};
        try_accesses(SAMPLE_MIXED, &options, n % 5 == 0 ? "default<O2>" : NULL, ALL_ACCESSORS, false);
    }
}

/* Types with the width of an accessor. */
static void try_type(const mf_accessor_options *options, mf_accessor_id load, mf_accessor_id store,
                     LLVMTypeRef (*type)(LLVMContextRef), const char *name) {
    session s = {.layout = sample_layout(SAMPLE_MIXED), .options = *options};
    const mf_accessor_id ids[] = {load, store};
    s.module = client_module_create("types");
    open_embeds(&s);
    for (size_t i = 0; i < 2; i++) {
        s.info = mf_accessor_info_get(ids[i]);
        s.t_access = type(s.module.context);
        build(&s);
    }
    client_code code = finish(&s, "default<O2>");
    prove(s.layout, options, UINT32_C(1) << load | UINT32_C(1) << store, name);
    client_code_unload(&code);
    mf_layout_release(s.layout);
}

static LLVMTypeRef pointer_type(LLVMContextRef context) {
    return LLVMPointerTypeInContext(context, 0);
}

static LLVMTypeRef one_word_type(LLVMContextRef context) {
    return LLVMVectorType(LLVMInt32TypeInContext(context), 1);
}

static void try_types(void) {
    for (mf_endian endian = 0; endian <= MF_BIG_ENDIAN; endian++)
        for (mf_on_fault on_fault = 0; on_fault <= MF_ON_FAULT_BRANCH; on_fault++) {
            const mf_accessor_options options = {.endian = endian, .on_fault = on_fault};
            try_type(&options, MF_LOAD_U16, MF_STORE_U16, LLVMHalfTypeInContext, "half");
            try_type(&options, MF_LOAD_U32, MF_STORE_U32, LLVMFloatTypeInContext, "float");
            try_type(&options, MF_LOAD_U64, MF_STORE_U64, LLVMDoubleTypeInContext, "double");
            try_type(&options, MF_LOAD_U64, MF_STORE_U64, pointer_type, "ptr");
            if (endian == MF_LITTLE_ENDIAN)
                try_type(&options, MF_LOAD_U32, MF_STORE_U32, one_word_type, "vector");
        }
}

/* True if the range is compared in the code: no accessor asks the runtime, as other plans of ranges do. */
static bool is_compared(sample sample, const mf_accessor_options *options, mf_operation operation) {
    mf_layout *layout = sample_layout(sample);
    mf_plan plan;
    mf_diag diag;
    client_must(mf_plan_make_range(layout, operation, options, &plan, &diag), &diag, "plan");
    mf_layout_release(layout);
    return !mf_plan_has_step(&plan, MF_STEP_RANGE_PERMISSION);
}

static void try_ranges(void) {
    for (uint32_t n = 0; n < 3 * SAMPLE_COUNT; n++) {
        const mf_accessor_options options = {.on_fault = (mf_on_fault)(n % 2),
                                             .empty_range = (mf_empty_range)(n / 2 % 2)};
        sample sample = (enum sample)(n % SAMPLE_COUNT);
        uint32_t accessors = 0;
        for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
            if (is_compared(sample, &options, mf_accessor_info_get(id)->operation))
                accessors |= UINT32_C(1) << id;
        if (accessors != 0)
            try_accesses(sample, &options, n % 3 == 0 ? "default<O2>" : NULL, accessors, true);
    }
}

/* The same code is not proved for a layout that is a page shorter. */
static void try_wrong_layout(void) {
    const mf_accessor_options options = {0};
    session s = {.layout = sample_layout(SAMPLE_WINDOW), .info = mf_accessor_info_get(MF_LOAD_U32)};
    mf_layout *other = sample_layout(SAMPLE_LOW);
    s.module = client_module_create("wrong");
    s.t_access = int_type(&s, 32);
    open_embeds(&s);
    build(&s);
    client_code code = finish(&s, NULL);
    bool is_proved = prove(other, &options, 1 << MF_LOAD_U32, NULL);
    printf("the wrong layout: %s\n", is_proved ? "proved" : "refuted");
    client_code_unload(&code);
    mf_layout_release(other);
    mf_layout_release(s.layout);
}

static void print_count(const char *name) {
    printf("%s: %u proved\n", name, proved_count);
    proved_count = 0;
}

int main(void) {
    client_start();
    try_copy();
    try_paged();
    print_count("accesses");
    try_masks();
    print_count("masks");
    try_types();
    print_count("types");
    try_ranges();
    print_count("ranges");
    try_wrong_layout();
    client_stop();
    return 0;
}
