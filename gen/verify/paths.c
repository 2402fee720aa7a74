#include "verify/paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An accessor has no loops, and its stack is small. */
#define INSTRUCTIONS_MAX 512
#define PATHS_MAX 256
#define STACK_BYTES 128

enum { RSP = 4, RDI = 7 };

/* The bytes below rsp as it is at the entry, by their distance from it; 0: not written. */
typedef struct stack {
    term bytes[STACK_BYTES];
} stack;

/* One path on its way. */
typedef struct walk {
    path path;
    stack stack;
    model_state state;
    uint64_t pc;
    uint64_t executed[INSTRUCTIONS_MAX];
    uint32_t executed_count;
} walk;

/* All of them. */
typedef struct search {
    paths *p;
    terms *t;
    decoder *d;
    const verify_code *code;
    const mf_accessor_options *options;
    const verify_function *function;
    walk *now;
    instruction at;     /* the instruction that is executed */
    const char *broken; /* why a read or write was refused */
} search;

/* ---- Sums ---- */

#define PARTS_MAX 6

/* A sum of terms and a constant. */
typedef struct sum {
    term parts[PARTS_MAX];
    uint32_t count;
    uint64_t constant;
    bool is_too_long;
} sum;

static void add_parts(const terms *t, term a, sum *s) {
    const term_node *n = &t->nodes[a];
    uint64_t value;
    if (n->op == TERM_ADD) {
        add_parts(t, n->a, s);
        add_parts(t, n->b, s);
    } else if (term_is_const(t, a, &value)) {
        s->constant += value;
    } else if (s->count == PARTS_MAX) {
        s->is_too_long = true;
    } else {
        s->parts[s->count++] = a;
    }
}

static sum sum_of(const terms *t, term a) {
    sum s = {0};
    add_parts(t, a, &s);
    return s;
}

/* The rest of a sum without one part, which is in it. */
static term rest_of(terms *t, const sum *s, term without) {
    term rest = term_const(t, 64, s->constant);
    for (uint32_t i = 0; i < s->count; i++)
        if (s->parts[i] != without)
            rest = term_add(t, rest, s->parts[i]);
        else
            without = 0;
    return rest;
}

static bool has_part(const sum *s, term part) {
    for (uint32_t i = 0; i < s->count; i++)
        if (s->parts[i] == part)
            return true;
    return false;
}

static bool is_part_alone(const sum *s, term part) {
    return s->count == 1 && s->parts[0] == part;
}

/* ---- Where memory is ---- */

/* The number that is shifted out of an index on the way to an entry, or 0. */
static uint64_t shift_in(const terms *t, term a) {
    const term_node *n = &t->nodes[a];
    uint64_t shift;
    switch ((term_op)n->op) {
    case TERM_LSHR:
        return term_is_const(t, n->b, &shift) && shift < 64 ? shift : 0;
    case TERM_ZEXT:
    case TERM_SHL:
    case TERM_EXTRACT:
        return shift_in(t, n->a);
    case TERM_AND:
        shift = shift_in(t, n->a);
        return shift != 0 ? shift : shift_in(t, n->b);
    default:
        return 0;
    }
}

uint64_t path_lookup_shift(const terms *t, term a) {
    sum s = sum_of(t, a);
    for (uint32_t i = 0; i < s.count; i++)
        if (shift_in(t, s.parts[i]) >= MF_PAGE_LOG2)
            return shift_in(t, s.parts[i]);
    return 0;
}

/* ---- Reading ---- */

static term refuse(search *s, const char *why) {
    s->broken = why;
    return 0;
}

/*
 * The address of something in an object, which may come to lie anywhere: the unknown place of its range, and
 * how far behind that it is. Only its use as an address is followed.
 */
