/* Where the kernel, and callers, enter a program. */
        .text
        .global _start, h_portal_entry, h_thread_entry, h_thread_end, h_echo, h_spin
/* The root task: RDI is the processor, RSP the information page's address. */
_start: mov %rsp, %rsi
        lea stack_end(%rip), %rsp
        xor %ebp, %ebp
        call user_main
        ud2
/* A portal: RDI is its id; at the stack's top is the address of the handler's message block. */
h_portal_entry:
        mov (%rsp), %rsi
        cld
        call user_portal
        mov $1, %edi
        syscall
        ud2
/* A portal that replies at once. */
h_echo: mov $1, %edi
        syscall
        ud2
/* One that does not. */
h_spin: pause
        jmp h_spin
/* A thread of its own: at the stack's top is its argument. */
h_thread_entry:
        mov (%rsp), %rdi
        cld
        call user_thread
        ud2
/* The same with all bits set for an argument: where a thread that cannot go on is sent. */
h_thread_end:
        mov $-1, %rdi
        and $-16, %rsp
        call user_thread
        ud2
        .bss
        .balign 4096
        .skip 65536
stack_end:
        .section .note.GNU-stack, "", @progbits
