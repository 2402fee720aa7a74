/* The relocations of an object, applied to images of its sections. */
#include "verify/object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Where which relocation may stand: of a symbol of a kind, for a place in a section. */
typedef struct relocation_rule {
    object_section section;
    uint32_t type;
    object_symbol_kind kind;
    object_section target; /* of OBJECT_PLACE */
} relocation_rule;

static const relocation_rule RULES[] = {
    {OBJECT_TEXT, R_X86_64_GOTPCRELX, OBJECT_RUNTIME, 0},
    {OBJECT_TEXT, R_X86_64_PLT32, OBJECT_RUNTIME, 0},
    {OBJECT_TEXT, R_X86_64_PC32, OBJECT_PLACE, OBJECT_TABLES},
    {OBJECT_TEXT, R_X86_64_PC32, OBJECT_TABLE_START, 0},
    {OBJECT_TEXT, R_X86_64_PC32, OBJECT_TABLE_STOP, 0},
    {OBJECT_SET, R_X86_64_64, OBJECT_PLACE, OBJECT_TEXT},
    {OBJECT_STAMP, R_X86_64_64, OBJECT_ABI, 0},
    {OBJECT_ENTRIES, R_X86_64_PC32, OBJECT_PLACE, OBJECT_TEXT},
    {OBJECT_INIT, R_X86_64_64, OBJECT_PLACE, OBJECT_TEXT},
    {OBJECT_FINI, R_X86_64_64, OBJECT_PLACE, OBJECT_TEXT},
    {OBJECT_BOUNDS, R_X86_64_PC64, OBJECT_TABLE_START, 0},
    {OBJECT_BOUNDS, R_X86_64_PC64, OBJECT_TABLE_STOP, 0},
};

/* ---- Where everything lies ---- */

/* From one section to the next, less than which none has. All of them are within 2 GiB, as linkers put them.
 */
#define SECTION_DISTANCE UINT64_C(0x4000000)

/*
 * The addresses are numbers that nobody knows before, so that no constant in code or data can be one of them
 * by intent: what is an address is so by a relocation. The first one is that of the entry points, which no
 * section comes near.
 */
static mf_status choose_address(const object *o, uint64_t *address) {
    uint32_t number;
    ssize_t got;
    do
        got = getrandom(&number, sizeof number, 0);
    while (got < 0 && errno == EINTR);
    if (got != sizeof number)
        return mf_diag_set(o->diag, MF_OUT_OF_MEMORY, 0, "the host has no random numbers");
    *address = UINT64_C(0x0000100000000000) + ((uint64_t)number << 13);
    return MF_OK;
}

static uint64_t entry_address(const object *o, mf_rt_entry entry) {
    return o->words_address - SECTION_DISTANCE / 2 + 16 * (uint64_t)entry;
}

static mf_status make_images(object *o) {
    uint64_t address = 0;
    mf_status status = choose_address(o, &address);
    o->words_address = address;
    for (object_section section = 0; section < OBJECT_LOADED_COUNT && status == MF_OK; section++) {
        object_image *image = &o->images[section];
        size_t number = o->sections[section];
        image->count = number == 0 ? 0 : o->file.sections[number].sh_size;
        if (image->count > SECTION_DISTANCE / 2)
            return object_refuse(o, section, image->count, "it is larger than %llu bytes",
                                 (unsigned long long)SECTION_DISTANCE / 2);
        address += SECTION_DISTANCE;
        /* Aligned as it is demanded, and no better. */
        image->address = address + (number == 0 ? 0 : o->file.sections[number].sh_addralign);
        image->bytes = malloc(image->count + 1);
        image->is_relocated = calloc(image->count + 1, sizeof *image->is_relocated);
        if (image->bytes == NULL || image->is_relocated == NULL)
            return mf_diag_set(o->diag, MF_OUT_OF_MEMORY, image->count, "no memory for an object");
        if (number != 0)
            memcpy(image->bytes, elf_file_bytes(&o->file, number), image->count);
    }
    return status;
}

