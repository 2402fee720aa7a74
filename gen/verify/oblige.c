#include "verify/oblige.h"

#include <assert.h>

enum { RAX = 0, RCX = 1, RDX = 2, RBX = 3, RSP = 4, RBP = 5, RSI = 6, RDI = 7 };

/* ---- What is allowed ---- */

/* The byte's entry of the live permission table. */
static term permitted_by_perms(terms *t, mf_operation operation, term at) {
    term page = term_lshr(t, at, term_const(t, 64, MF_PAGE_LOG2));
    term perm = term_read(t, TERM_PERMS, page);
    term is_rw = term_eq(t, perm, term_const(t, 8, MF_PERM_RW));
    return operation == MF_STORE ? is_rw : term_not(t, term_eq(t, perm, term_const(t, 8, MF_PERM_NONE)));
}

/* The byte's granule in a constant table; the table has entries for the whole space, and for nothing else. */
static term listed_in_table(terms *t, table_form form, term at) {
    term granule = term_lshr(t, at, term_const(t, 64, form.granule_log2));
    if (!form.is_bits)
        return term_eq(t, term_read(t, TERM_TABLE, granule), term_const(t, 8, 1));
    term byte = term_read(t, TERM_TABLE, term_lshr(t, granule, term_const(t, 64, 3)));
    term number = term_and(t, term_extract(t, granule, 0, 8), term_const(t, 8, 7));
    return term_extract(t, term_lshr(t, byte, number), 0, 1);
}

static term is_between(terms *t, term at, term start, term end) {
    return term_and(t, term_ule(t, start, at), term_ult(t, at, end));
}

/* The table is for the full heap: what the heap has not reached yet is not accessible. */
static term permitted_by_table(const spec *s, terms *t, table_form form, term at, term heap_end) {
    term is_in_space = term_ult(t, at, term_const(t, 64, MF_SPACE_BYTES));
    term listed = term_and(t, is_in_space, listed_in_table(t, form, at));
    if (s->growth_start == s->growth_end)
        return listed;
    term is_grown = term_not(t, is_between(t, at, heap_end, term_const(t, 64, s->growth_end)));
    return term_and(t, listed, is_grown);
}

/* One byte; the policy is PERMS. */
static term permitted(const contract *c, terms *t, const attempt *a, term at, term heap_end) {
    switch (a->ruling) {
    case RULING_BY_PERMS:
        return permitted_by_perms(t, c->access->operation, at);
    case RULING_BY_TABLE:
        return permitted_by_table(c->spec, t, a->form, at, heap_end);
    default:
        return spec_accessible(c->spec, t, c->access->operation, at, heap_end);
    }
}

static term last_byte(const contract *c, terms *t) {
    return term_add(t, c->index, term_const(t, 64, c->access->width_bytes - 1));
}

/* An address for an access that the MMU checks, and that leaves by itself (embed.h). */
static bool is_left_to_mmu(const contract *c) {
    const mf_accessor_options *options = &c->spec->options;
    return c->function->value == VERIFY_VALUE_ADDRESS && options->backend == MF_BACKEND_X86_PAGED &&
           options->on_fault == MF_ON_FAULT_TRAP;
}

static term make_range_allowed(const contract *c, terms *t, const path_inputs *in, const attempt *a,
                               term heap_end) {
    mf_operation operation = c->access->operation;
    if (a->ruling != RULING_BY_ANSWER)
        return spec_range_accessible(c->spec, t, operation, c->index, c->length, heap_end);
    term is_empty = term_eq(t, c->length, term_const(t, 64, 0));
    term empty = spec_empty_accessible(c->spec, t, operation, c->index, heap_end);
    return term_ite(t, is_empty, empty, term_extract(t, in->answer, 0, 1));
}

