#include "embed_run.h"

#include "random.h"
#include "reference.h"

#include <memfold/memory.h>

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(bool holds, const char *what) {
    if (holds)
        return;
    printf("%s failed\n", what);
    exit(1);
}

/* ---- The call ---- */

/* Arguments in the order of the ABI, xmm0 to xmm3; rax, rdx, rcx, and xmm0 to xmm3 again. */
typedef struct call {
    uint64_t entry;
    uint64_t arguments[4];
    uint64_t out[3];
    unsigned char vectors[4][16];
    unsigned char vectors_out[4][16];
} call;

_Static_assert(offsetof(call, arguments) == 8 && offsetof(call, out) == 40 && offsetof(call, vectors) == 64 &&
                   offsetof(call, vectors_out) == 128,
               "the assembly below");

void embed_run_call(call *c);
__asm__(".text\n.globl embed_run_call\nembed_run_call:\n\t"
        "push %rbx\n\tmov %rdi, %rbx\n\t"
        "movups 64(%rbx), %xmm0\n\tmovups 80(%rbx), %xmm1\n\tmovups 96(%rbx), %xmm2\n\tmovups 112(%rbx), "
        "%xmm3\n\t"
        "mov 8(%rbx), %rdi\n\tmov 16(%rbx), %rsi\n\tmov 24(%rbx), %rdx\n\tmov 32(%rbx), %rcx\n\t"
        "call *(%rbx)\n\t"
        "mov %rax, 40(%rbx)\n\tmov %rdx, 48(%rbx)\n\tmov %rcx, 56(%rbx)\n\t"
        "movups %xmm0, 128(%rbx)\n\tmovups %xmm1, 144(%rbx)\n\tmovups %xmm2, 160(%rbx)\n\tmovups %xmm3, "
        "176(%rbx)\n\t"
        "pop %rbx\n\tret\n");

/* ---- Two guests that are the same ---- */

enum { RSI = 6, RDX = 2, RCX = 1 };

typedef struct twin {
    const embed_session *session;
    const embed_site *site;
    const mf_counterexample *at;
    const verify_state *state;
    bool asks_runtime;
    mf_memory *memory;
    reference *reference;
    call call;
} twin;

static uint64_t length_of(const twin *t) {
    return t->site->value == VERIFY_VALUE_LENGTH ? t->call.arguments[2] : t->site->width_bytes;
}

static void protect(twin *t, uint64_t page, mf_perm perm) {
    uint64_t offending;
    must(mf_memory_protect(t->memory, page, MF_PAGE_SIZE, perm, NULL) == MF_OK, "protect");
    must(reference_protect(t->reference, page, MF_PAGE_SIZE, perm, &offending) == MF_OK, "protect");
}

/* How a run differs from the counterexample; what the contract says is asked of the reference each time. */
typedef enum variant {
    AS_NAMED,
    OTHER_BYTES, /* bytes and values */
    TO_PAGE_END, /* a range that the runtime is asked about ends with its first page, and nothing follows */
    READ_ONLY,   /* the same, and that page is read-only */
    VARIANTS
} variant;

/* Ranges of more pages are left as they are. */
#define ANSWERED_BYTES (UINT64_C(1) << 20)

static void set_answer(twin *t, variant v) {
    uint64_t length = length_of(t);
    uint64_t first = t->at->index / MF_PAGE_SIZE * MF_PAGE_SIZE;
    if (!t->asks_runtime || t->at->index >= MF_SPACE_BYTES - 2 * MF_PAGE_SIZE)
        return;
    if (v >= TO_PAGE_END) {
        protect(t, first, v == READ_ONLY ? MF_PERM_RO : MF_PERM_RW);
        protect(t, first + MF_PAGE_SIZE, MF_PERM_NONE);
    } else if (t->state->answer == 0) {
        protect(t, first, MF_PERM_NONE);
    } else if (length <= ANSWERED_BYTES && t->at->index + length <= MF_SPACE_BYTES) {
        for (uint64_t page = first; page < t->at->index + length; page += MF_PAGE_SIZE)
            protect(t, page, MF_PERM_RW);
    }
}

