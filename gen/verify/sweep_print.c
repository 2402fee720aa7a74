/* The counterexample of a sweep as text. */
#include <memfold/sweep.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *mf_sweep_flaw_text(mf_sweep_flaw flaw) {
    static const char *const TEXTS[] = {
#define MF_X(ID, text) text,
        MF_SWEEP_FLAWS(MF_X)
#undef MF_X
    };
    return flaw < MF_SWEEP_FLAW_COUNT ? TEXTS[flaw] : "unknown";
}

/* Text that is cut where there is no more room, and counted to its end. */
typedef struct lines {
    char *text;
    size_t room;
    size_t length;
} lines;

__attribute__((format(printf, 2, 3))) static void append(lines *l, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    bool is_cut = l->length >= l->room;
    int length =
        vsnprintf(is_cut ? NULL : l->text + l->length, is_cut ? 0 : l->room - l->length, format, arguments);
    va_end(arguments);
    l->length += length < 0 ? 0 : (size_t)length;
}

static void append_outcome(lines *l, const char *who, uint32_t status, uint64_t value, const mf_fault *f) {
    static const char *const KINDS[] = {"done", "page-fault", "write-protected"};
    if (status < sizeof KINDS / sizeof KINDS[0])
        append(l, "%s: %s", who, KINDS[status]);
    else
        append(l, "%s: status 0x%" PRIx32, who, status);
    append(l, ", value 0x%" PRIx64, value);
    if (f->kind != MF_FAULT_NONE)
        append(l, ", record %" PRIu32 " %s page 0x%" PRIx64 " address 0x%" PRIx64 " length %" PRIu64, f->kind,
               f->operation == MF_STORE ? "store" : "load", f->page, f->address, f->length);
    append(l, "\n");
}

size_t mf_sweep_print(const mf_sweep_report *r, char *text, size_t text_bytes) {
    lines l = {text, text_bytes, 0};
    bool came_back = r->flaw != MF_SWEEP_CRASH && r->flaw != MF_SWEEP_ENDLESS;
    bool is_elsewhere = r->flaw == MF_SWEEP_OTHER_BYTES;
    append(&l, "%s%s at 0x%" PRIx64 ": %s", is_elsewhere ? "up to " : "",
           mf_accessor_info_get(r->accessor)->name, r->index, mf_sweep_flaw_text(r->flaw));
    if (r->flaw == MF_SWEEP_BYTES || is_elsewhere)
        append(&l, " at 0x%" PRIx64, r->byte);
    if (r->signal != 0)
        append(&l, " (%s)", strsignal(r->signal));
    append(&l, "\n");
    if (is_elsewhere)
        return l.length;
    append(&l, "  rdi 0x%" PRIx64 " rsi 0x%" PRIx64 " rdx 0x%" PRIx64 " rcx 0x%" PRIx64, r->arguments[0],
           r->arguments[1], r->arguments[2], r->arguments[3]);
    append(&l, " heap_end 0x%" PRIx64 "\n", r->heap_end);
    if (came_back)
        append_outcome(&l, "  the code", r->status, r->value, &r->fault);
    append_outcome(&l, "  the contract", r->allowed_status, r->allowed_value, &r->allowed_fault);
    return l.length;
}
