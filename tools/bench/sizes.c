/* Bytes of code and tables: what the sections of an emitted object hold. */
#include "bench/sizes.h"

#include "bench/layouts.h"

#include <memfold/aot.h>

#include <llvm-c/Core.h>
#include <llvm-c/Object.h>

#include <string.h>

/* The bytes of an object's sections whose names begin with `prefix`. */
static uint64_t section_bytes(LLVMBinaryRef object, const char *prefix) {
    uint64_t bytes = 0;
    LLVMSectionIteratorRef at = LLVMObjectFileCopySectionIterator(object);
    while (!LLVMObjectFileIsSectionIteratorAtEnd(object, at)) {
        const char *name = LLVMGetSectionName(at);
        if (name != NULL && strncmp(name, prefix, strlen(prefix)) == 0)
            bytes += LLVMGetSectionSize(at);
        LLVMMoveToNextSection(at);
    }
    LLVMDisposeSectionIterator(at);
    return bytes;
}

static bench_summary exactly(double value) {
    return (bench_summary){value, value, value};
}

static mf_status measure_size(bench_costs *costs, mf_backend backend, uint64_t regions, mf_diag *diag) {
    mf_aot_options options = {.symbol_prefix = "bench", .accessors = {.backend = backend}};
    mf_layout *layout = bench_layout_regions(regions);
    char *bytes, *message = NULL;
    size_t byte_count;
    mf_status status = mf_aot_emit(layout, &options, MF_EMIT_OBJECT, &bytes, &byte_count, diag);
    mf_layout_release(layout);
    if (status != MF_OK)
        return status;
    LLVMMemoryBufferRef buffer = LLVMCreateMemoryBufferWithMemoryRangeCopy(bytes, byte_count, "object");
    LLVMBinaryRef object = LLVMCreateBinary(buffer, NULL, &message);
    if (object != NULL) {
        bench_costs_add(costs, "bytes", exactly((double)section_bytes(object, ".text")),
                        "size: code of a set, %s, %llu regions", bench_backend_name(backend),
                        (unsigned long long)regions);
        bench_costs_add(costs, "bytes", exactly((double)section_bytes(object, ".rodata")),
                        "size: tables of a set, %s, %llu regions", bench_backend_name(backend),
                        (unsigned long long)regions);
        LLVMDisposeBinary(object);
    }
    LLVMDisposeMessage(message);
    LLVMDisposeMemoryBuffer(buffer);
    mf_aot_free(bytes);
    return object == NULL ? MF_LLVM : MF_OK;
}

mf_status bench_sizes_measure(bench_costs *costs, mf_diag *diag) {
    static const uint64_t regions[] = {1, 16, 256, 4096};
    mf_status status = MF_OK;
    for (int backend = MF_BACKEND_COPY; backend <= MF_BACKEND_X86_PAGED; backend++)
        for (int i = 0; status == MF_OK && i < (backend == MF_BACKEND_COPY ? 4 : 1); i++)
            status = measure_size(costs, (mf_backend)backend, regions[i], diag);
    return status;
}
