// Code of both makers does what the contract says wherever a sweep calls it, whatever the options are; a
// sweep stops, goes on, and reaches every index of its range.
//
// RUN: %cc %s -o %t %verify %gen && %t | FileCheck %s
//
// CHECK: copy: 96 sets, {{[1-9][0-9]*}} accesses, right
// CHECK-NEXT: x86_paged: 48 sets, {{[1-9][0-9]*}} accesses, right
// CHECK-NEXT: every index: load_u16 1310720 addresses, store_u64 1310720 addresses, right
// CHECK-NEXT: every page: load_u32 4096 addresses, right
// CHECK-NEXT: stopped and went on: all 16777216 calls
#include <memfold/jit.h>
#include <memfold/llvm_maker.h>
#include <memfold/sweep.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void must(mf_status status, const mf_diag *diag, const char *doing) {
    if (status == MF_OK)
        return;
    printf("%s: %s: %s\n", doing, mf_status_name(status), diag->message);
    exit(1);
}

/* Windows that touch both ends of the space, a page of each kind side by side, and a heap. */
static mf_layout *make_layout(void) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_diag diag;
    must(mf_layout_builder_map_region(builder, 0, 0x1000, MF_READ_ONLY, NULL, 0, &diag), &diag, "map");
    must(mf_layout_builder_map_region(builder, 0x1000, 0x3000, MF_READ_WRITE, NULL, 0, &diag), &diag, "map");
    must(mf_layout_builder_map_region(builder, 0xffffe000, 0x2000, MF_READ_WRITE, NULL, 0, &diag), &diag,
         "map");
    must(mf_layout_builder_set_heap(builder, 0x10000, 5, &diag), &diag, "heap");
    must(mf_layout_builder_finish(builder, &layout, NULL, &diag), &diag, "finish");
    mf_layout_builder_destroy(builder);
    return layout;
}

static void require_right(const mf_sweep_report *report) {
    char text[2048];
    if (report->flaw == MF_SWEEP_NO_FLAW && report->is_complete)
        return;
    mf_sweep_print(report, text, sizeof text);
    printf("complete %d, %s", report->is_complete, text);
    exit(1);
}

static uint64_t count(const mf_sweep_report *report) {
    uint64_t sum = 0;
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        sum += report->swept[id];
    return sum;
}

/* Sweeps code of `jit` for a memory of its own. */
static mf_sweep_report sweep(mf_jit *jit, const mf_layout *layout, const mf_accessor_options *asked,
                             const mf_sweep_request *request) {
    const mf_memory_config config = {.backend = asked->backend, .huge_pages = MF_HUGE_PAGES_NEVER};
    mf_accessor_options options = *asked;
    mf_sweep_report report;
    mf_memory *memory;
    mf_code *code;
    mf_diag diag;
    must(mf_memory_create_with(layout, NULL, &config, &memory, &diag), &diag, "create");
    if (options.base == MF_BASE_CONSTANT)
        options.base_address = (uint64_t)(uintptr_t)mf_memory_view(memory)->base;
    must(mf_jit_get_for(jit, memory, &options, &code, &diag), &diag, "get");
    must(mf_sweep_run(memory, mf_code_accessors(code), &options, request, &report, &diag), &diag, "sweep");
    mf_code_release(code);
    mf_memory_destroy(memory);
    return report;
}

