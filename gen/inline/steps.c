/*
 * How each step is written; that its inequality is exact is proved with the plan (plan/steps.c), and that the
 * instructions are that inequality is said here.
 *
 * Steps of 32-bit indices compare the lower half of the index's register, whatever the upper one holds, where
 * both sides of the comparison are below 2^32; else they widen the index first.
 */
#include "inline/steps.h"

#include <assert.h>

/* Of constants above this, 64-bit comparisons have no immediate. */
static bool is_immediate(uint64_t value) {
    return value <= INT32_MAX;
}

static const mf_plan_step *step_at(const inline_writer *w, uint32_t number) {
    return &w->plan->steps[number];
}

/* How far the byte that is looked at lies behind the first. */
static int32_t byte_of(const inline_writer *w, uint32_t number) {
    return step_at(w, number)->at == MF_AT_LAST ? (int32_t)w->plan->width_bytes - 1 : 0;
}

/* Compares the index with a constant below 2^32. */
static void compare_index(inline_writer *w, uint64_t value) {
    assert(value <= UINT32_MAX);
    if (inline_is_narrow(w)) {
        x86_compare(&w->code, X86_32, w->index, (int32_t)(uint32_t)value);
    } else if (is_immediate(value)) {
        x86_compare(&w->code, X86_64, w->index, (int32_t)value);
    } else {
        x86_register constant = inline_temp(w);
        x86_move_constant(&w->code, constant, value);
        x86_compare_registers(&w->code, X86_64, w->index, constant);
    }
}

/* ---- Windows ---- */

/* The most that lea subtracts: -2^31 is a displacement. */
#define LEA_MAX UINT64_C(0x80000000)

/* index - start in a scratch register: 64 bits, or modulo 2^32. */
static x86_register put_offset(inline_writer *w, uint64_t start) {
    x86_register offset = inline_temp(w);
    if (inline_is_narrow(w)) {
        x86_address(&w->code, X86_32, offset, w->index, (int32_t)(0 - (uint32_t)start));
    } else if (start <= LEA_MAX) {
        x86_address(&w->code, X86_64, offset, w->index, (int32_t)-(int64_t)start);
    } else {
        x86_address(&w->code, X86_64, offset, w->index, INT32_MIN);
        x86_subtract(&w->code, X86_64, offset, (int32_t)(start - LEA_MAX));
    }
    w->content =
        (inline_content){.is_known = true, .is_wide = !inline_is_narrow(w), .delta = -(int64_t)start};
    return offset;
}

/* index - start against last */
static void compare_offset(inline_writer *w, const mf_plan_step *step) {
    assert(step->at == MF_AT_FIRST && step->last <= UINT32_MAX);
    if (step->start == 0) {
        compare_index(w, step->last);
        return;
    }
    x86_register offset = put_offset(w, step->start);
    if (inline_is_narrow(w)) {
        x86_compare(&w->code, X86_32, offset, (int32_t)(uint32_t)step->last);
    } else if (is_immediate(step->last)) {
        x86_compare(&w->code, X86_64, offset, (int32_t)step->last);
    } else {
        x86_register last = inline_second(w);
        x86_move_constant(&w->code, last, step->last);
        x86_compare_registers(&w->code, X86_64, offset, last);
    }
}

/*
 * With a mask there is one register beside the masked index, here for a large constant: so the index itself
 * becomes the offset, is compared and masked as that, and becomes the index again. start is below 2^31, as
 * last is not.
 */
static void write_window_in_place(inline_writer *w, const mf_plan_step *step, x86_condition fail) {
    x86_register index = inline_masked(w);
    x86_register other = inline_temp(w);
    x86_address(&w->code, X86_64, index, index, -(int32_t)step->start);
    x86_move_constant(&w->code, other, step->last);
    x86_compare_registers(&w->code, X86_64, index, other);
    inline_mask_if(w, fail, X86_64, index, other, w->mask->start - step->start);
    x86_address(&w->code, X86_64, index, index, (int32_t)step->start);
}

static void write_window(inline_writer *w, uint32_t number) {
    const mf_plan_step *step = step_at(w, number);
    x86_condition pass = step->kind == MF_STEP_NOT_IN_HOLE ? X86_ABOVE : X86_NOT_ABOVE;
    if (w->mask != NULL && !inline_is_narrow(w) && step->start != 0 && !is_immediate(step->last)) {
        write_window_in_place(w, step, x86_negate(pass));
        return;
    }
    compare_offset(w, step);
    inline_decide(w, number, pass);
}

