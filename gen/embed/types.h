/* The types that clients load and store, and what lies in memory for them. */
#ifndef MEMFOLD_GEN_EMBED_TYPES_H
#define MEMFOLD_GEN_EMBED_TYPES_H

#include "embed/embed.h"

typedef struct embed_type {
    LLVMTypeRef t_client;
    LLVMTypeRef t_raw; /* what is loaded and stored (site.h) */
    uint32_t width_bytes;
} embed_type;

/* MF_INVALID_ARGUMENT, with the type's name, for a type that is not in the list of embed.h. */
mf_status embed_type_make(const mf_embed *embed, LLVMTypeRef t_client, embed_type *made, mf_diag *diag);

/* The client's value from what a site delivers, and what a site takes from the client's value. */
LLVMValueRef embed_value_from_raw(const mf_embed *embed, LLVMBuilderRef builder, const embed_type *type,
                                  LLVMValueRef v_raw);
LLVMValueRef embed_value_to_raw(LLVMBuilderRef builder, const embed_type *type, LLVMValueRef v_value);

#endif
