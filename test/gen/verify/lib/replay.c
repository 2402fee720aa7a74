#include "replay.h"

#include "reference.h"
#include "verify/sweep_call.h"

#include <memfold/guard.h>
#include <memfold/memory.h>
#include <memfold/panic.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* How the process of a replay ends. */
enum { RIGHT, WRONG, PANICKED, FAILED };

static void must(mf_status status, const mf_diag *diag) {
    if (status == MF_OK)
        return;
    printf("replay: %s\n", diag->message);
    _exit(FAILED);
}

/* ---- The state ---- */

typedef struct replay {
    const mf_layout *layout;
    const mf_accessor_options *options;
    const mf_accessor_info *info;
    const mf_counterexample *example;
    mf_memory *memory;
    mf_view *view;
    reference *reference;
    sweep_call call;
    mf_view before;
    bool is_marked; /* bytes and value are others than those of the counterexample */
} replay;

/* The bytes around the access, and what is stored. */
#define BYTES_AROUND 64
#define BYTES_COUNT (2 * BYTES_AROUND)

static uint64_t bytes_from(const replay *r) {
    return r->example->index < BYTES_AROUND ? 0 : r->example->index - BYTES_AROUND;
}

static void get_bytes(const replay *r, unsigned char bytes[BYTES_COUNT]) {
    uint64_t at = r->example->index - bytes_from(r);
    for (uint32_t i = 0; i < BYTES_COUNT; i++)
        bytes[i] = (unsigned char)(0x81 + 37 * i);
    if (!r->is_marked)
        memcpy(bytes + at, r->example->bytes, sizeof r->example->bytes);
}

static uint64_t stored_value(const replay *r) {
    return r->is_marked ? UINT64_C(0xf1e2d3c4b5a69788) : r->example->value;
}

/* The bytes of the counterexample are there, whatever the permission of their pages, as an image's may be. */
static void make_memory(replay *r) {
    mf_layout_builder *builder = mf_layout_builder_create();
    unsigned char bytes[BYTES_COUNT];
    mf_image *image;
    mf_layout *same;
    mf_diag diag;
    get_bytes(r, bytes);
    for (size_t i = 0; i < mf_layout_region_count(r->layout); i++) {
        mf_region region = mf_layout_region(r->layout, i);
        must(mf_layout_builder_map_region(builder, region.start, region.size, region.access, NULL, 0, &diag),
             &diag);
    }
    if (bytes_from(r) + BYTES_COUNT <= MF_SPACE_BYTES)
        must(mf_layout_builder_set_bytes(builder, bytes_from(r), bytes, BYTES_COUNT, &diag), &diag);
    must(mf_layout_builder_finish(builder, &same, &image, &diag), &diag);
    must(mf_memory_create(r->layout, image, r->options->backend, &r->memory, &diag), &diag);
    r->view = mf_memory_view(r->memory);
}

/* The reference goes through the same changes. */
static void make_reference(replay *r) {
    unsigned char bytes[BYTES_COUNT];
    uint64_t unused;
    get_bytes(r, bytes);
    r->reference = reference_create(mf_layout_heap(r->layout));
    for (size_t i = 0; i < mf_layout_region_count(r->layout); i++) {
        mf_region region = mf_layout_region(r->layout, i);
        reference_map_region(r->reference, region.start, region.size, region.access, NULL, 0, &unused);
    }
    for (uint32_t i = 0; i < BYTES_COUNT && bytes_from(r) + BYTES_COUNT <= MF_SPACE_BYTES; i++)
        reference_poke(r->reference, bytes_from(r) + i, bytes[i]);
}

static void grow_heap(replay *r) {
    uint64_t old_top;
    mf_diag diag;
    mf_heap heap = mf_layout_heap(r->layout);
    if (heap.max_pages == 0)
        return;
    uint64_t bytes = r->example->heap_end - heap.base;
    must(mf_memory_sbrk(r->memory, bytes, &old_top, &diag), &diag);
    reference_sbrk(r->reference, bytes, &old_top);
}

/* Code that asks the live table is held to every table. */
static void set_pages(replay *r) {
    mf_diag diag;
    uint64_t unused;
    for (uint32_t i = 0; i < r->example->page_count; i++) {
        const mf_verify_page *p = &r->example->pages[i];
        if (p->page >= MF_SPACE_PAGES)
            continue;
        must(mf_memory_protect(r->memory, p->page * MF_PAGE_SIZE, MF_PAGE_SIZE, (mf_perm)p->perm, &diag),
             &diag);
        reference_protect(r->reference, p->page * MF_PAGE_SIZE, MF_PAGE_SIZE, (mf_perm)p->perm, &unused);
    }
}

/* What stands in the registers that the caller sets, but where the view and the base really are. */
static void set_arguments(replay *r) {
    const uint64_t *registers = r->example->registers;
    uint32_t next = 1;
    memcpy(r->call.arguments, (const uint64_t[]){registers[7], registers[6], registers[2], registers[1]},
           sizeof r->call.arguments);
    r->call.arguments[0] = (uint64_t)(uintptr_t)r->view;
    if (r->options->base == MF_BASE_ARGUMENT)
        r->call.arguments[next++] = (uint64_t)(uintptr_t)r->view->base;
    r->call.arguments[next + 1] =
        r->info->operation == MF_STORE ? stored_value(r) : r->call.arguments[next + 1];
    r->view->layout_stamp = r->example->layout_stamp;
    r->before = *r->view;
}