static void write_space(inline_writer *w, uint32_t number) {
    compare_index(w, step_at(w, number)->last);
    inline_decide(w, number, X86_NOT_ABOVE);
}

/* ---- The heap ---- */

/* index + delta against the live heap end, all 64 bits: both may lie above 2^32. */
static void compare_heap_end(inline_writer *w, int32_t delta) {
    x86_register byte = inline_widen(w, delta);
    x86_compare_memory(&w->code, byte, inline_view_field(w, MF_VIEW_HEAP_END_OFFSET));
}

/*
 * i - s < max(heap_end - l, 0)   <=>   s <= i and i + (l - s) < heap_end: for i >= s the one is the other
 * with l - s added; for i < s the left side wraps to at least 2^64 - 2^32, which no heap end exceeds. So one
 * scratch register suffices, and a heap that is still empty needs no case of its own.
 */
static void write_growing(inline_writer *w, uint32_t number) {
    const mf_plan_step *step = step_at(w, number);
    assert(step->at == MF_AT_FIRST);
    if (step->start != 0) {
        compare_index(w, step->start);
        inline_fail_if(w, number, X86_BELOW);
    }
    compare_heap_end(w, (int32_t)(step->last - step->start));
    inline_decide(w, number, X86_BELOW);
}

/*
 * By data flow: carry = at < heap_end becomes 0 or -1; then carry = at <= last is added. Only where the first
 * is not and the second is, the sum is above 0. Where no 32-bit index is above last, the second always is.
 */
static void write_growth_masked(inline_writer *w, uint32_t number) {
    int32_t delta = byte_of(w, number);
    uint64_t end = step_at(w, number)->last + 1 - (uint64_t)delta;
    compare_heap_end(w, delta);
    x86_register sum = inline_temp(w);
    x86_spread_carry(&w->code, sum);
    if (inline_is_narrow(w) && end > UINT32_MAX)
        x86_set_carry(&w->code);
    else if (inline_is_narrow(w))
        x86_compare(&w->code, X86_32, w->index, (int32_t)(uint32_t)end);
    else
        x86_compare(&w->code, X86_64, w->index, (int32_t)end);
    x86_add_carry(&w->code, X86_32, sum, 0);
    inline_decide(w, number, X86_NOT_GREATER);
}

/*
 * The same where the constant takes the register: carry = at <= last becomes 0 or -1, the masked index
 * becomes the last byte for the comparison with the heap end, and that carry is added. Below the heap end at
 * <= last always holds, so the sum is negative only where the first holds and the second does not.
 */
static void write_growth_in_place(inline_writer *w, uint32_t number) {
    int32_t delta = byte_of(w, number);
    x86_register index = inline_masked(w);
    x86_register sum = inline_temp(w);
    x86_move_constant(&w->code, sum, step_at(w, number)->last + 1 - (uint64_t)delta);
    x86_compare_registers(&w->code, X86_64, index, sum);
    x86_spread_carry(&w->code, sum);
    if (delta != 0)
        x86_address(&w->code, X86_64, index, index, delta);
    x86_compare_memory(&w->code, index, inline_view_field(w, MF_VIEW_HEAP_END_OFFSET));
    if (delta != 0)
        x86_address(&w->code, X86_64, index, index, -delta);
    x86_add_carry(&w->code, X86_32, sum, 0);
    inline_decide(w, number, X86_NOT_NEGATIVE);
}

/*
 * Not heap_end <= at <= last: it passes below the heap end and otherwise above last. Two branches: a site
 * goes to one side of the heap nearly always, and the shorter way is taken where that is the heap. Where last
 * is the end of the space or behind it, only the first is left: steps before have asked whether a 33-bit
 * index is in the space.
 */
static void write_growth(inline_writer *w, uint32_t number) {
    int32_t delta = byte_of(w, number);
    if (w->mask != NULL && !inline_is_narrow(w) && !is_immediate(step_at(w, number)->last + 1)) {
        write_growth_in_place(w, number);
        return;
    }
    if (w->mask != NULL) {
        write_growth_masked(w, number);
        return;
    }
    uint64_t last = step_at(w, number)->last - (uint64_t)delta;
    compare_heap_end(w, delta);
    if (last >= UINT32_MAX) {
        inline_decide(w, number, X86_BELOW);
        return;
    }
    inline_pass_if(w, number, X86_BELOW);
    compare_index(w, last);
    inline_decide(w, number, X86_ABOVE);
}

/* ---- Lookups ---- */

/*
 * at >> log2 in a register, for tables of the space alone: that at lies in it has been asked, so it is the
 * lower half that is shifted, and a lookup that is only speculated stays in the table.
 */
