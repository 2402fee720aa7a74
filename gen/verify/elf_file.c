#include "verify/elf_file.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- Messages ---- */

__attribute__((format(printf, 3, 4))) static mf_status refuse(const elf_file *file, uint64_t value,
                                                              const char *format, ...) {
    char message[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return mf_diag_set(file->diag, MF_BAD_INPUT, value, "%s", message);
}

mf_status elf_file_refuse(const elf_file *file, size_t section, uint64_t value, const char *format, ...) {
    char message[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return refuse(file, value, "section %zu '%.64s': %s", section, elf_file_section_name(file, section),
                  message);
}

/* ---- Parts ---- */

const unsigned char *elf_file_bytes(const elf_file *file, size_t section) {
    return file->bytes + file->sections[section].sh_offset;
}

const char *elf_file_string(const elf_file *file, size_t section, uint64_t offset) {
    uint64_t count = file->sections[section].sh_size;
    if (offset >= count)
        return NULL;
    const char *string = (const char *)elf_file_bytes(file, section) + offset;
    return memchr(string, '\0', count - offset) == NULL ? NULL : string;
}

const char *elf_file_section_name(const elf_file *file, size_t section) {
    if (file->names == 0)
        return "";
    const char *name = elf_file_string(file, file->names, file->sections[section].sh_name);
    return name == NULL ? "" : name;
}

/* ---- The header ---- */

/* With SHF_GNU_RETAIN, which is of the GNU ABI, some tools write that one's number. */
static bool is_known_ident(const unsigned char *ident) {
    static const unsigned char PADDING[EI_NIDENT - EI_ABIVERSION];
    return ident[EI_CLASS] == ELFCLASS64 && ident[EI_DATA] == ELFDATA2LSB &&
           ident[EI_VERSION] == EV_CURRENT &&
           (ident[EI_OSABI] == ELFOSABI_NONE || ident[EI_OSABI] == ELFOSABI_GNU) &&
           memcmp(ident + EI_ABIVERSION, PADDING, sizeof PADDING) == 0;
}

static mf_status check_header(const elf_file *file, const Elf64_Ehdr *header) {
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
        return refuse(file, 0, "the file is not an ELF file");
    if (!is_known_ident(header->e_ident))
        return refuse(file, 0, "the ELF file is not a 64-bit little-endian one of the System V ABI");
    if (header->e_type != ET_REL)
        return refuse(file, header->e_type,
                      "the ELF file has the type %u, not that of a relocatable object, %d",
                      (unsigned)header->e_type, ET_REL);
    if (header->e_machine != EM_X86_64)
        return refuse(file, header->e_machine, "the object is for machine %u, not for x86-64, %d",
                      (unsigned)header->e_machine, EM_X86_64);
    if (header->e_version != EV_CURRENT || header->e_flags != 0 || header->e_entry != 0 ||
        header->e_phoff != 0 || header->e_phentsize != 0 || header->e_phnum != 0 ||
        header->e_ehsize != sizeof *header || header->e_shentsize != sizeof(Elf64_Shdr))
        return refuse(file, 0, "the ELF header has a field that objects for x86-64 do not use");
    return MF_OK;
}

static mf_status read_sections(elf_file *file, const Elf64_Ehdr *header) {
    if (header->e_shnum < 2 || header->e_shnum > ELF_FILE_SECTIONS_MAX)
        return refuse(file, header->e_shnum, "the object has %u sections; memfold emits 2 to %d",
                      (unsigned)header->e_shnum, ELF_FILE_SECTIONS_MAX);
    uint64_t table_bytes = header->e_shnum * sizeof(Elf64_Shdr);
    if (header->e_shoff > file->byte_count || table_bytes > file->byte_count - header->e_shoff)
        return refuse(file, header->e_shoff,
                      "the table of sections at 0x%" PRIx64 " lies outside of the file", header->e_shoff);
    memcpy(file->sections, file->bytes + header->e_shoff, table_bytes);
    file->section_count = header->e_shnum;
    return MF_OK;
}

/* The first one is empty. It would count sections and the like if there were too many for the header. */
static mf_status check_first(const elf_file *file) {
    static const Elf64_Shdr EMPTY;
    if (memcmp(&file->sections[0], &EMPTY, sizeof EMPTY) != 0)
        return refuse(file, 0, "section 0 is not empty");
    return MF_OK;
}

static mf_status check_places(elf_file *file, const Elf64_Ehdr *header) {
    for (size_t i = 1; i < file->section_count; i++) {
        const Elf64_Shdr *section = &file->sections[i];
        if (section->sh_type == SHT_NOBITS)
            return refuse(file, i, "section %zu has no bytes in the file", i);
        if (section->sh_offset > file->byte_count || section->sh_size > file->byte_count - section->sh_offset)
            return refuse(file, section->sh_offset,
                          "section %zu, 0x%" PRIx64 " bytes at 0x%" PRIx64 ", lies outside of the file", i,
                          section->sh_size, section->sh_offset);
    }
    if (header->e_shstrndx == 0 || header->e_shstrndx >= file->section_count)
        return refuse(file, header->e_shstrndx, "the names of the sections are in section %u of %zu",
                      (unsigned)header->e_shstrndx, file->section_count);
    file->names = header->e_shstrndx;
    for (size_t i = 1; i < file->section_count; i++)
        if (*elf_file_section_name(file, i) == '\0')
            return refuse(file, file->sections[i].sh_name, "section %zu has no name", i);
    return MF_OK;
}

/* ---- Every byte has one place ---- */

typedef struct part {
    uint64_t start;
    uint64_t bytes;
} part;

static void insert(part *parts, size_t *count, uint64_t start, uint64_t bytes) {
    if (bytes == 0)
        return;
    size_t at = (*count)++;
    for (; at > 0 && parts[at - 1].start > start; at--)
        parts[at] = parts[at - 1];
    parts[at] = (part){start, bytes};
}

static mf_status check_gap(const elf_file *file, uint64_t start, uint64_t end) {
    for (uint64_t at = start; at < end; at++)
        if (file->bytes[at] != 0)
            return refuse(file, at,
                          "the byte at 0x%" PRIx64 " of the file belongs to no section and is not 0", at);
    return MF_OK;
}

static mf_status check_parts(const elf_file *file, const Elf64_Ehdr *header) {
    part parts[ELF_FILE_SECTIONS_MAX + 2];
    size_t count = 0;
    insert(parts, &count, 0, sizeof *header);
    insert(parts, &count, header->e_shoff, file->section_count * sizeof(Elf64_Shdr));
    for (size_t i = 1; i < file->section_count; i++)
        insert(parts, &count, file->sections[i].sh_offset, file->sections[i].sh_size);
    uint64_t end = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].start < end)
            return refuse(file, parts[i].start, "the byte at 0x%" PRIx64 " of the file has two meanings",
                          parts[i].start);
        mf_status status = check_gap(file, end, parts[i].start);
        if (status != MF_OK)
            return status;
        end = parts[i].start + parts[i].bytes;
    }
    return check_gap(file, end, file->byte_count);
}

mf_status elf_file_open(elf_file *file, const void *bytes, size_t byte_count, mf_diag *diag) {
    *file = (elf_file){.bytes = bytes, .byte_count = byte_count, .diag = diag};
    Elf64_Ehdr header;
    if (byte_count < sizeof header)
        return refuse(file, byte_count, "the file is too short for an ELF header");
    memcpy(&header, bytes, sizeof header);
    mf_status status = check_header(file, &header);
    if (status == MF_OK)
        status = read_sections(file, &header);
    if (status == MF_OK)
        status = check_first(file);
    if (status == MF_OK)
        status = check_places(file, &header);
    return status == MF_OK ? check_parts(file, &header) : status;
}
