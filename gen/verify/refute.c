#include "verify/refute.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RAX = 0, RSP = 4, RDI = 7 };

/* ---- In words ---- */

static unsigned long long value_at(const state_values *at, term a) {
    return (unsigned long long)at->values[a];
}

static void describe_access(char *text, size_t bytes, const path *p, const state_values *at) {
    uint32_t count = 0;
    for (uint32_t n = 0; n < 64; n++)
        count += p->access.touched >> n & 1;
    snprintf(text, bytes, "%s %u bytes at 0x%llx", p->access.is_store ? "stores" : "loads", count,
             value_at(at, p->access.address));
}

static void describe_call(char *text, size_t bytes, const path *p, const state_values *at) {
    static const char *const NAMES[] = {
#define MF_X(name, function) #function,
        MF_RT_ENTRIES(MF_X)
#undef MF_X
    };
    const term *a = p->call.arguments;
    if (p->call.entry == MF_RT_STALE)
        snprintf(text, bytes, "calls %s(0x%llx, 0x%llx)", NAMES[p->call.entry], value_at(at, a[0]),
                 value_at(at, a[1]));
    else
        snprintf(text, bytes, "calls %s(0x%llx, 0x%llx, 0x%llx, 0x%llx)", NAMES[p->call.entry],
                 value_at(at, a[0]), value_at(at, a[1]), value_at(at, a[2]), value_at(at, a[3]));
}

static void describe_end(char *text, size_t bytes, const path *p, const state_values *at) {
    if (p->end == PATH_RETURNS)
        snprintf(text, bytes, "returns rax 0x%llx, rdx 0x%llx", value_at(at, p->final.registers[RAX]),
                 value_at(at, p->final.registers[2]));
    else
        snprintf(text, bytes, "%s", p->end == PATH_LEAVES ? "does not come back" : "goes no further");
}

static void describe_did(char *text, size_t bytes, const finding *f, const state_values *at) {
    char access[64] = "";
    char call[128] = "";
    char end[96];
    const path *p = f->path;
    if (p->access.count > 0)
        describe_access(access, sizeof access, p, at);
    if (p->call.count > 0)
        describe_call(call, sizeof call, p, at);
    describe_end(end, sizeof end, p, at);
    const char *faults = p->mmu == PATH_MMU_REFUSES ? " and faults" : "";
    int used = snprintf(text, bytes, "%s: ", f->broken);
    if (used < 0 || (size_t)used >= bytes)
        return;
    if (f->is_speculative)
        snprintf(text + used, bytes - (size_t)used, "%s", access);
    else
        snprintf(text + used, bytes - (size_t)used, "%s%s%s%s%s%s", access, faults,
                 access[0] == '\0' ? "" : ", ", call, call[0] == '\0' ? "" : ", ", end);
}

static void describe_allowed(char *text, size_t bytes, const contract *c, unsigned long long index) {
    bool stores = c->access->operation == MF_STORE;
    if (c->function->value == VERIFY_VALUE_LENGTH)
        snprintf(text, bytes, "allowed: passes, and keeps the callee's registers");
    else if (c->function->value == VERIFY_VALUE_ADDRESS)
        snprintf(text, bytes, "allowed: returns base + 0x%llx, and keeps the callee's registers", index);
    else
        snprintf(text, bytes, "allowed: %s %u bytes at base + 0x%llx, and keeps the callee's registers",
                 stores ? "stores" : "loads", c->access->width_bytes, index);
}

static void describe_contract(char *text, size_t bytes, const contract *c, const state_values *at,
                              const finding *f) {
    const mf_accessor_options *options = &c->spec->options;
    bool is_stale = options->stale == MF_STALE_CHECK && at->values[c->is_fresh] == 0;
    unsigned long long index = value_at(at, c->index);
    bool traps = options->on_fault == MF_ON_FAULT_TRAP;
    if (f->is_speculative)
        snprintf(text, bytes, "whatever is predicted, the access is the one that the options name");
    else if (is_stale)
        snprintf(text, bytes, "another layout: mf_rt_stale is called with stamp 0x%llx",
                 (unsigned long long)c->stamp);
    else if (at->values[c->allowed])
        describe_allowed(text, bytes, c, index);
    else
        snprintf(text, bytes, "not allowed: nothing is accessed, and %s gets (view, 0x%llx, 0x%llx, 0x%llx)",
                 traps ? "mf_rt_trap" : "mf_rt_fault", index, value_at(at, c->code),
                 (unsigned long long)c->limit);
}

/* ---- As data ---- */

static void add_page(mf_counterexample *e, uint64_t page, uint64_t perm) {
    for (uint32_t i = 0; i < e->page_count; i++)
        if (e->pages[i].page == page)
            return;
    if (e->page_count < MF_VERIFY_PAGES_MAX)
        e->pages[e->page_count++] = (mf_verify_page){page, (uint32_t)perm};
}

