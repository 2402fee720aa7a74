/*
 * The generic engine: accessors in plain C that check every access against the view's live permissions.
 * They serve any layout, never become stale, need no code generation, and answer exactly as generated ones.
 */
#ifndef MEMFOLD_GENERIC_H
#define MEMFOLD_GENERIC_H

#include <memfold/accessors.h>
#include <memfold/options.h>
#include <memfold/public.h>

MF_PUBLIC_BEGIN

/*
 * Borrows the generic accessors for `options` (NULL: the default), static storage. They honour `endian`,
 * `on_fault`, `index` and `base` view or argument; `backend`, `spectre`, `strategy` and `stale` ask nothing
 * of them. NULL where the engine has no such accessors: a check policy other than PERMS, or a constant base.
 * Any thread.
 */
const mf_accessors *mf_generic_accessors(const mf_accessor_options *options);

MF_PUBLIC_END

#endif
