#include "ir/ir.h"

#include "ir/target.h"

#include <memfold/embed.h>

#include <llvm-c/Target.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    uint64_t offset_bytes;
    bool invariant; /* constant while the view is attached */
    bool grows;     /* sbrk may write it at any time */
} VIEW_FIELDS[IR_VIEW_FIELD_COUNT] = {
    [IR_VIEW_BASE] = {"base", MF_VIEW_BASE_OFFSET, true, false},
    [IR_VIEW_PERMS] = {"perms", MF_VIEW_PERMS_OFFSET, true, false},
    [IR_VIEW_HEAP_END] = {"heap_end", MF_VIEW_HEAP_END_OFFSET, false, true},
    [IR_VIEW_LAYOUT_STAMP] = {"layout_stamp", MF_VIEW_LAYOUT_STAMP_OFFSET, false, false},
    [IR_VIEW_U33_STAMP] = {"u33_stamp", MF_VIEW_U33_STAMP_OFFSET, false, false},
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

    LLVMTypeRef t_fields[IR_VIEW_LEADING_COUNT] = {ir->t_ptr, ir->t_ptr, ir->t_i64, ir->t_i64};
    ir->t_view = LLVMGetTypeByName2(ir->context, "mf_view");
    if (ir->t_view == NULL) {
        ir->t_view = LLVMStructCreateNamed(ir->context, "mf_view");
        LLVMStructSetBody(ir->t_view, t_fields, IR_VIEW_LEADING_COUNT, false);
    }
    LLVMTypeRef t_result_fields[] = {ir->t_i64, ir->t_i32};
    ir->t_load_result = LLVMStructTypeInContext(ir->context, t_result_fields, 2, false);
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
    ir->kind_range = LLVMGetMDKindIDInContext(ir->context, "range", 5);

    LLVMMetadataRef root_name = string(ir->context, "memfold");
    LLVMMetadataRef root = node(ir->context, &root_name, 1);
    ir->v_tbaa[IR_BYTES_GUEST] = tbaa_tag(ir, root, "memfold.guest");
    ir->v_tbaa[IR_BYTES_VIEW] = tbaa_tag(ir, root, "memfold.view");
    ir->v_tbaa[IR_BYTES_TABLE] = tbaa_tag(ir, root, "memfold.table");
    ir->v_empty_node = LLVMMetadataAsValue(ir->context, node(ir->context, NULL, 0));

    ir->v_likely = branch_weights(ir, 1u << 20, 1);
}

