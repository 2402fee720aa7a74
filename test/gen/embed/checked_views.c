// A function that checks its view serves memories of its layout and backend; with index = u33 only those
// that take 33-bit indices. All others panic before the access.
//
// RUN: %cc -D_GNU_SOURCE %llvm %s %client -o %t %gen
// RUN: %t >%t.out
// RUN: FileCheck %s <%t.out
// RUN: FileCheck %s --check-prefix=IR <%t.out
//
// IR-LABEL: define {{.*}} @narrow_copy(
// IR:         getelementptr {{.*}}i64 24
// IR-NEXT:    load i64
// IR-NEXT:    icmp eq i64
// IR-NEXT:    br i1
// IR:         call void @mf_rt_stale_v3(
// IR-NEXT:    unreachable
// IR:       }
// IR-LABEL: define {{.*}} @wide_copy(
// IR:         getelementptr {{.*}}i64 88
// IR-NEXT:    load i64
// IR-NEXT:    icmp eq i64
//
// CHECK: narrow_copy, the same layout: 7
// CHECK-NEXT: narrow_copy, made for 32-bit indices: 7
// CHECK-NEXT: narrow_copy, another layout: accessors made for layout 0x{{[0-9a-f]+}} were used on a memory with layout 0x{{[0-9a-f]+}}: ask for accessors again after a change of its layout
// CHECK-NEXT: narrow_copy, another backend: {{.*}}: the memory is of another backend
// CHECK-NEXT: narrow_copy, a change: {{.*}} with layout 0x0: ask for accessors again after a change of its layout
// CHECK-NEXT: wide_copy, the same layout: 7
// CHECK-NEXT: wide_copy, made for 32-bit indices: {{.*}}: the memory was made for 32-bit indices, and they take 33-bit ones
// CHECK-NEXT: wide_copy, another layout: {{.*}}: ask for accessors again
// CHECK-NEXT: wide_copy, another backend: {{.*}}: the memory is of another backend
// CHECK-NEXT: wide_copy, a change: {{.*}}: ask for accessors again
// CHECK-NEXT: narrow_paged, the same layout: 7
// CHECK-NEXT: narrow_paged, made for 32-bit indices: 7
// CHECK-NEXT: narrow_paged, another layout: {{.*}}: ask for accessors again
// CHECK-NEXT: narrow_paged, another backend: {{.*}}: the memory is of another backend
// CHECK-NEXT: narrow_paged, a change: {{.*}}: ask for accessors again
// CHECK-NEXT: wide_paged, the same layout: 7
// CHECK-NEXT: wide_paged, made for 32-bit indices: {{.*}}: the memory was made for 32-bit indices, and they take 33-bit ones
// CHECK-NEXT: wide_paged, another layout: {{.*}}: ask for accessors again
// CHECK-NEXT: wide_paged, another backend: {{.*}}: the memory is of another backend
// CHECK-NEXT: wide_paged, a change: {{.*}}: ask for accessors again
#include "client.h"

#include <memfold/embed.h>
#include <memfold/memory.h>
#include <memfold/panic.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define REGION 0x20000u

typedef struct kind {
    const char *name;
    mf_backend backend;
    mf_index index;
} kind;

static const kind kinds[] = {
    {"narrow_copy", MF_BACKEND_COPY, MF_INDEX_U32},
    {"wide_copy", MF_BACKEND_COPY, MF_INDEX_U33},
    {"narrow_paged", MF_BACKEND_X86_PAGED, MF_INDEX_U32},
    {"wide_paged", MF_BACKEND_X86_PAGED, MF_INDEX_U33},
};
#define KIND_COUNT (sizeof kinds / sizeof kinds[0])

static mf_layout *make_layout(uint64_t bytes) {
    mf_layout *layout;
    mf_diag diag;
    mf_layout_builder *builder = mf_layout_builder_create();
    client_must(mf_layout_builder_map_region(builder, REGION, bytes, MF_READ_WRITE, NULL, 0, &diag), &diag,
                "map_region");
    client_must(mf_layout_builder_finish(builder, &layout, NULL, &diag), &diag, "finish");
    mf_layout_builder_destroy(builder);
    return layout;
}

/* The byte at an address and an offset beyond what memories for 32-bit indices take, if they are not for
 * them. */
