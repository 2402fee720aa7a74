/*
 * Prints what a layout file says: layout_print [--yaml|--elf] FILE [ADDRESS COUNT]...
 * The pairs are guest bytes to show. Errors go to standard error as "file:line:column: message (status)".
 */
#include <memfold/layout_file.h>
#include <memfold/memory.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *access_name(mf_access access) {
    return access == MF_READ_WRITE ? "rw" : "ro";
}

static void print_layout(const mf_layout_file *file) {
    printf("name: %s\n", file->name);
    for (size_t i = 0; i < file->region_count; i++) {
        const mf_named_region *named = &file->regions[i];
        printf("region '%s': 0x%" PRIx64 " 0x%" PRIx64 " %s\n", named->name, named->region.start,
               named->region.size, access_name(named->region.access));
    }
    for (size_t i = 0; i < mf_layout_region_count(file->layout); i++) {
        mf_region run = mf_layout_region(file->layout, i);
        printf("run: 0x%" PRIx64 " 0x%" PRIx64 " %s\n", run.start, run.size, access_name(run.access));
    }
    mf_heap heap = mf_layout_heap(file->layout);
    printf("heap: 0x%" PRIx32 " %" PRIu32 "\n", heap.base, heap.max_pages);
}

static int print_bytes(mf_memory *memory, uint32_t address, size_t count) {
    unsigned char bytes[256];
    if (count > sizeof bytes || !mf_memory_read(memory, address, bytes, count)) {
        printf("bytes 0x%" PRIx32 ": cannot be read\n", address);
        return 1;
    }
    printf("bytes 0x%" PRIx32 ":", address);
    for (size_t i = 0; i < count; i++)
        printf(" %02x", bytes[i]);
    printf("\n");
    return 0;
}

static int print_all_bytes(const mf_layout_file *file, char **arguments) {
    mf_memory *memory = NULL;
    if (!arguments[0])
        return 0;
    if (mf_memory_create(file->layout, file->image, MF_BACKEND_COPY, &memory, NULL) != MF_OK)
        return 1;
    int result = 0;
    for (size_t i = 0; arguments[i] && arguments[i + 1]; i += 2)
        result |=
            print_bytes(memory, (uint32_t)strtoul(arguments[i], NULL, 0), strtoul(arguments[i + 1], NULL, 0));
    mf_memory_destroy(memory);
    return result;
}

/* A failure writes nothing to the result, and says the same without a diagnostic. */
static int print_failure(const char *path, mf_layout_format format, const mf_layout_file *file,
                         const mf_diag *diag) {
    static const mf_layout_file untouched = {0};
    char text[2048];
    mf_diag_print(diag, text, sizeof text);
    fprintf(stderr, "%s (%s)\n", text, mf_status_name(diag->status));
    if (memcmp(file, &untouched, sizeof untouched) != 0)
        fprintf(stderr, "the result was written\n");
    mf_layout_file again = {0};
    if (strcmp(path, "-") != 0 && mf_layout_file_read(path, format, &again, NULL) != diag->status)
        fprintf(stderr, "another status without a diagnostic\n");
    return 1;
}

int main(int argc, char **argv) {
    mf_layout_format format = MF_FORMAT_AUTO;
    if (argc > 1 && strcmp(argv[1], "--yaml") == 0)
        format = MF_FORMAT_YAML;
    if (argc > 1 && strcmp(argv[1], "--elf") == 0)
        format = MF_FORMAT_ELF;
    char **arguments = argv + (format == MF_FORMAT_AUTO ? 1 : 2);
    mf_layout_file file = {0};
    mf_diag diag = {0};
    if (mf_layout_file_read(arguments[0], format, &file, &diag) != MF_OK)
        return print_failure(arguments[0], format, &file, &diag);
    print_layout(&file);
    int result = print_all_bytes(&file, arguments + 1);
    mf_layout_file_fini(&file);
    mf_layout_file_fini(&file);
    return result;
}