static term make_allowed(const contract *c, terms *t, const path_inputs *in, const attempt *a,
                         term heap_end) {
    if (c->spec->options.policy == MF_POLICY_NONE || is_left_to_mmu(c))
        return term_const(t, 1, 1);
    if (c->function->value == VERIFY_VALUE_LENGTH)
        return make_range_allowed(c, t, in, a, heap_end);
    if (a->ruling == RULING_BY_ANSWER)
        return term_extract(t, in->answer, 0, 1);
    if (c->spec->options.policy == MF_POLICY_BOUNDS)
        return term_ult(t, last_byte(c, t), term_const(t, 64, c->spec->bounds));
    term first = permitted(c, t, a, c->index, heap_end);
    return term_and(t, first, permitted(c, t, a, last_byte(c, t), heap_end));
}

/* ---- What is known ---- */

static term implies(terms *t, term a, term b) {
    return term_or(t, term_not(t, a), b);
}

/* What a table that says what the layout says tells of a byte below `heap_end`. */
static term is_listed(const contract *c, terms *t, const attempt *a, term at) {
    bool by_perms = a->ruling == RULING_BY_PERMS;
    return by_perms ? permitted_by_perms(t, c->access->operation, at) : listed_in_table(t, a->form, at);
}

/*
 * The hot window is accessible, whatever else an arbitrary table holds; by the live permissions the heap is
 * as far as it has grown, by a constant table all of it.
 */
static term hot_window_is_permitted(const contract *c, terms *t, const path_inputs *in, const attempt *a,
                                    term at) {
    mf_window window;
    const spec *s = c->spec;
    if (!spec_window(s, c->access->operation, s->options.hot_address, &window))
        return term_const(t, 1, 1);
    term start = term_const(t, 64, window.start);
    term end = term_const(t, 64, window.start + window.size);
    term is_hot = is_between(t, at, start, end);
    if (a->ruling == RULING_BY_PERMS && s->growth_start < s->growth_end) {
        term growth_end = term_const(t, 64, s->growth_end);
        is_hot = term_and(t, is_hot, term_not(t, is_between(t, at, in->heap_end, growth_end)));
    }
    return implies(t, is_hot, is_listed(c, t, a, at));
}

/* The page where the heap's growth ends is what the layout says. */
static term behind_growth_is_known(const contract *c, terms *t, const attempt *a, term at) {
    const spec *s = c->spec;
    uint64_t end = s->growth_end;
    term is_there = is_between(t, at, term_const(t, 64, end), term_const(t, 64, end + MF_PAGE_SIZE));
    bool permits = spec_page_permits(s, c->access->operation, end);
    return implies(t, is_there, term_eq(t, is_listed(c, t, a, at), term_const(t, 1, permits)));
}

static term facts(const contract *c, terms *t, const path_inputs *in, const attempt *a, term at) {
    const spec *s = c->spec;
    bool grows = s->growth_start < s->growth_end && s->growth_end < MF_SPACE_BYTES;
    term known = term_const(t, 1, 1);
    if (a->knows_hot)
        known = hot_window_is_permitted(c, t, in, a, at);
    if (a->ruling == RULING_BY_TABLE && grows)
        known = term_and(t, known, behind_growth_is_known(c, t, a, at));
    return known;
}

/* A load is never write-protected. */
static term is_fault_kind(terms *t, mf_operation operation, term kind) {
    term is_page_fault = term_eq(t, kind, term_const(t, 32, MF_PAGE_FAULT));
    if (operation == MF_LOAD)
        return is_page_fault;
    return term_or(t, is_page_fault, term_eq(t, kind, term_const(t, 32, MF_WRITE_PROTECTED)));
}

/* By the System V ABI rsp + 8 is a multiple of 16 when a function is entered, and the direction flag is
 * clear.
 */
static term is_entry(terms *t, const path_inputs *in) {
    term low_bits = term_extract(t, in->registers[RSP], 0, 4);
    term is_aligned = term_eq(t, low_bits, term_const(t, 4, 8));
    return term_and(t, is_aligned, term_not(t, in->flags[MODEL_DF]));
}

