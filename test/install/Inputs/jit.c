/* A program that uses the generator; it compiles as C and as C++. */
#include <memfold/aot.h>
#include <memfold/embed.h>
#include <memfold/jit.h>
#include <memfold/layout_file.h>
#include <memfold/llvm_maker.h>
#include <memfold/plan.h>

#include <stdio.h>

int main(int argc, char **argv) {
    static mf_jit_config config;
    mf_layout_file file;
    mf_memory *memory;
    mf_jit *jit;
    mf_code *code;
    size_t symbol_count;
    config.maker = mf_llvm_maker();
    if (argc != 2 || mf_layout_file_read(argv[1], MF_FORMAT_AUTO, &file, NULL) != MF_OK ||
        mf_memory_create(file.layout, file.image, MF_BACKEND_COPY, &memory, NULL) != MF_OK ||
        mf_jit_create(&config, &jit, NULL) != MF_OK ||
        mf_jit_get_for(jit, memory, NULL, &code, NULL) != MF_OK)
        return 1;
    const mf_accessors *guest = mf_code_accessors(code);
    mf_view *view = mf_memory_view(memory);
    guest->store_u32(view, 0x20000, 42);
    printf("jit %d\n", (int)guest->load_u32(view, 0x20000).value);
    mf_runtime_symbols(&symbol_count);
    printf("symbols %d\n", symbol_count > 0);
    mf_code_release(code);
    mf_jit_destroy(jit);
    mf_memory_destroy(memory);
    mf_layout_file_fini(&file);
    return 0;
}
