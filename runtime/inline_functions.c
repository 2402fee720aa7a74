/*
 * What memory.h defines inline, as symbols: for callers that inline nothing, and for other languages. C11
 * makes one where a translation unit declares the function extern.
 */
#include <memfold/memory.h>

extern bool mf_memory_is_in_bounds(const mf_memory *memory, uint32_t address);
extern bool mf_memory_read(mf_memory *memory, uint32_t address, void *to, size_t length);
extern bool mf_memory_write(mf_memory *memory, uint32_t address, const void *from, size_t length);
extern bool mf_memory_fill(mf_memory *memory, uint32_t address, uint8_t byte, uint64_t length);
extern bool mf_memory_copy(mf_memory *memory, uint32_t to, uint32_t from, uint64_t length);
extern void *mf_memory_span(mf_memory *memory, uint32_t address, uint64_t length, mf_operation operation);
extern bool mf_memory_is_accessible(mf_memory *memory, uint32_t address, uint64_t length,
                                    mf_operation operation);
extern mf_fault mf_memory_last_fault(mf_memory *memory);
