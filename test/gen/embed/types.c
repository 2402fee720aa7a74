// Every type that a client may load and store, and every width by its host address, on all nine pairs of
// permissions, at the top of the space and at its bottom: value, bytes and record as the contract says, on
// both backends, with each kind of fault edge, order, byte order and mask, as emitted and optimised, and by
// code generation with and without optimisation.
//
// RUN: %cc %llvm %s %client -o %t %gen
// RUN: %t | FileCheck %s
// RUN: %t fast | FileCheck %s
//
// CHECK-COUNT-24: copy: {{[1-9][0-9]*}} allowed, {{[1-9][0-9]*}} faults
// CHECK-COUNT-16: paged: {{[1-9][0-9]*}} allowed, {{[1-9][0-9]*}} faults
// CHECK-NEXT: all as the contract says
#include "client.h"
#include "client_type.h"

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

/* Each pair of n(one), r(ead-only) and w(ritable) pages follows somewhere. */
static const char PAGES[] = "nnrrwwnwrn";
#define FIRST_PAGE 0x10
#define PAGE_COUNT (sizeof PAGES - 1)

/* ---- Types ---- */

static const type TYPES[] = {
    {INTEGER, 8, 0},  {INTEGER, 9, 0},   {INTEGER, 12, 0}, {INTEGER, 16, 0},  {INTEGER, 24, 0},
    {INTEGER, 31, 0}, {INTEGER, 32, 0},  {INTEGER, 40, 0}, {INTEGER, 48, 0},  {INTEGER, 56, 0},
    {INTEGER, 63, 0}, {INTEGER, 64, 0},  {INTEGER, 65, 0}, {INTEGER, 96, 0},  {INTEGER, 128, 0},
    {HALF, 16, 0},    {FLOAT, 32, 0},    {DOUBLE, 64, 0},  {POINTER, 64, 0},  {INTEGER, 8, 1},
    {INTEGER, 8, 2},  {INTEGER, 8, 3},   {INTEGER, 16, 2}, {FLOAT, 32, 1},    {INTEGER, 8, 8},
    {FLOAT, 32, 2},   {POINTER, 64, 1},  {INTEGER, 32, 3}, {INTEGER, 8, 16},  {INTEGER, 64, 2},
    {HALF, 16, 8},    {FLOAT, 32, 4},    {DOUBLE, 64, 2},  {POINTER, 64, 2},  {INTEGER, 128, 1},
    {DOUBLE, 64, 3},  {FLOAT, 32, 8},    {INTEGER, 64, 4}, {INTEGER, 128, 2}, {INTEGER, 8, 64},
    {DOUBLE, 64, 8},  {INTEGER, 128, 4}, {BYTES, 8, 0},    {BYTES, 24, 0},    {BYTES, 64, 0},
    {BYTES, 128, 0},  {BYTES, 264, 0},   {BYTES, 504, 0},  {BYTES, 512, 0},
};
#define TYPE_COUNT (sizeof TYPES / sizeof TYPES[0])

static unsigned bits_of(const type *t) {
    return t->bits * (t->count == 0 ? 1 : t->count);
}

static unsigned width_of(const type *t) {
    return (bits_of(t) + 7) / 8;
}

/* ---- One set of options at a time ---- */

typedef struct session {
    mf_layout *layout;
    mf_memory *memory;
    mf_accessor_options options;
    bool keeps_state; /* base and heap end are loaded at entry and handed in */
    bool has_avx;
    client_module module;
    client_code code;
    mf_embed *embed;
    unsigned serial;
    unsigned long allowed;
    unsigned long faults;
} session;

static session now;

/* The bytes of the pages, as they ought to be. */
static unsigned char expected[PAGE_COUNT * MF_PAGE_SIZE];
#define START ((uint64_t)FIRST_PAGE * MF_PAGE_SIZE)

static void print_symbol(size_t i, mf_operation operation, char *text, size_t text_bytes) {
    snprintf(text, text_bytes, "%s%u_%zu", operation == MF_LOAD ? "load" : "store", now.serial, i);
}

/* ---- Code: uint32_t f(view, address, value), 1 from the fault block, the value in the client's memory ----
 */

static LLVMValueRef byte_of(LLVMValueRef v_bytes, unsigned i) {
    LLVMTypeRef t_i8 = LLVMInt8TypeInContext(now.module.context);
    LLVMValueRef v_i = LLVMConstInt(LLVMInt32TypeInContext(now.module.context), i, false);
    return LLVMBuildGEP2(now.module.builder, t_i8, v_bytes, &v_i, 1, "");
}