/* All signatures, byte orders and ways to report; on copy with a mask, too. */
static void sweep_options(mf_jit *const jits[2], const mf_layout *layout, mf_backend backend) {
    const mf_sweep_request request = {.samples = 400};
    uint32_t mask_count = backend == MF_BACKEND_COPY ? 2 : 1;
    uint32_t set_count = 0;
    uint64_t access_count = 0;
    for (uint32_t n = 0; n < 48 * mask_count; n++) {
        mf_accessor_options options = {.backend = backend,
                                       .on_fault = (mf_on_fault)(n / 2 % 2),
                                       .base = (mf_base)(n / 4 % 3),
                                       .index = (mf_index)(n / 12 % 2),
                                       .endian = (mf_endian)(n / 24 % 2),
                                       .stale = (mf_stale)(n / 24 % 2),
                                       .spectre = (mf_spectre)(n / 48)};
        mf_sweep_report report = sweep(jits[n % 2], layout, &options, &request);
        require_right(&report);
        set_count++;
        access_count += count(&report);
    }
    printf("%s: %" PRIu32 " sets, %" PRIu64 " accesses, right\n",
           backend == MF_BACKEND_COPY ? "copy" : "x86_paged", set_count, access_count);
}

/* The slice begins with regions and ends behind the heap. */
static void sweep_every_index(mf_jit *jit, const mf_layout *layout) {
    const mf_sweep_request request = {.is_exhaustive = true,
                                      .end = 0x13f000,
                                      .heap_pages = 3,
                                      .accessors = 1 << MF_LOAD_U16 | 1 << MF_STORE_U64};
    mf_sweep_report report = sweep(jit, layout, &(mf_accessor_options){0}, &request);
    require_right(&report);
    printf("every index: load_u16 %" PRIu64 " addresses, store_u64 %" PRIu64 " addresses, right\n",
           report.swept[MF_LOAD_U16], report.swept[MF_STORE_U64]);
    if (count(&report) != report.swept[MF_LOAD_U16] + report.swept[MF_STORE_U64])
        puts("others were swept");
}

static void sweep_every_page(mf_jit *jit, const mf_layout *layout) {
    const mf_sweep_request request = {
        .is_exhaustive = true, .first = 0xfff00000, .accessors = 1 << MF_LOAD_U32};
    mf_sweep_report report =
        sweep(jit, layout, &(mf_accessor_options){.backend = MF_BACKEND_X86_PAGED}, &request);
    require_right(&report);
    printf("every page: load_u32 %" PRIu64 " addresses, right\n", report.swept[MF_LOAD_U32]);
}

/* Stops as soon as something is behind. */
static bool watch_a_while(void *context, const mf_sweep_progress *progress) {
    *(mf_sweep_progress *)context = *progress;
    return progress->done == 0;
}

static void sweep_in_parts(mf_jit *jit, const mf_layout *layout) {
    mf_sweep_progress last = {0};
    mf_sweep_request request = {.is_exhaustive = true,
                                .end = 0x1000000,
                                .accessors = 1 << MF_LOAD_U32,
                                .processes = 1,
                                .watcher = watch_a_while,
                                .context = &last};
    uint64_t calls = 0;
    uint32_t parts = 0;
    mf_sweep_report report;
    do {
        report = sweep(jit, layout, &(mf_accessor_options){0}, &request);
        if (report.flaw != MF_SWEEP_NO_FLAW || (!report.is_complete && report.next >= request.end))
            require_right(&report);
        calls += count(&report);
        request.first = report.next;
    } while (!report.is_complete && parts++ < 100);
    require_right(&report);
    printf("%s: all %" PRIu64 " calls\n", parts > 0 ? "stopped and went on" : "never stopped", calls);
}

int main(void) {
    const mf_jit_config config = {.maker = mf_llvm_maker()};
    mf_layout *layout = make_layout();
    mf_jit *jits[2];
    mf_diag diag;
    must(mf_jit_create(&config, &jits[0], &diag), &diag, "jit");
    must(mf_jit_create(NULL, &jits[1], &diag), &diag, "jit");
    sweep_options(jits, layout, MF_BACKEND_COPY);
    sweep_options(jits, layout, MF_BACKEND_X86_PAGED);
    sweep_every_index(jits[1], layout);
    sweep_every_page(jits[0], layout);
    sweep_in_parts(jits[1], layout);
    mf_jit_destroy(jits[0]);
    mf_jit_destroy(jits[1]);
    mf_layout_release(layout);
    return 0;
}
