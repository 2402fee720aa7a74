#include "maker/perf.h"

#include <llvm-c/Core.h>
#include <llvm-c/Object.h>

#include <string.h>

/* The accessor that `symbol` is the function of, or MF_ACCESSOR_COUNT. */
static mf_accessor_id accessor_of_symbol(const char *symbol, const char *prefix) {
    size_t length = strlen(prefix);
    mf_accessor_id id = 0;
    if (strncmp(symbol, prefix, length) != 0 || symbol[length] != '_')
        return MF_ACCESSOR_COUNT;
    while (id < MF_ACCESSOR_COUNT && strcmp(symbol + length + 1, mf_accessor_info_get(id)->name) != 0)
        id++;
    return id;
}

void perf_function_sizes(LLVMMemoryBufferRef object, const char *prefix,
                         uint64_t sizes_bytes[MF_ACCESSOR_COUNT]) {
    memset(sizes_bytes, 0, MF_ACCESSOR_COUNT * sizeof sizes_bytes[0]);
    char *error = NULL;
    LLVMBinaryRef binary = LLVMCreateBinary(object, NULL, &error);
    if (binary == NULL) {
        LLVMDisposeMessage(error);
        return;
    }
    LLVMSymbolIteratorRef symbol = LLVMObjectFileCopySymbolIterator(binary);
    for (; !LLVMObjectFileIsSymbolIteratorAtEnd(binary, symbol); LLVMMoveToNextSymbol(symbol)) {
        mf_accessor_id id = accessor_of_symbol(LLVMGetSymbolName(symbol), prefix);
        if (id < MF_ACCESSOR_COUNT)
            sizes_bytes[id] = LLVMGetSymbolSize(symbol);
    }
    LLVMDisposeSymbolIterator(symbol);
    LLVMDisposeBinary(binary);
}
