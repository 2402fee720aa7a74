/*
 * The events of a YAML text, one at a time, with the place of each: no document tree is built, so memory is
 * bounded by the text. Aliases and tags are refused here, wherever they stand.
 */
#ifndef MEMFOLD_GEN_LAYOUT_YAML_EVENTS_H
#define MEMFOLD_GEN_LAYOUT_YAML_EVENTS_H

#include "layout/source.h"

#include <yaml.h>

typedef struct events {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    const source *source;
    mf_diag *diag;
} events;

mf_status events_init(events *events, const source *source, mf_diag *diag);
void events_fini(events *events);

/* `event` is the next one; the one before is gone. */
mf_status events_next(events *events);

/* Fills the diagnostic with a formatted message and the place `mark`; returns `status`. */
__attribute__((format(printf, 5, 6))) mf_status events_fail(const events *events, yaml_mark_t mark,
                                                            mf_status status, uint64_t value,
                                                            const char *format, ...);

/* Puts the place `mark` into a diagnostic that has none. */
void diag_place(mf_diag *diag, yaml_mark_t mark);

/* "a sequence", "a mapping", ...: what the current event begins. */
const char *events_kind(const events *events);

/* The text of the current scalar in one line, cut to what a message can hold. */
#define EXCERPT_BYTES 48
typedef struct excerpt {
    char text[EXCERPT_BYTES];
} excerpt;
excerpt events_excerpt(const events *events);

/* Reads the current event, the value of `key`: a plain scalar, decimal digits or 0x and hex digits. */
mf_status events_read_number(const events *events, const char *key, uint64_t *number);

/* Reads the current event, the value of `key`: a scalar in one line, not empty. The caller frees `text`. */
mf_status events_read_text(const events *events, const char *key, char **text);

#endif
