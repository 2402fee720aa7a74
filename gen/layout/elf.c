#include "layout/readers.h"

#include <errno.h>
#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>
#include <stdio.h>

typedef struct elf_reader {
    Elf *elf;
    const source *source;
    contents *contents;
    mf_diag *diag;
    uint64_t segment_file_bytes; /* of all segments together */
} elf_reader;

typedef mf_status visit_segment(elf_reader *r, const GElf_Phdr *segment, uint64_t index);

static mf_status bad_file(const elf_reader *r, uint64_t value, const char *message) {
    return mf_diag_set(r->diag, MF_BAD_INPUT, value, "%s", message);
}

/*
 * libelf gives no answer: because the file is bad, or because it could not allocate, which only errno tells.
 * Nobody else has set that since the reader began, because what fails otherwise ends the reading.
 */
static mf_status no_answer(const elf_reader *r, uint64_t value, const char *message) {
    return errno == ENOMEM ? diag_out_of_memory(r->diag) : bad_file(r, value, message);
}

/* Extended numbering: a count that does not fit in the header stands in section 0. */
static mf_status segment_count_of(const elf_reader *r, const GElf_Ehdr *header, uint64_t *count) {
    *count = header->e_phnum;
    if (header->e_phnum != PN_XNUM)
        return MF_OK;
    GElf_Shdr section;
    if (gelf_getshdr(elf_getscn(r->elf, 0), &section) == NULL)
        return no_answer(r, 0, "the ELF file counts its segments in a section header that it does not have");
    *count = section.sh_info;
    return MF_OK;
}

static mf_status check_type(const elf_reader *r, const GElf_Ehdr *header) {
    switch (header->e_type) {
    case ET_EXEC:
    case ET_DYN:
        return MF_OK;
    case ET_REL:
        return bad_file(r, ET_REL, "a relocatable ELF file (object file) has no memory map");
    case ET_CORE:
        return bad_file(r, ET_CORE, "the ELF file is a core dump, not a program");
    default:
        return mf_diag_set(r->diag, MF_BAD_INPUT, header->e_type, "the ELF file has the unknown type %u",
                           (unsigned)header->e_type);
    }
}

/* libelf cuts a truncated table short without a word; what the header promises is checked here. */
static mf_status check_table(const elf_reader *r, const GElf_Ehdr *header, uint64_t count) {
    size_t entry_bytes = gelf_fsize(r->elf, ELF_T_PHDR, 1, EV_CURRENT);
    if (count == 0)
        return bad_file(r, 0, "the ELF file has no program headers");
    if (header->e_phentsize != entry_bytes)
        return mf_diag_set(r->diag, MF_BAD_INPUT, header->e_phentsize,
                           "the ELF program headers have %u bytes each instead of %zu",
                           (unsigned)header->e_phentsize, entry_bytes);
    uint64_t file_bytes = r->source->byte_count;
    if (header->e_phoff > file_bytes || count > (file_bytes - header->e_phoff) / entry_bytes)
        return bad_file(r, header->e_phoff, "the ELF program headers are truncated");
    return MF_OK;
}

static uint64_t segment_end(const GElf_Phdr *segment) {
    uint64_t end = segment->p_vaddr + segment->p_memsz;
    return end < segment->p_vaddr ? UINT64_MAX : end;
}

static mf_status check_segment(elf_reader *r, const GElf_Phdr *segment, uint64_t index) {
    uint64_t file_bytes = r->source->byte_count;
    if (segment->p_filesz > segment->p_memsz)
        return mf_diag_set(r->diag, MF_BAD_INPUT, segment->p_filesz,
                           "ELF segment %" PRIu64 " has more bytes in the file (0x%" PRIx64
                           ") than in memory (0x%" PRIx64 ")",
                           index, segment->p_filesz, segment->p_memsz);
    if (segment_end(segment) > MF_SPACE_BYTES)
        return mf_diag_set(r->diag, MF_OVERFLOW, segment_end(segment),
                           "ELF segment %" PRIu64 " at 0x%" PRIx64 " ends at 0x%" PRIx64 ", past 2^32", index,
                           segment->p_vaddr, segment_end(segment));
    bool is_cut = segment->p_offset > file_bytes || segment->p_filesz > file_bytes - segment->p_offset;
    if (segment->p_filesz > 0 && is_cut)
        return mf_diag_set(r->diag, MF_BAD_INPUT, segment->p_offset,
                           "the file is truncated: ELF segment %" PRIu64 " has 0x%" PRIx64
                           " bytes from offset 0x%" PRIx64 ", the file 0x%" PRIx64,
                           index, segment->p_filesz, segment->p_offset, file_bytes);
    r->segment_file_bytes += segment->p_filesz;
    return MF_OK;
}

