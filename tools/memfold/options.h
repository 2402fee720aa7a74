/* Options that several commands share, as argp children. */
#ifndef MEMFOLD_TOOLS_OPTIONS_H
#define MEMFOLD_TOOLS_OPTIONS_H

#include "command.h"

#include <memfold/options.h>

#include <stdbool.h>

/* Room for one option with its value. */
#define OPTION_TEXT_BYTES 64

/*
 * Every command: --format. The child's input is an mf_layout_format.
 * run: what the accessors are like. The child's input is an mf_accessor_options, zeroed before; at the end it
 * holds options that go together.
 * plan and emit, which have no memory: the same, and --base-address.
 */
extern const struct argp format_argp;
extern const struct argp accessor_argp;
extern const struct argp placed_accessor_argp;

/*
 * verify, which compares options: the same as placed, and which of them were given, bit n for the n-th field
 * of MF_ACCESSOR_OPTIONS. The child's input is a given_accessors, zeroed before. Whether the options go
 * together is asked by accessor_options_check, when it is known what the others are.
 */
typedef struct given_accessors {
    mf_accessor_options options; /* first: as the input of the others */
    uint32_t given;
} given_accessors;
extern const struct argp given_accessor_argp;

/* Bad usage unless the options go together. */
void accessor_options_check(const mf_accessor_options *options);

/*
 * Writes the options that are not the default as they are given on a command line, separated by blanks, or
 * "default options". Returns the length it needs without the terminator.
 */
size_t accessor_options_print(const mf_accessor_options *options, char *text, size_t text_bytes);

/*
 * True if what was given agrees with `options`; otherwise the first one that does not is written as it is in
 * `options` and as it was given.
 */
bool accessor_options_agree(const given_accessors *asked, const mf_accessor_options *options,
                            char in_options[OPTION_TEXT_BYTES], char as_given[OPTION_TEXT_BYTES]);

/*
 * The value of option `--name`: the place of `word` in `choices`, "first|second|...", which is the order of
 * an enum. Another word is bad usage.
 */
int choice_take(const char *name, const char *choices, const char *word);

/* The choices of --strategy. */
extern const char strategy_choices[];

/* Reads LAYOUT; otherwise prints why not and returns EXIT_BAD_INPUT. */
int layout_read(const char *path, mf_layout_format format, mf_layout_file *file);

#endif
