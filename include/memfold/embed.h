/*
 * Accessors inside a module of your own: as functions to be inlined, or emitted access by access where your
 * builder stands. The only header of memfold that needs LLVM's.
 *
 * The first way is the short one. The second lets your own block receive the fault; gen/README.md walks
 * through a client that uses it. Example of the first, a function that loads the guest's word at 0x20000:
 *
 *     #include <memfold/embed.h>
 *     #include <llvm-c/Analysis.h>
 *     #include <llvm-c/Core.h>
 *     #include <stdio.h>
 *
 *     static void define_first_word(LLVMModuleRef module, LLVMValueRef load) {
 *         LLVMContextRef context = LLVMGetModuleContext(module);
 *         LLVMTypeRef load_type = LLVMGlobalGetValueType(load); // {i64, i32} (ptr, i32), as mf_load_fn
 *         LLVMTypeRef view_type = LLVMPointerTypeInContext(context, 0);
 *         LLVMTypeRef type = LLVMFunctionType(LLVMGetReturnType(load_type), &view_type, 1, 0);
 *         LLVMValueRef function = LLVMAddFunction(module, "first_word", type);
 *         LLVMBuilderRef builder = LLVMCreateBuilderInContext(context);
 *         LLVMPositionBuilderAtEnd(builder, LLVMAppendBasicBlockInContext(context, function, ""));
 *         LLVMValueRef arguments[2];
 *         arguments[0] = LLVMGetParam(function, 0);
 *         arguments[1] = LLVMConstInt(LLVMInt32TypeInContext(context), 0x20000, 0);
 *         LLVMValueRef loaded = LLVMBuildCall2(builder, load_type, load, arguments, 2, "");
 *         LLVMBuildRet(builder, loaded);
 *         LLVMDisposeBuilder(builder);
 *     }
 *
 *     int main(void) {
 *         mf_layout_builder *builder = mf_layout_builder_create();
 *         mf_layout *layout;
 *         mf_diag diag;
 *         LLVMContextRef context = LLVMContextCreate();
 *         LLVMModuleRef module = LLVMModuleCreateWithNameInContext("client", context);
 *         LLVMValueRef functions[MF_ACCESSOR_COUNT];
 *         LLVMSetDataLayout(module, "e-i64:64"); // a client has its target machine's
 *         if (mf_layout_builder_map_region(builder, 0x20000, 4096, MF_READ_WRITE, NULL, 0, &diag) ||
 *             mf_layout_builder_finish(builder, &layout, NULL, &diag) ||
 *             mf_embed_define(module, layout, NULL, "guest", functions, &diag)) {
 *             fprintf(stderr, "%s\n", diag.message);
 *             return 1;
 *         }
 *         define_first_word(module, functions[MF_LOAD_U32]);
 *         int is_broken = LLVMVerifyModule(module, LLVMReturnStatusAction, NULL);
 *         LLVMDumpModule(module); // optimise and run it with the passes and the JIT you have
 *         LLVMDisposeModule(module);
 *         LLVMContextDispose(context);
 *         mf_layout_release(layout);
 *         mf_layout_builder_destroy(builder);
 *         return is_broken;
 *     }
 *
 * Thread rule: as LLVM's, one thread at a time for everything in one LLVMContext.
 *
 * What a module must have. The data layout of its target machine, one of a 64-bit little-endian host
 * (LLVMSetModuleDataLayout); on x86_paged also its triple (LLVMSetTarget). And LLVM must be one: client and
 * memfold share the libLLVM that memfold was built for, or, with LLVM's static libraries (CMake's option
 * MEMFOLD_LLVM_STATIC), the one copy that is linked into the program. All this is checked by the first calls
 * below, with a status. Paged accesses are assembly, for which LLVM needs a parser; the same calls register
 * the one for x86-64, so a client need not.
 *
 * If LLVM finds no host memory it ends the process, as llvm_maker.h says; MF_OUT_OF_MEMORY is memfold's own.
 * The option `stale` is followed as it is given, also by a library that was built with assertions.
 */
#ifndef MEMFOLD_EMBED_H
#define MEMFOLD_EMBED_H

#include <memfold/accessors.h>
#include <memfold/exception_table.h>
#include <memfold/layout.h>
#include <memfold/options.h>
#include <memfold/public.h>
#include <memfold/status.h>

