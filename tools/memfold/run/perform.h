/*
 * The commands of `memfold run`, performed on a memory: one line each on standard output. It needs a C
 * library only to print, so that a kernel can do the same.
 */
#ifndef MEMFOLD_TOOLS_RUN_PERFORM_H
#define MEMFOLD_TOOLS_RUN_PERFORM_H

#include "run/engine.h"
#include "run/script.h"

/* A script in progress. */
struct session {
    mf_memory *memory;
    struct engine engine;
    const struct script *script;
    mf_diag diag;
};

/*
 * Performs one command, then prints its line. An error of the host prints nothing and is in session->diag, so
 * that the output ends with the last command that was performed.
 */
mf_status command_perform(struct session *session, const struct script_command *command);

#endif
