#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* process_vm_readv */
#endif
#include "rerun.h"

#include "random.h"
#include "reference.h"

#include <memfold/guard.h>
#include <memfold/memory.h>
#include <memfold/panic.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Processor seconds after which code is taken for endless. */
#define SECONDS 2

#define DIRECTION_FLAG 0x400

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

/* ---- The call, with all registers ---- */

typedef struct call {
    uint64_t in[MF_VERIFY_REGISTERS];
    uint64_t out[MF_VERIFY_REGISTERS];
    uint64_t flags;
} call;

MF_STATIC_ASSERT(offsetof(call, out) == 128 && offsetof(call, flags) == 256, "offsets in the assembly below");

void rerun_call(call *c);
mf_accessor_fn *rerun_function;

/* Seven pushes on a stack that was aligned before the call: it is aligned again. rsp is this function's own.
 */
__asm__(".text\n"
        ".type rerun_call, @function\n"
        ".globl rerun_call\n"
        "rerun_call:\n"
        "    pushq %rbx\n pushq %rbp\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n pushq %rdi\n"
        "    movq %rdi, %rax\n"
        "    movq 8(%rax), %rcx\n movq 16(%rax), %rdx\n movq 24(%rax), %rbx\n movq 40(%rax), %rbp\n"
        "    movq 48(%rax), %rsi\n movq 56(%rax), %rdi\n movq 64(%rax), %r8\n movq 72(%rax), %r9\n"
        "    movq 80(%rax), %r10\n movq 88(%rax), %r11\n movq 96(%rax), %r12\n movq 104(%rax), %r13\n"
        "    movq 112(%rax), %r14\n movq 120(%rax), %r15\n movq 0(%rax), %rax\n"
        "    call *rerun_function(%rip)\n"
        "    popq %rdi\n"
        "    movq %rax, 128(%rdi)\n movq %rdx, 144(%rdi)\n movq %rbx, 152(%rdi)\n movq %rbp, 168(%rdi)\n"
        "    movq %r12, 224(%rdi)\n movq %r13, 232(%rdi)\n movq %r14, 240(%rdi)\n movq %r15, 248(%rdi)\n"
        "    pushfq\n popq 256(%rdi)\n cld\n"
        "    popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbp\n popq %rbx\n"
        "    ret\n"
        ".size rerun_call, . - rerun_call\n");

static void guarded_body(mf_view *view, void *context) {
    (void)view;
    rerun_call(context);
}

/* ---- The state ---- */

/* How a process of a run ends. */
enum { RIGHT, WRONG, PANICKED, FAILED };

/* The same memory twice: as the runtime has it, and as the reference. */
typedef struct twin {
    const mf_layout *layout;
    const mf_accessor_options *options;
    const mf_accessor_info *info;
    const mf_counterexample *at;
    mf_memory *memory;
    mf_view *view;
    reference *reference;
} twin;

static void must(bool holds, const char *doing) {
    if (holds)
        return;
    printf("rerun: %s failed\n", doing);
    fflush(stdout);
    _exit(FAILED);
}

/* ---- The memory ---- */

/* What is changed of the counterexample's state: it stays one that the contract lets be. */
typedef enum variant {
    AS_IT_IS,
    OWN_BASE, /* the guest is where the counterexample says, and nothing is there; for what is not allowed */
    OTHER_BYTES /* other bytes, values and contents of registers, from here on */
} variant;
#define VARIANTS 6

/* The bytes around the access, of which the counterexample names the eight at its index. */
#define BYTES_AROUND 64
#define BYTES_COUNT (2 * BYTES_AROUND)

typedef struct window {
    uint64_t start;
    uint64_t count;
    unsigned char bytes[BYTES_COUNT];
} window;

