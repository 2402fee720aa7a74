/* The entry points of the runtime, for linkers: from the list in abi.h. */
#include <memfold/embed.h>
#include <memfold/exception_table.h>

const mf_runtime_symbol *mf_runtime_symbols(size_t *count) {
    static const mf_runtime_symbol SYMBOLS[] = {
#define MF_X(name, function) [MF_RT_##name] = {#function, (void (*)(void))function},
        MF_RT_ENTRIES(MF_X)
#undef MF_X
    };
    *count = sizeof SYMBOLS / sizeof SYMBOLS[0];
    return SYMBOLS;
}
