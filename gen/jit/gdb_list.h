/*
 * The list of ELF files in memory that gdb reads at a breakpoint in __jit_debug_register_code (gdb's manual,
 * JIT Interface). It is of this library alone: one that LLVM or the client has stands beside it, and gdb
 * reads them all.
 */
#ifndef MEMFOLD_GEN_JIT_GDB_LIST_H
#define MEMFOLD_GEN_JIT_GDB_LIST_H

#include <stdint.h>

/* An entry as gdb reads it: struct jit_code_entry. The caller fills in the file. */
typedef struct gdb_file {
    struct gdb_file *next;
    struct gdb_file *previous;
    const void *file;
    uint64_t file_bytes;
} gdb_file;

/* The entry is in the list, and stays where it is until it is taken out. Any thread. */
void gdb_list_add(gdb_file *entry);
void gdb_list_remove(gdb_file *entry);

/* gdb reads the file of an entry of the list again, from where it is now. Its old storage may be freed
 * afterwards, and not before. */
void gdb_list_replace(gdb_file *entry, const void *file, uint64_t file_bytes);

#endif
