#include "jit/gdb_object.h"

#include "jit/gdb_list.h"

#include <elf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---- The file ---- */

enum {
    SECTION_TEXT = 1,
    SECTION_UNWIND,
    SECTION_SECTION_NAMES,
    SECTION_SYMBOLS,
    SECTION_NAMES,
    SECTION_COUNT
};

/* The names of the sections, and where each begins. */
static const char section_names[] = "\0.text\0.eh_frame\0.shstrtab\0.symtab\0.strtab";
static const uint32_t section_name_offsets[SECTION_COUNT] = {0, 1, 7, 17, 27, 35};

/* What all files have; the symbols follow it, then their names. Symbol 0 is no symbol, name 0 is empty. */
typedef struct file_head {
    Elf64_Ehdr header;
    Elf64_Shdr sections[SECTION_COUNT];
    unwind_info unwind;
    char section_names[sizeof section_names];
    _Alignas(Elf64_Sym) Elf64_Sym symbols[];
} file_head;

struct gdb_object {
    gdb_file entry;
    file_head *file;
    char *text;            /* in the file: the names */
    uint32_t symbol_room;  /* how many fit */
    uint32_t symbol_count; /* in use, the free ones between them included */
    uint32_t text_room;    /* in bytes */
    uint32_t text_bytes;
    uint32_t free_group; /* its first symbol, which leads to the next; 0: none */
    uint32_t live_symbols;
    uint32_t live_text_bytes;
    gdb_names *live;
};

static size_t file_bytes(uint32_t symbol_room, uint32_t text_room) {
    return sizeof(file_head) + symbol_room * sizeof(Elf64_Sym) + text_room;
}

static void fill_header(Elf64_Ehdr *header) {
    *header = (Elf64_Ehdr){
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT, ELFOSABI_NONE},
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_shoff = offsetof(file_head, sections),
        .e_ehsize = sizeof(Elf64_Ehdr),
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = SECTION_COUNT,
        .e_shstrndx = SECTION_SECTION_NAMES,
    };
}

static void fill_sections(Elf64_Shdr *sections, uintptr_t start, size_t bytes, uint32_t symbol_room) {
    sections[SECTION_TEXT] = (Elf64_Shdr){.sh_type = SHT_NOBITS,
                                          .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
                                          .sh_addr = start,
                                          .sh_offset = sizeof(file_head),
                                          .sh_size = bytes,
                                          .sh_addralign = 64};
    sections[SECTION_UNWIND] = (Elf64_Shdr){.sh_type = SHT_PROGBITS,
                                            .sh_flags = SHF_ALLOC,
                                            .sh_offset = offsetof(file_head, unwind),
                                            .sh_size = UNWIND_BYTES,
                                            .sh_addralign = 8};
    sections[SECTION_SECTION_NAMES] = (Elf64_Shdr){.sh_type = SHT_STRTAB,
                                                   .sh_offset = offsetof(file_head, section_names),
                                                   .sh_size = sizeof section_names,
                                                   .sh_addralign = 1};
    sections[SECTION_SYMBOLS] = (Elf64_Shdr){.sh_type = SHT_SYMTAB,
                                             .sh_offset = offsetof(file_head, symbols),
                                             .sh_size = sizeof(Elf64_Sym),
                                             .sh_link = SECTION_NAMES,
                                             .sh_info = 1, /* the first that is not local */
                                             .sh_addralign = _Alignof(Elf64_Sym),
                                             .sh_entsize = sizeof(Elf64_Sym)};
    sections[SECTION_NAMES] =
        (Elf64_Shdr){.sh_type = SHT_STRTAB,
                     .sh_offset = offsetof(file_head, symbols) + symbol_room * sizeof(Elf64_Sym),
                     .sh_size = 1,
                     .sh_addralign = 1};
    for (unsigned i = 0; i < SECTION_COUNT; i++)
        sections[i].sh_name = section_name_offsets[i];
}

