/* A maker for the jit, as those of LLVM and stencils are, which changes what it passes on. */
#include "mutants.h"

#include "emit/set.h"
#include "ir/ir.h"
#include "ir/target.h"
#include "jit/maker.h"
#include "maker/linker.h"

#include <memfold/version.h>

#include <llvm-c/Analysis.h>
#include <llvm-c/IRReader.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const mutant *chosen;

void mutant_choose(const mutant *m) {
    chosen = m;
}

MF_NORETURN static void give_up(const char *what, const char *detail) {
    printf("%s: %s: %s\n", chosen == NULL ? "no mutant" : chosen->name, what, detail);
    exit(1);
}

/* ---- Texts ---- */

/* The part of the text that is about one function: up to the end that IR or assembly has. */
static void find_function(const char *text, const char *function, const char **begin, const char **end) {
    char label[128];
    *begin = text;
    *end = text + strlen(text);
    if (function == NULL)
        return;
    snprintf(label, sizeof label, "\n%s_%s:", "mutant", function);
    const char *found = strstr(text, label);
    if (found != NULL) {
        *begin = found;
        *end = strstr(found, ".Lfunc_end");
        return;
    }
    snprintf(label, sizeof label, "@%s_%s(", "mutant", function);
    *begin = strstr(text, label);
    if (*begin == NULL)
        give_up("no function", function);
    *end = strstr(*begin, "\n}\n");
}

/* A copy of the text in which `from` is `to`, wherever it stands in the function. */
static char *substitute(const char *text, const char *function, const char *from, const char *to) {
    const char *begin;
    const char *end;
    find_function(text, function, &begin, &end);
    char *changed = calloc(1, 4 * strlen(text) + 4096);
    char *next = changed;
    uint32_t count = 0;
    for (const char *at = text; *at != '\0';) {
        bool is_here = begin <= at && at < end && strncmp(at, from, strlen(from)) == 0;
        const char *source = is_here ? to : at;
        size_t length = is_here ? strlen(to) : 1;
        memcpy(next, source, length);
        next += length;
        at += is_here ? strlen(from) : 1;
        count += is_here;
    }
    if (count == 0)
        give_up("the text is not there", from);
    return changed;
}

/* ---- By LLVM ---- */

typedef struct compiler {
    LLVMTargetMachineRef machine;
    LLVMContextRef context;
    linker *linker;
    mf_diag error;
} compiler;

static LLVMModuleRef emit(const compiler *c, const maker_input *input, const plan_set *plans) {
    const emit_input emitted = {
        .plans = plans, .options = input->options, .fit = input->fit, .prefix = "mutant"};
    LLVMModuleRef module = target_module_create(c->machine, c->context, "mutant");
    LLVMBuilderRef builder = LLVMCreateBuilderInContext(c->context);
    mf_diag diag;
    ir ir;
    if (ir_init(&ir, module, builder, &diag) != MF_OK || emit_set(&ir, &emitted, &diag) != MF_OK)
        give_up("emit", diag.message);
    LLVMDisposeBuilder(builder);
    return module;
}

static LLVMModuleRef change_ir(const compiler *c, LLVMModuleRef module) {
    if (chosen == NULL || chosen->ir_from == NULL)
        return module;
    char *text = LLVMPrintModuleToString(module);
    char *changed = substitute(text, chosen->function, chosen->ir_from, chosen->ir_to);
    LLVMMemoryBufferRef buffer =
        LLVMCreateMemoryBufferWithMemoryRangeCopy(changed, strlen(changed), "mutant");
    LLVMModuleRef parsed;
    char *error;
    if (LLVMParseIRInContext(c->context, buffer, &parsed, &error))
        give_up("parse", error);
    free(changed);
    LLVMDisposeMessage(text);
    LLVMDisposeModule(module);
    return parsed;
}

/* The assembly becomes an object again as module assembly of a module that has nothing else. */
static LLVMMemoryBufferRef assemble(const compiler *c, LLVMModuleRef module) {
    LLVMMemoryBufferRef assembly;
    LLVMMemoryBufferRef object;
    mf_diag diag;
    if (target_compile(c->machine, module, LLVMAssemblyFile, &assembly, &diag) != MF_OK)
        give_up("compile", diag.message);
    char *text = strndup(LLVMGetBufferStart(assembly), LLVMGetBufferSize(assembly));
    if (chosen != NULL && chosen->assembly_from != NULL) {
        char *changed = substitute(text, chosen->function, chosen->assembly_from, chosen->assembly_to);
        free(text);
        text = changed;
    }
    LLVMModuleRef empty = target_module_create(c->machine, c->context, "mutant");
    LLVMSetModuleInlineAsm2(empty, text, strlen(text));
    if (target_compile(c->machine, empty, LLVMObjectFile, &object, &diag) != MF_OK)
        give_up("assemble", diag.message);
    free(text);
    LLVMDisposeModule(empty);
    LLVMDisposeModule(module);
    LLVMDisposeMemoryBuffer(assembly);
    return object;
}

