/*
 * Accessors ahead of time: as an object file, assembly, LLVM IR, bitcode, or the C header that declares
 * them. Objects are linked with the runtime library and need no LLVM.
 */
#ifndef MEMFOLD_AOT_H
#define MEMFOLD_AOT_H

#include <memfold/layout.h>
#include <memfold/options.h>
#include <memfold/public.h>
#include <memfold/status.h>

MF_PUBLIC_BEGIN

typedef enum mf_emit_kind {
    MF_EMIT_IR = 0,
    MF_EMIT_BITCODE,
    MF_EMIT_ASSEMBLY,
    MF_EMIT_OBJECT,
    MF_EMIT_HEADER
} mf_emit_kind;

typedef struct mf_aot_options {
    mf_accessor_options accessors;
    const char *symbol_prefix; /* a C identifier; the functions are <prefix>_load_u8, ... */
    const char *target;        /* an LLVM triple of a 64-bit little-endian target; NULL: this machine */
} mf_aot_options;

/*
 * Writes the bytes of the wanted kind, which the caller frees with mf_aot_free. The same input always gives
 * the same bytes. Beside the functions an object defines `<prefix>_accessors`, an mf_accessors with all of
 * them. MF_INVALID_ARGUMENT, MF_INEXACT_STRATEGY, MF_UNKNOWN_TARGET, MF_OUT_OF_MEMORY, MF_LLVM.
 * Any thread.
 */
mf_status mf_aot_emit(const mf_layout *layout, const mf_aot_options *options, mf_emit_kind kind, char **bytes,
                      size_t *byte_count, mf_diag *diag);
void mf_aot_free(char *bytes);

MF_PUBLIC_END

#endif