/* The largest sum of a 32-bit address and a 32-bit offset. */
#define U33_MOST (2 * UINT64_C(0xffffffff))

static term make_conditions(const contract *c, terms *t, const path_inputs *in, const attempt *a) {
    const spec *s = c->spec;
    term ends = term_and(t, spec_heap_end_is_possible(s, t, in->heap_end),
                         spec_heap_end_is_possible(s, t, in->heap_end_later));
    term all = term_and(t, ends, term_ule(t, in->heap_end, in->heap_end_later));
    if (in->answer != 0)
        all = term_and(t, all, term_ule(t, in->answer, term_const(t, 32, 1)));
    all = term_and(t, all, is_fault_kind(t, c->access->operation, in->fault_kind));
    all = term_and(t, all, is_entry(t, in));
    if (s->options.index == MF_INDEX_U33)
        all = term_and(t, all, term_ule(t, c->index, term_const(t, 64, U33_MOST)));
    if (s->options.stale == MF_STALE_TRUST)
        all = term_and(t, all, c->is_fresh);
    bool has_tables = a->ruling == RULING_BY_PERMS || a->ruling == RULING_BY_TABLE;
    if (has_tables && s->options.policy == MF_POLICY_PERMS) {
        all = term_and(t, all, facts(c, t, in, a, c->index));
        all = term_and(t, all, facts(c, t, in, a, last_byte(c, t)));
    }
    return all;
}

/* ---- The contract ---- */

/*
 * MF_ACCESS_CODE, which has 63 bits for the length: of a range that needs the 64th it says the largest that
 * there is room for (embed.h).
 */
static term access_code(const contract *c, terms *t) {
    mf_operation operation = c->access->operation;
    if (c->function->value != VERIFY_VALUE_LENGTH)
        return term_const(t, 64, MF_ACCESS_CODE(operation, c->access->width_bytes));
    term most = term_const(t, 64, INT64_MAX);
    term length = term_ite(t, term_ult(t, most, c->length), most, c->length);
    term shifted = term_shl(t, length, term_const(t, 64, 1));
    return term_or(t, shifted, term_const(t, 64, operation));
}

/* Arguments in their order: the view, the base if it is one, the index, the value or the length. */
static void take_arguments(contract *c, terms *t, const path_inputs *in) {
    static const uint8_t ORDER[] = {RDI, RSI, RDX, RCX, 8};
    const mf_accessor_options *options = &c->spec->options;
    uint32_t next = 1;
    if (options->base == MF_BASE_CONSTANT)
        c->base = term_const(t, 64, options->base_address);
    else
        c->base = options->base == MF_BASE_ARGUMENT ? in->registers[ORDER[next++]] : in->base;
    term index = in->registers[ORDER[next++]];
    bool is_u33 = options->index == MF_INDEX_U33;
    term address = is_u33 ? index : term_zext(t, term_extract(t, index, 0, 32), 64);
    c->index = term_add(t, address, term_const(t, 64, c->function->offset));
    if (c->function->value == VERIFY_VALUE_LENGTH)
        c->length = in->registers[ORDER[next]];
    else if (c->access->operation == MF_STORE)
        for (uint32_t n = 0; n < 2; n++)
            c->words[n] = in->registers[ORDER[next + n]];
    c->host = term_add(t, c->base, c->index);
}

/* The stamp of the layout and the backend, or one that does not refuse the backend; each index has its own.
 */
static void make_stamp(contract *c, terms *t, const path_inputs *in, const attempt *a) {
    const mf_accessor_options *options = &c->spec->options;
    c->actual_stamp = options->index == MF_INDEX_U33 ? in->u33_stamp : in->layout_stamp;
    c->stamp = a->memory_alone ? MF_LAYOUT_STAMP(0, options->backend) : c->spec->stamp;
    term refuses = term_const(t, 64, MF_LAYOUT_STAMP_REFUSES(options->backend));
    term refused = term_and(t, c->actual_stamp, refuses);
    c->is_fresh = a->memory_alone ? term_eq(t, refused, term_const(t, 64, 0))
                                  : term_eq(t, c->actual_stamp, term_const(t, 64, c->stamp));
}

