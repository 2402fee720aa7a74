// Paged accesses that trap, with both orders, after default<O3>: none is lost, doubled, made up or swapped
// with another of the guest's, and a loop that faults in the middle has done all before and nothing after.
//
// RUN: %cc %llvm %s %client -o %t %gen
// RUN: %t ir-all | FileCheck %s --check-prefix=IR
// RUN: %t ir-guest | FileCheck %s --check-prefix=IR
// RUN: %t run | FileCheck %s --check-prefix=RUNS
//
// IR-LABEL: define void @dead(
// IR:         load volatile i32
// IR-LABEL: define void @load_before_unreachable(
// IR:         load volatile i32
// IR:         unreachable
// IR-LABEL: define void @store_before_unreachable(
// IR:         store volatile i32
// IR:         unreachable
// IR-LABEL: define double @twice(
// IR-COUNT-2: load volatile double
// IR-NOT:     load volatile
// IR-LABEL: define void @between_stores(
// IR:         load volatile i32
// IR:         store i32 2, ptr %{{.*}}
// IR-LABEL: define void @overwritten(
// IR-COUNT-2: store volatile i32
// IR-LABEL: define void @overwritten_if_allowed(
// IR:         store {{(volatile )?}}i32 1, ptr
// IR:         store {{(volatile )?}}i128 1, ptr
// IR:         store volatile i32 3, ptr
// IR:         store {{(volatile )?}}i32 2, ptr
// IR:         store {{(volatile )?}}i128 2, ptr
// IR-LABEL: define void @perhaps(
// IR:         br i1
// IR:         load volatile i32
// IR-LABEL: define void @count(
// IR:         load volatile i32
// IR:         store volatile i32
//
// RUNS: all: dead loads fault, accesses before unreachable fault, nothing is made up
// RUNS-NEXT: all: the client's store before the access has happened, the one after has not
// RUNS-NEXT: all: stores that cannot fault are as they were when another faults
// RUNS-NEXT: all: a loop that faults in the middle has done all before and nothing after
// RUNS-NEXT: guest: dead loads fault, accesses before unreachable fault, nothing is made up
// RUNS-NEXT: guest: stores that cannot fault are as they were when another faults
// RUNS-NEXT: guest: a loop that faults in the middle has done all before and nothing after
#include "client.h"

#include <memfold/embed.h>
#include <memfold/guard.h>
#include <memfold/memory.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __clang__
#define CALLS_MADE_CODE __attribute__((no_sanitize("function")))
#else
#define CALLS_MADE_CODE
#endif

#define START 0x10000u
#define END 0x12000u /* the first byte behind */

typedef struct session {
    client_module module;
    mf_embed *embed;
    LLVMTypeRef t_i32, t_i64, t_ptr, t_double, t_void;
    LLVMValueRef f, v_view, v_address, v_client;
} session;

static session now;
static mf_layout *layout;

/* ---- The functions: (view, address, client's memory) ---- */

static void begin(const char *name, LLVMTypeRef t_result) {
    LLVMTypeRef parameters[] = {now.t_ptr, now.t_i32, now.t_ptr};
    now.f = client_function_begin(&now.module, name, LLVMFunctionType(t_result, parameters, 3, false));
    now.v_view = LLVMGetParam(now.f, 0);
    now.v_address = LLVMGetParam(now.f, 1);
    now.v_client = LLVMGetParam(now.f, 2);
}

static LLVMValueRef load(LLVMTypeRef type, LLVMValueRef v_address) {
    mf_embed_access access = {.view = now.v_view, .address = v_address};
    return mf_embed_load(now.embed, now.module.builder, &access, type, NULL);
}

static void store(LLVMValueRef v_value, LLVMValueRef v_address) {
    mf_embed_access access = {.view = now.v_view, .address = v_address};
    if (!mf_embed_store(now.embed, now.module.builder, &access, v_value, NULL))
        exit(1);
}

static LLVMValueRef number(unsigned n) {
    return LLVMConstInt(now.t_i32, n, false);
}

static void build_straight(void) {
    LLVMBuilderRef b = now.module.builder;
    begin("dead", now.t_void);
    load(now.t_i32, now.v_address);
    LLVMBuildRetVoid(b);

    begin("load_before_unreachable", now.t_void);
    load(now.t_i32, now.v_address);
    LLVMBuildUnreachable(b);

    begin("store_before_unreachable", now.t_void);
    store(number(7), now.v_address);
    LLVMBuildUnreachable(b);

    begin("twice", now.t_double);
    LLVMValueRef v_first = load(now.t_double, now.v_address);
    LLVMValueRef v_second = load(now.t_double, now.v_address);
    LLVMValueRef v_sum = LLVMBuildFAdd(b, v_first, v_second, "");
    LLVMBuildRet(b, v_sum);

    begin("between_stores", now.t_void);
    LLVMBuildStore(b, number(1), now.v_client);
    load(now.t_i32, now.v_address);
    LLVMBuildStore(b, number(2), now.v_client);
    LLVMBuildRetVoid(b);

    begin("overwritten", now.t_void);
    store(number(1), now.v_address);
    store(number(2), now.v_address);
    LLVMBuildRetVoid(b);
}

