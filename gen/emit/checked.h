/* A checked access: the steps of its plan and the access, as blocks. */
#ifndef MEMFOLD_GEN_EMIT_CHECKED_H
#define MEMFOLD_GEN_EMIT_CHECKED_H

#include "emit/cold.h"

typedef struct emit_checked {
    LLVMValueRef v_loaded; /* the value of a load, or the host address */
    bool is_reached;       /* false: no step leads to the access, and the builder's block is closed */
    LLVMBasicBlockRef b_fault_from; /* the last block that leads to the fault block, or NULL */
    emit_cold cold;                 /* for the fault block; its index is NULL where that is widened there */
} emit_checked;

/*
 * Emits all steps of the plan and the access where the builder stands, and leaves it on the good path. A
 * fault goes to `b_fault` (NULL if the plan has no fault edge). A store takes `v_value`.
 */
emit_checked emit_checked_access(const ir *ir, const emit_site *site, LLVMValueRef v_value,
                                 LLVMBasicBlockRef b_fault);

/* The same for an access of the client's own: what is delivered is the host address of its first byte. */
emit_checked emit_checked_host(const ir *ir, const emit_site *site, LLVMBasicBlockRef b_fault);

/* Puts the builder into the fault block; returns what its call is told. */
emit_cold emit_checked_enter_fault(const ir *ir, const emit_site *site, const emit_checked *checked,
                                   LLVMBasicBlockRef b_fault);

#endif
