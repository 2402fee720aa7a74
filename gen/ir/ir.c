#include "ir/ir.h"

#include "ir/target.h"

#include <memfold/abi.h>

#include <llvm-c/Target.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    uint64_t offset_bytes;
    bool invariant; /* constant while the view is attached */
} VIEW_FIELDS[IR_VIEW_FIELD_COUNT] = {
    [IR_VIEW_BASE] = {"base", MF_VIEW_BASE_OFFSET, true},
    [IR_VIEW_PERMS] = {"perms", MF_VIEW_PERMS_OFFSET, true},
    [IR_VIEW_HEAP_END] = {"heap_end", MF_VIEW_HEAP_END_OFFSET, false},
    [IR_VIEW_LAYOUT_FINGERPRINT] = {"layout_fingerprint", MF_VIEW_LAYOUT_FINGERPRINT_OFFSET, false},
};

/* ---- Session ---- */

static LLVMMetadataRef node(LLVMContextRef context, LLVMMetadataRef *operands, size_t count) {
    return LLVMMDNodeInContext2(context, operands, count);
}

static LLVMMetadataRef string(LLVMContextRef context, const char *text) {
    return LLVMMDStringInContext2(context, text, strlen(text));
}

/* An access tag for a scalar type that is a child of `root`: {type, type, offset 0}. */
static LLVMValueRef tbaa_tag(const ir *ir, LLVMMetadataRef root, const char *name) {
    LLVMMetadataRef zero = LLVMValueAsMetadata(ir_const(ir->t_i64, 0));
    LLVMMetadataRef type_operands[] = {string(ir->context, name), root, zero};
    LLVMMetadataRef type = node(ir->context, type_operands, 3);
    LLVMMetadataRef tag_operands[] = {type, type, zero};
    LLVMMetadataRef tag = node(ir->context, tag_operands, 3);
    return LLVMMetadataAsValue(ir->context, tag);
}

static void init_types(ir *ir) {
    ir->t_i1 = LLVMInt1TypeInContext(ir->context);
    ir->t_i8 = LLVMInt8TypeInContext(ir->context);
    ir->t_i16 = LLVMInt16TypeInContext(ir->context);
    ir->t_i32 = LLVMInt32TypeInContext(ir->context);
    ir->t_i64 = LLVMInt64TypeInContext(ir->context);
    ir->t_ptr = LLVMPointerTypeInContext(ir->context, 0);
    ir->t_void = LLVMVoidTypeInContext(ir->context);

    LLVMTypeRef view_fields[IR_VIEW_FIELD_COUNT] = {ir->t_ptr, ir->t_ptr, ir->t_i64, ir->t_i64};
    ir->t_view = LLVMGetTypeByName2(ir->context, "mf_view");
    if (ir->t_view == NULL) {
        ir->t_view = LLVMStructCreateNamed(ir->context, "mf_view");
        LLVMStructSetBody(ir->t_view, view_fields, IR_VIEW_FIELD_COUNT, false);
    }
    LLVMTypeRef result_fields[] = {ir->t_i64, ir->t_i32};
    ir->t_load_result = LLVMStructTypeInContext(ir->context, result_fields, 2, false);
}

static LLVMValueRef branch_weights(const ir *ir, uint32_t first, uint32_t second) {
    LLVMMetadataRef weights[] = {
        string(ir->context, "branch_weights"),
        LLVMValueAsMetadata(ir_const(ir->t_i32, first)),
        LLVMValueAsMetadata(ir_const(ir->t_i32, second)),
    };
    return LLVMMetadataAsValue(ir->context, node(ir->context, weights, 3));
}

static void init_metadata(ir *ir) {
    ir->kind_tbaa = LLVMGetMDKindIDInContext(ir->context, "tbaa", 4);
    ir->kind_invariant_load = LLVMGetMDKindIDInContext(ir->context, "invariant.load", 14);
    ir->kind_prof = LLVMGetMDKindIDInContext(ir->context, "prof", 4);

    LLVMMetadataRef root_name = string(ir->context, "memfold");
    LLVMMetadataRef root = node(ir->context, &root_name, 1);
    ir->tbaa[IR_BYTES_GUEST] = tbaa_tag(ir, root, "memfold.guest");
    ir->tbaa[IR_BYTES_VIEW] = tbaa_tag(ir, root, "memfold.view");
    ir->tbaa[IR_BYTES_TABLE] = tbaa_tag(ir, root, "memfold.table");
    ir->empty_node = LLVMMetadataAsValue(ir->context, node(ir->context, NULL, 0));

    ir->likely = branch_weights(ir, 1u << 20, 1);
}

