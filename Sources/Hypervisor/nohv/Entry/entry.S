/* The ways into the kernel and out of it. No decisions: each entry saves registers, calls Swift, and goes where it says. */
#define MAGIC1 0x1badb002
#define FLAGS1 0x10003                  /* modules aligned, memory map, addresses given here */
#define MAGIC2 0xe85250d6
#define KERNEL 0x7fffc0000000

/* struct m_registers, m_processor */
#define R_R15 0
#define R_R14 8
#define R_R13 16
#define R_R12 24
#define R_R11 32
#define R_R10 40
#define R_R9 48
#define R_R8 56
#define R_RDI 64
#define R_RSI 72
#define R_RBP 80
#define R_RBX 88
#define R_RDX 96
#define R_RCX 104
#define R_RAX 112
#define R_RIP 136
#define R_RFLAGS 152
#define R_RSP 160
#define V_GUEST 176
#define V_HOST 184
#define P_SCRATCH 8
#define P_STACK 16
#define P_CURRENT 24

/* Entered by multiboot 1 or 2, in protected mode without paging (Multiboot 0.6.96, 3.2). */
        .section .boot, "ax"
        .code32
        .balign 8
multiboot1:
        .long MAGIC1, FLAGS1, -(MAGIC1 + FLAGS1)
        .long multiboot1, load_start, load_end, bss_end, start
        .balign 8
multiboot2:
        .long MAGIC2, 0, multiboot2_end - multiboot2, -(MAGIC2 + (multiboot2_end - multiboot2))
        .short 6, 1                     /* modules aligned to pages */
        .long 8
        .short 0, 0
        .long 8
multiboot2_end:
        .global start
start:  cli
        cld
        mov %eax, %ebp
        mov $boot_stack_top, %esp
        mov $directories, %edi          /* 4 GiB by pages of 2 MiB */
        mov $0x83, %eax
        mov $2048, %ecx
1:      mov %eax, (%edi)
        add $0x200000, %eax
        add $8, %edi
        loop 1b
        mov $low, %edi
        mov $directories + 3, %eax
        mov $4, %ecx
2:      mov %eax, (%edi)
        add $4096, %eax
        add $8, %edi
        loop 2b
        movl $low + 3, m_boot_tables
        movl $low + 3, m_boot_tables + 256 * 8          /* all memory, at 0xffff800000000000 */
        movl $high + 3, m_boot_tables + 255 * 8
        movl $kernel + 3, high + 511 * 8
        mov $kernel, %edi               /* the image, at KERNEL */
        mov $load_start + 0x83, %eax
        mov $16, %ecx
3:      mov %eax, (%edi)
        add $0x200000, %eax
        add $8, %edi
        loop 3b
        mov $m_boot_tables, %eax
        call long_mode
        ljmp $8, $1f
long_mode:                              /* by the page tables in EAX */
        mov %eax, %cr3
        mov $0x6a0, %eax                /* CR4: PAE, PGE, OSFXSR, OSXMMEXCPT */
        mov %eax, %cr4
        mov $0xc0000080, %ecx
        rdmsr
        or $0x901, %eax                 /* EFER: SCE, LME, NXE */
        wrmsr
        mov $0x80010033, %eax           /* CR0: PG, WP, NE, ET, MP, PE */
        mov %eax, %cr0
        lgdt gdt_pointer
        ret
        .code64
1:      call null_segments
        movabs $m_first_stack_end, %rsp
        mov %ebp, %edi
        mov %ebx, %esi
        xor %ebp, %ebp
        movabs $kernel_main, %rax
        call *%rax
        ud2
null_segments:
        xor %eax, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %fs
        mov %eax, %gs
        mov %eax, %ss
        ret

/* Other processors start here in real mode, after this was copied to the page at 0x1000. */
        .code16
        .global m_startup, m_startup_end, m_ap_number, m_ap_stack
m_startup:
        cli
        xor %ax, %ax
        mov %ax, %ds
        lgdtl 0x1000 + startup_pointer - m_startup
        mov %cr0, %eax
        or $1, %eax
        mov %eax, %cr0
        ljmpl $0x18, $startup32
startup_pointer:
        .short gdt_end - gdt - 1
        .long gdt
m_startup_end:
        .code32
startup32:
        mov $0x10, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov $boot_stack_top, %esp       /* one at a time */
        mov $m_boot_tables, %eax
        call long_mode
        ljmp $8, $1f
        .code64
1:      call null_segments
        mov m_ap_number(%rip), %edi
        mov m_ap_stack(%rip), %rsp
        xor %ebp, %ebp
        movabs $kernel_processor, %rax
        call *%rax
        ud2

        .section .boot.data, "aw"
        .balign 16
gdt:    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
gdt_end:
gdt_pointer:
        .short gdt_end - gdt - 1
        .long gdt, 0
m_ap_stack: .quad 0
m_ap_number: .long 0
        .section .boot.bss, "aw", @nobits
        .balign 4096
        .global m_boot_tables
m_boot_tables: .skip 4096
low:    .skip 4096
high:   .skip 4096
kernel: .skip 4096
directories: .skip 16384
boot_stack: .skip 1024
boot_stack_top:

/* Interrupts and exceptions: 256 stubs of 16 bytes. Those with an error code: Intel SDM 3, 6.15. */
        .section .text.entry, "ax"
        .balign 16
        .global m_stubs