/* Two places are stored to twice, a known one and one that software checks. Between them lies the access. */
static void build_overwritten_if_allowed(void) {
    LLVMTypeRef t_i128 = LLVMIntTypeInContext(now.module.context, 128);
    LLVMValueRef v_wide = number(START + 16);
    begin("overwritten_if_allowed", now.t_void);
    v_wide = LLVMBuildAnd(now.module.builder, now.v_address, v_wide, "");
    for (unsigned round = 1; round <= 2; round++) {
        store(number(round), number(START));
        store(LLVMConstInt(t_i128, round, false), v_wide);
        if (round == 1)
            store(number(3), now.v_address);
    }
    LLVMBuildRetVoid(now.module.builder);
}

/* Loads only if the client's word is not 0. */
static void build_perhaps(void) {
    LLVMBuilderRef b = now.module.builder;
    begin("perhaps", now.t_void);
    LLVMBasicBlockRef b_load = LLVMAppendBasicBlockInContext(now.module.context, now.f, "load");
    LLVMBasicBlockRef b_end = LLVMAppendBasicBlockInContext(now.module.context, now.f, "end");
    LLVMValueRef v_word = LLVMBuildLoad2(b, now.t_i32, now.v_client, "");
    LLVMValueRef v_is_wanted = LLVMBuildICmp(b, LLVMIntNE, v_word, number(0), "");
    LLVMBuildCondBr(b, v_is_wanted, b_load, b_end);
    LLVMPositionBuilderAtEnd(b, b_load);
    load(now.t_i32, now.v_address);
    LLVMBuildBr(b, b_end);
    LLVMPositionBuilderAtEnd(b, b_end);
    LLVMBuildRetVoid(b);
}

/* Adds 1 to each of 4096 words from the address on. */
static void build_count(void) {
    LLVMBuilderRef b = now.module.builder;
    begin("count", now.t_void);
    LLVMBasicBlockRef b_entry = LLVMGetInsertBlock(b);
    LLVMBasicBlockRef b_loop = LLVMAppendBasicBlockInContext(now.module.context, now.f, "loop");
    LLVMBasicBlockRef b_end = LLVMAppendBasicBlockInContext(now.module.context, now.f, "end");
    LLVMBuildBr(b, b_loop);
    LLVMPositionBuilderAtEnd(b, b_loop);
    LLVMValueRef v_i = LLVMBuildPhi(b, now.t_i32, "i");
    LLVMValueRef v_offset = LLVMBuildShl(b, v_i, number(2), "");
    LLVMValueRef v_at = LLVMBuildAdd(b, now.v_address, v_offset, "");
    LLVMValueRef v_loaded = load(now.t_i32, v_at);
    LLVMValueRef v_more = LLVMBuildAdd(b, v_loaded, number(1), "");
    store(v_more, v_at);
    LLVMValueRef v_next = LLVMBuildAdd(b, v_i, number(1), "");
    LLVMBasicBlockRef b_last = LLVMGetInsertBlock(b);
    LLVMValueRef v_goes_on = LLVMBuildICmp(b, LLVMIntULT, v_next, number(4096), "");
    LLVMBuildCondBr(b, v_goes_on, b_loop, b_end);
    LLVMValueRef values[] = {number(0), v_next};
    LLVMBasicBlockRef blocks[] = {b_entry, b_last};
    LLVMAddIncoming(v_i, values, blocks, 2);
    LLVMPositionBuilderAtEnd(b, b_end);
    LLVMBuildRetVoid(b);
}

static void build(mf_order order) {
    mf_accessor_options options = {
        .backend = MF_BACKEND_X86_PAGED, .on_fault = MF_ON_FAULT_TRAP, .order = order};
    mf_diag diag;
    now.module = client_module_create("order");
    LLVMContextRef c = now.module.context;
    now.t_i32 = LLVMInt32TypeInContext(c);
    now.t_i64 = LLVMInt64TypeInContext(c);
    now.t_ptr = LLVMPointerTypeInContext(c, 0);
    now.t_double = LLVMDoubleTypeInContext(c);
    now.t_void = LLVMVoidTypeInContext(c);
    client_must(mf_embed_create(now.module.module, layout, &options, &now.embed, &diag), &diag,
                "mf_embed_create");
    build_straight();
    build_overwritten_if_allowed();
    build_perhaps();
    build_count();
    mf_embed_destroy(now.embed);
    client_module_optimise(&now.module, "default<O3>");
}

