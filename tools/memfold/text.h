/* Words and numbers as people read and write them. */
#ifndef MEMFOLD_TOOLS_TEXT_H
#define MEMFOLD_TOOLS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum number_result { NUMBER_OK, NUMBER_MALFORMED, NUMBER_TOO_LARGE } number_result;

/* Reads a whole word as a decimal or 0x hexadecimal number; above `max` it is too large. */
number_result number_parse(const char *word, uint64_t max, uint64_t *number);

/* The place of `word` in "first|second|...", or -1. */
int choice_find(const char *choices, const char *word);

/* Terminal columns of `text`. */
unsigned text_columns(const char *text);

/*
 * Writes as much of `text` as fits into `columns`, ended by "..." if that is not all, always terminated;
 * `ascii_only` shows other characters as '?'. Returns the columns written.
 */
unsigned text_clip(const char *text, unsigned columns, bool ascii_only, char *to, size_t to_bytes);

/* Room for a size, its sign and its unit. */
#define SIZE_TEXT_BYTES 40

/* Writes "4 KiB", "1.5 MiB" or, where three decimals are not exact, "~1.37 GiB". */
const char *size_print(uint64_t bytes, char text[SIZE_TEXT_BYTES]);

#endif
