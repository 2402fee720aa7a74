/*
 * Each accessor is a function of its own: it moves its arguments to the registers that the inline code has,
 * runs it, and returns; behind that stands its fault block. The view stays in rdi, the base is in rax, the
 * index in rsi, the table in r10; a load delivers to r8, a store takes from rdx. Scratch are rcx and r9.
 */
#include "engines_inline.h"

#include <memfold/exception_table.h>
#include <memfold/inline.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FUNCTION_BYTES 512
#define CODE_BYTES (MF_ACCESSOR_COUNT * FUNCTION_BYTES)

static const mf_inline_registers REGISTERS[2] = {
    {.base = MF_RAX,
     .index = MF_RSI,
     .value = MF_R8,
     .view = MF_RDI,
     .table = MF_R10,
     .scratch = {MF_RCX, MF_R9}},
    {.base = MF_RAX,
     .index = MF_RSI,
     .value = MF_RDX,
     .view = MF_RDI,
     .table = MF_R10,
     .scratch = {MF_RCX, MF_R9}},
};

/* What is acquired; the set comes first, and is what the engine is handed back. */
typedef struct inline_set {
    mf_accessors set;
    uint8_t tables[2][1 << 17];
    unsigned char *code;
    mf_exception_entry *entries; /* behind the code */
    size_t entry_count;
} inline_set;

bool inline_serves(const mf_accessor_options *options) {
    (void)options;
    return true;
}

/* The MMU knows one strategy, and no bound of its own. */
bool paged_inline_serves(const mf_accessor_options *options) {
    return options->policy != MF_POLICY_BOUNDS && options->strategy == MF_STRATEGY_AUTO;
}

/* ---- One function ---- */

typedef struct function {
    unsigned char *bytes;
    size_t used;
    const mf_plan *plan;
    const mf_accessor_options *options;
} function;

static void put(function *f, const char *bytes, size_t count) {
    memcpy(f->bytes + f->used, bytes, count);
    f->used += count;
}

static void put_u64(function *f, const char *opcode, uint64_t value) {
    put(f, opcode, 2);
    memcpy(f->bytes + f->used, &value, sizeof value);
    f->used += sizeof value;
}

#define MOV_RAX "\x48\xb8"
#define MOV_RCX "\x48\xb9"
#define MOV_RDX "\x48\xba"
#define MOV_RSI "\x48\xbe"
#define MOV_R10 "\x49\xba"

/* Base, index and value come to where the code wants them. */
static void put_entry(function *f, const uint8_t *table) {
    if (f->options->base == MF_BASE_ARGUMENT)
        put(f, "\x48\x89\xf0\x48\x89\xd6\x48\x89\xca", 9); /* mov rax, rsi; mov rsi, rdx; mov rdx, rcx */
    else if (f->options->base == MF_BASE_VIEW)
        put(f, "\x48\x8b\x07", 3); /* mov rax, [rdi] */
    else
        put_u64(f, MOV_RAX, f->options->base_address);
    if (mf_plan_table_bytes(f->plan) > 0)
        put_u64(f, MOV_R10, (uintptr_t)table);
}

static void put_call(function *f, uintptr_t entry) {
    put(f, "\x48\x83\xec\x08", 4); /* sub rsp, 8 */
    put_u64(f, MOV_RAX, entry);
    put(f, "\xff\xd0\x48\x83\xc4\x08", 6); /* call rax; add rsp, 8 */
}

static void put_return(function *f) {
    bool traps = f->options->on_fault == MF_ON_FAULT_TRAP;
    if (f->plan->operation == MF_LOAD)
        put(f, "\x4c\x89\xc0\x31\xd2\xc3", 6); /* mov rax, r8; xor edx, edx; ret */
    else
        put(f, traps ? "\xc3\x90\x90" : "\x31\xc0\xc3", 3); /* xor eax, eax; ret */
}

