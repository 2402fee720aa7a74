// Paged accesses that trap, optimised by default<O3>: none is dropped, doubled or made in advance, with
// order = all each effect of the client's stays on its side of them, and read-modify-write stays two
// accesses.
//
// RUN: %cc %llvm %s %client -o %t %gen
// RUN: %t > %t.txt
// RUN: FileCheck %s < %t.txt
//
// CHECK-LABEL: define {{.*}} @dead_all(
// CHECK:         store i32 1, ptr [[CLIENT:%.*]], align
// CHECK:         fence syncscope("singlethread") seq_cst
// CHECK-NEXT:    load volatile i32
// CHECK:         fence syncscope("singlethread") seq_cst
// CHECK-NEXT:    store i32 2, ptr [[CLIENT]], align
// CHECK-NOT:     {{(load|store) volatile}}
// CHECK-LABEL: define {{.*}} @last_all(
// CHECK:         load volatile i32
// CHECK-NOT:     {{(load|store) volatile}}
// CHECK:         unreachable
// CHECK-LABEL: define {{.*}} @sum_all(
// CHECK-NOT:     asm
// CHECK-LABEL: define {{.*}} @dead_guest(
// CHECK-NOT:     fence
// CHECK:         load volatile i32
// CHECK-NOT:     {{(load|store) volatile}}
// CHECK-LABEL: define {{.*}} @last_guest(
// CHECK:         load volatile i32
// CHECK-NOT:     {{(load|store) volatile}}
// CHECK:         unreachable
//
// What the client's memory is after a fault, and the record: kind, operation, address.
// CHECK-LABEL: all:
// CHECK-NEXT:    dead 0x11000: client 1, kind 1 load 0x11000
// CHECK-NEXT:    dead 0x10ffe: client 1, kind 1 load 0x11000
// CHECK-NEXT:    dead 0x10000: client 2, no fault
// CHECK-NEXT:    last 0x11000: client 0, kind 1 load 0x11000
// CHECK-NEXT:    sum 0x10f9c: client 25, kind 1 load 0x11000
// CHECK-NEXT:    fill 0x10f9c: client 25, kind 1 store 0x11000
// CHECK-NEXT:    add 0x11000: client 0, kind 1 load 0x11000
// CHECK-NEXT:    add 0x12000: client 0, kind 2 store 0x12000
// CHECK-NEXT:    add 0x10000: client 0, no fault
// CHECK-NEXT:    maybe 0x11000: client 0, no fault
// CHECK-LABEL: guest:
// CHECK-NEXT:    dead 0x11000: kind 1 load 0x11000
// CHECK-NEXT:    dead 0x10ffe: kind 1 load 0x11000
// CHECK-NEXT:    dead 0x10000: no fault
// CHECK-NEXT:    last 0x11000: kind 1 load 0x11000
// CHECK-NEXT:    sum 0x10f9c: kind 1 load 0x11000
// CHECK-NEXT:    fill 0x10f9c: kind 1 store 0x11000
// CHECK-NEXT:    add 0x11000: kind 1 load 0x11000
// CHECK-NEXT:    add 0x12000: kind 2 store 0x12000
// CHECK-NEXT:    add 0x10000: no fault
// CHECK-NEXT:    maybe 0x11000: no fault
#include "client.h"

#include <memfold/embed.h>
#include <memfold/guard.h>
#include <memfold/memory.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __clang__
#define CALLS_MADE_CODE __attribute__((no_sanitize("function")))
#else
#define CALLS_MADE_CODE
#endif

/* A writable page, a hole, and a page that is read-only. */
#define WRITABLE 0x10000
#define READ_ONLY 0x12000

/* uint32_t f(view, address, client): `client` points to a word that nothing else points to. */
typedef uint32_t made_function(mf_view *view, uint32_t address, uint32_t *client);

typedef struct site {
    const client_module *m;
    const mf_embed *embed;
    LLVMValueRef f;
    LLVMTypeRef t_i32;
    mf_embed_access access;
    LLVMValueRef v_client;
} site;

static LLVMValueRef word(const site *s, uint64_t value) {
    return LLVMConstInt(s->t_i32, value, false);
}

static LLVMValueRef load(const site *s) {
    return mf_embed_load(s->embed, s->m->builder, &s->access, s->t_i32, NULL);
}

/* ---- Bodies ---- */

static void build_dead(const site *s) {
    LLVMBuildStore(s->m->builder, word(s, 1), s->v_client);
    load(s);
    LLVMBuildStore(s->m->builder, word(s, 2), s->v_client);
    LLVMBuildRet(s->m->builder, word(s, 0));
}

static void build_last(const site *s) {
    load(s);
    LLVMBuildUnreachable(s->m->builder);
}

static void build_add(const site *s) {
    LLVMValueRef v_sum = LLVMBuildAdd(s->m->builder, load(s), word(s, 1), "");
    mf_embed_store(s->embed, s->m->builder, &s->access, v_sum, NULL);
    LLVMBuildRet(s->m->builder, word(s, 0));
}