static term place_of(void *context, uint64_t address) {
    search *s = context;
    const verify_code *code = s->code;
    for (size_t i = 0; i < code->range_count; i++) {
        uint64_t offset = address - code->ranges[i].start;
        if (offset <= code->ranges[i].count && i < PATH_PLACES_MAX) {
            term *place = &s->p->places[i];
            if (*place == 0)
                *place = term_var(s->t, 64);
            return term_add(s->t, *place, term_const(s->t, 64, offset));
        }
    }
    return refuse(s, "takes the address of what is not its own");
}

/*
 * Replaces the place in a sum by where it is laid out here, and returns its range; NULL if there is none.
 * What leaves the range is something else, or nothing, wherever the object is linked.
 */
static const verify_range *find_placed(const search *s, sum *parts) {
    for (uint32_t i = 0; i < parts->count; i++)
        for (size_t k = 0; k < s->code->range_count && k < PATH_PLACES_MAX; k++)
            if (s->p->places[k] != 0 && parts->parts[i] == s->p->places[k]) {
                parts->parts[i] = parts->parts[--parts->count];
                parts->constant += s->code->ranges[k].start;
                return &s->code->ranges[k];
            }
    return NULL;
}

/* Accessors of this process with a constant base: what lies there is the guest's, and no constant. */
static bool is_guests(const search *s, uint64_t address) {
    return s->code->is_of_process && s->options->base == MF_BASE_CONSTANT &&
           address - s->options->base_address < MF_SPACE_BYTES;
}

static term read_constant(search *s, uint64_t address, uint32_t count) {
    uint8_t bytes[8];
    uint64_t value = 0;
    if (is_guests(s, address))
        return refuse(s, "reads the guest at a constant address");
    if (!verify_code_read(s->code, address, bytes, count))
        return refuse(s, "reads a constant address that is not readable");
    for (uint32_t i = count; i-- > 0;)
        value = value << 8 | bytes[i];
    if (s->code->observer.read_data != NULL)
        s->code->observer.read_data(s->code->observer.context, s->function->id, address, count);
    return term_const(s->t, 8 * count, value);
}

/* sbrk may run beside. Whoever reads more than twice is not followed. */
static term read_heap_end(search *s) {
    uint32_t reads = s->now->path.heap_end_reads++;
    if (reads > 1)
        return refuse(s, "reads the heap end more than twice");
    return reads == 0 ? s->p->inputs.heap_end : s->p->inputs.heap_end_later;
}

static term read_view(search *s, uint64_t offset, uint32_t count) {
    const path_inputs *in = &s->p->inputs;
    const struct {
        uint64_t offset;
        term field;
    } FIELDS[] = {{MF_VIEW_BASE_OFFSET, in->base},
                  {MF_VIEW_PERMS_OFFSET, in->perms},
                  {MF_VIEW_HEAP_END_OFFSET, in->heap_end},
                  {MF_VIEW_LAYOUT_STAMP_OFFSET, in->layout_stamp},
                  {MF_VIEW_U33_STAMP_OFFSET, in->u33_stamp}};
    for (size_t i = 0; i < sizeof FIELDS / sizeof FIELDS[0]; i++)
        if (offset >= FIELDS[i].offset && offset + count <= FIELDS[i].offset + 8) {
            bool is_heap_end = FIELDS[i].offset == MF_VIEW_HEAP_END_OFFSET;
            term field = is_heap_end ? read_heap_end(s) : FIELDS[i].field;
            uint32_t lowest = (uint32_t)(8 * (offset - FIELDS[i].offset));
            return field == 0 ? 0 : term_extract(s->t, field, lowest, 8 * count);
        }
    return refuse(s, "reads the view where generated code reads nothing");
}

/* What has not been written may be anything. */
static term read_stack(search *s, uint64_t offset, uint32_t count) {
    uint64_t depth = 0 - offset;
    if (depth > STACK_BYTES || depth < count)
        return refuse(s, "reads the stack outside of its own part");
    if (depth > 0 - sum_of(s->t, s->now->state.registers[RSP]).constant)
        return refuse(s, "reads below the stack pointer");
    term all = 0;
    for (uint32_t i = 0; i < count; i++) {
        term *byte = &s->now->stack.bytes[depth - i - 1];
        if (*byte == 0)
            *byte = term_var(s->t, 8);
        all = i == 0 ? *byte : term_concat(s->t, *byte, all);
    }
    return all;
}

