#include "stencil/tool/object.h"

#include "emit/number.h"
#include "stencil/tool/emit.h"

#include <memfold/exception_table.h>

#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOLES_MAX 64
#define CODE_BYTES_MAX 1024

/* The sections of the object that count. */
typedef struct object {
    Elf *elf;
    size_t names; /* of sections */
    Elf_Data *text;
    Elf_Data *text_relocations;
    Elf_Data *symbols;
    size_t symbol_names;
    Elf_Data *entry_relocations; /* of the exception table; NULL if there is none */
    size_t text_section;
    mf_diag *diag;
} object;

/* One stencil that is being read. */
typedef struct reading {
    stencil made;
    unsigned char code[CODE_BYTES_MAX];
    stencil_hole holes[HOLES_MAX];
} reading;

/* ---- The object ---- */

static void find_sections(object *o) {
    Elf_Scn *section = NULL;
    while ((section = elf_nextscn(o->elf, section)) != NULL) {
        GElf_Shdr header;
        gelf_getshdr(section, &header);
        const char *name = elf_strptr(o->elf, o->names, header.sh_name);
        if (strcmp(name, ".text") == 0) {
            o->text = elf_getdata(section, NULL);
            o->text_section = elf_ndxscn(section);
        } else if (strcmp(name, ".rela.text") == 0) {
            o->text_relocations = elf_getdata(section, NULL);
        } else if (strcmp(name, ".rela" MF_EXCEPTION_SECTION) == 0) {
            o->entry_relocations = elf_getdata(section, NULL);
        } else if (header.sh_type == SHT_SYMTAB) {
            o->symbols = elf_getdata(section, NULL);
            o->symbol_names = header.sh_link;
        }
    }
}

static mf_status bad_object(const object *o, size_t listed, const char *what, const char *name) {
    return mf_diag_set(o->diag, MF_LLVM, listed, "stencil %zu: %s %s", listed, what, name);
}

/* The name of a symbol, which it also writes. */
static const char *symbol_of(const object *o, size_t number, GElf_Sym *symbol) {
    gelf_getsym(o->symbols, (int)number, symbol);
    return elf_strptr(o->elf, o->symbol_names, symbol->st_name);
}

static size_t count_of(const Elf_Data *data, size_t entry_bytes) {
    return data == NULL ? 0 : data->d_size / entry_bytes;
}

/* ---- Holes ---- */

/* mf_hole_<range>_<step>_<number> */
static bool parse_number(const char *name, stencil_hole *hole) {
    char range_name[8];
    unsigned step;
    int length = 0;
    if (sscanf(name, EMIT_HOLE_PREFIX "%7[a-z0-9]_%u_%n", range_name, &step, &length) != 2 || length == 0)
        return false;
    plan_range range = 0;
    while (range < PLAN_RANGE_COUNT && strcmp(plan_range_name(range), range_name) != 0)
        range++;
    plan_number number = 0;
    while (number < PLAN_NUMBER_COUNT && strcmp(plan_number_name(number), name + length) != 0)
        number++;
    hole->range = (uint8_t)range;
    hole->what = (uint8_t)number;
    hole->step = (uint8_t)step;
    return range < PLAN_RANGE_COUNT && number < PLAN_NUMBER_COUNT && step < MF_PLAN_STEPS_MAX;
}

/* Whether an immediate of this kind takes every number of the range, and the code means that number. */
static bool holds(uint64_t relocation, uint8_t range, uint8_t *form) {
    switch (relocation) {
    case R_X86_64_8:
        *form = STENCIL_BYTE;
        return range == PLAN_RANGE_SHIFT;
    case R_X86_64_32S:
        *form = STENCIL_HALF;
        return range == PLAN_RANGE_SIGNED_32;
    case R_X86_64_32:
        *form = STENCIL_HALF;
        return range == PLAN_RANGE_NARROW;
    case R_X86_64_64:
        *form = STENCIL_WHOLE;
        return range != PLAN_RANGE_SHIFT;
    default:
        return false;
    }
}

static bool parse_place(const char *name, uint64_t relocation, stencil_hole *hole) {
    static const char *const SYMBOLS[] = STENCIL_PLACE_SYMBOLS;
    static const char *const ENTRIES[] = {
#define MF_X(name, function) #function,
        MF_RT_ENTRIES(MF_X)
#undef MF_X
    };
    bool is_direct = relocation == R_X86_64_PC32 || relocation == R_X86_64_PLT32;
    bool is_through_address = relocation == R_X86_64_GOTPCREL || relocation == R_X86_64_GOTPCRELX ||
                              relocation == R_X86_64_REX_GOTPCRELX;
    hole->form = STENCIL_RELATIVE;
    for (uint8_t i = 0; is_direct && i < STENCIL_PLACE_ENTRY; i++)
        if (strcmp(name, SYMBOLS[i]) == 0) {
            hole->what = i;
            return true;
        }
    for (uint8_t i = 0; is_through_address && i < MF_RT_ENTRY_COUNT; i++)
        if (strcmp(name, ENTRIES[i]) == 0) {
            hole->what = (uint8_t)(STENCIL_PLACE_ENTRY + i);
            return true;
        }
    return false;
}