/* ---- One relocation ---- */

static uint64_t target_address(const object *o, const object_symbol *symbol) {
    const object_image *table = &o->images[OBJECT_ENTRIES];
    switch (symbol->kind) {
    case OBJECT_PLACE:
        return o->images[symbol->section].address + symbol->value;
    case OBJECT_RUNTIME:
        return entry_address(o, symbol->entry);
    case OBJECT_TABLE_START:
        return table->address;
    case OBJECT_TABLE_STOP:
        return table->address + table->count;
    default: /* the byte of the ABI stamp, at an address where nothing is */
        return entry_address(o, MF_RT_ENTRY_COUNT);
    }
}

/*
 * The fault's entry keeps registers that the dynamic linker's resolver does not (abi.h), so it is called
 * through the offset table, and it alone: a procedure linkage table may bind lazily.
 */
static bool is_bound_right(uint32_t type, const object_symbol *symbol) {
    bool is_by_word = type == R_X86_64_GOTPCRELX;
    return symbol->kind != OBJECT_RUNTIME || is_by_word == (symbol->entry == MF_RT_FAULT);
}

static bool is_allowed(object_section section, uint32_t type, const object_symbol *symbol) {
    for (size_t i = 0; i < sizeof RULES / sizeof RULES[0]; i++) {
        const relocation_rule *rule = &RULES[i];
        bool is_target = symbol->kind != OBJECT_PLACE || symbol->section == rule->target;
        if (rule->section == section && rule->type == type && rule->kind == symbol->kind && is_target)
            return is_bound_right(type, symbol);
    }
    return false;
}

/* How many bytes a relocation writes. */
static uint64_t field_bytes(uint32_t type) {
    return type == R_X86_64_64 || type == R_X86_64_PC64 ? 8 : 4;
}

/* The value is what the psABI says: of symbol, addend and place; GOTPCRELX takes the word of the offset
 * table. */
static uint64_t value_of(const object *o, const Elf64_Rela *r, const object_symbol *symbol, uint64_t place) {
    uint64_t addend = (uint64_t)r->r_addend;
    switch (ELF64_R_TYPE(r->r_info)) {
    case R_X86_64_64:
        return target_address(o, symbol) + addend;
    case R_X86_64_GOTPCRELX:
        return o->words_address + 8 * (uint64_t)symbol->entry + addend - place;
    default:
        return target_address(o, symbol) + addend - place;
    }
}

static mf_status refuse(const object *o, object_section section, const Elf64_Rela *r, const char *why) {
    return object_refuse(o, section, r->r_offset,
                         "the relocation at 0x%llx (type %llu, symbol %llu, addend %lld) %s",
                         (unsigned long long)r->r_offset, (unsigned long long)ELF64_R_TYPE(r->r_info),
                         (unsigned long long)ELF64_R_SYM(r->r_info), (long long)r->r_addend, why);
}

static mf_status check_field(const object *o, object_section section, const Elf64_Rela *r) {
    const object_image *image = &o->images[section];
    uint64_t count = field_bytes((uint32_t)ELF64_R_TYPE(r->r_info));
    if (r->r_offset > image->count || count > image->count - r->r_offset)
        return refuse(o, section, r, "is outside of the section");
    for (uint64_t at = r->r_offset; at < r->r_offset + count; at++) {
        if (image->is_relocated[at])
            return refuse(o, section, r, "meets another one");
        if (image->bytes[at] != 0)
            return refuse(o, section, r, "is for bytes that are not 0");
    }
    return MF_OK;
}

/*
 * Where the target's address counts and not what is done with it, there is no addend, but for the 4 bytes
 * from the field to the next instruction.
 */
