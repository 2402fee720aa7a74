/*
 * IR verbs: the only place that positions a builder or spells an LLVM type. One struct per module that is
 * being built; nothing is global. Names: v_ value, b_ block, t_ type, f_ function.
 *
 * The alias facts live here too. Guest bytes, the view and the permission tables are three TBAA types under
 * one root, so guest stores never force the base or a table to be read again; the base and the table
 * pointer are invariant as long as a view is attached.
 *
 * And the rule of sbrk, which another thread may run beside the code: the live heap end and the live
 * permissions are read atomically, and what is read later is as new as they are. With total store order
 * `unordered` suffices, which LLVM hoists and merges like a plain load; elsewhere the load acquires.
 */
#ifndef MEMFOLD_GEN_IR_IR_H
#define MEMFOLD_GEN_IR_IR_H

#include <memfold/abi.h>
#include <memfold/status.h>

#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>

#include <stdbool.h>
#include <stdint.h>

/* The fields of %mf_view that generated code reads, the leading ones by their index in the struct. */
typedef enum ir_view_field {
    IR_VIEW_BASE = 0,
    IR_VIEW_PERMS = 1,
    IR_VIEW_HEAP_END = 2,
    IR_VIEW_LAYOUT_STAMP = 3,
    IR_VIEW_LEADING_COUNT,
    IR_VIEW_U33_STAMP = IR_VIEW_LEADING_COUNT, /* stands apart, found by its offset */
    IR_VIEW_FIELD_COUNT
} ir_view_field;

/* What the bytes at a pointer are, for alias analysis. */
typedef enum ir_bytes { IR_BYTES_GUEST = 0, IR_BYTES_VIEW, IR_BYTES_TABLE, IR_BYTES_KINDS } ir_bytes;

/* An enum attribute of LLVM, by its name in IR. */
typedef struct ir_attribute {
    const char *name;
    uint64_t value;
} ir_attribute;

typedef struct ir {
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef builder;
    LLVMTypeRef t_i1, t_i8, t_i16, t_i32, t_i64, t_ptr, t_void;
    LLVMTypeRef t_view;                  /* %mf_view, the leading fields */
    LLVMTypeRef t_load_result;           /* {i64, i32} */
    LLVMValueRef v_tbaa[IR_BYTES_KINDS]; /* the access tag of each kind of bytes */
    LLVMValueRef v_empty_node;
    LLVMValueRef v_likely;            /* branch weights: the first successor is the good path */
    const char *i32_extension;        /* attribute of an i32 result in the target's C ABI, or NULL */
    bool fault_entry_preserves;       /* whether the runtime's fault entry keeps registers for its callers */
    LLVMAtomicOrdering sbrk_ordering; /* of loads that sbrk may write beside */
    unsigned kind_tbaa, kind_invariant_load, kind_prof, kind_range;
    uint64_t heap_end_most; /* of the memories that the code is for */
} ir;

/*
 * Begins to build into `module`, whose data layout is set; the builder and the module stay the caller's.
 * MF_LLVM if the data layout does not put the fields of mf_view where the C side has them.
 */
mf_status ir_init(ir *ir, LLVMModuleRef module, LLVMBuilderRef builder, mf_diag *diag);

/* ---- Types and constants ---- */
LLVMTypeRef ir_int_type(const ir *ir, uint32_t width_bytes);
LLVMValueRef ir_const(LLVMTypeRef t_int, uint64_t value);

/* ---- Blocks: append one, put the builder at its end, branch ---- */
LLVMBasicBlockRef ir_block_append(const ir *ir, LLVMValueRef f_parent, const char *name);
/* A new block right behind the one where the builder stands. */
LLVMBasicBlockRef ir_block_follow(const ir *ir, const char *name);
void ir_block_enter(const ir *ir, LLVMBasicBlockRef b_entered);
void ir_branch_likely(const ir *ir, LLVMValueRef v_condition, LLVMBasicBlockRef b_likely,
                      LLVMBasicBlockRef b_other);

/* `percent` of 100 times to `b_first`. */
void ir_branch_weighted(const ir *ir, LLVMValueRef v_condition, LLVMBasicBlockRef b_first,
                        LLVMBasicBlockRef b_second, uint32_t percent);

/* ---- Memory ---- */
LLVMValueRef ir_load_view_field(const ir *ir, LLVMValueRef v_view, ir_view_field field);
LLVMValueRef ir_load_heap_end(const ir *ir, LLVMValueRef v_view);
LLVMValueRef ir_load_bytes(const ir *ir, LLVMTypeRef t_loaded, LLVMValueRef v_pointer, ir_bytes bytes,
                           const char *name);
LLVMValueRef ir_store_bytes(const ir *ir, LLVMValueRef v_value, LLVMValueRef v_pointer, ir_bytes bytes);
/* From constant data of the module, in place for its type. */
LLVMValueRef ir_load_constant(const ir *ir, LLVMTypeRef t_loaded, LLVMValueRef v_pointer, const char *name);

/* ---- Calls ---- */

/* Declares (once per module) an entry point of the runtime with function attributes, ended by a NULL name. */
LLVMValueRef ir_declare(const ir *ir, mf_rt_entry entry, LLVMTypeRef t_function,
                        const ir_attribute *attributes);
LLVMValueRef ir_call(const ir *ir, LLVMValueRef f_callee, LLVMValueRef *v_arguments, unsigned count,
                     const char *name);

/* LLVM may rely on this i1 being true from here on. */
void ir_assume(const ir *ir, LLVMValueRef v_holds);

/* Calls an overloaded intrinsic with operands and result of `t_operand`. */
LLVMValueRef ir_call_intrinsic(const ir *ir, const char *intrinsic, LLVMTypeRef t_operand,
                               LLVMValueRef *v_arguments, unsigned count, const char *name);

/* A use of `v_used` that costs no instruction: passes do not move its definition behind the branch before. */
void ir_keep(const ir *ir, LLVMValueRef v_used);

/* Each effect on memory stays on its side; it costs no instruction. */
void ir_fence(const ir *ir);

/* Passes take it that the program may end here, so they drop nothing before; it costs no instruction. */
void ir_may_not_return(const ir *ir);

/*
 * On x86-64: code generation makes no single instruction of a volatile load before and a store behind; it
 * costs no instruction, and says nothing about memory.
 */
void ir_keep_apart(const ir *ir);

/* The call touches what its pointer arguments point to and no other memory. */
void ir_set_argument_memory(const ir *ir, LLVMValueRef v_call, bool writes);

/* A copy of `v_known` (i32 or i64) of which LLVM knows nothing: it is in a register, and it costs no
 * instruction. */
LLVMValueRef ir_launder(const ir *ir, LLVMValueRef v_known, const char *name);

/* The result of a call is an i32 in [first, last]. */
void ir_set_i32_result(const ir *ir, LLVMValueRef v_call, uint32_t first, uint32_t last);

/* No linker drops `v_global`: its section is retained. False if the host has no memory. */
bool ir_retain(LLVMModuleRef module, LLVMValueRef v_global);

/* ---- Attributes ---- */

/* `f_extended` returns an i32 as the target's C ABI wants it extended. */
void ir_extend_i32_result(const ir *ir, LLVMValueRef f_extended);

void ir_add_attribute(const ir *ir, LLVMValueRef f_changed, LLVMAttributeIndex index, ir_attribute attribute);
void ir_add_function_attributes(const ir *ir, LLVMValueRef f_changed, const ir_attribute *attributes);

#endif
