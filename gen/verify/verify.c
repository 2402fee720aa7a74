/* What clients call: accessors of this process, and results as text. */
#include <memfold/verify.h>

#include "verify/code.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *mf_verdict_name(mf_verdict verdict) {
    static const char *const NAMES[] = {
#define MF_X(ID, name) name,
        MF_VERDICTS(MF_X)
#undef MF_X
    };
    return (size_t)verdict < sizeof NAMES / sizeof NAMES[0] ? NAMES[verdict] : "unknown";
}

/* ---- Accessors of this process ---- */

/* Each field is an address relative to itself. */
static verify_entry resolve(const mf_exception_entry *entry) {
    return (verify_entry){.access = (uint64_t)(uintptr_t)&entry->fault + (uint64_t)(int64_t)entry->fault,
                          .resume = (uint64_t)(uintptr_t)&entry->resume + (uint64_t)(int64_t)entry->resume};
}

static void set_accessors(verify_code *code, const mf_accessors *accessors) {
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        code->accessors[id] = (uint64_t)(uintptr_t)mf_accessors_member(accessors, id);
}

mf_status mf_verify_accessors(const mf_layout *layout, const mf_accessor_options *options,
                              const mf_verify_subject *subject, const mf_verify_limits *limits,
                              mf_verify_report *report, mf_diag *diag) {
    verify_prover *prover;
    mf_status status = verify_prover_create(layout, options, limits, &prover, diag);
    if (status != MF_OK)
        return status;
    verify_entry *entries = calloc(subject->entry_count + 1, sizeof *entries);
    if (entries == NULL) {
        verify_prover_destroy(prover);
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for exception entries");
    }
    for (size_t i = 0; i < subject->entry_count; i++)
        entries[i] = resolve(&subject->entries[i]);
    verify_code code = {.is_of_process = true,
                        .entries = entries,
                        .entry_count = subject->entry_count,
                        .takes_registered_entries = subject->entries == NULL};
    verify_code_set_runtime(&code);
    set_accessors(&code, subject->accessors);
    status = verify_prover_prove_all(prover, &code, report, diag);
    free(entries);
    verify_prover_destroy(prover);
    return status;
}

/* ---- Text ---- */

/* A text that may be cut, and the length that it needs. */
typedef struct writer {
    char *text;
    size_t bytes;
    size_t length;
} writer;

__attribute__((format(printf, 2, 3))) static void put(writer *w, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t room = w->length < w->bytes ? w->bytes - w->length : 0;
    int count = vsnprintf(room == 0 ? NULL : w->text + w->length, room, format, arguments);
    va_end(arguments);
    w->length += count < 0 ? 0 : (size_t)count;
}

static void put_registers(writer *w, const mf_counterexample *e) {
    static const char *const NAMES[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    for (size_t i = 0; i < MF_VERIFY_REGISTERS; i++)
        put(w, "%s%-3s 0x%016llx", i % 4 == 0 ? "\n    " : "  ", NAMES[i],
            (unsigned long long)e->registers[i]);
}

static void put_counterexample(writer *w, const mf_counterexample *e) {
    static const char *const PERMS[] = {"none", "ro", "rw"};
    put_registers(w, e);
    put(w, "\n    view: base 0x%llx, heap_end 0x%llx, layout_stamp 0x%llx", (unsigned long long)e->base,
        (unsigned long long)e->heap_end, (unsigned long long)e->layout_stamp);
    for (uint32_t i = 0; i < e->page_count; i++)
        put(w, "%s page 0x%llx %s", i == 0 ? "\n    permissions:" : ",", (unsigned long long)e->pages[i].page,
            e->pages[i].perm <= MF_PERM_RW ? PERMS[e->pages[i].perm] : "?");
    put(w, "\n    index 0x%llx, bytes", (unsigned long long)e->index);
    for (size_t i = 0; i < sizeof e->bytes; i++)
        put(w, " %02x", e->bytes[i]);
    put(w, "\n    code:     %s%s\n    contract: %s", e->is_speculative ? "on a wrong way, " : "", e->did,
        e->contract);
}

size_t mf_verify_print(const mf_verify_result *result, char *text, size_t text_bytes) {
    writer w = {text, text_bytes, 0};
    if (text_bytes > 0)
        text[0] = '\0';
    put(&w, "%-10s %s", mf_accessor_info_get(result->id)->name, mf_verdict_name(result->verdict));
    if (result->verdict == MF_VERDICT_NOT_PROVED)
        put(&w, ": %s", result->reason);
    else if (result->verdict == MF_VERDICT_REFUTED)
        put_counterexample(&w, &result->counterexample);
    return w.length;
}
