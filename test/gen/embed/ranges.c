// One check for a whole range, of any length, against the reference: on every scene, with the heap as it is
// created and grown afterwards, for loads and stores, as a status and as a trap.
//
// RUN: %cc %llvm %s %client %embed_engines -o %t %gen
// RUN: %t | FileCheck %s
//
// CHECK: copy: {{[1-9][0-9]*}} allowed, {{[1-9][0-9]*}} faults
// CHECK-NEXT: paged: {{[1-9][0-9]*}} allowed, {{[1-9][0-9]*}} faults
#include "client.h"
#include "scene.h"

#include <memfold/embed.h>
#include <memfold/guard.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __clang__
#define CALLS_MADE_CODE __attribute__((no_sanitize("function")))
#else
#define CALLS_MADE_CODE
#endif

#define LENGTHS_MAX 128

/* The constant part of the index, for the second function of each operation. */
#define OFFSET 0xFFFFF800

/* Returns 0 or the kind of the fault. */
typedef uint32_t made_function(mf_view *view, uint64_t index, uint64_t length);

typedef struct session {
    stage stage;
    mf_accessor_options options;
    client_module module;
    mf_embed *embed;
    made_function *functions[2][2]; /* by operation; with an offset */
    uint64_t allowed, faults;
} session;

static session now;

/* ---- Functions ---- */

static void build_ends(const mf_embed_access *access, LLVMBasicBlockRef fault_from) {
    LLVMContextRef context = now.module.context;
    LLVMBuilderRef b = now.module.builder;
    LLVMTypeRef t_i32 = LLVMInt32TypeInContext(context);
    LLVMBuildRet(b, LLVMConstInt(t_i32, 0, false));
    if (access->fault_block == NULL)
        return;
    LLVMPositionBuilderAtEnd(b, access->fault_block);
    if (fault_from == NULL) {
        LLVMBuildUnreachable(b);
        return;
    }
    LLVMValueRef v_one = LLVMConstInt(t_i32, 1, false);
    LLVMValueRef v_phi = LLVMBuildPhi(b, t_i32, "");
    LLVMAddIncoming(v_phi, &v_one, &fault_from, 1);
    LLVMValueRef v_offset = LLVMConstInt(LLVMInt64TypeInContext(context), MF_VIEW_FAULT_OFFSET, false);
    LLVMValueRef v_field = LLVMBuildGEP2(b, LLVMInt8TypeInContext(context), access->view, &v_offset, 1, "");
    LLVMValueRef v_kind = LLVMBuildLoad2(b, t_i32, v_field, "");
    LLVMValueRef v_product = LLVMBuildMul(b, v_kind, v_phi, "");
    LLVMBuildRet(b, v_product);
}

static void build_function(mf_operation operation, bool has_offset, const char *symbol) {
    LLVMContextRef context = now.module.context;
    LLVMBuilderRef b = now.module.builder;
    LLVMTypeRef t_i64 = LLVMInt64TypeInContext(context);
    LLVMTypeRef t_i32 = LLVMInt32TypeInContext(context);
    LLVMTypeRef parameters[] = {LLVMPointerTypeInContext(context, 0), t_i64, t_i64};
    LLVMTypeRef type = LLVMFunctionType(t_i32, parameters, 3, false);
    LLVMValueRef function = client_function_begin(&now.module, symbol, type);
    mf_embed_access access = {.view = LLVMGetParam(function, 0), .address = LLVMGetParam(function, 1)};
    if (has_offset) {
        LLVMValueRef v_rest = LLVMBuildSub(b, access.address, LLVMConstInt(t_i64, OFFSET, false), "");
        access.address = LLVMBuildTrunc(b, v_rest, t_i32, "");
        access.offset = OFFSET;
    }
    if (now.options.on_fault == MF_ON_FAULT_RETURN)
        access.fault_block = LLVMAppendBasicBlockInContext(context, function, "client.fault");
    LLVMBasicBlockRef fault_from;
    mf_embed_check_range(now.embed, b, &access, LLVMGetParam(function, 2), operation, &fault_from);
    build_ends(&access, fault_from);
}

