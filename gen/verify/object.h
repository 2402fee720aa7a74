/*
 * An emitted object as what is to be proved. The lists below are all that an object may contain; whatever
 * else it has refuses it, with the section and the place. Its sections are laid out at addresses that nobody
 * can foresee, and its relocations are applied there.
 */
#ifndef MEMFOLD_GEN_VERIFY_OBJECT_H
#define MEMFOLD_GEN_VERIFY_OBJECT_H

#include "verify/code.h"
#include "verify/elf_file.h"

#include <memfold/object.h>

/* The sections, each at most once, and of relocations one for each. X(ID, name, type, flags, alignment) */
#define OBJECT_SECTIONS(X)                                                                                   \
    X(TEXT, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 16)                                            \
    X(TABLES, ".rodata", SHT_PROGBITS, SHF_ALLOC, 64)                                                        \
    X(SET, ".data.rel.ro", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 16)                                          \
    X(STAMP, ".data.rel.ro.memfold_abi", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE | SHF_GNU_RETAIN, 8)            \
    X(ENTRIES, MF_EXCEPTION_SECTION, SHT_PROGBITS, SHF_ALLOC | SHF_GNU_RETAIN, 4)                            \
    X(INIT, ".init_array.0", SHT_INIT_ARRAY, SHF_ALLOC | SHF_WRITE | SHF_GNU_RETAIN, 8)                      \
    X(FINI, ".fini_array.0", SHT_FINI_ARRAY, SHF_ALLOC | SHF_WRITE | SHF_GNU_RETAIN, 8)                      \
    X(BOUNDS, MF_EXCEPTION_NOTE_SECTION, SHT_NOTE, SHF_ALLOC | SHF_GNU_RETAIN, 4)                            \
    X(OPTIONS, MF_OBJECT_NOTE_SECTION, SHT_NOTE, SHF_EXCLUDE, 4)                                             \
    X(STACK, ".note.GNU-stack", SHT_PROGBITS, 0, 1)                                                          \
    X(SYMBOLS, ".symtab", SHT_SYMTAB, 0, 8)                                                                  \
    X(STRINGS, ".strtab", SHT_STRTAB, 0, 1)                                                                  \
    X(NAMES, ".shstrtab", SHT_STRTAB, 0, 1)

typedef enum object_section {
#define MF_X(ID, name, type, flags, alignment) OBJECT_##ID,
    OBJECT_SECTIONS(MF_X)
#undef MF_X
        OBJECT_SECTION_COUNT
} object_section;

/* How many of them are loaded; they come first. */
#define OBJECT_LOADED_COUNT (OBJECT_BOUNDS + 1)

/* memfold emits at most 30; a linker adds one for each section. */
#define OBJECT_SYMBOLS_MAX 64

/* What a symbol stands for. */
typedef enum object_symbol_kind {
    OBJECT_NOTHING,     /* the empty one, and that of the file's name */
    OBJECT_PLACE,       /* `value` in a section of this object */
    OBJECT_RUNTIME,     /* an entry point of the runtime */
    OBJECT_ABI,         /* its ABI stamp */
    OBJECT_TABLE_START, /* bounds of the exception table, which linkers define */
    OBJECT_TABLE_STOP
} object_symbol_kind;

typedef struct object_symbol {
    object_symbol_kind kind;
    object_section section; /* of OBJECT_PLACE */
    mf_rt_entry entry;      /* of OBJECT_RUNTIME */
    uint64_t value;
} object_symbol;

/* The functions: the accessors, then those that register the exception table and take it back. */
enum { OBJECT_REGISTER = MF_ACCESSOR_COUNT, OBJECT_UNREGISTER, OBJECT_FUNCTION_COUNT };

/* Where a function is, from the start of the code. 0 bytes: it is not defined. */
typedef struct object_function {
    uint64_t start;
    uint64_t bytes;
} object_function;

/* A section as it is loaded. */
typedef struct object_image {
    unsigned char *bytes;
    bool *is_relocated; /* for each byte */
    uint64_t count;
    uint64_t address;
} object_image;

/* An instruction of the code that a relocation demands, from the start of the code. */
typedef struct object_site {
    uint64_t start;
    uint64_t bytes;
} object_site;

typedef struct object {
    elf_file file;
    mf_object_note note;
    size_t sections[OBJECT_SECTION_COUNT];   /* their numbers, or 0 */
    size_t relocations[OBJECT_LOADED_COUNT]; /* the numbers of theirs, or 0 */
    object_symbol symbols[OBJECT_SYMBOLS_MAX];
    size_t symbol_count;
    object_function functions[OBJECT_FUNCTION_COUNT];
    bool is_declared[MF_RT_ENTRY_COUNT]; /* the entry points that the object names */
    bool names_abi;
    object_image images[OBJECT_LOADED_COUNT];
    uint64_t words[MF_RT_ENTRY_COUNT]; /* the global offset table */
    uint64_t words_address;
    object_site *sites;
    size_t site_count;
    verify_entry *entries;
    size_t entry_count;
    verify_range ranges[3];
    mf_diag *diag;
} object;

/*
 * Reads an object, of whose `bytes`, which stay the caller's, nothing is trusted. Afterwards everything is as
 * memfold emits it but the instructions, the constant data and what the exception entries name. MF_BAD_INPUT,
 * MF_OUT_OF_MEMORY. Then, too, object_fini is called.
 */
mf_status object_init(object *o, const void *bytes, size_t byte_count, mf_diag *diag);
void object_fini(object *o);

/* The object's code for a prover; it borrows from the object. `observer` is NULL or told what is proved. */
verify_code object_code(object *o, const verify_observer *observer);

/* ---- The steps of object_init, in this order, one file for each ---- */

/* object_sections.c: the file has the sections of the list and no others, and each byte of names is used. */
mf_status object_take_sections(object *o);

/* object_note.c: the note. */
mf_status object_take_note(object *o);

/* object_symbols.c: the symbols that the note's prefix demands, and no others. */
mf_status object_take_symbols(object *o);

/* object_relocations.c: images with all relocations applied, of which each is on a list. */
mf_status object_relocate(object *o);

/* object_parts.c: what the data say. */
mf_status object_check_parts(object *o);

/* MF_BAD_INPUT with the section before the message. */
#define object_refuse(o, section, value, ...)                                                                \
    elf_file_refuse(&(o)->file, (o)->sections[section], value, __VA_ARGS__)

#endif
