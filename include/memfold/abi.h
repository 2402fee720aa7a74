/*
 * The contract between generated code and the runtime.
 *
 * Every number that the two sides must agree on stands here once: page size, permission bytes,
 * fault kinds, the fields of mf_view and their offsets, and the runtime entry points that generated
 * code calls. The C compiler checks the offsets below; the generator checks the same numbers against
 * LLVM's data layout before it emits anything.
 *
 * A change to anything in this file is a new MF_ABI_VERSION. The version is part of the linker name
 * of every entry point, so objects emitted for another version fail to link instead of misbehaving.
 *
 * What a program uses of this header: mf_view, which it hands to accessors, and mf_fault, which says what an
 * access did wrong. Example:
 *
 *     #include <memfold/generic.h>
 *     #include <memfold/memory.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *         mf_memory *memory; // no page can be accessed
 *         if (mf_memory_create(NULL, NULL, MF_BACKEND_COPY, &memory, NULL) != MF_OK)
 *             return 1;
 *         mf_view *view = mf_memory_view(memory);
 *         uint32_t status = mf_generic_accessors(NULL)->store_u32(view, 0x1ffe, 42);
 *         if (status != MF_FAULT_NONE)
 *             printf("fault %u on page 0x%llx\n", status, (unsigned long long)view->fault.page);
 *         mf_memory_destroy(memory);
 *         return status == MF_PAGE_FAULT ? 0 : 1;
 *     }
 */
#ifndef MEMFOLD_ABI_H
#define MEMFOLD_ABI_H

#include <memfold/public.h>

#include <stddef.h>
#include <stdint.h>

/* What C and C++ spell differently: an assertion at compile time, and a function that does not return. */
#ifdef __cplusplus
#define MF_STATIC_ASSERT(condition, message) static_assert(condition, message)
#define MF_NORETURN [[noreturn]]
#else
#define MF_STATIC_ASSERT(condition, message) _Static_assert(condition, message)
#define MF_NORETURN _Noreturn
#endif

MF_PUBLIC_BEGIN

/* The number of this contract: the `3` in `mf_rt_fault_v3`, and the value of the byte mf_abi_v3. */
#define MF_ABI_VERSION 3

/*
 * The guest's space: 2^20 pages of 4096 bytes, 2^32 bytes. A guest address is a uint32_t in it. A guest index
 * is a uint64_t, because an access near the top touches indices of 2^32 and more; none of those is
 * accessible.
 */
#define MF_PAGE_LOG2 12
#define MF_PAGE_SIZE 4096
#define MF_SPACE_BYTES (UINT64_C(1) << 32)
#define MF_SPACE_PAGES (UINT32_C(1) << 20)

/*
 * The permission of a page: no access, loads only, loads and stores. The values are bytes of the live
 * permission table, the one that always says what the memory permits now: entry n is guest page n.
 * The table of a memory has MF_PERM_TABLE_PAGES entries, so that it can be indexed with the page of
 * the last byte of any access: the largest 33-bit index, 2 * (2^32 - 1), plus 7. Entries from
 * MF_SPACE_PAGES on are always MF_PERM_NONE.
 */
typedef enum mf_perm { MF_PERM_NONE = 0, MF_PERM_RO = 1, MF_PERM_RW = 2 } mf_perm;

/* How many entries the live permission table has, and so how many bytes. */
#define MF_PERM_TABLE_PAGES ((UINT32_C(1) << 21) + 1)

/* What an access does to the bytes it touches: it reads them, or it overwrites them. */
typedef enum mf_operation { MF_LOAD = 0, MF_STORE = 1 } mf_operation;

/* What the guest did wrong: the status of an accessor, and the kind of a fault record. */
typedef enum mf_fault_kind {
    MF_FAULT_NONE = 0,     /* nothing: the access was done */
    MF_PAGE_FAULT = 1,     /* the page is MF_PERM_NONE, or at or above 2^32 */
    MF_WRITE_PROTECTED = 2 /* the page is MF_PERM_RO and the operation is a store */
} mf_fault_kind;

/*
 * The fault record: which access failed and on which page. All zero means that nothing has failed.
 * A failed access changes no byte of memory and overwrites the record; a successful one leaves it alone, so
 * it says what failed last; mf_memory_reset clears it. Where the MMU stopped the access inside a guard frame,
 * `address` is the first inaccessible byte and `length` is 0 (guard.h).
 */