static mf_status check_view_offsets(const ir *ir, mf_diag *diag) {
    LLVMTargetDataRef data = LLVMGetModuleDataLayout(ir->module);
    for (unsigned field = 0; field < IR_VIEW_FIELD_COUNT; field++) {
        uint64_t offset = LLVMOffsetOfElement(data, ir->t_view, field);
        if (offset != VIEW_FIELDS[field].offset_bytes)
            return mf_diag_set(diag, MF_LLVM, offset,
                               "the target puts mf_view.%s at %" PRIu64 " instead of %" PRIu64,
                               VIEW_FIELDS[field].name, offset, VIEW_FIELDS[field].offset_bytes);
    }
    return MF_OK;
}

mf_status ir_init(ir *ir, LLVMModuleRef module, LLVMBuilderRef builder, mf_diag *diag) {
    memset(ir, 0, sizeof *ir);
    ir->context = LLVMGetModuleContext(module);
    ir->module = module;
    ir->builder = builder;
    init_types(ir);
    init_metadata(ir);
    ir->i32_extension = target_i32_extension(LLVMGetTarget(module));
    return check_view_offsets(ir, diag);
}

/* ---- Types and constants ---- */

LLVMTypeRef ir_int_type(const ir *ir, uint32_t width_bytes) {
    switch (width_bytes) {
    case 1:
        return ir->t_i8;
    case 2:
        return ir->t_i16;
    case 4:
        return ir->t_i32;
    default:
        return ir->t_i64;
    }
}

LLVMValueRef ir_const(LLVMTypeRef type, uint64_t value) {
    return LLVMConstInt(type, value, false);
}

/* ---- Blocks ---- */

LLVMBasicBlockRef ir_block_append(const ir *ir, LLVMValueRef function, const char *name) {
    return LLVMAppendBasicBlockInContext(ir->context, function, name);
}

LLVMBasicBlockRef ir_block_follow(const ir *ir, const char *name) {
    LLVMBasicBlockRef here = LLVMGetInsertBlock(ir->builder);
    LLVMBasicBlockRef block = ir_block_append(ir, LLVMGetBasicBlockParent(here), name);
    LLVMMoveBasicBlockAfter(block, here);
    return block;
}

void ir_block_enter(const ir *ir, LLVMBasicBlockRef block) {
    LLVMPositionBuilderAtEnd(ir->builder, block);
}

void ir_branch_likely(const ir *ir, LLVMValueRef condition, LLVMBasicBlockRef likely,
                      LLVMBasicBlockRef other) {
    LLVMValueRef branch = LLVMBuildCondBr(ir->builder, condition, likely, other);
    LLVMSetMetadata(branch, ir->kind_prof, ir->likely);
}

void ir_branch_weighted(const ir *ir, LLVMValueRef condition, LLVMBasicBlockRef first,
                        LLVMBasicBlockRef second, uint32_t percent) {
    LLVMValueRef branch = LLVMBuildCondBr(ir->builder, condition, first, second);
    LLVMValueRef weights = branch_weights(ir, percent, 100 - percent);
    LLVMSetMetadata(branch, ir->kind_prof, weights);
}

/* ---- Memory ---- */

LLVMValueRef ir_load_view_field(const ir *ir, LLVMValueRef view, ir_view_field field) {
    LLVMTypeRef type = LLVMStructGetTypeAtIndex(ir->t_view, field);
    LLVMValueRef pointer = LLVMBuildStructGEP2(ir->builder, ir->t_view, view, field, "");
    LLVMValueRef value = LLVMBuildLoad2(ir->builder, type, pointer, VIEW_FIELDS[field].name);
    LLVMSetMetadata(value, ir->kind_tbaa, ir->tbaa[IR_BYTES_VIEW]);
    if (VIEW_FIELDS[field].invariant)
        LLVMSetMetadata(value, ir->kind_invariant_load, ir->empty_node);
    return value;
}

LLVMValueRef ir_load_bytes(const ir *ir, LLVMTypeRef type, LLVMValueRef pointer, ir_bytes bytes,
                           const char *name) {
    LLVMValueRef value = LLVMBuildLoad2(ir->builder, type, pointer, name);
    LLVMSetAlignment(value, 1);
    LLVMSetMetadata(value, ir->kind_tbaa, ir->tbaa[bytes]);
    return value;
}

LLVMValueRef ir_load_constant(const ir *ir, LLVMTypeRef type, LLVMValueRef pointer, const char *name) {
    LLVMValueRef value = LLVMBuildLoad2(ir->builder, type, pointer, name);
    LLVMSetMetadata(value, ir->kind_invariant_load, ir->empty_node);
    return value;
}

LLVMValueRef ir_store_bytes(const ir *ir, LLVMValueRef value, LLVMValueRef pointer, ir_bytes bytes) {
    LLVMValueRef store = LLVMBuildStore(ir->builder, value, pointer);
    LLVMSetAlignment(store, 1);
    LLVMSetMetadata(store, ir->kind_tbaa, ir->tbaa[bytes]);
    return store;
}

/* ---- Calls ---- */

