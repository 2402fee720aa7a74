#include "layout/source.h"

#include "layout/contents.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define YAML_MAX_BYTES (UINT64_C(16) << 20)
#define FIRST_CAPACITY_BYTES (UINT64_C(64) << 10)

typedef struct reading {
    int fd;
    const char *subject;
    uint64_t known_bytes; /* size of a regular file, 0 if not known */
    source *source;
    uint64_t capacity_bytes;
    mf_diag *diag;
} reading;

static mf_status fail_reason(const reading *r, const char *reason) {
    return mf_diag_set(r->diag, MF_IO, 0, "%s cannot be read: %s", r->subject, reason);
}

static mf_status fail_errno(const reading *r, int error) {
    char storage[128];
    return fail_reason(r, strerror_r(error, storage, sizeof storage));
}

static mf_status fail_limit(const reading *r, source_limit limit) {
    return mf_diag_set(r->diag, MF_BAD_INPUT, limit.bytes, "%s has more than %" PRIu64 " bytes, %s",
                       r->subject, limit.bytes, limit.reason);
}

/* O_NONBLOCK keeps the open of a FIFO without a writer from waiting; it means nothing to a regular file. */
static mf_status open_regular(reading *r, const char *path) {
    r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (r->fd < 0)
        return fail_errno(r, errno);
    struct stat file;
    if (fstat(r->fd, &file) != 0)
        return fail_errno(r, errno);
    if (S_ISDIR(file.st_mode))
        return fail_errno(r, EISDIR);
    if (!S_ISREG(file.st_mode))
        return fail_reason(r, "Not a regular file");
    r->known_bytes = (uint64_t)file.st_size;
    return MF_OK;
}

/* Room for at least one more byte: for the whole file if its size is known, doubled otherwise. */
static mf_status grow(reading *r, uint64_t goal_bytes) {
    uint64_t known_bytes = r->known_bytes < goal_bytes ? r->known_bytes + 1 : goal_bytes;
    uint64_t capacity_bytes = 2 * r->capacity_bytes;
    if (capacity_bytes < known_bytes)
        capacity_bytes = known_bytes;
    if (capacity_bytes < FIRST_CAPACITY_BYTES)
        capacity_bytes = FIRST_CAPACITY_BYTES;
    unsigned char *grown = realloc(r->source->bytes, capacity_bytes);
    if (grown == NULL)
        return diag_out_of_memory(r->diag);
    r->source->bytes = grown;
    r->capacity_bytes = capacity_bytes;
    return MF_OK;
}

/* Reads until there are `goal_bytes` or the file ends. */
static mf_status read_up_to(reading *r, uint64_t goal_bytes) {
    source *s = r->source;
    while (s->byte_count < goal_bytes) {
        mf_status status = s->byte_count < r->capacity_bytes ? MF_OK : grow(r, goal_bytes);
        if (status != MF_OK)
            return status;
        uint64_t end = goal_bytes < r->capacity_bytes ? goal_bytes : r->capacity_bytes;
        ssize_t got = read(r->fd, s->bytes + s->byte_count, end - s->byte_count);
        if (got == 0)
            return MF_OK;
        if (got < 0 && errno != EINTR)
            return fail_errno(r, errno);
        if (got > 0)
            s->byte_count += (size_t)got;
    }
    return MF_OK;
}

static mf_status read_within(reading *r, source_limit limit) {
    if (r->known_bytes > limit.bytes)
        return fail_limit(r, limit);
    mf_status status = read_up_to(r, limit.bytes + 1);
    if (status == MF_OK && r->source->byte_count > limit.bytes)
        return fail_limit(r, limit);
    return status;
}

static mf_status read_layout(reading *r, mf_layout_format format) {
    mf_status status = read_up_to(r, SELFMAG);
    if (status != MF_OK)
        return status;
    if (format == MF_FORMAT_AUTO)
        format = source_is_elf(r->source) ? MF_FORMAT_ELF : MF_FORMAT_YAML;
    r->source->format = format;
    if (format == MF_FORMAT_ELF)
        return read_within(r, (source_limit){FILE_MAX_CONTENT_BYTES, "the limit of ELF files"});
    return read_within(r, (source_limit){YAML_MAX_BYTES, "the limit of YAML files"});
}

mf_status source_read(const char *path, mf_layout_format format, source *s, mf_diag *diag) {
    *s = (source){0};
    bool is_stdin = strcmp(path, STDIN_PATH) == 0;
    reading r = {.fd = STDIN_FILENO, .subject = "the file", .source = s, .diag = diag};
    mf_status status = is_stdin ? MF_OK : open_regular(&r, path);
    if (status == MF_OK)
        status = read_layout(&r, format);
    if (!is_stdin && r.fd >= 0)
        close(r.fd);
    return status;
}

mf_status source_read_init(const char *path, const char *subject, source_limit limit, source *s,
                           mf_diag *diag) {
    *s = (source){0};
    reading r = {.subject = subject, .source = s, .diag = diag};
    mf_status status = open_regular(&r, path);
    if (status == MF_OK)
        status = read_within(&r, limit);
    if (r.fd >= 0)
        close(r.fd);
    return status;
}

void source_fini(source *s) {
    free(s->bytes);
    *s = (source){0};
}

bool source_is_elf(const source *source) {
    return source->byte_count >= SELFMAG && memcmp(source->bytes, ELFMAG, SELFMAG) == 0;
}