/* Only if the client's word is not 0. */
static void build_maybe(const site *s) {
    LLVMBuilderRef b = s->m->builder;
    LLVMBasicBlockRef b_access = LLVMAppendBasicBlockInContext(s->m->context, s->f, "yes");
    LLVMBasicBlockRef b_end = LLVMAppendBasicBlockInContext(s->m->context, s->f, "end");
    LLVMBasicBlockRef b_entry = LLVMGetInsertBlock(b);
    LLVMValueRef v_zero = word(s, 0);
    LLVMValueRef v_wants = LLVMBuildLoad2(b, s->t_i32, s->v_client, "");
    LLVMValueRef v_is_wanted = LLVMBuildICmp(b, LLVMIntNE, v_wants, v_zero, "");
    LLVMBuildCondBr(b, v_is_wanted, b_access, b_end);
    LLVMPositionBuilderAtEnd(b, b_access);
    LLVMValueRef v_loaded = load(s);
    LLVMBasicBlockRef b_from = LLVMGetInsertBlock(b);
    LLVMBuildBr(b, b_end);
    LLVMPositionBuilderAtEnd(b, b_end);
    LLVMValueRef v_result = LLVMBuildPhi(b, s->t_i32, "");
    LLVMAddIncoming(v_result, &v_zero, &b_entry, 1);
    LLVMAddIncoming(v_result, &v_loaded, &b_from, 1);
    LLVMBuildRet(b, v_result);
}

/* 1000 words one behind the other; the client's word counts those before the one that is accessed. */
static void build_loop(const site *s, mf_operation operation) {
    LLVMBuilderRef b = s->m->builder;
    site inside = *s;
    LLVMBasicBlockRef b_entry = LLVMGetInsertBlock(b);
    LLVMBasicBlockRef b_loop = LLVMAppendBasicBlockInContext(s->m->context, s->f, "loop");
    LLVMBasicBlockRef b_end = LLVMAppendBasicBlockInContext(s->m->context, s->f, "end");
    LLVMValueRef v_zero = word(s, 0);
    LLVMBuildBr(b, b_loop);
    LLVMPositionBuilderAtEnd(b, b_loop);
    LLVMValueRef v_i = LLVMBuildPhi(b, s->t_i32, "i");
    LLVMValueRef v_sum = LLVMBuildPhi(b, s->t_i32, "sum");
    LLVMBuildStore(b, v_i, s->v_client);
    LLVMValueRef v_offset = LLVMBuildMul(b, v_i, word(s, 4), "");
    inside.access.address = LLVMBuildAdd(b, s->access.address, v_offset, "");
    LLVMValueRef v_value = v_i;
    if (operation == MF_LOAD)
        v_value = load(&inside);
    else
        mf_embed_store(s->embed, b, &inside.access, v_i, NULL);
    LLVMValueRef v_next_sum = LLVMBuildAdd(b, v_sum, v_value, "");
    LLVMValueRef v_next = LLVMBuildAdd(b, v_i, word(s, 1), "");
    LLVMValueRef v_goes_on = LLVMBuildICmp(b, LLVMIntULT, v_next, word(s, 1000), "");
    LLVMBasicBlockRef b_from = LLVMGetInsertBlock(b);
    LLVMBuildCondBr(b, v_goes_on, b_loop, b_end);
    LLVMAddIncoming(v_i, &v_zero, &b_entry, 1);
    LLVMAddIncoming(v_i, &v_next, &b_from, 1);
    LLVMAddIncoming(v_sum, &v_zero, &b_entry, 1);
    LLVMAddIncoming(v_sum, &v_next_sum, &b_from, 1);
    LLVMPositionBuilderAtEnd(b, b_end);
    LLVMBuildRet(b, v_next_sum);
}

static void build_sum(const site *s) {
    build_loop(s, MF_LOAD);
}
static void build_fill(const site *s) {
    build_loop(s, MF_STORE);
}

typedef struct body {
    const char *name;
    void (*build)(const site *s);
} body;

static const body BODIES[] = {{"dead", build_dead}, {"last", build_last}, {"sum", build_sum},
                              {"fill", build_fill}, {"add", build_add},   {"maybe", build_maybe}};
#define BODY_COUNT (sizeof BODIES / sizeof BODIES[0])

static const char *const ORDERS[] = {"all", "guest"};

static void print_name(const char *name, mf_order order, char text[32]) {
    snprintf(text, 32, "%s_%s", name, ORDERS[order]);
}