static void window_init(window *w, const mf_counterexample *at, variant v) {
    random_source random = {(uint64_t)v};
    w->start = at->index < BYTES_AROUND ? 0 : at->index - BYTES_AROUND;
    uint64_t left = w->start < MF_SPACE_BYTES ? MF_SPACE_BYTES - w->start : 0;
    w->count = left < BYTES_COUNT ? left : BYTES_COUNT;
    for (size_t i = 0; i < BYTES_COUNT; i++)
        w->bytes[i] = (unsigned char)random_u64(&random);
    if (v < OTHER_BYTES)
        memcpy(w->bytes + (at->index - w->start), at->bytes, sizeof at->bytes);
}

/* The bytes are there whatever the permission of their pages, as an image's may be. */
static void make_memory(twin *t, const window *w) {
    const mf_memory_config config = {.backend = t->options->backend, .huge_pages = MF_HUGE_PAGES_NEVER};
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_image *image;
    mf_layout *same;
    for (size_t i = 0; i < mf_layout_region_count(t->layout); i++) {
        mf_region r = mf_layout_region(t->layout, i);
        must(mf_layout_builder_map_region(builder, r.start, r.size, r.access, NULL, 0, NULL) == MF_OK, "map");
    }
    if (w->count > 0)
        must(mf_layout_builder_set_bytes(builder, w->start, w->bytes, w->count, NULL) == MF_OK, "bytes");
    must(mf_layout_builder_finish(builder, &same, &image, NULL) == MF_OK, "layout");
    must(mf_memory_create_with(t->layout, image, &config, &t->memory, NULL) == MF_OK, "memory");
    t->view = mf_memory_view(t->memory);
}

static void make_reference(twin *t, const window *w) {
    uint64_t offending;
    t->reference = reference_create(mf_layout_heap(t->layout));
    for (size_t i = 0; i < mf_layout_region_count(t->layout); i++) {
        mf_region r = mf_layout_region(t->layout, i);
        reference_map_region(t->reference, r.start, r.size, r.access, NULL, 0, &offending);
    }
    for (uint64_t i = 0; i < w->count; i++)
        reference_poke(t->reference, w->start + i, w->bytes[i]);
}

static void grow_heap(twin *t) {
    uint64_t old_top;
    mf_heap heap = mf_layout_heap(t->layout);
    if (heap.max_pages == 0 || t->at->heap_end <= heap.base)
        return;
    uint64_t bytes = t->at->heap_end - heap.base;
    must(mf_memory_sbrk(t->memory, bytes, &old_top, NULL) == MF_OK, "sbrk");
    must(reference_sbrk(t->reference, bytes, &old_top), "sbrk");
}

/* Code that asks the live permissions is held to every table. */
static void set_pages(twin *t) {
    uint64_t offending;
    for (uint32_t i = 0; i < t->at->page_count; i++) {
        uint64_t start = t->at->pages[i].page * MF_PAGE_SIZE;
        mf_perm perm = (mf_perm)t->at->pages[i].perm;
        if (start >= MF_SPACE_BYTES)
            continue;
        must(mf_memory_protect(t->memory, start, MF_PAGE_SIZE, perm, NULL) == MF_OK, "protect");
        reference_protect(t->reference, start, MF_PAGE_SIZE, perm, &offending);
    }
}

/* ---- The stamp ---- */

static bool asks_memory_only(const twin *t) {
    return t->options->backend == MF_BACKEND_X86_PAGED || t->options->strategy == MF_STRATEGY_PERM_TABLE;
}

static uint64_t own_stamp(const twin *t) {
    uint64_t fingerprint = asks_memory_only(t) ? 0 : mf_layout_fingerprint(t->layout);
    return MF_LAYOUT_STAMP(fingerprint, t->options->backend);
}

static bool must_panic(const twin *t) {
    bool is_fresh = asks_memory_only(t)
                        ? (t->at->layout_stamp & MF_LAYOUT_STAMP_REFUSES(t->options->backend)) == 0
                        : t->at->layout_stamp == own_stamp(t);
    return t->options->stale == MF_STALE_CHECK && !is_fresh;
}