/* A file without symbols, with room for some. */
static file_head *file_create(uintptr_t start, size_t bytes, const unwind_info *unwind, uint32_t symbol_room,
                              uint32_t text_room) {
    file_head *file = calloc(1, file_bytes(symbol_room, text_room));
    if (file == NULL)
        return NULL;
    fill_header(&file->header);
    fill_sections(file->sections, start, bytes, symbol_room);
    file->sections[SECTION_UNWIND].sh_addr = (uintptr_t)&file->unwind; /* gdb reads what is loaded */
    file->unwind = *unwind;
    memcpy(file->section_names, section_names, sizeof section_names);
    return file;
}

/* The object has `file` from now on, which has room for that and is empty. */
static void use_file(gdb_object *object, file_head *file, uint32_t symbol_room, uint32_t text_room) {
    object->file = file;
    object->text = (char *)&file->symbols[symbol_room];
    object->symbol_room = symbol_room;
    object->text_room = text_room;
    object->symbol_count = 1;
    object->text_bytes = 1;
    object->free_group = 0;
}

/* What gdb is to read of the file. Names come before the symbols that have them, for a gdb that stops the
 * process in between. */
static void publish_sizes(gdb_object *object) {
    object->file->sections[SECTION_NAMES].sh_size = object->text_bytes;
    object->file->sections[SECTION_SYMBOLS].sh_size = object->symbol_count * sizeof(Elf64_Sym);
}

/* ---- Groups ---- */

/* The first symbol of a group that is free: how long it is, and the next one. gdb leaves it out, because it
 * has no section. */
static void group_free(gdb_object *object, const gdb_names *names) {
    Elf64_Sym *symbols = &object->file->symbols[names->first];
    memset(symbols, 0, names->count * sizeof symbols[0]);
    symbols[0].st_value = object->free_group;
    symbols[0].st_size = (uint64_t)names->count << 32 | names->text_bytes;
    object->text[names->text] = '\0';
    symbols[0].st_name = names->text;
    object->free_group = names->first;
}

/* The last group that became free, if it has room: most groups are alike, and so it does. */
static bool group_reuse(gdb_object *object, gdb_names *names) {
    const Elf64_Sym *free = &object->file->symbols[object->free_group];
    if (object->free_group == 0 || free->st_size >> 32 != names->count ||
        (uint32_t)free->st_size < names->text_bytes)
        return false;
    names->first = object->free_group;
    names->text = free->st_name;
    names->text_bytes = (uint32_t)free->st_size;
    object->free_group = (uint32_t)free->st_value;
    return true;
}

static bool group_append(gdb_object *object, gdb_names *names) {
    if (names->count > object->symbol_room - object->symbol_count ||
        names->text_bytes > object->text_room - object->text_bytes)
        return false;
    names->first = object->symbol_count;
    names->text = object->text_bytes;
    object->symbol_count += names->count;
    object->text_bytes += names->text_bytes;
    return true;
}

/* Takes over the group from `old`, the file that the object had. */
static void group_move(gdb_object *object, gdb_names *names, const file_head *old, const char *old_text) {
    const gdb_names was = *names;
    group_append(object, names);
    memcpy(object->text + names->text, old_text + was.text, names->text_bytes);
    for (uint32_t i = 0; i < names->count; i++) {
        Elf64_Sym *symbol = &object->file->symbols[names->first + i];
        *symbol = old->symbols[was.first + i];
        symbol->st_name = symbol->st_name - was.text + names->text;
    }
}

/* A file with twice the room that is needed, and without gaps. */
static bool grow(gdb_object *object, const gdb_names *wanted) {
    file_head *old = object->file;
    const char *old_text = object->text;
    const Elf64_Shdr *code = &old->sections[SECTION_TEXT];
    uint32_t symbol_room = 2 * (object->live_symbols + wanted->count) + 64;
    uint32_t text_room = 2 * (object->live_text_bytes + wanted->text_bytes) + 2048;
    file_head *file = file_create(code->sh_addr, code->sh_size, &old->unwind, symbol_room, text_room);
    if (file == NULL)
        return false;
    use_file(object, file, symbol_room, text_room);
    for (gdb_names *names = object->live; names != NULL; names = names->next)
        group_move(object, names, old, old_text);
    publish_sizes(object);
    gdb_list_replace(&object->entry, file, file_bytes(symbol_room, text_room));
    free(old);
    return true;
}

