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
    unsigned frames_most; /* more are refused */
    unsigned huge_taken;  /* since the start */
    unsigned windows;     /* open now */
    unsigned objects;     /* allocated now */
    unsigned foreign_faults;
    uint64_t foreign_address;
    uint64_t foreign_resume;    /* where a foreign fault goes on; 0: the machine stops */
    mf_bare_window next_window; /* of the next memory; its base then moves on by 16 GiB unless it stays */
    bool window_stays;
    bool window_is_refused;
    uint64_t heap_left; /* bytes that may still be allocated */
} kernel_state;

extern kernel_state kernel;
extern volatile uint64_t timer_ticks;
extern mf_guard *kernel_guard;

/* Physical address of the level-4 table that runs. */
uint64_t kernel_root(void);
uint64_t kernel_frame_take(void);
void kernel_frame_give(uint64_t frame);

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
