/* The types that a client loads and stores, as data: what is tested of each stands in tables. */
#ifndef MEMFOLD_TEST_GEN_EMBED_CLIENT_TYPE_H
#define MEMFOLD_TEST_GEN_EMBED_CLIENT_TYPE_H

#include <memfold/options.h>

#include <llvm-c/Core.h>

#include <stdbool.h>

typedef enum element { INTEGER, HALF, FLOAT, DOUBLE, POINTER, BYTES } element;

/* `count` 0: no vector. BYTES: so many bytes by their host address. */
typedef struct type {
    element element;
    unsigned bits;
    unsigned count;
} type;

static inline LLVMTypeRef make_type(LLVMContextRef context, const type *t) {
    LLVMTypeRef made = LLVMIntTypeInContext(context, t->bits);
    if (t->element == HALF)
        made = LLVMHalfTypeInContext(context);
    else if (t->element == FLOAT)
        made = LLVMFloatTypeInContext(context);
    else if (t->element == DOUBLE)
        made = LLVMDoubleTypeInContext(context);
    else if (t->element == POINTER)
        made = LLVMPointerTypeInContext(context, 0);
    return t->count == 0 ? made : LLVMVectorType(made, t->count);
}

/* Vectors and integers without a power of two of bits have no other byte order than the host's. */
static inline bool is_served(const type *t, mf_endian endian) {
    bool is_power = (t->bits & (t->bits - 1)) == 0;
    return endian == MF_LITTLE_ENDIAN || t->element == BYTES || (t->count == 0 && is_power);
}

#endif