static void put_granule(inline_writer *w, x86_register to, uint32_t number, uint32_t log2) {
    int32_t delta = byte_of(w, number);
    if (delta == 0)
        x86_move(&w->code, X86_32, to, w->index);
    else
        x86_address(&w->code, X86_32, to, w->index, delta);
    x86_shift_right(&w->code, X86_32, to, log2);
}

/* The table plus an index in it; a constant address that is no displacement goes to the second register. */
static x86_memory table_entry(inline_writer *w, x86_register index, uint32_t scale_log2) {
    x86_memory entry = {.base = X86_NONE, .index = index, .scale_log2 = scale_log2};
    uint64_t address = w->options->table_address;
    if (address == 0) {
        entry.base = inline_table(w);
    } else if (is_immediate(address)) {
        entry.displacement = (int32_t)address;
        if (scale_log2 == 0) {
            entry.base = index;
            entry.index = X86_NONE;
        }
    } else {
        entry.base = inline_second(w);
        x86_move_constant(&w->code, entry.base, address);
    }
    return entry;
}

static void write_table_byte(inline_writer *w, uint32_t number) {
    x86_register granule = inline_temp(w);
    put_granule(w, granule, number, step_at(w, number)->granule_log2);
    x86_compare_byte(&w->code, table_entry(w, granule, 0), 0);
    inline_decide(w, number, X86_NOT_EQUAL);
}

/*
 * Bit at >> log2, in a word of 32: the word's number is at >> (log2 + 5), and bt takes the bit's number
 * modulo 32. With a mask one register is left, and bt finds the word itself, which takes the CPU longer.
 */
static void write_table_bit(inline_writer *w, uint32_t number) {
    uint32_t log2 = step_at(w, number)->granule_log2;
    x86_register word = inline_temp(w);
    if (w->mask != NULL) {
        put_granule(w, word, number, log2);
        x86_test_memory_bit(&w->code, table_entry(w, X86_NONE, 0), word);
    } else {
        put_granule(w, word, number, log2 + 5);
        x86_load(&w->code, X86_32, false, word, table_entry(w, word, 2));
        x86_register granule = inline_second(w);
        put_granule(w, granule, number, log2);
        x86_test_bit(&w->code, X86_32, word, granule);
    }
    inline_decide(w, number, X86_BELOW);
}

static uint64_t rotate_right(uint64_t value, uint32_t bits) {
    return value >> bits | value << (64 - bits);
}

/*
 * With a mask: bt takes the bit's number modulo 64, so the offset of the masked index is rotated by log2, not
 * shifted. The index's own register is then free for the bits, and the offset rotated back gives the index,
 * or the mask's start.
 */
static void write_immediate_bit_masked(inline_writer *w, uint32_t number) {
    const mf_plan_step *step = step_at(w, number);
    uint32_t away = (uint32_t)byte_of(w, number) - (uint32_t)step->start;
    uint32_t start_away = (uint32_t)w->mask->start + away;
    x86_register index = inline_masked(w);
    x86_register offset = inline_temp(w);
    x86_address(&w->code, X86_32, offset, index, (int32_t)away);
    x86_rotate_right(&w->code, offset, step->granule_log2);
    x86_move_constant(&w->code, index, step->bits);
    x86_test_bit(&w->code, X86_64, index, offset);
    inline_mask_if(w, X86_NOT_BELOW, X86_64, offset, index, rotate_right(start_away, step->granule_log2));
    x86_rotate_left(&w->code, offset, step->granule_log2);
    x86_address(&w->code, X86_32, index, offset, (int32_t)(0 - away));
}

/*
 * Bit (at - start) >> log2. at lies in the hull, so its offset is below 2^32 and what the comparison with the
 * hull has left in the register is it.
 */
static void write_immediate_bit(inline_writer *w, uint32_t number) {
    const mf_plan_step *step = step_at(w, number);
    int64_t delta = byte_of(w, number) - (int64_t)step->start;
    if (w->mask != NULL) {
        write_immediate_bit_masked(w, number);
        return;
    }
    inline_content known = w->content;
    x86_register granule = inline_temp(w);
    if (!known.is_known || known.delta != delta)
        x86_address(&w->code, X86_32, granule, w->index, (int32_t)(uint32_t)delta);
    x86_shift_right(&w->code, X86_32, granule, step->granule_log2);
    x86_register bits = inline_second(w);
    x86_move_constant(&w->code, bits, step->bits);
    x86_test_bit(&w->code, X86_64, bits, granule);
    inline_decide(w, number, X86_BELOW);
}

