#include "stencil/write.h"

#include "stencil/table.h"

#include <assert.h>
#include <string.h>

/* Functions begin where the CPU fetches. */
#define FUNCTION_ALIGNMENT 16

/*
 * Callers that are compiled with -fsanitize=function read 8 bytes in front of the function that they call. So
 * the first one does not begin a set: before a set there may be no memory.
 */
#define BYTES_IN_FRONT FUNCTION_ALIGNMENT
#define BREAKPOINT 0xCC
#define PADDING 0xcc /* int3 */

static uint32_t align(uint32_t offset, uint32_t alignment) {
    return (offset + alignment - 1) & ~(alignment - 1);
}

/* ---- Choosing ---- */

static bool find_check(const check_shape *shape, uint16_t *number) {
    const stencil_table *t = &STENCIL_TABLE;
    for (uint32_t at = check_shape_hash(shape) & t->slot_mask; t->slots[at] != 0;
         at = (at + 1) & t->slot_mask) {
        const stencil_check *check = &t->checks[t->slots[at] - 1];
        if (check->shape.steps == shape->steps && check->shape.variant == shape->variant) {
            *number = (uint16_t)check->stencil;
            return true;
        }
    }
    return false;
}

static void add_piece(stencil_pieces *p, uint16_t number) {
    p->numbers[p->count++] = number;
}

static void add_part(stencil_pieces *p, uint32_t part) {
    add_piece(p, STENCIL_TABLE.parts[part]);
}

static void add_fault(stencil_pieces *p, const mf_plan *plan, const shape_way *way) {
    add_part(p, shape_fault((mf_accessor_id)plan->accessor, way, plan->limit != 0));
}

/* Check, access and fault; the check has the last word on where it goes. */
static bool add_checked(stencil_pieces *p, const mf_plan *plan, const mf_accessor_options *options,
                        const shape_way *way) {
    check_shape shape;
    uint16_t number;
    if (!check_shape_make(plan, options, &shape) || !find_check(&shape, &number))
        return false;
    bool masks = plan->steps[plan->step_count - 1].kind == MF_STEP_MASK;
    p->check = p->count;
    add_piece(p, number);
    add_part(p, shape_plain((mf_accessor_id)plan->accessor, way, masks ? 1 : way->is_u33));
    add_fault(p, plan, way);
    return true;
}

static bool choose(const mf_plan *plan, const mf_accessor_options *options, const shape_way *way,
                   stencil_pieces *p) {
    mf_accessor_id id = (mf_accessor_id)plan->accessor;
    p->count = 0;
    p->check = STENCIL_PIECES_MAX;
    p->first_step = (uint8_t)shape_first_step(plan);
    if (p->first_step > 0)
        add_part(p, shape_stamp(plan));
    const mf_plan_step *step = &plan->steps[p->first_step];
    if (step->kind == MF_STEP_MMU)
        add_part(p, shape_paged(id, way));
    else if (step->kind != MF_STEP_ALWAYS)
        return add_checked(p, plan, options, way);
    else if (step->on_pass == MF_EXIT_ALLOWED)
        add_part(p, shape_plain(id, way, way->is_u33));
    else
        add_fault(p, plan, way);
    return true;
}

/* The bytes of one accessor, and whether it has an entry in the exception table. */
static uint32_t measure(const stencil_pieces *p, uint32_t *entry_count) {
    uint32_t bytes = 0;
    for (uint8_t i = 0; i < p->count; i++) {
        const stencil *s = &STENCIL_TABLE.stencils[p->numbers[i]];
        bytes += s->code_bytes;
        *entry_count += s->fault != STENCIL_NO_FAULT;
    }
    return bytes;
}

/* Data begins in a cache line that has no code; copies of code may reach a piece beyond it. */
static void place_data(stencil_set *set, uint32_t code_end) {
    uint32_t at = align(code_end + STENCIL_COPY_BYTES, STENCIL_SET_ALIGNMENT);
    set->addresses = at;
    at += MF_RT_ENTRY_COUNT * (uint32_t)sizeof(uint64_t);
    set->entries = at;
    at += set->entry_count * (uint32_t)sizeof(mf_exception_entry);
    for (size_t i = 0; i < 2; i++) {
        if (set->plans->tables[i].byte_count > 0)
            at = align(at, STENCIL_SET_ALIGNMENT);
        set->tables[i] = at;
        at += (uint32_t)set->plans->tables[i].byte_count;
    }
    set->code_bytes = align(at, STENCIL_SET_ALIGNMENT);
    set->accessors = set->code_bytes;
    set->bytes = align(set->accessors + (uint32_t)sizeof(mf_accessors), STENCIL_SET_ALIGNMENT);
}

bool stencil_set_choose(const plan_set *plans, const mf_accessor_options *options, stencil_set *set) {
    shape_way way = shape_way_of(options);
    uint32_t at = BYTES_IN_FRONT;
    set->plans = plans;
    set->options = options;
    set->entry_count = 0;
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        if (!choose(&plans->plans[id], options, &way, &set->pieces[id]))
            return false;
        set->functions[id] = at;
        set->function_bytes[id] = measure(&set->pieces[id], &set->entry_count);
        at = align(at + set->function_bytes[id], FUNCTION_ALIGNMENT);
    }
    place_data(set, at);
    return true;
}

/* ---- Writing ---- */

/* One set on its way into memory. */
typedef struct writer {
    const stencil_set *set;
    unsigned char *write;
    uint32_t entry; /* how many are written */
} writer;

