/* The sections of an object. */
#include "verify/object.h"

#include <stdlib.h>
#include <string.h>

/* A section of the list. */
typedef struct section_rule {
    const char *name;
    uint32_t type;
    uint64_t flags;
    uint64_t alignment;
} section_rule;

static const section_rule RULES[] = {
#define MF_X(ID, name, type, flags, alignment) {name, type, flags, alignment},
    OBJECT_SECTIONS(MF_X)
#undef MF_X
};

#define RELOCATIONS ".rela"

/* ---- One section ---- */

static object_section find_rule(const char *name) {
    object_section at = 0;
    while (at < OBJECT_SECTION_COUNT && strcmp(RULES[at].name, name) != 0)
        at++;
    return at;
}

/* The bytes of an entry where a section has entries; 0 and 8 are written for pointers to functions. */
static bool is_known_entry_size(object_section section, uint64_t bytes) {
    if (section == OBJECT_SYMBOLS)
        return bytes == sizeof(Elf64_Sym);
    return bytes == 0 || (bytes == 8 && (section == OBJECT_INIT || section == OBJECT_FINI));
}

/*
 * An address is for nothing here. The linker of binutils 2.44 gives the note of the stack, which is never
 * loaded and has no bytes, that of where the section before it ends.
 */
static mf_status check_fields(const object *o, size_t number, const section_rule *rule) {
    const Elf64_Shdr *header = &o->file.sections[number];
    if (header->sh_type != rule->type)
        return elf_file_refuse(&o->file, number, header->sh_type, "its type is %u instead of %u",
                               header->sh_type, rule->type);
    if (header->sh_flags != rule->flags)
        return elf_file_refuse(&o->file, number, header->sh_flags, "its flags are 0x%llx instead of 0x%llx",
                               (unsigned long long)header->sh_flags, (unsigned long long)rule->flags);
    if (header->sh_addralign != rule->alignment)
        return elf_file_refuse(&o->file, number, header->sh_addralign,
                               "its alignment is %llu instead of %llu",
                               (unsigned long long)header->sh_addralign, (unsigned long long)rule->alignment);
    if (header->sh_addr != 0 && !(header->sh_flags == 0 && header->sh_size == 0))
        return elf_file_refuse(&o->file, number, header->sh_addr, "it has an address");
    return MF_OK;
}

static mf_status take_listed(object *o, size_t number, object_section section) {
    const Elf64_Shdr *header = &o->file.sections[number];
    mf_status status = check_fields(o, number, &RULES[section]);
    if (status != MF_OK)
        return status;
    if (!is_known_entry_size(section, header->sh_entsize))
        return elf_file_refuse(&o->file, number, header->sh_entsize, "it has entries of %llu bytes",
                               (unsigned long long)header->sh_entsize);
    if (section != OBJECT_SYMBOLS && (header->sh_link != 0 || header->sh_info != 0))
        return elf_file_refuse(&o->file, number, header->sh_link, "it refers to another section");
    if (o->sections[section] != 0)
        return elf_file_refuse(&o->file, number, number, "there is another one of this name");
    o->sections[section] = number;
    return MF_OK;
}

/* What it relocates is looked up when all sections are known. */
static mf_status check_relocations(const object *o, size_t number) {
    static const section_rule RULE = {RELOCATIONS, SHT_RELA, SHF_INFO_LINK, 8};
    const Elf64_Shdr *header = &o->file.sections[number];
    mf_status status = check_fields(o, number, &RULE);
    if (status == MF_OK && (header->sh_entsize != sizeof(Elf64_Rela) || header->sh_size % sizeof(Elf64_Rela)))
        status = elf_file_refuse(&o->file, number, header->sh_size, "it has no whole number of relocations");
    return status;
}

static bool is_of_relocations(const char *name) {
    return strncmp(name, RELOCATIONS, strlen(RELOCATIONS)) == 0;
}

