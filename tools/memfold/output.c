/* Output files: written beside their place, and put there when they are complete. */
#include "output.h"

#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fail_errno(const char *path) {
    fail_print(path, 0, "%s", strerror(errno));
    return false;
}

/* Also reports what went wrong in earlier writes. */
static bool close_stream(FILE *stream) {
    bool failed = ferror(stream) != 0;
    return (fclose(stream) == 0) & !failed;
}

static void close_standard_output(void) {
    errno = 0;
    if (close_stream(stdout))
        return;
    fprintf(stderr, "memfold: standard output: %s\n", errno == 0 ? "write error" : strerror(errno));
    _exit(EXIT_BAD_INPUT);
}

void standard_output_watch(void) {
    atexit(close_standard_output);
}

/* "/a/b/c" -> "/a/b/.memfold-XXXXXX": the same directory, so that rename works, and never a long name. */
static char *temporary_name(const char *target) {
    const char *slash = strrchr(target, '/');
    int directory_bytes = slash == NULL ? 0 : (int)(slash - target + 1);
    char *name;
    return asprintf(&name, "%.*s.memfold-XXXXXX", directory_bytes, target) < 0 ? NULL : name;
}

static mode_t new_file_mode(void) {
    mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

/* Opens a temporary with the mode that the finished file will have. */
static bool open_temporary(output_file *output, mode_t mode) {
    output->temporary = temporary_name(output->target);
    if (output->temporary == NULL)
        return false;
    int descriptor = mkstemp(output->temporary);
    if (descriptor < 0)
        return false;
    if (fchmod(descriptor, mode) == 0 && (output->stream = fdopen(descriptor, "wb")) != NULL)
        return true;
    close(descriptor);
    unlink(output->temporary);
    return false;
}

static bool open_any(output_file *output) {
    struct stat old;
    if (stat(output->path, &old) == 0) {
        if (!S_ISREG(old.st_mode))
            return (output->stream = fopen(output->path, "wb")) != NULL;
        /* A link stays a link, and a file that must not be written is not replaced either. */
        output->target = realpath(output->path, NULL);
        return output->target != NULL && access(output->target, W_OK) == 0 &&
               open_temporary(output, old.st_mode & 07777);
    }
    if (errno != ENOENT)
        return false;
    output->target = strdup(output->path);
    return output->target != NULL && open_temporary(output, new_file_mode());
}

static void forget(output_file *output) {
    free(output->target);
    free(output->temporary);
    *output = (output_file){0};
}

bool output_open(output_file *output, const char *path) {
    *output = (output_file){.path = path};
    if (strcmp(path, STANDARD_STREAM) == 0) {
        output->stream = stdout;
        return true;
    }
    if (open_any(output))
        return true;
    fail_errno(path);
    forget(output);
    return false;
}

bool output_finish(output_file *output) {
    if (output->stream == stdout)
        return true; /* standard_output_watch reports its errors */
    bool done = close_stream(output->stream);
    if (done && output->target != NULL)
        done = rename(output->temporary, output->target) == 0;
    if (!done) {
        fail_errno(output->path);
        if (output->temporary != NULL)
            unlink(output->temporary);
    }
    forget(output);
    return done;
}
