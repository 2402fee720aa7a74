/*
 * What lies in the guest's memory for a value of the client's. Most types lie there as they are. The others
 * get one of the same bits, so that the access is one instruction where the target has one: pointers and
 * halves integers, small vectors on x86_paged a number of their size, and what is swapped an integer.
 */
#include "embed/types.h"

#include "emit/site.h"

static mf_status refuse(LLVMTypeRef type, const char *why, mf_diag *diag) {
    char *name = LLVMPrintTypeToString(type);
    mf_status status =
        mf_diag_set(diag, MF_INVALID_ARGUMENT, 0, "the guest has no values of type %s: %s", name, why);
    LLVMDisposeMessage(name);
    return status;
}

static bool is_power_of_two(unsigned n) {
    return (n & (n - 1)) == 0;
}

static bool is_big_endian(const mf_embed *embed) {
    return embed->options.endian == MF_BIG_ENDIAN;
}

/* ---- Scalars ---- */

/* Bits 0 to width - 1 of the fewest bytes that hold them; the bits above are stored as 0 and not looked at.
 */
static mf_status make_integer(const mf_embed *embed, embed_type *made, mf_diag *diag) {
    unsigned bits = LLVMGetIntTypeWidth(made->t_client);
    if (bits < 8 || bits > 128)
        return refuse(made->t_client, "integers have 8 to 128 bits", diag);
    if (is_big_endian(embed) && !is_power_of_two(bits))
        return refuse(made->t_client, "big-endian integers have 8, 16, 32, 64 or 128 bits", diag);
    made->width_bytes = (bits + 7) / 8;
    made->t_raw = LLVMIntTypeInContext(embed->ir.context, made->width_bytes * 8);
    return MF_OK;
}

static mf_status make_number(const mf_embed *embed, uint32_t width_bytes, embed_type *made) {
    bool is_raw = width_bytes >= 4 && !is_big_endian(embed);
    made->width_bytes = width_bytes;
    made->t_raw = is_raw ? made->t_client : ir_int_type(&embed->ir, width_bytes);
    return MF_OK;
}

static mf_status make_pointer(const mf_embed *embed, embed_type *made, mf_diag *diag) {
    LLVMTargetDataRef data = LLVMGetModuleDataLayout(embed->ir.module);
    if (LLVMPointerSizeForAS(data, LLVMGetPointerAddressSpace(made->t_client)) != sizeof(uint64_t))
        return refuse(made->t_client, "pointers have 64 bits", diag);
    made->width_bytes = sizeof(uint64_t);
    made->t_raw = embed->ir.t_i64;
    return MF_OK;
}

/* ---- Vectors ---- */

/* The bits of an element in memory, or 0 if vectors of it do not lie there as their elements do. */
static unsigned element_bits(LLVMTypeRef t_element) {
    switch (LLVMGetTypeKind(t_element)) {
    case LLVMIntegerTypeKind: {
        unsigned bits = LLVMGetIntTypeWidth(t_element);
        return bits >= 8 && bits <= 128 && is_power_of_two(bits) ? bits : 0;
    }
    case LLVMHalfTypeKind:
        return 16;
    case LLVMFloatTypeKind:
        return 32;
    case LLVMDoubleTypeKind:
    case LLVMPointerTypeKind:
        return 64;
    default:
        return 0;
    }
}

/* Elements of 16, 64 or 128 bits that no vector instruction knows become integers; a 128-bit one becomes two.
 */
static LLVMTypeRef raw_vector(const ir *ir, LLVMTypeRef t_vector) {
    LLVMTypeRef t_element = LLVMGetElementType(t_vector);
    unsigned count = LLVMGetVectorSize(t_vector);
    switch (LLVMGetTypeKind(t_element)) {
    case LLVMHalfTypeKind:
        return LLVMVectorType(ir->t_i16, count);
    case LLVMPointerTypeKind:
        return LLVMVectorType(ir->t_i64, count);
    case LLVMIntegerTypeKind:
        return LLVMGetIntTypeWidth(t_element) == 128 ? LLVMVectorType(ir->t_i64, count * 2) : t_vector;
    default:
        return t_vector;
    }
}

