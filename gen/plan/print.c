/* Plans as text: one line each, stable. */
#include <memfold/plan.h>

#include <inttypes.h>
#include <stdio.h>

const char *mf_check_name(mf_check check) {
    switch (check) {
    case MF_CHECK_ALWAYS_FAULT:
        return "always-fault";
    case MF_CHECK_ALWAYS_ALLOWED:
        return "always-allowed";
    case MF_CHECK_PAGED:
        return "paged";
    case MF_CHECK_BOUND:
        return "bound";
    case MF_CHECK_WINDOW:
        return "window";
    case MF_CHECK_TWO_WINDOWS:
        return "two-windows";
    case MF_CHECK_HEAP:
        return "heap";
    case MF_CHECK_GRANULE_TABLE:
        return "granule-table";
    case MF_CHECK_IMMEDIATE_BITMAP:
        return "immediate-bitmap";
    case MF_CHECK_GRANULE_BITMAP:
        return "granule-bitmap";
    case MF_CHECK_PAGE_TABLE:
        return "page-table";
    }
    return "unknown";
}

static void print_window(mf_plan_window window, char *text, size_t text_bytes) {
    snprintf(text, text_bytes, "index - 0x%" PRIx64 " <= 0x%" PRIx64, window.start, window.last);
}

static void print_two_windows(const mf_plan *plan, char *text, size_t text_bytes) {
    char first[64];
    char second[64];
    print_window(plan->windows[0], first, sizeof first);
    print_window(plan->windows[1], second, sizeof second);
    snprintf(text, text_bytes, "%s or %s", first, second);
}

static void print_growing(mf_plan_window window, uint32_t width, char *text, size_t text_bytes) {
    snprintf(text, text_bytes, "index - 0x%" PRIx64 " < heap_end - 0x%" PRIx64, window.start,
             window.start + width - 1);
}

static void print_heap(const mf_plan *plan, uint32_t width, char *text, size_t text_bytes) {
    char growing[64];
    char other[64] = "";
    print_growing(plan->windows[0], width, growing, sizeof growing);
    if (plan->window_count == 2)
        print_window(plan->windows[1], other, sizeof other);
    snprintf(text, text_bytes, "%s%s%s", growing, plan->window_count == 2 ? " or " : "", other);
}

/* "what[index >> log2]", and the same for the last byte. */
static void print_lookup(const char *what, uint32_t log2, uint32_t width, char *text, size_t text_bytes) {
    if (width == 1)
        snprintf(text, text_bytes, "%s[index >> %" PRIu32 "]", what, log2);
    else
        snprintf(text, text_bytes, "%s[index >> %" PRIu32 "] and %s[(index + %" PRIu32 ") >> %" PRIu32 "]",
                 what, log2, what, width - 1, log2);
}

/* What is below growth_end the heap must have reached; nothing where it cannot grow. */
static void print_growth(const mf_plan *plan, uint32_t width, char *text, size_t text_bytes) {
    text[0] = '\0';
    if (plan->growth_end != 0)
        snprintf(text, text_bytes, " and not heap_end <= index + %" PRIu32 " < 0x%" PRIx64, width - 1,
                 plan->growth_end);
}

/* Bits are counted from the window's start. */
static void print_immediate(const mf_plan *plan, uint32_t width, char *text, size_t text_bytes) {
    char window[64];
    char growth[80];
    print_window(plan->windows[0], window, sizeof window);
    print_growth(plan, width, growth, sizeof growth);
    snprintf(text, text_bytes, "%s and bits 0x%" PRIx64 " of granules of 0x%" PRIx64 "%s", window, plan->bits,
             UINT64_C(1) << plan->granule_log2, growth);
}

static void print_granules(const mf_plan *plan, const char *what, uint32_t width, char *text,
                           size_t text_bytes) {
    char lookup[96];
    char growth[80];
    print_lookup(what, plan->granule_log2, width, lookup, sizeof lookup);
    print_growth(plan, width, growth, sizeof growth);
    snprintf(text, text_bytes, "%s%s", lookup, growth);
}

static void print_page_table(const mf_plan *plan, uint32_t width, char *text, size_t text_bytes) {
    char lookup[96];
    print_lookup("perms", MF_PAGE_LOG2, width, lookup, sizeof lookup);
    snprintf(text, text_bytes, "%s >= %s", lookup, plan->min_perm == MF_PERM_RW ? "rw" : "ro");
}

static void print_constants(const mf_plan *plan, uint32_t width, char *text, size_t text_bytes) {
    text[0] = '\0';
    switch (plan->check) {
    case MF_CHECK_ALWAYS_FAULT:
    case MF_CHECK_ALWAYS_ALLOWED:
    case MF_CHECK_PAGED:
        break;
    case MF_CHECK_BOUND:
        snprintf(text, text_bytes, "index <= 0x%" PRIx64, plan->windows[0].last);
        break;
    case MF_CHECK_WINDOW:
        print_window(plan->windows[0], text, text_bytes);
        break;
    case MF_CHECK_TWO_WINDOWS:
        print_two_windows(plan, text, text_bytes);
        break;
    case MF_CHECK_HEAP:
        print_heap(plan, width, text, text_bytes);
        break;
    case MF_CHECK_IMMEDIATE_BITMAP:
        print_immediate(plan, width, text, text_bytes);
        break;
    case MF_CHECK_GRANULE_TABLE:
        print_granules(plan, "table", width, text, text_bytes);
        break;
    case MF_CHECK_GRANULE_BITMAP:
        print_granules(plan, "bitmap", width, text, text_bytes);
        break;
    case MF_CHECK_PAGE_TABLE:
        print_page_table(plan, width, text, text_bytes);
        break;
    }
}

/* "..., else ", or nothing. */
static void print_hot(const mf_plan *plan, uint32_t width, char *text, size_t text_bytes) {
    char hot[64];
    text[0] = '\0';
    if (!plan->has_hot)
        return;
    if (plan->hot_grows)
        print_growing(plan->hot, width, hot, sizeof hot);
    else
        print_window(plan->hot, hot, sizeof hot);
    snprintf(text, text_bytes, "%s, else ", hot);
}

size_t mf_plan_print(const mf_plan *plan, char *text, size_t text_bytes) {
    const mf_accessor_info *info = mf_accessor_info_get(plan->accessor);
    const char *check = mf_check_name(plan->check);
    char constants[256];
    char hot[80];
    print_constants(plan, info->width_bytes, constants, sizeof constants);
    print_hot(plan, info->width_bytes, hot, sizeof hot);
    int length = constants[0] == '\0'
                     ? snprintf(text, text_bytes, "%-9s  %s", info->name, check)
                     : snprintf(text, text_bytes, "%-9s  %-11s  %s%s", info->name, check, hot, constants);
    return length < 0 ? 0 : (size_t)length;
}
