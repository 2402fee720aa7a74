// Constant addresses. What the reference allows with the heap empty and with the heap full needs no check,
// what it refuses both times is nothing but the fault, and only the rest is checked; and all of it means the
// same as everywhere else.
//
// RUN: %cc %llvm %s %client %embed_engines -o %t %gen
// RUN: %t | FileCheck %s
//
// CHECK: copy: {{[1-9][0-9]*}} allowed, {{[1-9][0-9]*}} faults, {{[1-9][0-9]*}} checked
// CHECK-NEXT: paged: {{[1-9][0-9]*}} allowed, {{[1-9][0-9]*}} faults, {{[1-9][0-9]*}} checked
#include "client.h"
#include "scene.h"

#include <memfold/embed.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SITES_MAX 2048

#ifdef __clang__
#define CALLS_MADE_CODE __attribute__((no_sanitize("function")))
#else
#define CALLS_MADE_CODE
#endif

/* What the layout says of one constant access: the index of the tally. */
typedef enum verdict { ALLOWED, FAULT, LIVE, VERDICT_COUNT } verdict;

/* One function with one access, to `index`, which is written as address + offset. */
typedef struct site {
    mf_accessor_id id;
    uint64_t index;
    uint32_t offset;
    bool is_wide;
    verdict verdict;
} site;

typedef struct session {
    stage stage;
    mf_accessor_options options;
    client_module module;
    mf_embed *embed;
    site sites[SITES_MAX];
    size_t site_count;
    unsigned tally[VERDICT_COUNT];
} session;

/* Returns the kind of the fault; the value comes or goes through the pointer. */
typedef uint32_t made_function(mf_view *view, uint64_t *value);

static session now;
static random_source source = {3};

static void fail(const site *s, const char *what) {
    printf("%s, backend %d: %s at 0x%" PRIx64 " (offset 0x%x): %s\n", now.stage.scene->name,
           (int)now.options.backend, mf_accessor_info_get(s->id)->name, s->index, s->offset, what);
    exit(1);
}

/* ---- The verdict, from the reference ---- */

static bool reference_allows(const site *s) {
    const mf_accessor_info *info = mf_accessor_info_get(s->id);
    if (now.options.policy == MF_POLICY_BOUNDS)
        return s->index + info->width_bytes <= reference_bounds_end(now.stage.reference);
    return reference_is_accessible(now.stage.reference, s->index, info->width_bytes, info->operation);
}

/* sbrk refuses more than the heap's maximum, and to grow over a region. */
static uint64_t full_heap_bytes(const stage *t) {
    uint64_t bytes = 0;
    uint64_t old_top;
    reference_reset(t->reference);
    while (reference_sbrk(t->reference, MF_PAGE_SIZE, &old_top))
        bytes += MF_PAGE_SIZE;
    return bytes;
}

static void judge(uint64_t full_bytes) {
    static bool allowed_when_empty[SITES_MAX];
    stage_reset(&now.stage, 0);
    for (size_t i = 0; i < now.site_count; i++)
        allowed_when_empty[i] = reference_allows(&now.sites[i]);
    stage_reset(&now.stage, full_bytes);
    for (size_t i = 0; i < now.site_count; i++) {
        site *s = &now.sites[i];
        bool allowed = reference_allows(s);
        s->verdict = allowed != allowed_when_empty[i] ? LIVE : allowed ? ALLOWED : FAULT;
        now.tally[s->verdict]++;
    }
}

/* ---- Sites ---- */

static void add_site(mf_accessor_id id, uint64_t index) {
    if (now.site_count == SITES_MAX)
        abort();
    site s = {.id = id, .index = index};
    uint64_t lowest = index < MF_SPACE_BYTES ? 0 : index - MF_SPACE_BYTES + 1;
    if (lowest > 0 || random_one_in(&source, 2)) {
        s.is_wide = random_one_in(&source, 2);
        uint64_t highest = index < MF_SPACE_BYTES ? index : MF_SPACE_BYTES - 1;
        s.offset = (uint32_t)random_between(&source, lowest, highest);
    }
    now.sites[now.site_count++] = s;
}