static void note_memory(mf_counterexample *e, const terms *t, const contract *c, const state_values *at,
                        bool names_pages) {
    uint64_t host = at->values[c->host];
    for (term i = 1; i < t->count; i++) {
        const term_node *n = &t->nodes[i];
        if (n->op != TERM_READ)
            continue;
        uint64_t address = at->values[n->a];
        if (n->value == TERM_GUEST && address - host < sizeof e->bytes)
            e->bytes[address - host] = (uint8_t)at->values[i];
        if (n->value == TERM_PERMS && names_pages)
            add_page(e, address, at->values[i]);
    }
}

void state_make(verify_state *s, const terms *t, const path_inputs *in, const contract *c,
                const state_values *at) {
    uint64_t host = at->values[c->host];
    *s = (verify_state){.length = c->length == 0 ? 0 : at->values[c->length],
                        .answer = (uint32_t)at->values[in->answer]};
    for (uint32_t n = 0; n < VECTOR_REGISTERS; n++)
        for (uint32_t i = 0; i < VECTOR_BYTES / 8; i++)
            s->vectors[n][i] = at->values[in->vectors[n][i]];
    for (term i = 1; i < t->count; i++)
        if (t->nodes[i].op == TERM_READ && t->nodes[i].value == TERM_GUEST &&
            at->values[t->nodes[i].a] - host < sizeof s->bytes)
            s->bytes[at->values[t->nodes[i].a] - host] = (uint8_t)at->values[i];
}

void counterexample_make(mf_counterexample *e, const terms *t, const paths *all, const contract *c,
                         const finding *f, const state_values *at, bool names_pages) {
    const path_inputs *in = &all->inputs;
    *e = (mf_counterexample){.base = at->values[c->base],
                             .index = at->values[c->index],
                             .value = c->words[0] == 0 ? 0 : at->values[c->words[0]],
                             .heap_end = at->values[in->heap_end],
                             .layout_stamp = at->values[c->actual_stamp],
                             .is_allowed = at->values[c->allowed] != 0,
                             .is_speculative = f->is_speculative};
    for (size_t i = 0; i < MF_VERIFY_REGISTERS; i++)
        e->registers[i] = at->values[in->registers[i]];
    note_memory(e, t, c, at, names_pages);
    describe_did(e->did, sizeof e->did, f, at);
    describe_contract(e->contract, sizeof e->contract, c, at, f);
}

/* ---- What is wrong ---- */

static const char *first_broken(const duty *d, const state_values *at) {
    for (uint32_t i = 0; i < d->count; i++)
        if (at->values[d->obligations[i].holds] == 0)
            return d->obligations[i].broken;
    return NULL;
}

bool find_broken(const paths *all, const duty *duties, const duty *wrong_ways, const state_values *at,
                 finding *f) {
    for (uint32_t i = 0; i < all->count; i++)
        if (at->values[duties[i].taken] && first_broken(&duties[i], at) != NULL) {
            *f = (finding){&all->paths[i], first_broken(&duties[i], at), false};
            return true;
        }
    for (uint32_t i = 0; i < all->count; i++)
        if (at->values[wrong_ways[i].taken] && first_broken(&wrong_ways[i], at) != NULL) {
            *f = (finding){&all->paths[i], first_broken(&wrong_ways[i], at), true};
            return true;
        }
    return false;
}

/* ---- Trying ---- */

/* What tried states have in memory. */
typedef struct memory {
    const verify_code *code;
    const spec *spec;
    uint64_t table;
    uint64_t heap_end;
} memory;

static uint8_t read_memory(void *context, term_space space, uint64_t address) {
    const memory *m = context;
    uint8_t byte = 0;
    switch (space) {
    case TERM_PERMS:
        return address < MF_SPACE_PAGES ? (uint8_t)spec_live_perm(m->spec, address, m->heap_end)
                                        : MF_PERM_NONE;
    case TERM_TABLE:
        return verify_code_read(m->code, m->table + address, &byte, 1) ? byte : 0;
    default:
        return (uint8_t)(0x81 + 37 * address);
    }
}

/* One accessor and the room for its values. */
typedef struct trial {
    memory memory;
    terms *t;
    const paths *all;
    const contract *c;
    const duty *duties;
    const duty *wrong_ways;
    uint64_t *values;
    uint64_t *variables;
    mf_counterexample *e;
    verify_state *state;
} trial;

static void set(const trial *r, term variable, uint64_t value) {
    r->variables[r->t->nodes[variable].value] = value;
}

/* The argument that holds the index: its variable lies at the bottom of the index's term. */
static term index_register(const trial *r) {
    term a = r->c->index;
    while (r->t->nodes[a].op != TERM_VAR)
        a = r->t->nodes[a].a;
    return a;
}