static term look_up(search *s, term_space space, term offset, uint32_t count) {
    path *p = &s->now->path;
    if (p->lookup_count == PATH_LOOKUPS_MAX)
        return refuse(s, "looks up more than is followed");
    p->lookups[p->lookup_count++] = (path_lookup){space, offset, count};
    return term_read_bytes(s->t, space, offset, count);
}

static term look_up_table(search *s, const sum *parts, uint32_t count) {
    sum entry = *parts;
    entry.constant = 0;
    if (parts->constant == 0 || is_guests(s, parts->constant))
        return refuse(s, "looks up what is no table");
    if (s->p->table != 0 && s->p->table != parts->constant)
        return refuse(s, "looks up two constant tables");
    s->p->table = parts->constant;
    return look_up(s, TERM_TABLE, rest_of(s->t, &entry, 0), count);
}

/* How far `address` is behind another one: true if that is constant. */
static bool find_distance(const search *s, term from, term address, uint64_t *distance) {
    sum a = sum_of(s->t, from);
    sum b = sum_of(s->t, address);
    *distance = b.constant - a.constant;
    for (uint32_t i = 0; i < a.count; i++)
        for (uint32_t k = 0; k < b.count; k++)
            if (a.parts[i] == b.parts[k]) {
                b.parts[k] = b.parts[--b.count];
                break;
            }
    return !a.is_too_long && !b.is_too_long && b.count == 0 && a.count == sum_of(s->t, address).count;
}

#define ACCESS_BYTES 64

/* The access begins `distance` bytes lower. False if bytes of it are further than ACCESS_BYTES behind. */
static bool lower_access(path_access *access, uint64_t distance, term address) {
    if (distance >= ACCESS_BYTES || access->touched >> (ACCESS_BYTES - distance) != 0)
        return false;
    memmove(access->stored + distance, access->stored, (ACCESS_BYTES - distance) * sizeof(term));
    access->touched <<= distance;
    access->address = address;
    return true;
}

/* True if the bytes lie beside those that are there, and none of them has been accessed. */
static bool add_to_access(search *s, path_access *access, term address, uint32_t count, term value) {
    uint64_t distance;
    if (!find_distance(s, access->address, address, &distance))
        return false;
    if ((int64_t)distance < 0) {
        if (!lower_access(access, 0 - distance, address))
            return false;
        distance = 0;
    }
    uint64_t bytes = (UINT64_C(1) << count) - 1;
    if (distance > ACCESS_BYTES - count || (access->touched & bytes << distance) != 0)
        return false;
    access->touched |= bytes << distance;
    for (uint32_t i = 0; i < count && value != 0; i++)
        access->stored[distance + i] = term_extract(s->t, value, 8 * i, 8);
    return true;
}

/* What several instructions access the MMU does not decide as a whole; nor may the later ones fault. */
static void note_access(search *s, term address, uint32_t count, bool is_store, term value) {
    path *p = &s->now->path;
    path_access *access = &p->access;
    uint64_t resume = verify_code_resume(s->code, s->at.address);
    bool is_first = access->count == 0;
    bool is_later = !is_first && access->at != s->at.address;
    if (is_first)
        *access = (path_access){.count = 1,
                                .instructions = 1,
                                .at = s->at.address,
                                .resume = resume,
                                .address = address,
                                .is_store = is_store};
    bool is_part = is_store == access->is_store && add_to_access(s, access, address, count, value);
    if (!is_part || (is_later && resume != 0))
        access->count++;
    if (is_later) {
        access->instructions++;
        access->at = s->at.address;
        p->mmu = PATH_MMU_NOT_ASKED;
    }
}

