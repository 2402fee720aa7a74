#include "embed_sites.h"

#include <llvm-c/IRReader.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Types ---- */

static LLVMTypeRef int_type(const embed_session *s, unsigned bits) {
    return LLVMIntTypeInContext(s->module.context, bits);
}

static LLVMTypeRef element_type(LLVMTypeRef type) {
    return LLVMGetTypeKind(type) == LLVMVectorTypeKind ? LLVMGetElementType(type) : type;
}

static unsigned bits_of_element(LLVMTypeRef type) {
    switch (LLVMGetTypeKind(element_type(type))) {
    case LLVMHalfTypeKind:
        return 16;
    case LLVMFloatTypeKind:
        return 32;
    case LLVMIntegerTypeKind:
        return LLVMGetIntTypeWidth(element_type(type));
    default:
        return 64;
    }
}

static unsigned bits_of(LLVMTypeRef type) {
    bool is_vector = LLVMGetTypeKind(type) == LLVMVectorTypeKind;
    return bits_of_element(type) * (is_vector ? LLVMGetVectorSize(type) : 1);
}

static bool is_range(const embed_site *site) {
    return site->value == VERIFY_VALUE_LENGTH;
}

static bool is_number(LLVMTypeRef type) {
    LLVMTypeKind kind = LLVMGetTypeKind(type);
    return kind == LLVMHalfTypeKind || kind == LLVMFloatTypeKind || kind == LLVMDoubleTypeKind;
}

/* Numbers as they are; of vectors as many words as fill registers of 16 bytes. */
static LLVMTypeRef carrier_type(const embed_session *s) {
    LLVMTypeRef t_access = s->site->t_access;
    if (is_number(t_access))
        return t_access;
    unsigned words = 2;
    while (8 * words < s->site->width_bytes)
        words *= 2;
    return LLVMVectorType(int_type(s, 64), words);
}

/* ---- Values: from what is accessed to what carries it, and back ---- */

static LLVMValueRef cast(const embed_session *s, LLVMValueRef v_value, LLVMTypeRef type) {
    LLVMBuilderRef b = s->module.builder;
    LLVMTypeRef t_from = LLVMTypeOf(v_value);
    bool from_pointer = LLVMGetTypeKind(element_type(t_from)) == LLVMPointerTypeKind;
    bool to_pointer = LLVMGetTypeKind(element_type(type)) == LLVMPointerTypeKind;
    if (from_pointer == to_pointer)
        return LLVMBuildBitCast(b, v_value, type, "");
    LLVMTypeRef t_pointer = from_pointer ? t_from : type;
    bool is_vector = LLVMGetTypeKind(t_pointer) == LLVMVectorTypeKind;
    LLVMTypeRef t_word = int_type(s, 64);
    LLVMTypeRef t_words = is_vector ? LLVMVectorType(t_word, LLVMGetVectorSize(t_pointer)) : t_word;
    if (from_pointer) {
        LLVMValueRef v_words = LLVMBuildPtrToInt(b, v_value, t_words, "");
        return LLVMBuildBitCast(b, v_words, type, "");
    }
    LLVMValueRef v_words = LLVMBuildBitCast(b, v_value, t_words, "");
    return LLVMBuildIntToPtr(b, v_words, type, "");
}

/* The first `to` elements, or more of which nothing is said. */
static LLVMValueRef resize(const embed_session *s, LLVMValueRef v_vector, unsigned from, unsigned to) {
    LLVMValueRef v_indices[64];
    LLVMTypeRef t_i32 = int_type(s, 32);
    for (unsigned n = 0; n < to; n++)
        v_indices[n] = n < from ? LLVMConstInt(t_i32, n, false) : LLVMGetPoison(t_i32);
    LLVMValueRef v_mask = LLVMConstVector(v_indices, to);
    LLVMValueRef v_none = LLVMGetPoison(LLVMTypeOf(v_vector));
    return LLVMBuildShuffleVector(s->module.builder, v_vector, v_none, v_mask, "");
}

/* Words as large as the width is a multiple of: LLVM moves them without the stack. */
static LLVMTypeRef vector_of_words(const embed_session *s, unsigned size) {
    unsigned width = s->site->width_bytes;
    unsigned word = width % 8 == 0 ? 8 : width % 4 == 0 ? 4 : 1;
    return LLVMVectorType(int_type(s, 8 * word), size / word);
}