static void add_sites(void) {
    static const int DELTAS[] = {-9, -8, -7, -4, -3, -2, -1, 0, 1, MF_PAGE_SIZE - 1};
    now.site_count = 0;
    for (size_t i = 0; i < now.stage.edge_count; i++)
        for (size_t d = 0; d < sizeof DELTAS / sizeof DELTAS[0]; d++)
            for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
                if (!mf_accessor_info_get(id)->sign_extends &&
                    now.stage.edges[i] + (uint64_t)DELTAS[d] < 2 * MF_SPACE_BYTES - 1)
                    add_site(id, now.stage.edges[i] + (uint64_t)DELTAS[d]);
}

/* ---- Functions ---- */

static void symbol_print(size_t number, char *text, size_t text_bytes) {
    snprintf(text, text_bytes, "site%zu", number);
}

static mf_embed_access make_access(const site *s, LLVMValueRef function) {
    LLVMContextRef context = now.module.context;
    LLVMTypeRef type = s->is_wide ? LLVMInt64TypeInContext(context) : LLVMInt32TypeInContext(context);
    return (mf_embed_access){
        .view = LLVMGetParam(function, 0),
        .address = LLVMConstInt(type, s->index - s->offset, false),
        .offset = s->offset,
        .fault_block = LLVMAppendBasicBlockInContext(context, function, "client.fault"),
    };
}

static LLVMBasicBlockRef build_access(const site *s, const mf_embed_access *access, LLVMValueRef v_pointer) {
    const mf_accessor_info *info = mf_accessor_info_get(s->id);
    LLVMBuilderRef b = now.module.builder;
    LLVMTypeRef type = LLVMIntTypeInContext(now.module.context, 8 * info->width_bytes);
    LLVMTypeRef t_i64 = LLVMInt64TypeInContext(now.module.context);
    LLVMBasicBlockRef fault_from;
    if (info->operation == MF_STORE) {
        LLVMValueRef v_value = LLVMBuildLoad2(b, type, v_pointer, "");
        mf_embed_store(now.embed, b, access, v_value, &fault_from);
    } else {
        LLVMValueRef v_loaded = mf_embed_load(now.embed, b, access, type, &fault_from);
        LLVMValueRef v_wide = info->width_bytes == 8 ? v_loaded : LLVMBuildZExt(b, v_loaded, t_i64, "");
        LLVMBuildStore(b, v_wide, v_pointer);
    }
    return fault_from;
}

/* How many instructions of a kind are in the blocks that can be reached from the entry without a fault. */
static unsigned count_opcode(LLVMValueRef function, LLVMOpcode opcode) {
    unsigned count = 0;
    for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(function); b != NULL; b = LLVMGetNextBasicBlock(b))
        for (LLVMValueRef i = LLVMGetFirstInstruction(b); i != NULL; i = LLVMGetNextInstruction(i))
            count += LLVMGetInstructionOpcode(i) == opcode;
    return count;
}

static bool entry_goes_to(LLVMValueRef function, LLVMBasicBlockRef block) {
    LLVMValueRef end = LLVMGetBasicBlockTerminator(LLVMGetEntryBasicBlock(function));
    return LLVMGetNumSuccessors(end) == 1 && LLVMGetSuccessor(end, 0) == block;
}

/* The shape, as it is emitted. Comparisons and asm branches are the only checks there are. */
static void require_shape(const site *s, LLVMValueRef function, LLVMBasicBlockRef fault_from) {
    unsigned checks = count_opcode(function, LLVMICmp) + count_opcode(function, LLVMCallBr);
    if (s->verdict == ALLOWED && (checks > 0 || count_opcode(function, LLVMCall) > 0 || fault_from != NULL))
        fail(s, "is allowed and yet checked");
    if (s->verdict == FAULT && (fault_from == NULL || !entry_goes_to(function, fault_from)))
        fail(s, "faults and is more than the fault");
    if (s->verdict == LIVE && (checks == 0 || fault_from == NULL))
        fail(s, "depends on the heap and is not checked");
}