static const char *const SYMBOLS[2][2] = {{"load", "load_at"}, {"store", "store_at"}};

static client_code make_code(const char *pipeline) {
    mf_diag diag;
    now.module = client_module_create("ranges");
    client_must(mf_embed_create(now.module.module, now.stage.layout, &now.options, &now.embed, &diag), &diag,
                "mf_embed_create");
    for (int operation = MF_LOAD; operation <= MF_STORE; operation++)
        for (int at = 0; at < 2; at++)
            build_function((mf_operation)operation, at, SYMBOLS[operation][at]);
    mf_embed_destroy(now.embed);
    client_module_optimise(&now.module, pipeline);
    client_code code = client_module_load(&now.module, NULL);
    for (int operation = MF_LOAD; operation <= MF_STORE; operation++)
        for (int at = 0; at < 2; at++)
            now.functions[operation][at] = (made_function *)client_lookup(SYMBOLS[operation][at]);
    return code;
}

/* ---- Meaning ---- */

typedef struct question {
    mf_operation operation;
    uint64_t index;
    uint64_t length;
    made_function *function;
    uint32_t kind; /* what it returned */
} question;

static void fail(const question *q, const char *what) {
    printf("%s, backend %d on_fault %d: operation %d at 0x%" PRIx64 " length 0x%" PRIx64 ": %s\n",
           now.stage.scene->name, (int)now.options.backend, (int)now.options.on_fault, (int)q->operation,
           q->index, q->length, what);
    exit(1);
}

/* The end of what the operation may touch. */
static uint64_t end_of(mf_operation operation) {
    bool is_bounds = now.options.policy == MF_POLICY_BOUNDS;
    return is_bounds ? reference_bounds_end(now.stage.reference)
                     : reference_end_for(now.stage.reference, operation);
}

/* The first index of the range whose byte is refused, page by page because ranges are long; UINT64_MAX: none.
 */
static uint64_t first_refused(const question *q) {
    reference *r = now.stage.reference;
    uint64_t end = q->index + q->length;
    if (q->length == 0)
        return now.options.empty_range == MF_EMPTY_WITHIN && q->index > end_of(q->operation) ? q->index
                                                                                             : UINT64_MAX;
    if (now.options.policy == MF_POLICY_BOUNDS) {
        uint64_t bound = reference_bounds_end(r);
        return end <= bound ? UINT64_MAX : q->index > bound ? q->index : bound;
    }
    for (uint64_t i = q->index; i < end; i = (i / MF_PAGE_SIZE + 1) * MF_PAGE_SIZE)
        if (!reference_byte_allows(r, i, q->operation))
            return i;
    return UINT64_MAX;
}

static bool reference_answer(const question *q) {
    reference *r = now.stage.reference;
    uint64_t refused = first_refused(q);
    if (refused == UINT64_MAX)
        return true;
    bool is_protected =
        now.options.policy == MF_POLICY_PERMS && q->length > 0 && reference_byte_allows(r, refused, MF_LOAD);
    r->fault = (mf_fault){.kind = is_protected ? MF_WRITE_PROTECTED : MF_PAGE_FAULT,
                          .operation = q->operation,
                          .page = refused / MF_PAGE_SIZE * MF_PAGE_SIZE,
                          .address = q->index,
                          .length = q->length};
    return false;
}

CALLS_MADE_CODE static void call(mf_view *view, void *context) {
    question *q = context;
    q->kind = q->function(view, q->index, q->length);
}

static void require_record(const question *q, const mf_fault *fault) {
    const mf_fault *expected = &now.stage.reference->fault;
    if (fault->kind != expected->kind || fault->operation != expected->operation ||
        fault->page != expected->page || fault->address != expected->address ||
        fault->length != expected->length)
        fail(q, "another fault record");
}

