// An object that is cut short at any length, or has bytes behind its end, is refused with a reason.
//
// RUN: %cc %s -o %t %verify
// RUN: %memfold emit %inputs/window.yaml --emit=obj -o %t.window
// RUN: %memfold emit %inputs/window.yaml --backend=paged --on-fault=return --emit=obj -o %t.paged
// RUN: %t %t.window %t.paged | FileCheck %s
//
// CHECK: window: {{([0-9]+) of \1 lengths}} refused, and 1 byte more
// CHECK: paged: {{([0-9]+) of \1 lengths}} refused, and 1 byte more
#include <memfold/object.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Only as much memory as the length has, so that a sanitizer sees what is read behind it. */
static bool is_refused(const char *bytes, size_t length, const mf_layout *layout) {
    static mf_verify_report report;
    mf_object_note note;
    mf_diag of_note = {0};
    mf_diag of_object = {0};
    char *cut = malloc(length + 1);
    if (cut == NULL)
        exit(1);
    memcpy(cut + 1, bytes, length);
    bool is_cut =
        mf_object_note_read(cut + 1, length, &note, &of_note) == MF_BAD_INPUT &&
        mf_verify_object(cut + 1, length, layout, NULL, NULL, &note, &report, &of_object) == MF_BAD_INPUT;
    free(cut);
    return is_cut && of_note.message[0] != '\0' && strcmp(of_note.message, of_object.message) == 0;
}

static void try_lengths(const char *path, const mf_layout *layout) {
    static char bytes[1 << 16];
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        exit(1);
    size_t count = fread(bytes, 1, sizeof bytes - 1, file);
    fclose(file);
    size_t refused = 0;
    for (size_t length = 0; length < count; length++)
        refused += is_refused(bytes, length, layout);
    bytes[count] = 1;
    printf("%s: %zu of %zu lengths refused, and %d byte more\n", strrchr(path, '.') + 1, refused, count,
           is_refused(bytes, count + 1, layout));
}

int main(int argc, char **argv) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    if (mf_layout_builder_map_region(builder, 0x20000, 0x8000, MF_READ_WRITE, NULL, 0, NULL) != MF_OK ||
        mf_layout_builder_finish(builder, &layout, NULL, NULL) != MF_OK)
        return 1;
    for (int i = 1; i < argc; i++)
        try_lengths(argv[i], layout);
    mf_layout_release(layout);
    mf_layout_builder_destroy(builder);
    return 0;
}