/* Code that asks the live table is held to every table. */
static void set_pages(twin *t) {
    for (uint32_t n = 0; n < t->at->page_count; n++)
        if (t->at->pages[n].page < MF_SPACE_PAGES)
            protect(t, t->at->pages[n].page * MF_PAGE_SIZE, (mf_perm)t->at->pages[n].perm);
}

static void make_memories(twin *t, variant v) {
    const mf_layout *layout = t->session->layout;
    const mf_memory_config config = {.backend = t->session->options.backend,
                                     .huge_pages = MF_HUGE_PAGES_NEVER};
    mf_heap heap = mf_layout_heap(layout);
    uint64_t unused;
    must(mf_memory_create_with(layout, NULL, &config, &t->memory, NULL) == MF_OK, "create");
    t->reference = reference_create(heap);
    for (size_t n = 0; n < mf_layout_region_count(layout); n++) {
        mf_region region = mf_layout_region(layout, n);
        reference_map_region(t->reference, region.start, region.size, region.access, NULL, 0, &unused);
    }
    if (heap.max_pages > 0 && t->at->heap_end > heap.base) {
        must(mf_memory_sbrk(t->memory, t->at->heap_end - heap.base, &unused, NULL) == MF_OK, "sbrk");
        reference_sbrk(t->reference, t->at->heap_end - heap.base, &unused);
    }
    set_answer(t, v);
    set_pages(t);
}

/* Bytes around the access, where the host can write them. */
#define AROUND 160

static void put_bytes(twin *t, random_source *random, variant v) {
    unsigned char *base = mf_memory_view(t->memory)->base;
    uint64_t from = t->at->index < AROUND ? 0 : t->at->index - AROUND;
    for (uint64_t i = from; i < t->at->index + 2 * AROUND; i++) {
        uint64_t n = i - t->at->index;
        unsigned char byte = (unsigned char)random_u64(random);
        if (i >= MF_SPACE_BYTES || !reference_byte_allows(t->reference, i, MF_STORE))
            continue;
        if (v == AS_NAMED && n < sizeof t->state->bytes)
            byte = t->state->bytes[n];
        base[i] = byte;
        reference_poke(t->reference, i, byte);
    }
}

static void put_registers(twin *t, random_source *random, variant v) {
    call *c = &t->call;
    bool is_range = t->site->value == VERIFY_VALUE_LENGTH;
    c->arguments[1] = t->at->registers[RSI];
    c->arguments[2] = t->at->registers[RDX];
    c->arguments[3] = t->at->registers[RCX];
    for (size_t n = 0; n < 4; n++)
        memcpy(c->vectors[n], t->state->vectors[n], sizeof c->vectors[n]);
    if (v == AS_NAMED)
        return;
    for (size_t n = 2; n < 4 && !is_range; n++)
        c->arguments[n] = random_u64(random);
    if (is_range && t->asks_runtime && v >= TO_PAGE_END)
        c->arguments[2] = MF_PAGE_SIZE - t->at->index % MF_PAGE_SIZE;
    for (size_t n = 0; n < sizeof c->vectors; n++)
        c->vectors[n / 16][n % 16] = (unsigned char)random_u64(random);
}

/* ---- What ought to be ---- */

static uint32_t place_of(const twin *t, uint32_t n) {
    bool is_swapped = t->session->options.endian == MF_BIG_ENDIAN;
    return is_swapped ? t->site->width_bytes - 1 - n : n;
}

static unsigned char cut(const twin *t, uint32_t n, unsigned char byte) {
    uint32_t left = t->site->value_bits - 8 * n;
    return (unsigned char)(left >= 8 ? byte : byte & ((1u << left) - 1));
}

static void store_into_reference(twin *t) {
    unsigned char bytes[64];
    const unsigned char *value = t->site->value == VERIFY_VALUE_VECTORS
                                     ? &t->call.vectors[0][0]
                                     : (const unsigned char *)&t->call.arguments[2];
    for (uint32_t n = 0; n < t->site->width_bytes; n++)
        bytes[place_of(t, n)] = cut(t, n, value[n]);
    must(reference_write(t->reference, t->at->index, bytes, t->site->width_bytes), "write");
}

