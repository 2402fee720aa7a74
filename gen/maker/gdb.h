/* Code made at run time, made known to gdb: an ELF file in memory for each linked set. */
#ifndef MEMFOLD_GEN_MAKER_GDB_H
#define MEMFOLD_GEN_MAKER_GDB_H

#include <memfold/accessors.h>

#include <llvm-c/Types.h>

typedef struct gdb_entry gdb_entry;

/* A copy of `object`, an x86-64 or other ELF64 file with functions <prefix>_<accessor>. NULL if there is no
 * memory. */
gdb_entry *gdb_entry_create(LLVMMemoryBufferRef object);

/* From now on gdb names the functions where they are linked. NULL does nothing. */
void gdb_entry_register(gdb_entry *entry, const char *prefix, const mf_accessors *set);

/* gdb forgets them again, if it knows them, and the entry is freed. NULL does nothing. */
void gdb_entry_destroy(gdb_entry *entry);

#endif