static term read_guest(search *s, term address, uint32_t count) {
    note_access(s, address, count, false, 0);
    return term_read_bytes(s->t, TERM_GUEST, address, count);
}

/*
 * Which memory an address belongs to is told by what it is a sum of. A wrong guess proves nothing that is not
 * so: of the guest's bytes the address is proved to be base + index, of a lookup that it stays in its table.
 */
static term read_memory(void *context, term address, uint32_t count) {
    search *s = context;
    const path_inputs *in = &s->p->inputs;
    sum parts = sum_of(s->t, address);
    if (parts.is_too_long)
        return refuse(s, "reads an address that is a sum of too many parts");
    const verify_range *range = find_placed(s, &parts);
    if (range != NULL && parts.constant - range->start >= range->count)
        return refuse(s, "reads data that is not its own");
    if (parts.count == 0)
        return read_constant(s, parts.constant, count);
    if (is_part_alone(&parts, in->registers[RSP]))
        return read_stack(s, parts.constant, count);
    if (is_part_alone(&parts, in->registers[RDI]))
        return read_view(s, parts.constant, count);
    if (has_part(&parts, in->perms))
        return look_up(s, TERM_PERMS, rest_of(s->t, &parts, in->perms), count);
    if (range != NULL || (path_lookup_shift(s->t, address) != 0 && !has_part(&parts, in->base)))
        return look_up_table(s, &parts, count);
    return read_guest(s, address, count);
}

/* On the stack, of which the ABI says that rsp + 8 is a multiple of 16 at the entry. */
static bool is_aligned(void *context, term address, uint32_t bytes) {
    const search *s = context;
    sum parts = sum_of(s->t, address);
    return is_part_alone(&parts, s->p->inputs.registers[RSP]) && bytes <= 16 &&
           (parts.constant - 8) % bytes == 0;
}

/* ---- Writing ---- */

/* push writes where the stack pointer will be; all else lies at or above it: a signal or an interrupt may
 * write below. */
static bool write_stack(search *s, uint64_t offset, uint32_t count, term value) {
    sum top = sum_of(s->t, s->now->state.registers[RSP]);
    uint64_t lowest = top.constant - (s->at.id == INSTRUCTION_PUSH ? 8 : 0);
    uint64_t depth = 0 - offset;
    if (depth < count || depth > STACK_BYTES) {
        s->broken = "writes the stack outside of its own part";
        return false;
    }
    if (depth > 0 - lowest) {
        s->broken = "writes below the stack pointer";
        return false;
    }
    for (uint32_t i = 0; i < count; i++)
        s->now->stack.bytes[depth - i - 1] = term_extract(s->t, value, 8 * i, 8);
    return true;
}

static bool write_memory(void *context, term address, uint32_t count, term value) {
    search *s = context;
    const path_inputs *in = &s->p->inputs;
    sum parts = sum_of(s->t, address);
    if (is_part_alone(&parts, in->registers[RSP]))
        return write_stack(s, parts.constant, count, value);
    if (is_part_alone(&parts, in->registers[RDI]) || has_part(&parts, in->perms)) {
        s->broken = "writes the view or the permission table";
        return false;
    }
    note_access(s, address, count, true, value);
    return true;
}

/* ---- Ends ---- */

static void give_up(search *s, const char *why) {
    if (s->p->reason[0] != '\0')
        return;
    char bytes[3 * sizeof s->at.bytes + 1] = "";
    for (uint32_t i = 0; i < s->at.byte_count; i++)
        snprintf(bytes + 3 * (size_t)i, 4, " %02x", s->at.bytes[i]);
    snprintf(s->p->reason, sizeof s->p->reason, "%.80s (%.60s at +0x%llx:%s)", why, s->at.text,
             (unsigned long long)(s->now->pc - s->function->entry), bytes);
}

