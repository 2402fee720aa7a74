/* What the paged backend asks of the host: verbs on the pages of a window. */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_MAP_H
#define MEMFOLD_RUNTIME_X86_PAGED_MAP_H

#include "pages.h"

/* A window without any accessible page, guarded on both sides, or NULL. close(NULL) is fine. */
unsigned char *mf_map_open(bool allow_huge_pages);
void mf_map_close(unsigned char *base);

/* The CPU lets these pages be accessed by `perm`. If not all could be set, some may have been. */
bool mf_map_protect(unsigned char *base, mf_page_run run, mf_perm perm);

/* Whether the CPU lets all of these pages be accessed by `perm` now, and no further. Slow; false if unknown.
 */
bool mf_map_has(unsigned char *base, mf_page_run run, mf_perm perm);

/* The pages are zero and go back to the host, whatever their permission. False: their bytes are kept. */
bool mf_map_drop(unsigned char *base, mf_page_run run);

#endif