/* An access of the client's own, byte by byte from the first on: of a memcpy nobody knows the order. */
static void build_by_address(const mf_embed_access *access, const type *t, mf_operation operation,
                             LLVMValueRef v_client, LLVMBasicBlockRef *from) {
    LLVMBuilderRef b = now.module.builder;
    LLVMTypeRef t_i8 = LLVMInt8TypeInContext(now.module.context);
    LLVMValueRef v_host = mf_embed_address(now.embed, b, access, width_of(t), operation, from);
    LLVMValueRef v_from = operation == MF_LOAD ? v_host : v_client;
    LLVMValueRef v_to = operation == MF_LOAD ? v_client : v_host;
    for (unsigned i = 0; i < width_of(t); i++) {
        LLVMValueRef v_byte = LLVMBuildLoad2(b, t_i8, byte_of(v_from, i), "");
        LLVMSetVolatile(v_byte, true);
        LLVMSetVolatile(LLVMBuildStore(b, v_byte, byte_of(v_to, i)), true);
    }
}

static void build_value(const mf_embed_access *access, const type *t, mf_operation operation,
                        LLVMValueRef v_client, LLVMBasicBlockRef *from) {
    LLVMBuilderRef b = now.module.builder;
    if (operation == MF_LOAD) {
        LLVMValueRef v_loaded = mf_embed_load(now.embed, b, access, make_type(now.module.context, t), from);
        LLVMSetAlignment(LLVMBuildStore(b, v_loaded, v_client), 1);
        return;
    }
    bool is_odd = bits_of(t) % 8 != 0; /* the bits above are there, and not the guest's business */
    LLVMTypeRef t_whole = LLVMIntTypeInContext(now.module.context, 8 * width_of(t));
    LLVMValueRef v_stored =
        LLVMBuildLoad2(b, is_odd ? t_whole : make_type(now.module.context, t), v_client, "");
    LLVMSetAlignment(v_stored, 1);
    if (is_odd)
        v_stored = LLVMBuildTrunc(b, v_stored, make_type(now.module.context, t), "");
    if (!mf_embed_store(now.embed, b, access, v_stored, from))
        exit(1);
}

/* Reached or not, the fault block has a phi. */
static void build_fault_block(LLVMBasicBlockRef block, LLVMBasicBlockRef from) {
    LLVMBuilderRef b = now.module.builder;
    LLVMTypeRef t_i32 = LLVMInt32TypeInContext(now.module.context);
    LLVMValueRef v_one = LLVMConstInt(t_i32, 1, false);
    LLVMPositionBuilderAtEnd(b, block);
    LLVMValueRef v_phi = LLVMBuildPhi(b, t_i32, "");
    if (from != NULL)
        LLVMAddIncoming(v_phi, &v_one, &from, 1);
    LLVMBuildRet(b, v_phi);
    mf_embed_end_fault_block(block);
}

static void set_features(LLVMValueRef f) {
    static const char KEY[] = "target-features", VALUE[] = "+avx";
    LLVMAttributeRef made =
        LLVMCreateStringAttribute(now.module.context, KEY, sizeof KEY - 1, VALUE, sizeof VALUE - 1);
    if (now.has_avx)
        LLVMAddAttributeAtIndex(f, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, made);
}

static void build_function(size_t i, mf_operation operation) {
    LLVMContextRef c = now.module.context;
    LLVMBuilderRef b = now.module.builder;
    LLVMTypeRef t_ptr = LLVMPointerTypeInContext(c, 0), t_i32 = LLVMInt32TypeInContext(c);
    LLVMTypeRef parameters[] = {t_ptr, t_i32, t_ptr};
    char symbol[64];
    print_symbol(i, operation, symbol, sizeof symbol);
    LLVMValueRef f =
        client_function_begin(&now.module, symbol, LLVMFunctionType(t_i32, parameters, 3, false));
    set_features(f);
    mf_embed_access access = {.view = LLVMGetParam(f, 0), .address = LLVMGetParam(f, 1)};
    if (now.keeps_state) {
        access.base = mf_embed_load_base(now.embed, b, access.view);
        access.heap_end = mf_embed_load_heap_end(now.embed, b, access.view);
    }
    bool has_block = now.options.on_fault != MF_ON_FAULT_TRAP;
    if (has_block)
        access.fault_block = LLVMAppendBasicBlockInContext(c, f, "client.fault");
    LLVMBasicBlockRef from = NULL;
    if (TYPES[i].element == BYTES)
        build_by_address(&access, &TYPES[i], operation, LLVMGetParam(f, 2), &from);
    else
        build_value(&access, &TYPES[i], operation, LLVMGetParam(f, 2), &from);
    LLVMBuildRet(b, LLVMConstInt(t_i32, 0, false));
    if (has_block)
        build_fault_block(access.fault_block, from);
}

