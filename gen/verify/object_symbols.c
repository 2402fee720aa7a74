/* The symbols of an object: their names, and what each stands for. */
#include "verify/object.h"

#include <stdlib.h>
#include <string.h>

/* A symbol of the file as it is, and its number. */
typedef struct entry {
    Elf64_Sym symbol;
    const char *name;
    size_t number;
} entry;

/* What there is in each section. Functions and the weak symbol have names of their own. */
typedef struct place_rule {
    const char *name;
    object_section section;
    uint64_t bytes;
} place_rule;

static const place_rule LOCALS[] = {{"memfold.abi", OBJECT_STAMP, 8},
                                    {"memfold.init", OBJECT_INIT, 8},
                                    {"memfold.fini", OBJECT_FINI, 8},
                                    {"memfold.note", OBJECT_BOUNDS, 36}};

static const char *const HOOKS[] = {"memfold.register", "memfold.unregister"};

static const char *const ENTRY_NAMES[] = {
#define MF_X(name, function) #function,
    MF_RT_ENTRIES(MF_X)
#undef MF_X
};

/* ---- One symbol ---- */

static mf_status refuse(const object *o, const entry *e, const char *why) {
    return object_refuse(o, OBJECT_SYMBOLS, e->number, "symbol %zu '%.64s' %s", e->number, e->name, why);
}

static bool has_form(const entry *e, unsigned binding, unsigned type, unsigned visibility) {
    return e->symbol.st_info == ELF64_ST_INFO(binding, type) && e->symbol.st_other == visibility;
}

/* What follows the prefix and '_' in `name`, or NULL. */
static const char *behind_prefix(const object *o, const char *name) {
    size_t length = strlen(o->note.prefix);
    bool is_ours = strncmp(name, o->note.prefix, length) == 0 && name[length] == '_';
    return is_ours ? name + length + 1 : NULL;
}

static mf_status take_function(object *o, const entry *e, size_t function) {
    object_function *f = &o->functions[function];
    uint64_t text_bytes = o->file.sections[o->sections[OBJECT_TEXT]].sh_size;
    if (f->bytes != 0)
        return refuse(o, e, "is defined twice");
    if (e->symbol.st_size == 0 || e->symbol.st_value > text_bytes ||
        e->symbol.st_size > text_bytes - e->symbol.st_value)
        return refuse(o, e, "is not within the code");
    *f = (object_function){e->symbol.st_value, e->symbol.st_size};
    o->symbols[e->number] =
        (object_symbol){.kind = OBJECT_PLACE, .section = OBJECT_TEXT, .value = e->symbol.st_value};
    return MF_OK;
}

/* At the beginning of a section. */
static mf_status take_start(object *o, const entry *e, object_section section, uint64_t bytes) {
    if (e->symbol.st_value != 0 || e->symbol.st_size != bytes)
        return refuse(o, e, "is not at its place");
    o->symbols[e->number] = (object_symbol){.kind = OBJECT_PLACE, .section = section};
    return MF_OK;
}

/* The section that the symbol is in, or OBJECT_SECTION_COUNT if it is none of the list. */
static object_section section_of(const object *o, const entry *e) {
    object_section section = 0;
    while (section < OBJECT_SECTION_COUNT &&
           (o->sections[section] == 0 || o->sections[section] != e->symbol.st_shndx))
        section++;
    return section;
}

static mf_status take_local(object *o, const entry *e) {
    object_section section = section_of(o, e);
    if (has_form(e, STB_LOCAL, STT_FILE, STV_DEFAULT) && e->symbol.st_shndx == SHN_ABS)
        return e->symbol.st_value == 0 && e->symbol.st_size == 0 && strcmp(e->name, o->note.prefix) == 0
                   ? MF_OK
                   : refuse(o, e, "is not the file of the note's prefix");
    if (section == OBJECT_SECTION_COUNT)
        return refuse(o, e, "is in no section of the object");
    if (has_form(e, STB_LOCAL, STT_SECTION, STV_DEFAULT) && e->symbol.st_name == 0)
        return take_start(o, e, section, 0);
    for (size_t i = 0; i < sizeof LOCALS / sizeof LOCALS[0]; i++)
        if (has_form(e, STB_LOCAL, STT_OBJECT, STV_DEFAULT) && section == LOCALS[i].section &&
            strcmp(e->name, LOCALS[i].name) == 0)
            return take_start(o, e, section, LOCALS[i].bytes);
    for (size_t i = 0; i < sizeof HOOKS / sizeof HOOKS[0]; i++)
        if (has_form(e, STB_LOCAL, STT_FUNC, STV_DEFAULT) && section == OBJECT_TEXT &&
            strcmp(e->name, HOOKS[i]) == 0)
            return take_function(o, e, OBJECT_REGISTER + i);
    return refuse(o, e, "is no local symbol that memfold emits");
}

