#include "flip_run.h"

#include <dlfcn.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ---- Loading ---- */

static bool write_file(const char *path, const void *bytes, size_t byte_count) {
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return false;
    bool is_written = fwrite(bytes, 1, byte_count, file) == byte_count;
    return fclose(file) == 0 && is_written;
}

/* The runtime's entry points are this program's own. */
static bool link_shared(char *from, char *to) {
    char *arguments[] = {"ld", "-shared", "-o", to, from, NULL};
    pid_t process;
    int status = 0;
    if (posix_spawnp(&process, "ld", NULL, NULL, arguments, environ) != 0)
        return false;
    return waitpid(process, &status, 0) == process && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The loader takes a file of the same name for the same object. */
bool load_object(const char *path, const void *bytes, size_t byte_count, const mf_object_note *note,
                 loaded *object) {
    char from[512];
    char to[512];
    char symbol[160];
    static unsigned number;
    snprintf(from, sizeof from, "%s.o", path);
    snprintf(to, sizeof to, "%s.%u.so", path, number++);
    snprintf(symbol, sizeof symbol, "%s_accessors", note->prefix);
    bool is_linked = write_file(from, bytes, byte_count) && link_shared(from, to);
    object->handle = is_linked ? dlopen(to, RTLD_NOW | RTLD_LOCAL) : NULL;
    object->set = object->handle == NULL ? NULL : dlsym(object->handle, symbol);
    if (object->set == NULL)
        printf("cannot load %s: %s\n", to, is_linked ? dlerror() : "it does not link");
    unlink(to);
    return object->set != NULL;
}

void unload_object(loaded *object) {
    dlclose(object->handle);
}

/* ---- Sweeping ---- */

static bool sweep(const loaded *object, const mf_layout *layout, const mf_accessor_options *options,
                  const mf_sweep_request *request, mf_sweep_report *report) {
    const mf_memory_config config = {.backend = options->backend, .huge_pages = MF_HUGE_PAGES_NEVER};
    mf_memory *memory;
    mf_diag diag;
    if (mf_memory_create_with(layout, NULL, &config, &memory, &diag) != MF_OK ||
        mf_sweep_run(memory, object->set, options, request, report, &diag) != MF_OK) {
        printf("cannot sweep: %s\n", diag.message);
        exit(1);
    }
    mf_memory_destroy(memory);
    return report->flaw != MF_SWEEP_NO_FLAW;
}

bool sweep_finds_nothing(const loaded *object, const mf_layout *layout, const mf_accessor_options *options,
                         uint32_t accessors) {
    const mf_sweep_request request = {.accessors = accessors, .samples = 200, .seconds = 2, .processes = 1};
    mf_sweep_report report;
    if (!sweep(object, layout, options, &request, &report))
        return true;
    static char text[2048];
    mf_sweep_print(&report, text, sizeof text);
    fprintf(stderr, "%s\n", text);
    return false;
}

bool sweep_finds_counterexample(const loaded *object, const mf_layout *layout,
                                const mf_accessor_options *options, const mf_verify_result *refuted) {
    const mf_counterexample *at = &refuted->counterexample;
    mf_heap heap = mf_layout_heap(layout);
    mf_sweep_request request = {.is_exhaustive = true,
                                .accessors = UINT32_C(1) << refuted->id,
                                .first = at->index,
                                .end = at->index + 1,
                                .seconds = 2,
                                .processes = 1};
    mf_sweep_report report;
    if (heap.max_pages > 0 && at->heap_end > heap.base)
        request.heap_pages = (uint32_t)((at->heap_end - heap.base) / MF_PAGE_SIZE);
    return sweep(object, layout, options, &request, &report);
}
