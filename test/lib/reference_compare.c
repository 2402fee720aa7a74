#include "reference_compare.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A byte this far from an access cannot have been meant by it. */
#define SURROUNDING_BYTES 16

static void describe_nothing(void) {
}

void (*compare_describe)(void) = describe_nothing;

void compare_failed(const subject *s, const char *format, ...) {
    va_list arguments;
    printf("%s differs from the reference: ", s->engine->name);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    compare_describe();
    fflush(stdout);
    exit(1);
}

/* ---- Accesses ---- */

static uint64_t sign_extend(uint64_t value, uint32_t width_bytes) {
    uint64_t sign = UINT64_C(1) << (8 * width_bytes - 1);
    return (value & sign) != 0 ? value | ~(2 * sign - 1) : value;
}

expectation reference_access(reference *r, const mf_accessor_options *options, access a) {
    const mf_accessor_info *info = mf_accessor_info_get(a.id);
    expectation expected = {0};
    bool done =
        info->operation == MF_LOAD
            ? reference_load(r, options->policy, options->endian, a.index, info->width_bytes, &expected.value)
            : reference_store(r, options->policy, options->endian, a.index, info->width_bytes, a.value);
    if (!done)
        expected.status = r->fault.kind;
    else if (info->sign_extends)
        expected.value = sign_extend(expected.value, info->width_bytes);
    return expected;
}

static bool faults_equal(const mf_fault *a, const mf_fault *b) {
    return a->kind == b->kind && a->operation == b->operation && a->page == b->page &&
           a->address == b->address && a->length == b->length;
}

static void print_fault(const char *whose, const mf_fault *fault) {
    printf("%s record: kind %u operation %u page 0x%" PRIx64 " address 0x%" PRIx64 " length %" PRIu64 "\n",
           whose, fault->kind, fault->operation, fault->page, fault->address, fault->length);
}

/*
 * A trap that the MMU has taken knows the first inaccessible byte, not where the access began: then the
 * length is 0 and all else is as it was.
 */
static bool faults_equal_by_mmu(const mf_fault *reference, const mf_fault *fault) {
    mf_fault expected = *reference;
    expected.address = reference->page > reference->address ? reference->page : reference->address;
    expected.length = 0;
    return faults_equal(&expected, fault);
}

static void require_fault(const reference *r, const subject *s, const mf_fault *fault) {
    bool mmu_traps = s->options.backend == MF_BACKEND_X86_PAGED && s->options.on_fault == MF_ON_FAULT_TRAP;
    if (faults_equal(&r->fault, fault) || (mmu_traps && faults_equal_by_mmu(&r->fault, fault)))
        return;
    print_fault("reference", &r->fault);
    print_fault(s->engine->name, fault);
    compare_failed(s, "fault record");
}

void compare_fault(const reference *r, const subject *s) {
    require_fault(r, s, &s->view->fault);
}

static void compare_surroundings(const reference *r, subject *s, uint64_t index) {
    uint64_t low = index < SURROUNDING_BYTES ? 0 : (index - SURROUNDING_BYTES) / MF_PAGE_SIZE;
    uint64_t high = (index + SURROUNDING_BYTES) / MF_PAGE_SIZE;
    for (uint64_t number = low; number <= high && number < MF_SPACE_PAGES; number++)
        compare_page(r, s, number);
}

void compare_access(const reference *r, expectation expected, subject *s, access a) {
    const mf_accessor_info *info = mf_accessor_info_get(a.id);
    engine_result result = subject_access(s, a.id, a.index, a.value);
    if (result.status != expected.status)
        compare_failed(s, "%s 0x%" PRIx64 ": status %u, not %u", info->name, a.index, result.status,
                       expected.status);
    if (result.value != expected.value)
        compare_failed(s, "%s 0x%" PRIx64 ": value 0x%" PRIx64 ", not 0x%" PRIx64, info->name, a.index,
                       result.value, expected.value);
    compare_fault(r, s);
    if (expected.status != 0 && s->options.on_fault == MF_ON_FAULT_TRAP)
        require_fault(r, s, &result.caught);
    if (info->operation == MF_STORE)
        compare_surroundings(r, s, a.index);
}

/* ---- Memory ---- */

static const unsigned char ZERO_PAGE[MF_PAGE_SIZE];

void compare_page(const reference *r, subject *s, uint64_t number) {
    uint64_t index = number * MF_PAGE_SIZE;
    if (!reference_byte_allows(r, index, MF_LOAD))
        return;
    /* Without an operating system the base may be 0, and so NULL a good answer. */
    const unsigned char *actual = mf_view_span(s->view, (uint32_t)index, MF_PAGE_SIZE, MF_LOAD);
    const reference_page *page = r->now.table[number];
    const unsigned char *expected = page == NULL ? ZERO_PAGE : page->bytes;
    if (actual != s->view->base + index)
        compare_failed(s, "page 0x%" PRIx64 " cannot be read", index);
    if (memcmp(actual, expected, MF_PAGE_SIZE) == 0)
        return;
    for (size_t i = 0; i < MF_PAGE_SIZE; i++)
        if (actual[i] != expected[i])
            compare_failed(s, "byte 0x%" PRIx64 " is 0x%02x, not 0x%02x", index + i, actual[i], expected[i]);
}

void compare_bytes(const reference *r, subject *s) {
    for (size_t i = 0; i < r->now.page_count; i++)
        compare_page(r, s, r->now.pages[i]->number);
}

static void compare_perms(const reference *r, const subject *s) {
    const unsigned char *actual = s->view->perms;
    if (memcmp(actual, r->now.perms, MF_SPACE_PAGES) == 0)
        return;
    for (uint64_t page = 0; page < MF_SPACE_PAGES; page++)
        if (actual[page] != r->now.perms[page])
            compare_failed(s, "page 0x%" PRIx64 " has permission %u, not %u", page * MF_PAGE_SIZE,
                           actual[page], r->now.perms[page]);
}

/* What an access past the top looks up is never accessible. */
static void compare_perms_past_top(const subject *s) {
    const unsigned char *past = s->view->perms + MF_SPACE_PAGES;
    for (size_t i = 0; i < MF_PERM_TABLE_PAGES - MF_SPACE_PAGES; i += MF_PAGE_SIZE) {
        size_t left = MF_PERM_TABLE_PAGES - MF_SPACE_PAGES - i;
        if (memcmp(past + i, ZERO_PAGE, left < MF_PAGE_SIZE ? left : MF_PAGE_SIZE) != 0)
            compare_failed(s, "a page past 2^32 has a permission");
    }
}

void compare_pages_state(const reference *r, const subject *s) {
    compare_perms(r, s);
    compare_perms_past_top(s);
    uint64_t len = mf_memory_len(s->memory);
    if (len != reference_len(r))
        compare_failed(s, "length 0x%" PRIx64 ", not 0x%" PRIx64, len, reference_len(r));
    uint64_t top = mf_memory_heap_top(s->memory);
    if (top != r->now.heap_top)
        compare_failed(s, "heap top 0x%" PRIx64 ", not 0x%" PRIx64, top, r->now.heap_top);
}
