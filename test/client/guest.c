/* From a program file to a guest that is ready to run. */
#include "guest.h"

#include <memfold/layout_file.h>

#include <elf.h>
#include <stdio.h>
#include <string.h>

static bool complain(const char *path, const char *what) {
    fprintf(stderr, "%s: %s\n", path, what);
    return false;
}

static bool complain_diag(const mf_diag *diag) {
    char text[1200];
    mf_diag_print(diag, text, sizeof text);
    fprintf(stderr, "%s\n", text);
    return false;
}

/* The layout of a file says nothing of where its code begins. */
static bool read_entry(const char *path, uint32_t *entry) {
    Elf32_Ehdr header;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return complain(path, "cannot be opened");
    bool is_read = fread(&header, sizeof header, 1, file) == 1;
    fclose(file);
    bool is_program = is_read && memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
                      header.e_ident[EI_CLASS] == ELFCLASS32 && header.e_machine == EM_RISCV &&
                      header.e_type == ET_EXEC;
    if (!is_program)
        return complain(path, "not a riscv32 executable");
    *entry = header.e_entry;
    return true;
}

/* The file's pages, a stack below `stack_top`, and a heap behind the program's data. */
static mf_status describe(mf_layout_builder *builder, const mf_layout *file, uint64_t stack_top,
                          mf_diag *diag) {
    uint64_t stack_bytes = (uint64_t)GUEST_STACK_PAGES * MF_PAGE_SIZE;
    mf_status status = MF_OK;
    for (size_t i = 0; status == MF_OK && i < mf_layout_region_count(file); i++) {
        mf_region r = mf_layout_region(file, i);
        status = mf_layout_builder_map_region(builder, r.start, r.size, r.access, NULL, 0, diag);
    }
    if (status == MF_OK)
        status = mf_layout_builder_map_region(builder, stack_top - stack_bytes, stack_bytes, MF_READ_WRITE,
                                              NULL, 0, diag);
    if (status == MF_OK)
        status = mf_layout_builder_set_heap(builder, mf_layout_len(file), GUEST_HEAP_PAGES, diag);
    return status;
}

static mf_status make_layout(const mf_layout *file, uint64_t stack_top, mf_layout **layout, mf_diag *diag) {
    mf_layout_builder *builder = mf_layout_builder_create();
    if (builder == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for a layout");
    mf_status status = describe(builder, file, stack_top, diag);
    if (status == MF_OK)
        status = mf_layout_builder_finish(builder, layout, NULL, diag);
    mf_layout_builder_destroy(builder);
    return status;
}

/* The image of the file holds its bytes wherever the layout that the memory has comes from. */
static mf_status make_memory(guest *g, const char *path, mf_backend backend, uint64_t stack_top,
                             mf_diag *diag) {
    mf_layout_file file;
    mf_status status = mf_layout_file_read(path, MF_FORMAT_ELF, &file, diag);
    if (status != MF_OK)
        return status;
    status = make_layout(file.layout, stack_top, &g->layout, diag);
    if (status == MF_OK)
        status = mf_memory_create(g->layout, file.image, backend, &g->memory, diag);
    mf_layout_file_fini(&file);
    return status;
}

bool guest_load(guest *g, const char *path, mf_backend backend, uint64_t stack_top) {
    mf_diag diag;
    *g = (guest){0};
    if (!read_entry(path, &g->state.pc))
        return false;
    if (make_memory(g, path, backend, stack_top, &diag) != MF_OK) {
        guest_unload(g);
        return complain_diag(&diag);
    }
    g->view = mf_memory_view(g->memory);
    g->state.x[GUEST_SP] = (uint32_t)(stack_top - 16);
    return true;
}

void guest_unload(guest *g) {
    mf_memory_destroy(g->memory);
    mf_layout_release(g->layout);
    *g = (guest){0};
}

bool guest_fetch(const guest *g, uint32_t pc, uint32_t *word) {
    if (pc % sizeof *word != 0 || mf_memory_perm_of(g->memory, pc) != MF_PERM_RO)
        return false;
    return mf_view_read(g->view, pc, word, sizeof *word);
}