/* Above 32 bits there may be anything. */
static uint64_t index_argument(const trial *r, uint64_t index) {
    bool is_u33 = r->c->spec->options.index == MF_INDEX_U33;
    uint64_t address = index - r->c->function->offset;
    return is_u33 ? address : (uint32_t)address | UINT64_C(0xa5c3f00d) << 32;
}

static void set_state(trial *r, uint64_t index, uint64_t heap_end, uint64_t stamp) {
    const path_inputs *in = &r->all->inputs;
    for (size_t i = 0; i < r->t->variable_count; i++)
        r->variables[i] = 0xf1e2d3c4b5a69788 * (i + 3);
    set(r, in->registers[RSP], 0x7ffff0000008);
    set(r, in->registers[RDI], 0x7fff80000000);
    set(r, in->base, 0x10000000000);
    if (r->c->spec->options.base == MF_BASE_ARGUMENT)
        set(r, r->c->base, 0x10000000000);
    set(r, in->perms, 0x20000000000);
    set(r, in->heap_end, heap_end);
    set(r, in->heap_end_later, heap_end);
    set(r, in->layout_stamp, stamp);
    set(r, in->u33_stamp, stamp);
    set(r, in->fault_kind, MF_PAGE_FAULT);
    if (in->answer != 0)
        set(r, in->answer, spec_allows(r->c->spec, r->c->access, index, heap_end));
    set(r, index_register(r), index_argument(r, index));
    if (r->t->nodes[r->c->allowed].op == TERM_VAR)
        set(r, r->c->allowed, spec_allows(r->c->spec, r->c->access, index, heap_end));
    r->memory.heap_end = heap_end;
}

static bool try_state(trial *r, uint64_t index, uint64_t heap_end, uint64_t stamp) {
    const term_valuation valuation = {r->variables, &r->memory, read_memory};
    const state_values at = {r->values, r->variables};
    finding f;
    set_state(r, index, heap_end, stamp);
    terms_evaluate(r->t, &valuation, r->values);
    if (r->values[r->c->conditions] == 0 || !find_broken(r->all, r->duties, r->wrong_ways, &at, &f))
        return false;
    counterexample_make(r->e, r->t, r->all, r->c, &f, &at, false);
    if (r->state != NULL)
        state_make(r->state, r->t, &r->all->inputs, r->c, &at);
    return true;
}

/* With the heap empty, half full and full, and the right stamp and a wrong one. */
static bool try_index(trial *r, uint64_t index) {
    const spec *s = r->c->spec;
    uint64_t middle = (s->growth_start + s->growth_end) / 2 / MF_PAGE_SIZE * MF_PAGE_SIZE;
    const uint64_t ends[] = {s->growth_start, middle, s->growth_end};
    uint64_t limit = s->options.index == MF_INDEX_U33 ? 2 * UINT64_C(0xffffffff) : UINT32_MAX;
    if (index > limit)
        return false;
    for (size_t i = 0; i < 3; i++)
        if ((i == 0 || ends[i] != ends[i - 1]) && try_state(r, index, ends[i], s->stamp))
            return true;
    return s->options.stale == MF_STALE_CHECK && try_state(r, index, s->growth_start, ~s->stamp);
}

static bool try_around(trial *r, uint64_t edge) {
    for (uint64_t index = edge - 9; index != edge + 3; index++)
        if (try_index(r, index))
            return true;
    return false;
}

/* Edges of regions that are tried; the rest are like them. */
#define EDGES_MAX 512

static bool try_edges(trial *r) {
    const spec *s = r->c->spec;
    size_t count = s->layout == NULL ? 0 : mf_layout_region_count(s->layout);
    const uint64_t edges[] = {0,         s->growth_start, s->growth_end,
                              s->bounds, MF_SPACE_BYTES,  UINT64_C(0x180000000)};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++)
        if (try_around(r, edges[i]))
            return true;
    for (size_t n = 0; n < count && n < EDGES_MAX; n++) {
        mf_region region = mf_layout_region(s->layout, n);
        if (try_around(r, region.start) || try_around(r, region.start + region.size))
            return true;
    }
    return false;
}

bool try_states(const verify_code *code, terms *t, const paths *all, const contract *c, const duty *duties,
                const duty *wrong_ways, const uint64_t *indices, uint32_t index_count, mf_counterexample *e,
                verify_state *state) {
    trial r = {.memory = {code, c->spec, all->table, 0},
               .t = t,
               .all = all,
               .c = c,
               .duties = duties,
               .wrong_ways = wrong_ways,
               .values = calloc(t->count, sizeof *r.values),
               .variables = calloc(t->variable_count, sizeof *r.variables),
               .e = e,
               .state = state};
    bool found = false;
    if (r.values != NULL && r.variables != NULL) {
        for (uint32_t i = 0; i < index_count && !found; i++)
            found = try_index(&r, indices[i]);
        found = found || try_edges(&r);
    }
    free(r.values);
    free(r.variables);
    return found;
}