typedef struct mf_fault {
    uint32_t kind;      /* mf_fault_kind */
    uint32_t operation; /* mf_operation */
    uint64_t page;      /* 4096-aligned index of the lowest inaccessible page touched; may be >= 2^32 */
    uint64_t address;   /* first index of the access, not reduced modulo 2^32 */
    uint64_t length;    /* bytes of the access */
} mf_fault;

/* A guard frame (guard.h) and a memory (memory.h); their contents are the runtime's. */
struct mf_guard;
struct mf_memory;

/*
 * A view: the one struct that generated code reads. A memory embeds one (mf_memory_view); each
 * further thread that accesses the same memory attaches a view of its own (mf_view_attach), because
 * the fault record and the guard belong to one thread. The runtime owns every field; read them freely, and
 * write none, except that the thread that uses the view may set `fault` to zero.
 *
 * What another thread's sbrk writes while code runs is `heap_end` and bytes of the table that `perms` points
 * to; pages are there before their bytes say so, and the bytes before the end. Who reads them beside sbrk
 * does so atomically, with acquire order (on x86-64 any load of the machine will do), and may keep what it
 * has read until it calls something, or orders memory by an atomic or a fence: then it reads `heap_end`
 * again.
 *
 * A view is neither moved nor copied while it is attached. The memory knows it by its host address and
 * updates it there: a copy would miss the growth of the heap and changes of the layout, and the memory would
 * write to the place that was left. A library that was built with assertions panics when it meets such a
 * view.
 */
typedef struct mf_view {
    unsigned char *base;        /* host address of guest address 0; constant while attached */
    const unsigned char *perms; /* live permission table; the pointer is constant while attached */
    uint64_t heap_end;          /* guest index where the live heap pages end, a multiple of 4096; only grows
                                 * but by reset */
    uint64_t layout_stamp;      /* of layout and backend; from a change until it is asked for, of no layout */
    mf_fault fault;             /* last fault of an access through this view */
    struct mf_guard *guard;     /* innermost guard frame, or NULL */
    struct mf_memory *memory;   /* the memory this is a view of */
    struct mf_view *next;       /* further views of the same memory */
    uint64_t u33_stamp; /* what code with 33-bit indices compares with: the same, or MF_LAYOUT_STAMP_REFUSED
                         * where the memory takes none */
} mf_view;

/* Where generated code finds the fields, in bytes from the start of the view. It reads no others. */
#define MF_VIEW_BASE_OFFSET 0
#define MF_VIEW_PERMS_OFFSET 8
#define MF_VIEW_HEAP_END_OFFSET 16
#define MF_VIEW_LAYOUT_STAMP_OFFSET 24
#define MF_VIEW_FAULT_OFFSET 32
#define MF_VIEW_GUARD_OFFSET 64
#define MF_VIEW_U33_STAMP_OFFSET 88
#define MF_VIEW_BYTES 96

/*
 * What accessors made for a layout and a backend compare with (stale = check, mf_accessors_fit): the layout's
 * fingerprint, but bit n of it is 1 if code for mf_backend n is refused. So accessors of one backend never
 * pass for those of the other, and those that are exact for every layout ask for the bit of their backend
 * alone. The fingerprint 0 stands for no layout. MF_LAYOUT_STAMP_REFUSED refuses all: it is what code for
 * index = u33 finds on a memory that was made for u32.
 */
#define MF_LAYOUT_STAMP_BACKENDS UINT64_C(3)
#define MF_LAYOUT_STAMP_REFUSES(backend) (UINT64_C(1) << (backend))
#define MF_LAYOUT_STAMP(layout_fingerprint, backend)                                                         \
    (((uint64_t)(layout_fingerprint) & ~MF_LAYOUT_STAMP_BACKENDS) |                                          \
     (MF_LAYOUT_STAMP_BACKENDS ^ MF_LAYOUT_STAMP_REFUSES(backend)))
#define MF_LAYOUT_STAMP_REFUSED MF_LAYOUT_STAMP_BACKENDS

