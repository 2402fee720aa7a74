#include "aot/module.h"

#include "ir/ir.h"
#include "note/note.h"

#include <memfold/exception_table.h>

#include <llvm-c/Analysis.h>

/* A pointer to `v_target` in `section` that no linker drops: llvm.used retains its section. */
static mf_status define_link(const ir *ir, LLVMValueRef v_target, const char *name, const char *section,
                             mf_diag *diag) {
    LLVMValueRef v_link = LLVMAddGlobal(ir->module, ir->t_ptr, name);
    LLVMSetInitializer(v_link, v_target);
    LLVMSetGlobalConstant(v_link, true);
    LLVMSetLinkage(v_link, LLVMInternalLinkage);
    LLVMSetSection(v_link, section);
    return ir_retain(ir->module, v_link) ? MF_OK
                                         : mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for a module");
}

/* The reference keeps an object of another ABI version from linking, even if none of its functions calls the
 * runtime. */
static mf_status define_stamp(const ir *ir, mf_diag *diag) {
    LLVMValueRef v_stamp = LLVMAddGlobal(ir->module, ir->t_i8, MF_ABI_STAMP_SYMBOL);
    LLVMSetGlobalConstant(v_stamp, true);
    return define_link(ir, v_stamp, "memfold.abi", ".data.rel.ro.memfold_abi", diag);
}

static void add_to_definitions(const ir *ir, const ir_attribute *attributes) {
    for (LLVMValueRef f_any = LLVMGetFirstFunction(ir->module); f_any != NULL;
         f_any = LLVMGetNextFunction(f_any))
        if (!LLVMIsDeclaration(f_any))
            ir_add_function_attributes(ir, f_any, attributes);
}

/*
 * Machine code may end up in a kernel: no red zone, no vector registers. Only there, because a client that
 * inlines IR or bitcode would inherit these limits and no longer vectorise.
 */
static void restrict_machine_code(const ir *ir) {
    static const ir_attribute LIMITS[] = {{"noredzone", 0}, {"noimplicitfloat", 0}, {NULL, 0}};
    add_to_definitions(ir, LIMITS);
}

/*
 * IR and bitcode are there to be inlined. Where the null pointer is an address like any other LLVM's inliner
 * refuses callers that say nothing of it, unless it must: then it inlines and the caller takes over what the
 * accessor says.
 */
static void demand_inlining(const ir *ir) {
    static const ir_attribute ALWAYS[] = {{"alwaysinline", 0}, {NULL, 0}};
    add_to_definitions(ir, ALWAYS);
}

/*
 * Declares a bound of the exception table, a symbol that the linker defines; hidden, so that each executable
 * and shared object uses its own. An emitted object has entries, so its reference is strong: linking fails if
 * a linker script drops the section. From IR and bitcode the client's passes may delete every accessor, and
 * with them every entry; there the reference is weak, and the bounds may be NULL.
 */
static LLVMValueRef declare_table_bound(const ir *ir, const char *symbol, bool is_sure) {
    LLVMValueRef v_bound = LLVMAddGlobal(ir->module, ir->t_i8, symbol);
    LLVMSetLinkage(v_bound, is_sure ? LLVMExternalLinkage : LLVMExternalWeakLinkage);
    LLVMSetVisibility(v_bound, LLVMHiddenVisibility);
    return v_bound;
}

/* A function that hands the bounds to `entry` of the runtime. */
static LLVMValueRef define_table_hook(const ir *ir, const char *name, mf_rt_entry entry,
                                      LLVMValueRef *v_bounds) {
    static const ir_attribute ATTRIBUTES[] = {{"nounwind", 0}, {NULL, 0}};
    LLVMTypeRef t_parameters[] = {ir->t_ptr, ir->t_ptr};
    LLVMTypeRef t_entry = LLVMFunctionType(ir->t_void, t_parameters, 2, false);
    LLVMValueRef f_entry = ir_declare(ir, entry, t_entry, ATTRIBUTES);
    LLVMValueRef f_hook = LLVMAddFunction(ir->module, name, LLVMFunctionType(ir->t_void, NULL, 0, false));
    LLVMSetLinkage(f_hook, LLVMInternalLinkage);
    ir_add_function_attributes(ir, f_hook, ATTRIBUTES);
    ir_block_enter(ir, ir_block_append(ir, f_hook, "entry"));
    ir_call(ir, f_entry, v_bounds, 2, "");
    LLVMBuildRetVoid(ir->builder);
    return f_hook;
}

/* How far `v_target` is from the field of `v_note` that says so. */
static LLVMValueRef distance_from_field(const ir *ir, LLVMTypeRef t_note, LLVMValueRef v_note, unsigned field,
                                        LLVMValueRef v_target) {
    LLVMValueRef v_path[] = {ir_const(ir->t_i32, 0), ir_const(ir->t_i32, field)};
    LLVMValueRef v_field = LLVMConstInBoundsGEP2(t_note, v_note, v_path, 2);
    return LLVMConstSub(LLVMConstPtrToInt(v_target, ir->t_i64), LLVMConstPtrToInt(v_field, ir->t_i64));
}

/*
 * The note that leads a fault handler to the table of the executable or shared object, also before the table
 * is registered and after that: name bytes, description bytes, type, name, description.
 */
