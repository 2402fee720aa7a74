/*
 * Errors of the caller's input and of the environment.
 *
 * Three kinds of trouble never mix: a guest's mistake is an mf_fault (abi.h), a programmer's mistake
 * panics (panic.h), and everything else is an mf_status. A function that returns a status writes its
 * results only on MF_OK and leaves everything as it was otherwise. Functions without a status, a bool or a
 * pointer that may be NULL cannot fail. Example:
 *
 *     #include <memfold/memory.h>
 *     #include <memfold/status.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *         mf_memory *memory;
 *         mf_diag diag;
 *         char line[256];
 *         if (mf_memory_create(NULL, NULL, MF_BACKEND_COPY, &memory, &diag) != MF_OK)
 *             return 1;
 *         mf_status status = mf_memory_map_region(memory, 0x1234, 4096, MF_READ_ONLY, NULL, 0, &diag);
 *         if (status != MF_OK) {
 *             mf_diag_print(&diag, line, sizeof line);
 *             fprintf(stderr, "%s: %s\n", mf_status_name(status), line);
 *         }
 *         mf_memory_destroy(memory);
 *         return status == MF_UNALIGNED_START && diag.value == 0x1234 ? 0 : 1;
 *     }
 */
#ifndef MEMFOLD_STATUS_H
#define MEMFOLD_STATUS_H

#include <memfold/public.h>

#include <stddef.h>
#include <stdint.h>

MF_PUBLIC_BEGIN

/* The list of all statuses, expanding X(code, "name", "message") for each; X is your macro. */
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

/* The code of each status. MF_OK is 0, so `if (status)` means that something failed. */
typedef enum mf_status {
#define MF_X(code, name, message) code,
    MF_STATUSES(MF_X)
#undef MF_X
        MF_STATUS_COUNT
} mf_status;

/*
 * Borrow the name ("unaligned-start") and the general message of a status, static storage. What is no status
 * is "unknown"; they never return NULL. Any thread; async-signal-safe.
 */
const char *mf_status_name(mf_status status);
const char *mf_status_message(mf_status status);

/*
 * The detail of a failure, in the caller's storage. Functions take it as an optional last argument
 * (NULL is fine) and write it only when they fail. It holds no pointers: copy it freely, free nothing.
 */
typedef struct mf_diag {
    mf_status status; /* what the function returned */
    uint64_t value;   /* the offending number, where there is one: a start, a size, an end, an address */
    uint32_t line;    /* 1-based line and column in `file`, or 0 */
    uint32_t column;
    char file[4096];   /* the file as the caller named it, or empty: to be opened, not to be shown */
    char message[512]; /* one line of UTF-8 that can be shown, no full stop; cut if it is longer */
} mf_diag;

/*
 * Takes the next character of the UTF-8 text `*text`, moves `*text` behind it and returns it; 0 at the end.
 * What is no character that can be shown comes out as '?': malformed bytes, control characters (U+0000 to
 * U+001F, U+007F to U+009F), those that change the direction or the layout of the text around them (such as
 * U+061C, U+200E, U+202E, U+2066), and noncharacters. Names and paths from outside are shown by it, in every
 * message of memfold. Never fails. Any thread; async-signal-safe.
 */
uint32_t mf_character_take(const char **text);

/*
 * Fills `diag` (if not NULL) with `status`, `value`, a message formatted as by printf, and no place; returns
 * `status`. What cannot be shown is replaced as by mf_character_take. For clients that report failures of
 * their own in the same way. Never fails. Any thread.
 */
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
mf_status
mf_diag_set(mf_diag *diag, mf_status status, uint64_t value, const char *format, ...);

/*
 * Writes "file:line:column: message" (as much of the place as is known) to `text`, of which it uses at most
 * `text_bytes` bytes, terminated if there is at least one, and returns the length it needs without the
 * terminator, as snprintf does. What cannot be shown is replaced as by mf_character_take. `diag` has been
 * written by a function that failed. Never fails. Any thread.
 */
size_t mf_diag_print(const mf_diag *diag, char *text, size_t text_bytes);

MF_PUBLIC_END

#endif