/* One accessor. */
typedef struct function {
    const mf_plan *plan;
    const stencil_pieces *pieces;
    uint32_t places[STENCIL_PIECES_MAX]; /* where the pieces are */
} function;

/* Whole copy pieces: what is too much is overwritten by what follows, or lies before the data. */
static void copy(unsigned char *to, const unsigned char *from, uint32_t count) {
    for (uint32_t i = 0; i < count; i += STENCIL_COPY_BYTES)
        memcpy(to + i, from + i, STENCIL_COPY_BYTES);
}

/* From the start of the set. */
static uint32_t place_of(const writer *w, const function *f, uint32_t piece, uint8_t what) {
    switch (what) {
    case STENCIL_PLACE_REST:
    case STENCIL_PLACE_ACCESS:
        return f->places[piece + 1];
    case STENCIL_PLACE_FAULT:
        return f->places[f->pieces->count - 1];
    case STENCIL_PLACE_TABLE:
        return w->set->tables[f->plan->operation];
    default:
        return w->set->addresses + (what - STENCIL_PLACE_ENTRY) * (uint32_t)sizeof(uint64_t);
    }
}

/* A number of the options has no step; what is asked first is a stamp. */
static uint64_t number_of(const writer *w, const function *f, uint32_t piece, const stencil_hole *hole) {
    uint32_t first = piece == f->pieces->check ? f->pieces->first_step : 0;
    const mf_plan_step *step = &f->plan->steps[first + hole->step];
    return plan_number_get(f->plan, step, w->set->options, (plan_number)hole->what);
}

static void fill(const writer *w, const function *f, uint32_t piece, const stencil_hole *hole) {
    uint32_t offset = f->places[piece] + hole->offset;
    unsigned char *to = w->write + offset;
    int64_t addend = hole->addend;
    if (hole->form == STENCIL_RELATIVE) {
        uint32_t distance = place_of(w, f, piece, hole->what) - offset + (uint32_t)addend;
        memcpy(to, &distance, sizeof distance);
        return;
    }
    uint64_t number = number_of(w, f, piece, hole);
    assert(plan_range_holds((plan_range)hole->range, number) && "the shape has numbers of this size");
    number += (uint64_t)addend;
    if (hole->form == STENCIL_HALF) {
        uint32_t half = (uint32_t)number;
        memcpy(to, &half, sizeof half);
    } else if (hole->form == STENCIL_WHOLE) {
        memcpy(to, &number, sizeof number);
    } else {
        *to = (unsigned char)number;
    }
}

/* Each half of an entry is relative to its own place. */
static void write_entry(writer *w, uint32_t place, const stencil *s) {
    uint32_t at = w->set->entries + w->entry * (uint32_t)sizeof(mf_exception_entry);
    mf_exception_entry entry = {
        .fault = (int32_t)(place + s->fault - (at + offsetof(mf_exception_entry, fault))),
        .resume = (int32_t)(place + s->resume - (at + offsetof(mf_exception_entry, resume)))};
    memcpy(w->write + at, &entry, sizeof entry);
    w->entry++;
}

static void write_function(writer *w, mf_accessor_id id) {
    const stencil_table *t = &STENCIL_TABLE;
    const stencil_pieces *pieces = &w->set->pieces[id];
    function f = {.plan = &w->set->plans->plans[id], .pieces = pieces};
    uint32_t at = w->set->functions[id];
    for (uint32_t i = 0; i < pieces->count; i++) {
        const stencil *s = &t->stencils[pieces->numbers[i]];
        f.places[i] = at;
        copy(w->write + at, t->code + s->code, s->code_bytes);
        at += s->code_bytes;
    }
    memset(w->write + at, PADDING, STENCIL_COPY_BYTES);
    for (uint32_t i = 0; i < pieces->count; i++) {
        const stencil *s = &t->stencils[pieces->numbers[i]];
        const stencil_hole *holes = t->holes + s->first_hole;
        for (uint32_t n = 0; n < s->hole_count; n++)
            fill(w, &f, i, &holes[n]);
        if (s->fault != STENCIL_NO_FAULT)
            write_entry(w, f.places[i], s);
    }
}

static void write_addresses(const writer *w) {
    static void (*const ENTRIES[])(void) = {
#define MF_X(name, function) [MF_RT_##name] = (void (*)(void))function,
        MF_RT_ENTRIES(MF_X)
#undef MF_X
    };
    memcpy(w->write + w->set->addresses, ENTRIES, sizeof ENTRIES);
}

/* mf_accessors is the functions in the order of mf_accessor_id, and what they fit. */
mf_accessors stencil_accessors(const uint32_t functions[MF_ACCESSOR_COUNT], plan_fit fit, uintptr_t run) {
    mf_accessors accessors;
    uintptr_t members[MF_ACCESSOR_COUNT];
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        members[id] = run + functions[id];
    memcpy(&accessors, members, sizeof members);
    accessors.layout_stamp = fit.layout_stamp;
    accessors.backends = fit.backends;
    accessors.policy = fit.policy;
    return accessors;
}

void stencil_set_write(const stencil_set *set, unsigned char *write) {
    writer w = {.set = set, .write = write};
    memset(write, BREAKPOINT, BYTES_IN_FRONT);
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        write_function(&w, id);
    write_addresses(&w);
    for (size_t i = 0; i < 2; i++) {
        const plan_table *table = &set->plans->tables[i];
        if (table->byte_count > 0)
            memcpy(write + set->tables[i], table->bytes, table->byte_count);
    }
}