/* ---- The outcome ---- */

static void guarded_body(mf_view *view, void *context) {
    (void)view;
    sweep_call_run(context);
}

static void run(replay *r, uint64_t *status, uint64_t *value) {
    mf_fault caught = {0};
    bool traps = r->options->on_fault == MF_ON_FAULT_TRAP;
    bool is_store = r->info->operation == MF_STORE;
    bool came_back = true;
    if (traps)
        came_back = mf_guard_run(r->view, guarded_body, &r->call, &caught);
    else
        sweep_call_run(&r->call);
    *status = traps ? caught.kind : (uint32_t)(is_store ? r->call.value : r->call.status);
    *value = is_store || !came_back ? 0 : r->call.value;
}

static uint64_t extend(const replay *r, uint64_t value) {
    uint32_t unused_bits = 64 - 8 * r->info->width_bytes;
    if (!r->info->sign_extends)
        return value;
    return (uint64_t)((int64_t)(value << unused_bits) >> unused_bits);
}

/* Everything below the end has bytes on the copy backend; on the other, what can be read. */
static bool are_bytes_right(const replay *r) {
    uint64_t end = mf_memory_len(r->memory);
    bool is_copy = r->options->backend == MF_BACKEND_COPY;
    for (uint64_t i = bytes_from(r); i < bytes_from(r) + BYTES_COUNT && i < end; i++)
        if ((is_copy || mf_memory_perm_of(r->memory, (uint32_t)i) != MF_PERM_NONE) &&
            r->view->base[i] != reference_peek(r->reference, i))
            return false;
    return true;
}

static bool is_view_right(const replay *r) {
    const mf_view *v = r->view;
    return v->base == r->before.base && v->perms == r->before.perms && v->heap_end == r->before.heap_end &&
           v->layout_stamp == r->before.layout_stamp && v->guard == r->before.guard;
}

static uint64_t layout_stamp(const replay *r) {
    return MF_LAYOUT_STAMP(mf_layout_fingerprint(r->layout), r->options->backend);
}

static bool must_panic(const replay *r) {
    return r->options->stale == MF_STALE_CHECK && r->example->layout_stamp != layout_stamp(r);
}

static bool is_right(replay *r) {
    const mf_counterexample *e = r->example;
    const mf_accessor_options *o = r->options;
    uint64_t expected = 0;
    uint64_t status;
    uint64_t value;
    bool done = r->info->operation == MF_LOAD ? reference_load(r->reference, o->policy, o->endian, e->index,
                                                               r->info->width_bytes, &expected)
                                              : reference_store(r->reference, o->policy, o->endian, e->index,
                                                                r->info->width_bytes, stored_value(r));
    run(r, &status, &value);
    if (must_panic(r))
        return false;
    mf_fault fault = r->reference->fault;
    return status == (done ? 0 : fault.kind) && value == (done ? extend(r, expected) : 0) &&
           memcmp(&r->view->fault, &fault, sizeof fault) == 0 && are_bytes_right(r) && is_view_right(r) &&
           r->call.changed == 0;
}

/* ---- A process of its own ---- */

/* The layout that a stale accessor says it was made for. */
static char expected_stamp[64];

static void end_by_panic(const char *message) {
    _exit(strstr(message, expected_stamp) != NULL ? PANICKED : WRONG);
}

MF_NORETURN static void be_process(replay *r) {
    alarm(2);
    snprintf(expected_stamp, sizeof expected_stamp, "made for layout 0x%" PRIx64, layout_stamp(r));
    mf_panic_hook_set(end_by_panic);
    make_memory(r);
    make_reference(r);
    grow_heap(r);
    set_pages(r);
    set_arguments(r);
    _exit(is_right(r) ? RIGHT : WRONG);
}

/* Once, in a process of its own. */
static bool breaks(replay *r) {
    int how;
    fflush(stdout);
    pid_t process = fork();
    if (process == 0)
        be_process(r);
    if (process < 0 || waitpid(process, &how, 0) != process)
        return false;
    if (!WIFEXITED(how))
        return true;
    if (WEXITSTATUS(how) == FAILED)
        exit(1);
    return WEXITSTATUS(how) != (must_panic(r) ? PANICKED : RIGHT);
}

/* Bytes and values that the solver has left open are 0, which hides much; so others are tried as well. */
bool replay_breaks(const mf_layout *layout, const mf_accessor_options *options, const mf_accessors *set,
                   const mf_verify_result *result) {
    replay r = {.layout = layout,
                .options = options,
                .info = mf_accessor_info_get(result->id),
                .example = &result->counterexample,
                .call = {.function = mf_accessors_member(set, result->id)}};
    replay marked = r;
    marked.is_marked = true;
    return breaks(&r) || breaks(&marked);
}