static void end_path(search *s, walk *w, path_end end) {
    paths *p = s->p;
    w->path.end = end;
    w->path.final = w->state;
    if (p->count == PATHS_MAX) {
        give_up(s, "there are too many paths");
        return;
    }
    if (p->count == p->capacity) {
        uint32_t capacity = p->capacity == 0 ? 8 : 2 * p->capacity;
        path *more = realloc(p->paths, capacity * sizeof *more);
        if (more == NULL) {
            p->has_failed = true;
            return;
        }
        p->paths = more;
        p->capacity = capacity;
    }
    p->paths[p->count++] = w->path;
}

static void break_path(search *s, walk *w, const char *trouble) {
    w->path.trouble = trouble;
    w->path.trouble_at = w->pc;
    end_path(s, w, PATH_BREAKS);
}

/* ---- Calls ---- */

/* The distance of the stack pointer from where it was at the entry. False if it is not constant. */
static bool stack_offset(const search *s, const walk *w, uint64_t *offset) {
    sum top = sum_of(s->t, w->state.registers[RSP]);
    *offset = top.constant;
    return is_part_alone(&top, s->p->inputs.registers[RSP]);
}

/* rsp + 8 is a multiple of 16 at each entry of a function. */
static void note_call(search *s, walk *w, mf_rt_entry entry, bool is_jump) {
    enum { RCX = 1, RDX = 2, RSI = 6 };
    static const uint8_t ARGUMENTS[] = {RDI, RSI, RDX, RCX};
    path_call *call = &w->path.call;
    uint64_t offset = 0;
    bool is_known = stack_offset(s, w, &offset);
    if (call->count++ != 0)
        return;
    call->entry = entry;
    call->is_aligned = is_known && (is_jump ? offset == 0 : offset % 16 == 8);
    for (size_t i = 0; i < sizeof ARGUMENTS; i++)
        call->arguments[i] = w->state.registers[ARGUMENTS[i]];
}

/* What nobody keeps across a call: flags, vector registers, and the stack below the stack pointer. */
static void forget_at_call(search *s, walk *w) {
    uint64_t offset = 0;
    for (size_t i = 0; i < MODEL_FLAGS; i++)
        w->state.flags[i] = term_var(s->t, 1);
    for (size_t n = 0; n < VECTOR_REGISTERS && s->function->is_embedded; n++)
        for (size_t i = 0; i < VECTOR_BYTES / 8; i++)
            w->state.vectors[n][i] = term_var(s->t, 64);
    stack_offset(s, w, &offset);
    for (uint64_t depth = 0 - offset; depth < STACK_BYTES; depth++)
        w->stack.bytes[depth] = 0;
}

/* mf_rt_fault keeps all general registers but rax and r11 (abi.h). */
static void come_back(search *s, walk *w) {
    enum { RAX = 0, R11 = 11 };
    term above = term_var(s->t, 32);
    w->state.registers[RAX] = term_concat(s->t, above, s->p->inputs.fault_kind);
    w->state.registers[R11] = term_var(s->t, 64);
    forget_at_call(s, w);
}

/* mf_rt_accessible is any function of the System V ABI. */
static void ask(search *s, walk *w) {
    enum { RAX = 0, RCX = 1, RDX = 2, RSI = 6 };
    static const uint8_t NOT_KEPT[] = {RCX, RDX, RSI, RDI, 8, 9, 10, 11};
    static const uint8_t ARGUMENTS[] = {RDI, RSI, RDX};
    path_question *question = &w->path.question;
    uint64_t offset = 0;
    bool is_known = stack_offset(s, w, &offset);
    if (question->count++ == 0) {
        question->is_aligned = is_known && offset % 16 == 8;
        for (size_t i = 0; i < sizeof ARGUMENTS; i++)
            question->arguments[i] = w->state.registers[ARGUMENTS[i]];
    }
    term above = term_var(s->t, 32);
    w->state.registers[RAX] = term_concat(s->t, above, s->p->inputs.answer);
    for (size_t i = 0; i < sizeof NOT_KEPT; i++)
        w->state.registers[NOT_KEPT[i]] = term_var(s->t, 64);
    forget_at_call(s, w);
}