static bool value_differs(const twin *t) {
    const unsigned char *value = t->site->value == VERIFY_VALUE_VECTORS ? &t->call.vectors_out[0][0]
                                                                        : (const unsigned char *)t->call.out;
    for (uint32_t n = 0; n < t->site->width_bytes; n++)
        if (value[n] != cut(t, n, reference_peek(t->reference, t->at->index + place_of(t, n))))
            return true;
    return t->site->value == VERIFY_VALUE_WORD && t->site->width_bytes < 8 &&
           t->call.out[0] >> 8 * t->site->width_bytes != 0;
}

static uint32_t status_of(const twin *t) {
    bool loads = t->site->operation == MF_LOAD;
    if (t->site->value == VERIFY_VALUE_ADDRESS || (loads && t->site->value == VERIFY_VALUE_WORD))
        return (uint32_t)t->call.out[1];
    return (uint32_t)t->call.out[loads && t->site->value == VERIFY_VALUE_TWO_WORDS ? 2 : 0];
}

static bool record_differs(const twin *t) {
    const mf_fault *found = &mf_memory_view(t->memory)->fault;
    const mf_fault *right = &t->reference->fault;
    return found->kind != right->kind || found->page != right->page || found->address != right->address ||
           found->length != right->length || found->operation != right->operation;
}

/* On copy the host can read what the guest may not, and nothing of it may change either. */
static bool is_readable(const twin *t, uint64_t index) {
    if (t->session->options.backend == MF_BACKEND_COPY)
        return index < mf_memory_len(t->memory);
    return reference_byte_allows(t->reference, index, MF_LOAD);
}

static bool bytes_differ(const twin *t) {
    const unsigned char *base = mf_memory_view(t->memory)->base;
    uint64_t from = t->at->index < AROUND ? 0 : t->at->index - AROUND;
    for (uint64_t i = from; i < t->at->index + 2 * AROUND && i < MF_SPACE_BYTES; i++)
        if (is_readable(t, i) && base[i] != reference_peek(t->reference, i))
            return true;
    return false;
}

static bool does_differ(twin *t) {
    const unsigned char *base = mf_memory_view(t->memory)->base;
    uint64_t length = length_of(t) > INT64_MAX ? INT64_MAX : length_of(t); /* as records say (embed.h) */
    bool is_allowed = reference_check(t->reference, t->at->index, length, t->site->operation);
    bool is_access = t->site->value != VERIFY_VALUE_ADDRESS && t->site->value != VERIFY_VALUE_LENGTH;
    bool stores = t->site->operation == MF_STORE;
    if (is_allowed && is_access && stores)
        store_into_reference(t);
    if (status_of(t) != (is_allowed ? MF_FAULT_NONE : t->reference->fault.kind) || record_differs(t) ||
        bytes_differ(t))
        return true;
    if (!is_allowed)
        return false;
    if (t->site->value == VERIFY_VALUE_ADDRESS)
        return t->call.out[0] != (uint64_t)(uintptr_t)base + t->at->index;
    return is_access && !stores && value_differs(t);
}

/* ---- Runs ---- */

#define SECONDS 20

static bool run(twin *t, variant v) {
    random_source random = {(uint64_t)v + 1};
    put_registers(t, &random, v);
    make_memories(t, v);
    put_bytes(t, &random, v);
    t->call.arguments[0] = (uint64_t)(uintptr_t)mf_memory_view(t->memory);
    embed_run_call(&t->call);
    return does_differ(t);
}

/* A process that ends by a signal has done something else as well. */
static bool differs(twin *t, variant v) {
    int status = 0;
    fflush(stdout);
    pid_t process = fork();
    must(process >= 0, "fork");
    if (process == 0) {
        alarm(SECONDS);
        _exit(run(t, v) ? 1 : 0);
    }
    must(waitpid(process, &status, 0) == process, "waitpid");
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

bool embed_run_differs(const embed_session *s, const embed_site *site, const mf_verify_result *refuted,
                       const verify_state *state, bool asks_runtime) {
    twin t = {.session = s,
              .site = site,
              .at = &refuted->counterexample,
              .state = state,
              .asks_runtime = asks_runtime,
              .call = {.entry = client_lookup(site->name)}};
    for (variant v = AS_NAMED; v < VARIANTS; v++)
        if (differs(&t, v))
            return true;
    return false;
}
