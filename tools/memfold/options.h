/* Options that several commands share, as argp children. */
#ifndef MEMFOLD_TOOLS_OPTIONS_H
#define MEMFOLD_TOOLS_OPTIONS_H

#include "command.h"

#include <memfold/options.h>

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
 * The value of option `--name`: the place of `word` in `choices`, "first|second|...", which is the order of
 * an enum. Another word is bad usage.
 */
int choice_take(const char *name, const char *choices, const char *word);

/* The choices of --strategy. */
extern const char strategy_choices[];

/* Reads LAYOUT; otherwise prints why not and returns EXIT_BAD_INPUT. */
int layout_read(const char *path, mf_layout_format format, mf_layout_file *file);

#endif