static mf_status take_each(object *o) {
    for (size_t number = 1; number < o->file.section_count; number++) {
        const char *name = elf_file_section_name(&o->file, number);
        object_section section = find_rule(name);
        mf_status status;
        if (section < OBJECT_SECTION_COUNT)
            status = take_listed(o, number, section);
        else if (is_of_relocations(name))
            status = check_relocations(o, number);
        else
            status = elf_file_refuse(&o->file, number, number, "memfold emits no section of this name");
        if (status != MF_OK)
            return status;
    }
    return MF_OK;
}

/* ---- All of them ---- */

static mf_status take_relocations(object *o, size_t number) {
    const Elf64_Shdr *header = &o->file.sections[number];
    const char *name = elf_file_section_name(&o->file, number) + strlen(RELOCATIONS);
    object_section section = find_rule(name);
    if (section >= OBJECT_LOADED_COUNT || o->sections[section] == 0)
        return elf_file_refuse(&o->file, number, number, "memfold emits no section of this name");
    if (header->sh_info != o->sections[section] || header->sh_link != o->sections[OBJECT_SYMBOLS])
        return elf_file_refuse(&o->file, number, header->sh_info,
                               "it does not relocate '%s' by the symbols of the object", name);
    if (o->relocations[section] != 0)
        return elf_file_refuse(&o->file, number, number, "there is another one of this name");
    o->relocations[section] = number;
    return MF_OK;
}

/* Those of the exception table come together. */
static bool is_required(const object *o, object_section section) {
    switch (section) {
    case OBJECT_TABLES:
    case OBJECT_NAMES:
        return false;
    case OBJECT_ENTRIES:
    case OBJECT_INIT:
    case OBJECT_FINI:
    case OBJECT_BOUNDS:
        return o->sections[OBJECT_ENTRIES] != 0 || o->sections[OBJECT_INIT] != 0 ||
               o->sections[OBJECT_FINI] != 0 || o->sections[OBJECT_BOUNDS] != 0;
    default:
        return true;
    }
}

static mf_status check_presence(const object *o) {
    for (object_section section = 0; section < OBJECT_SECTION_COUNT; section++)
        if (is_required(o, section) && o->sections[section] == 0)
            return mf_diag_set(o->diag, MF_BAD_INPUT, section, "the object has no section '%s'",
                               RULES[section].name);
    size_t names = o->sections[OBJECT_NAMES] != 0 ? o->sections[OBJECT_NAMES] : o->sections[OBJECT_STRINGS];
    if (o->file.names != names)
        return elf_file_refuse(&o->file, names, names, "the names of the sections are in another one");
    if (o->file.sections[o->sections[OBJECT_SYMBOLS]].sh_link != o->sections[OBJECT_STRINGS])
        return object_refuse(o, OBJECT_SYMBOLS, 0, "its names are not in '.strtab'");
    return MF_OK;
}

/* The sizes of the sections that have one. An empty ".note.GNU-stack" says that the stack is not executed. */
static mf_status check_sizes(const object *o) {
    static const struct {
        object_section section;
        uint64_t bytes;
    } SIZES[] = {{OBJECT_SET, sizeof(mf_accessors)},
                 {OBJECT_STAMP, 8},
                 {OBJECT_INIT, 8},
                 {OBJECT_FINI, 8},
                 {OBJECT_STACK, 0},
                 {OBJECT_BOUNDS, 36}};
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        size_t number = o->sections[SIZES[i].section];
        uint64_t bytes = o->file.sections[number].sh_size;
        if (number != 0 && bytes != SIZES[i].bytes)
            return elf_file_refuse(&o->file, number, bytes, "it has %llu bytes instead of %llu",
                                   (unsigned long long)bytes, (unsigned long long)SIZES[i].bytes);
    }
    return MF_OK;
}

mf_status object_take_sections(object *o) {
    mf_status status = take_each(o);
    for (size_t number = 1; status == MF_OK && number < o->file.section_count; number++)
        if (is_of_relocations(elf_file_section_name(&o->file, number)))
            status = take_relocations(o, number);
    if (status == MF_OK)
        status = check_presence(o);
    return status == MF_OK ? check_sizes(o) : status;
}
