/*
 * A counterexample as text: registers, the view, permissions that matter, bytes, what the code does and what
 * the contract says. A buffer that is too small gets what fits.
 *
 * RUN: %cc -D_GNU_SOURCE -I%source/gen -I%S/lib %s -o %t %verify %gen && %t | FileCheck %s
 *
 * CHECK: load_u32   refuted
 * CHECK-NEXT: {{^}}    rax 0x{{[0-9a-f]+}}  rcx 0x{{[0-9a-f]+}}  rdx 0x{{[0-9a-f]+}}  rbx 0x{{[0-9a-f]+$}}
 * CHECK-NEXT: {{^}}    rsp 0x{{[0-9a-f]+}}8  rbp 0x{{[0-9a-f]+}}  rsi 0x{{[0-9a-f]+}}  rdi 0x{{[0-9a-f]+$}}
 * CHECK-NEXT: {{^}}    r8  0x{{.*}}  r11 0x{{[0-9a-f]+$}}
 * CHECK-NEXT: {{^}}    r12 0x{{.*}}  r15 0x{{[0-9a-f]+$}}
 * CHECK-NEXT: {{^}}    view: base 0x{{[0-9a-f]+}}, heap_end 0x0, layout_stamp 0x{{[0-9a-f]+$}}
 * CHECK-NEXT: {{^}}    index 0x{{2[01][0-9a-f]+}}, bytes {{[0-9a-f ]+$}}
 * CHECK-NEXT: {{^}}    code:     goes on although the access is not allowed: loads 4 bytes at 0x{{[0-9a-f]+}}, returns rax 0x{{[0-9a-f]+}}, rdx 0x{{[0-9a-f]+$}}
 * CHECK-NEXT: {{^}}    contract: not allowed: nothing is accessed, and mf_rt_fault gets (view, 0x{{[0-9a-f]+}}, 0x8, 0x0){{$}}
 * CHECK-NEXT: the permission table: {{.*}} page 0x{{[0-9a-f]+}} {{none|ro|rw}}
 * CHECK-NEXT: cut to: load_u
 */
#include "written.h"

#include <string.h>

/* What is found of one accessor that is made for one layout and options, and held to others. */
static mf_verify_result find(const scene *made, const mf_accessor_options *made_options, const scene *held,
                             const mf_accessor_options *held_options, mf_accessor_id id) {
    static mf_verify_report report;
    mf_layout *made_layout = scene_layout(made);
    mf_layout *held_layout = scene_layout(held);
    written code;
    written_init(&code, made_layout, made_options);
    scene_must(mf_verify_accessors(held_layout, held_options, &code.subject, NULL, &report, NULL) == MF_OK,
               "mf_verify_accessors");
    written_fini(&code);
    mf_layout_release(made_layout);
    mf_layout_release(held_layout);
    return report.results[id];
}

int main(void) {
    const scene two_pages = {.regions = {{0x20000, 0x2000, MF_READ_WRITE}}};
    const scene one_page = {.regions = {{0x20000, 0x1000, MF_READ_WRITE}}};
    const mf_accessor_options plain = {0};
    const mf_accessor_options perms = {.strategy = MF_STRATEGY_PERM_TABLE};
    const mf_accessor_options big = {.strategy = MF_STRATEGY_PERM_TABLE, .endian = MF_BIG_ENDIAN};
    char text[2048];
    char small[7];
    mf_verify_result result = find(&two_pages, &plain, &one_page, &plain, MF_LOAD_U32);
    size_t length = mf_verify_print(&result, text, sizeof text);
    scene_must(length == strlen(text) && length == mf_verify_print(&result, NULL, 0), "the length");
    puts(text);
    mf_verify_result swapped = find(&one_page, &perms, &one_page, &big, MF_LOAD_U16);
    mf_verify_print(&swapped, text, sizeof text);
    char *pages = strstr(text, "permissions:");
    scene_must(pages != NULL, "pages");
    printf("the permission table: %.*s\n", (int)strcspn(pages, "\n"), pages);
    scene_must(mf_verify_print(&result, small, sizeof small) == length, "the length");
    printf("cut to: %s\n", small);
    return 0;
}