contract contract_make(const spec *s, terms *t, const path_inputs *in, const verify_function *function,
                       const attempt *a) {
    contract c = {.spec = s, .function = function, .access = &function->access};
    c.limit = s->options.policy == MF_POLICY_BOUNDS ? s->bounds : 0;
    take_arguments(&c, t, in);
    c.code = access_code(&c, t);
    make_stamp(&c, t, in, a);
    c.trusts_mmu = a->ruling == RULING_BY_ANYTHING;
    bool by_anything = a->ruling == RULING_BY_ANYTHING && s->options.policy != MF_POLICY_NONE;
    c.allowed = by_anything ? term_var(t, 1) : make_allowed(&c, t, in, a, in->heap_end);
    c.allowed_later = by_anything ? c.allowed : make_allowed(&c, t, in, a, in->heap_end_later);
    c.conditions = make_conditions(&c, t, in, a);
    return c;
}

/* ---- Obligations ---- */

static void owe(duty *d, term holds, const char *broken) {
    assert(d->count < OBLIGATIONS_MAX);
    d->obligations[d->count++] = (obligation){holds, broken};
}

static void owe_fact(duty *d, terms *t, bool holds, const char *broken) {
    owe(d, term_const(t, 1, holds), broken);
}

/* What the runtime relies on, by the System V ABI. */
static void owe_callable(duty *d, terms *t, bool is_aligned, term direction) {
    owe_fact(d, t, is_aligned, "calls the runtime on a stack that is not aligned");
    owe(d, term_not(t, direction), "calls the runtime with the direction flag set");
}

static term low_half(terms *t, term a) {
    return term_extract(t, a, 0, 32);
}

static uint64_t lowest_bytes(uint32_t count) {
    return count == 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
}

/* The bytes that are accessed are `count`, without a gap. */
static bool touches(const path *p, uint32_t count) {
    return p->access.touched == lowest_bytes(count);
}

static bool has_access(const contract *c) {
    return c->function->value != VERIFY_VALUE_ADDRESS && c->function->value != VERIFY_VALUE_LENGTH;
}

/* Byte n of a value in the registers of one state. */
static term carried_byte(const contract *c, terms *t, const term *words,
                         const term (*vectors)[VECTOR_BYTES / 8], uint32_t n) {
    uint32_t size = c->function->vector_bytes;
    term word = c->function->value == VERIFY_VALUE_VECTORS ? vectors[n / size][n % size / 8] : words[n / 8];
    return term_extract(t, word, 8 * (n % 8), 8);
}

/* In a word everything is owed at once, elsewhere byte by byte. */
static term is_stored(terms *t, const path *p, const path_inputs *in, const contract *c) {
    const spec_access *access = c->access;
    term all = term_const(t, 1, 1);
    if (c->function->value == VERIFY_VALUE_WORD) {
        term stored = p->access.stored[0];
        for (uint32_t n = 1; n < access->width_bytes; n++)
            stored = term_concat(t, p->access.stored[n], stored);
        return term_eq(t, stored, spec_stored(c->spec, t, access, c->words[0]));
    }
    for (uint32_t n = 0; n < access->width_bytes; n++) {
        term byte = spec_value_byte(t, access, n, carried_byte(c, t, c->words, in->vectors, n));
        term stored = p->access.stored[spec_place_of_byte(c->spec, access, n)];
        all = term_and(t, all, term_eq(t, stored, byte));
    }
    return all;
}

/* An accessor accesses by one instruction. */
static bool accesses_once(const path *p, const contract *c) {
    return p->access.count == 1 && (p->access.instructions == 1 || c->function->is_embedded);
}

