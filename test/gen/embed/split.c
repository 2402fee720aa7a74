// A client in C that makes one module of each function, and so many objects: once with an LLJIT that finds
// each table by its name, once with memory callbacks that find the section by its name and know no table.
// Values and faults are right, whichever objects are unloaded meanwhile, and what is unloaded leaves no
// entry.
//
// RUN: %cc %llvm %s %client -o %t %gen
// RUN: %t | FileCheck %s
//
// CHECK:      by name: 16 objects, return: 16 entries, then 8, then 0
// CHECK-NEXT: by name: 16 objects, branch: 16 entries, then 8, then 0
// CHECK-NEXT: by section: 16 objects, return: 16 entries, then 8, then 0
// CHECK-NEXT: by section: 16 objects, branch: 16 entries, then 8, then 0
#include "client.h"

#include <memfold/embed.h>
#include <memfold/memory.h>

#include <llvm-c/OrcEE.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __clang__
#define CALLS_MADE_CODE __attribute__((no_sanitize("function")))
#else
#define CALLS_MADE_CODE
#endif

#define FUNCTIONS 16
#define START 0x20000
#define BEYOND 0x30000

static mf_layout *layout;
static mf_memory *memory;

static void make_guest(void) {
    mf_diag diag;
    mf_layout_builder *builder = mf_layout_builder_create();
    client_must(mf_layout_builder_map_region(builder, START, 0x1000, MF_READ_WRITE, NULL, 0, &diag), &diag,
                "map_region");
    client_must(mf_layout_builder_finish(builder, &layout, NULL, &diag), &diag, "finish");
    client_must(mf_memory_create(layout, NULL, MF_BACKEND_X86_PAGED, &memory, &diag), &diag, "create");
    mf_layout_builder_destroy(builder);
}

/* ---- Modules ---- */

/* f_<i>(view, address) loads a word and adds i; a fault is -1. The module's table is `table`, or has no name.
 */
static client_module make_module(unsigned i, mf_on_fault on_fault, const char *table) {
    char name[16];
    mf_accessor_options options = {.backend = MF_BACKEND_X86_PAGED, .on_fault = on_fault};
    mf_embed *embed;
    mf_diag diag;
    client_module m = client_module_create("split");
    LLVMTypeRef t_i32 = LLVMInt32TypeInContext(m.context);
    LLVMTypeRef parameters[] = {LLVMPointerTypeInContext(m.context, 0), t_i32};
    snprintf(name, sizeof name, "f_%u", i);
    LLVMValueRef f = client_function_begin(&m, name, LLVMFunctionType(t_i32, parameters, 2, false));
    LLVMBasicBlockRef fault = LLVMAppendBasicBlockInContext(m.context, f, "fault");
    mf_embed_access access = {
        .view = LLVMGetParam(f, 0), .address = LLVMGetParam(f, 1), .fault_block = fault};
    client_must(mf_embed_create(m.module, layout, &options, &embed, &diag), &diag, "create");
    LLVMValueRef v_word = mf_embed_load(embed, m.builder, &access, t_i32, NULL);
    LLVMValueRef v_number = LLVMConstInt(t_i32, i, false);
    LLVMValueRef v_sum = LLVMBuildAdd(m.builder, v_word, v_number, "");
    LLVMBuildRet(m.builder, v_sum);
    LLVMPositionBuilderAtEnd(m.builder, fault);
    LLVMBuildRet(m.builder, LLVMConstAllOnes(t_i32));
    client_must(mf_embed_define_exception_table(m.module, table, &diag), &diag, "table");
    mf_embed_destroy(embed);
    return m;
}

/* ---- Calls ---- */

static uintptr_t faults[FUNCTIONS]; /* where each function faults */
static unsigned count_in_force(void) {
    unsigned count = 0;
    for (unsigned i = 0; i < FUNCTIONS; i++)
        count += mf_exception_table_lookup(faults[i]) != 0;
    return count;
}

typedef uintptr_t find_fn(unsigned i);