static mf_status add_segment(elf_reader *r, const GElf_Phdr *segment, uint64_t index) {
    (void)index;
    if (segment->p_memsz == 0)
        return MF_OK;
    const uint64_t page_mask = MF_PAGE_SIZE - 1;
    uint64_t start = segment->p_vaddr & ~page_mask;
    uint64_t end = (segment_end(segment) + page_mask) & ~page_mask;
    mf_access access = (segment->p_flags & PF_W) != 0 ? MF_READ_WRITE : MF_READ_ONLY;
    mf_region region = {.start = start, .size = end - start, .access = access};
    char name[32];
    snprintf(name, sizeof name, "load%zu", r->contents->region_count);
    mf_status status = contents_add_region(r->contents, &region, name, r->diag);
    if (status != MF_OK || segment->p_filesz == 0)
        return status;
    return mf_layout_builder_set_bytes(r->contents->builder, segment->p_vaddr,
                                       r->source->bytes + segment->p_offset, segment->p_filesz, r->diag);
}

static mf_status visit_segments(elf_reader *r, uint64_t count, visit_segment *visit) {
    for (uint64_t i = 0; i < count; i++) {
        GElf_Phdr segment;
        if (gelf_getphdr(r->elf, (int)i, &segment) == NULL)
            return no_answer(r, i, "the ELF program headers cannot be read");
        mf_status status = segment.p_type == PT_LOAD ? visit(r, &segment, i) : MF_OK;
        if (status != MF_OK)
            return status;
    }
    return MF_OK;
}

/* Everything is checked, also how much there is in all, before the first byte is copied. */
static mf_status read_segments(elf_reader *r, uint64_t count) {
    mf_status status = visit_segments(r, count, check_segment);
    if (status != MF_OK)
        return status;
    if (r->segment_file_bytes > FILE_MAX_CONTENT_BYTES)
        return mf_diag_set(r->diag, MF_BAD_INPUT, r->segment_file_bytes,
                           "the ELF segments have more than %" PRIu64 " bytes together",
                           FILE_MAX_CONTENT_BYTES);
    return visit_segments(r, count, add_segment);
}

static mf_status map_all(const elf_reader *r, mf_access access) {
    const contents *contents = r->contents;
    for (size_t i = 0; i < contents->region_count; i++) {
        const mf_region *region = &contents->regions[i].region;
        if (region->access != access)
            continue;
        mf_status status = mf_layout_builder_map_region(contents->builder, region->start, region->size,
                                                        access, NULL, 0, r->diag);
        if (status != MF_OK)
            return status;
    }
    return MF_OK;
}

/* A page of two segments is read-write if one of them is: the read-write ones are mapped last. */
static mf_status map_segments(const elf_reader *r) {
    if (r->contents->region_count == 0)
        return bad_file(r, 0, "the ELF file has no segment to load (PT_LOAD)");
    mf_status status = map_all(r, MF_READ_ONLY);
    return status == MF_OK ? map_all(r, MF_READ_WRITE) : status;
}

static mf_status read_program(elf_reader *r) {
    GElf_Ehdr header;
    if (elf_kind(r->elf) != ELF_K_ELF || gelf_getehdr(r->elf, &header) == NULL)
        return no_answer(r, 0, "the ELF header is truncated or invalid");
    uint64_t count = 0;
    mf_status status = check_type(r, &header);
    if (status == MF_OK)
        status = segment_count_of(r, &header, &count);
    if (status == MF_OK)
        status = check_table(r, &header, count);
    if (status == MF_OK)
        status = read_segments(r, count);
    return status == MF_OK ? map_segments(r) : status;
}

mf_status layout_read_elf(const source *source, contents *contents, mf_diag *diag) {
    elf_reader r = {.source = source, .contents = contents, .diag = diag};
    if (!source_is_elf(source))
        return bad_file(&r, 0, "the file is not an ELF file");
    errno = 0;
    elf_version(EV_CURRENT);
    r.elf = elf_memory((char *)source->bytes, source->byte_count);
    mf_status status = read_program(&r);
    elf_end(r.elf);
    return status;
}
