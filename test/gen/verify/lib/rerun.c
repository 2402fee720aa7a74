#include "rerun.h"

#include "random.h"
#include "reference.h"

#include <memfold/guard.h>
#include <memfold/memory.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Processor seconds after which code is taken for endless. */
#define SECONDS 2

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

/* The same memory twice: as the runtime has it, and as the reference. */
typedef struct twin {
    mf_memory *memory;
    reference *reference;
    const mf_counterexample *at;
    const mf_accessor_options *options;
    const mf_accessor_info *info;
} twin;

static void must(bool is_good) {
    if (!is_good)
        abort();
}

static void map(twin *t, uint64_t start, uint64_t size, mf_access access) {
    uint64_t offending;
    must(mf_memory_map_region(t->memory, start, size, access, NULL, 0, NULL) == MF_OK);
    must(reference_map_region(t->reference, start, size, access, NULL, 0, &offending) == MF_OK);
}

static void map_page(twin *t, uint64_t page, uint32_t perm) {
    if (perm != MF_PERM_NONE && page < MF_SPACE_PAGES)
        map(t, page * MF_PAGE_SIZE, MF_PAGE_SIZE, perm == MF_PERM_RW ? MF_READ_WRITE : MF_READ_ONLY);
}

/* A page that may only be read is made writable for a moment, which leaves the layout as it was. */
static void put_byte(twin *t, uint64_t index, uint8_t byte) {
    uint64_t page = index & ~(uint64_t)(MF_PAGE_SIZE - 1);
    if (index >= MF_SPACE_BYTES || !reference_byte_allows(t->reference, index, MF_LOAD))
        return;
    bool is_writable = reference_byte_allows(t->reference, index, MF_STORE);
    if (!is_writable)
        must(mf_memory_protect(t->memory, page, MF_PAGE_SIZE, MF_PERM_RW, NULL) == MF_OK);
    mf_memory_view(t->memory)->base[index] = byte;
    if (!is_writable)
        must(mf_memory_protect(t->memory, page, MF_PAGE_SIZE, MF_PERM_RO, NULL) == MF_OK);
    reference_poke(t->reference, index, byte);
}

static void grow_heap(twin *t, mf_heap heap) {
    uint64_t old_top;
    if (heap.max_pages == 0 || t->at->heap_end <= heap.base)
        return;
    must(mf_memory_sbrk(t->memory, t->at->heap_end - heap.base, &old_top, NULL) == MF_OK);
    must(reference_sbrk(t->reference, t->at->heap_end - heap.base, &old_top));
}

static void twin_init(twin *t, const mf_layout *layout, bool asks_perms) {
    const mf_memory_config config = {.backend = t->options->backend, .huge_pages = MF_HUGE_PAGES_NEVER};
    mf_heap heap = asks_perms ? (mf_heap){0} : mf_layout_heap(layout);
    must(mf_memory_create_with(asks_perms ? NULL : layout, NULL, &config, &t->memory, NULL) == MF_OK);
    t->reference = reference_create(heap);
    for (uint32_t i = 0; asks_perms && i < t->at->page_count; i++)
        map_page(t, t->at->pages[i].page, t->at->pages[i].perm);
    for (size_t i = 0; !asks_perms && i < mf_layout_region_count(layout); i++) {
        mf_region region = mf_layout_region(layout, i);
        uint64_t offending;
        must(reference_map_region(t->reference, region.start, region.size, region.access, NULL, 0,
                                  &offending) == MF_OK);
    }
    grow_heap(t, heap);
    for (uint64_t i = 0; i < t->info->width_bytes; i++)
        put_byte(t, t->at->index + i, t->at->bytes[i]);
}

/* ---- The comparison ---- */

static bool bytes_differ(const twin *t) {
    const unsigned char *base = mf_memory_view(t->memory)->base;
    uint64_t from = t->at->index < MF_PAGE_SIZE ? 0 : t->at->index - MF_PAGE_SIZE;
    for (uint64_t i = from; i < from + 3 * MF_PAGE_SIZE && i < MF_SPACE_BYTES; i++)
        if (reference_byte_allows(t->reference, i, MF_LOAD) && base[i] != reference_peek(t->reference, i))
            return true;
    return false;
}

static bool registers_differ(const call *c) {
    static const int KEPT[] = {RBX, RBP, 12, 13, 14, 15};
    for (size_t i = 0; i < sizeof KEPT / sizeof KEPT[0]; i++)
        if (c->in[KEPT[i]] != c->out[KEPT[i]])
            return true;
    return (c->flags & 0x400) != 0;
}

static uint64_t extended(const twin *t, uint64_t value) {
    uint64_t sign = UINT64_C(1) << (8 * t->info->width_bytes - 1);
    return t->info->sign_extends && (value & sign) != 0 ? value | ~(2 * sign - 1) : value;
}

