#include "options.h"

#include "text.h"

#include <memfold/plan.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Above the characters, so that argp gives these options no short form. */
enum option_key {
    KEY_FORMAT = 0x100,
    KEY_HOT,
#define MF_X(ID, type, field, largest) KEY_##ID,
    MF_ACCESSOR_OPTIONS(MF_X)
#undef MF_X
};

/* Too long for the left column of the help. */
const char strategy_choices[] = "auto|window|two-windows|heap|few-windows|in-turn|immediate-bitmap|"
                                "granule-table|granule-bitmap|perm-table";

/* The choices of an option stand in the order of its enum, the default first. */
static const struct argp_option format_options[] = {
    {"format", KEY_FORMAT, "auto|yaml|elf", 0, "What LAYOUT is (auto: an ELF file if it begins like one)", 2},
    {0}};

static const struct argp_option accessor_options[] = {
    {NULL, 0, NULL, 0, "Accessors (the default of each option is its first value):", 1},
    {"backend", KEY_BACKEND, "copy|paged", 0, "Where the guest's bytes are and who checks", 1},
    {"policy", KEY_POLICY, "perms|bounds|none", 0, "Which accesses are refused", 1},
    {"endian", KEY_ENDIAN, "little|big", 0, "Byte order of the guest", 1},
    {"on-fault", KEY_ON_FAULT, "return|trap", 0, "How an accessor reports a fault", 1},
    {"order", KEY_ORDER, "all|guest", 0, "What keeps its order around paged accesses that trap", 1},
    {"base", KEY_BASE, "view|argument|constant", 0, "Where the host address of guest 0 comes from", 1},
    {"index", KEY_INDEX, "u32|u33", 0, "Type of the address argument", 1},
    {"spectre", KEY_SPECTRE, "none|mask", 0, "What a mispredicted check may read", 1},
    {"strategy", KEY_STRATEGY, "NAME", 0,
     "Which check to use: auto (the cheapest that is exact), window, two-windows, heap, few-windows, "
     "in-turn, immediate-bitmap, granule-table, granule-bitmap, perm-table",
     1},
    {"hot", KEY_HOT, "ADDRESS:PERCENT", 0, "The window there gets so many of 100 accesses: ask for it first",
     1},
    {"stale", KEY_STALE, "trust|check", 0, "Whether accessors compare their layout with the memory's", 1},
    {0}};

static const struct argp_option base_address_options[] = {
    {"base-address", KEY_BASE_ADDRESS, "ADDRESS", 0, "That address, for --base=constant (default 0)", 1},
    {0}};

/* Its name until it was told apart from the CPU's page tables. */
static void refuse_former_name(const char *name, const char *word) {
    if (strcmp(name, "strategy") == 0 && strcmp(word, "page-table") == 0)
        usage_error("--strategy=page-table is called perm-table now");
}

int choice_take(const char *name, const char *choices, const char *word) {
    refuse_former_name(name, word);
    int choice = choice_find(choices, word);
    if (choice < 0)
        usage_error("unknown value '%s' for --%s (%s)", word, name, choices);
    return choice;
}

/* The option with this key in a table of options, or NULL. */
static const struct argp_option *find_option(const struct argp_option *options, int key) {
    while (options->key != key && (options->name != NULL || options->doc != NULL))
        options++;
    return options->key == key ? options : NULL;
}

/* Takes the word of an option that the table has. */
static int keyed_choice_take(const struct argp_option *options, int key, const char *word) {
    const struct argp_option *option = find_option(options, key);
    return choice_take(option->name, option->arg, word);
}

static error_t format_parse(int key, char *word, struct argp_state *state) {
    if (key != KEY_FORMAT)
        return ARGP_ERR_UNKNOWN;
    *(mf_layout_format *)state->input = (mf_layout_format)keyed_choice_take(format_options, key, word);
    return 0;
}

static uint64_t base_address_take(const char *word) {
    uint64_t address = 0;
    switch (number_parse(word, UINT64_MAX, &address)) {
    case NUMBER_OK:
        return address;
    case NUMBER_MALFORMED:
        usage_error("'%s' for --base-address is not a number", word);
    case NUMBER_TOO_LARGE:
        break;
    }
    usage_error("'%s' for --base-address is out of range", word);
}

