/*
 * What is asked of a client's module and of its LLVM, before LLVM is asked anything: it checks little itself,
 * and ends the process where it does.
 */
#include "embed/embed.h"

#include "ir/target.h"

#include <llvm-c/Core.h>
#include <llvm-c/Target.h>
#include <llvm/Config/llvm-config.h>

#include <stdlib.h>
#include <string.h>

/* ---- The client's LLVM --------------------------------------------------------------------- */

/*
 * Each copy of LLVM has one global context. The addresses of its functions say less: a program that is not
 * position-independent may see another address of a function than a library that it loads. Since 22 LLVM
 * deprecates the global context, but nothing else tells its copies apart.
 */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
mf_status mf_embed_check_llvm(unsigned version_major, LLVMContextRef (*get_global_context)(void),
                              mf_diag *diag) {
    if (version_major != LLVM_VERSION_MAJOR)
        return mf_diag_set(diag, MF_LLVM, version_major,
                           "the client is compiled for LLVM %u and memfold for LLVM %d: build both with one "
                           "LLVM",
                           version_major, LLVM_VERSION_MAJOR);
    if (get_global_context != LLVMGetGlobalContext && get_global_context() != LLVMGetGlobalContext())
        return mf_diag_set(diag, MF_LLVM, 0,
                           "the client and memfold are linked with two copies of LLVM: link both with the "
                           "same libLLVM");
    return MF_OK;
}
#pragma GCC diagnostic pop

/* ---- The module ---------------------------------------------------------------------------- */

/*
 * The bits of an index into the address space 0 as a data layout gives them: p:SIZE:ABI:PREFERRED:INDEX, with
 * the parts from behind left out. 0 if it says nothing, and then they are those of a pointer.
 */
static unsigned long index_bits(const char *layout) {
    for (const char *spec = layout; spec != NULL; spec = strchr(spec, '-')) {
        spec += *spec == '-';
        if (strncmp(spec, "p:", 2) != 0 && strncmp(spec, "p0:", 3) != 0)
            continue;
        size_t length = strcspn(spec, "-");
        const char *part = strchr(spec, ':');
        for (int i = 0; i < 3 && part != NULL; i++)
            part = strchr(part + 1, ':');
        return part != NULL && part < spec + length ? strtoul(part + 1, NULL, 10) : 0;
    }
    return 0;
}

/* Guest bytes are those of a little-endian host, and an index of 33 bits is added to a pointer. */
static mf_status check_data_layout(LLVMModuleRef module, mf_diag *diag) {
    LLVMTargetDataRef data = LLVMGetModuleDataLayout(module);
    const char *layout = LLVMGetDataLayoutStr(module);
    const char *what = NULL;
    unsigned long bits = index_bits(layout);
    if (LLVMPointerSize(data) != sizeof(uint64_t))
        what = "has no 64-bit pointers";
    else if (bits != 0 && bits != 64)
        what = "has no 64-bit indices";
    else if (LLVMByteOrder(data) != LLVMLittleEndian)
        what = "is big-endian";
    if (what == NULL)
        return MF_OK;
    return mf_diag_set(
        diag, MF_LLVM, 0,
        "the module's data layout '%s' %s: give it that of its target machine, which is a 64-bit "
        "little-endian host (LLVMSetModuleDataLayout)",
        layout, what);
}

/* Paged accesses are assembly: of an architecture that the module must name, and that LLVM must parse. */
static mf_status check_assembly(LLVMModuleRef module, mf_backend backend, mf_diag *diag) {
    const char *triple = LLVMGetTarget(module);
    if (backend != MF_BACKEND_X86_PAGED)
        return MF_OK;
    if (*triple == '\0')
        return mf_diag_set(
            diag, MF_INVALID_ARGUMENT, 0,
            "backend x86_paged needs a module with a target triple: call LLVMSetTarget before");
    mf_status status = target_check_backend(triple, backend, diag);
    return status == MF_OK ? target_initialize_x86_assembly(diag) : status;
}

mf_status embed_begin(ir *ir, LLVMModuleRef module, mf_backend backend, LLVMBuilderRef builder,
                      mf_diag *diag) {
    mf_status status = check_data_layout(module, diag);
    if (status == MF_OK)
        status = check_assembly(module, backend, diag);
    return status == MF_OK ? ir_init(ir, module, builder, diag) : status;
}
