/*
 * The guest: an RV32IM user program, its memory and its registers.
 *
 *     guest.c      the program file becomes a layout, the layout a memory
 *     decode.c     an instruction word becomes an instruction
 *     region.c     the code that can be reached from an address without leaving the function
 *     translate.c  a region becomes LLVM IR; every load and store of the guest is an access of memfold
 *     jit.c        IR becomes machine code, found again by guest address
 *     system.c     the guest's system calls
 *     main.c       the command line, and what runs next
 */
#ifndef CLIENT_GUEST_H
#define CLIENT_GUEST_H

#include <memfold/layout.h>
#include <memfold/memory.h>

#include <stdbool.h>
#include <stdint.h>

#define GUEST_REGISTERS 32
#define GUEST_STACK_PAGES 64
#define GUEST_STACK_TOP 0x80000000u
#define GUEST_HEAP_PAGES 4096u

/* The registers that the calling convention names. */
enum { GUEST_SP = 2, GUEST_A0 = 10, GUEST_A1 = 11, GUEST_A2 = 12, GUEST_A7 = 17 };

/* What generated code reads and writes; the generator knows these offsets. */
typedef struct guest_state {
    uint32_t x[GUEST_REGISTERS];
    uint32_t pc;
} guest_state;

/* Why generated code came back. In every case state.pc says where. */
typedef enum guest_exit {
    GUEST_GOES_ON = 0, /* execution goes on at pc, in other code */
    GUEST_CALLS,       /* ecall at pc */
    GUEST_FAULTS,      /* the access at pc; the record is in the view */
    GUEST_STOPS        /* pc has no instruction, or one that stops the program */
} guest_exit;

typedef struct guest {
    guest_state state;
    mf_layout *layout;
    mf_memory *memory;
    mf_view *view; /* the memory's own */
} guest;

/* Loads the program at `path` and stands at its entry. False, and a line on standard error, if it cannot. */
bool guest_load(guest *g, const char *path, mf_backend backend, uint64_t stack_top);
void guest_unload(guest *g);

/*
 * Reads the instruction at `pc`. False if there is none: code is read from read-only pages only, so what has
 * been translated never changes.
 */
bool guest_fetch(const guest *g, uint32_t pc, uint32_t *word);

/* Does the system call that the registers describe. False if it ends the program; then `*status` says how. */
bool guest_system_call(guest *g, int *status);

#endif
