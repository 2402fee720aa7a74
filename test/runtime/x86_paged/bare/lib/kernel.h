/*
 * A kernel around a test: it boots, gives memfold what mf_bare_host asks for, and calls main(). What main
 * returns is the exit status of the machine. printf, malloc, exit and their like are those of <stdio.h> and
 * <stdlib.h>, as far as the tests need them.
 */
#ifndef MEMFOLD_TEST_BARE_KERNEL_H
#define MEMFOLD_TEST_BARE_KERNEL_H

#include <memfold/bare.h>

#include <stdbool.h>
#include <stdint.h>

#define DIRECT_MAP UINT64_C(0xffff800000000000)

enum { KERNEL_CODE = 0x08, KERNEL_DATA = 0x10, USER_DATA = 0x18 | 3, USER_CODE = 0x20 | 3 };

/* ---- What the host gives, and what is counted ------------------------------------------------ */

typedef struct kernel_state {
    unsigned frames_taken;
    unsigned frames_most;  /* more are refused */
    unsigned huge_taken;   /* since the start */
    unsigned reservations; /* now */
    unsigned objects;      /* allocated now */
    unsigned foreign_faults;
    uint64_t foreign_address;
    uint64_t foreign_resume;              /* where a foreign fault goes on; 0: the machine stops */
    mf_bare_reservation next_reservation; /* of the next memory, or where it overlaps one, n * 16 GiB above
                                           * it; as long as it is asked for if bytes is 0 */
    uint64_t asked_bytes;                 /* for the last reservation */
    bool reservation_is_refused;
    bool keeps_given_frames; /* a frame that is given back is taken by somebody else at once */
    uint64_t heap_left;      /* bytes that may still be allocated */
    mf_bare_frames frames;   /* of the memories that are made from now on */
    unsigned frames_missed;  /* times that an access found no frame */
    void (*out_of_frames)(mf_bare_registers *registers, uint64_t address); /* NULL: the machine stops */
    unsigned retries; /* faults after which kernel_page_fault_entry goes on where it was */
} kernel_state;

/* What kernel.frames begins with. */
#ifndef KERNEL_FRAMES
#define KERNEL_FRAMES MF_BARE_FRAMES_AT_MAP
#endif

extern kernel_state kernel;
extern volatile uint64_t timer_ticks;

/* What a CPU finds at %gs:0. */
typedef struct kernel_cpu {
    struct kernel_cpu *self;
    mf_guard *guard;
    unsigned number;
} kernel_cpu;

static inline kernel_cpu *this_cpu(void) {
    kernel_cpu *cpu;
    __asm__ volatile("mov %%gs:0, %0" : "=r"(cpu));
    return cpu;
}

/*
 * Starts memfold, then runs what is in .init_array. The kernel's own does it with functions that count; a
 * test may have one instead.
 */
void kernel_start_memfold(void);

extern mf_bare_gate kernel_idt[256];

/* Physical address of the level-4 table that runs, and of one byte of the kernel. */
uint64_t kernel_root(void);
uint64_t kernel_physical(const void *address);
/* Another address space with the kernel's upper half. It is a frame. */
uint64_t kernel_root_make(void);
void kernel_root_use(uint64_t root);

uint64_t kernel_frame_take(void);
uint64_t kernel_huge_frame_take(void);
void kernel_frame_give(uint64_t frame);

/* Page faults come to an entry of the kernel's own from now on, which swaps GS for ring 3. */
void kernel_use_own_entry(void);

/* The second CPU calls body(), then waits for the next one. `kernel_is_idle` says whether it has returned. */
void kernel_second_cpu_start(void);
void kernel_second_cpu_call(void (*body)(void));
bool kernel_second_cpu_is_idle(void);
/* Whether shootdown does anything. */
extern volatile bool kernel_tells_others;
extern unsigned kernel_times_told;

/* The timer interrupts about 1000 times a second from now on. */
void kernel_timer_start(void);
/* SMEP and SMAP are on from now on. */
void kernel_forbid_user_pages(void);
/* The stack that exceptions from ring 3 come to. */
void kernel_set_ring0_stack(uint64_t stack);

static inline uint64_t read_rdtsc(void) {
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);                                           \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

#endif