static void build(const client_module *m, const mf_layout *layout, const kind *k) {
    const mf_accessor_options options = {
        .backend = k->backend, .index = k->index, .on_fault = MF_ON_FAULT_TRAP};
    mf_embed *embed;
    mf_diag diag;
    client_must(mf_embed_create(m->module, layout, &options, &embed, &diag), &diag, "mf_embed_create");
    LLVMTypeRef t_i32 = LLVMInt32TypeInContext(m->context);
    LLVMTypeRef parameters[] = {LLVMPointerTypeInContext(m->context, 0), t_i32};
    LLVMTypeRef t_byte = LLVMInt8TypeInContext(m->context);
    LLVMTypeRef t_function = LLVMFunctionType(t_byte, parameters, 2, false);
    LLVMValueRef function = client_function_begin(m, k->name, t_function);
    mf_embed_access access = {.view = LLVMGetParam(function, 0), .address = LLVMGetParam(function, 1)};
    if (k->index == MF_INDEX_U33)
        access.address = LLVMBuildZExt(m->builder, access.address, LLVMInt64TypeInContext(m->context), "");
    mf_embed_check_view(embed, m->builder, access.view);
    LLVMValueRef v_byte = mf_embed_load(embed, m->builder, &access, t_byte, NULL);
    LLVMBuildRet(m->builder, v_byte);
    mf_embed_destroy(embed);
}

static mf_memory *make_memory(const mf_layout *layout, mf_backend backend, mf_memory_index index) {
    const mf_memory_config config = {.backend = backend, .index = index};
    mf_memory *memory;
    mf_diag diag;
    client_must(mf_memory_create_with(layout, NULL, &config, &memory, &diag), &diag, "create");
    if (!mf_memory_fill(memory, REGION, 7, 1))
        abort();
    return memory;
}

static void print_panic(const char *message) {
    printf("%s\n", message);
    fflush(stdout);
}

/* In a child, because a panic ends the process. */
static void use(const kind *k, const char *what, mf_memory *memory) {
    unsigned char (*load)(mf_view *, uint32_t) =
        (unsigned char (*)(mf_view *, uint32_t))client_lookup(k->name);
    printf("%s, %s: ", k->name, what);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        mf_panic_hook_set(print_panic);
        printf("%u\n", load(mf_memory_view(memory), REGION));
        fflush(stdout);
        _exit(0);
    }
    if (child < 0 || waitpid(child, NULL, 0) != child)
        abort();
}

static void use_all(const kind *k, const mf_layout *layout, const mf_layout *other_layout) {
    mf_backend other = k->backend == MF_BACKEND_COPY ? MF_BACKEND_X86_PAGED : MF_BACKEND_COPY;
    mf_memory *memories[] = {
        make_memory(layout, k->backend, MF_MEMORY_U33),
        make_memory(layout, k->backend, MF_MEMORY_U32),
        make_memory(other_layout, k->backend, MF_MEMORY_U33),
        make_memory(layout, other, MF_MEMORY_U33),
    };
    static const char *const whats[] = {"the same layout", "made for 32-bit indices", "another layout",
                                        "another backend"};
    for (int i = 0; i < 4; i++)
        use(k, whats[i], memories[i]);
    mf_memory_protect(memories[0], REGION, MF_PAGE_SIZE, MF_PERM_RO, NULL);
    use(k, "a change", memories[0]);
    for (int i = 0; i < 4; i++)
        mf_memory_destroy(memories[i]);
}

int main(void) {
    client_start();
    client_module m = client_module_create("checked_views");
    mf_layout *layout = make_layout(2 * MF_PAGE_SIZE);
    mf_layout *other = make_layout(MF_PAGE_SIZE);
    for (size_t i = 0; i < KIND_COUNT; i++)
        build(&m, layout, &kinds[i]);
    client_module_optimise(&m, "default<O2>");
    char *text = LLVMPrintModuleToString(m.module);
    printf("%s", text);
    LLVMDisposeMessage(text);
    client_code code = client_module_load(&m, NULL);
    for (size_t i = 0; i < KIND_COUNT; i++)
        use_all(&kinds[i], layout, other);
    client_code_unload(&code);
    mf_layout_release(layout);
    mf_layout_release(other);
    client_stop();
    return 0;
}
