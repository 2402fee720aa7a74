#define _GNU_SOURCE
#include "place.h"

#include "cpu.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PLACE_COUNT 4096

/* Offsets in a place: the code, the fault block, where a stale access goes, the entry. */
#define AT_FAULT 512
#define AT_STALE 576
#define AT_ENTRY 640

static place places = {NULL, NULL};
static size_t taken;

static void open_places(void) {
    size_t size = PLACE_COUNT * PLACE_BYTES;
    int fd = memfd_create("code", 0);
    if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
        abort();
    void *write = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    void *run = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    if (write == MAP_FAILED || run == MAP_FAILED)
        abort();
    close(fd);
    places = (place){write, run};
}

place place_take(void) {
    if (places.write == NULL)
        open_places();
    size_t offset = taken++ % PLACE_COUNT * PLACE_BYTES;
    memset(places.write + offset, 0xcc, PLACE_BYTES);
    return (place){places.write + offset, places.run + offset};
}

/* jmp [rip + 0], and the address */
static void put_exit(const place *p, size_t offset, cpu_exit exit) {
    static const unsigned char JUMP[] = {0xff, 0x25, 0, 0, 0, 0};
    uintptr_t address = cpu_exit_address(exit);
    memcpy(p->write + offset, JUMP, sizeof JUMP);
    memcpy(p->write + offset + sizeof JUMP, &address, sizeof address);
}

static void patch(const place *p, uint32_t field, size_t target) {
    int32_t distance = (int32_t)((int64_t)target - (int64_t)(field + 4));
    memcpy(p->write + field, &distance, sizeof distance);
}

int64_t place_fault_distance(void) {
    return AT_FAULT;
}

void place_finish(const place *p, const mf_inline_result *result) {
    put_exit(p, result->byte_count, CPU_DONE);
    put_exit(p, AT_FAULT, CPU_FAULT);
    put_exit(p, AT_STALE, CPU_STALE);
    for (uint32_t i = 0; i < result->fault_count; i++)
        patch(p, result->fault_fields[i], AT_FAULT);
    if (result->stale_field != 0)
        patch(p, result->stale_field, AT_STALE);
}

const mf_exception_entry *place_register(const place *p, const mf_inline_result *result) {
    mf_exception_entry entry = {
        .fault = (int32_t)result->access_offset - AT_ENTRY,
        .resume = AT_FAULT - (AT_ENTRY + (int32_t)sizeof(int32_t)),
    };
    memcpy(p->write + AT_ENTRY, &entry, sizeof entry);
    const void *run = p->run + AT_ENTRY;
    if (mf_exception_table_register(run, 1, NULL) != MF_OK)
        abort();
    return run;
}

/* A conditional jump with a rel32 has two bytes before it. */
void place_mispredict(const place *p, const mf_inline_result *result) {
    static const unsigned char NOTHING[] = {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00};
    for (uint32_t i = 0; i < result->fault_count; i++) {
        unsigned char *branch = p->write + result->fault_fields[i] - 2;
        if (branch[0] != 0x0f || (branch[1] & 0xf0) != 0x80)
            abort();
        memcpy(branch, NOTHING, sizeof NOTHING);
    }
}
