/* Machine code for the guest, by guest address; made when it is first asked for. */
#ifndef CLIENT_JIT_H
#define CLIENT_JIT_H

#include "translate.h"

typedef struct jit jit;

typedef struct jit_figures {
    unsigned regions;
    double translate_seconds; /* from the guest's instructions to IR: checks and accesses are emitted here */
    double compile_seconds;   /* from IR to linked machine code */
} jit_figures;

/* NULL, and a line on standard error, if there is no LLVM for this machine. */
jit *jit_create(const guest *g, const mf_accessor_options *options);
void jit_destroy(jit *j);

/* The code that may be called when state.pc is `pc`. NULL if there is no instruction to begin with. */
guest_code *jit_lookup(jit *j, uint32_t pc);

jit_figures jit_get_figures(const jit *j);

/* The time that the figures are taken by. */
double jit_clock_seconds(void);

#endif
