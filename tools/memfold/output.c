/* Output files: written beside their place, and put there when they are complete. */
#include "output.h"

#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
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

void standard_streams_watch(void) {
    for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++)
        if (fcntl(stream, F_GETFD) < 0)
            (void)!open("/", O_PATH);
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

/* ---- Signals that end the command ---- */

static const int ending_signals[] = {SIGHUP, SIGINT, SIGTERM, SIGXCPU, SIGXFSZ};
#define ENDING_COUNT (sizeof ending_signals / sizeof ending_signals[0])

/* The temporary that such a signal removes, or NULL. Changed while they are blocked. */
static const char *volatile unfinished;

static void remove_unfinished(int number) {
    if (unfinished != NULL)
        unlink(unfinished);
    raise(number); /* the handler is gone by SA_RESETHAND: the signal ends the process when this returns */
}

static void block_endings(sigset_t *old) {
    sigset_t endings;
    sigemptyset(&endings);
    for (size_t i = 0; i < ENDING_COUNT; i++)
        sigaddset(&endings, ending_signals[i]);
    sigprocmask(SIG_BLOCK, &endings, old);
}

/* A signal that the user has set to be ignored stays ignored. */
static void watch_endings(void) {
    for (size_t i = 0; i < ENDING_COUNT; i++) {
        struct sigaction old;
        struct sigaction action = {.sa_handler = remove_unfinished, .sa_flags = (int)SA_RESETHAND};
        if (sigaction(ending_signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
            sigaction(ending_signals[i], &action, NULL);
    }
}

/* ---- Opening ---- */

/* The file's mode and owner as far as that is allowed; whoever could not read the old file cannot read the
 * new. */
static bool take_over(int descriptor, const struct stat *old) {
    mode_t mode = old->st_mode & 0777; /* no set-ID bit: the content is another */
    if (fchown(descriptor, (uid_t)-1, old->st_gid) != 0)
        mode &= ~(mode_t)070;
    if (old->st_uid != geteuid())
        (void)!fchown(descriptor, old->st_uid, (gid_t)-1);
    return fchmod(descriptor, mode) == 0;
}

/* Opens a temporary with the mode that the finished file will have: that of `old`, or of a new file if NULL.
 */
static bool open_temporary(output_file *output, const struct stat *old) {
    output->temporary = temporary_name(output->target);
    if (output->temporary == NULL)
        return false;
    sigset_t mask;
    watch_endings();
    block_endings(&mask);
    int descriptor = mkostemp(output->temporary, O_CLOEXEC);
    if (descriptor >= 0)
        unfinished = output->temporary;
    sigprocmask(SIG_SETMASK, &mask, NULL);
    if (descriptor < 0)
        return false;
    bool has_mode = old == NULL ? fchmod(descriptor, new_file_mode()) == 0 : take_over(descriptor, old);
    if (has_mode && (output->stream = fdopen(descriptor, "wb")) != NULL)
        return true;
    close(descriptor);
    unfinished = NULL;
    unlink(output->temporary);
    return false;
}

/* Not replaced and not made: what stands there is written. */
static bool open_directly(output_file *output) {
    int descriptor = open(output->path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    output->stream = fdopen(descriptor, "wb");
    if (output->stream == NULL)
        close(descriptor);
    return output->stream != NULL;
}

/* /dev/stdout may lead to a regular file, of which the command has only the descriptor's part. */
static bool is_standard_output(const struct stat *file) {
    struct stat standard;
    return fstat(STDOUT_FILENO, &standard) == 0 && standard.st_dev == file->st_dev &&
           standard.st_ino == file->st_ino;
}

static bool open_existing(output_file *output, const struct stat *old) {
    if (S_ISREG(old->st_mode) && is_standard_output(old)) {
        output->stream = stdout;
        return true;
    }
    if (!S_ISREG(old->st_mode))
        return open_directly(output);
    /* A link stays a link, and a file that must not be written is not replaced either. */
    output->target = realpath(output->path, NULL);
    return output->target != NULL && access(output->target, W_OK) == 0 && open_temporary(output, old);
}

/* A link that leads nowhere is not replaced, and what it names is not made. */
static bool open_any(output_file *output) {
    struct stat old;
    if (stat(output->path, &old) == 0)
        return open_existing(output, &old);
    if (errno != ENOENT)
        return false;
    if (lstat(output->path, &old) == 0) {
        errno = ENOENT;
        return false;
    }
    output->target = strdup(output->path);
    return output->target != NULL && open_temporary(output, NULL);
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

/* From the rename on the temporary's name is nobody's. */
static bool put_in_place(const output_file *output) {
    sigset_t mask;
    block_endings(&mask);
    bool done = rename(output->temporary, output->target) == 0;
    int error = errno;
    if (!done)
        unlink(output->temporary);
    unfinished = NULL;
    sigprocmask(SIG_SETMASK, &mask, NULL);
    errno = error;
    return done;
}

static void remove_temporary(const output_file *output) {
    int error = errno;
    unlink(output->temporary);
    unfinished = NULL;
    errno = error;
}

bool output_finish(output_file *output) {
    if (output->stream == stdout)
        return true; /* standard_streams_watch reports its errors */
    bool done = close_stream(output->stream);
    if (output->target != NULL && !done)
        remove_temporary(output);
    if (output->target != NULL && done)
        done = put_in_place(output);
    if (!done)
        fail_errno(output->path);
    forget(output);
    return done;
}