static LLVMValueRef into_vectors(const embed_session *s, LLVMValueRef v_value) {
    LLVMTypeRef t_carrier = carrier_type(s);
    LLVMTypeRef t_words = vector_of_words(s, s->site->width_bytes);
    LLVMTypeRef t_filled = vector_of_words(s, bits_of(t_carrier) / 8);
    if (is_number(s->site->t_access))
        return v_value;
    LLVMValueRef v_words = cast(s, v_value, t_words);
    LLVMValueRef v_filled = v_words;
    if (t_words != t_filled)
        v_filled = resize(s, v_words, LLVMGetVectorSize(t_words), LLVMGetVectorSize(t_filled));
    return LLVMBuildBitCast(s->module.builder, v_filled, t_carrier, "");
}

static LLVMValueRef out_of_vectors(const embed_session *s, LLVMValueRef v_carrier) {
    LLVMTypeRef t_words = vector_of_words(s, s->site->width_bytes);
    LLVMTypeRef t_filled = vector_of_words(s, bits_of(LLVMTypeOf(v_carrier)) / 8);
    if (is_number(s->site->t_access))
        return v_carrier;
    LLVMValueRef v_filled = LLVMBuildBitCast(s->module.builder, v_carrier, t_filled, "");
    LLVMValueRef v_words = v_filled;
    if (t_words != t_filled)
        v_words = resize(s, v_filled, LLVMGetVectorSize(t_filled), LLVMGetVectorSize(t_words));
    return cast(s, v_words, s->site->t_access);
}

static LLVMValueRef into_words(const embed_session *s, LLVMValueRef v_value, unsigned bits) {
    LLVMBuilderRef b = s->module.builder;
    LLVMValueRef v_bits = cast(s, v_value, int_type(s, bits_of(s->site->t_access)));
    return s->site->sign_extends ? LLVMBuildSExt(b, v_bits, int_type(s, bits), "")
                                 : LLVMBuildZExt(b, v_bits, int_type(s, bits), "");
}

static LLVMValueRef out_of_words(const embed_session *s, LLVMValueRef v_words) {
    LLVMTypeRef t_bits = int_type(s, bits_of(s->site->t_access));
    LLVMValueRef v_bits = LLVMBuildTrunc(s->module.builder, v_words, t_bits, "");
    return cast(s, v_bits, s->site->t_access);
}

/* ---- The function ---- */

#define VALUES_MAX 3

/* What a value is carried in: at most two of these. */
static unsigned carrier_types(const embed_session *s, LLVMTypeRef types[VALUES_MAX]) {
    switch (s->site->value) {
    case VERIFY_VALUE_WORD:
        types[0] = int_type(s, 64);
        return 1;
    case VERIFY_VALUE_TWO_WORDS:
        types[0] = types[1] = int_type(s, 64);
        return 2;
    case VERIFY_VALUE_VECTORS:
        types[0] = carrier_type(s);
        return 1;
    case VERIFY_VALUE_ADDRESS:
        types[0] = LLVMPointerTypeInContext(s->module.context, 0);
        return 1;
    case VERIFY_VALUE_LENGTH:
        break;
    }
    return 0;
}

static bool gives_value(const embed_site *site) {
    return site->value == VERIFY_VALUE_ADDRESS || (site->operation == MF_LOAD && !is_range(site));
}

/* The value, and the status unless faults trap. */
static LLVMTypeRef result_type(const embed_session *s) {
    LLVMTypeRef types[VALUES_MAX];
    unsigned count = gives_value(s->site) ? carrier_types(s, types) : 0;
    if (s->options.on_fault != MF_ON_FAULT_TRAP)
        types[count++] = int_type(s, 32);
    if (count == 0)
        return LLVMVoidTypeInContext(s->module.context);
    return count == 1 ? types[0] : LLVMStructTypeInContext(s->module.context, types, count, false);
}

static void set_attribute(const embed_session *s, LLVMValueRef f, const char *key, const char *value) {
    LLVMAttributeRef attribute = LLVMCreateStringAttribute(s->module.context, key, (unsigned)strlen(key),
                                                           value, (unsigned)strlen(value));
    LLVMAddAttributeAtIndex(f, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, attribute);
}

