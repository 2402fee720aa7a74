/*
 * The loaded objects of the process, for a fault handler: dl_iterate_phdr takes a lock, so they are found by
 * _dl_find_object, which glibc has since 2.35 and which takes none. The first page of an object is its ELF
 * header, and that leads to its notes. Of a static program it knows only the code; the linker knows its
 * header.
 */
#include "os.h"

#include <elf.h>
#include <string.h>

/* What _dl_find_object writes. Older C libraries do not declare it; the kept room is for newer ones. */
typedef struct loaded_object {
    unsigned long long flags;
    void *map_start;
    void *map_end;
    void *reserved[16];
} loaded_object;

extern int find_loaded_object(void *address, loaded_object *found) __asm__("_dl_find_object")
    __attribute__((weak));

/* Read from memory, so that the loader has bound it before: to bind it at the first call is not
 * async-signal-safe and takes kilobytes of stack. */
static int (*volatile const find)(void *address, loaded_object *found) = find_loaded_object;

/* Of the object that this is linked into; absent where a linker script does not load it. */
extern const unsigned char own_header[] __asm__("__ehdr_start") __attribute__((weak, visibility("hidden")));

static size_t padded(size_t bytes) {
    return (bytes + 3) & ~(size_t)3;
}

/* Without a call of the C library, which the loader might have to bind first. */
static bool is_name(const unsigned char *found, size_t found_bytes, const char *name) {
    for (size_t i = 0; i < found_bytes; i++) {
        if (found[i] != (unsigned char)name[i])
            return false;
        if (name[i] == '\0')
            return i + 1 == found_bytes;
    }
    return false;
}

static bool is_elf64(const Elf64_Ehdr *header) {
    return header->e_ident[EI_MAG0] == ELFMAG0 && header->e_ident[EI_MAG1] == ELFMAG1 &&
           header->e_ident[EI_MAG2] == ELFMAG2 && header->e_ident[EI_MAG3] == ELFMAG3 &&
           header->e_ident[EI_CLASS] == ELFCLASS64;
}

/* Notes follow each other at multiples of four bytes. Those of segments aligned to eight are not ours. */
static const void *find_in_segment(const unsigned char *at, size_t bytes, const char *name, uint32_t type,
                                   size_t description_bytes) {
    Elf64_Nhdr note;
    while (bytes >= sizeof note) {
        memcpy(&note, at, sizeof note);
        size_t name_bytes = padded(note.n_namesz);
        size_t note_bytes = sizeof note + name_bytes + padded(note.n_descsz);
        if (note_bytes > bytes)
            return NULL;
        if (note.n_type == type && note.n_descsz == description_bytes &&
            is_name(at + sizeof note, note.n_namesz, name))
            return at + sizeof note + name_bytes;
        at += note_bytes;
        bytes -= note_bytes;
    }
    return NULL;
}

/* How far the object is from the addresses in its header: its lowest segment begins at `start`. */
static uintptr_t distance_of(uintptr_t start, const Elf64_Phdr *segments, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (segments[i].p_type == PT_LOAD)
            return start - (segments[i].p_vaddr - segments[i].p_offset);
    return 0;
}

static const Elf64_Ehdr *header_of(const loaded_object *object) {
    const Elf64_Ehdr *at_start = object->map_start;
    const Elf64_Ehdr *own = (const void *)own_header;
    if (is_elf64(at_start))
        return at_start;
    return own != NULL && is_elf64(own) ? own : NULL;
}

static const void *find_in_object(const Elf64_Ehdr *header, const char *name, uint32_t type,
                                  size_t description_bytes) {
    uintptr_t start = (uintptr_t)header;
    const Elf64_Phdr *segments = (const void *)(start + header->e_phoff);
    uintptr_t distance = distance_of(start, segments, header->e_phnum);
    for (size_t i = 0; i < header->e_phnum; i++) {
        if (segments[i].p_type != PT_NOTE || segments[i].p_align > 4)
            continue;
        const void *found = find_in_segment((const unsigned char *)(distance + segments[i].p_vaddr),
                                            segments[i].p_memsz, name, type, description_bytes);
        if (found != NULL)
            return found;
    }
    return NULL;
}

const void *os_find_note(uintptr_t address, const char *name, uint32_t type, size_t description_bytes) {
    loaded_object object;
    if (find == NULL || find((void *)address, &object) != 0)
        return NULL;
    const Elf64_Ehdr *header = header_of(&object);
    return header != NULL ? find_in_object(header, name, type, description_bytes) : NULL;
}

/* The end functions run when the object is unloaded, but also while the process ends and its threads still
 * run. */
bool os_code_outlives_its_end(void) {
    return true;
}
