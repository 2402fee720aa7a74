/* What generated code calls in the runtime. */
#include <memfold/embed.h>
#include <memfold/exception_table.h>

const mf_runtime_symbol *mf_runtime_symbols(size_t *count) {
    static const mf_runtime_symbol SYMBOLS[] = {
        {MF_RT_FAULT_SYMBOL, (void (*)(void))mf_rt_fault_v1},
        {MF_RT_TRAP_SYMBOL, (void (*)(void))mf_rt_trap_v1},
        {MF_RT_ACCESSIBLE_SYMBOL, (void (*)(void))mf_rt_accessible_v1},
        {MF_RT_STALE_SYMBOL, (void (*)(void))mf_rt_stale_v1},
        {MF_RT_REGISTER_SYMBOL, (void (*)(void))mf_rt_register_v1},
        {MF_RT_UNREGISTER_SYMBOL, (void (*)(void))mf_rt_unregister_v1},
    };
    *count = sizeof SYMBOLS / sizeof SYMBOLS[0];
    return SYMBOLS;
}
