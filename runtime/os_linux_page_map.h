/* Descriptors of this process's page map. Only for the files os_linux*.c. */
#ifndef MEMFOLD_RUNTIME_OS_LINUX_PAGE_MAP_H
#define MEMFOLD_RUNTIME_OS_LINUX_PAGE_MAP_H

#include <stdbool.h>

/* A new one, or -1. */
int page_map_open(void);

/* The one that everybody shares while there are memories, or -1. */
int page_map_borrow(void);

/* Whether what was borrowed is another file by now, because somebody has closed it. The next one is new. */
bool page_map_is_lost(void);

#endif