/* "ADDRESS:PERCENT" */
static void hot_take(mf_accessor_options *options, const char *word) {
    const char *colon = strchr(word, ':');
    uint64_t address = 0;
    uint64_t percent = 0;
    char *address_word = colon == NULL ? NULL : strndup(word, (size_t)(colon - word));
    bool is_good = address_word != NULL && number_parse(address_word, UINT32_MAX, &address) == NUMBER_OK &&
                   number_parse(colon + 1, 100, &percent) == NUMBER_OK && percent > 0;
    free(address_word);
    if (!is_good)
        usage_error("'%s' for --hot is not an address, ':' and a percentage of 1 to 100", word);
    options->hot_address = (uint32_t)address;
    options->hot_percent = (uint32_t)percent;
}

static void choice_store(mf_accessor_options *options, int key, int choice) {
    switch (key) {
#define MF_X(ID, type, field, largest)                                                                       \
    case KEY_##ID:                                                                                           \
        options->field = (type)choice;                                                                       \
        break;
        MF_ACCESSOR_OPTIONS(MF_X)
#undef MF_X
    }
}

void accessor_options_check(const mf_accessor_options *options) {
    mf_diag diag = {0};
    if (options->base_address != 0 && options->base != MF_BASE_CONSTANT)
        usage_error("--base-address needs --base=constant");
    if (mf_accessor_options_validate(options, &diag) != MF_OK)
        usage_error("%s", diag.message);
}

/* The options that are told by a word of a list, "a|b". */
static bool is_choice(int key) {
    const struct argp_option *option = find_option(accessor_options, key);
    return option != NULL && option->arg != NULL && strchr(option->arg, '|') != NULL;
}

/* The place of the word among the choices of the option with this key. */
static int accessor_choice_take(int key, const char *word) {
    return key == KEY_STRATEGY ? choice_take("strategy", strategy_choices, word)
                               : keyed_choice_take(accessor_options, key, word);
}