static uintptr_t lookup(compiler *c, const char *symbol) {
    uintptr_t host;
    mf_diag diag;
    if (linker_lookup(c->linker, symbol, &host, &diag) != MF_OK)
        give_up("lookup", diag.message);
    return host;
}

/* Everything of it stays for as long as the test runs. */
static void make_by_llvm(const maker_input *input, const plan_set *plans, made_set *made) {
    compiler *c = calloc(1, sizeof *c);
    LLVMOrcResourceTrackerRef tracker;
    mf_diag diag;
    if (target_initialize_x86_assembly(&diag) != MF_OK || target_create(NULL, &c->machine, &diag) != MF_OK ||
        linker_create(&c->linker, &diag) != MF_OK)
        give_up("toolchain", diag.message);
    c->context = target_context_create(&c->error);
    LLVMModuleRef module = change_ir(c, emit(c, input, plans));
    if (linker_link(c->linker, assemble(c, module), &tracker, &diag) != MF_OK)
        give_up("link", diag.message);
    *made = (made_set){(const mf_accessors *)lookup(c, "mutant_accessors"), NULL};
    const emit_input emitted = {.plans = plans, .options = input->options, .fit = input->fit};
    size_t count = emit_entry_count(&emitted);
    if (count == 0)
        return;
    const mf_exception_entry *entries = (const mf_exception_entry *)lookup(c, "mutant_extable");
    if (mf_exception_table_register(entries, count, &diag) != MF_OK)
        give_up("register", diag.message);
    made->own = (void *)(uintptr_t)entries;
}

/* ---- By stencils ---- */

static void make_by_stencils(const maker_input *input, const plan_set *plans, made_set *made) {
    stencil_set set;
    mf_diag diag;
    if (!stencil_set_choose(plans, input->options, &set))
        give_up("stencils", "there is none of a shape");
    size_t bytes = (set.bytes + 4095) / 4096 * 4096;
    unsigned char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        give_up("stencils", "no memory");
    stencil_set_write(&set, at);
    mf_accessors accessors = stencil_accessors(set.functions, input->fit, (uintptr_t)at);
    memcpy(at + set.accessors, &accessors, sizeof accessors);
    if (chosen != NULL && chosen->change_bytes != NULL)
        chosen->change_bytes(&set, at);
    mprotect(at, bytes, PROT_READ | PROT_EXEC);
    *made = (made_set){(const mf_accessors *)(at + set.accessors), NULL};
    const mf_exception_entry *entries = (const mf_exception_entry *)(at + set.entries);
    if (set.entry_count > 0 && mf_exception_table_register(entries, set.entry_count, &diag) != MF_OK)
        give_up("register", diag.message);
    made->own = set.entry_count > 0 ? (void *)(uintptr_t)entries : NULL;
}

/* ---- The maker ---- */

static void copy_table(plan_table *to, const plan_table *from) {
    *to = *from;
    to->bytes = malloc(from->byte_count + 1);
    if (from->byte_count > 0)
        memcpy(to->bytes, from->bytes, from->byte_count);
}

static mf_status make(void *state, const maker_input *input, made_set *made, mf_diag *diag) {
    (void)state;
    (void)diag;
    static plan_set plans;
    plans = *input->plans;
    copy_table(&plans.tables[MF_LOAD], &input->plans->tables[MF_LOAD]);
    copy_table(&plans.tables[MF_STORE], &input->plans->tables[MF_STORE]);
    if (chosen != NULL && chosen->change_plans != NULL)
        chosen->change_plans(&plans);
    if (chosen != NULL && chosen->by_stencils)
        make_by_stencils(input, &plans, made);
    else
        make_by_llvm(input, &plans, made);
    free(plans.tables[MF_LOAD].bytes);
    free(plans.tables[MF_STORE].bytes);
    return MF_OK;
}

static mf_status open(const mf_jit_config *config, void **state, mf_diag *diag) {
    (void)config;
    (void)diag;
    *state = NULL;
    return MF_OK;
}

static void close(void *state) {
    (void)state;
}

static void unmake(void *state, made_set *made) {
    (void)state;
    if (made->own != NULL)
        mf_exception_table_unregister(made->own);
}

const mf_code_maker mutant_maker = {
    .name = "mutant", .version = MF_VERSION, .open = open, .close = close, .make = make, .unmake = unmake};
