/*
 * The container of an object: an ELF file as x86-64 compilers write it, of which not a byte is trusted. It is
 * read field by field, because what is refused here has to be refused before any other reader of ELF could
 * understand it differently: each byte of the file belongs to the header, to a section or to the table of
 * sections, once, or is a zero between them.
 */
#ifndef MEMFOLD_GEN_VERIFY_ELF_FILE_H
#define MEMFOLD_GEN_VERIFY_ELF_FILE_H

#include <memfold/status.h>

#include <elf.h>
#include <stdbool.h>

/* memfold emits at most 20. */
#define ELF_FILE_SECTIONS_MAX 64

typedef struct elf_file {
    const unsigned char *bytes;
    size_t byte_count;
    Elf64_Shdr sections[ELF_FILE_SECTIONS_MAX];
    size_t section_count; /* with the empty one, 0 */
    size_t names;         /* the section that holds their names */
    mf_diag *diag;
} elf_file;

/* Begins to read `bytes`, which stay the caller's. MF_BAD_INPUT. */
mf_status elf_file_open(elf_file *file, const void *bytes, size_t byte_count, mf_diag *diag);

/* The bytes of a section. */
const unsigned char *elf_file_bytes(const elf_file *file, size_t section);

/* The string at `offset` of a section, or NULL if it does not end in it. */
const char *elf_file_string(const elf_file *file, size_t section, uint64_t offset);

/* The name of a section, or "" if it has none. */
const char *elf_file_section_name(const elf_file *file, size_t section);

/* MF_BAD_INPUT with the section's number and name before the message. */
__attribute__((format(printf, 4, 5))) mf_status elf_file_refuse(const elf_file *file, size_t section,
                                                                uint64_t value, const char *format, ...);

#endif
