/*
 * An ELF file in memory that names the functions of one range of the arena for gdb, and says how to unwind
 * them. It grows with the functions: a group of names is added in constant time, and room that is free again
 * is used for a group of the same form. One thread at a time for one object.
 */
#ifndef MEMFOLD_GEN_JIT_GDB_OBJECT_H
#define MEMFOLD_GEN_JIT_GDB_OBJECT_H

#include "jit/unwind.h"

#include <stddef.h>
#include <stdint.h>

typedef struct gdb_object gdb_object;

/* The names of one slot, in the slot's own record. All zero: none. */
typedef struct gdb_names {
    struct gdb_names *next; /* of the groups that are in force */
    struct gdb_names *previous;
    uint32_t first; /* symbol */
    uint32_t count; /* of symbols */
    uint32_t text;  /* offset of the first name */
    uint32_t text_bytes;
} gdb_names;

/* A function: its place counted from the slot's first byte. `name` is what stands behind "PREFIX_". */
typedef struct arena_function {
    const char *name;
    uint32_t offset;
    uint32_t bytes;
} arena_function;

/* gdb knows the range and can walk out of it. NULL if there is no memory. */
gdb_object *gdb_object_create(uintptr_t start, size_t bytes, const unwind_info *unwind);

/* gdb forgets them. NULL does nothing. */
void gdb_object_destroy(gdb_object *object);

/* Adds <prefix>_<name> for each of `count` functions counted from `start`, and tells gdb. Without memory
 * there are no names, which is all. */
void gdb_object_add(gdb_object *object, gdb_names *names, uintptr_t start, const char *prefix,
                    const arena_function *functions, size_t count);

/* The names are not in force any more. None and a NULL object do nothing. */
void gdb_object_remove(gdb_object *object, gdb_names *names);

#endif