/* A number of a small vector's bits, for the register that one instruction loads or stores. */
static LLVMTypeRef small_vector(const ir *ir, uint32_t width_bytes) {
    switch (width_bytes) {
    case 1:
    case 2:
        return ir_int_type(ir, width_bytes);
    case 4:
        return LLVMFloatTypeInContext(ir->context);
    case 8:
        return LLVMDoubleTypeInContext(ir->context);
    default:
        return NULL;
    }
}

static bool has_pointers(LLVMTypeRef type) {
    LLVMTypeKind kind = LLVMGetTypeKind(type);
    return kind == LLVMPointerTypeKind ||
           (kind == LLVMVectorTypeKind && LLVMGetTypeKind(LLVMGetElementType(type)) == LLVMPointerTypeKind);
}

static mf_status make_vector(const mf_embed *embed, embed_type *made, mf_diag *diag) {
    unsigned bits = element_bits(LLVMGetElementType(made->t_client));
    uint64_t bytes = (uint64_t)LLVMGetVectorSize(made->t_client) * bits / 8;
    if (bits == 0)
        return refuse(made->t_client,
                      "elements are integers of 8, 16, 32, 64 or 128 bits, half, float, double or ptr", diag);
    if (bytes > MF_ACCESS_BYTES_MAX)
        return refuse(made->t_client, "an access has 64 bytes at most", diag);
    if (is_big_endian(embed))
        return refuse(made->t_client, "vectors are little-endian", diag);
    made->width_bytes = (uint32_t)bytes;
    LLVMTypeRef t_small = small_vector(&embed->ir, made->width_bytes);
    bool is_number =
        t_small != NULL && embed->options.backend == MF_BACKEND_X86_PAGED && !has_pointers(made->t_client);
    made->t_raw = is_number ? t_small : raw_vector(&embed->ir, made->t_client);
    return MF_OK;
}

mf_status embed_type_make(const mf_embed *embed, LLVMTypeRef t_client, embed_type *made, mf_diag *diag) {
    made->t_client = t_client;
    switch (LLVMGetTypeKind(t_client)) {
    case LLVMIntegerTypeKind:
        return make_integer(embed, made, diag);
    case LLVMHalfTypeKind:
        return make_number(embed, 2, made);
    case LLVMFloatTypeKind:
        return make_number(embed, 4, made);
    case LLVMDoubleTypeKind:
        return make_number(embed, 8, made);
    case LLVMPointerTypeKind:
        return make_pointer(embed, made, diag);
    case LLVMVectorTypeKind:
        return make_vector(embed, made, diag);
    default:
        return refuse(t_client, "they are integers, half, float, double, ptr or fixed vectors", diag);
    }
}

/* ---- Values ---- */

LLVMValueRef embed_value_from_raw(const mf_embed *embed, LLVMBuilderRef builder, const embed_type *type,
                                  LLVMValueRef v_raw) {
    bool is_word = LLVMTypeOf(v_raw) == embed->ir.t_i64 && type->t_raw != embed->ir.t_i64;
    LLVMValueRef v_bits = is_word ? LLVMBuildTrunc(builder, v_raw, type->t_raw, "") : v_raw;
    if (type->t_raw == type->t_client)
        return v_bits;
    if (has_pointers(type->t_client))
        return LLVMBuildIntToPtr(builder, v_bits, type->t_client, "");
    if (LLVMGetTypeKind(type->t_client) == LLVMIntegerTypeKind)
        return LLVMBuildTrunc(builder, v_bits, type->t_client, "");
    return LLVMBuildBitCast(builder, v_bits, type->t_client, "");
}

LLVMValueRef embed_value_to_raw(LLVMBuilderRef builder, const embed_type *type, LLVMValueRef v_value) {
    if (type->t_raw == type->t_client)
        return v_value;
    if (has_pointers(type->t_client))
        return LLVMBuildPtrToInt(builder, v_value, type->t_raw, "");
    if (LLVMGetTypeKind(type->t_client) == LLVMIntegerTypeKind)
        return LLVMBuildZExt(builder, v_value, type->t_raw, "");
    return LLVMBuildBitCast(builder, v_value, type->t_raw, "");
}