/* What accessors are compiled for is the JIT's; of others each says itself which instructions there are. */
static void set_target(const embed_session *s, LLVMValueRef f) {
    static const char *const FEATURES[] = {[EMBED_SSE] = "+sse2",
                                           [EMBED_AVX] = "+avx2",
                                           [EMBED_AVX512] = "+avx512f,+avx512vl,+avx512bw,+avx512dq"};
    if (s->site->id != MF_ACCESSOR_COUNT)
        return;
    set_attribute(s, f, "target-cpu", "x86-64");
    set_attribute(s, f, "target-features", FEATURES[s->vectors]);
    set_attribute(s, f, "prefer-vector-width", s->vectors == EMBED_AVX512 ? "512" : "256");
    set_attribute(s, f, "min-legal-vector-width", s->vectors == EMBED_AVX512 ? "512" : "0");
}

static LLVMValueRef begin_function(const embed_session *s) {
    LLVMTypeRef t_ptr = LLVMPointerTypeInContext(s->module.context, 0);
    LLVMTypeRef parameters[3 + VALUES_MAX] = {t_ptr};
    unsigned count = 1;
    if (s->options.base == MF_BASE_ARGUMENT)
        parameters[count++] = t_ptr;
    parameters[count++] = int_type(s, s->options.index == MF_INDEX_U33 ? 64 : 32);
    if (is_range(s->site))
        parameters[count++] = int_type(s, 64);
    else if (!gives_value(s->site))
        count += carrier_types(s, parameters + count);
    LLVMTypeRef t_function = LLVMFunctionType(result_type(s), parameters, count, false);
    LLVMValueRef f = client_function_begin(&s->module, s->site->name, t_function);
    set_target(s, f);
    return f;
}

/* ---- Ends ---- */

/* Writes what carries the value of a load, or an address. */
static unsigned carry(const embed_session *s, LLVMValueRef v_value, LLVMValueRef values[VALUES_MAX]) {
    LLVMBuilderRef b = s->module.builder;
    LLVMTypeRef t_i64 = int_type(s, 64);
    switch (s->site->value) {
    case VERIFY_VALUE_WORD:
        values[0] = into_words(s, v_value, 64);
        return 1;
    case VERIFY_VALUE_TWO_WORDS: {
        LLVMValueRef v_all = into_words(s, v_value, 128);
        LLVMValueRef v_count = LLVMConstInt(int_type(s, 128), 64, false);
        LLVMValueRef v_upper = LLVMBuildLShr(b, v_all, v_count, "");
        values[0] = LLVMBuildTrunc(b, v_all, t_i64, "");
        values[1] = LLVMBuildTrunc(b, v_upper, t_i64, "");
        return 2;
    }
    case VERIFY_VALUE_VECTORS:
        values[0] = into_vectors(s, v_value);
        return 1;
    default:
        values[0] = v_value;
        return 1;
    }
}

static void return_values(const embed_session *s, LLVMValueRef *values, unsigned count) {
    LLVMBuilderRef b = s->module.builder;
    LLVMTypeRef t_result = result_type(s);
    if (count == 0) {
        LLVMBuildRetVoid(b);
        return;
    }
    if (count == 1) {
        LLVMBuildRet(b, values[0]);
        return;
    }
    LLVMValueRef v_all = LLVMGetPoison(t_result);
    for (unsigned n = 0; n < count; n++)
        v_all = LLVMBuildInsertValue(b, v_all, values[n], n, "");
    LLVMBuildRet(b, v_all);
}

static void return_done(const embed_session *s, LLVMValueRef v_value) {
    LLVMValueRef values[VALUES_MAX];
    unsigned count = gives_value(s->site) ? carry(s, v_value, values) : 0;
    if (s->options.on_fault != MF_ON_FAULT_TRAP)
        values[count++] = LLVMConstInt(int_type(s, 32), 0, false);
    return_values(s, values, count);
}

static void return_fault(const embed_session *s, LLVMValueRef v_status) {
    LLVMTypeRef types[VALUES_MAX];
    LLVMValueRef values[VALUES_MAX];
    unsigned count = gives_value(s->site) ? carrier_types(s, types) : 0;
    for (unsigned n = 0; n < count; n++)
        values[n] = LLVMConstNull(types[n]);
    values[count++] = v_status;
    return_values(s, values, count);
}

/* The status that the cold block in front of the client's got from the runtime. */
static LLVMValueRef find_status(LLVMBasicBlockRef b_from) {
    LLVMValueRef v_found = NULL;
    for (LLVMValueRef v = LLVMGetFirstInstruction(b_from); v != NULL; v = LLVMGetNextInstruction(v))
        if (LLVMIsACallInst(v) != NULL && LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMIntegerTypeKind &&
            LLVMGetNumArgOperands(v) == 4)
            v_found = v;
    return v_found;
}

