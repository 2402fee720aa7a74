/*
 * The x86_paged backend without an operating system: for unikernels, hypervisor guests and microkernels on
 * x86-64. A kernel links libmemfold-bare.a, fills an mf_bare_host, calls mf_bare_start once, and puts
 * mf_bare_page_fault_entry at vector 14 of its IDT (or calls mf_bare_page_fault_resolve from an entry of its
 * own). From then on memories (memory.h) with MF_BACKEND_X86_PAGED, guard frames and emitted objects work as
 * they do on Linux.
 *
 * The library runs in ring 0, in 64-bit mode with four levels of page tables, and takes memcpy, memmove,
 * memset and memcmp from the kernel. It uses no floating-point or vector register, no red zone and no stack
 * protector. Objects emitted ahead of time register themselves in their .init_array, which the kernel runs
 * after mf_bare_start; its linker script keeps that and the section mf_extable, between the symbols
 * __start_mf_extable and __stop_mf_extable.
 */
#ifndef MEMFOLD_BARE_H
#define MEMFOLD_BARE_H

#include <memfold/abi.h>
#include <memfold/guard.h>
#include <memfold/memory.h>
#include <memfold/public.h>
#include <memfold/status.h>
#include <memfold/version.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

MF_PUBLIC_BEGIN

/* ---- What the kernel gives ----------------------------------------------------------------- */

/* No frame has this physical address. */
#define MF_BARE_NO_FRAME UINT64_MAX

/*
 * How long a reservation is: every byte that an access can touch. Those above 4 GiB are never present.
 * `reserve` is asked for what the memory was made for (mf_memory_config.index): the last for MF_MEMORY_U33,
 * and for MF_MEMORY_U32 half of it. A kernel that knows better may give another of the three: it knows all
 * code that accesses its memories.
 */
#define MF_BARE_RESERVATION_U32_BYTES (MF_SPACE_BYTES + MF_PAGE_SIZE) /* all indices below 2^32 */
#define MF_BARE_RESERVATION_OFFSET_BYTES                                                                     \
    (MF_SPACE_BYTES + MF_MEMORY_U32_OFFSET_MAX + MF_PAGE_SIZE) /* and an offset of embed.h to them */
#define MF_BARE_RESERVATION_U33_BYTES (2 * MF_SPACE_BYTES + MF_PAGE_SIZE) /* with MF_INDEX_U33, too */

/*
 * When a memory takes its frames.
 *
 * At map: every page that can be accessed has its frame, so accesses never need one.
 *
 * At touch: tables and frames follow what is touched. The first access to a page takes its frame, and those
 * of an image's bytes are taken once: memories share them until they store to a page, which then is copied.
 * The image keeps these frames until its last reference is gone. A page fault takes frames then, and may find
 * none: see take_frame, shootdown and out_of_frames below. Whoever wants frames for a range beforehand calls
 * mf_bare_populate.
 */
typedef enum mf_bare_frames { MF_BARE_FRAMES_AT_MAP = 0, MF_BARE_FRAMES_AT_TOUCH = 1 } mf_bare_frames;

/*
 * The range of virtual addresses where one memory lies. It is the memory's alone: nothing else is mapped in
 * it, and it does not leave the half of the address space that it begins in. Entries that lead to it through
 * tables of the kernel's grant writing, and ring 3 if that is_user. Missing tables are made, and given back
 * when they are empty; so the kernel makes those itself to which entries of several roots lead.
 */
typedef struct mf_bare_reservation {
    uint64_t base;  /* virtual address of guest address 0, a multiple of 4096; 0 is fine */
    uint64_t bytes; /* one of the three lengths above; before `reserve`, the one that is asked for */
    uint64_t root;  /* physical address of the level-4 table */
    bool is_user;   /* ring 3 may access what the permissions allow, while CR3 names `root` */
    mf_bare_frames frames;
} mf_bare_reservation;

/*
 * What a fault entry saves, from the stack pointer upwards: the general registers, then what the CPU pushed
 * (Intel SDM volume 3A, 6.14.2).
 */
typedef struct mf_bare_registers {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t error_code;
    uint64_t rip, cs, rflags, rsp, ss;
} mf_bare_registers;

