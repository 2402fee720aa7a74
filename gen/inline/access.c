#include "inline/access.h"

/*
 * Where the guest bytes are. The index is the masked one; or its own register; or what a comparison has left,
 * index + delta, with the displacement taken off it; or it is widened now. At base 0 an instruction with a
 * 32-bit address takes the lower half of the register as it is (Intel SDM volume 1, 3.6.1), and bytes past
 * 2^32 are not wrapped.
 */
static x86_memory guest_bytes(inline_writer *w) {
    bool is_constant = w->options->base_is_constant;
    x86_memory bytes = {.base = X86_NONE, .index = w->index};
    if (is_constant)
        bytes.displacement = (int32_t)w->options->base_address;
    else
        w->reads_base = true;
    if (w->mask != NULL) {
        bytes.index = inline_masked(w);
    } else if (!w->index_is_wide && is_constant && bytes.displacement == 0) {
        bytes.is_32bit = true;
    } else if (!w->index_is_wide) {
        int64_t delta = w->content.is_known && w->content.is_wide ? w->content.delta : 0;
        bytes.index = inline_widen(w, delta);
        bytes.displacement -= (int32_t)delta;
    }
    if (is_constant) {
        bytes.base = bytes.index;
        bytes.index = X86_NONE;
    } else {
        bytes.base = w->base;
    }
    return bytes;
}

/* ---- Loads ---- */

/* Swapped as 16 bits, the upper ones are still zero. */
static void finish_word(inline_writer *w, bool sign_extends) {
    x86_rotate_word(&w->code, w->value);
    if (sign_extends)
        x86_sign_extend(&w->code, X86_16, w->value, w->value);
}

static void load_swapped(inline_writer *w, x86_size size, bool sign_extends, x86_memory bytes) {
    bool in_one = w->options->has_movbe && size != X86_16;
    if (in_one)
        x86_load_swapped(&w->code, size, w->value, bytes);
    else
        x86_load(&w->code, size, false, w->value, bytes);
    if (size == X86_16) {
        finish_word(w, sign_extends);
        return;
    }
    if (!in_one)
        x86_swap_bytes(&w->code, size, w->value);
    if (sign_extends)
        x86_sign_extend(&w->code, size, w->value, w->value);
}

/* ---- Stores ---- */

/* The value with its bytes swapped, in the scratch register that the index does not take. */
static x86_register put_swapped(inline_writer *w, x86_size size, const x86_memory *bytes) {
    bool is_taken = w->mask == NULL && !w->index_is_wide && !bytes->is_32bit;
    x86_register swapped = is_taken ? inline_second(w) : inline_temp(w);
    x86_move(&w->code, size == X86_64 ? X86_64 : X86_32, swapped, w->value);
    if (size == X86_16)
        x86_rotate_word(&w->code, swapped);
    else
        x86_swap_bytes(&w->code, size, swapped);
    return swapped;
}

static void store(inline_writer *w, x86_size size, bool swaps, x86_memory bytes) {
    bool in_one = swaps && w->options->has_movbe;
    x86_register value = swaps && !in_one ? put_swapped(w, size, &bytes) : w->value;
    w->result.access_offset = (uint32_t)w->code.byte_count;
    if (in_one)
        x86_store_swapped(&w->code, size, bytes, value);
    else
        x86_store(&w->code, size, bytes, value);
}

/* ---- Both ---- */

void inline_access(inline_writer *w) {
    w->result.access_offset = (uint32_t)w->code.byte_count;
    if (!w->is_reached)
        return;
    if (w->options->check_only) {
        x86_register index = w->mask != NULL ? inline_masked(w) : inline_widen(w, 0);
        w->result.index = MF_REGISTER(index);
        w->result.access_offset = (uint32_t)w->code.byte_count;
        return;
    }
    const mf_accessor_info *info = mf_accessor_info_get((mf_accessor_id)w->plan->accessor);
    x86_size size = (x86_size)info->width_bytes;
    bool swaps = w->options->endian == MF_BIG_ENDIAN && size != X86_8;
    x86_memory bytes = guest_bytes(w);
    w->result.access_offset = (uint32_t)w->code.byte_count;
    if (info->operation == MF_STORE)
        store(w, size, swaps, bytes);
    else if (swaps)
        load_swapped(w, size, info->sign_extends, bytes);
    else
        x86_load(&w->code, size, info->sign_extends, w->value, bytes);
}