static void make_code(const char *pipeline) {
    char table[64];
    mf_diag diag;
    bool has_table = now.options.backend == MF_BACKEND_X86_PAGED && now.options.on_fault != MF_ON_FAULT_TRAP;
    now.serial++;
    now.module = client_module_create("types");
    client_must(mf_embed_create(now.module.module, now.layout, &now.options, &now.embed, &diag), &diag,
                "mf_embed_create");
    for (size_t i = 0; i < TYPE_COUNT; i++)
        for (mf_operation operation = MF_LOAD; operation <= MF_STORE; operation++)
            if (is_served(&TYPES[i], now.options.endian))
                build_function(i, operation);
    mf_embed_destroy(now.embed);
    snprintf(table, sizeof table, "table%u", now.serial);
    if (has_table)
        client_must(mf_embed_define_exception_table(now.module.module, table, &diag), &diag, "table");
    client_module_optimise(&now.module, pipeline);
    now.code = client_module_load(&now.module, has_table ? table : NULL);
}

/* ---- What the contract says ---- */

static char page_kind(uint64_t index) {
    return index >= START && index < START + sizeof expected ? PAGES[(index - START) / MF_PAGE_SIZE] : 'n';
}

static bool may_touch(uint64_t index, mf_operation operation) {
    return operation == MF_STORE ? page_kind(index) == 'w' : page_kind(index) != 'n';
}

/* The lowest byte that may not be touched, or UINT64_MAX. */
static uint64_t first_refused(uint64_t index, unsigned width, mf_operation operation) {
    for (uint64_t i = index; i < index + width; i++)
        if (!may_touch(i, operation))
            return i;
    return UINT64_MAX;
}

/* Whether the MMU alone says no, which does not tell where the access began. */
static bool by_mmu(const type *t) {
    unsigned width = width_of(t);
    if (now.options.backend != MF_BACKEND_X86_PAGED || now.options.on_fault != MF_ON_FAULT_TRAP)
        return false;
    if (t->element == BYTES)
        return true;
    if (width <= 8 && (width & (width - 1)) == 0)
        return t->element != POINTER || t->count == 0;
    return t->count > 0 && (width == 16 || (width == 32 && now.has_avx));
}

/* ---- Runs ---- */

typedef uint32_t made_function(mf_view *view, uint32_t address, unsigned char *value);

typedef struct call {
    made_function *function;
    uint32_t address;
    unsigned char *value;
    uint32_t status;
} call;

CALLS_MADE_CODE static void run(mf_view *view, void *context) {
    call *c = context;
    c->status = c->function(view, c->address, c->value);
}

static void fail(const type *t, mf_operation operation, uint64_t index, const char *what) {
    printf(
        "backend %d on_fault %d order %d endian %d spectre %d: %s of element %d, %u bits x %u at 0x%" PRIx64
        ": %s\n",
        (int)now.options.backend, (int)now.options.on_fault, (int)now.options.order, (int)now.options.endian,
        (int)now.options.spectre, operation == MF_LOAD ? "load" : "store", (int)t->element, t->bits, t->count,
        index, what);
    exit(1);
}

static void require_record(const type *t, mf_operation operation, uint64_t index, uint64_t refused) {
    mf_fault fault = mf_memory_last_fault(now.memory);
    bool has_record = now.options.on_fault != MF_ON_FAULT_BRANCH;
    uint32_t kind = page_kind(refused) == 'n' ? MF_PAGE_FAULT : MF_WRITE_PROTECTED;
    if (!has_record) {
        if (fault.kind != 0)
            fail(t, operation, index, "a record with on_fault = branch");
        return;
    }
    if (t->element == BYTES &&
        by_mmu(t)) { /* in which order the client's bytes are accessed is LLVM's choice */
        uint64_t touched = fault.address;
        if (touched < index || touched >= index + width_of(t) || may_touch(touched, operation) ||
            fault.operation != (uint32_t)operation)
            fail(t, operation, index, "another byte in the record");
        return;
    }
    if (fault.kind != kind || fault.page != (refused & ~(uint64_t)(MF_PAGE_SIZE - 1)) ||
        fault.operation != (uint32_t)operation)
        fail(t, operation, index, "wrong record");
    if (by_mmu(t) ? fault.address != (refused > index ? fault.page : index) || fault.length != 0
                  : fault.address != index || fault.length != width_of(t))
        fail(t, operation, index, "wrong address in the record");
}