static bool leaves(mf_rt_entry entry) {
    return entry == MF_RT_TRAP || entry == MF_RT_STALE;
}

/* True if the path goes on behind the call. */
static bool call(search *s, walk *w, mf_rt_entry entry) {
    if (entry == MF_RT_ACCESSIBLE && s->function->is_embedded) {
        ask(s, w);
        return true;
    }
    note_call(s, w, entry, false);
    if (leaves(entry)) {
        end_path(s, w, PATH_LEAVES);
        return false;
    }
    if (entry != MF_RT_FAULT) {
        break_path(s, w, "calls what no accessor calls");
        return false;
    }
    come_back(s, w);
    return true;
}

/* A jump out of the code is a call whose return is the accessor's. */
static void leave_by_jump(search *s, walk *w, mf_rt_entry entry) {
    note_call(s, w, entry, true);
    if (leaves(entry)) {
        end_path(s, w, PATH_LEAVES);
    } else if (entry == MF_RT_FAULT) {
        come_back(s, w);
        end_path(s, w, PATH_RETURNS);
    } else {
        break_path(s, w, "jumps to what no accessor calls");
    }
}

/* ---- Steps ---- */

static void follow(search *s, walk *w);

static bool add_condition(search *s, walk *w, term condition) {
    if (w->path.condition_count == PATH_CONDITIONS_MAX) {
        give_up(s, "there are too many branches");
        return false;
    }
    w->path.conditions[w->path.condition_count++] = condition;
    return true;
}

/* Follows a copy of the path at another place. */
static void fork_walk(search *s, const walk *w, uint64_t pc, term condition) {
    walk *other = malloc(sizeof *other);
    if (other == NULL) {
        s->p->has_failed = true;
        return;
    }
    *other = *w;
    other->pc = pc;
    if (condition == 0 || add_condition(s, other, condition))
        follow(s, other);
    free(other);
}

/* Where the target is the runtime's there is no code to follow. */
static bool jump(search *s, walk *w, term target) {
    uint64_t to;
    if (!term_is_const(s->t, target, &to)) {
        break_path(s, w, "jumps to an address that is computed");
        return false;
    }
    mf_rt_entry entry = verify_code_entry(s->code, to);
    if (entry != MF_RT_ENTRY_COUNT) {
        leave_by_jump(s, w, entry);
        return false;
    }
    w->pc = to;
    return true;
}

/* A linker's stub: one jump through a word of the offset table. */
static mf_rt_entry entry_behind_stub(search *s, uint64_t stub) {
    uint8_t bytes[15];
    instruction i;
    uint64_t slot;
    uint64_t target;
    bool is_jump = verify_code_read(s->code, stub, bytes, sizeof bytes) &&
                   decoder_decode(s->d, stub, bytes, sizeof bytes, &i) && i.id == INSTRUCTION_JMP;
    const operand *o = &i.operands[0];
    if (!is_jump || o->kind != OPERAND_MEMORY || o->base != REGISTER_RIP || o->index != REGISTER_NONE)
        return MF_RT_ENTRY_COUNT;
    slot = stub + i.byte_count + o->value;
    if (!term_is_const(s->t, read_constant(s, slot, 8), &target))
        return MF_RT_ENTRY_COUNT;
    if (s->code->observer.executed != NULL)
        s->code->observer.executed(s->code->observer.context, s->function->id, stub, i.byte_count);
    return verify_code_entry(s->code, target);
}

static mf_rt_entry entry_of(search *s, term target) {
    uint64_t to;
    if (!term_is_const(s->t, target, &to))
        return MF_RT_ENTRY_COUNT;
    mf_rt_entry entry = verify_code_entry(s->code, to);
    return entry == MF_RT_ENTRY_COUNT ? entry_behind_stub(s, to) : entry;
}