static mf_status take_defined(object *o, const entry *e) {
    object_section section = section_of(o, e);
    const char *rest = behind_prefix(o, e->name);
    if (rest == NULL || section == OBJECT_SECTION_COUNT)
        return refuse(o, e, "is no symbol that memfold emits");
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        if (strcmp(rest, mf_accessor_info_get(id)->name) == 0 && section == OBJECT_TEXT &&
            has_form(e, STB_GLOBAL, STT_FUNC, STV_DEFAULT))
            return take_function(o, e, id);
    if (strcmp(rest, "accessors") == 0 && section == OBJECT_SET &&
        has_form(e, STB_GLOBAL, STT_OBJECT, STV_DEFAULT))
        return take_start(o, e, section, sizeof(mf_accessors));
    if (strcmp(rest, "extable") == 0 && section == OBJECT_ENTRIES &&
        has_form(e, STB_WEAK, STT_NOTYPE, STV_DEFAULT))
        return take_start(o, e, section, 0);
    return refuse(o, e, "is no symbol that memfold emits");
}

static mf_status take_undefined(object *o, const entry *e) {
    object_symbol *symbol = &o->symbols[e->number];
    bool is_plain = has_form(e, STB_GLOBAL, STT_NOTYPE, STV_DEFAULT);
    bool is_hidden = has_form(e, STB_GLOBAL, STT_NOTYPE, STV_HIDDEN);
    if (e->symbol.st_value != 0 || e->symbol.st_size != 0)
        return refuse(o, e, "is undefined, but has a place");
    if (is_plain && strcmp(e->name, MF_ABI_STAMP_SYMBOL) == 0) {
        o->names_abi = true;
        symbol->kind = OBJECT_ABI;
        return MF_OK;
    }
    if (is_hidden && strcmp(e->name, "__start_" MF_EXCEPTION_SECTION) == 0) {
        symbol->kind = OBJECT_TABLE_START;
        return MF_OK;
    }
    if (is_hidden && strcmp(e->name, "__stop_" MF_EXCEPTION_SECTION) == 0) {
        symbol->kind = OBJECT_TABLE_STOP;
        return MF_OK;
    }
    for (mf_rt_entry rt = 0; rt < MF_RT_ENTRY_COUNT; rt++)
        if (is_plain && strcmp(e->name, ENTRY_NAMES[rt]) == 0) {
            o->is_declared[rt] = true;
            *symbol = (object_symbol){.kind = OBJECT_RUNTIME, .entry = rt};
            return MF_OK;
        }
    return refuse(o, e, "is undefined, and not a name that memfold's objects ask for");
}

/* ---- All of them ---- */

/* Which bytes of the strings are names of something. */
typedef struct used_bytes {
    bool *is_used;
    uint64_t count;
} used_bytes;

static void use(const used_bytes *used, uint64_t offset, const char *name) {
    memset(used->is_used + offset, true, strlen(name) + 1);
}

static mf_status take_symbol(object *o, const used_bytes *used, size_t number, bool is_local) {
    const Elf64_Shdr *header = &o->file.sections[o->sections[OBJECT_SYMBOLS]];
    const unsigned char *bytes = elf_file_bytes(&o->file, o->sections[OBJECT_SYMBOLS]);
    static const Elf64_Sym EMPTY;
    entry e = {.number = number, .name = ""};
    memcpy(&e.symbol, bytes + number * sizeof e.symbol, sizeof e.symbol);
    if (number == 0)
        return memcmp(&e.symbol, &EMPTY, sizeof EMPTY) == 0 ? MF_OK : refuse(o, &e, "is not empty");
    e.name = elf_file_string(&o->file, header->sh_link, e.symbol.st_name);
    if (e.name == NULL)
        return object_refuse(o, OBJECT_SYMBOLS, number, "symbol %zu has its name outside of the strings",
                             number);
    use(used, e.symbol.st_name, e.name);
    if (is_local != (ELF64_ST_BIND(e.symbol.st_info) == STB_LOCAL))
        return refuse(o, &e, "is on the wrong side of the last local one");
    if (is_local)
        return take_local(o, &e);
    return e.symbol.st_shndx == SHN_UNDEF ? take_undefined(o, &e) : take_defined(o, &e);
}