static mf_status read_hole(const object *o, size_t listed, const GElf_Rela *relocation, uint64_t offset,
                           reading *r) {
    GElf_Sym symbol;
    const char *name = symbol_of(o, GELF_R_SYM(relocation->r_info), &symbol);
    uint64_t type = GELF_R_TYPE(relocation->r_info);
    stencil_hole hole = {.offset = (uint16_t)offset, .addend = (int8_t)relocation->r_addend};
    if (hole.addend != relocation->r_addend || r->made.hole_count == HOLES_MAX)
        return bad_object(o, listed, "too far or too much:", name);
    bool is_number = strncmp(name, EMIT_HOLE_PREFIX, strlen(EMIT_HOLE_PREFIX)) == 0;
    if (is_number && !parse_number(name, &hole))
        return bad_object(o, listed, "unknown hole", name);
    if (is_number && !holds(type, hole.range, &hole.form))
        return bad_object(o, listed, "its code does not hold the range of", name);
    if (!is_number && !parse_place(name, type, &hole))
        return bad_object(o, listed, "unknown relocation of", name);
    r->holes[r->made.hole_count++] = hole;
    return MF_OK;
}

/* Relocations come in the order of their places. */
static mf_status read_holes(const object *o, size_t listed, const GElf_Sym *function, reading *r) {
    size_t count = count_of(o->text_relocations, sizeof(Elf64_Rela));
    size_t low = 0;
    for (size_t high = count; low < high;) {
        GElf_Rela middle;
        size_t at = low + (high - low) / 2;
        gelf_getrela(o->text_relocations, (int)at, &middle);
        if (middle.r_offset < function->st_value)
            low = at + 1;
        else
            high = at;
    }
    mf_status status = MF_OK;
    for (; status == MF_OK && low < count; low++) {
        GElf_Rela relocation;
        gelf_getrela(o->text_relocations, (int)low, &relocation);
        uint64_t offset = relocation.r_offset - function->st_value;
        if (offset >= function->st_size)
            break;
        status = read_hole(o, listed, &relocation, offset, r);
    }
    return status;
}

/* ---- Entries of the exception table ---- */

/* The place in .text that half of an entry leads to. */
static bool entry_target(const object *o, size_t number, uint64_t *target) {
    GElf_Rela relocation;
    GElf_Sym symbol;
    gelf_getrela(o->entry_relocations, (int)number, &relocation);
    gelf_getsym(o->symbols, (int)GELF_R_SYM(relocation.r_info), &symbol);
    *target = symbol.st_value + (uint64_t)relocation.r_addend;
    return GELF_R_TYPE(relocation.r_info) == R_X86_64_PC32 && symbol.st_shndx == o->text_section;
}

static mf_status read_entry(const object *o, size_t listed, const GElf_Sym *function, reading *r) {
    size_t count = count_of(o->entry_relocations, sizeof(Elf64_Rela));
    for (size_t i = 0; i + 1 < count; i += 2) {
        uint64_t fault;
        uint64_t resume;
        if (!entry_target(o, i, &fault) || !entry_target(o, i + 1, &resume))
            return bad_object(o, listed, "an entry of the exception table is not of", ".text");
        if (fault < function->st_value || fault >= function->st_value + function->st_size)
            continue;
        if (r->made.fault != STENCIL_NO_FAULT || resume < function->st_value ||
            resume >= function->st_value + function->st_size)
            return bad_object(o, listed, "more than one entry, or one that leaves", "the function");
        r->made.fault = (uint16_t)(fault - function->st_value);
        r->made.resume = (uint16_t)(resume - function->st_value);
    }
    return MF_OK;
}

/* ---- Stencils ---- */

/* What the code ends with a jump to follows it: the jump is left out. */
#define JUMP_BYTES 5
#define JUMP_OPCODE 0xe9

static void drop_last_jump(reading *r) {
    if (r->made.hole_count == 0 || r->made.code_bytes < JUMP_BYTES)
        return;
    const stencil_hole *last = &r->holes[r->made.hole_count - 1];
    uint16_t start = (uint16_t)(r->made.code_bytes - JUMP_BYTES);
    bool leads_on = last->form == STENCIL_RELATIVE &&
                    (last->what == STENCIL_PLACE_REST || last->what == STENCIL_PLACE_ACCESS);
    if (leads_on && last->offset == start + 1 && r->code[start] == JUMP_OPCODE) {
        r->made.code_bytes = start;
        r->made.hole_count--;
    }
}