static bool has_known_addend(const object *o, const Elf64_Rela *r, const object_symbol *symbol,
                             object_section section) {
    int64_t to_next = section == OBJECT_TEXT ? -4 : 0;
    if (symbol->kind != OBJECT_PLACE)
        return r->r_addend == to_next;
    uint64_t at = symbol->value + (uint64_t)(r->r_addend - to_next);
    return at < o->images[symbol->section].count;
}

static mf_status apply(object *o, object_section section, const Elf64_Rela *r) {
    object_image *image = &o->images[section];
    uint32_t type = (uint32_t)ELF64_R_TYPE(r->r_info);
    uint64_t count = field_bytes(type);
    if (ELF64_R_SYM(r->r_info) >= o->symbol_count)
        return refuse(o, section, r, "is of a symbol that there is not");
    const object_symbol *symbol = &o->symbols[ELF64_R_SYM(r->r_info)];
    if (!is_allowed(section, type, symbol))
        return refuse(o, section, r, "is none that memfold emits there");
    mf_status status = check_field(o, section, r);
    if (status != MF_OK)
        return status;
    if (!has_known_addend(o, r, symbol, section))
        return refuse(o, section, r, "leads outside of its target");
    uint64_t value = value_of(o, r, symbol, image->address + r->r_offset);
    memcpy(image->bytes + r->r_offset, &value, count);
    memset(image->is_relocated + r->r_offset, true, count);
    return MF_OK;
}

/* ---- Relocations of the code ---- */

/*
 * The instructions that LLVM relocates, by their first bytes: the call through the offset table, which
 * linkers may replace by a direct one; the direct call; the address of a table in any register. That they are
 * instructions and no bytes within others is for the proof to say.
 */
static uint64_t bytes_before(uint32_t type, const unsigned char *field, uint64_t offset) {
    if (type == R_X86_64_GOTPCRELX)
        return offset >= 2 && field[-2] == 0xff && field[-1] == 0x15 ? 2 : 0;
    if (type == R_X86_64_PLT32)
        return offset >= 1 && field[-1] == 0xe8 ? 1 : 0;
    bool is_lea =
        offset >= 3 && (field[-3] & 0xfb) == 0x48 && field[-2] == 0x8d && (field[-1] & 0xc7) == 0x05;
    return is_lea ? 3 : 0;
}

static mf_status take_site(object *o, const Elf64_Rela *r) {
    const unsigned char *field = o->images[OBJECT_TEXT].bytes + r->r_offset;
    uint64_t before = bytes_before((uint32_t)ELF64_R_TYPE(r->r_info), field, r->r_offset);
    if (before == 0)
        return refuse(o, OBJECT_TEXT, r, "is not in an instruction that memfold emits");
    o->sites[o->site_count++] = (object_site){r->r_offset - before, before + 4};
    return MF_OK;
}

/* ---- All of them ---- */

static mf_status relocate_section(object *o, object_section section) {
    size_t number = o->relocations[section];
    size_t count = number == 0 ? 0 : o->file.sections[number].sh_size / sizeof(Elf64_Rela);
    if (section == OBJECT_TEXT) {
        o->sites = calloc(count + 1, sizeof *o->sites);
        if (o->sites == NULL)
            return mf_diag_set(o->diag, MF_OUT_OF_MEMORY, count, "no memory for an object");
    }
    for (size_t i = 0; i < count; i++) {
        Elf64_Rela r;
        memcpy(&r, elf_file_bytes(&o->file, number) + i * sizeof r, sizeof r);
        mf_status status = apply(o, section, &r);
        if (status == MF_OK && section == OBJECT_TEXT)
            status = take_site(o, &r);
        if (status != MF_OK)
            return status;
    }
    return MF_OK;
}

mf_status object_relocate(object *o) {
    mf_status status = make_images(o);
    for (mf_rt_entry entry = 0; entry < MF_RT_ENTRY_COUNT; entry++)
        o->words[entry] = entry_address(o, entry);
    for (object_section section = 0; section < OBJECT_LOADED_COUNT && status == MF_OK; section++)
        status = relocate_section(o, section);
    return status;
}
