/*
 * A guest that has touched little comes out of a pool and goes back without a system call, clones too: the
 * kernel ends the process at the first one. A guest that has changed permissions shows that it would.
 *
 * UNSUPPORTED: sanitizer
 * RUN: %cc -D_GNU_SOURCE %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: copy: 1000 lives without a call
 * CHECK-NEXT: copy, clones: 1000 lives without a call
 * CHECK-NEXT: copy, an image: 1000 lives without a call
 * CHECK-NEXT: copy, an image, clones: 1000 lives without a call
 * CHECK-NEXT: x86_paged: 1000 lives without a call
 * CHECK-NEXT: x86_paged, clones: 1000 lives without a call
 * CHECK-NEXT: x86_paged, an image: 1000 lives without a call
 * CHECK-NEXT: x86_paged, an image, clones: 1000 lives without a call
 * CHECK-NEXT: x86_paged, a change: ended by the kernel
 */
#include "host.h"

#include <memfold/pool.h>

static const char *scene;
static mf_layout *layout;
static mf_image *image;
static mf_pool *pool;
static bool changes;
static mf_memory *prepared; /* what guests are cloned of; NULL: they are taken */

/* Just made of what another guest has left. */
static mf_memory *first;

static void live(mf_memory *memory, uint8_t byte) {
    expect(byte_at(memory, PAGE) == (image != NULL ? 'a' : 0) && byte_at(memory, 63 * PAGE) == 0);
    expect(memory == first || byte_at(memory, 30 * PAGE) == (prepared != NULL ? 'p' : 0));
    expect(mf_memory_fill(memory, PAGE, byte, 5000) && mf_memory_fill(memory, 63 * PAGE, byte, PAGE));
    if (changes)
        expect_ok(mf_memory_protect(memory, PAGE, PAGE, MF_PERM_RO, NULL));
}

/* Only writing and exiting are left. */
static void refuse_all_calls(void) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    expect(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void live_without_calls(void) {
    const mf_memory *kept = first;
    refuse_all_calls();
    live(first, 1);
    mf_pool_give(pool, first);
    first = NULL;
    for (int i = 0; i < 1000; i++) {
        mf_memory *memory;
        if ((prepared != NULL ? mf_pool_clone(pool, prepared, &memory, NULL)
                              : mf_pool_take(pool, layout, image, &memory, NULL)) != MF_OK)
            _exit(2);
        expect(memory == kept);
        live(memory, (uint8_t)(i + 1));
        mf_pool_give(pool, memory);
    }
}

/* The memory is another guest's first, which has an image and changes permissions. */
static void use_otherwise(void) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *others;
    mf_image *bytes;
    mf_memory *memory;
    expect_ok(mf_layout_builder_map_region(builder, 32 * PAGE, 16 * PAGE, MF_READ_ONLY, "other", 5, NULL));
    expect_ok(mf_layout_builder_finish(builder, &others, &bytes, NULL));
    mf_layout_builder_destroy(builder);
    expect_ok(mf_pool_take(pool, others, bytes, &memory, NULL));
    expect_ok(mf_memory_unmap(memory, 32 * PAGE, 8 * PAGE, NULL));
    mf_pool_give(pool, memory);
    mf_layout_release(others);
    mf_image_release(bytes);
}

static void run(bool clones) {
    mf_pool_config config = {.memory = &(mf_memory_config){.backend = backend}};
    expect_ok(mf_pool_create(&config, &pool, NULL));
    use_otherwise();
    expect_ok(mf_pool_take(pool, layout, image, &first, NULL));
    expect(mf_pool_count(pool).memories == 0);
    if (clones) {
        expect_ok(mf_pool_take(pool, layout, image, &prepared, NULL));
        expect(mf_memory_fill(prepared, 30 * PAGE, 'p', 5000));
    }
    int status = in_child(live_without_calls);
    bool is_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
    expect(status == 0 || is_killed);
    printf("%s%s%s: %s\n", backend == MF_BACKEND_COPY ? "copy" : "x86_paged", scene, clones ? ", clones" : "",
           is_killed ? "ended by the kernel" : "1000 lives without a call");
    mf_memory_destroy(first);
    mf_memory_destroy(prepared);
    prepared = NULL;
    mf_pool_destroy(pool);
}

/* 64 pages on either backend; the image is in some of them. */
static void make_guest(bool has_image) {
    mf_layout_builder *builder = mf_layout_builder_create();
    static char bytes[20 * MF_PAGE_SIZE];
    memset(bytes, 'a', sizeof bytes);
    expect_ok(mf_layout_builder_map_region(builder, 0, 64 * PAGE, MF_READ_WRITE, NULL, 0, NULL));
    if (has_image)
        expect_ok(mf_layout_builder_set_bytes(builder, 0, bytes, sizeof bytes, NULL));
    expect_ok(mf_layout_builder_finish(builder, &layout, has_image ? &image : NULL, NULL));
    mf_layout_builder_destroy(builder);
}

int main(void) {
    for (size_t b = 0; b < BACKEND_COUNT; b++) {
        backend = BACKENDS[b].backend;
        for (int with_image = 0; with_image < 2; with_image++) {
            scene = with_image ? ", an image" : "";
            make_guest(with_image != 0);
            run(false);
            run(true);
            mf_layout_release(layout);
            mf_image_release(image);
            image = NULL;
        }
    }
    scene = ", a change";
    changes = true;
    make_guest(false);
    run(false);
    mf_layout_release(layout);
    return 0;
}