static void swap_bytes(unsigned char *bytes, unsigned count) {
    for (unsigned i = 0; i < count / 2; i++) {
        unsigned char low = bytes[i];
        bytes[i] = bytes[count - 1 - i];
        bytes[count - 1 - i] = low;
    }
}

/* What lies in the client's memory for the guest's bytes, or the other way round. */
static void convert(const type *t, unsigned char *bytes) {
    unsigned width = width_of(t);
    if (now.options.endian == MF_BIG_ENDIAN && t->element != BYTES)
        swap_bytes(bytes, width);
    if (bits_of(t) % 8 != 0)
        bytes[width - 1] &= (unsigned char)((1u << bits_of(t) % 8) - 1);
}

static void compare_bytes(const type *t, mf_operation operation, uint64_t index) {
    unsigned char page[MF_PAGE_SIZE];
    for (uint64_t i = 0; i < PAGE_COUNT; i++)
        if (PAGES[i] != 'n' &&
            (!mf_memory_read(now.memory, (uint32_t)(START + i * MF_PAGE_SIZE), page, sizeof page) ||
             memcmp(page, &expected[i * MF_PAGE_SIZE], sizeof page) != 0))
            fail(t, operation, index, "other bytes have changed");
}

static void ask(const type *t, mf_operation operation, made_function *function, uint64_t index) {
    static unsigned char next = 1;
    unsigned char value[72], wanted[72];
    unsigned width = width_of(t);
    uint64_t refused = first_refused(index, width, operation);
    call c = {function, (uint32_t)index, value, 0};
    for (unsigned i = 0; i < sizeof value; i++)
        value[i] = next = (unsigned char)(next * 5 + 3);
    memcpy(wanted, value, sizeof value);
    memset(&mf_memory_view(now.memory)->fault, 0, sizeof(mf_fault));
    bool came_to_end = mf_guard_run(mf_memory_view(now.memory), run, &c, NULL);
    bool has_faulted = !came_to_end || c.status == 1;
    if (has_faulted != (refused != UINT64_MAX) ||
        came_to_end == (has_faulted && now.options.on_fault == MF_ON_FAULT_TRAP))
        fail(t, operation, index, has_faulted ? "a fault" : "no fault");
    if (has_faulted) {
        now.faults++;
        require_record(t, operation, index, refused);
        if (t->element == BYTES && operation == MF_STORE && by_mmu(t)) /* some of the client's bytes went */
            for (uint64_t at = index; at < index + width; at++)
                if (may_touch(at, MF_STORE))
                    mf_memory_read(now.memory, (uint32_t)at, &expected[at - START], 1);
    } else if (operation == MF_LOAD) {
        now.allowed++;
        memcpy(wanted, &expected[index - START], width);
        convert(t, wanted);
    } else {
        now.allowed++;
        convert(t, wanted);
        memcpy(&expected[index - START], wanted, width);
        memcpy(wanted, value, sizeof value);
    }
    bool may_differ =
        has_faulted && t->element == BYTES && by_mmu(t); /* it stopped in the middle of a copy */
    if (!may_differ && memcmp(value, wanted, sizeof value) != 0)
        fail(t, operation, index, "a wrong value");
}

static void ask_type(size_t i, mf_operation operation) {
    const type *t = &TYPES[i];
    char symbol[64];
    print_symbol(i, operation, symbol, sizeof symbol);
    uintptr_t host = client_lookup(symbol);
    made_function *function;
    memcpy(&function, &host, sizeof host);
    for (uint64_t page = 0; page <= PAGE_COUNT; page++)
        for (unsigned before = 0; before <= width_of(t) + 1; before++)
            ask(t, operation, function, START + page * MF_PAGE_SIZE - before);
    ask(t, operation, function, 0);
    for (unsigned before = 1; before <= width_of(t) + 1; before++)
        ask(t, operation, function, MF_SPACE_BYTES - before);
    compare_bytes(t, operation, 0);
}

