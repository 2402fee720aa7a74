/* Accessors ahead of time. */
#include <memfold/aot.h>

#include "aot/header.h"
#include "plan/prefix.h"
#include "emit/set.h"
#include "ir/entry.h"
#include "ir/target.h"
#include "note/note.h"

#include <memfold/exception_table.h>
#include <memfold/version.h>

#include <llvm-c/Analysis.h>
#include <llvm-c/BitWriter.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void mf_aot_free(char *bytes) {
    free(bytes);
}

/* ---- Input ---- */

/* What memfold itself defines, in objects and as macros of its headers, begins so, in either case. */
static bool is_reserved(const char *prefix) {
    return strncasecmp(prefix, "mf", 2) == 0 && (prefix[2] == '_' || prefix[2] == '\0');
}

static mf_status validate(const mf_aot_options *options, mf_emit_kind kind, mf_diag *diag) {
    mf_status status = prefix_validate(options->symbol_prefix, diag);
    if (status != MF_OK)
        return status;
    if (is_reserved(options->symbol_prefix))
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, 0,
                           "the symbol prefix '%s' is refused: names that begin with mf_ are memfold's own",
                           options->symbol_prefix);
    if ((int)kind < MF_EMIT_IR || kind > MF_EMIT_HEADER)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)kind, "there is no output of kind %d",
                           (int)kind);
    return mf_accessor_options_validate(&options->accessors, diag);
}

/* ---- Output ---- */

static mf_status copy_bytes(const char *from, size_t count, char **bytes, size_t *byte_count, mf_diag *diag) {
    char *copy = malloc(count + 1);
    if (copy == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, count, "no memory for the output");
    memcpy(copy, from, count);
    copy[count] = '\0';
    *bytes = copy;
    *byte_count = count;
    return MF_OK;
}

static mf_status take_buffer(LLVMMemoryBufferRef buffer, char **bytes, size_t *byte_count, mf_diag *diag) {
    mf_status status =
        copy_bytes(LLVMGetBufferStart(buffer), LLVMGetBufferSize(buffer), bytes, byte_count, diag);
    LLVMDisposeMemoryBuffer(buffer);
    return status;
}

static mf_status print_ir(LLVMModuleRef module, char **bytes, size_t *byte_count, mf_diag *diag) {
    char *text = LLVMPrintModuleToString(module);
    mf_status status = copy_bytes(text, strlen(text), bytes, byte_count, diag);
    LLVMDisposeMessage(text);
    return status;
}

static mf_status compile(LLVMTargetMachineRef machine, LLVMModuleRef module, LLVMCodeGenFileType type,
                         char **bytes, size_t *byte_count, mf_diag *diag) {
    LLVMMemoryBufferRef buffer;
    mf_status status = target_compile(machine, module, type, &buffer, diag);
    return status == MF_OK ? take_buffer(buffer, bytes, byte_count, diag) : status;
}

static mf_status print_kind(LLVMTargetMachineRef machine, LLVMModuleRef module, mf_emit_kind kind,
                            char **bytes, size_t *byte_count, mf_diag *diag) {
    switch (kind) {
    case MF_EMIT_BITCODE:
        return take_buffer(LLVMWriteBitcodeToMemoryBuffer(module), bytes, byte_count, diag);
    case MF_EMIT_ASSEMBLY:
        return compile(machine, module, LLVMAssemblyFile, bytes, byte_count, diag);
    case MF_EMIT_OBJECT:
        return compile(machine, module, LLVMObjectFile, bytes, byte_count, diag);
    default:
        return print_ir(module, bytes, byte_count, diag);
    }
}

/* ---- Module ---- */

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

static mf_status fill_module(LLVMModuleRef module, LLVMBuilderRef builder, const emit_input *input,
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

/* The prefix has been validated, so it fits. */
static mf_object_note note_make(const mf_layout *layout, const mf_aot_options *options) {
    mf_object_note note = {.version = MF_VERSION,
                           .abi_version = MF_ABI_VERSION,
                           .fingerprint = mf_layout_fingerprint(layout),
                           .options = options->accessors};
    snprintf(note.prefix, sizeof note.prefix, "%s", options->symbol_prefix);
    return note;
}

static mf_status emit_module(LLVMTargetMachineRef machine, const mf_layout *layout,
                             const mf_aot_options *options, mf_emit_kind kind, char **bytes,
                             size_t *byte_count, mf_diag *diag) {
    mf_diag error;
    plan_set plans;
    mf_status status = plan_set_make(layout, &options->accessors, &plans, diag);
    if (status != MF_OK)
        return status;
    plan_fit fit = plan_fit_make(layout, &options->accessors, &plans);
    emit_input input = {
        .plans = &plans, .options = &options->accessors, .fit = fit, .prefix = options->symbol_prefix};
    LLVMContextRef context = target_context_create(&error);
    LLVMModuleRef module = target_module_create(machine, context, options->symbol_prefix);
    LLVMBuilderRef builder = LLVMCreateBuilderInContext(context);
    mf_object_note facts = note_make(layout, options);
    status = fill_module(module, builder, &input, &facts, kind, diag);
    if (status == MF_OK)
        status = print_kind(machine, module, kind, bytes, byte_count, diag);
    LLVMDisposeBuilder(builder);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    plan_set_fini(&plans);
    return status;
}

static mf_status check_backend(LLVMTargetMachineRef machine, mf_backend backend, mf_diag *diag) {
    char *triple = LLVMGetTargetMachineTriple(machine);
    mf_status status = target_check_backend(triple, backend, diag);
    LLVMDisposeMessage(triple);
    return status;
}

static mf_status emit_for_target(const mf_layout *layout, const mf_aot_options *options, mf_emit_kind kind,
                                 char **bytes, size_t *byte_count, mf_diag *diag) {
    LLVMTargetMachineRef machine;
    mf_status status = target_create(options->target, &machine, diag);
    if (status != MF_OK)
        return status;
    status = check_backend(machine, options->accessors.backend, diag);
    if (status != MF_OK) {
        LLVMDisposeTargetMachine(machine);
        return status;
    }
    status = kind == MF_EMIT_HEADER ? header_print(layout, options, bytes, byte_count, diag)
                                    : emit_module(machine, layout, options, kind, bytes, byte_count, diag);
    LLVMDisposeTargetMachine(machine);
    return status;
}

mf_status mf_aot_emit(const mf_layout *layout, const mf_aot_options *options, mf_emit_kind kind, char **bytes,
                      size_t *byte_count, mf_diag *diag) {
    mf_status status = validate(options, kind, diag);
    if (status != MF_OK)
        return status;
    entry_begin();
    status = entry_foresee(diag);
    if (status == MF_OK)
        status = emit_for_target(layout, options, kind, bytes, byte_count, diag);
    entry_end();
    return status;
}