static bool answer_differs(const twin *t, const call *c, uint32_t status, bool is_done) {
    const reference *r = t->reference;
    uint64_t value = 0;
    bool loads = t->info->operation == MF_LOAD;
    uint64_t stored = c->in[t->options->base == MF_BASE_ARGUMENT ? RCX : RDX];
    bool is_allowed = loads ? reference_load(t->reference, t->options->policy, t->options->endian,
                                             t->at->index, t->info->width_bytes, &value)
                            : reference_store(t->reference, t->options->policy, t->options->endian,
                                              t->at->index, t->info->width_bytes, stored);
    if (is_allowed != is_done || status != (is_allowed ? MF_FAULT_NONE : r->fault.kind))
        return true;
    if (loads && (is_done || t->options->on_fault == MF_ON_FAULT_RETURN) &&
        c->out[RAX] != (is_allowed ? extended(t, value) : 0))
        return true;
    const mf_fault *found = &mf_memory_view(t->memory)->fault;
    bool is_by_mmu = t->options->on_fault == MF_ON_FAULT_TRAP && t->options->backend == MF_BACKEND_X86_PAGED;
    bool is_record = found->kind == r->fault.kind && found->page == r->fault.page &&
                     found->operation == r->fault.operation &&
                     (is_by_mmu || (found->address == r->fault.address && found->length == r->fault.length));
    return !is_record || bytes_differ(t) || (is_done && registers_differ(c));
}

/* What is changed of the counterexample's state: it stays one that the contract lets be. */
typedef enum variant {
    AS_IT_IS,
    OWN_BASE, /* the guest is where the counterexample says, and nothing is there; for what is not allowed */
    OTHER_BYTES /* other bytes, values and contents of registers, from here on */
} variant;
#define VARIANTS 6

static void change_state(twin *t, call *c, variant v) {
    random_source random = {(uint64_t)v};
    uint32_t next = t->options->base == MF_BASE_ARGUMENT ? 3 : 2;
    static const int ARGUMENTS[] = {RDI, RSI, RDX, RCX};
    for (uint64_t i = 0; i < t->info->width_bytes; i++)
        put_byte(t, t->at->index + i, (uint8_t)random_u64(&random));
    for (int n = 0; n < MF_VERIFY_REGISTERS; n++) {
        bool is_fixed = false;
        for (uint32_t k = 0; k < next; k++)
            is_fixed = is_fixed || ARGUMENTS[k] == n;
        if (!is_fixed)
            c->in[n] = random_u64(&random);
    }
}

static bool view_differs(const mf_view *a, const mf_view *b) {
    return a->base != b->base || a->perms != b->perms || a->heap_end != b->heap_end ||
           a->layout_stamp != b->layout_stamp || a->guard != b->guard || a->memory != b->memory ||
           a->next != b->next;
}

/* In the process of its own: whether it differs. */
static bool run(twin *t, variant v) {
    mf_view *view = mf_memory_view(t->memory);
    unsigned char *base = view->base;
    bool traps = t->options->on_fault == MF_ON_FAULT_TRAP;
    bool came_back = true;
    mf_fault caught = {0};
    call c;
    memcpy(c.in, t->at->registers, sizeof c.in);
    if (v >= OTHER_BYTES)
        change_state(t, &c, v);
    c.in[RDI] = (uint64_t)(uintptr_t)view;
    if (t->options->base == MF_BASE_ARGUMENT)
        c.in[RSI] = v == OWN_BASE ? t->at->base : (uint64_t)(uintptr_t)base;
    if (v == OWN_BASE)
        view->base = (unsigned char *)(uintptr_t)t->at->base;
    mf_view before = *view;
    if (traps)
        came_back = mf_guard_run(view, guarded_body, &c, &caught);
    else
        rerun_call(&c);
    if (view_differs(view, &before))
        return true;
    view->base = base;
    uint32_t status = (uint32_t)c.out[t->info->operation == MF_LOAD ? RDX : RAX];
    if (traps)
        return answer_differs(t, &c, caught.kind, came_back);
    return answer_differs(t, &c, status, status == MF_FAULT_NONE);
}

static bool differs(twin *t, variant v) {
    int status = 0;
    pid_t process = fork();
    must(process >= 0);
    if (process == 0) {
        alarm(SECONDS);
        _exit(run(t, v) ? 1 : 0);
    }
    must(waitpid(process, &status, 0) == process);
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

bool rerun_differs(mf_accessor_fn *function, const mf_layout *layout, const mf_accessor_options *options,
                   const mf_verify_result *refuted, bool asks_perms) {
    twin t = {.at = &refuted->counterexample, .options = options, .info = mf_accessor_info_get(refuted->id)};
    rerun_function = function;
    twin_init(&t, layout, asks_perms);
    bool does_differ = false;
    bool has_base_of_its_own = !t.at->is_allowed && options->backend == MF_BACKEND_COPY;
    for (int v = AS_IT_IS; v < VARIANTS && !does_differ; v++)
        does_differ = (v != OWN_BASE || has_base_of_its_own) && differs(&t, (variant)v);
    mf_memory_destroy(t.memory);
    reference_destroy(t.reference);
    return does_differ;
}
