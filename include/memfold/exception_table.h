/*
 * The exception table: which instructions of generated code may fault, and where each continues if it does.
 * Every paged accessor with a status return has an entry. Code that the jit makes and objects that are
 * emitted ahead of time register their entries themselves; only a loader of its own kind needs the functions
 * below.
 */
#ifndef MEMFOLD_EXCEPTION_TABLE_H
#define MEMFOLD_EXCEPTION_TABLE_H

#include <memfold/abi.h>
#include <memfold/public.h>
#include <memfold/status.h>

#include <stddef.h>
#include <stdint.h>

MF_PUBLIC_BEGIN

/*
 * One entry, position-independent: each field is an address relative to the field itself. Emitted objects
 * collect theirs in the section MF_EXCEPTION_SECTION of the executable or shared object.
 */
typedef struct mf_exception_entry {
    int32_t fault;  /* the instruction that may fault */
    int32_t resume; /* where it continues then */
} mf_exception_entry;

#define MF_EXCEPTION_SECTION "mf_extable"

MF_STATIC_ASSERT(sizeof(mf_exception_entry) == 8, "mf_exception_entry");

/*
 * The `count` entries from `entries` on are in force, until they are unregistered as often as they were
 * registered. They stay where they are meanwhile. MF_OUT_OF_MEMORY.
 * Any thread, also while others fault; not in a signal handler.
 */
mf_status mf_exception_table_register(const mf_exception_entry *entries, size_t count, mf_diag *diag);

/* When this returns no thread uses the entries any more, and the code they speak of may be freed. */
void mf_exception_table_unregister(const mf_exception_entry *entries);

/*
 * Where the instruction at `host_pc` continues after a fault, or 0 if no entry names it. Any thread;
 * async-signal-safe: no lock, no allocation.
 */
uintptr_t mf_exception_table_lookup(uintptr_t host_pc);

/*
 * What an emitted object calls before main and at its end (under a name with the ABI version, as all entry
 * points of generated code): register and unregister [begin, end). Panics if the host has no memory.
 */
void mf_rt_register_v1(const mf_exception_entry *begin, const mf_exception_entry *end);
void mf_rt_unregister_v1(const mf_exception_entry *begin, const mf_exception_entry *end);

#define MF_RT_REGISTER_SYMBOL "mf_rt_register_v1"
#define MF_RT_UNREGISTER_SYMBOL "mf_rt_unregister_v1"

MF_PUBLIC_END

#endif