LLVMValueRef ir_declare(const ir *ir, const char *symbol, LLVMTypeRef type, const ir_attribute *attributes) {
    LLVMValueRef function = LLVMGetNamedFunction(ir->module, symbol);
    if (function == NULL) {
        function = LLVMAddFunction(ir->module, symbol, type);
        ir_add_function_attributes(ir, function, attributes);
    }
    return function;
}

LLVMValueRef ir_call(const ir *ir, LLVMValueRef function, LLVMValueRef *arguments, unsigned count,
                     const char *name) {
    return LLVMBuildCall2(ir->builder, LLVMGlobalGetValueType(function), function, arguments, count, name);
}

LLVMValueRef ir_call_intrinsic(const ir *ir, const char *intrinsic, LLVMTypeRef type, LLVMValueRef *arguments,
                               unsigned count, const char *name) {
    unsigned id = LLVMLookupIntrinsicID(intrinsic, strlen(intrinsic));
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(ir->module, id, &type, 1);
    return ir_call(ir, function, arguments, count, name);
}

void ir_assume(const ir *ir, LLVMValueRef v_holds) {
    static const char NAME[] = "llvm.assume";
    unsigned id = LLVMLookupIntrinsicID(NAME, strlen(NAME));
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(ir->module, id, NULL, 0);
    ir_call(ir, function, &v_holds, 1, "");
}

void ir_keep(const ir *ir, LLVMValueRef value) {
    LLVMTypeRef type = LLVMTypeOf(value);
    LLVMTypeRef function_type = LLVMFunctionType(ir->t_void, &type, 1, false);
    LLVMValueRef nothing =
        LLVMGetInlineAsm(function_type, "", 0, "r", 1, true, false, LLVMInlineAsmDialectATT, false);
    LLVMBuildCall2(ir->builder, function_type, nothing, &value, 1, "");
}

LLVMValueRef ir_launder(const ir *ir, LLVMValueRef value, const char *name) {
    LLVMTypeRef type = LLVMTypeOf(value);
    LLVMTypeRef function_type = LLVMFunctionType(type, &type, 1, false);
    LLVMValueRef identity =
        LLVMGetInlineAsm(function_type, "", 0, "=r,0", 4, false, false, LLVMInlineAsmDialectATT, false);
    return LLVMBuildCall2(ir->builder, function_type, identity, &value, 1, name);
}

void ir_set_i32_result(const ir *ir, LLVMValueRef call, uint32_t first, uint32_t last) {
    unsigned kind = LLVMGetEnumAttributeKindForName("range", 5);
    uint64_t lower = first;
    uint64_t upper = (uint64_t)last + 1;
    LLVMAttributeRef range = LLVMCreateConstantRangeAttribute(ir->context, kind, 32, &lower, &upper);
    LLVMAddCallSiteAttribute(call, LLVMAttributeReturnIndex, range);
}

/* llvm.used is one array per module: what it has already goes into the new one. */
bool ir_retain(LLVMModuleRef module, LLVMValueRef global) {
    LLVMValueRef old = LLVMGetNamedGlobal(module, "llvm.used");
    LLVMValueRef v_old = old == NULL ? NULL : LLVMGetInitializer(old);
    unsigned count = old == NULL ? 0 : (unsigned)LLVMGetNumOperands(v_old);
    LLVMValueRef *kept = calloc(count + 1, sizeof *kept);
    if (kept == NULL)
        return false;
    for (unsigned i = 0; i < count; i++)
        kept[i] = LLVMGetOperand(v_old, i);
    kept[count] = global;
    if (old != NULL)
        LLVMDeleteGlobal(old);
    LLVMValueRef v_used = LLVMConstArray2(LLVMTypeOf(global), kept, count + 1);
    free(kept);
    LLVMValueRef used = LLVMAddGlobal(module, LLVMTypeOf(v_used), "llvm.used");
    LLVMSetInitializer(used, v_used);
    LLVMSetLinkage(used, LLVMAppendingLinkage);
    LLVMSetSection(used, "llvm.metadata");
    return true;
}

/* ---- Attributes ---- */

void ir_extend_i32_result(const ir *ir, LLVMValueRef function) {
    if (ir->i32_extension != NULL)
        ir_add_attribute(ir, function, LLVMAttributeReturnIndex, (ir_attribute){ir->i32_extension, 0});
}

void ir_add_attribute(const ir *ir, LLVMValueRef function, LLVMAttributeIndex index, ir_attribute attribute) {
    unsigned kind = LLVMGetEnumAttributeKindForName(attribute.name, strlen(attribute.name));
    LLVMAddAttributeAtIndex(function, index, LLVMCreateEnumAttribute(ir->context, kind, attribute.value));
}

void ir_add_function_attributes(const ir *ir, LLVMValueRef function, const ir_attribute *attributes) {
    for (; attributes->name != NULL; attributes++)
        ir_add_attribute(ir, function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, *attributes);
}