#include <llvm-c/Core.h>
#include <llvm/Config/llvm-config.h>

#include <stdbool.h>

MF_PUBLIC_BEGIN

/* ---- The client's LLVM ---------------------------------------------------------------------- */

/*
 * MF_OK if memfold calls the LLVM that the caller calls: `version_major` is the LLVM_VERSION_MAJOR of the
 * caller's headers, and `get_global_context` its LLVMGetGlobalContext. Otherwise MF_LLVM, with what to do; a
 * module of the one LLVM would be none to the other. In C and C++ mf_embed_define and mf_embed_create ask
 * this themselves, as macros around the functions of the same names; other languages ask it once. Any thread.
 */
mf_status mf_embed_check_llvm(unsigned version_major, LLVMContextRef (*get_global_context)(void),
                              mf_diag *diag);

/* ---- Functions ----------------------------------------------------------------------------- */

/*
 * Defines the accessors of `layout` in `module`, which has its target's data layout: internal, alwaysinline
 * functions <prefix>_load_u8, ..., written to `functions` (NULL is fine) in the order of mf_accessor_id. They
 * are the module's; LLVM renames one whose name is taken. Those that you do not call disappear when the
 * module is optimised. Besides them the module gets declarations of what they call, and the constant table
 * that they read if their plan has one. `options` may be NULL, the default; `prefix` is not NULL; neither
 * they nor `layout` are needed afterwards. MF_INVALID_ARGUMENT (options that do not go together, or x86_paged
 * in a module without a triple or whose triple is not x86_64), MF_INEXACT_STRATEGY, MF_OUT_OF_MEMORY, MF_LLVM
 * (the data layout is not one of a 64-bit little-endian host, or the client's LLVM is another),
 * MF_UNKNOWN_TARGET (x86_paged with an LLVM that was built without X86). After a failure none of the
 * functions is there.
 */
mf_status mf_embed_define(LLVMModuleRef module, const mf_layout *layout, const mf_accessor_options *options,
                          const char *prefix, LLVMValueRef functions[MF_ACCESSOR_COUNT], mf_diag *diag);

/* ---- Access by access ---------------------------------------------------------------------- */

/* The plans of one layout and one set of options, ready to be emitted into one module. */
typedef struct mf_embed mf_embed;

/*
 * Writes an emitter for accesses to memories of `layout` in `module`. Options as for mf_embed_define, but
 * stale = check, which is for whole accessors, is MF_INVALID_ARGUMENT: mf_embed_check_view is for functions
 * of your own. Each access says itself how its index is made; `index` says which memories that check lets
 * pass. base = argument means that each access brings its base. With
 * policy = none the accesses are unchecked: for ranges that a check of another emitter covers. The caller
 * destroys it before the module. Fails as mf_embed_define.
 */
mf_status mf_embed_create(LLVMModuleRef module, const mf_layout *layout, const mf_accessor_options *options,
                          mf_embed **embed, mf_diag *diag);
void mf_embed_destroy(mf_embed *embed);

/* The same two, after mf_embed_check_llvm with the first two arguments; the macros below fill them in. */
mf_status mf_embed_define_checked(unsigned version_major, LLVMContextRef (*get_global_context)(void),
                                  LLVMModuleRef module, const mf_layout *layout,
                                  const mf_accessor_options *options, const char *prefix,
                                  LLVMValueRef functions[MF_ACCESSOR_COUNT], mf_diag *diag);
mf_status mf_embed_create_checked(unsigned version_major, LLVMContextRef (*get_global_context)(void),
                                  LLVMModuleRef module, const mf_layout *layout,
                                  const mf_accessor_options *options, mf_embed **embed, mf_diag *diag);
#define mf_embed_define(...) mf_embed_define_checked(LLVM_VERSION_MAJOR, mf_embed_own_context, __VA_ARGS__)
#define mf_embed_create(...) mf_embed_create_checked(LLVM_VERSION_MAJOR, mf_embed_own_context, __VA_ARGS__)

/*
 * The global context of the LLVM that the translation unit calls, and so the only function here that is no
 * symbol. LLVM deprecates that context since 22; it tells copies of LLVM apart and serves nothing else.
 */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static inline LLVMContextRef mf_embed_own_context(void) {
    return LLVMGetGlobalContext();
}
#pragma GCC diagnostic pop

