/*
 * The commands of `memfold run`, performed on a memory: one line each on standard output. It needs a C
 * library only to print, so that a kernel can do the same.
 */
#ifndef MEMFOLD_TOOLS_RUN_PERFORM_H
#define MEMFOLD_TOOLS_RUN_PERFORM_H

#include "run/engine.h"
#include "run/script.h"

/* A script in progress. */
typedef struct run_session {
    mf_memory *memory;
    run_engine engine;
    const run_script *script;
    mf_diag diag;
} run_session;

/*
 * Performs one command, then prints its line. An error of the host prints nothing and is in session->diag, so
 * that the output ends with the last command that was performed.
 */
mf_status run_command_perform(run_session *session, const run_command *command);

#endif