static bool take_call(search *s, walk *w, term target, uint64_t next) {
    mf_rt_entry entry = entry_of(s, target);
    if (entry == MF_RT_ENTRY_COUNT) {
        break_path(s, w, "calls what is not the runtime's");
        return false;
    }
    w->pc = next;
    return call(s, w, entry);
}

static bool asks_mmu(const search *s) {
    return s->options->backend == MF_BACKEND_X86_PAGED && s->options->policy == MF_POLICY_PERMS;
}

/* The handler would take the entry's way instead. */
static bool is_trap_with_entry(const search *s, const path_access *access) {
    return asks_mmu(s) && s->options->on_fault == MF_ON_FAULT_TRAP && access->resume != 0;
}

/*
 * The instruction has just accessed the guest. With an entry it may also have faulted, and then nothing of it
 * has happened (SDM volume 3, 6.5: page faults are faults); with a trap the handler leaves.
 */
static void split_at_mmu(search *s, walk *w, const walk *before) {
    const path_access *access = &w->path.access;
    bool returns = s->options->on_fault == MF_ON_FAULT_RETURN;
    if (!asks_mmu(s) || (returns && access->resume == 0))
        return;
    w->path.mmu = PATH_MMU_ALLOWS;
    if (!returns)
        return;
    if (s->code->observer.used_entry != NULL)
        s->code->observer.used_entry(s->code->observer.context, s->function->id, access->at);
    walk *refused = malloc(sizeof *refused);
    if (refused == NULL) {
        s->p->has_failed = true;
        return;
    }
    *refused = *before;
    refused->path.access = *access;
    refused->path.lookup_count = w->path.lookup_count;
    refused->path.mmu = PATH_MMU_REFUSES;
    refused->pc = access->resume;
    follow(s, refused);
    free(refused);
}

/* What cannot be decoded is shown by its first bytes. */
static bool fetch(search *s, walk *w) {
    uint8_t bytes[15];
    size_t count = sizeof bytes;
    while (count > 0 && !verify_code_read(s->code, w->pc, bytes, count))
        count--;
    s->now = w;
    if (count == 0) {
        s->at = (instruction){.address = w->pc};
        give_up(s, "the code is not readable");
        return false;
    }
    bool is_known = decoder_decode(s->d, w->pc, bytes, count, &s->at);
    if (is_known && instruction_is_of_vectors(s->at.id) && !s->function->is_embedded) {
        give_up(s, "an accessor with vector registers");
        return false;
    }
    if (!is_known) {
        s->at.byte_count = s->at.byte_count == 0 ? (uint8_t)count : s->at.byte_count;
        give_up(s, "an instruction that the model does not know");
    } else if (s->code->observer.executed != NULL) {
        s->code->observer.executed(s->code->observer.context, s->function->id, w->pc, s->at.byte_count);
    }
    return is_known;
}

/* An address that comes twice would be a loop, of which nobody knows how often. */
static bool note_executed(search *s, walk *w) {
    for (uint32_t i = 0; i < w->executed_count; i++)
        if (w->executed[i] == w->pc) {
            give_up(s, "the code has a loop");
            return false;
        }
    if (w->executed_count == INSTRUCTIONS_MAX) {
        give_up(s, "there are too many instructions");
        return false;
    }
    w->executed[w->executed_count++] = w->pc;
    return true;
}

/* The stack pointer is in the accessor's own part of the stack, always: what a signal or an interrupt writes
 * below it is nobody's. */
static bool keeps_stack(const search *s, const walk *w) {
    uint64_t offset;
    return stack_offset(s, w, &offset) && 0 - offset <= STACK_BYTES;
}