static error_t accessor_parse(int key, char *word, struct argp_state *state) {
    mf_accessor_options *options = state->input;
    if (key == ARGP_KEY_INIT)
        command_offer("strategy", strategy_choices);
    else if (key == KEY_HOT)
        hot_take(options, word);
    else if (key == ARGP_KEY_END)
        accessor_options_check(options);
    else if (key == KEY_STRATEGY || is_choice(key))
        choice_store(options, key, accessor_choice_take(key, word));
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static error_t placed_accessor_parse(int key, char *word, struct argp_state *state) {
    mf_accessor_options *options = state->input;
    if (key == KEY_BASE_ADDRESS)
        options->base_address = base_address_take(word);
    else if (key == ARGP_KEY_INIT)
        state->child_inputs[0] = options;
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

/* The places of the fields in MF_ACCESSOR_OPTIONS. */
enum option_field {
#define MF_X(ID, type, field, largest) FIELD_##ID,
    MF_ACCESSOR_OPTIONS(MF_X)
#undef MF_X
        FIELD_COUNT
};

/* The fields that an option of the command line sets. */
static uint32_t fields_of(int key) {
    switch (key) {
    case KEY_HOT:
        return UINT32_C(1) << FIELD_HOT_ADDRESS | UINT32_C(1) << FIELD_HOT_PERCENT;
#define MF_X(ID, type, field, largest)                                                                       \
    case KEY_##ID:                                                                                           \
        return UINT32_C(1) << FIELD_##ID;
        MF_ACCESSOR_OPTIONS(MF_X)
#undef MF_X
    default:
        return 0;
    }
}

/* The options are the input's first member, so that it serves the parser of those as well. */
static error_t given_accessor_parse(int key, char *word, struct argp_state *state) {
    given_accessors *asked = state->input;
    if (key == ARGP_KEY_END)
        return 0;
    error_t result = accessor_parse(key, word, state);
    if (result == 0)
        asked->given |= fields_of(key);
    return result;
}

static error_t given_placed_parse(int key, char *word, struct argp_state *state) {
    given_accessors *asked = state->input;
    error_t result = placed_accessor_parse(key, word, state);
    if (result == 0)
        asked->given |= fields_of(key);
    return result;
}

const struct argp format_argp = {format_options, format_parse, NULL, NULL, NULL, NULL, NULL};
const struct argp accessor_argp = {accessor_options, accessor_parse, NULL, NULL, NULL, NULL, NULL};

static const struct argp_child placed_accessor_children[] = {{&accessor_argp, 0, NULL, 0}, {0}};
const struct argp placed_accessor_argp = {
    base_address_options, placed_accessor_parse, NULL, NULL, placed_accessor_children, NULL, NULL};

static const struct argp given_plain_argp = {
    accessor_options, given_accessor_parse, NULL, NULL, NULL, NULL, NULL};
static const struct argp_child given_children[] = {{&given_plain_argp, 0, NULL, 0}, {0}};
const struct argp given_accessor_argp = {
    base_address_options, given_placed_parse, NULL, NULL, given_children, NULL, NULL};

/* ---- Options as words ---- */

static uint64_t field_value(const mf_accessor_options *options, int field) {
    const uint64_t values[] = {
#define MF_X(ID, type, field, largest) (uint64_t)options->field,
        MF_ACCESSOR_OPTIONS(MF_X)
#undef MF_X
    };
    return values[field];
}

/* The option that sets a field, if it is one of `accessor_options`; NULL otherwise. */
static const struct argp_option *option_of_field(int field) {
    static const int KEYS[] = {
#define MF_X(ID, type, field, largest) KEY_##ID,
        MF_ACCESSOR_OPTIONS(MF_X)
#undef MF_X
    };
    return find_option(accessor_options, KEYS[field]);
}

/* Where choice `place` of "a|b" begins, or NULL. */
static const char *choice_word(const char *choices, uint64_t place) {
    for (; place > 0 && choices != NULL; place--) {
        const char *bar = strchr(choices, '|');
        choices = bar == NULL ? NULL : bar + 1;
    }
    return choices;
}

/* What no option of the command sets is written with its name in options.h. */
static void field_print(const mf_accessor_options *options, int field, char text[OPTION_TEXT_BYTES]) {
    static const char *const NAMES[] = {
#define MF_X(ID, type, field, largest) #field,
        MF_ACCESSOR_OPTIONS(MF_X)
#undef MF_X
    };
    uint64_t value = field_value(options, field);
    const struct argp_option *option = option_of_field(field);
    const char *choices = option == NULL ? NULL : option->arg;
    if (option != NULL && option->key == KEY_STRATEGY)
        choices = strategy_choices;
    const char *word = choices == NULL ? NULL : choice_word(choices, value);
    if (word != NULL)
        snprintf(text, OPTION_TEXT_BYTES, "--%s=%.*s", option->name, (int)strcspn(word, "|"), word);
    else if (field == FIELD_BASE_ADDRESS)
        snprintf(text, OPTION_TEXT_BYTES, "--base-address=0x%llx", (unsigned long long)value);
    else if (field == FIELD_HOT_ADDRESS || field == FIELD_HOT_PERCENT)
        snprintf(text, OPTION_TEXT_BYTES, "--hot=0x%x:%u", options->hot_address, options->hot_percent);
    else
        snprintf(text, OPTION_TEXT_BYTES, "%s=%llu", NAMES[field], (unsigned long long)value);
}

size_t accessor_options_print(const mf_accessor_options *options, char *text, size_t text_bytes) {
    size_t length = 0;
    for (int field = 0; field < FIELD_COUNT; field++) {
        char one[OPTION_TEXT_BYTES];
        /* Address and percentage of the hot window are one option. */
        if (field_value(options, field) == 0 || field == FIELD_HOT_ADDRESS)
            continue;
        field_print(options, field, one);
        length += (size_t)snprintf(length < text_bytes ? text + length : NULL,
                                   length < text_bytes ? text_bytes - length : 0, "%s%s",
                                   length == 0 ? "" : " ", one);
    }
    return length != 0 ? length : (size_t)snprintf(text, text_bytes, "default options");
}

bool accessor_options_agree(const given_accessors *asked, const mf_accessor_options *options,
                            char in_options[OPTION_TEXT_BYTES], char as_given[OPTION_TEXT_BYTES]) {
    for (int field = 0; field < FIELD_COUNT; field++)
        if ((asked->given >> field & 1) != 0 &&
            field_value(options, field) != field_value(&asked->options, field)) {
            field_print(options, field, in_options);
            field_print(&asked->options, field, as_given);
            return false;
        }
    return true;
}

int layout_read(const char *path, mf_layout_format format, mf_layout_file *file) {
    mf_diag diag = {0};
    if (mf_layout_file_read(path, format, file, &diag) != MF_OK)
        return fail_diag(&diag, path);
    return 0;
}