static void owe_access(duty *d, terms *t, const path *p, const path_inputs *in, const contract *c) {
    bool stores = c->access->operation == MF_STORE;
    if (!has_access(c)) {
        owe_fact(d, t, p->access.count == 0, "accesses the guest");
        return;
    }
    owe_fact(d, t, accesses_once(p, c),
             p->access.count == 0 ? "does not access the guest" : "accesses the guest more than once");
    if (p->access.count == 0)
        return;
    owe_fact(d, t, p->access.is_store == stores, "does the other operation");
    owe_fact(d, t, touches(p, c->access->width_bytes), "accesses another number of bytes");
    owe(d, term_eq(t, p->access.address, c->host), "accesses another address");
    if (stores && p->access.is_store && touches(p, c->access->width_bytes))
        owe(d, is_stored(t, p, in, c), "stores another value");
}

/* What a caller keeps in registers and relies on, by the System V ABI. */
static void owe_kept_registers(duty *d, terms *t, const path *p, const path_inputs *in) {
    static const struct {
        uint8_t number;
        const char *broken;
    } KEPT[] = {{RBX, "rbx is not kept"}, {RSP, "the stack pointer is not that of the entry"},
                {RBP, "rbp is not kept"}, {12, "r12 is not kept"},
                {13, "r13 is not kept"},  {14, "r14 is not kept"},
                {15, "r15 is not kept"}};
    for (size_t i = 0; i < sizeof KEPT / sizeof KEPT[0]; i++) {
        uint8_t n = KEPT[i].number;
        owe(d, term_eq(t, p->final.registers[n], in->registers[n]), KEPT[i].broken);
    }
    owe(d, term_not(t, p->final.flags[MODEL_DF]), "returns with the direction flag set");
}

/* Behind the registers that the value takes. */
static uint8_t status_register(const contract *c) {
    bool loads = c->access->operation == MF_LOAD;
    switch (c->function->value) {
    case VERIFY_VALUE_WORD:
        return loads ? RDX : RAX;
    case VERIFY_VALUE_TWO_WORDS:
        return loads ? RCX : RAX;
    case VERIFY_VALUE_ADDRESS:
        return RDX;
    default:
        return RAX;
    }
}

/* The bytes of the access, which is owed to be the right one. */
static term is_loaded(terms *t, const path *p, const contract *c) {
    const spec_access *access = c->access;
    const term words[] = {p->final.registers[RAX], p->final.registers[RDX]};
    term all = term_const(t, 1, 1);
    if (c->function->value == VERIFY_VALUE_WORD) {
        term raw = term_read_bytes(t, TERM_GUEST, c->host, access->width_bytes);
        return term_eq(t, words[0], spec_loaded(c->spec, t, access, raw));
    }
    for (uint32_t n = 0; n < access->width_bytes && p->access.count > 0; n++) {
        term place = term_const(t, 64, spec_place_of_byte(c->spec, access, n));
        term raw = term_read(t, TERM_GUEST, term_add(t, p->access.address, place));
        term byte = carried_byte(c, t, words, p->final.vectors, n);
        all = term_and(t, all, term_eq(t, byte, spec_value_byte(t, access, n, raw)));
    }
    return all;
}

static void owe_result(duty *d, terms *t, const path *p, const contract *c) {
    term zero = term_const(t, 32, MF_FAULT_NONE);
    if (c->function->value == VERIFY_VALUE_ADDRESS)
        owe(d, term_eq(t, p->final.registers[RAX], c->host), "returns another address");
    else if (has_access(c) && c->access->operation == MF_LOAD)
        owe(d, is_loaded(t, p, c), "returns another value");
    if (c->spec->options.on_fault == MF_ON_FAULT_RETURN)
        owe(d, term_eq(t, low_half(t, p->final.registers[status_register(c)]), zero),
            "returns another status");
}

