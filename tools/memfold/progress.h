/*
 * The line that says how far a long command is and how long it will take yet. It stands on standard error,
 * on a terminal only, from the second second on, and goes when the command prints something else.
 */
#ifndef MEMFOLD_TOOLS_PROGRESS_H
#define MEMFOLD_TOOLS_PROGRESS_H

/* Sets the clock: `name`, "bench", begins the line and stays borrowed. One line in a process. */
void progress_begin(const char *name);

/* `part` of the work, 0 to 1, is done, and `doing` (borrowed for the call) comes now. Any thread may call it,
 * one at a time. */
void progress_update(double part, const char *doing);

/* The line is gone, until the next update. Before anything is printed. */
void progress_clear(void);

#endif