static void build_site(size_t number) {
    const site *s = &now.sites[number];
    LLVMBuilderRef b = now.module.builder;
    LLVMTypeRef t_i32 = LLVMInt32TypeInContext(now.module.context);
    LLVMTypeRef t_ptr = LLVMPointerTypeInContext(now.module.context, 0);
    LLVMTypeRef parameters[] = {t_ptr, t_ptr};
    char symbol[32];
    symbol_print(number, symbol, sizeof symbol);
    LLVMValueRef function =
        client_function_begin(&now.module, symbol, LLVMFunctionType(t_i32, parameters, 2, false));
    mf_embed_access access = make_access(s, function);
    LLVMBasicBlockRef fault_from = build_access(s, &access, LLVMGetParam(function, 1));
    LLVMBuildRet(b, LLVMConstInt(t_i32, 0, false));
    LLVMPositionBuilderAtEnd(b, access.fault_block);
    LLVMValueRef v_offset =
        LLVMConstInt(LLVMInt64TypeInContext(now.module.context), MF_VIEW_FAULT_OFFSET, false);
    LLVMValueRef v_field =
        LLVMBuildGEP2(b, LLVMInt8TypeInContext(now.module.context), access.view, &v_offset, 1, "");
    LLVMValueRef v_loaded_field = LLVMBuildLoad2(b, t_i32, v_field, "");
    LLVMBuildRet(b, v_loaded_field);
    require_shape(s, function, fault_from);
}

static client_code make_code(void) {
    mf_diag diag;
    now.module = client_module_create("constants");
    client_must(mf_embed_create(now.module.module, now.stage.layout, &now.options, &now.embed, &diag), &diag,
                "mf_embed_create");
    for (size_t i = 0; i < now.site_count; i++)
        build_site(i);
    mf_embed_destroy(now.embed);
    client_must(mf_embed_define_exception_table(now.module.module, "table", &diag), &diag, "table");
    client_module_optimise(&now.module, "default<O1>");
    return client_module_load(&now.module, "table");
}

/* ---- Meaning ---- */

static void require_record(const site *s, const mf_fault *fault) {
    const mf_fault *expected = &now.stage.reference->fault;
    if (fault->kind != expected->kind || fault->operation != expected->operation ||
        fault->page != expected->page || fault->address != expected->address ||
        fault->length != expected->length)
        fail(s, "another fault record");
}

CALLS_MADE_CODE static void perform(size_t number, mf_memory *memory) {
    const site *s = &now.sites[number];
    const mf_accessor_info *info = mf_accessor_info_get(s->id);
    reference *r = now.stage.reference;
    char symbol[32];
    symbol_print(number, symbol, sizeof symbol);
    made_function *function = (made_function *)client_lookup(symbol);
    uint64_t stored = random_u64(&source);
    uint64_t value = stored;
    uint64_t expected = stored;
    uint32_t kind = function(mf_memory_view(memory), &value);
    bool done = info->operation == MF_STORE
                    ? reference_store(r, now.options.policy, 0, s->index, info->width_bytes, stored)
                    : reference_load(r, now.options.policy, 0, s->index, info->width_bytes, &expected);
    if (kind != (done ? 0 : r->fault.kind))
        fail(s, "another kind of fault");
    if (done && value != expected)
        fail(s, "another value");
    require_record(s, &mf_memory_view(memory)->fault);
    for (uint64_t i = s->index; done && i < s->index + info->width_bytes; i++)
        if (mf_memory_view(memory)->base[i] != reference_peek(r, i))
            fail(s, "other bytes");
}

static void perform_all(uint64_t heap_bytes) {
    mf_memory *memory = stage_memory(&now.stage, now.options.backend, heap_bytes);
    stage_reset(&now.stage, heap_bytes);
    for (size_t i = 0; i < now.site_count; i++)
        perform(i, memory);
    mf_memory_destroy(memory);
}

static void run_scene(const scene *scene) {
    stage_open(&now.stage, scene);
    now.options.policy = scene->policy;
    uint64_t full_bytes = full_heap_bytes(&now.stage);
    add_sites();
    judge(full_bytes);
    client_code code = make_code();
    perform_all(0);
    perform_all(full_bytes);
    client_code_unload(&code);
    stage_close(&now.stage);
}

static void run_backend(const char *name, mf_backend backend) {
    memset(&now, 0, sizeof now);
    now.options.backend = backend;
    for (size_t i = 0; i < SCENE_COUNT; i++)
        if (SCENES[i].policy == MF_POLICY_PERMS ||
            (SCENES[i].policy == MF_POLICY_BOUNDS && backend == MF_BACKEND_COPY))
            run_scene(&SCENES[i]);
    printf("%s: %u allowed, %u faults, %u checked\n", name, now.tally[ALLOWED], now.tally[FAULT],
           now.tally[LIVE]);
}

int main(void) {
    client_start();
    run_backend("copy", MF_BACKEND_COPY);
    run_backend("paged", MF_BACKEND_X86_PAGED);
    client_stop();
    return 0;
}