MF_STATIC_ASSERT(sizeof(mf_bare_registers) == 168, "mf_bare_registers");
MF_STATIC_ASSERT(offsetof(mf_bare_registers, rdi) == 64, "mf_bare_registers.rdi");
MF_STATIC_ASSERT(offsetof(mf_bare_registers, error_code) == 120, "mf_bare_registers.error_code");
MF_STATIC_ASSERT(offsetof(mf_bare_registers, rip) == 128, "mf_bare_registers.rip");
MF_STATIC_ASSERT(offsetof(mf_bare_registers, rsp) == 152, "mf_bare_registers.rsp");

/*
 * Functions of the kernel; each gets `context`. Those marked optional may be NULL. They run on the thread
 * that called the library, on several CPUs at once if several do, and do not call it themselves. The fault
 * path calls thread_guard and foreign_fault; and for memories with frames at touch take_frame,
 * take_huge_frame, give_frame, shootdown and out_of_frames, too. Interrupts are off then, so a lock that
 * these take is held with interrupts off everywhere, and they wait for no other CPU with it.
 */
typedef struct mf_bare_host {
    void *context;

    /* Physical address p can be read and written by ring 0 at direct_map + p, for every frame below. */
    unsigned char *direct_map;

    /*
     * Frames of 4096 bytes, with any bytes in them: for guest pages and tables. take_huge_frame (optional)
     * gives 512 frames in a row, aligned to 2 MiB. Both return MF_BARE_NO_FRAME if there are none. Frames
     * come back one by one, also those of a huge one.
     */
    uint64_t (*take_frame)(void *context);
    uint64_t (*take_huge_frame)(void *context);
    void (*give_frame)(void *context, uint64_t frame);

    /*
     * Kernel memory, as malloc and free: a few small objects per memory, layout and image, the table of
     * 2 MiB + 1 byte that holds a memory's permissions, and the exception tables in force, which stay. free
     * gets what allocate gave, never NULL.
     */
    void *(*allocate)(void *context, size_t bytes);
    void (*free)(void *context, void *object);

    /*
     * Reserves addresses for a new memory, on the thread that creates it; false if there is no room. `bytes`
     * of the reservation says how many, and stays unless the kernel decides otherwise; the rest is zero. A
     * range that is not empty, or overlaps another one with the same root, panics. release: the memory is
     * gone.
     */
    bool (*reserve)(void *context, mf_bare_reservation *reservation);
    void (*release)(void *context, const mf_bare_reservation *reservation);

    /* Where the running thread keeps its innermost guard frame: a pointer per thread, NULL at first. */
    mf_guard **(*thread_guard)(void *context);

    /*
     * Optional, for more than one CPU or with PCIDs: TLB shootdown. When this returns, neither the TLB nor
     * the paging-structure caches of another CPU, or of another PCID of this one, have anything of the
     * `pages` pages from `address` on (INVLPG for each page, or a whole flush), and page fault handlers that
     * other CPUs were in have returned; where an interrupt brings the request, they have. Asked for when
     * rights were taken and before a frame is given back, once for pages that follow each other.
     *
     * With frames at touch it is asked for in page faults, too, when a page that has been read is copied for
     * a store: interrupts are off there, and two CPUs may ask each other. So while it waits with interrupts
     * off it does what other CPUs ask of this one; for them this handler has returned. Another CPU that
     * accesses such a page meanwhile tries again and again, with interrupts as they were; so memories with
     * frames at touch are accessed with interrupts on, unless this is NULL.
     */
    void (*shootdown)(void *context, uint64_t address, uint64_t pages);

    /* Optional: another CPU or thread must go on first; `attempt` counts. Without it the CPU pauses. */
    void (*wait)(void *context, unsigned attempt);

    /* Writes a piece of a panic's message, and ends everything after it. halt does not return. */
    void (*print)(void *context, const char *text);
    void (*halt)(void *context);

    /*
     * Optional, for mf_bare_page_fault_entry: a page fault at `address` (CR2) that is not a guest's. The
     * thread goes on with `registers` as they are when this returns. Interrupts are off. Without it such a
     * fault panics.
     */
    void (*foreign_fault)(void *context, mf_bare_registers *registers, uint64_t address);

    /*
     * Optional, for memories with frames at touch: take_frame had none for the page of `address`, which the
     * guest may access: no guest's mistake, so no fault record says it. The thread goes on with `registers`
     * as they are when this returns: unchanged, if frames have been found meanwhile, and then the access is
     * tried again; or by mf_bare_guard_leave, if the guest is to end. It may turn interrupts on. It runs for
     * ring 0 also in the middle of read, write, fill and copy, which have done a part then, and of accessors.
     * Without it such an access panics.
     */
    void (*out_of_frames)(void *context, mf_bare_registers *registers, uint64_t address);
} mf_bare_host;

