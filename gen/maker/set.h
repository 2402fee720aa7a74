/*
 * One accessor set as callable code: compiled, linked, its exception table registered, and known to debuggers
 * and profilers.
 */
#ifndef MEMFOLD_GEN_MAKER_SET_H
#define MEMFOLD_GEN_MAKER_SET_H

#include "emit/set.h"
#include "host/perf_map.h"
#include "maker/gdb.h"
#include "maker/linker.h"

#include <memfold/accessors.h>
#include <memfold/exception_table.h>
#include <memfold/status.h>

#include <llvm-c/TargetMachine.h>

/* What sets are made with; used by one thread at a time. */
typedef struct toolchain {
    LLVMTargetMachineRef machine;
    linker *linker;
    perf_map perf_map;
} toolchain;

/* All zero at first, and to be given to fini also after a failure. MF_IO, MF_LLVM, MF_OUT_OF_MEMORY. */
mf_status toolchain_init(toolchain *tools, bool has_perf_map, mf_diag *diag);
void toolchain_fini(toolchain *tools);

/* `accessors` lives in the set's own data. */
typedef struct linked_set {
    const mf_accessors *accessors;
    const mf_exception_entry *entries; /* of the exception table, registered; NULL if there are none */
    gdb_entry *gdb;                    /* NULL if the host had no memory for it */
    LLVMOrcResourceTrackerRef tracker;
} linked_set;

/*
 * Writes a new set, which the caller unlinks. No other set has the same prefix. MF_OUT_OF_MEMORY, MF_LLVM,
 * MF_INVALID_ARGUMENT as compile_set.
 */
mf_status linked_set_make(toolchain *tools, const emit_input *input, linked_set *set, mf_diag *diag);
void linked_set_unlink(toolchain *tools, linked_set *set);

#endif