/* True if the path goes on. */
static bool go_on(search *s, walk *w, const instruction *i, model_step step) {
    uint64_t next = i->address + i->byte_count;
    uint64_t target = 0;
    switch (step.next) {
    case MODEL_FOLLOWS:
        w->pc = next;
        return true;
    case MODEL_BRANCHES:
        term_is_const(s->t, step.target, &target);
        fork_walk(s, w, target, step.condition);
        w->pc = next;
        return add_condition(s, w, term_not(s->t, step.condition));
    case MODEL_JUMPS:
        return jump(s, w, step.target);
    case MODEL_CALLS:
        return take_call(s, w, step.target, next);
    case MODEL_RETURNS:
        end_path(s, w, PATH_RETURNS);
        return false;
    case MODEL_STOPS:
        w->path.stops = true;
        break_path(s, w, "stops at ud2 or int3");
        return false;
    case MODEL_REFUSED:
        break_path(s, w, s->broken);
        return false;
    case MODEL_UNKNOWN:
        give_up(s, "operands that the model does not know");
        return false;
    }
    return false;
}

/* One instruction. True if the path goes on. */
static bool execute(search *s, walk *w, walk *before) {
    if (!fetch(s, w) || !note_executed(s, w))
        return false;
    instruction i = s->at;
    model m = {.t = s->t,
               .state = w->state,
               .context = s,
               .read = read_memory,
               .write = write_memory,
               .place = s->code->is_relocatable ? place_of : NULL,
               .is_aligned = is_aligned};
    *before = *w;
    model_step step = model_execute(&m, &i);
    w->state = m.state;
    if (!keeps_stack(s, w)) {
        break_path(s, w, "moves the stack pointer out of its own part of the stack");
        return false;
    }
    bool has_accessed = w->path.access.count == 1 && before->path.access.count == 0;
    if (has_accessed && is_trap_with_entry(s, &w->path.access)) {
        break_path(s, w, "an access that traps has an exception entry");
        return false;
    }
    if (has_accessed && step.next != MODEL_REFUSED && step.next != MODEL_UNKNOWN) {
        split_at_mmu(s, w, before);
        s->now = w;
        s->at = i;
    }
    return go_on(s, w, &i, step);
}

static void follow(search *s, walk *w) {
    walk *before = malloc(sizeof *before);
    if (before == NULL) {
        s->p->has_failed = true;
        return;
    }
    while (s->p->reason[0] == '\0' && !s->p->has_failed && execute(s, w, before))
        ;
    free(before);
}

/* ---- The entry ---- */

static path_inputs make_inputs(terms *t, bool is_embedded) {
    path_inputs in = {0};
    for (size_t i = 0; i < 16; i++)
        in.registers[i] = term_var(t, 64);
    for (size_t i = 0; i < MODEL_FLAGS; i++)
        in.flags[i] = term_var(t, 1);
    in.base = term_var(t, 64);
    in.perms = term_var(t, 64);
    in.heap_end = term_var(t, 64);
    in.heap_end_later = term_var(t, 64);
    in.layout_stamp = term_var(t, 64);
    in.u33_stamp = term_var(t, 64);
    in.fault_kind = term_var(t, 32);
    in.answer = is_embedded ? term_var(t, 32) : 0;
    for (size_t n = 0; n < VECTOR_REGISTERS && is_embedded; n++)
        for (size_t i = 0; i < VECTOR_BYTES / 8; i++)
            in.vectors[n][i] = term_var(t, 64);
    return in;
}

void paths_find(paths *p, terms *t, decoder *d, const verify_code *code, const mf_accessor_options *options,
                const verify_function *function) {
    *p = (paths){.inputs = make_inputs(t, function->is_embedded)};
    walk *w = calloc(1, sizeof *w);
    if (w == NULL) {
        p->has_failed = true;
        return;
    }
    search s = {.p = p, .t = t, .d = d, .code = code, .options = options, .function = function};
    w->pc = function->entry;
    memcpy(w->state.registers, p->inputs.registers, sizeof w->state.registers);
    memcpy(w->state.flags, p->inputs.flags, sizeof w->state.flags);
    memcpy(w->state.vectors, p->inputs.vectors, sizeof w->state.vectors);
    follow(&s, w);
    free(w);
    p->has_failed = p->has_failed || t->has_failed;
}

void paths_fini(paths *p) {
    free(p->paths);
    *p = (paths){0};
}