MF_STATIC_ASSERT(sizeof(void *) == 8, "memfold hosts are 64-bit");
MF_STATIC_ASSERT(sizeof(mf_fault) == 32, "mf_fault");
MF_STATIC_ASSERT(offsetof(mf_view, base) == MF_VIEW_BASE_OFFSET, "mf_view.base");
MF_STATIC_ASSERT(offsetof(mf_view, perms) == MF_VIEW_PERMS_OFFSET, "mf_view.perms");
MF_STATIC_ASSERT(offsetof(mf_view, heap_end) == MF_VIEW_HEAP_END_OFFSET, "mf_view.heap_end");
MF_STATIC_ASSERT(offsetof(mf_view, layout_stamp) == MF_VIEW_LAYOUT_STAMP_OFFSET, "mf_view.layout_stamp");
MF_STATIC_ASSERT(offsetof(mf_view, fault) == MF_VIEW_FAULT_OFFSET, "mf_view.fault");
MF_STATIC_ASSERT(offsetof(mf_view, guard) == MF_VIEW_GUARD_OFFSET, "mf_view.guard");
MF_STATIC_ASSERT(offsetof(mf_view, u33_stamp) == MF_VIEW_U33_STAMP_OFFSET, "mf_view.u33_stamp");
MF_STATIC_ASSERT(sizeof(mf_view) == MF_VIEW_BYTES, "mf_view");

/*
 * What a load accessor returns: RAX and EDX on x86-64. `status` is MF_FAULT_NONE or the kind of the fault,
 * whose record is then in the view; `value` is 0 unless `status` is MF_FAULT_NONE.
 */
typedef struct mf_load_result {
    uint64_t value;
    uint32_t status; /* mf_fault_kind */
} mf_load_result;

/*
 * Runtime entry points of generated code. Nobody else calls them. They run on the thread that the view
 * belongs to, take no lock and allocate nothing.
 *
 * `index` is the guest index of the access, and `access` is MF_ACCESS_CODE(operation, length). `limit` is 0
 * for accesses checked by permission: the fault is then classified from the live permissions of the view. If
 * they let the access happen by now, because sbrk was running beside it, it is a page fault on the lowest
 * page touched that the heap's last growth has added, or else on the highest page touched of the heap.
 * Under the `bounds` policy it is the end of the accessible space, and the fault is the first touched page at
 * or above it.
 */
#define MF_ACCESS_CODE(operation, length_bytes) (((uint64_t)(length_bytes) << 1) | (uint64_t)(operation))

/*
 * All of them: X(NAME, function), where the function's name is also its linker name. Declared below, but the
 * last two in exception_table.h. mf_runtime_symbols (embed.h) gives names and addresses, by mf_rt_entry.
 */
#define MF_RT_ENTRIES(X)                                                                                     \
    X(FAULT, mf_rt_fault_v3)                                                                                 \
    X(TRAP, mf_rt_trap_v3)                                                                                   \
    X(ACCESSIBLE, mf_rt_accessible_v3)                                                                       \
    X(STALE, mf_rt_stale_v3)                                                                                 \
    X(REGISTER, mf_rt_register_v3)                                                                           \
    X(UNREGISTER, mf_rt_unregister_v3)

/* The place of each in mf_runtime_symbols. */
typedef enum mf_rt_entry {
#define MF_X(name, function) MF_RT_##name,
    MF_RT_ENTRIES(MF_X) MF_RT_ENTRY_COUNT
#undef MF_X
} mf_rt_entry;

/*
 * Records the fault in the view and returns its kind, which is never 0. On x86-64 it keeps all general
 * registers but rax and r11, those that carried its arguments too: LLVM's preserve_mostcc, by which generated
 * code calls it, so that whoever inlines an access keeps values in any of them across the cold path. A caller
 * in C needs to know nothing of this. Vector registers and flags are not kept. It is not bound lazily, which
 * would not keep r10.
 */
uint32_t mf_rt_fault_v3(mf_view *view, uint64_t index, uint64_t access, uint64_t limit);

/* Records the fault and leaves through the innermost guard frame of the view; panics if there is none. */
MF_NORETURN void mf_rt_trap_v3(mf_view *view, uint64_t index, uint64_t access, uint64_t limit);

/* Returns 1 if the live permissions allow all of the range, 0 if not. Writes nothing. */
uint32_t mf_rt_accessible_v3(const mf_view *view, uint64_t index, uint64_t access);

/* An accessor for the layout `fingerprint` was used on a memory that has another one: panics. */
MF_NORETURN void mf_rt_stale_v3(mf_view *view, uint64_t stamp);

/* Emitted objects refer to this byte, so that one of another ABI version fails to link. */
extern const unsigned char mf_abi_v3;
#define MF_ABI_STAMP_SYMBOL "mf_abi_v3"

MF_PUBLIC_END

#endif