static void run_options(const char *pipeline) {
    now.allowed = now.faults = 0;
    make_code(pipeline);
    for (size_t i = 0; i < TYPE_COUNT; i++)
        for (mf_operation operation = MF_LOAD; operation <= MF_STORE; operation++)
            if (is_served(&TYPES[i], now.options.endian))
                ask_type(i, operation);
    client_code_unload(&now.code);
    printf("%s: %lu allowed, %lu faults\n", now.options.backend == MF_BACKEND_COPY ? "copy" : "paged",
           now.allowed, now.faults);
}

/* ---- The memory ---- */

static void make_layout(void) {
    mf_diag diag;
    mf_layout_builder *builder = mf_layout_builder_create();
    for (uint64_t i = 0; i < PAGE_COUNT; i++)
        if (PAGES[i] != 'n')
            client_must(mf_layout_builder_map_region(builder, START + i * MF_PAGE_SIZE, MF_PAGE_SIZE,
                                                     PAGES[i] == 'w' ? MF_READ_WRITE : MF_READ_ONLY, NULL, 0,
                                                     &diag),
                        &diag, "map_region");
    client_must(mf_layout_builder_finish(builder, &now.layout, NULL, &diag), &diag, "finish");
    mf_layout_builder_destroy(builder);
}

/* Read-only pages are filled while they may be written. */
static void make_memory(mf_backend backend) {
    mf_diag diag;
    client_must(mf_memory_create(now.layout, NULL, backend, &now.memory, &diag), &diag, "mf_memory_create");
    for (size_t i = 0; i < sizeof expected; i++)
        expected[i] = (unsigned char)(i * 7 + i / 256);
    for (uint64_t i = 0; i < PAGE_COUNT; i++) {
        uint32_t page = (uint32_t)(START + i * MF_PAGE_SIZE);
        if (PAGES[i] == 'n')
            continue;
        client_must(mf_memory_protect(now.memory, page, MF_PAGE_SIZE, MF_PERM_RW, &diag), &diag, "protect");
        if (!mf_memory_write(now.memory, page, &expected[i * MF_PAGE_SIZE], MF_PAGE_SIZE))
            exit(1);
        if (PAGES[i] == 'r')
            client_must(mf_memory_protect(now.memory, page, MF_PAGE_SIZE, MF_PERM_RO, &diag), &diag,
                        "protect");
    }
}

static void run_backend(mf_backend backend) {
    static const char *const PIPELINES[] = {NULL, "default<O3>", "default<O1>"};
    unsigned round = 0;
    make_memory(backend);
    for (mf_on_fault on_fault = MF_ON_FAULT_RETURN; on_fault <= MF_ON_FAULT_BRANCH; on_fault++)
        for (mf_endian endian = MF_LITTLE_ENDIAN; endian <= MF_BIG_ENDIAN; endian++)
            for (unsigned way = 0; way < 4; way++) {
                bool is_paged = backend == MF_BACKEND_X86_PAGED;
                bool other = way % 2 == 1;
                if (is_paged && other && on_fault != MF_ON_FAULT_TRAP)
                    continue;
                now.options =
                    (mf_accessor_options){.backend = backend,
                                          .on_fault = on_fault,
                                          .endian = endian,
                                          .base = way < 2 ? MF_BASE_VIEW : MF_BASE_ARGUMENT,
                                          .order = is_paged && other ? MF_ORDER_GUEST : MF_ORDER_ALL,
                                          .spectre = !is_paged && other ? MF_SPECTRE_MASK : MF_SPECTRE_NONE};
                now.keeps_state = way >= 2;
                now.has_avx = round % 2 == 1 && __builtin_cpu_supports("avx");
                run_options(PIPELINES[round++ % 3]);
            }
    mf_memory_destroy(now.memory);
}

int main(int argc, char **argv) {
    bool is_fast = argc == 2 && strcmp(argv[1], "fast") == 0;
    client_start_at(is_fast ? LLVMCodeGenLevelNone : LLVMCodeGenLevelDefault);
    make_layout();
    run_backend(MF_BACKEND_COPY);
    run_backend(MF_BACKEND_X86_PAGED);
    mf_layout_release(now.layout);
    client_stop();
    printf("all as the contract says\n");
    return 0;
}