/*
 * Once, before anything else of memfold, on a CPU as all that will use memories are: CR0.WP and EFER.NXE set,
 * CR4.LA57 clear. `host` is copied. MF_INVALID_ARGUMENT: a function is missing, the CPU is in another mode,
 * or this is the second call.
 */
mf_status mf_bare_start(const mf_bare_host *host, mf_diag *diag);

/* ---- Frames at touch ----------------------------------------------------------------------- */

/*
 * Every page of [start, start + size) has a frame of its own, with the bytes and the permission that it had:
 * accesses to these pages need none until the next reset or unmap. MF_UNALIGNED_START, MF_UNALIGNED_SIZE and
 * MF_OVERFLOW as mf_memory_map_region; MF_OUT_OF_MEMORY, and then nothing has changed. Counts as a change of
 * the memory for the thread rule. With frames at map all pages that can be accessed are so already.
 */
mf_status mf_bare_populate(mf_memory *memory, uint64_t start, uint64_t size, mf_diag *diag);

/* ---- Page faults --------------------------------------------------------------------------- */

/*
 * An entry for vector 14, by an interrupt gate, from ring 0 and ring 3, on any stack of the kernel. It saves
 * the general registers, clears the flags DF and AC, and does not touch GS: a kernel that swaps it needs an
 * entry of its own.
 */
void mf_bare_page_fault_entry(void);

/*
 * For a kernel with an entry of its own: true if the page fault at `address` (CR2) was a guest's, and then
 * `registers` say where to go on by iretq, which may be in ring 0 after a fault in ring 3. DF and AC are
 * clear and interrupts off during the call; `registers` lie on the stack that the CPU pushed to, aligned as
 * for any call, with 512 bytes free below. An entry that swaps GS looks at registers->cs again afterwards.
 *
 * A guest's is a data access in the reservation of a memory (from ring 3: in one that is_user), by an
 * instruction of the exception table or on a thread with a guard frame of that memory. An access that the
 * page tables permit is nobody's fault: it is tried again if another CPU's change made it fail, and left to
 * the kernel if the ring may not do it (SMAP, or a reservation without is_user). One that only lacks a frame
 * is given it and tried again, or is out_of_frames' to answer.
 */
bool mf_bare_page_fault_resolve(mf_bare_registers *registers, uint64_t address);

/*
 * For out_of_frames and foreign_fault: true if this thread is inside a guard frame of a memory whose
 * reservation has `address`. Then `registers` say to leave the innermost one: its mf_guard_run returns false,
 * with a record whose kind is MF_FAULT_NONE and whose page and address are those of the access. False changes
 * nothing.
 */
bool mf_bare_guard_leave(mf_bare_registers *registers, uint64_t address);

/* A gate of the IDT (Intel SDM volume 3A, figure 6-8). */
typedef struct mf_bare_gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t stack; /* bits 0 to 2: IST, 0 for none */
    uint8_t type;  /* present bit, ring and kind */
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
} mf_bare_gate;

MF_STATIC_ASSERT(sizeof(mf_bare_gate) == 16, "mf_bare_gate");
MF_STATIC_ASSERT(offsetof(mf_bare_gate, type) == 5, "mf_bare_gate.type");
MF_STATIC_ASSERT(offsetof(mf_bare_gate, offset_high) == 8, "mf_bare_gate.offset_high");

/* The vector of page faults (Intel SDM volume 3A, table 6-1). */
#define MF_BARE_PAGE_FAULT_VECTOR 14

/* The gate to mf_bare_page_fault_entry for this code segment, on stack `stack` of the TSS (0: none). */
mf_bare_gate mf_bare_page_fault_gate(uint16_t code_selector, uint8_t stack);

/* Borrows the sizes of all structs that this header defines, as mf_abi_sizes (version.h). */
const mf_abi_size *mf_bare_abi_sizes(void);

MF_PUBLIC_END

#endif
