// A client and a memfold that are linked with two copies of LLVM, or compiled for two versions, hear it from
// the first call; so does a program in another language, if it asks. The second copy is a library that has of
// LLVM only what is compared, under a symbol version of its own, as each libLLVM has.
//
// UNSUPPORTED: sanitizer
//
// RUN: rm -rf %t && mkdir %t
// RUN: echo 'OTHER_LLVM { global: LLVM*; local: *; };' > %t/other.map
// RUN: %cc %llvm -DIS_OTHER_LLVM -shared -fPIC %s -o %t/libother.so -Wl,--version-script=%t/other.map
// RUN: %cc %llvm %s -o %t/two %t/libother.so %shared-gen -Wl,-rpath,%t
// RUN: %t/two | FileCheck %s --check-prefix=TWO -D#MAJOR=%major-of-llvm
// RUN: %cc %llvm %s -o %t/one %shared-gen
// RUN: %t/one | FileCheck %s --check-prefix=ONE -D#MAJOR=%major-of-llvm
// RUN: %cc %llvm -no-pie -fno-pie %s -o %t/fixed %shared-gen
// RUN: %t/fixed | FileCheck %s --check-prefix=ONE -D#MAJOR=%major-of-llvm
// RUN: %cc %llvm -DVERSION=18 %s -o %t/older %shared-gen
// RUN: %t/older | FileCheck %s --check-prefix=OLDER -D#MAJOR=%major-of-llvm
//
// TWO:      define: llvm: the client and memfold are linked with two copies of LLVM: link both with the same libLLVM
// TWO-NEXT: create: llvm: the client and memfold are linked with two copies of LLVM: link both with the same libLLVM
// TWO-NEXT: plain: ok
// TWO-NEXT: check: llvm: the client and memfold are linked
// TWO-NEXT: check of 18: llvm: the client is compiled for LLVM 18 and memfold for LLVM [[#MAJOR]]: build both with one LLVM
//
// ONE:      define: ok
// ONE-NEXT: create: ok
// ONE-NEXT: plain: ok
// ONE-NEXT: check: ok
// ONE-NEXT: check of 18: llvm: the client is compiled for LLVM 18
// ONE-NEXT: check of the same elsewhere: ok
//
// OLDER:      define: llvm: the client is compiled for LLVM 18 and memfold for LLVM [[#MAJOR]]: build both with one LLVM
// OLDER-NEXT: create: llvm: the client is compiled for LLVM 18 and memfold for LLVM [[#MAJOR]]: build both with one LLVM
// OLDER-NEXT: plain: ok
#include <llvm/Config/llvm-config.h>

enum { MAJOR = LLVM_VERSION_MAJOR };

#ifdef VERSION
#undef LLVM_VERSION_MAJOR
#define LLVM_VERSION_MAJOR VERSION
#endif

#include <memfold/embed.h>

#include <stdio.h>
#include <stdlib.h>

/* LLVM deprecates its global context since 22. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#ifdef IS_OTHER_LLVM

LLVMContextRef LLVMGetGlobalContext(void) {
    static char context;
    return (LLVMContextRef)(void *)&context;
}

#else

static void print(const char *what, mf_status status, const mf_diag *diag) {
    if (status == MF_OK)
        printf("%s: ok\n", what);
    else
        printf("%s: %s: %s\n", what, mf_status_name(status), diag->message);
}

/* The same LLVM by another address, as a program that is not position-independent may see it. */
static LLVMContextRef get_global_context(void) {
    return LLVMGetGlobalContext();
}

int main(void) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_embed *embed = NULL;
    mf_diag diag;
    LLVMContextRef context = LLVMContextCreate();
    LLVMModuleRef module = LLVMModuleCreateWithNameInContext("client", context);
    if (mf_layout_builder_finish(builder, &layout, NULL, &diag) != MF_OK)
        return 1;
    LLVMSetDataLayout(module, "e-p:64:64:64:64-i64:64");
    print("define", mf_embed_define(module, layout, NULL, "guest", NULL, &diag), &diag);
    print("create", mf_embed_create(module, layout, NULL, &embed, &diag), &diag);
    mf_embed_destroy(embed);
    embed = NULL;
    print("plain", (mf_embed_create)(module, layout, NULL, &embed, &diag), &diag);
    mf_embed_destroy(embed);
    print("check", mf_embed_check_llvm(MAJOR, LLVMGetGlobalContext, &diag), &diag);
    print("check of 18", mf_embed_check_llvm(18, LLVMGetGlobalContext, &diag), &diag);
    print("check of the same elsewhere", mf_embed_check_llvm(MAJOR, get_global_context, &diag), &diag);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    mf_layout_release(layout);
    mf_layout_builder_destroy(builder);
    return 0;
}

#endif
