/*
 * From plans to callable code: build the module, compile it, link it into this process. One linker serves
 * one thread at a time; the jit holds a lock around it, because LLVM's state behind it is shared.
 */
#ifndef MEMFOLD_GEN_JIT_LINKER_H
#define MEMFOLD_GEN_JIT_LINKER_H

#include "emit/set.h"
#include "jit/gdb.h"

#include <memfold/accessors.h>
#include <memfold/exception_table.h>
#include <memfold/status.h>

#include <llvm-c/Orc.h>

#include <stdio.h>

typedef struct linker linker;

/* One linked accessor set. `accessors` lives in its data, until linker_unlink. */
typedef struct linked_set {
    const mf_accessors *accessors;
    const mf_exception_entry *entries; /* of the exception table, registered; NULL if there are none */
    gdb_entry *gdb;                    /* NULL if the host had no memory for it */
    LLVMOrcResourceTrackerRef tracker;
} linked_set;

/* Writes a linker; the caller destroys it after every set is unlinked. MF_OUT_OF_MEMORY, MF_LLVM. */
mf_status linker_create(linker **made, mf_diag *diag);
void linker_destroy(linker *linker);

/*
 * Writes a new set. No other set has the same prefix. `perf_map` (NULL for none) gets a line for each
 * function. MF_OUT_OF_MEMORY, MF_LLVM.
 */
mf_status linker_link(linker *linker, const emit_input *input, FILE *perf_map, linked_set *set,
                      mf_diag *diag);
void linker_unlink(linker *linker, linked_set *set);

#endif
