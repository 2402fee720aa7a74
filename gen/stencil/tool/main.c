/*
 * memfold_stencils FILE.c [OBJECT]: writes the table of stencils (table.h), the object that it was made from
 * if asked for, and to standard output what it has become. At memfold's build, once.
 */
#include "stencil/tool/emit.h"
#include "stencil/tool/print.h"

#include <stdio.h>
#include <time.h>

static mf_status write_object(const char *path, LLVMMemoryBufferRef object, mf_diag *diag) {
    FILE *file = fopen(path, "wb");
    size_t bytes = LLVMGetBufferSize(object);
    bool is_written = file != NULL && fwrite(LLVMGetBufferStart(object), 1, bytes, file) == bytes;
    if (file == NULL || fclose(file) != 0 || !is_written)
        return mf_diag_set(diag, MF_IO, 0, "cannot write '%s'", path);
    return MF_OK;
}

static mf_status make(list *l, made_table *made, const char *object_path, mf_diag *diag) {
    LLVMMemoryBufferRef object;
    mf_status status = list_make(l, diag);
    if (status == MF_OK)
        status = stencils_emit(l, &object, diag);
    if (status != MF_OK)
        return status;
    if (object_path != NULL)
        status = write_object(object_path, object, diag);
    if (status == MF_OK)
        status = made_table_read(made, LLVMGetBufferStart(object), LLVMGetBufferSize(object), l->count, diag);
    LLVMDisposeMemoryBuffer(object);
    return status;
}

/* A file that is not whole is removed. */
static int write_table(const char *path, const list *l, const made_table *made) {
    FILE *file = fopen(path, "w");
    size_t bytes = file == NULL ? 0 : table_print(file, l, made);
    if (file == NULL || fclose(file) != 0 || bytes == 0) {
        fprintf(stderr, "memfold_stencils: cannot write '%s'\n", path);
        remove(path);
        return 1;
    }
    double seconds = (double)clock() / CLOCKS_PER_SEC;
    printf("stencils: %zu pieces, %u of them different, %zu checks, %zu bytes, %.1f s\n", l->count,
           (unsigned)made->stencil_count, l->count - SHAPE_PART_COUNT, bytes, seconds);
    return 0;
}

int main(int argc, char **argv) {
    mf_diag diag;
    list l = {0};
    made_table made = {0};
    if (argc != 2 && argc != 3) {
        fprintf(stderr, "usage: memfold_stencils FILE.c [OBJECT]\n");
        return 2;
    }
    int result = 1;
    if (make(&l, &made, argv[2], &diag) == MF_OK)
        result = write_table(argv[1], &l, &made);
    else
        fprintf(stderr, "memfold_stencils: %s\n", diag.message);
    made_table_fini(&made);
    list_fini(&l);
    return result;
}
