/*
 * From the PVH entry (32-bit, paging off), where QEMU and other machines start a kernel, to C in the upper half:
 *
 *   0xffff800000000000   the first GiB of physical memory: the direct map
 *   0xffffffff80000000   the same GiB: the kernel's text and data
 */
#define HIGH 0xffffffff80000000
#define PHYS(symbol) ((symbol) - HIGH)

        .section .note.pvh, "a", @note
        .long   4, 4, 18                /* XEN_ELFNOTE_PHYS32_ENTRY */
        .asciz  "Xen"
        .long   PHYS(start)

        .section .boot, "ax"
        .code32
        .globl  start
start:
        cli
        movl    $PHYS(level2), %edi     /* 512 huge pages, present and writable */
        movl    $0x83, %eax
        movl    $512, %ecx
1:      movl    %eax, (%edi)
        addl    $0x200000, %eax
        addl    $8, %edi
        loop    1b
        movl    $PHYS(level2) + 3, PHYS(level3_low)
        movl    $PHYS(level2) + 3, PHYS(level3_high) + 510 * 8
        movl    $PHYS(level3_low) + 3, PHYS(level4)
        movl    $PHYS(level3_low) + 3, PHYS(level4) + 256 * 8
        movl    $PHYS(level3_high) + 3, PHYS(level4) + 511 * 8
        movl    $PHYS(level4), %eax
        movl    %eax, %cr3
        movl    $0x20, %eax             /* CR4.PAE */
        movl    %eax, %cr4
        movl    $0xc0000080, %ecx       /* EFER.LME and NXE */
        movl    $0x900, %eax
        xorl    %edx, %edx
        wrmsr
        movl    $0x80010001, %eax       /* CR0.PG, WP, PE */
        movl    %eax, %cr0
        lgdt    PHYS(gdt_pointer)
        ljmp    $8, $PHYS(start64)

        .code64
start64:
        movabsq $start_high, %rax
        jmp     *%rax

        .text
start_high:
        xorl    %eax, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        leaq    stack_end(%rip), %rsp
        lgdt    gdt_pointer_high(%rip)
        movq    $0, level4(%rip)        /* the lower half is the guests' */
        movq    %cr3, %rax
        movq    %rax, %cr3
        call    kernel_main
        hlt

        .section .rodata
        .balign 8
gdt:    .quad   0, 0x00af9b000000ffff
gdt_pointer:
        .word   15
        .quad   PHYS(gdt)
gdt_pointer_high:
        .word   15
        .quad   gdt

        .bss
        .balign 4096
        .globl  level4
level4: .skip   4096
level3_low: .skip 4096
level3_high: .skip 4096
level2: .skip   4096
        .skip   65536
stack_end:

        .section .note.GNU-stack, "", @progbits