static mf_status define_note(const ir *ir, LLVMValueRef *v_bounds, mf_diag *diag) {
    static const char NAME[] = MF_EXCEPTION_NOTE_NAME;
    LLVMContextRef context = LLVMGetModuleContext(ir->module);
    LLVMTypeRef t_fields[] = {ir->t_i32, ir->t_i32, ir->t_i32, LLVMArrayType2(ir->t_i8, sizeof NAME),
                              ir->t_i64, ir->t_i64};
    LLVMTypeRef t_note = LLVMStructTypeInContext(context, t_fields, 6, true);
    LLVMValueRef v_note = LLVMAddGlobal(ir->module, t_note, "memfold.note");
    LLVMValueRef v_fields[] = {
        ir_const(ir->t_i32, sizeof NAME),
        ir_const(ir->t_i32, sizeof(mf_exception_note)),
        ir_const(ir->t_i32, MF_EXCEPTION_NOTE_TYPE),
        LLVMConstStringInContext2(context, NAME, sizeof NAME, true),
        distance_from_field(ir, t_note, v_note, 4, v_bounds[0]),
        distance_from_field(ir, t_note, v_note, 5, v_bounds[1]),
    };
    LLVMSetInitializer(v_note, LLVMConstStructInContext(context, v_fields, 6, true));
    LLVMSetGlobalConstant(v_note, true);
    LLVMSetLinkage(v_note, LLVMInternalLinkage);
    LLVMSetAlignment(v_note, 4);
    LLVMSetSection(v_note, MF_EXCEPTION_NOTE_SECTION);
    return ir_retain(ir->module, v_note) ? MF_OK
                                         : mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for a module");
}

/*
 * The object registers its exception table before any constructor of its program, or when it is loaded, and
 * unregisters it at its end. llvm.global_ctors would be lowered to .ctors here, which lld does not merge into
 * .init_array, so nobody would run it; pointers in .init_array and .fini_array are run with every linker. The
 * number is the priority: 0 to 100 come before what programs may ask for.
 */
static mf_status define_registration(const ir *ir, bool is_machine_code, mf_diag *diag) {
    LLVMValueRef v_bounds[] = {declare_table_bound(ir, "__start_" MF_EXCEPTION_SECTION, is_machine_code),
                               declare_table_bound(ir, "__stop_" MF_EXCEPTION_SECTION, is_machine_code)};
    LLVMValueRef f_register = define_table_hook(ir, "memfold.register", MF_RT_REGISTER, v_bounds);
    LLVMValueRef f_unregister = define_table_hook(ir, "memfold.unregister", MF_RT_UNREGISTER, v_bounds);
    mf_status status = define_link(ir, f_register, "memfold.init", ".init_array.0", diag);
    if (status == MF_OK)
        status = define_link(ir, f_unregister, "memfold.fini", ".fini_array.0", diag);
    return status == MF_OK ? define_note(ir, v_bounds, diag) : status;
}

/* Global metadata that has a section left out of everything that is linked. */
static void exclude_section(const ir *ir, LLVMValueRef v_global) {
    static const char KIND[] = "exclude";
    LLVMMetadataRef node = LLVMMDNodeInContext2(ir->context, NULL, 0);
    LLVMGlobalSetMetadata(v_global, LLVMGetMDKindIDInContext(ir->context, KIND, sizeof KIND - 1), node);
}

/* The note that says with what the object was made; nothing refers to it. */
static void define_object_note(const ir *ir, const mf_object_note *facts) {
    static const char NAME[] = MF_OBJECT_NOTE_NAME;
    char text[NOTE_TEXT_BYTES_MAX + 4] = {0};
    size_t length = note_print(facts, text);
    size_t padded = (length + 3) & ~(size_t)3;
    LLVMValueRef v_fields[] = {
        ir_const(ir->t_i32, sizeof NAME),
        ir_const(ir->t_i32, length),
        ir_const(ir->t_i32, MF_OBJECT_NOTE_TYPE),
        LLVMConstStringInContext2(ir->context, NAME, sizeof NAME, true),
        LLVMConstStringInContext2(ir->context, text, padded, true),
    };
    LLVMValueRef v_initializer = LLVMConstStructInContext(ir->context, v_fields, 5, true);
    LLVMValueRef v_note = LLVMAddGlobal(ir->module, LLVMTypeOf(v_initializer), "memfold.options");
    LLVMSetInitializer(v_note, v_initializer);
    LLVMSetGlobalConstant(v_note, true);
    LLVMSetLinkage(v_note, LLVMPrivateLinkage);
    LLVMSetAlignment(v_note, 4);
    LLVMSetSection(v_note, MF_OBJECT_NOTE_SECTION);
    exclude_section(ir, v_note);
}

static mf_status verify(LLVMModuleRef module, mf_diag *diag) {
    char *error = NULL;
    mf_status status = MF_OK;
    if (LLVMVerifyModule(module, LLVMReturnStatusAction, &error))
        status = mf_diag_set(diag, MF_LLVM, 0, "LLVM refuses the emitted module: %s", error);
    LLVMDisposeMessage(error);
    return status;
}

mf_status aot_module_fill(LLVMModuleRef module, LLVMBuilderRef builder, const emit_input *input,
                          const mf_object_note *facts, mf_emit_kind kind, mf_diag *diag) {
    ir ir;
    bool is_machine_code = kind == MF_EMIT_OBJECT || kind == MF_EMIT_ASSEMBLY;
    mf_status status = ir_init(&ir, module, builder, diag);
    if (status == MF_OK)
        status = emit_set(&ir, input, diag);
    if (status == MF_OK && !is_machine_code)
        demand_inlining(&ir);
    if (status == MF_OK)
        status = define_stamp(&ir, diag);
    if (status == MF_OK && emit_entry_count(input) > 0)
        status = define_registration(&ir, is_machine_code, diag);
    if (status != MF_OK)
        return status;
    if (is_machine_code) {
        restrict_machine_code(&ir);
        define_object_note(&ir, facts);
    }
    return verify(module, diag);
}