/* The layout that a stale accessor says it was made for. */
static char expected_stamp[64];

static void end_by_panic(const char *message) {
    _exit(strstr(message, expected_stamp) != NULL ? PANICKED : WRONG);
}

/* ---- The comparison ---- */

/* Behind the end is what was there; the host says whether bytes can be looked at. */
static bool is_written_behind(const twin *t, uint64_t end) {
    unsigned char found[8];
    const struct iovec to = {found, sizeof found};
    const struct iovec from = {t->view->base + end, sizeof found};
    if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) != sizeof found)
        return false;
    for (uint64_t i = 0; i < sizeof found && end + i < MF_SPACE_BYTES; i++)
        if (found[i] != reference_peek(t->reference, end + i))
            return true;
    return false;
}

/* Everything below the end has bytes on the copy backend; on the other, what can be read. */
static bool bytes_differ(const twin *t) {
    uint64_t from = t->at->index < MF_PAGE_SIZE ? 0 : t->at->index - MF_PAGE_SIZE;
    uint64_t end = mf_memory_len(t->memory);
    bool has_all = t->options->backend == MF_BACKEND_COPY;
    for (uint64_t i = from; i < from + 3 * MF_PAGE_SIZE && i < end; i++)
        if ((has_all || reference_byte_allows(t->reference, i, MF_LOAD)) &&
            t->view->base[i] != reference_peek(t->reference, i))
            return true;
    return has_all && is_written_behind(t, end);
}

static bool registers_differ(const call *c) {
    static const int KEPT[] = {RBX, RBP, 12, 13, 14, 15};
    for (size_t i = 0; i < sizeof KEPT / sizeof KEPT[0]; i++)
        if (c->in[KEPT[i]] != c->out[KEPT[i]])
            return true;
    return (c->flags & DIRECTION_FLAG) != 0;
}

static uint64_t extended(const twin *t, uint64_t value) {
    uint64_t sign = UINT64_C(1) << (8 * t->info->width_bytes - 1);
    return t->info->sign_extends && (value & sign) != 0 ? value | ~(2 * sign - 1) : value;
}

static bool record_differs(const twin *t) {
    const mf_fault *found = &t->view->fault;
    const mf_fault *right = &t->reference->fault;
    bool is_by_mmu = t->options->on_fault == MF_ON_FAULT_TRAP && t->options->backend == MF_BACKEND_X86_PAGED;
    return found->kind != right->kind || found->page != right->page || found->operation != right->operation ||
           (!is_by_mmu && (found->address != right->address || found->length != right->length));
}

static bool answer_differs(const twin *t, const call *c, uint32_t status) {
    uint64_t value = 0;
    bool loads = t->info->operation == MF_LOAD;
    uint64_t stored = c->in[t->options->base == MF_BASE_ARGUMENT ? RCX : RDX];
    bool is_allowed = loads ? reference_load(t->reference, t->options->policy, t->options->endian,
                                             t->at->index, t->info->width_bytes, &value)
                            : reference_store(t->reference, t->options->policy, t->options->endian,
                                              t->at->index, t->info->width_bytes, stored);
    if (status != (is_allowed ? MF_FAULT_NONE : t->reference->fault.kind))
        return true;
    bool has_value = loads && (is_allowed || t->options->on_fault == MF_ON_FAULT_RETURN);
    if (has_value && c->out[RAX] != (is_allowed ? extended(t, value) : 0))
        return true;
    return record_differs(t) || bytes_differ(t);
}

static bool view_differs(const mf_view *a, const mf_view *b) {
    return a->base != b->base || a->perms != b->perms || a->heap_end != b->heap_end ||
           a->layout_stamp != b->layout_stamp || a->u33_stamp != b->u33_stamp || a->guard != b->guard ||
           a->memory != b->memory || a->next != b->next;
}

/* ---- One run ---- */

