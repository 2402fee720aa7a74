/*
 * The events of a YAML text, one at a time, with the place of each: no document tree is built, so memory is
 * bounded by the text. Aliases and tags are refused here, wherever they stand.
 */
#ifndef MEMFOLD_GEN_LAYOUT_YAML_EVENTS_H
#define MEMFOLD_GEN_LAYOUT_YAML_EVENTS_H

#include "source.h"

#include <yaml.h>

typedef struct mf_yaml_events {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    const mf_source *source;
    mf_diag *diag;
} mf_yaml_events;

mf_status mf_yaml_events_init(mf_yaml_events *events, const mf_source *source, mf_diag *diag);
void mf_yaml_events_fini(mf_yaml_events *events);

/* `event` is the next one; the one before is gone. */
mf_status mf_yaml_events_next(mf_yaml_events *events);

/* Fills the diagnostic with a formatted message and the place `mark`; returns `status`. */
__attribute__((format(printf, 5, 6))) mf_status mf_yaml_fail(const mf_yaml_events *events, yaml_mark_t mark,
                                                             mf_status status, uint64_t value,
                                                             const char *format, ...);

/* Puts the place `mark` into a diagnostic that has none. */
void mf_yaml_place(mf_diag *diag, yaml_mark_t mark);

/* "a sequence", "a mapping", ...: what the current event begins. */
const char *mf_yaml_event_kind(const mf_yaml_events *events);

/* The text of the current scalar in one line, cut to what a message can hold. */
#define MF_YAML_EXCERPT_BYTES 48
typedef struct mf_yaml_excerpt {
    char text[MF_YAML_EXCERPT_BYTES];
} mf_yaml_excerpt;
mf_yaml_excerpt mf_yaml_excerpt_of(const mf_yaml_events *events);

/* Reads the current event, the value of `key`: a plain scalar, decimal digits or 0x and hex digits. */
mf_status mf_yaml_read_number(const mf_yaml_events *events, const char *key, uint64_t *number);

/* Reads the current event, the value of `key`: a scalar in one line, not empty. The caller frees `text`. */
mf_status mf_yaml_read_text(const mf_yaml_events *events, const char *key, char **text);

#endif