/*
 * One access of the guest. All zero but `view`, `address`, with base = argument `base`, and unless it traps
 * `fault_block`, is fine.
 *
 * `base` and `heap_end` are what mf_embed_load_base and mf_embed_load_heap_end return. Without them each
 * access loads what it needs from the view, and a pipeline with EarlyCSE and LICM makes one load of many, the
 * shortest being "function(early-cse,loop-mssa(licm),instsimplify)"; a JIT that runs no such passes loads
 * them at the entry of a function and hands them in. What LICM leaves behind loops has to be simplified, as
 * there: code generation without optimisation (LLVMCodeGenLevelNone) of LLVM 19 ends the process where a
 * phi with a single entry stands at the fault edge of a paged access.
 */
typedef struct mf_embed_access {
    LLVMValueRef view;    /* ptr to the mf_view */
    LLVMValueRef base;    /* ptr to guest address 0; NULL: from the view, or the constant */
    LLVMValueRef address; /* i32, or i64 for an index that is a 33-bit sum already */
    uint32_t offset;      /* added without wrapping; the sum is at most that of two 32-bit numbers, and
                           * for memories made for u32 (memory.h) `address` is an i32 and this at most
                           * MF_MEMORY_U32_OFFSET_MAX: mf_embed_check_view refuses others */
    LLVMBasicBlockRef fault_block; /* yours, where a fault goes with on_fault = return or branch */
    LLVMValueRef heap_end;         /* i64, the live heap end; NULL: read from the view */
    uint32_t hot_address;          /* the window there gets hot_percent of 100 of this site's accesses */
    uint32_t hot_percent;          /* 0: as the options say; more than 100 is refused as a type is */
    mf_diag *diag;                 /* NULL is fine: why the access was refused */
} mf_embed_access;

/*
 * Emit the access where `builder` stands, which is the end of a block without a terminator; it is left at
 * the end of the good path. Debug locations are the builder's. The type is an integer of 8 to 128 bits, half,
 * float, double, ptr, or a fixed vector of such (of integers: of 8, 16, 32, 64 or 128 bits) of at most 64
 * bytes. The value has its bits, neither extended nor converted; an integer of N bits has the width of the
 * fewest bytes that hold it, stored with zeros above. Big-endian goes with integers of 8, 16, 32, 64 and 128
 * bits, half, float, double and ptr. Another type is refused, and so is an access that lacks what it needs,
 * such as a fault block: NULL or false, the reason in access->diag, and nothing is emitted.
 *
 * On x86_paged the MMU checks what one instruction accesses: up to 8 bytes of an integer, a float or double,
 * a vector of 16 bytes, of 32 where the function you build has the target feature avx, of 64 where it has
 * avx512f and prefer-vector-width 512. What takes several instructions is checked before them in software.
 *
 * With on_fault = return each check has a cold block of its own that records the fault in the view and then
 * branches to your fault block; with branch the check goes there itself, the MMU's through an empty block.
 * `*fault_from` (NULL is fine) is the block from which yours is reached, for its phis, or NULL if it is not:
 * the access cannot fault, or traps.
 *
 * An access to a constant address that the layout decides has no check: it is the plain access, or nothing
 * but the fault, and then the good path is unreachable code.
 */
LLVMValueRef mf_embed_load(const mf_embed *embed, LLVMBuilderRef builder, const mf_embed_access *access,
                           LLVMTypeRef type, LLVMBasicBlockRef *fault_from);
bool mf_embed_store(const mf_embed *embed, LLVMBuilderRef builder, const mf_embed_access *access,
                    LLVMValueRef value, LLVMBasicBlockRef *fault_from);

/*
 * Emits the check of an access of `width_bytes` bytes, 1 to 64, and returns the host address (ptr) of its
 * first byte, for an access of your own: atomic, compare-exchange (a store), volatile, aligned. The address
 * is good for these bytes until the memory changes. On x86_paged with on_fault = trap nothing is checked:
 * your access faults by itself, and leaves through the guard frame. With return and branch the check is made
 * in software, as on copy, because your access has no entry in the exception table. NULL and access->diag for
 * another width or operation.
 */
LLVMValueRef mf_embed_address(const mf_embed *embed, LLVMBuilderRef builder, const mf_embed_access *access,
                              uint32_t width_bytes, mf_operation operation, LLVMBasicBlockRef *fault_from);