/* What the runtime is asked decides, so it has to be the right question. */
static void owe_question(duty *d, terms *t, const path *p, const path_inputs *in, const contract *c) {
    const term *arguments = p->question.arguments;
    if (p->question.count == 0)
        return;
    owe_fact(d, t, p->question.count == 1, "asks the runtime twice");
    owe(d, term_eq(t, arguments[0], in->registers[RDI]), "asks about another view");
    owe(d, term_eq(t, arguments[1], c->index), "asks about another index");
    owe(d, term_eq(t, arguments[2], c->code), "asks about another length or operation");
    owe_callable(d, t, p->question.is_aligned, p->question.direction);
}

static void owe_fresh(duty *d, const contract *c) {
    if (c->spec->options.stale == MF_STALE_CHECK)
        owe(d, c->is_fresh, "does not notice another layout");
}

/*
 * Of two ends that are read the access may be decided by either: it sees the end at some page between. What
 * is allowed at one is at a higher one.
 */
static void owe_good_end(duty *d, terms *t, const path *p, const path_inputs *in, const contract *c) {
    owe_fresh(d, c);
    owe(d, p->heap_end_reads > 1 ? c->allowed_later : c->allowed,
        "goes on although the access is not allowed");
    owe_access(d, t, p, in, c);
    owe_result(d, t, p, c);
}

/* The call of mf_rt_fault or mf_rt_trap. */
static void owe_fault_call(duty *d, terms *t, const path *p, const path_inputs *in, const contract *c) {
    const term *arguments = p->call.arguments;
    owe_fresh(d, c);
    owe(d, term_not(t, c->allowed), "faults although the access is allowed");
    owe_fact(d, t, p->call.count == 1, "calls the runtime twice");
    owe(d, term_eq(t, arguments[0], in->registers[RDI]), "reports another view");
    owe(d, term_eq(t, arguments[1], c->index), "reports another index");
    owe(d, term_eq(t, arguments[2], c->code), "reports another access code");
    owe(d, term_eq(t, arguments[3], term_const(t, 64, c->limit)), "reports another limit");
    owe_callable(d, t, p->call.is_aligned, p->call.direction);
    if (p->mmu == PATH_MMU_REFUSES)
        owe_access(d, t, p, in, c);
    else
        owe_fact(d, t, p->access.count == 0, "accesses the guest and faults");
}

static void owe_fault_end(duty *d, terms *t, const path *p, const path_inputs *in, const contract *c) {
    bool is_word = c->access->operation == MF_LOAD && c->function->value == VERIFY_VALUE_WORD;
    const term *final = p->final.registers;
    owe_fact(d, t, c->spec->options.on_fault == MF_ON_FAULT_RETURN, "returns from a fault");
    owe_fault_call(d, t, p, in, c);
    owe(d, term_eq(t, low_half(t, final[status_register(c)]), in->fault_kind), "returns another status");
    if (is_word)
        owe(d, term_eq(t, final[RAX], term_const(t, 64, 0)), "returns a value of a fault");
}

static void owe_stale_end(duty *d, terms *t, const path *p, const path_inputs *in, const contract *c) {
    bool checks = c->spec->options.stale == MF_STALE_CHECK;
    owe(d, checks ? term_not(t, c->is_fresh) : term_const(t, 1, 0),
        "calls the layout stale, which it is not");
    owe_fact(d, t, p->access.count == 0, "accesses the guest of another layout");
    owe_fact(d, t, p->call.count == 1, "calls the runtime twice");
    owe(d, term_eq(t, p->call.arguments[0], in->registers[RDI]), "reports another view");
    owe(d, term_eq(t, p->call.arguments[1], term_const(t, 64, c->stamp)), "reports another stamp");
    owe_callable(d, t, p->call.is_aligned, p->call.direction);
}

