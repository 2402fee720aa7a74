/*
 * What a page fault may find in page tables, and what it may change there: promised pages get frames, shared
 * ones are copied for a store.
 *
 * Thread rule: any CPU that uses the tables, at any time, with interrupts off, beside all functions of
 * tables.h that the thread rule of a memory lets run beside accesses. No lock is taken.
 */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_BARE_TOUCH_H
#define MEMFOLD_RUNTIME_X86_PAGED_BARE_TOUCH_H

#include "x86_paged/bare/tables.h"

typedef enum touch_answer {
    TOUCH_REFUSED, /* the permission of the page refuses the access */
    TOUCH_ALLOWED, /* the CPU lets some ring do it */
    TOUCH_WANTS_FRAME,
    TOUCH_WAITS /* another CPU is at it */
} touch_answer;

/* What the tables say of an access to the byte at `address`, and whether ring 3 may do it, too, if any. */
touch_answer page_touch_ask(unsigned char *direct_map, uint64_t root, uint64_t address,
                            mf_operation operation, bool *is_user_page);

/*
 * After TOUCH_WANTS_FRAME: the access can be done, or another CPU has been faster and it is to be tried
 * again. False if there is no frame, and then nothing has changed.
 */
bool page_touch(const frame_source *frames, uint64_t root, uint64_t address, mf_operation operation);

#endif