/*
 * Emits a check of the view where `builder` stands, which is the end of a block without a terminator, and
 * leaves it where the check has passed: at the entry of a function that you build, say. As accessors with
 * stale = check do, the code panics if the view is of a memory of another layout or backend, or if the
 * option index is u33 and the memory was made for 32-bit indices (mf_memory_config). So a function with an
 * access whose address is an i64, or whose offset is more than MF_MEMORY_U32_OFFSET_MAX, has index = u33 and
 * this check, and cannot reach what lies behind such a memory. After a change of the memory its layout is
 * known again once somebody has asked for it (mf_memory_layout). Costs a load, a comparison and a branch. Who
 * hands views to the code can ask the same there, without code: mf_layout_equal with mf_memory_layout,
 * mf_memory_backend, and mf_memory_index_of.
 */
void mf_embed_check_view(const mf_embed *embed, LLVMBuilderRef builder, LLVMValueRef view);

/*
 * Emit a load of what accesses read from the view: the host address of guest address 0 (ptr; with base =
 * constant it is that constant), which stays as long as the memory lives, and the live heap end (i64), which
 * a call, an atomic access or a fence may have changed: load it again behind them.
 */
LLVMValueRef mf_embed_load_base(const mf_embed *embed, LLVMBuilderRef builder, LLVMValueRef view);
LLVMValueRef mf_embed_load_heap_end(const mf_embed *embed, LLVMBuilderRef builder, LLVMValueRef view);

/*
 * To be called for a fault block when all accesses that go there are emitted. If none can reach it, its phis
 * have no entries, which LLVM's verifier refuses: they are replaced by poison, and the block is unreachable
 * code. Otherwise nothing happens.
 */
void mf_embed_end_fault_block(LLVMBasicBlockRef block);

/*
 * Emits one check for all of [index, index + length), `length` an i64 without a sign; unchecked accesses
 * within are safe after it, until the memory's permissions change. A fault record says 2^63 - 1 of a length
 * that is more. Which empty ranges pass is options.empty_range, as the bulk operations of a memory have it in
 * their configuration. In software on both backends. What is no operation is answered like a store, and is an
 * assertion in debug builds.
 */
void mf_embed_check_range(const mf_embed *embed, LLVMBuilderRef builder, const mf_embed_access *access,
                          LLVMValueRef length, mf_operation operation, LLVMBasicBlockRef *fault_from);

/* The entries [begin, end) of one module. */
typedef struct mf_embed_exception_table {
    const mf_exception_entry *begin;
    const mf_exception_entry *end;
} mf_embed_exception_table;

/*
 * Says that the entries of this module are going to be registered. With a name it defines the constant
 * `name`, an mf_embed_exception_table: a client's own JIT looks it up when the module is linked, hands the
 * entries to mf_exception_table_register, and unregisters them before it frees the code. With NULL it defines
 * nothing: whoever loads objects registers the section MF_EXCEPTION_SECTION of each (exception_table.h). A
 * name stands for the entries of one object, so NULL is for JITs that make several of a module, such as
 * LLLazyJIT.
 *
 * Once per module that has accesses on x86_paged with on_fault = return or branch, before it is compiled;
 * where a tool splits a module and leaves its assembly in one part only, once per part. Nobody can forget it:
 * each such access is an error of LLVM's assembler then, whose text says to call this function. The
 * diagnostic handler of the module's context gets it, and what LLVM delivers nevertheless is not to be used;
 * without a handler LLVM prints the error and ends the process. Assembly as a text has the error in it. It
 * cannot be seen that nobody registers what has been promised: then the first fault is a signal like any
 * other, and the process ends. MF_OUT_OF_MEMORY, with a name only; MF_UNKNOWN_TARGET as
 * mf_embed_define.
 */
mf_status mf_embed_define_exception_table(LLVMModuleRef module, const char *name, mf_diag *diag);

/* ---- Linking ------------------------------------------------------------------------------- */

/*
 * A function of the runtime that generated code calls, by its linker name, for JITs that resolve symbols
 * themselves. abi.h and exception_table.h declare what is at the address.
 */
typedef struct mf_runtime_symbol {
    const char *name;
    void (*address)(void);
} mf_runtime_symbol;

/* Borrows all of them by mf_rt_entry, static storage, and writes how many they are. Never fails. Any thread.
 */
const mf_runtime_symbol *mf_runtime_symbols(size_t *count);

MF_PUBLIC_END

#endif
