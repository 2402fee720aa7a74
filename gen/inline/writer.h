/*
 * One code while it is written: its registers, what the scratch register holds, and where its jumps go.
 *
 * Jumps inside the code are as short as their distance allows, which is known once the code is written. So it
 * is written again until nothing changes that a jump leads to: each pass takes the positions of labels from
 * the one before, and a jump that was too short stays long. Code without such jumps is written once.
 */
#ifndef MEMFOLD_GEN_INLINE_WRITER_H
#define MEMFOLD_GEN_INLINE_WRITER_H

#include "inline/encode.h"

#include <memfold/inline.h>

/*
 * What is known of the first scratch register: that it is index + delta, as a number of 64 bits, or modulo
 * 2^32 with the upper half 0.
 */
typedef struct inline_content {
    bool is_known;
    bool is_wide;
    int64_t delta;
} inline_content;

/* The beginning of a step, or of the access. */
typedef struct inline_label {
    bool is_placed;
    size_t position;        /* in the pass before */
    bool is_target;         /* something before it jumps here */
    inline_content content; /* of all that jump here */
} inline_label;

/* Two of a step at most, and one that is unconditional. */
#define INLINE_JUMPS_MAX (3 * MF_PLAN_STEPS_MAX)
#define INLINE_LABEL_ACCESS MF_PLAN_STEPS_MAX

typedef struct inline_writer {
    const mf_plan *plan;
    const mf_inline_options *options;
    const mf_plan_step *mask; /* NULL: nothing is masked */
    x86_register base;
    x86_register index;
    x86_register value;
    x86_register view;
    x86_register table;
    x86_register scratch[2];
    bool index_is_wide; /* all 64 bits of its register are the index */

    /* What a pass finds out. */
    uint8_t bytes[MF_INLINE_BYTES_MAX];
    x86_code code;
    bool is_reached; /* the place is reached from what stands before it */
    inline_content content;
    uint32_t scratch_count;
    bool reads_base;
    bool reads_view;
    bool reads_table;
    bool is_misfit; /* it would take a third scratch register */
    mf_inline_result result;

    /* What one pass leaves to the next. */
    inline_label labels[MF_PLAN_STEPS_MAX + 1];
    uint32_t jump_count;
    bool is_far[INLINE_JUMPS_MAX];
    bool has_changed;
} inline_writer;

/* The index is a 32-bit address. */
bool inline_is_narrow(const inline_writer *w);

/*
 * A scratch register for the comparison of the moment, which no longer holds what it held; and a second one.
 * Where there is a mask the other register holds the masked index.
 */
x86_register inline_temp(inline_writer *w);
x86_register inline_second(inline_writer *w);
x86_register inline_masked(inline_writer *w);

/* The two with their use noted. */
x86_register inline_view(inline_writer *w);
x86_register inline_table(inline_writer *w);

/* The address of a field of the view. */
x86_memory inline_view_field(inline_writer *w, int32_t offset);

/* Writes index + delta as 64 bits to the temp, unless the temp or the index's own register are that. */
x86_register inline_widen(inline_writer *w, int64_t delta);

/* A label stands here. */
void inline_bind(inline_writer *w, uint32_t label);

/*
 * Writes what becomes of the flags after step `number` has compared. The first: to where the step leads if it
 * fails, if `fail` holds. The second: to where it leads if it passes, if `pass` holds. The third: the step is
 * decided by `pass`. What leads to the next thing written takes no jump. Where there is a mask, a comparison
 * that fails also makes the masked index the mask's start.
 */
void inline_fail_if(inline_writer *w, uint32_t number, x86_condition fail);
void inline_pass_if(inline_writer *w, uint32_t number, x86_condition pass);
void inline_decide(inline_writer *w, uint32_t number, x86_condition pass);

/*
 * The same where there is a mask and what it is made of is not the masked index as it is: if `fail` holds, to
 * the fault, and `to` becomes `value`, by way of `other`; of X86_32 the upper half of `to` becomes 0 in any
 * case.
 */
void inline_mask_if(inline_writer *w, x86_condition fail, x86_size size, x86_register to, x86_register other,
                    uint64_t value);

/* Writes a jump to where a step leads. */
void inline_leave(inline_writer *w, uint32_t number, mf_exit exit);

#endif
