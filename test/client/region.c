#include "region.h"

#include <stdlib.h>

size_t region_find(const region *r, uint32_t pc) {
    size_t number = 0;
    while (number < r->block_count && r->blocks[number].pc != pc)
        number++;
    return number;
}

static bool make_room(region *r) {
    if (r->block_count < r->capacity)
        return true;
    size_t wanted = r->capacity == 0 ? 16 : 2 * r->capacity;
    region_block *moved = realloc(r->blocks, wanted * sizeof *moved);
    if (moved == NULL)
        return false;
    r->blocks = moved;
    r->capacity = wanted;
    return true;
}

static bool add_block(region *r, uint32_t pc, bool is_entry) {
    size_t number = region_find(r, pc);
    if (number == r->block_count) {
        if (!make_room(r))
            return false;
        r->blocks[r->block_count++] = (region_block){.pc = pc, .end = pc};
    }
    r->blocks[number].is_entry |= is_entry;
    return true;
}

/* Register 0 is no register. */
static void note_registers(region *r, const instruction *i) {
    bool writes = i->kind != BRANCH && i->kind != STORE;
    uint32_t written = writes ? UINT32_C(1) << i->rd : 0;
    r->writes |= written & ~UINT32_C(1);
    r->uses |= (written | UINT32_C(1) << i->rs1 | UINT32_C(1) << i->rs2) & ~UINT32_C(1);
}

/* What follows the last instruction of a block within the region. A call is followed by its return. */
static bool add_successors(region *r, const instruction *i, uint32_t pc) {
    uint32_t next = pc + INSTRUCTION_BYTES;
    uint32_t target = pc + i->immediate;
    if (returns_behind(i))
        return add_block(r, next, true);
    if (i->kind == BRANCH)
        return add_block(r, next, false) && add_block(r, target, false);
    return i->kind != JUMP || add_block(r, target, false);
}

/* `*budget` is how many instructions more the region may have. */
static bool explore_block(region *r, const guest *g, size_t number, size_t *budget) {
    uint32_t start = r->blocks[number].pc;
    uint32_t pc = start;
    uint32_t word;
    while (*budget > 0 && (pc == start || region_find(r, pc) == r->block_count) &&
           guest_fetch(g, pc, &word)) {
        instruction i = decode(word);
        note_registers(r, &i);
        --*budget;
        pc += INSTRUCTION_BYTES;
        r->blocks[number].end = pc;
        if (ends_block(&i))
            return add_successors(r, &i, pc - INSTRUCTION_BYTES);
    }
    return true;
}

bool region_explore(region *r, const guest *g, uint32_t entry) {
    size_t budget = REGION_INSTRUCTIONS_MAX;
    *r = (region){0};
    bool is_done = add_block(r, entry, true);
    for (size_t number = 0; is_done && number < r->block_count; number++)
        is_done = explore_block(r, g, number, &budget);
    if (!is_done)
        region_fini(r);
    return is_done;
}

void region_fini(region *r) {
    free(r->blocks);
    *r = (region){0};
}