static void owe_departure(duty *d, terms *t, const path *p, const path_inputs *in, const contract *c) {
    if (p->call.entry == MF_RT_STALE) {
        owe_stale_end(d, t, p, in, c);
        return;
    }
    owe_fact(d, t, c->spec->options.on_fault == MF_ON_FAULT_TRAP, "traps at a fault");
    owe_fault_call(d, t, p, in, c);
}

/*
 * The MMU answers for the access that is made; that this is the right one is owed beside. By the layout what
 * goes on owes that it is allowed, whatever the MMU says.
 */
static term when_taken(terms *t, const path *p, const contract *c) {
    term taken = c->conditions;
    for (uint32_t i = 0; i < p->condition_count; i++)
        taken = term_and(t, taken, p->conditions[i]);
    if (p->mmu == PATH_MMU_ALLOWS && c->trusts_mmu)
        taken = term_and(t, taken, c->allowed);
    else if (p->mmu == PATH_MMU_REFUSES)
        taken = term_and(t, taken, term_not(t, c->allowed));
    return taken;
}

void duty_make(duty *d, terms *t, const paths *all, const path *p, const contract *c) {
    const path_inputs *in = &all->inputs;
    *d = (duty){.taken = when_taken(t, p, c)};
    owe_question(d, t, p, in, c);
    if (p->end == PATH_BREAKS)
        owe_fact(d, t, false, p->trouble);
    else if (p->end == PATH_LEAVES)
        owe_departure(d, t, p, in, c);
    else if (p->call.count > 0)
        owe_fault_end(d, t, p, in, c);
    else
        owe_good_end(d, t, p, in, c);
    if (p->end == PATH_RETURNS)
        owe_kept_registers(d, t, p, in);
}

void duty_make_on_wrong_ways(duty *d, terms *t, const paths *all, const path *p, const contract *c,
                             const attempt *a, bool looks_up) {
    const mf_accessor_options *options = &c->spec->options;
    *d = (duty){.taken = c->conditions};
    for (uint32_t i = 0; i < p->lookup_count; i++) {
        const path_lookup *l = &p->lookups[i];
        uint64_t bytes = l->space == TERM_PERMS ? MF_PERM_TABLE_PAGES : table_bytes(a->form);
        owe(d, term_ule(t, l->offset, term_const(t, 64, bytes - l->bytes)),
            "looks up behind the table's end");
    }
    bool masks = options->spectre == MF_SPECTRE_MASK && options->backend == MF_BACKEND_COPY &&
                 options->policy != MF_POLICY_NONE;
    if (masks && p->end == PATH_BREAKS && !p->stops)
        owe_fact(d, t, false, p->trouble);
    if (masks && p->end == PATH_RETURNS)
        owe(d, term_eq(t, p->final.registers[RSP], all->inputs.registers[RSP]),
            "the stack pointer is not that of the entry");
    bool gives_address =
        c->function->value == VERIFY_VALUE_ADDRESS && p->end == PATH_RETURNS && p->call.count == 0;
    if (!masks || (p->access.count == 0 && !gives_address))
        return;
    owe_fact(d, t, p->access.count == 0 || accesses_once(p, c), "accesses the guest more than once");
    owe_fact(d, t, (p->access.touched & ~lowest_bytes(c->access->width_bytes)) == 0,
             "accesses more bytes than it may");
    term address = gives_address ? p->final.registers[RAX] : p->access.address;
    uint64_t place = spec_masked_place(c->spec, c->access->operation, looks_up);
    term there = term_add(t, c->base, term_const(t, 64, place));
    term is_there = term_eq(t, address, there);
    term is_right = term_and(t, c->allowed, term_eq(t, address, c->host));
    owe(d, term_or(t, is_right, is_there), "does not mask the address of a mispredicted access");
}

term duty_kept(terms *t, const duty *d) {
    term all = term_const(t, 1, 1);
    for (uint32_t i = 0; i < d->count; i++)
        all = term_and(t, all, d->obligations[i].holds);
    return all;
}