/* What is no argument, and the value of a store, may be anything. */
static void change_registers(const twin *t, call *c, variant v) {
    static const int ARGUMENTS[] = {RDI, RSI, RDX, RCX};
    random_source random = {(uint64_t)v << 32};
    size_t fixed = t->options->base == MF_BASE_ARGUMENT ? 3 : 2;
    for (int n = 0; n < MF_VERIFY_REGISTERS; n++) {
        bool is_fixed = false;
        for (size_t k = 0; k < fixed; k++)
            is_fixed = is_fixed || ARGUMENTS[k] == n;
        if (!is_fixed)
            c->in[n] = random_u64(&random);
    }
}

/* View and base are where they really are. */
static void set_state(twin *t, call *c, variant v) {
    memcpy(c->in, t->at->registers, sizeof c->in);
    if (v >= OTHER_BYTES)
        change_registers(t, c, v);
    if (v == OWN_BASE)
        t->view->base = (unsigned char *)(uintptr_t)t->at->base;
    c->in[RDI] = (uint64_t)(uintptr_t)t->view;
    if (t->options->base == MF_BASE_ARGUMENT)
        c->in[RSI] = (uint64_t)(uintptr_t)t->view->base;
    if (t->options->index == MF_INDEX_U33)
        t->view->u33_stamp = t->at->layout_stamp;
    else
        t->view->layout_stamp = t->at->layout_stamp;
}

static bool run(twin *t, variant v) {
    unsigned char *base = t->view->base;
    bool traps = t->options->on_fault == MF_ON_FAULT_TRAP;
    bool came_back = true;
    mf_fault caught = {0};
    call c;
    set_state(t, &c, v);
    mf_view before = *t->view;
    if (traps)
        came_back = mf_guard_run(t->view, guarded_body, &c, &caught);
    else
        rerun_call(&c);
    if (view_differs(t->view, &before) || (came_back && registers_differ(&c)))
        return false;
    t->view->base = base;
    uint32_t status = traps ? caught.kind : (uint32_t)c.out[t->info->operation == MF_LOAD ? RDX : RAX];
    return !answer_differs(t, &c, status);
}

MF_NORETURN static void be_process(twin *t, variant v) {
    window w;
    alarm(SECONDS);
    snprintf(expected_stamp, sizeof expected_stamp, "made for layout 0x%" PRIx64,
             own_stamp(t) & ~MF_LAYOUT_STAMP_BACKENDS);
    mf_panic_hook_set(end_by_panic);
    window_init(&w, t->at, v);
    make_memory(t, &w);
    make_reference(t, &w);
    grow_heap(t);
    set_pages(t);
    _exit(run(t, v) ? RIGHT : WRONG);
}

static bool differs(twin *t, variant v) {
    int how = 0;
    fflush(stdout);
    pid_t process = fork();
    if (process == 0)
        be_process(t, v);
    if (process < 0 || waitpid(process, &how, 0) != process)
        exit(1);
    if (WIFEXITED(how) && WEXITSTATUS(how) == FAILED)
        exit(1);
    return !WIFEXITED(how) || WEXITSTATUS(how) != (must_panic(t) ? PANICKED : RIGHT);
}

/* Bytes and values that the solver has left open are 0, which hides much; so others are tried as well. */
bool rerun_differs(mf_accessor_fn *function, const mf_layout *layout, const mf_accessor_options *options,
                   const mf_verify_result *refuted) {
    twin t = {.layout = layout,
              .options = options,
              .info = mf_accessor_info_get(refuted->id),
              .at = &refuted->counterexample};
    bool has_base_of_its_own = !t.at->is_allowed && options->backend == MF_BACKEND_COPY;
    bool does_differ = false;
    rerun_function = function;
    for (int v = AS_IT_IS; v < VARIANTS && !does_differ; v++)
        does_differ = (v != OWN_BASE || has_base_of_its_own) && differs(&t, (variant)v);
    return does_differ;
}
