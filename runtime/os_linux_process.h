/*
 * What belongs to this process and not to a child that has its memory: a page that fork wipes, however the
 * child was made. Only for the files os_linux*.c.
 */
#ifndef MEMFOLD_RUNTIME_OS_LINUX_PROCESS_H
#define MEMFOLD_RUNTIME_OS_LINUX_PROCESS_H

#include <stdatomic.h>
#include <stdbool.h>

typedef struct process_page {
    atomic_int page_map_next;    /* the descriptor of the page map and 1; 0: none is open */
    struct shared_file *filling; /* the memory file that is being filled; with the registry's lock held */
} process_page;

/*
 * The page, which lasts until it has been released as often as it was retained. NULL, and nothing is
 * retained, where the host has none. With the registry's lock held.
 */
process_page *process_page_retain(void);
void process_page_release(void);

#endif