static mf_status check_view_offsets(const ir *ir, mf_diag *diag) {
    LLVMTargetDataRef data = LLVMGetModuleDataLayout(ir->module);
    for (unsigned field = 0; field < IR_VIEW_LEADING_COUNT; field++) {
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
    ir->heap_end_most = MF_SPACE_BYTES;
    init_types(ir);
    init_metadata(ir);
    const char *triple = LLVMGetTarget(module);
    ir->i32_extension = target_i32_extension(triple);
    ir->fault_entry_preserves = target_fault_entry_preserves(triple);
    ir->sbrk_ordering =
        target_has_total_store_order(triple) ? LLVMAtomicOrderingUnordered : LLVMAtomicOrderingAcquire;
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

LLVMValueRef ir_const(LLVMTypeRef t_int, uint64_t value) {
    return LLVMConstInt(t_int, value, false);
}

/* ---- Blocks ---- */

LLVMBasicBlockRef ir_block_append(const ir *ir, LLVMValueRef f_parent, const char *name) {
    return LLVMAppendBasicBlockInContext(ir->context, f_parent, name);
}

LLVMBasicBlockRef ir_block_follow(const ir *ir, const char *name) {
    LLVMBasicBlockRef b_here = LLVMGetInsertBlock(ir->builder);
    LLVMBasicBlockRef b_next = ir_block_append(ir, LLVMGetBasicBlockParent(b_here), name);
    LLVMMoveBasicBlockAfter(b_next, b_here);
    return b_next;
}

void ir_block_enter(const ir *ir, LLVMBasicBlockRef b_entered) {
    LLVMPositionBuilderAtEnd(ir->builder, b_entered);
}

void ir_branch_likely(const ir *ir, LLVMValueRef v_condition, LLVMBasicBlockRef b_likely,
                      LLVMBasicBlockRef b_other) {
    LLVMValueRef v_branch = LLVMBuildCondBr(ir->builder, v_condition, b_likely, b_other);
    LLVMSetMetadata(v_branch, ir->kind_prof, ir->v_likely);
}

void ir_branch_weighted(const ir *ir, LLVMValueRef v_condition, LLVMBasicBlockRef b_first,
                        LLVMBasicBlockRef b_second, uint32_t percent) {
    LLVMValueRef v_branch = LLVMBuildCondBr(ir->builder, v_condition, b_first, b_second);
    LLVMValueRef v_weights = branch_weights(ir, percent, 100 - percent);
    LLVMSetMetadata(v_branch, ir->kind_prof, v_weights);
}

/* ---- Memory ---- */

static LLVMValueRef view_field(const ir *ir, LLVMValueRef v_view, ir_view_field field) {
    if (field < IR_VIEW_LEADING_COUNT)
        return LLVMBuildStructGEP2(ir->builder, ir->t_view, v_view, field, "");
    LLVMValueRef v_offset = ir_const(ir->t_i64, VIEW_FIELDS[field].offset_bytes);
    return LLVMBuildInBoundsGEP2(ir->builder, ir->t_i8, v_view, &v_offset, 1, "");
}

LLVMValueRef ir_load_view_field(const ir *ir, LLVMValueRef v_view, ir_view_field field) {
    bool leads = field < IR_VIEW_LEADING_COUNT;
    LLVMTypeRef t_field = leads ? LLVMStructGetTypeAtIndex(ir->t_view, field) : ir->t_i64;
    LLVMValueRef v_pointer = view_field(ir, v_view, field);
    LLVMValueRef v_value = LLVMBuildLoad2(ir->builder, t_field, v_pointer, VIEW_FIELDS[field].name);
    LLVMSetMetadata(v_value, ir->kind_tbaa, ir->v_tbaa[IR_BYTES_VIEW]);
    if (VIEW_FIELDS[field].invariant)
        LLVMSetMetadata(v_value, ir->kind_invariant_load, ir->v_empty_node);
    if (VIEW_FIELDS[field].grows)
        LLVMSetOrdering(v_value, ir->sbrk_ordering);
    return v_value;
}

/* LLVM takes comparisons with the heap end out of loops if it knows that what is computed does not wrap. */
LLVMValueRef ir_load_heap_end(const ir *ir, LLVMValueRef v_view) {
    LLVMValueRef v_end = ir_load_view_field(ir, v_view, IR_VIEW_HEAP_END);
    LLVMMetadataRef range[] = {LLVMValueAsMetadata(ir_const(ir->t_i64, 0)),
                               LLVMValueAsMetadata(ir_const(ir->t_i64, ir->heap_end_most + 1))};
    LLVMMetadataRef m_range = LLVMMDNodeInContext2(ir->context, range, 2);
    LLVMSetMetadata(v_end, ir->kind_range, LLVMMetadataAsValue(ir->context, m_range));
    return v_end;
}

LLVMValueRef ir_load_bytes(const ir *ir, LLVMTypeRef t_loaded, LLVMValueRef v_pointer, ir_bytes bytes,
                           const char *name) {
    LLVMValueRef v_value = LLVMBuildLoad2(ir->builder, t_loaded, v_pointer, name);
    LLVMSetAlignment(v_value, 1);
    LLVMSetMetadata(v_value, ir->kind_tbaa, ir->v_tbaa[bytes]);
    if (bytes == IR_BYTES_TABLE)
        LLVMSetOrdering(v_value, ir->sbrk_ordering);
    return v_value;
}

LLVMValueRef ir_load_constant(const ir *ir, LLVMTypeRef t_loaded, LLVMValueRef v_pointer, const char *name) {
    LLVMValueRef v_value = LLVMBuildLoad2(ir->builder, t_loaded, v_pointer, name);
    LLVMSetMetadata(v_value, ir->kind_invariant_load, ir->v_empty_node);
    return v_value;
}

LLVMValueRef ir_store_bytes(const ir *ir, LLVMValueRef v_value, LLVMValueRef v_pointer, ir_bytes bytes) {
    LLVMValueRef v_store = LLVMBuildStore(ir->builder, v_value, v_pointer);
    LLVMSetAlignment(v_store, 1);
    LLVMSetMetadata(v_store, ir->kind_tbaa, ir->v_tbaa[bytes]);
    return v_store;
}

/* ---- Calls ---- */

LLVMValueRef ir_declare(const ir *ir, mf_rt_entry entry, LLVMTypeRef t_function,
                        const ir_attribute *attributes) {
    size_t count;
    const char *symbol = mf_runtime_symbols(&count)[entry].name;
    LLVMValueRef f_declared = LLVMGetNamedFunction(ir->module, symbol);
    if (f_declared == NULL) {
        f_declared = LLVMAddFunction(ir->module, symbol, t_function);
        ir_add_function_attributes(ir, f_declared, attributes);
    }
    return f_declared;
}

LLVMValueRef ir_call(const ir *ir, LLVMValueRef f_callee, LLVMValueRef *v_arguments, unsigned count,
                     const char *name) {
    return LLVMBuildCall2(ir->builder, LLVMGlobalGetValueType(f_callee), f_callee, v_arguments, count, name);
}

LLVMValueRef ir_call_intrinsic(const ir *ir, const char *intrinsic, LLVMTypeRef t_operand,
                               LLVMValueRef *v_arguments, unsigned count, const char *name) {
    unsigned id = LLVMLookupIntrinsicID(intrinsic, strlen(intrinsic));
    LLVMValueRef f_intrinsic = LLVMGetIntrinsicDeclaration(ir->module, id, &t_operand, 1);
    return ir_call(ir, f_intrinsic, v_arguments, count, name);
}

void ir_assume(const ir *ir, LLVMValueRef v_holds) {
    static const char NAME[] = "llvm.assume";
    unsigned id = LLVMLookupIntrinsicID(NAME, strlen(NAME));
    LLVMValueRef f_assume = LLVMGetIntrinsicDeclaration(ir->module, id, NULL, 0);
    ir_call(ir, f_assume, &v_holds, 1, "");
}

void ir_keep(const ir *ir, LLVMValueRef v_used) {
    LLVMTypeRef t_used = LLVMTypeOf(v_used);
    LLVMTypeRef t_function = LLVMFunctionType(ir->t_void, &t_used, 1, false);
    LLVMValueRef f_nothing =
        LLVMGetInlineAsm(t_function, "", 0, "r", 1, true, false, LLVMInlineAsmDialectATT, false);
    LLVMBuildCall2(ir->builder, t_function, f_nothing, &v_used, 1, "");
}

/* How a function uses memory, two bits a place (LLVM's MemoryEffects): what its arguments point to is first.
 */
#define MEMORY_ARGUMENTS_READ 1u
#define MEMORY_ARGUMENTS_WRITE 2u
#define MEMORY_OF_NO_POINTER 12u

static void add_call_attribute(const ir *ir, LLVMValueRef v_call, ir_attribute attribute) {
    unsigned kind = LLVMGetEnumAttributeKindForName(attribute.name, strlen(attribute.name));
    LLVMAttributeRef made = LLVMCreateEnumAttribute(ir->context, kind, attribute.value);
    LLVMAddCallSiteAttribute(v_call, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, made);
}

/*
 * LLVM lets no load or store pass a fence, in either direction, and one for the own thread is no instruction.
 */
void ir_fence(const ir *ir) {
    LLVMBuildFence(ir->builder, LLVMAtomicOrderingSequentiallyConsistent, true, "");
}

/*
 * To clear the instruction cache of no bytes is no instruction, and of the intrinsics without one the only
 * one that LLVM does not know to return. Empty assembly does the same, but counts as a call where LLVM
 * decides whether to unroll a loop.
 */
void ir_may_not_return(const ir *ir) {
    static const char NAME[] = "llvm.clear_cache";
    unsigned id = LLVMLookupIntrinsicID(NAME, strlen(NAME));
    LLVMValueRef f_clear = LLVMGetIntrinsicDeclaration(ir->module, id, NULL, 0);
    LLVMValueRef v_null = LLVMConstNull(ir->t_ptr);
    LLVMValueRef arguments[] = {v_null, v_null};
    LLVMValueRef v_call = ir_call(ir, f_clear, arguments, 2, "");
    add_call_attribute(ir, v_call, (ir_attribute){"nounwind", 0});
    add_call_attribute(ir, v_call, (ir_attribute){"memory", MEMORY_OF_NO_POINTER});
}

/*
 * A register is read, at a place among volatile accesses, and the value is not used: no instruction is left.
 */
void ir_keep_apart(const ir *ir) {
    static const char NAME[] = "llvm.read_volatile_register", REGISTER[] = "rsp";
    LLVMTypeRef t_i64 = ir->t_i64;
    unsigned id = LLVMLookupIntrinsicID(NAME, strlen(NAME));
    LLVMValueRef f_read = LLVMGetIntrinsicDeclaration(ir->module, id, &t_i64, 1);
    LLVMMetadataRef m_name = LLVMMDStringInContext2(ir->context, REGISTER, strlen(REGISTER));
    LLVMMetadataRef m_register = LLVMMDNodeInContext2(ir->context, &m_name, 1);
    LLVMValueRef v_register = LLVMMetadataAsValue(ir->context, m_register);
    LLVMValueRef v_call = ir_call(ir, f_read, &v_register, 1, "");
    add_call_attribute(ir, v_call, (ir_attribute){"memory", MEMORY_OF_NO_POINTER});
}

void ir_set_argument_memory(const ir *ir, LLVMValueRef v_call, bool writes) {
    uint64_t effects = writes ? MEMORY_ARGUMENTS_WRITE : MEMORY_ARGUMENTS_READ;
    add_call_attribute(ir, v_call, (ir_attribute){"memory", effects});
}

LLVMValueRef ir_launder(const ir *ir, LLVMValueRef v_known, const char *name) {
    LLVMTypeRef t_known = LLVMTypeOf(v_known);
    LLVMTypeRef t_function = LLVMFunctionType(t_known, &t_known, 1, false);
    LLVMValueRef f_identity =
        LLVMGetInlineAsm(t_function, "", 0, "=r,0", 4, false, false, LLVMInlineAsmDialectATT, false);
    return LLVMBuildCall2(ir->builder, t_function, f_identity, &v_known, 1, name);
}

void ir_set_i32_result(const ir *ir, LLVMValueRef v_call, uint32_t first, uint32_t last) {
    unsigned kind = LLVMGetEnumAttributeKindForName("range", 5);
    uint64_t lower = first;
    uint64_t upper = (uint64_t)last + 1;
    LLVMAttributeRef range = LLVMCreateConstantRangeAttribute(ir->context, kind, 32, &lower, &upper);
    LLVMAddCallSiteAttribute(v_call, LLVMAttributeReturnIndex, range);
}

/* llvm.used is one array per module: what it has already goes into the new one. */
bool ir_retain(LLVMModuleRef module, LLVMValueRef v_global) {
    LLVMValueRef v_old = LLVMGetNamedGlobal(module, "llvm.used");
    LLVMValueRef v_retained = v_old == NULL ? NULL : LLVMGetInitializer(v_old);
    unsigned count = v_old == NULL ? 0 : (unsigned)LLVMGetNumOperands(v_retained);
    LLVMValueRef *v_kept = calloc(count + 1, sizeof *v_kept);
    if (v_kept == NULL)
        return false;
    for (unsigned i = 0; i < count; i++)
        v_kept[i] = LLVMGetOperand(v_retained, i);
    v_kept[count] = v_global;
    if (v_old != NULL)
        LLVMDeleteGlobal(v_old);
    LLVMValueRef v_array = LLVMConstArray2(LLVMTypeOf(v_global), v_kept, count + 1);
    free(v_kept);
    LLVMValueRef v_used = LLVMAddGlobal(module, LLVMTypeOf(v_array), "llvm.used");
    LLVMSetInitializer(v_used, v_array);
    LLVMSetLinkage(v_used, LLVMAppendingLinkage);
    LLVMSetSection(v_used, "llvm.metadata");
    return true;
}

/* ---- Attributes ---- */

void ir_extend_i32_result(const ir *ir, LLVMValueRef f_extended) {
    if (ir->i32_extension != NULL)
        ir_add_attribute(ir, f_extended, LLVMAttributeReturnIndex, (ir_attribute){ir->i32_extension, 0});
}

void ir_add_attribute(const ir *ir, LLVMValueRef f_changed, LLVMAttributeIndex index,
                      ir_attribute attribute) {
    unsigned kind = LLVMGetEnumAttributeKindForName(attribute.name, strlen(attribute.name));
    LLVMAddAttributeAtIndex(f_changed, index, LLVMCreateEnumAttribute(ir->context, kind, attribute.value));
}

void ir_add_function_attributes(const ir *ir, LLVMValueRef f_changed, const ir_attribute *attributes) {
    for (; attributes->name != NULL; attributes++)
        ir_add_attribute(ir, f_changed, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, *attributes);
}