/* ---- Runs ---- */

typedef void made_function(mf_view *view, uint32_t address, uint32_t *client);

typedef struct call {
    made_function *function;
    uint32_t address;
    uint32_t *client;
} call;

CALLS_MADE_CODE static void run(mf_view *view, void *context) {
    const call *c = context;
    c->function(view, c->address, c->client);
}

static bool faults(mf_memory *memory, const char *name, uint32_t address, uint32_t *client) {
    call c = {.address = address, .client = client};
    uintptr_t host = client_lookup(name);
    memcpy(&c.function, &host, sizeof host);
    return !mf_guard_run(mf_memory_view(memory), run, &c, NULL);
}

static void require(bool holds, const char *what) {
    if (holds)
        return;
    printf("not so: %s\n", what);
    exit(1);
}

static uint32_t word(mf_memory *memory, uint32_t address) {
    uint32_t value = 0;
    require(mf_memory_read(memory, address, &value, sizeof value), "a word");
    return value;
}

static void run_straight(mf_memory *memory, mf_order order, const char *title) {
    uint32_t client = 0;
    require(faults(memory, "dead", END, &client), "a dead load faults");
    require(faults(memory, "load_before_unreachable", END - 1, &client), "a load before unreachable faults");
    require(faults(memory, "store_before_unreachable", END, &client), "a store before unreachable faults");
    require(faults(memory, "twice", END - 4, &client), "a double that straddles the end faults");
    require(!faults(memory, "perhaps", END, &client), "what is not reached is not accessed");
    client = 1;
    require(faults(memory, "perhaps", END, &client), "what is reached is");
    require(!faults(memory, "overwritten", START, &client) && word(memory, START) == 2,
            "the last store counts");
    printf("%s: dead loads fault, accesses before unreachable fault, nothing is made up\n", title);
    client = 0;
    require(faults(memory, "between_stores", END, &client),
            "a load between two stores of the client's faults");
    if (order == MF_ORDER_ALL) {
        require(client == 1, "the first store and not the second");
        printf("%s: the client's store before the access has happened, the one after has not\n", title);
    }
}

static void run_overwritten_if_allowed(mf_memory *memory, const char *title) {
    uint32_t address = END + 16; /* has the bits of START + 16 and its stores go there */
    require(mf_memory_fill(memory, START, 0, END - START), "zeros");
    require(faults(memory, "overwritten_if_allowed", address, NULL), "the store in the middle faults");
    require(word(memory, START) == 1 && word(memory, START + 16) == 1,
            "both stores before it, and neither of those after");
    printf("%s: stores that cannot fault are as they were when another faults\n", title);
}

static void run_loop(mf_memory *memory, const char *title) {
    uint32_t from = END - 0x1000;
    require(mf_memory_fill(memory, START, 0, END - START), "zeros");
    require(faults(memory, "count", from, NULL), "the loop faults");
    for (uint32_t at = START; at < END; at += 4)
        require(word(memory, at) == (at >= from), "each word before the end once");
    printf("%s: a loop that faults in the middle has done all before and nothing after\n", title);
}

static void run_order(mf_order order, const char *title) {
    mf_memory *memory;
    mf_diag diag;
    build(order);
    client_code code = client_module_load(&now.module, NULL);
    client_must(mf_memory_create(layout, NULL, MF_BACKEND_X86_PAGED, &memory, &diag), &diag,
                "mf_memory_create");
    run_straight(memory, order, title);
    run_overwritten_if_allowed(memory, title);
    run_loop(memory, title);
    mf_memory_destroy(memory);
    client_code_unload(&code);
}

static void print(mf_order order) {
    build(order);
    char *text = LLVMPrintModuleToString(now.module.module);
    printf("%s", text);
    LLVMDisposeMessage(text);
    client_module_destroy(&now.module);
}

int main(int argc, char **argv) {
    mf_diag diag;
    const char *what = argc == 2 ? argv[1] : "";
    client_start();
    mf_layout_builder *builder = mf_layout_builder_create();
    client_must(mf_layout_builder_map_region(builder, START, END - START, MF_READ_WRITE, NULL, 0, &diag),
                &diag, "map_region");
    client_must(mf_layout_builder_finish(builder, &layout, NULL, &diag), &diag, "finish");
    mf_layout_builder_destroy(builder);
    if (strcmp(what, "run") == 0) {
        run_order(MF_ORDER_ALL, "all");
        run_order(MF_ORDER_GUEST, "guest");
    } else {
        print(strcmp(what, "ir-guest") == 0 ? MF_ORDER_GUEST : MF_ORDER_ALL);
    }
    mf_layout_release(layout);
    client_stop();
    return 0;
}