static void put_fault_block(function *f) {
    uint32_t (*fault)(mf_view *, uint64_t, uint64_t, uint64_t) = mf_rt_fault_v3;
    void (*trap)(mf_view *, uint64_t, uint64_t, uint64_t) = mf_rt_trap_v3;
    bool traps = f->options->on_fault == MF_ON_FAULT_TRAP;
    if (f->options->index == MF_INDEX_U32)
        put(f, "\x89\xf6", 2); /* mov esi, esi */
    put_u64(f, MOV_RDX, MF_ACCESS_CODE(f->plan->operation, f->plan->width_bytes));
    put_u64(f, MOV_RCX, f->plan->limit);
    put_call(f, traps ? (uintptr_t)trap : (uintptr_t)fault);
    if (f->plan->operation == MF_LOAD)
        put(f, "\x89\xc2\x31\xc0", 4); /* mov edx, eax; xor eax, eax */
    put(f, "\xc3", 1);
}

static void patch(const function *f, size_t field, size_t target) {
    int32_t distance = (int32_t)((int64_t)target - (int64_t)(field + 4));
    memcpy(f->bytes + field, &distance, sizeof distance);
}

static void add_entry(inline_set *s, const unsigned char *fault, const unsigned char *resume) {
    mf_exception_entry *entry = &s->entries[s->entry_count++];
    entry->fault = (int32_t)(fault - (const unsigned char *)&entry->fault);
    entry->resume = (int32_t)(resume - (const unsigned char *)&entry->resume);
}

static void put_function(inline_set *s, function *f, const uint8_t *table) {
    void (*stale)(mf_view *, uint64_t) = mf_rt_stale_v3;
    mf_inline_options options = {.endian = f->options->endian};
    mf_inline_result result;
    mf_diag diag;
    put_entry(f, table);
    size_t begin = f->used;
    engines_must(mf_inline_emit(f->plan, &options, &REGISTERS[f->plan->operation], f->bytes + begin,
                                MF_INLINE_BYTES_MAX, &result, &diag),
                 &diag, "mf_inline_emit");
    f->used += result.byte_count;
    put_return(f);
    for (uint32_t i = 0; i < result.fault_count; i++)
        patch(f, begin + result.fault_fields[i], f->used);
    if (mf_plan_has_step(f->plan, MF_STEP_MMU) && f->options->on_fault == MF_ON_FAULT_RETURN)
        add_entry(s, f->bytes + begin + result.access_offset, f->bytes + f->used);
    put_fault_block(f);
    if (result.stale_field == 0)
        return;
    patch(f, begin + result.stale_field, f->used);
    put_u64(f, MOV_RSI, result.stale_stamp);
    put_call(f, (uintptr_t)stale);
}

/* ---- All of a layout ---- */

static void put_accessor(inline_set *s, mf_accessor_id id, const mf_layout *layout,
                         const mf_accessor_options *options) {
    mf_plan plan;
    mf_diag diag;
    engines_must(mf_plan_make(layout, id, options, &plan, &diag), &diag, "mf_plan_make");
    uint8_t *table = s->tables[plan.operation];
    mf_plan_fill_table(layout, &plan, table);
    function f = {.bytes = s->code + (size_t)id * FUNCTION_BYTES, .plan = &plan, .options = options};
    put_function(s, &f, table);
    memcpy((unsigned char *)&s->set + (size_t)id * sizeof(mf_accessor_fn *), &f.bytes, sizeof f.bytes);
}

engine_code inline_acquire(mf_memory *memory, const mf_accessor_options *options) {
    inline_set *s = calloc(1, sizeof *s);
    mf_accessor_options planned = *options;
    mf_layout *layout;
    mf_diag diag;
    planned.backend = mf_memory_backend(memory);
    engines_must(mf_memory_layout(memory, &layout, &diag), &diag, "mf_memory_layout");
    s->code =
        mmap(NULL, CODE_BYTES + MF_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (s->code == MAP_FAILED)
        abort();
    s->entries = (mf_exception_entry *)(void *)(s->code + CODE_BYTES);
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        put_accessor(s, id, layout, &planned);
    mf_layout_release(layout);
    if (mprotect(s->code, CODE_BYTES + MF_PAGE_SIZE, PROT_READ | PROT_EXEC) != 0)
        abort();
    engines_must(mf_exception_table_register(s->entries, s->entry_count, &diag), &diag,
                 "mf_exception_table_register");
    return (engine_code){.set = &s->set};
}

void inline_release(engine_code code) {
    inline_set *s = (inline_set *)(void *)(uintptr_t)code.set;
    if (s->entry_count > 0)
        mf_exception_table_unregister(s->entries);
    munmap(s->code, CODE_BYTES + MF_PAGE_SIZE);
    free(s);
}