/* MF_ACCESS_CODE, with as much of the length as it has room for. */
static LLVMValueRef access_code(const embed_session *s, LLVMValueRef v_length) {
    LLVMBuilderRef b = s->module.builder;
    LLVMTypeRef t_i64 = int_type(s, 64);
    mf_operation operation = s->site->operation;
    if (v_length == NULL)
        return LLVMConstInt(t_i64, MF_ACCESS_CODE(operation, s->site->width_bytes), false);
    LLVMValueRef v_most = LLVMConstInt(t_i64, INT64_MAX, false);
    LLVMValueRef v_is_more = LLVMBuildICmp(b, LLVMIntUGT, v_length, v_most, "");
    LLVMValueRef v_cut = LLVMBuildSelect(b, v_is_more, v_most, v_length, "");
    LLVMValueRef v_shifted = LLVMBuildShl(b, v_cut, LLVMConstInt(t_i64, 1, false), "");
    return LLVMBuildOr(b, v_shifted, LLVMConstInt(t_i64, operation, false), "");
}

/* With branch nothing is recorded: the client does here what accessors do. */
static LLVMValueRef record(const embed_session *s, const mf_embed_access *access, LLVMValueRef v_length) {
    LLVMBuilderRef b = s->module.builder;
    LLVMTypeRef t_i64 = int_type(s, 64);
    LLVMTypeRef parameters[] = {LLVMTypeOf(access->view), t_i64, t_i64, t_i64};
    LLVMTypeRef t_fault = LLVMFunctionType(int_type(s, 32), parameters, 4, false);
    LLVMValueRef f_fault = LLVMGetNamedFunction(s->module.module, "mf_rt_fault_v3");
    if (f_fault == NULL)
        f_fault = LLVMAddFunction(s->module.module, "mf_rt_fault_v3", t_fault);
    LLVMValueRef v_index = access->address;
    if (s->options.index == MF_INDEX_U32)
        v_index = LLVMBuildZExt(b, access->address, t_i64, "");
    v_index = LLVMBuildAdd(b, v_index, LLVMConstInt(t_i64, access->offset, false), "");
    LLVMValueRef v_code = access_code(s, v_length);
    LLVMValueRef arguments[] = {access->view, v_index, v_code, LLVMConstInt(t_i64, 0, false)};
    return LLVMBuildCall2(b, t_fault, f_fault, arguments, 4, "status");
}

static void end_fault(const embed_session *s, const mf_embed_access *access, LLVMBasicBlockRef b_from,
                      LLVMValueRef v_length) {
    if (access->fault_block == NULL)
        return;
    LLVMPositionBuilderAtEnd(s->module.builder, access->fault_block);
    if (b_from == NULL) {
        LLVMBuildUnreachable(s->module.builder);
        return;
    }
    bool records = s->options.on_fault == MF_ON_FAULT_BRANCH;
    LLVMValueRef v_status = records ? record(s, access, v_length) : find_status(b_from);
    return_fault(s, v_status);
}

/* ---- The access ---- */

/* A number that LLVM does not know. */
static LLVMValueRef hide(const embed_session *s, uint64_t number) {
    LLVMTypeRef t_i64 = int_type(s, 64);
    LLVMTypeRef t_asm = LLVMFunctionType(t_i64, &t_i64, 1, false);
    LLVMValueRef f_asm =
        LLVMGetInlineAsm(t_asm, "", 0, "=r,0", 4, false, false, LLVMInlineAsmDialectATT, false);
    LLVMValueRef v_number = LLVMConstInt(t_i64, number, false);
    return LLVMBuildCall2(s->module.builder, t_asm, f_asm, &v_number, 1, "length");
}

/* What a store gets from its arguments, from number `next` on. */
static LLVMValueRef take_value(const embed_session *s, LLVMValueRef f, unsigned next) {
    LLVMBuilderRef b = s->module.builder;
    LLVMValueRef v_first = LLVMGetParam(f, next);
    if (s->site->value == VERIFY_VALUE_VECTORS)
        return out_of_vectors(s, v_first);
    if (s->site->value == VERIFY_VALUE_WORD)
        return out_of_words(s, v_first);
    LLVMTypeRef t_all = int_type(s, 128);
    LLVMValueRef v_lower = LLVMBuildZExt(b, v_first, t_all, "");
    LLVMValueRef v_upper = LLVMBuildZExt(b, LLVMGetParam(f, next + 1), t_all, "");
    LLVMValueRef v_shifted = LLVMBuildShl(b, v_upper, LLVMConstInt(t_all, 64, false), "");
    LLVMValueRef v_all = LLVMBuildOr(b, v_shifted, v_lower, "");
    return out_of_words(s, v_all);
}

