#include "maker/set.h"

#include "ir/entry.h"
#include "ir/target.h"
#include "maker/compile.h"
#include "maker/perf.h"

/* ---- What sets are made with ---- */

mf_status toolchain_init(toolchain *tools, bool has_perf_map, mf_diag *diag) {
    mf_status status = has_perf_map ? perf_map_open(&tools->perf_map, diag) : MF_OK;
    if (status == MF_OK)
        status = target_create_host(&tools->machine, diag);
    return status == MF_OK ? linker_create(&tools->linker, diag) : status;
}

void toolchain_fini(toolchain *tools) {
    linker_destroy(tools->linker);
    if (tools->machine != NULL)
        LLVMDisposeTargetMachine(tools->machine);
    perf_map_close(&tools->perf_map);
}

/* ---- A set ---- */

/* Writes the host address of <prefix>_<name>. */
static mf_status lookup(toolchain *tools, const char *prefix, const char *name, uintptr_t *host,
                        mf_diag *diag) {
    char symbol[256];
    snprintf(symbol, sizeof symbol, "%s_%s", prefix, name);
    return linker_lookup(tools->linker, symbol, host, diag);
}

static mf_status register_entries(toolchain *tools, const char *prefix, size_t entry_count, linked_set *set,
                                  mf_diag *diag) {
    uintptr_t host;
    mf_status status = lookup(tools, prefix, "extable", &host, diag);
    if (status != MF_OK)
        return status;
    status = mf_exception_table_register((const mf_exception_entry *)host, entry_count, diag);
    if (status == MF_OK)
        set->entries = (const mf_exception_entry *)host;
    return status;
}

/* Takes `object`; on failure nothing of it stays linked. */
static mf_status link_set(toolchain *tools, LLVMMemoryBufferRef object, const emit_input *input,
                          linked_set *set, mf_diag *diag) {
    uintptr_t host = 0;
    size_t entry_count = emit_entry_count(input);
    mf_status status = linker_link(tools->linker, object, &set->tracker, diag);
    if (status == MF_OK)
        status = lookup(tools, input->prefix, "accessors", &host, diag);
    if (status == MF_OK && entry_count > 0)
        status = register_entries(tools, input->prefix, entry_count, set, diag);
    set->accessors = (const mf_accessors *)host;
    if (status != MF_OK)
        linked_set_unlink(tools, set);
    return status;
}

/* gdb and perf read the object, whose buffer is gone once it is linked. */
mf_status linked_set_make(toolchain *tools, const emit_input *input, linked_set *set, mf_diag *diag) {
    LLVMMemoryBufferRef object;
    uint64_t sizes_bytes[MF_ACCESSOR_COUNT];
    linked_set made = {0};
    mf_status status = entry_foresee(diag);
    if (status == MF_OK)
        status = compile_set(tools->machine, input, &object, diag);
    if (status != MF_OK)
        return status;
    made.gdb = gdb_entry_create(object);
    bool has_perf_map = perf_map_is_there(&tools->perf_map);
    if (has_perf_map)
        perf_function_sizes(object, input->prefix, sizes_bytes);
    status = link_set(tools, object, input, &made, diag);
    if (status != MF_OK)
        return status;
    gdb_entry_register(made.gdb, input->prefix, made.accessors);
    if (has_perf_map)
        perf_map_append(&tools->perf_map, input->prefix, made.accessors, sizes_bytes);
    *set = made;
    return MF_OK;
}

/* No fault handler uses the exception table any more when its code goes. */
void linked_set_unlink(toolchain *tools, linked_set *set) {
    if (set->entries != NULL)
        mf_exception_table_unregister(set->entries);
    gdb_entry_destroy(set->gdb);
    if (set->tracker != NULL)
        linker_unlink(tools->linker, set->tracker);
    *set = (linked_set){0};
}