CALLS_MADE_CODE static void call(find_fn *find, unsigned i, mf_on_fault on_fault) {
    uint32_t (*function)(mf_view *, uint32_t) = (uint32_t (*)(mf_view *, uint32_t))find(i);
    mf_view *view = mf_memory_view(memory);
    uint32_t word = 1000;
    mf_memory_write(memory, START + 4 * i, &word, sizeof word);
    uint32_t inside = function(view, START + 4 * i);
    view->fault = (mf_fault){0};
    uint32_t beyond = function(view, BEYOND + i);
    bool is_recorded = view->fault.kind == MF_PAGE_FAULT && view->fault.address == BEYOND + i;
    if (inside == 1000 + i && beyond == UINT32_MAX && is_recorded == (on_fault == MF_ON_FAULT_RETURN))
        return;
    printf("f_%u: %u, then %u\n", i, inside, beyond);
    exit(1);
}

static void print(const char *how, mf_on_fault on_fault, const unsigned in_force[3]) {
    printf("%s: %d objects, %s: %u entries, then %u, then %u\n", how, FUNCTIONS,
           on_fault == MF_ON_FAULT_RETURN ? "return" : "branch", in_force[0], in_force[1], in_force[2]);
}

static uintptr_t fault_of(const mf_exception_entry *entry) {
    return (uintptr_t)&entry->fault + (uintptr_t)(intptr_t)entry->fault;
}

/* ---- By name ---- */

static uintptr_t find_by_name(unsigned i) {
    char name[16];
    snprintf(name, sizeof name, "f_%u", i);
    return client_lookup(name);
}

static void run_by_name(mf_on_fault on_fault) {
    client_code codes[FUNCTIONS];
    unsigned in_force[3];
    for (unsigned i = 0; i < FUNCTIONS; i++) {
        char table[16];
        snprintf(table, sizeof table, "table_%u", i);
        client_module m = make_module(i, on_fault, table);
        codes[i] = client_module_load(&m, table);
        faults[i] = fault_of(codes[i].entries);
        call(find_by_name, i, on_fault);
    }
    in_force[0] = count_in_force();
    for (unsigned i = 0; i < FUNCTIONS; i += 2)
        client_code_unload(&codes[i]);
    in_force[1] = count_in_force();
    for (unsigned i = 1; i < FUNCTIONS; i += 2) {
        call(find_by_name, i, on_fault);
        client_code_unload(&codes[i]);
    }
    in_force[2] = count_in_force();
    print("by name", on_fault, in_force);
}

/* ---- By section: the memory of one object ---- */

#define ARENA_BYTES ((size_t)1 << 16)

typedef struct arena {
    unsigned char *start;
    size_t used;
    mf_exception_entry *entries;
    size_t count;
} arena;

static unsigned objects; /* that have been finalised */

static void *arena_create(void *context) {
    arena *a = calloc(1, sizeof *a);
    (void)context;
    a->start = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return a;
}

static void arenas_end(void *context) {
    (void)context;
}

static uint8_t *allocate_code(void *context, uintptr_t bytes, unsigned alignment, unsigned id,
                              const char *name) {
    arena *a = context;
    (void)id;
    (void)name;
    size_t start = (a->used + alignment - 1) / alignment * alignment;
    a->used = start + bytes;
    return a->used <= ARENA_BYTES ? a->start + start : NULL;
}

static uint8_t *allocate_data(void *context, uintptr_t bytes, unsigned alignment, unsigned id,
                              const char *name, LLVMBool is_read_only) {
    arena *a = context;
    (void)is_read_only;
    uint8_t *start = allocate_code(context, bytes, alignment, id, name);
    if (strcmp(name, MF_EXCEPTION_SECTION) == 0) {
        a->entries = (mf_exception_entry *)(void *)start;
        a->count = bytes / sizeof *a->entries;
    }
    return start;
}

static LLVMBool finalize(void *context, char **message) {
    arena *a = context;
    mf_diag diag;
    (void)message;
    mprotect(a->start, ARENA_BYTES, PROT_READ | PROT_EXEC);
    client_must(mf_exception_table_register(a->entries, a->count, &diag), &diag, "register");
    if (a->count > 0)
        faults[objects++] = fault_of(a->entries);
    return 0;
}

static void arena_destroy(void *context) {
    arena *a = context;
    mf_exception_table_unregister(a->entries);
    munmap(a->start, ARENA_BYTES);
    free(a);
}