static mf_status check_functions(const object *o) {
    bool has_table = o->sections[OBJECT_ENTRIES] != 0;
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        if (o->functions[id].bytes == 0)
            return object_refuse(o, OBJECT_SYMBOLS, id, "there is no '%s_%s'", o->note.prefix,
                                 mf_accessor_info_get(id)->name);
    for (size_t i = OBJECT_REGISTER; i < OBJECT_FUNCTION_COUNT; i++)
        if ((o->functions[i].bytes != 0) != has_table)
            return object_refuse(o, OBJECT_SYMBOLS, i, "'%s' and the exception table do not come together",
                                 HOOKS[i - OBJECT_REGISTER]);
    for (size_t i = 0; i < OBJECT_FUNCTION_COUNT; i++)
        for (size_t j = 0; j < i; j++)
            if (o->functions[i].bytes != 0 && o->functions[j].bytes != 0 &&
                o->functions[i].start < o->functions[j].start + o->functions[j].bytes &&
                o->functions[j].start < o->functions[i].start + o->functions[i].bytes)
                return object_refuse(o, OBJECT_SYMBOLS, o->functions[i].start,
                                     "two functions are at 0x%llx of the code",
                                     (unsigned long long)o->functions[i].start);
    return MF_OK;
}

static mf_status check_used(const object *o, object_section section, const used_bytes *used) {
    const unsigned char *bytes = elf_file_bytes(&o->file, o->sections[section]);
    if (used->count == 0 || bytes[0] != '\0')
        return object_refuse(o, section, 0, "it does not begin with the empty name");
    for (uint64_t at = 1; at < used->count; at++)
        if (!used->is_used[at])
            return object_refuse(o, section, at, "the byte at 0x%llx is part of no name",
                                 (unsigned long long)at);
    return MF_OK;
}

static void use_section_names(const object *o, const used_bytes *used) {
    for (size_t i = 1; i < o->file.section_count; i++)
        use(used, o->file.sections[i].sh_name, elf_file_section_name(&o->file, i));
}

static mf_status take_symbols(object *o, const used_bytes *used) {
    const Elf64_Shdr *header = &o->file.sections[o->sections[OBJECT_SYMBOLS]];
    mf_status status = MF_OK;
    for (size_t i = 0; i < o->symbol_count && status == MF_OK; i++)
        status = take_symbol(o, used, i, i < header->sh_info);
    if (status == MF_OK)
        status = check_functions(o);
    if (o->file.names == o->sections[OBJECT_STRINGS])
        use_section_names(o, used);
    return status == MF_OK ? check_used(o, OBJECT_STRINGS, used) : status;
}

static mf_status used_bytes_init(const object *o, object_section section, used_bytes *used) {
    used->count = o->file.sections[o->sections[section]].sh_size;
    used->is_used = calloc(used->count + 1, sizeof *used->is_used);
    return used->is_used != NULL
               ? MF_OK
               : mf_diag_set(o->diag, MF_OUT_OF_MEMORY, used->count, "no memory for an object");
}

/* Where the sections have names of their own. */
static mf_status check_section_names(const object *o) {
    used_bytes used;
    if (o->sections[OBJECT_NAMES] == 0)
        return MF_OK;
    mf_status status = used_bytes_init(o, OBJECT_NAMES, &used);
    if (status != MF_OK)
        return status;
    use_section_names(o, &used);
    status = check_used(o, OBJECT_NAMES, &used);
    free(used.is_used);
    return status;
}

mf_status object_take_symbols(object *o) {
    const Elf64_Shdr *header = &o->file.sections[o->sections[OBJECT_SYMBOLS]];
    if (header->sh_size % sizeof(Elf64_Sym) != 0 || header->sh_size == 0 ||
        header->sh_size / sizeof(Elf64_Sym) > OBJECT_SYMBOLS_MAX)
        return object_refuse(o, OBJECT_SYMBOLS, header->sh_size,
                             "it has %llu bytes; memfold emits 1 to %d symbols",
                             (unsigned long long)header->sh_size, OBJECT_SYMBOLS_MAX);
    o->symbol_count = header->sh_size / sizeof(Elf64_Sym);
    if (header->sh_info > o->symbol_count)
        return object_refuse(o, OBJECT_SYMBOLS, header->sh_info, "it has %u local symbols of %zu",
                             header->sh_info, o->symbol_count);
    used_bytes used;
    mf_status status = used_bytes_init(o, OBJECT_STRINGS, &used);
    if (status != MF_OK)
        return status;
    status = take_symbols(o, &used);
    free(used.is_used);
    return status == MF_OK ? check_section_names(o) : status;
}
