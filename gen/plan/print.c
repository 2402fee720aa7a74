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

static void print_heap(const mf_plan *plan, uint32_t width, char *text, size_t text_bytes) {
    char other[64] = "";
    uint64_t start = plan->windows[0].start;
    if (plan->window_count == 2)
        print_window(plan->windows[1], other, sizeof other);
    snprintf(text, text_bytes, "index - 0x%" PRIx64 " < heap_end - 0x%" PRIx64 "%s%s", start,
             start + width - 1, plan->window_count == 2 ? " or " : "", other);
}

static void print_page_table(const mf_plan *plan, uint32_t width, char *text, size_t text_bytes) {
    const char *perm = plan->min_perm == MF_PERM_RW ? "rw" : "ro";
    if (width == 1)
        snprintf(text, text_bytes, "perms[index >> %d] >= %s", MF_PAGE_LOG2, perm);
    else
        snprintf(text, text_bytes, "perms[index >> %d] and perms[(index + %" PRIu32 ") >> %d] >= %s",
                 MF_PAGE_LOG2, width - 1, MF_PAGE_LOG2, perm);
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
    case MF_CHECK_PAGE_TABLE:
        print_page_table(plan, width, text, text_bytes);
        break;
    }
}

size_t mf_plan_print(const mf_plan *plan, char *text, size_t text_bytes) {
    const mf_accessor_info *info = mf_accessor_info_get(plan->accessor);
    const char *check = mf_check_name(plan->check);
    char constants[256];
    print_constants(plan, info->width_bytes, constants, sizeof constants);
    int length = constants[0] == '\0'
                     ? snprintf(text, text_bytes, "%-9s  %s", info->name, check)
                     : snprintf(text, text_bytes, "%-9s  %-11s  %s", info->name, check, constants);
    return length < 0 ? 0 : (size_t)length;
}
