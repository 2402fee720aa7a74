/*
 * From the PVH entry (32-bit, paging off) to C in the upper half, where nothing is mapped below 2^47:
 *
 *   0xffff800000000000   the first GiB of physical memory: the direct map
 *   0xffffffff80000000   the same GiB: the kernel's text and data
 */
#define HIGH 0xffffffff80000000
#define PHYS(symbol) ((symbol) - HIGH)

/* Null, but for the stack's. */
        .macro  load_data_segments
        xorl    %eax, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %gs
        movl    $0x10, %eax
        movl    %eax, %ss
        .endm

        .section .note.pvh, "a", @note
        .long   4, 4, 18                /* XEN_ELFNOTE_PHYS32_ENTRY */
        .asciz  "Xen"
        .long   PHYS(start)

        .section .boot, "ax"
        .code32
        .globl  start
start:
        cli
        movl    $PHYS(boot_stack_end), %esp
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
        movl    $0x8001000d, %eax       /* CR0.PG, WP, TS, EM, PE: every use of the FPU is an exception */
        movl    %eax, %cr0
        lgdt    PHYS(boot_gdt_pointer)
        ljmp    $8, $PHYS(start64)

        .code64
start64:
        movabsq $start_high, %rax
        jmp     *%rax

        .text
start_high:
        load_data_segments
        leaq    boot_stack_end(%rip), %rsp
        movq    $0, level4(%rip)        /* the lower half is empty */
        movq    %cr3, %rax
        movq    %rax, %cr3
        call    kernel_start
        hlt

/*
 * The second CPU, from real mode at physical 0x8000, where the kernel has copied this, straight into long
 * mode; the kernel maps the first GiB at 0 for this long.
 */
        .section .boot, "ax"
        .code16
        .globl  second_start, second_end
second_start:
        cli
        movl    $0x20, %eax
        movl    %eax, %cr4
        movl    $PHYS(level4), %eax
        movl    %eax, %cr3
        movl    $0xc0000080, %ecx
        movl    $0x900, %eax
        xorl    %edx, %edx
        wrmsr
        lgdtl   0x8000 + 2f - second_start
        movl    $0x8001000d, %eax
        movl    %eax, %cr0
        ljmpl   $8, $PHYS(1f)
2:      .word   23
        .long   PHYS(boot_gdt)
second_end:

        .code64
1:      movabsq $second_high, %rax
        jmp     *%rax

        .text
second_high:
        load_data_segments
        leaq    second_stack_end(%rip), %rsp
        call    kernel_second_start
        hlt

        .section .rodata
        .balign 8
boot_gdt:
        .quad   0, 0x00af9b000000ffff, 0x00cf93000000ffff
boot_gdt_pointer:
        .word   23
        .quad   PHYS(boot_gdt)

        .bss
        .balign 4096
        .globl  level4
level4: .skip   4096
        .globl  level3_low, level2_devices
level3_low: .skip 4096
level2_devices: .skip 4096
level3_high: .skip 4096
level2: .skip   4096
        .globl  boot_stack_end
        .skip   131072
boot_stack_end:
        .skip   65536
second_stack_end:

/* What every vector but 14 does: the exception is named and the machine stops. */
        .text
        .macro  entry vector, has_code
        .balign 16
        .if     \has_code == 0
        pushq   $0
        .endif
        pushq   $\vector
        jmp     any_exception
        .endm
        .balign 16
        .globl  exception_entries
exception_entries:
        .irp    v, 0,1,2,3,4,5,6,7
        entry   \v, 0
        .endr
        entry   8, 1
        entry   9, 0
        .irp    v, 10,11,12,13,14
        entry   \v, 1
        .endr
        .irp    v, 15,16
        entry   \v, 0
        .endr
        entry   17, 1
        .irp    v, 18,19,20
        entry   \v, 0
        .endr
        entry   21, 1
        .irp    v, 22,23,24,25,26,27,28,29,30,31
        entry   \v, 0
        .endr
any_exception:
        movq    %rsp, %rdi
        andq    $-16, %rsp
        cld
        call    kernel_exception

/* The timer's interrupt: counts, and tells the interrupt controller. */
        .globl  timer_entry
timer_entry:
        pushq   %rax
        incq    timer_ticks(%rip)
        movb    $0x20, %al
        outb    %al, $0x20
        popq    %rax
        iretq

/* Another CPU asks for a shootdown. */
        .globl  shootdown_entry
shootdown_entry:
        pushq   %rax
        pushq   %rcx
        pushq   %rdx
        pushq   %rsi
        pushq   %rdi
        pushq   %r8
        pushq   %r9
        pushq   %r10
        pushq   %r11
        pushfq
        andq    $~0x40000, (%rsp)
        popfq
        cld
        call    kernel_shootdown_asked
        popq    %r11
        popq    %r10
        popq    %r9
        popq    %r8
        popq    %rdi
        popq    %rsi
        popq    %rdx
        popq    %rcx
        popq    %rax
        iretq

/* A page fault in a kernel whose GS is its own: what ring 3 had there is swapped, and back for ring 3 only. */
        .globl  kernel_page_fault_entry
kernel_page_fault_entry:
        testb   $3, 16(%rsp)
        jz      1f
        swapgs
1:      .irp    r, rax,rcx,rdx,rbx,rbp,rsi,rdi,r8,r9,r10,r11,r12,r13,r14,r15
        pushq   %\r
        .endr
        movq    %rsp, %rdi
        movq    %cr2, %rsi
        pushfq
        andq    $~0x40000, (%rsp)
        popfq
        cld
        subq    $8, %rsp
        call    kernel_page_fault
        addq    $8, %rsp
        .irp    r, r15,r14,r13,r12,r11,r10,r9,r8,rdi,rsi,rbp,rbx,rdx,rcx,rax
        popq    %\r
        .endr
        addq    $8, %rsp
        testb   $3, 8(%rsp)
        jz      2f
        swapgs
2:      iretq

        .section .note.GNU-stack, "", @progbits
