/*
 * What each instruction does to registers, flags and memory, as terms. Written from Intel's manual (SDM
 * volume 2); nothing of it comes from the library that decodes.
 */
#ifndef MEMFOLD_GEN_VERIFY_MODEL_H
#define MEMFOLD_GEN_VERIFY_MODEL_H

#include "verify/decode.h"
#include "verify/term.h"

/* The flags of the model; each is one bit. AF is not among them: no instruction on the list reads it. */
typedef enum model_flag { MODEL_CF, MODEL_PF, MODEL_ZF, MODEL_SF, MODEL_OF, MODEL_FLAGS } model_flag;

/* What a CPU holds between two instructions. */
typedef struct model_state {
    term registers[16]; /* 64 bits each, by the CPU's number */
    term flags[MODEL_FLAGS];
    term vectors[VECTOR_REGISTERS][VECTOR_BYTES / 8]; /* words of 64 bits, the lowest first; none: the
                                                       * instructions of vector registers are unknown */
} model_state;

/* Where it goes on. */
typedef enum model_next {
    MODEL_FOLLOWS,  /* behind the instruction */
    MODEL_BRANCHES, /* to `target` if `condition` is 1, else behind the instruction */
    MODEL_JUMPS,    /* to `target` */
    MODEL_CALLS,    /* to `target`; the return address has not been pushed, and rsp is as before */
    MODEL_RETURNS,  /* rsp is as before */
    MODEL_STOPS,    /* ud2, int3 */
    MODEL_REFUSED,  /* a read or write was not allowed, and the state is as before */
    MODEL_UNKNOWN   /* the operands have a form that the model does not know; the state is as before */
} model_next;

typedef struct model_step {
    model_next next;
    term target;
    term condition;
} model_step;

/*
 * A CPU and what is around it. `read` returns the `count` bytes at `address` as a term of 8 * count bits, or
 * 0 to refuse; `write` returns false to refuse. An instruction reads before it writes, each at most once, or
 * a vector in words of 8 bytes from the lowest address on.
 * Where the manual leaves a flag undefined it becomes a new variable, whose number is noted in `undefined` if
 * there is a set; such a flag may be anything.
 */
typedef struct model {
    terms *t;
    model_state state;
    void *context;
    term (*read)(void *context, term address, uint32_t count);
    bool (*write)(void *context, term address, uint32_t count, term value);
    term (*place)(void *context,
                  uint64_t address); /* lea of an address relative to rip; NULL: the number; 0 refuses */
    bool (*is_aligned)(void *context, term address,
                       uint32_t bytes); /* surely; NULL: never. Else an aligned move is unknown */
    uint64_t *undefined; /* bit n: variable n is an undefined flag; room for 1024 bits, or NULL */
} model;

model_step model_execute(model *m, const instruction *i);

/* The address of a memory operand of `i`, whose registers are those of the state. */
term model_address(model *m, const instruction *i, const operand *o);

#endif