/* ---- By section: the JIT ---- */

static LLVMOrcLLJITRef lljit;

static void must(LLVMErrorRef error) {
    if (error == NULL)
        return;
    printf("%s\n", LLVMGetErrorMessage(error));
    exit(1);
}

static LLVMOrcObjectLayerRef create_layer(void *context, LLVMOrcExecutionSessionRef session,
                                          const char *triple) {
    (void)context;
    (void)triple;
    return LLVMOrcCreateRTDyldObjectLinkingLayerWithMCJITMemoryManagerLikeCallbacks(
        session, NULL, arena_create, arenas_end, allocate_code, allocate_data, finalize, arena_destroy);
}

static void define_runtime(void) {
    size_t count;
    const mf_runtime_symbol *symbols = mf_runtime_symbols(&count);
    LLVMOrcCSymbolMapPair *pairs = calloc(count, sizeof *pairs);
    for (size_t i = 0; i < count; i++) {
        pairs[i].Name = LLVMOrcLLJITMangleAndIntern(lljit, symbols[i].name);
        pairs[i].Sym.Address = (uintptr_t)symbols[i].address;
        pairs[i].Sym.Flags.GenericFlags = LLVMJITSymbolGenericFlagsExported;
    }
    must(LLVMOrcJITDylibDefine(LLVMOrcLLJITGetMainJITDylib(lljit), LLVMOrcAbsoluteSymbols(pairs, count)));
    free(pairs);
}

static uintptr_t find_by_section(unsigned i) {
    char name[16];
    LLVMOrcExecutorAddress address;
    snprintf(name, sizeof name, "f_%u", i);
    must(LLVMOrcLLJITLookup(lljit, &address, name));
    return (uintptr_t)address;
}

static LLVMOrcResourceTrackerRef add(unsigned i, mf_on_fault on_fault) {
    LLVMOrcResourceTrackerRef tracker =
        LLVMOrcJITDylibCreateResourceTracker(LLVMOrcLLJITGetMainJITDylib(lljit));
    client_module m = make_module(i, on_fault, NULL);
    must(LLVMOrcLLJITAddLLVMIRModuleWithRT(lljit, tracker,
                                           LLVMOrcCreateNewThreadSafeModule(m.module, m.owner)));
    m.module = NULL;
    client_module_destroy(&m);
    return tracker;
}

static void drop(LLVMOrcResourceTrackerRef tracker) {
    must(LLVMOrcResourceTrackerRemove(tracker));
    LLVMOrcReleaseResourceTracker(tracker);
}

static void run_by_section(mf_on_fault on_fault) {
    LLVMOrcResourceTrackerRef trackers[FUNCTIONS];
    unsigned in_force[3];
    LLVMOrcLLJITBuilderRef builder = LLVMOrcCreateLLJITBuilder();
    LLVMOrcLLJITBuilderSetObjectLinkingLayerCreator(builder, create_layer, NULL);
    must(LLVMOrcCreateLLJIT(&lljit, builder));
    define_runtime();
    objects = 0;
    for (unsigned i = 0; i < FUNCTIONS; i++) {
        trackers[i] = add(i, on_fault);
        call(find_by_section, i, on_fault);
    }
    in_force[0] = objects == FUNCTIONS ? count_in_force() : 0;
    for (unsigned i = 0; i < FUNCTIONS; i += 2)
        drop(trackers[i]);
    in_force[1] = count_in_force();
    for (unsigned i = 1; i < FUNCTIONS; i += 2) {
        call(find_by_section, i, on_fault);
        LLVMOrcReleaseResourceTracker(trackers[i]);
    }
    must(LLVMOrcDisposeLLJIT(lljit)); /* which frees the rest */
    in_force[2] = count_in_force();
    print("by section", on_fault, in_force);
}

int main(void) {
    client_start();
    make_guest();
    run_by_name(MF_ON_FAULT_RETURN);
    run_by_name(MF_ON_FAULT_BRANCH);
    run_by_section(MF_ON_FAULT_RETURN);
    run_by_section(MF_ON_FAULT_BRANCH);
    mf_memory_destroy(memory);
    mf_layout_release(layout);
    client_stop();
    return 0;
}
