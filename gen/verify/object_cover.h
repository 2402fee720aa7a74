/*
 * What the proofs of an object's accessors have come by: every byte of its code is an instruction of an
 * accessor that some path executes, or padding; what a relocation changes is an operand of one of these;
 * every exception entry is of one access; every table is read. Whatever a loader maps has then been looked
 * at.
 */
#ifndef MEMFOLD_GEN_VERIFY_OBJECT_COVER_H
#define MEMFOLD_GEN_VERIFY_OBJECT_COVER_H

#include "verify/decode.h"
#include "verify/object.h"

typedef struct object_cover {
    object *o;
    decoder *decoder;
    uint8_t
        *instructions; /* for each byte of the code: the bytes of the instruction that begins there, or 0 */
    bool *is_inside;   /* it is part of an instruction */
    bool *is_read;     /* for each byte of the tables */
    bool *is_used;     /* for each exception entry */
    char problem[256]; /* the first one that a proof has come by, or empty */
} object_cover;

/* `o` outlives the cover. MF_OUT_OF_MEMORY; then, too, object_cover_fini is called. */
mf_status object_cover_init(object_cover *c, object *o);
void object_cover_fini(object_cover *c);

/* What tells the cover of the proofs of `o`; `c` stays where it is. */
verify_observer object_cover_observer(object_cover *c);

/*
 * Proves accessors of the object, bit n for the n-th, against the layout and the options of the note, which
 * are `options` unless that is NULL; the others are known to hold, and the cover has been told so. The rest
 * of the object is checked if all hold. Statuses as mf_verify_object.
 */
mf_status object_prove(object_cover *c, const mf_layout *layout, const mf_accessor_options *options,
                       const mf_verify_limits *limits, uint32_t accessors, mf_verify_report *report);

/* Once all accessors are proved: MF_BAD_INPUT if something of the object has not been looked at. */
mf_status object_cover_check(const object_cover *c);

#endif