static void build(const client_module *m, const mf_layout *layout, mf_order order) {
    static const char NO_ALIAS[] = "noalias";
    mf_accessor_options options = {
        .backend = MF_BACKEND_X86_PAGED, .on_fault = MF_ON_FAULT_TRAP, .order = order};
    mf_embed *embed;
    mf_diag diag;
    char name[32];
    client_must(mf_embed_create(m->module, layout, &options, &embed, &diag), &diag, "mf_embed_create");
    LLVMTypeRef t_ptr = LLVMPointerTypeInContext(m->context, 0);
    LLVMTypeRef t_i32 = LLVMInt32TypeInContext(m->context);
    LLVMTypeRef parameters[] = {t_ptr, t_i32, t_ptr};
    unsigned kind = LLVMGetEnumAttributeKindForName(NO_ALIAS, sizeof NO_ALIAS - 1);
    for (size_t i = 0; i < BODY_COUNT; i++) {
        print_name(BODIES[i].name, order, name);
        LLVMValueRef f = client_function_begin(m, name, LLVMFunctionType(t_i32, parameters, 3, false));
        LLVMAddAttributeAtIndex(f, 3, LLVMCreateEnumAttribute(m->context, kind, 0));
        site s = {m,
                  embed,
                  f,
                  t_i32,
                  {.view = LLVMGetParam(f, 0), .address = LLVMGetParam(f, 1)},
                  LLVMGetParam(f, 2)};
        BODIES[i].build(&s);
    }
    mf_embed_destroy(embed);
}

/* ---- Runs ---- */

typedef struct call {
    made_function *function;
    uint32_t address;
    uint32_t client;
} call;

CALLS_MADE_CODE static void run(mf_view *view, void *context) {
    call *c = context;
    c->function(view, c->address, &c->client);
}

static void ask(mf_memory *memory, mf_order order, const char *name, uint32_t address) {
    char symbol[32];
    call c = {.address = address};
    print_name(name, order, symbol);
    uintptr_t host = client_lookup(symbol);
    memcpy(&c.function, &host, sizeof host);
    mf_fault fault;
    bool came_to_end = mf_guard_run(mf_memory_view(memory), run, &c, &fault);
    printf("  %s 0x%" PRIx32 ":", name, address);
    if (order == MF_ORDER_ALL)
        printf(" client %" PRIu32 ",", c.client);
    if (came_to_end)
        printf(" no fault\n");
    else
        printf(" kind %" PRIu32 " %s 0x%" PRIx64 "\n", fault.kind,
               fault.operation == MF_LOAD ? "load" : "store", (uint64_t)fault.address);
}

/* What loops have stored before they faulted is there. */
static void require_filled(mf_memory *memory) {
    uint32_t words[25];
    if (!mf_memory_read(memory, WRITABLE + 0xf9c, words, sizeof words))
        exit(1);
    for (uint32_t i = 0; i < 25; i++)
        if (words[i] != i) {
            printf("word %" PRIu32 " is %" PRIu32 "\n", i, words[i]);
            exit(1);
        }
    static const uint32_t nothing[25];
    mf_memory_write(memory, WRITABLE + 0xf9c, nothing, sizeof nothing);
}

static void ask_all(mf_memory *memory, mf_order order) {
    printf("%s:\n", ORDERS[order]);
    ask(memory, order, "dead", WRITABLE + 0x1000);
    ask(memory, order, "dead", WRITABLE + 0xffe);
    ask(memory, order, "dead", WRITABLE);
    ask(memory, order, "last", WRITABLE + 0x1000);
    ask(memory, order, "sum", WRITABLE + 0xf9c);
    ask(memory, order, "fill", WRITABLE + 0xf9c);
    require_filled(memory);
    ask(memory, order, "add", WRITABLE + 0x1000);
    ask(memory, order, "add", READ_ONLY);
    ask(memory, order, "add", WRITABLE);
    ask(memory, order, "maybe", WRITABLE + 0x1000);
}

static mf_layout *make_layout(void) {
    mf_layout *layout;
    mf_diag diag;
    mf_layout_builder *builder = mf_layout_builder_create();
    client_must(mf_layout_builder_map_region(builder, WRITABLE, 0x1000, MF_READ_WRITE, NULL, 0, &diag), &diag,
                "map_region");
    client_must(mf_layout_builder_map_region(builder, READ_ONLY, 0x1000, MF_READ_ONLY, NULL, 0, &diag), &diag,
                "map_region");
    client_must(mf_layout_builder_finish(builder, &layout, NULL, &diag), &diag, "finish");
    mf_layout_builder_destroy(builder);
    return layout;
}

int main(void) {
    mf_memory *memory;
    mf_diag diag;
    client_start();
    client_module m = client_module_create("order");
    mf_layout *layout = make_layout();
    client_must(mf_memory_create(layout, NULL, MF_BACKEND_X86_PAGED, &memory, &diag), &diag, "memory");
    for (mf_order order = MF_ORDER_ALL; order <= MF_ORDER_GUEST; order++)
        build(&m, layout, order);
    client_module_optimise(&m, "default<O3>");
    char *text = LLVMPrintModuleToString(m.module);
    printf("%s", text);
    LLVMDisposeMessage(text);
    client_code code = client_module_load(&m, NULL);
    for (mf_order order = MF_ORDER_ALL; order <= MF_ORDER_GUEST; order++)
        ask_all(memory, order);
    client_code_unload(&code);
    mf_memory_destroy(memory);
    mf_layout_release(layout);
    client_stop();
    return 0;
}