static LLVMValueRef access_guest(const embed_session *s, const mf_embed_access *access, LLVMValueRef v_value,
                                 LLVMBasicBlockRef *b_from) {
    LLVMBuilderRef b = s->module.builder;
    const mf_embed *embed = s->embed;
    const embed_site *site = s->site;
    LLVMBasicBlockRef b_unused;
    if (site->is_after_range) {
        LLVMValueRef v_length = hide(s, site->width_bytes);
        mf_embed_check_range(embed, b, access, v_length, site->operation, b_from);
        embed = s->unchecked;
        b_from = &b_unused;
    }
    if (site->value == VERIFY_VALUE_ADDRESS)
        return mf_embed_address(embed, b, access, site->width_bytes, site->operation, b_from);
    if (site->operation == MF_LOAD)
        return mf_embed_load(embed, b, access, site->t_access, b_from);
    mf_embed_store(embed, b, access, v_value, b_from);
    return NULL;
}

static void give_state(const embed_session *s, mf_embed_access *access) {
    LLVMBuilderRef b = s->module.builder;
    if (access->base == NULL)
        access->base = mf_embed_load_base(s->embed, b, access->view);
    access->heap_end = mf_embed_load_heap_end(s->embed, b, access->view);
}

void embed_build(embed_session *s, embed_site *site) {
    s->site = site;
    if (site->t_access != NULL)
        site->width_bytes = (bits_of(site->t_access) + 7) / 8;
    site->value_bits = site->t_access == NULL ? 8 * site->width_bytes : bits_of(site->t_access);
    LLVMValueRef f = begin_function(s);
    unsigned next = 0;
    mf_diag diag = {0};
    mf_embed_access access = {.view = LLVMGetParam(f, next++), .offset = site->offset, .diag = &diag};
    if (s->options.base == MF_BASE_ARGUMENT)
        access.base = LLVMGetParam(f, next++);
    access.address = LLVMGetParam(f, next++);
    if (site->is_given_state)
        give_state(s, &access);
    if (s->options.on_fault != MF_ON_FAULT_TRAP)
        access.fault_block = LLVMAppendBasicBlockInContext(s->module.context, f, "client");
    LLVMBasicBlockRef b_from = NULL;
    LLVMValueRef v_length = is_range(site) ? LLVMGetParam(f, next) : NULL;
    LLVMValueRef v_given = NULL;
    if (is_range(site)) {
        mf_embed_check_range(s->embed, s->module.builder, &access, v_length, site->operation, &b_from);
    } else {
        v_given = access_guest(s, &access, gives_value(site) ? NULL : take_value(s, f, next), &b_from);
        client_must(diag.message[0] == '\0' ? MF_OK : MF_INVALID_ARGUMENT, &diag, site->name);
    }
    return_done(s, v_given);
    end_fault(s, &access, b_from, v_length);
}

/* ---- Sessions ---- */

embed_session embed_open(sample sample, const mf_accessor_options *options, embed_vectors vectors) {
    mf_diag diag;
    embed_session s = {.layout = sample_layout(sample), .options = *options, .vectors = vectors};
    const mf_accessor_options unchecked = {
        .policy = MF_POLICY_NONE, .base = options->base, .endian = options->endian};
    s.module = client_module_create("accesses");
    client_must(mf_embed_create(s.module.module, s.layout, options, &s.embed, &diag), &diag, "embed");
    client_must(mf_embed_create(s.module.module, s.layout, &unchecked, &s.unchecked, &diag), &diag, "embed");
    return s;
}

embed_site embed_site_of(const embed_session *s, mf_accessor_id id) {
    const mf_accessor_info *info = mf_accessor_info_get(id);
    return (embed_site){.name = info->name,
                        .id = id,
                        .operation = info->operation,
                        .value = VERIFY_VALUE_WORD,
                        .t_access = int_type(s, 8 * info->width_bytes),
                        .sign_extends = info->sign_extends};
}

/* Whether an access with an exception entry is there. */
static bool has_entries(const embed_session *s) {
    bool is_paged = s->options.backend == MF_BACKEND_X86_PAGED;
    return is_paged && s->options.on_fault != MF_ON_FAULT_TRAP && !s->site->is_after_range &&
           s->site->t_access != NULL;
}

