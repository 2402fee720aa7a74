/*
 * The list that gdb reads at a breakpoint in __jit_debug_register_code. It is one for the process and stands
 * in libLLVM; LLVM's own support for it never takes an object off again, so the entries here are our own.
 */
#include "maker/gdb.h"

#include <llvm-c/Core.h>

#include <elf.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The interface, as gdb's manual gives it (JIT Interface, Declarations) ---- */

enum { ACTION_NONE = 0, ACTION_REGISTER = 1, ACTION_UNREGISTER = 2 };

struct jit_code_entry {
    struct jit_code_entry *next;
    struct jit_code_entry *previous;
    const char *file;
    uint64_t file_bytes;
};

struct jit_descriptor {
    uint32_t version;
    uint32_t action;
    struct jit_code_entry *relevant;
    struct jit_code_entry *first;
};

extern struct jit_descriptor __jit_debug_descriptor;
extern void __jit_debug_register_code(void);

struct gdb_entry {
    struct jit_code_entry code;
    bool is_registered;
    _Alignas(Elf64_Ehdr) char file[]; /* an ELF file, whose headers are read in place */
};

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- The file ---- */

gdb_entry *gdb_entry_create(LLVMMemoryBufferRef object) {
    size_t bytes = LLVMGetBufferSize(object);
    gdb_entry *entry = calloc(1, sizeof *entry + bytes);
    if (entry == NULL)
        return NULL;
    memcpy(entry->file, LLVMGetBufferStart(object), bytes);
    entry->code.file = entry->file;
    entry->code.file_bytes = bytes;
    return entry;
}

/* The section headers of a file that LLVM has just written. */
static Elf64_Shdr *sections_of(gdb_entry *entry, size_t *count) {
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)entry->file;
    *count = header->e_shnum;
    return (Elf64_Shdr *)(entry->file + header->e_shoff);
}

static const Elf64_Sym *find_symbol(gdb_entry *entry, const char *name) {
    size_t section_count;
    const Elf64_Shdr *sections = sections_of(entry, &section_count);
    for (size_t i = 0; i < section_count; i++) {
        if (sections[i].sh_type != SHT_SYMTAB)
            continue;
        const Elf64_Sym *symbols = (const Elf64_Sym *)(entry->file + sections[i].sh_offset);
        const char *names = entry->file + sections[sections[i].sh_link].sh_offset;
        for (size_t k = 0; k < sections[i].sh_size / sizeof symbols[0]; k++)
            if (strcmp(names + symbols[k].st_name, name) == 0)
                return &symbols[k];
    }
    return NULL;
}

/* Symbols of a relocatable file are offsets into a section: the section header gets the address it is linked
 * at. */
static bool place_section(gdb_entry *entry, const char *prefix, const mf_accessors *set) {
    char name[256];
    size_t section_count;
    Elf64_Shdr *sections = sections_of(entry, &section_count);
    snprintf(name, sizeof name, "%s_%s", prefix, mf_accessor_info_get(MF_LOAD_U8)->name);
    const Elf64_Sym *symbol = find_symbol(entry, name);
    if (symbol == NULL || symbol->st_shndx >= section_count)
        return false;
    uintptr_t linked_at = (uintptr_t)mf_accessors_member(set, MF_LOAD_U8);
    sections[symbol->st_shndx].sh_addr = linked_at - symbol->st_value;
    return true;
}

/* ---- The list ---- */

static void tell_gdb(gdb_entry *entry, uint32_t action) {
    __jit_debug_descriptor.relevant = &entry->code;
    __jit_debug_descriptor.action = action;
    __jit_debug_register_code();
    __jit_debug_descriptor.action = ACTION_NONE;
    __jit_debug_descriptor.relevant = NULL;
}

void gdb_entry_register(gdb_entry *entry, const char *prefix, const mf_accessors *set) {
    if (entry == NULL || !place_section(entry, prefix, set))
        return;
    pthread_mutex_lock(&list_lock);
    entry->code.next = __jit_debug_descriptor.first;
    if (entry->code.next != NULL)
        entry->code.next->previous = &entry->code;
    __jit_debug_descriptor.first = &entry->code;
    entry->is_registered = true;
    tell_gdb(entry, ACTION_REGISTER);
    pthread_mutex_unlock(&list_lock);
}

static void unregister(gdb_entry *entry) {
    pthread_mutex_lock(&list_lock);
    if (entry->code.previous != NULL)
        entry->code.previous->next = entry->code.next;
    else
        __jit_debug_descriptor.first = entry->code.next;
    if (entry->code.next != NULL)
        entry->code.next->previous = entry->code.previous;
    tell_gdb(entry, ACTION_UNREGISTER);
    pthread_mutex_unlock(&list_lock);
}

void gdb_entry_destroy(gdb_entry *entry) {
    if (entry != NULL && entry->is_registered)
        unregister(entry);
    free(entry);
}
