/*
 * The generic engine: accessors in plain C that check every access against the view's live permissions.
 * They serve any layout, never become stale, need no code generation, and answer exactly as generated ones.
 * They serve memories of both backends. Example:
 *
 *     #include <memfold/generic.h>
 *     #include <memfold/memory.h>
 *
 *     int main(void) {
 *         mf_memory *memory;
 *         if (mf_memory_create(NULL, NULL, MF_BACKEND_COPY, &memory, NULL) != MF_OK)
 *             return 1;
 *         mf_view *view = mf_memory_view(memory);
 *         const mf_accessors *guest = mf_generic_accessors(NULL);
 *         uint32_t before = guest->store_u8(view, 0x5000, 1); // the page does not exist yet
 *         mf_memory_map_region(memory, 0x5000, 4096, MF_READ_WRITE, NULL, 0, NULL);
 *         uint32_t after = guest->store_u8(view, 0x5000, 1); // the same accessors
 *         mf_memory_destroy(memory);
 *         return before == MF_PAGE_FAULT && after == MF_FAULT_NONE ? 0 : 1;
 *     }
 */
#ifndef MEMFOLD_GENERIC_H
#define MEMFOLD_GENERIC_H

#include <memfold/accessors.h>
#include <memfold/options.h>
#include <memfold/public.h>

MF_PUBLIC_BEGIN

/*
 * Borrows the generic accessors for `options` (NULL: the default), static storage. They honour `endian`,
 * `on_fault`, `index` and `base` view or argument. The other options make no difference: the accessors are
 * exact for every layout and both backends, and have no mask (`spectre`). NULL where the engine has no such
 * accessors: a check policy other than PERMS, a constant base, or a value that the option does not have. Any
 * thread.
 */
const mf_accessors *mf_generic_accessors(const mf_accessor_options *options);

MF_PUBLIC_END

#endif