/* Functions return, also where the client is branched to. */
static verify_prover *create_prover(const embed_session *s, const mf_layout *layout) {
    mf_accessor_options abi = s->options;
    verify_prover *prover;
    mf_diag diag;
    if (abi.on_fault == MF_ON_FAULT_BRANCH)
        abi.on_fault = MF_ON_FAULT_RETURN;
    client_must(verify_prover_create(layout, &abi, NULL, &prover, &diag), &diag, "prover");
    return prover;
}

static char *substitute(const char *text, const embed_change *change) {
    char *changed = calloc(1, 4 * strlen(text) + 4096);
    char *next = changed;
    size_t count = 0;
    for (const char *at = text; *at != '\0';) {
        bool is_here = strncmp(at, change->from, strlen(change->from)) == 0;
        const char *source = is_here ? change->to : at;
        size_t length = is_here ? strlen(change->to) : 1;
        memcpy(next, source, length);
        next += length;
        at += is_here ? strlen(change->from) : 1;
        count += is_here;
    }
    if (count > 0)
        return changed;
    printf("%s: the text is not there: %s\n%s", change->from, change->to, text);
    exit(1);
}

static void apply(embed_session *s, const embed_change *change) {
    char *text = LLVMPrintModuleToString(s->module.module);
    char *changed = substitute(text, change);
    LLVMMemoryBufferRef buffer =
        LLVMCreateMemoryBufferWithMemoryRangeCopy(changed, strlen(changed), "changed");
    LLVMModuleRef parsed;
    char *error;
    if (LLVMParseIRInContext(s->module.context, buffer, &parsed, &error)) {
        printf("%s: %s\n", change->to, error);
        exit(1);
    }
    free(changed);
    LLVMDisposeMessage(text);
    LLVMDisposeModule(s->module.module);
    s->module.module = parsed;
}

void embed_load(embed_session *s, const char *pipeline, const embed_change *change) {
    mf_diag diag;
    bool has_table = has_entries(s);
    if (has_table) {
        snprintf(s->entries, sizeof s->entries, "%.60s_entries", s->site->name);
        client_must(mf_embed_define_exception_table(s->module.module, s->entries, &diag), &diag, "table");
    }
    mf_embed_destroy(s->embed);
    mf_embed_destroy(s->unchecked);
    if (change != NULL)
        apply(s, change);
    client_module_optimise(&s->module, pipeline);
    s->code = client_module_load(&s->module, has_table ? s->entries : NULL);
    s->prover = create_prover(s, s->layout);
}

void embed_close(embed_session *s) {
    verify_prover_destroy(s->prover);
    client_code_unload(&s->code);
    mf_layout_release(s->layout);
}

/* ---- Proofs ---- */

static verify_function function_of(const embed_session *s, const embed_site *site) {
    return (verify_function){
        .id = site->id,
        .entry = client_lookup(site->name),
        .access = {site->operation, site->width_bytes, site->value_bits, site->sign_extends},
        .value = site->value,
        .vector_bytes = 16u << s->vectors,
        .offset = site->offset,
        .is_embedded = site->id == MF_ACCESSOR_COUNT};
}

void embed_prove(const embed_session *s, const mf_layout *layout, const embed_site *site,
                 mf_verify_result *result, verify_state *state) {
    verify_code code = {.is_of_process = true, .takes_registered_entries = true};
    verify_function function = function_of(s, site);
    verify_prover *prover = layout == NULL ? s->prover : create_prover(s, layout);
    mf_diag diag;
    verify_code_set_runtime(&code);
    client_must(verify_prover_prove_function(prover, &code, &function, result, state, &diag), &diag, "prove");
    if (layout != NULL)
        verify_prover_destroy(prover);
}

void embed_print(const embed_session *s, const embed_site *site, const mf_verify_result *result) {
    static const char *const VECTORS[] = {"sse", "avx", "avx512"};
    const mf_accessor_options *o = &s->options;
    const mf_counterexample *e = &result->counterexample;
    printf("%s, %s, backend %d on_fault %d base %d index %d endian %d spectre %d strategy %d: %s\n",
           site->name, VECTORS[s->vectors], (int)o->backend, (int)o->on_fault, (int)o->base, (int)o->index,
           (int)o->endian, (int)o->spectre, (int)o->strategy, mf_verdict_name(result->verdict));
    if (result->verdict == MF_VERDICT_NOT_PROVED)
        printf("    %s\n", result->reason);
    if (result->verdict == MF_VERDICT_REFUTED)
        printf("    index 0x%llx: %s\n    %s\n", (unsigned long long)e->index, e->did, e->contract);
}