m_stubs:
        .set v, 0
        .rept 256
        .balign 16
        .if !(v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21 || v == 29 || v == 30)
        push $0
        .endif
        push $v
        .if v == 2 || v == 8 || v == 18
        jmp fatal
        .else
        jmp interrupt
        .endif
        .set v, v + 1
        .endr
        .balign 16

        .macro push_registers
        push %rax; push %rcx; push %rdx; push %rbx; push %rbp; push %rsi; push %rdi
        push %r8; push %r9; push %r10; push %r11; push %r12; push %r13; push %r14; push %r15
        .endm
        .macro pop_registers
        pop %r15; pop %r14; pop %r13; pop %r12; pop %r11; pop %r10; pop %r9; pop %r8
        pop %rdi; pop %rsi; pop %rbp; pop %rbx; pop %rdx; pop %rcx; pop %rax
        .endm

interrupt:
        testb $3, 24(%rsp)
        jz trap
        swapgs
        push_registers                  /* the stack is the current context's registers */
        cld
        mov %rsp, %rdi
        mov %gs:P_STACK, %rsp
        call kernel_interrupt
        jmp resume
trap:   push_registers                  /* from the kernel: an idle processor's interrupt, or a fault */
        cld
        mov %rsp, %rdi
        mov %rsp, %rbp
        and $-16, %rsp
        call kernel_trap
1:      mov %rbp, %rsp
        pop_registers
        add $16, %rsp
        iretq
fatal:  push_registers                  /* NMI, double fault, machine check: on stacks of their own, GS is anyone's */
        cld
        mov %rsp, %rdi
        mov %rsp, %rbp
        and $-16, %rsp
        call kernel_fatal
        jmp 1b

        .global m_syscall
m_syscall:
        swapgs
        mov %rsp, %gs:P_SCRATCH
        mov %gs:P_CURRENT, %rsp
        mov %r15, R_R15(%rsp); mov %r14, R_R14(%rsp); mov %r13, R_R13(%rsp); mov %r12, R_R12(%rsp)
        mov %r11, R_RFLAGS(%rsp); mov %r10, R_R10(%rsp); mov %r9, R_R9(%rsp); mov %r8, R_R8(%rsp)
        mov %rdi, R_RDI(%rsp); mov %rsi, R_RSI(%rsp); mov %rbp, R_RBP(%rsp); mov %rbx, R_RBX(%rsp)
        mov %rdx, R_RDX(%rsp); mov %rcx, R_RIP(%rsp); mov %rax, R_RAX(%rsp)
        mov %gs:P_SCRATCH, %rax
        mov %rax, R_RSP(%rsp)
        mov %rsp, %rdi
        mov %gs:P_STACK, %rsp
        call kernel_call

/* RAX: 0 back from the call that came, whose callee-saved registers nobody has touched; 1 back from an interrupt; 2 into the
   guest; 3 back from some call. */
resume: mov %gs:P_CURRENT, %rsp
        test %eax, %eax
        jnz 1f
4:      mov R_RFLAGS(%rsp), %r11; mov R_R10(%rsp), %r10; mov R_R9(%rsp), %r9; mov R_R8(%rsp), %r8
        mov R_RDI(%rsp), %rdi; mov R_RSI(%rsp), %rsi; mov R_RDX(%rsp), %rdx; mov R_RIP(%rsp), %rcx
        mov R_RAX(%rsp), %rax
        mov R_RSP(%rsp), %rsp
        swapgs
        sysretq
3:      mov R_R15(%rsp), %r15; mov R_R14(%rsp), %r14; mov R_R13(%rsp), %r13; mov R_R12(%rsp), %r12
        mov R_RBP(%rsp), %rbp; mov R_RBX(%rsp), %rbx
        jmp 4b
1:      cmp $2, %eax
        ja 3b
        je guest
        pop_registers
        add $16, %rsp
        swapgs
        iretq

/* AMD APM 2, 15.5: VMRUN keeps RAX, RSP, RIP and RFLAGS; VMLOAD and VMSAVE the rest but general registers. */
guest:  mov R_R15(%rsp), %r15; mov R_R14(%rsp), %r14; mov R_R13(%rsp), %r13; mov R_R12(%rsp), %r12
        mov R_R11(%rsp), %r11; mov R_R10(%rsp), %r10; mov R_R9(%rsp), %r9; mov R_R8(%rsp), %r8
        mov R_RDI(%rsp), %rdi; mov R_RSI(%rsp), %rsi; mov R_RBP(%rsp), %rbp; mov R_RBX(%rsp), %rbx
        mov R_RDX(%rsp), %rdx; mov R_RCX(%rsp), %rcx
        mov V_GUEST(%rsp), %rax
        clgi
        sti
        vmload
        vmrun
        vmsave
        mov V_HOST(%rsp), %rax
        vmload
        cli
        stgi
        mov %r15, R_R15(%rsp); mov %r14, R_R14(%rsp); mov %r13, R_R13(%rsp); mov %r12, R_R12(%rsp)
        mov %r11, R_R11(%rsp); mov %r10, R_R10(%rsp); mov %r9, R_R9(%rsp); mov %r8, R_R8(%rsp)
        mov %rdi, R_RDI(%rsp); mov %rsi, R_RSI(%rsp); mov %rbp, R_RBP(%rsp); mov %rbx, R_RBX(%rsp)
        mov %rdx, R_RDX(%rsp); mov %rcx, R_RCX(%rsp)
        mov %rsp, %rdi
        mov %gs:P_STACK, %rsp
        call kernel_exit
        jmp resume

        .global m_start
m_start:
        mov %edi, %eax
        jmp resume

        .section .bss.processor, "aw", @nobits
        .balign 4096
        .global m_first_stack_end, m_first_fault_stack_end, m_first_processor
        .skip 16384
m_first_stack_end:
        .skip 4096
m_first_fault_stack_end:
m_first_processor: .skip 8480
        .section .note.GNU-stack, "", @progbits
