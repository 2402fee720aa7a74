/*
 * Errors of the caller's input and of the environment.
 *
 * Three kinds of trouble never mix: a guest's mistake is an mf_fault (abi.h), a programmer's mistake
 * panics (panic.h), and everything else is an mf_status. A function that returns a status writes its
 * results only on MF_OK and leaves everything as it was otherwise.
 */
#ifndef MEMFOLD_STATUS_H
#define MEMFOLD_STATUS_H

#include <memfold/public.h>

#include <stddef.h>
#include <stdint.h>

MF_PUBLIC_BEGIN

/* X(code, "name", "message") */
#define MF_STATUSES(X)                                                                                       \
    X(MF_OK, "ok", "success")                                                                                \
    X(MF_OUT_OF_MEMORY, "out-of-memory", "the host has no memory or address space left")                     \
    X(MF_UNALIGNED_START, "unaligned-start", "the start is not a multiple of 4096")                          \
    X(MF_UNALIGNED_SIZE, "unaligned-size", "the size is not a multiple of 4096")                             \
    X(MF_OVERFLOW, "overflow", "the range ends past 2^32")                                                   \
    X(MF_HEAP_REFUSED, "refused", "the heap cannot grow that far")                                           \
    X(MF_INVALID_ARGUMENT, "invalid-argument", "an argument is not allowed here")                            \
    X(MF_INEXACT_STRATEGY, "inexact-strategy", "the strategy cannot answer exactly for this layout")         \
    X(MF_BAD_INPUT, "bad-input", "the input does not describe a layout")                                     \
    X(MF_IO, "io", "a file cannot be read or written")                                                       \
    X(MF_UNKNOWN_TARGET, "unknown-target", "the target is not known")                                        \
    X(MF_LLVM, "llvm", "LLVM refused the module")

typedef enum mf_status {
#define MF_X(code, name, message) code,
    MF_STATUSES(MF_X)
#undef MF_X
        MF_STATUS_COUNT
} mf_status;

/* The name ("unaligned-start") and the general message of a status. Static storage. Any thread. */
const char *mf_status_name(mf_status status);
const char *mf_status_message(mf_status status);

/*
 * The detail of a failure, in the caller's storage. Functions take it as an optional last argument
 * (NULL is fine) and write it only when they fail.
 */
typedef struct mf_diag {
    mf_status status;
    uint64_t value; /* the offending number, where there is one: a start, a size, an end, an address */
    uint32_t line;  /* 1-based line and column in `file`, or 0 */
    uint32_t column;
    char file[4096];   /* the file as the caller named it, or empty */
    char message[512]; /* one line, no full stop */
} mf_diag;

/* Fills `diag` (if not NULL) with a formatted message, no place, and returns `status`. Any thread. */
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
mf_status
mf_diag_set(mf_diag *diag, mf_status status, uint64_t value, const char *format, ...);

/*
 * Writes "file:line:column: message" (as much of the place as is known) to `text`, always terminated,
 * and returns the length it needs without the terminator, as snprintf does. Any thread.
 */
size_t mf_diag_print(const mf_diag *diag, char *text, size_t text_bytes);

MF_PUBLIC_END

#endif