/* The live table has an entry for the last byte of every index, so all of the number counts. */
static void write_permission(inline_writer *w, uint32_t number) {
    int32_t delta = byte_of(w, number);
    x86_register page = inline_temp(w);
    x86_size size = inline_is_narrow(w) && delta == 0 ? X86_32 : X86_64;
    if (w->index_is_wide && delta != 0) {
        x86_address(&w->code, X86_64, page, w->index, delta);
    } else {
        x86_move(&w->code, inline_is_narrow(w) ? X86_32 : X86_64, page, w->index);
        if (delta != 0)
            x86_add(&w->code, X86_64, page, delta);
    }
    x86_shift_right(&w->code, size, page, MF_PAGE_LOG2);
    x86_memory entry = {.base = page, .index = X86_NONE};
    if (w->options->perms_are_in_table)
        entry = (x86_memory){.base = inline_table(w), .index = page};
    else
        x86_add_memory(&w->code, page, inline_view_field(w, MF_VIEW_PERMS_OFFSET));
    x86_compare_byte(&w->code, entry, w->plan->operation == MF_STORE ? MF_PERM_RW : MF_PERM_RO);
    inline_decide(w, number, X86_NOT_BELOW);
}

/*
 * at mod g <= l: with c = g - 1 - l that is (at + c) mod g >= c, since at mod g + c stays below g exactly
 * then, and is c less than at mod g + c - g otherwise. c is a small immediate.
 */
static void write_in_granule(inline_writer *w, uint32_t number) {
    const mf_plan_step *step = step_at(w, number);
    uint64_t low = (UINT64_C(1) << step->granule_log2) - 1;
    int32_t more = (int32_t)(low - step->last);
    assert(step->at == MF_AT_FIRST);
    x86_register place = inline_temp(w);
    x86_address(&w->code, X86_32, place, w->index, more);
    x86_and(&w->code, X86_32, place, (int32_t)(uint32_t)low);
    x86_compare(&w->code, X86_32, place, more);
    inline_decide(w, number, X86_NOT_BELOW);
}

/* ---- Stamps ---- */

static int32_t stamp_offset(const inline_writer *w) {
    return w->plan->index == MF_INDEX_U33 ? MF_VIEW_U33_STAMP_OFFSET : MF_VIEW_LAYOUT_STAMP_OFFSET;
}

static void write_same_layout(inline_writer *w, uint32_t number) {
    x86_register stamp = inline_temp(w);
    x86_move_constant(&w->code, stamp, step_at(w, number)->start);
    x86_compare_memory(&w->code, stamp, inline_view_field(w, stamp_offset(w)));
    inline_decide(w, number, X86_EQUAL);
}

static void write_same_backend(inline_writer *w, uint32_t number) {
    int8_t bit = (int8_t)MF_LAYOUT_STAMP_REFUSES(step_at(w, number)->start);
    x86_test_byte(&w->code, inline_view_field(w, stamp_offset(w)), bit);
    inline_decide(w, number, X86_EQUAL);
}

/* ---- Steps ---- */

/* What passes or fails by itself. */
static void write_always(inline_writer *w, uint32_t number) {
    inline_leave(w, number, (mf_exit)step_at(w, number)->on_pass);
}

typedef void write_step(inline_writer *w, uint32_t number);

static write_step *const WRITERS[MF_STEP_COUNT] = {
    [MF_STEP_ALWAYS] = write_always,
    [MF_STEP_SAME_LAYOUT] = write_same_layout,
    [MF_STEP_SAME_BACKEND] = write_same_backend,
    [MF_STEP_MMU] = write_always,
    [MF_STEP_IN_WINDOW] = write_window,
    [MF_STEP_NOT_IN_HOLE] = write_window,
    [MF_STEP_BELOW_HEAP_END] = write_growing,
    [MF_STEP_IN_HEAP] = write_growing,
    [MF_STEP_NOT_IN_GROWTH] = write_growth,
    [MF_STEP_IN_SPACE] = write_space,
    [MF_STEP_PERMISSION] = write_permission,
    [MF_STEP_TABLE_BYTE] = write_table_byte,
    [MF_STEP_TABLE_BIT] = write_table_bit,
    [MF_STEP_IMMEDIATE_BIT] = write_immediate_bit,
    [MF_STEP_IN_GRANULE] = write_in_granule,
    [MF_STEP_MASK] = write_always,
};

bool inline_knows_step(mf_step_kind kind) {
    return kind < MF_STEP_COUNT && WRITERS[kind] != NULL;
}

void inline_step(inline_writer *w, uint32_t number) {
    WRITERS[step_at(w, number)->kind](w, number);
}
