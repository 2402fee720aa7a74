/* memfold verify --object: proves the accessors of an object file. */
#ifndef MEMFOLD_TOOLS_VERIFY_OBJECT_H
#define MEMFOLD_TOOLS_VERIFY_OBJECT_H

#include "options.h"

#include <memfold/object.h>

/*
 * Proves what the object at `path` contains against the layout, prints with which options it was made and
 * what is proved of each accessor, and returns the exit code. What was asked has to agree with the object's
 * note.
 */
int verify_object_file(const mf_layout *layout, const char *path, const given_accessors *asked,
                       const mf_verify_limits *limits);

/* Proves an object that is not written yet. False, and it has been said why, unless all holds. */
bool verify_object_bytes(const mf_layout *layout, const char *bytes, size_t byte_count,
                         const mf_accessor_options *options, const char *layout_path);

#endif
