// What entry.S and Swift both know: frames, a processor's own block, and symbols of the image.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "instructions.h"

// What an entry saves, at offset 0 of each execution context. The hardware pushes the last five (Intel SDM 3, 6.14).
struct m_registers {
  uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax, vector, error, rip, cs, rflags, rsp, ss;
};

// After them, for VMRUN: physical addresses of the guest's VMCB and of the host's (AMD APM 2, 15.5).
struct m_virtual { uint64_t guest, host; };

// The task state, of which RSP 0 is words 1 and 2, IST 1 words 9 and 10, and the bitmap's offset the upper half of word 25
// (Intel SDM 3, 7.7).
struct m_tss { uint32_t words[26]; uint8_t bitmap[8192 + 8]; };

// One for each processor; GS points to it while the kernel runs.
struct m_processor {
  uint64_t self, scratch, stack, current;
  uint64_t scheduling, scheduler;       // what runs, and where its queues are
  uint64_t since;                       // when `current` began to run
  uint32_t number, apic, hazard, flush; // flush: others ask for it, until it is done
  uint32_t links, ports;                // links from the scheduling context's own context to `current`
  uint64_t floating;                    // whose floating-point state the registers have
  uint64_t bit;                         // 1 << number
  uint64_t gdt[8];
  struct m_tss tss;
};

_Static_assert(sizeof(struct m_registers) == 176, "registers");
_Static_assert(offsetof(struct m_tss, bitmap) == 104, "tss");
_Static_assert(offsetof(struct m_processor, hazard) == 64 && sizeof(struct m_processor) <= 8480, "processor");

M struct m_processor *_Nonnull m_processor(void) { struct m_processor *p; __asm__("mov %%gs:0, %0" : "=r"(p)); return p; }
M uint32_t m_hazard(void) { uint32_t v; __asm__ volatile("mov %%gs:64, %0" : "=r"(v)); return v; }
M uint64_t m_current(void) { uint64_t v; __asm__ volatile("mov %%gs:24, %0" : "=r"(v)); return v; }

// Without volatile, so that it is read once for several uses.
M void m_set_current(uint64_t context) {
  struct m_processor *p = m_processor();
  p->current = context;
  __builtin_memcpy(&p->tss.words[1], &(uint64_t){context + sizeof(struct m_registers)}, 8);
}
M void m_set_fault_stack(struct m_processor *_Nonnull p, uint64_t stack) { __builtin_memcpy(&p->tss.words[9], &stack, 8); }
M void m_set_ports(struct m_processor *_Nonnull p, uint32_t offset) { p->tss.words[25] = offset << 16; }

M uint8_t *_Nonnull m_bitmap(struct m_processor *_Nonnull p) { return p->tss.bitmap; }

extern struct m_processor m_first_processor;
extern char m_first_stack_end[], m_first_fault_stack_end[], m_stubs[], m_startup[], m_startup_end[], m_syscall[];
extern char m_load_end[], m_image_start[], m_image_end[], m_text_end[];
extern uint64_t m_boot_tables[];
extern uint64_t m_ap_stack;
extern uint32_t m_ap_number;

M uint64_t m_tss_offset(void) { return offsetof(struct m_processor, tss); }
M uint64_t m_gdt_offset(void) { return offsetof(struct m_processor, gdt); }
M struct m_processor *_Nonnull m_first(void) { return &m_first_processor; }
M uint64_t m_first_stack(void) { return (uint64_t)m_first_stack_end; }
M uint64_t m_first_fault_stack(void) { return (uint64_t)m_first_fault_stack_end; }
M uint64_t m_stub_address(void) { return (uint64_t)m_stubs; }
M uint64_t m_syscall_address(void) { return (uint64_t)m_syscall; }
M uint64_t m_startup_address(void) { return (uint64_t)m_startup; }
M uint64_t m_startup_size(void) { return (uint64_t)(m_startup_end - m_startup); }
M uint64_t m_image_start_address(void) { return (uint64_t)m_image_start; }
M uint64_t m_image_end_address(void) { return (uint64_t)m_image_end; }
M uint64_t m_load_end_address(void) { return (uint64_t)m_load_end; }
M uint64_t m_text_end_address(void) { return (uint64_t)m_text_end; }
M uint64_t m_boot_tables_address(void) { return (uint64_t)m_boot_tables; }
// By the window on all memory: the kernel's own tables have nothing at the addresses that boot code runs at.
M void m_set_startup(uint64_t window, uint32_t number, uint64_t stack) {
  *(volatile uint64_t *)(window + (uint64_t)&m_ap_stack) = stack;
  *(volatile uint32_t *)(window + (uint64_t)&m_ap_number) = number;
}

// Upcalls of entry.S. What they return says how it goes on: see `resume` there.
uint64_t kernel_call(struct m_registers *_Nonnull);
uint64_t kernel_interrupt(struct m_registers *_Nonnull);
uint64_t kernel_exit(struct m_registers *_Nonnull);
void kernel_trap(struct m_registers *_Nonnull);
void kernel_fatal(struct m_registers *_Nonnull);
void kernel_main(uint32_t magic, uint32_t information);
void kernel_processor(uint32_t number);
void m_start(uint64_t how) __attribute__((noreturn));