static void live_add(gdb_object *object, gdb_names *names) {
    names->previous = NULL;
    names->next = object->live;
    if (names->next != NULL)
        names->next->previous = names;
    object->live = names;
    object->live_symbols += names->count;
    object->live_text_bytes += names->text_bytes;
}

static void live_remove(gdb_object *object, gdb_names *names) {
    if (names->previous != NULL)
        names->previous->next = names->next;
    else
        object->live = names->next;
    if (names->next != NULL)
        names->next->previous = names->previous;
    object->live_symbols -= names->count;
    object->live_text_bytes -= names->text_bytes;
}

/* ---- Names ---- */

/* Groups have room for a multiple of this, so that a longer number finds a free one. */
enum { TEXT_STEP = 64 };

static uint32_t text_needed(size_t prefix_bytes, const arena_function *functions, size_t count) {
    size_t bytes = count * (prefix_bytes + sizeof "_");
    for (size_t i = 0; i < count; i++)
        bytes += strlen(functions[i].name);
    return (uint32_t)((bytes + TEXT_STEP - 1) / TEXT_STEP * TEXT_STEP);
}

static void write_group(gdb_object *object, const gdb_names *names, uintptr_t start, const char *prefix,
                        size_t prefix_bytes, const arena_function *functions) {
    char *text = object->text + names->text;
    for (uint32_t i = 0; i < names->count; i++) {
        size_t name_bytes = strlen(functions[i].name);
        object->file->symbols[names->first + i] = (Elf64_Sym){.st_name = (uint32_t)(text - object->text),
                                                              .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                                                              .st_shndx = SECTION_TEXT,
                                                              .st_value = start + functions[i].offset,
                                                              .st_size = functions[i].bytes};
        memcpy(text, prefix, prefix_bytes);
        text[prefix_bytes] = '_';
        memcpy(text + prefix_bytes + 1, functions[i].name, name_bytes + 1);
        text += prefix_bytes + 1 + name_bytes + 1;
    }
}

void gdb_object_add(gdb_object *object, gdb_names *names, uintptr_t start, const char *prefix,
                    const arena_function *functions, size_t count) {
    *names = (gdb_names){0};
    if (object == NULL || count == 0)
        return;
    size_t prefix_bytes = strlen(prefix);
    gdb_names wanted = {.count = (uint32_t)count, .text_bytes = text_needed(prefix_bytes, functions, count)};
    if (!group_reuse(object, &wanted) && !group_append(object, &wanted) &&
        !(grow(object, &wanted) && group_append(object, &wanted)))
        return;
    *names = wanted;
    write_group(object, names, start, prefix, prefix_bytes, functions);
    live_add(object, names);
    publish_sizes(object);
    gdb_list_replace(&object->entry, object->entry.file, object->entry.file_bytes);
}

void gdb_object_remove(gdb_object *object, gdb_names *names) {
    if (object == NULL || names->count == 0)
        return;
    live_remove(object, names);
    group_free(object, names);
    *names = (gdb_names){0};
}

/* ---- The object ---- */

gdb_object *gdb_object_create(uintptr_t start, size_t bytes, const unwind_info *unwind) {
    gdb_object *object = calloc(1, sizeof *object);
    file_head *file = object == NULL ? NULL : file_create(start, bytes, unwind, 1, 1);
    if (file == NULL) {
        free(object);
        return NULL;
    }
    use_file(object, file, 1, 1);
    publish_sizes(object);
    object->entry.file = file;
    object->entry.file_bytes = file_bytes(1, 1);
    gdb_list_add(&object->entry);
    return object;
}

void gdb_object_destroy(gdb_object *object) {
    if (object == NULL)
        return;
    gdb_list_remove(&object->entry);
    free(object->file);
    free(object);
}