static void ask(question q, mf_view *view) {
    bool allowed = reference_answer(&q);
    if (now.options.on_fault == MF_ON_FAULT_TRAP) {
        mf_fault fault;
        if (!mf_guard_run(view, call, &q, &fault))
            q.kind = fault.kind;
    } else {
        call(view, &q);
    }
    if (q.kind != (allowed ? MF_FAULT_NONE : now.stage.reference->fault.kind))
        fail(&q, "another answer");
    require_record(&q, &view->fault);
    now.allowed += allowed;
    now.faults += !allowed;
}

/* From `index` to each edge, a byte less and a byte more; and lengths that have nothing to do with edges. */
static size_t collect_lengths(uint64_t index, uint64_t lengths[LENGTHS_MAX]) {
    static const uint64_t FIXED[] = {0,
                                     1,
                                     8,
                                     MF_PAGE_SIZE,
                                     MF_SPACE_BYTES - 1,
                                     MF_SPACE_BYTES,
                                     2 * MF_SPACE_BYTES,
                                     UINT64_C(1) << 62,
                                     (UINT64_C(1) << 63) - 1};
    size_t count = 0;
    for (size_t i = 0; i < sizeof FIXED / sizeof FIXED[0]; i++)
        lengths[count++] = FIXED[i];
    for (size_t i = 0; i < now.stage.edge_count; i++)
        for (uint64_t more = 0; more < 3; more++)
            if (now.stage.edges[i] > index)
                lengths[count++] = now.stage.edges[i] - index - 1 + more;
    return count;
}

static void ask_from(uint64_t index, mf_view *view) {
    uint64_t lengths[LENGTHS_MAX];
    size_t count = collect_lengths(index, lengths);
    for (int operation = MF_LOAD; operation <= MF_STORE; operation++)
        for (size_t i = 0; i < count; i++) {
            question q = {(mf_operation)operation, index, lengths[i], now.functions[operation][0], 0};
            ask(q, view);
            q.function = now.functions[operation][1];
            if (index - OFFSET < MF_SPACE_BYTES)
                ask(q, view);
        }
}

static void ask_everything(mf_view *view) {
    for (size_t i = 0; i < now.stage.edge_count; i++)
        for (uint64_t near = 0; near < 3; near++)
            if (now.stage.edges[i] + near > 0)
                ask_from(now.stage.edges[i] + near - 1, view);
    ask_from(2 * (MF_SPACE_BYTES - 1), view);
}

/* The same code serves while the heap grows. */
static void run_code(void) {
    mf_memory *memory = stage_memory(&now.stage, now.options.backend, 0);
    mf_diag diag;
    uint64_t old_top;
    stage_reset(&now.stage, 0);
    ask_everything(mf_memory_view(memory));
    while (reference_sbrk(now.stage.reference, MF_PAGE_SIZE, &old_top)) {
        client_must(mf_memory_sbrk(memory, MF_PAGE_SIZE, &old_top, &diag), &diag, "sbrk");
        ask_everything(mf_memory_view(memory));
    }
    mf_memory_destroy(memory);
}

static void run_scene(const scene *scene, mf_backend backend) {
    stage_open(&now.stage, scene);
    now.options = (mf_accessor_options){.policy = scene->policy, .backend = backend};
    client_code code = make_code(NULL);
    run_code();
    client_code_unload(&code);
    now.options.on_fault = MF_ON_FAULT_TRAP;
    now.options.empty_range = MF_EMPTY_WITHIN;
    code = make_code("default<O2>");
    run_code();
    client_code_unload(&code);
    stage_close(&now.stage);
}

static void run_backend(const char *name, mf_backend backend) {
    now.allowed = now.faults = 0;
    for (size_t i = 0; i < SCENE_COUNT; i++)
        if (SCENES[i].policy == MF_POLICY_PERMS ||
            (SCENES[i].policy == MF_POLICY_BOUNDS && backend == MF_BACKEND_COPY))
            run_scene(&SCENES[i], backend);
    printf("%s: %" PRIu64 " allowed, %" PRIu64 " faults\n", name, now.allowed, now.faults);
}

int main(void) {
    client_start();
    run_backend("copy", MF_BACKEND_COPY);
    run_backend("paged", MF_BACKEND_X86_PAGED);
    client_stop();
    return 0;
}
