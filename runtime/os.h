/*
 * Everything the runtime asks of an operating system: verbs, no types. A host without one supplies these
 * functions, and the rest of the runtime compiles freestanding.
 */
#ifndef MEMFOLD_RUNTIME_OS_H
#define MEMFOLD_RUNTIME_OS_H

#include <memfold/abi.h>

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Of a function without arguments: the host calls it when the library is loaded, before there are threads.
 * Kernels have no fork, for which it is there.
 */
#if __STDC_HOSTED__
#define OS_AT_LOAD __attribute__((constructor))
#else
#define OS_AT_LOAD __attribute__((unused))
#endif

/* Small objects. Zeroed; NULL if there is no memory. free(NULL) is fine. */
void *os_allocate(size_t bytes);
void os_free(void *object);

/* The size of the host's pages, a power of two and at least MF_PAGE_SIZE. */
size_t os_page_bytes(void);

/*
 * Address space: reserved space is inaccessible and costs nothing; committed space reads as zero and
 * costs only the pages that have been written. `bytes` is what was reserved. release(NULL) is fine.
 * `alignment` is a power of two, 0 for the host's own. Space begins at a page of the host; the last page of a
 * reservation belongs to it as a whole.
 */
void *os_reserve(size_t bytes, size_t alignment);
bool os_commit(void *space, size_t bytes);
void os_release(void *space, size_t bytes);

/*
 * Exactly these bytes of committed space read as zero again, at any alignment; whole pages of the host among
 * them go back to it where they can. Pages that have never been written stay so.
 */
void os_zero(void *space, size_t bytes);

/* The bytes are zero: those that are already are only read, so that the host need not find memory for them.
 */
void os_overwrite(void *space, size_t bytes);

/* The host may use huge pages for this space, which is aligned to OS_HUGE_PAGE_BYTES. Only advice. */
#define OS_HUGE_PAGE_LOG2 21
#define OS_HUGE_PAGE_BYTES (UINT64_C(1) << OS_HUGE_PAGE_LOG2)
void os_allow_huge_pages(void *space, size_t bytes);

/* Whole pages among these bytes are as they were mapped: zero, or those of an os_shared. False: none, or
 * some. */
bool os_drop(void *pages, size_t bytes);

/*
 * Bytes that the host keeps once for all who map them. They are written through `writable` until they are
 * sealed, and from then on never change; NULL where the host has no such pages, or no memory. `bytes` is a
 * multiple of OS_SHARED_BYTES, as is every offset below. Any thread. destroy(NULL) is fine; mappings stay.
 */
typedef struct os_shared os_shared;
#define OS_SHARED_BYTES (UINT64_C(1) << 16)
os_shared *os_shared_create(size_t bytes);
unsigned char *os_shared_writable(const os_shared *shared);
void os_shared_seal(os_shared *shared);
const unsigned char *os_shared_bytes(const os_shared *shared);
void os_shared_destroy(os_shared *shared);

/*
 * The space at `place`, whole pages of a reservation, has these bytes, or zeros, and `perm`; what is written
 * to it later is its own. False, and the space is what it was: the host refuses.
 */
bool os_shared_map(const os_shared *shared, size_t offset, void *place, size_t bytes, mf_perm perm);
bool os_map_zero(void *place, size_t bytes, mf_perm perm);

/*
 * Copies pages of guests: those that hold more than zeros, for a place that reads as zero; all; or those that
 * the place has not yet.
 */
typedef enum os_copy_mode { OS_COPY_NONZERO, OS_COPY_ALL, OS_COPY_CHANGED } os_copy_mode;
void os_copy(void *to, const void *from, size_t bytes, os_copy_mode mode);

/*
 * Calls `visit` for runs of pages in ascending order that hold every page of the space that has been written,
 * pages of an os_shared included, until it returns false; then so does this. `is_certain` says that these
 * have been written; if not they may be as they were mapped. Offsets and sizes are multiples of the host's
 * page size, except that the last run ends with the space.
 *
 * Hosts put one page of zeros in the place of written pages that hold nothing else, as of private pages that
 * were only read: Linux does when it splits a huge page. They are `visit_zero`'s (NULL: nobody's), among the
 * others in order and never certain: who knows that such a page began with other bytes asks for them.
 */
typedef bool os_visit(void *context, size_t offset, size_t bytes, bool is_certain);
bool os_visit_written(const void *space, size_t bytes, os_visit *visit, os_visit *visit_zero, void *context);

/* While it is retained, asking for written pages takes no time to prepare. Any thread. */
void os_page_map_retain(void);
void os_page_map_release(void);

/* The number of the CPU that this thread is on, or was on a moment ago. */
unsigned os_cpu(void);

/* Lets other threads go on. `attempt` counts how often in a row: after some the thread sleeps. */
void os_wait(unsigned attempt);

/*
 * From now on fork calls these three: before it, and after it in the parent and in the child. A fork that has
 * begun does not, and its child would find locks as another thread held them. So who has a lock calls this in
 * a function that runs at load, when no fork has begun.
 */
void os_follow_forks(void (*before)(void), void (*in_parent)(void), void (*in_child)(void));

/*
 * No signal handler runs on this thread until the signals are unblocked again but for those that were
 * blocked before, which is what the first gives and the second takes.
 */
uint64_t os_block_signals(void);
void os_unblock_signals(uint64_t blocked_before);

/*
 * The description of a note (`name`, `type`) in the executable or shared object that has loaded `address`, or
 * NULL if it has none or the host does not know its objects. Async-signal-safe, at any time between the
 * loading and the unloading of the object.
 */
const void *os_find_note(uintptr_t address, const char *name, uint32_t type, size_t description_bytes);

/* Whether threads may still be in the code of an object whose end functions have run. */
bool os_code_outlives_its_end(void);

/*
 * setjmp and longjmp in one pair of verbs. os_call calls body(argument) and returns true when that returns;
 * or false as soon as os_leave is given `*place`, which is set before the call and means nothing after it.
 * The calls in between are abandoned.
 */
bool os_call(void **place, void (*body)(void *argument), void *argument);
MF_NORETURN void os_leave(void *place);

/* Where this thread keeps its innermost guard frame, NULL at first. Async-signal-safe in every thread. */
struct mf_guard **os_thread_guard_frame(void);

/* As vsnprintf. */
size_t os_format(char *text, size_t text_bytes, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

/* Where the default panic hook writes its line, and how a panic ends. */
void os_print(const char *line);
MF_NORETURN void os_abort(void);

#endif
