// What entry.S and Swift both know: frames, a processor's own block, and symbols of the image.
#pragma once
#include <stddef.h>
#include <stdint.h>

// What an entry saves, at offset 0 of each execution context. The hardware pushes the last five (Intel SDM 3, 6.14).
struct m_registers {
  uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax, vector, error, rip, cs, rflags, rsp, ss;
};

// After them, for VMRUN: physical addresses of the guest's VMCB and of the host's (AMD APM 2, 15.5).
struct m_virtual { uint64_t guest, host; };

struct __attribute__((packed, aligned(16))) m_tss {
  uint32_t reserved0;
  uint64_t rsp[3], reserved1, ist[7], reserved2;
  uint16_t reserved3, ports;
  uint8_t bitmap[8192 + 8];
};

// One for each processor; GS points to it while the kernel runs.
struct __attribute__((aligned(64))) m_processor {
  uint64_t self, scratch, stack, current;
  uint32_t number, apic, hazard, online;
  uint64_t gdt[8];
  struct m_tss tss;
};

_Static_assert(sizeof(struct m_registers) == 176, "registers");
_Static_assert(offsetof(struct m_tss, ports) == 102, "tss");
_Static_assert(sizeof(struct m_processor) == 8448, "processor");

static inline __attribute__((always_inline)) struct m_processor *m_processor(void) { struct m_processor *p; __asm__("mov %%gs:0, %0" : "=r"(p)); return p; }
static inline __attribute__((always_inline)) uint64_t m_current(void) { uint64_t v; __asm__ volatile("mov %%gs:24, %0" : "=r"(v)); return v; }

extern struct m_processor m_first_processor;
extern char m_first_stack_end[], m_first_fault_stack_end[], m_stubs[], m_startup[], m_startup_end[], m_syscall[];
extern char m_image_start[], m_image_end[], m_text_start[], m_text_end[];
extern uint64_t m_boot_tables[];
extern uint64_t m_ap_stack;
extern uint32_t m_ap_number;

static inline struct m_processor *m_first(void) { return &m_first_processor; }
static inline uint64_t m_first_stack(void) { return (uint64_t)m_first_stack_end; }
static inline uint64_t m_first_fault_stack(void) { return (uint64_t)m_first_fault_stack_end; }
static inline uint64_t m_stub_address(void) { return (uint64_t)m_stubs; }
static inline uint64_t m_syscall_address(void) { return (uint64_t)m_syscall; }
static inline uint64_t m_startup_address(void) { return (uint64_t)m_startup; }
static inline uint64_t m_startup_size(void) { return (uint64_t)(m_startup_end - m_startup); }
static inline uint64_t m_image_start_address(void) { return (uint64_t)m_image_start; }
static inline uint64_t m_image_end_address(void) { return (uint64_t)m_image_end; }
static inline uint64_t m_text_start_address(void) { return (uint64_t)m_text_start; }
static inline uint64_t m_text_end_address(void) { return (uint64_t)m_text_end; }
static inline uint64_t m_boot_tables_address(void) { return (uint64_t)m_boot_tables; }
static inline void m_set_startup(uint32_t number, uint64_t stack) { m_ap_stack = stack; __atomic_store_n(&m_ap_number, number, __ATOMIC_SEQ_CST); }

// Upcalls of entry.S. What they return says how it goes on: see `resume` there.
uint64_t kernel_call(struct m_registers *);
uint64_t kernel_interrupt(struct m_registers *);
uint64_t kernel_exit(struct m_registers *);
void kernel_trap(struct m_registers *);
void kernel_fatal(struct m_registers *);
void kernel_main(uint32_t magic, uint32_t information);
void kernel_processor(uint32_t number);
void m_start(uint64_t how) __attribute__((noreturn));