static bool is_same(const made_table *made, const stencil *known, const reading *r) {
    return known->code_bytes == r->made.code_bytes && known->hole_count == r->made.hole_count &&
           known->fault == r->made.fault && known->resume == r->made.resume &&
           memcmp(made->code + known->code, r->code, known->code_bytes) == 0 &&
           memcmp(made->holes + known->first_hole, r->holes, known->hole_count * sizeof *r->holes) == 0;
}

/* There is room for all of them: the table has as many bytes as the object. */
static uint32_t keep(made_table *made, const reading *r) {
    for (uint32_t i = 0; i < made->stencil_count; i++)
        if (is_same(made, &made->stencils[i], r))
            return i;
    stencil *kept = &made->stencils[made->stencil_count];
    *kept = r->made;
    kept->code = made->code_bytes;
    kept->first_hole = made->hole_count;
    memcpy(made->code + kept->code, r->code, kept->code_bytes);
    memcpy(made->holes + kept->first_hole, r->holes, kept->hole_count * sizeof *r->holes);
    made->code_bytes += kept->code_bytes;
    made->hole_count += kept->hole_count;
    return made->stencil_count++;
}

static mf_status read_stencil(const object *o, size_t listed, const GElf_Sym *function, made_table *made) {
    reading r = {.made = {.fault = STENCIL_NO_FAULT, .resume = STENCIL_NO_FAULT}};
    if (function->st_size > CODE_BYTES_MAX || function->st_shndx != o->text_section)
        return bad_object(o, listed, "it is too long, or not in", ".text");
    r.made.code_bytes = (uint16_t)function->st_size;
    memcpy(r.code, (const unsigned char *)o->text->d_buf + function->st_value, function->st_size);
    mf_status status = read_holes(o, listed, function, &r);
    if (status == MF_OK)
        status = read_entry(o, listed, function, &r);
    if (status != MF_OK)
        return status;
    drop_last_jump(&r);
    made->of_listed[listed] = keep(made, &r);
    return MF_OK;
}

static mf_status read_functions(const object *o, made_table *made) {
    size_t count = count_of(o->symbols, sizeof(Elf64_Sym));
    size_t found = 0;
    mf_status status = MF_OK;
    for (size_t i = 0; status == MF_OK && i < count; i++) {
        GElf_Sym symbol;
        size_t listed;
        const char *name = symbol_of(o, i, &symbol);
        if (sscanf(name, EMITTED_PREFIX "%zu", &listed) != 1 || listed >= made->listed_count)
            continue;
        status = read_stencil(o, listed, &symbol, made);
        found++;
    }
    if (status == MF_OK && found != made->listed_count)
        return mf_diag_set(o->diag, MF_LLVM, found, "the object has %zu stencils of %zu", found,
                           made->listed_count);
    return status;
}

static mf_status allocate(const object *o, size_t listed_count, made_table *made) {
    made->listed_count = listed_count;
    made->code = malloc(o->text->d_size);
    made->holes = calloc(count_of(o->text_relocations, sizeof(Elf64_Rela)) + 1, sizeof *made->holes);
    made->stencils = calloc(listed_count, sizeof *made->stencils);
    made->of_listed = calloc(listed_count, sizeof *made->of_listed);
    if (made->code == NULL || made->holes == NULL || made->stencils == NULL || made->of_listed == NULL)
        return mf_diag_set(o->diag, MF_OUT_OF_MEMORY, listed_count, "no memory for stencils");
    return MF_OK;
}

mf_status made_table_read(made_table *made, const void *bytes, size_t byte_count, size_t listed_count,
                          mf_diag *diag) {
    elf_version(EV_CURRENT);
    char *copy = malloc(byte_count); /* libelf takes bytes that it could write */
    if (copy == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, byte_count, "no memory for an object");
    memcpy(copy, bytes, byte_count);
    object o = {.elf = elf_memory(copy, byte_count), .diag = diag};
    mf_status status = MF_LLVM;
    if (o.elf != NULL && elf_getshdrstrndx(o.elf, &o.names) == 0)
        find_sections(&o);
    if (o.text == NULL || o.text_relocations == NULL || o.symbols == NULL)
        status = mf_diag_set(diag, MF_LLVM, 0, "the object has no code, symbols or relocations");
    else
        status = allocate(&o, listed_count, made);
    if (status == MF_OK)
        status = read_functions(&o, made);
    elf_end(o.elf);
    free(copy);
    return status;
}

void made_table_fini(made_table *made) {
    free(made->code);
    free(made->holes);
    free(made->stencils);
    free(made->of_listed);
    *made = (made_table){0};
}
