// Instructions that Swift has no words for, by the names of Intel's and AMD's manuals.
#pragma once
#include <stdint.h>

#define M static inline __attribute__((always_inline))

M void m_out8(uint16_t port, uint8_t v) { __asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port)); }
M void m_out16(uint16_t port, uint16_t v) { __asm__ volatile("outw %0, %1" ::"a"(v), "Nd"(port)); }
M void m_out32(uint16_t port, uint32_t v) { __asm__ volatile("outl %0, %1" ::"a"(v), "Nd"(port)); }
M uint8_t m_in8(uint16_t port) { uint8_t v; __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
M uint16_t m_in16(uint16_t port) { uint16_t v; __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port)); return v; }
M uint32_t m_in32(uint16_t port) { uint32_t v; __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port)); return v; }

M uint64_t m_rdtsc(void) { uint32_t a, d; __asm__ volatile("rdtsc" : "=a"(a), "=d"(d)); return (uint64_t)d << 32 | a; }
M uint64_t m_rdmsr(uint32_t n) { uint32_t a, d; __asm__ volatile("rdmsr" : "=a"(a), "=d"(d) : "c"(n)); return (uint64_t)d << 32 | a; }
M void m_wrmsr(uint32_t n, uint64_t v) { __asm__ volatile("wrmsr" ::"c"(n), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory"); }

M uint64_t m_cr0(void) { uint64_t v; __asm__ volatile("mov %%cr0, %0" : "=r"(v)); return v; }
M uint64_t m_cr2(void) { uint64_t v; __asm__ volatile("mov %%cr2, %0" : "=r"(v)); return v; }
M uint64_t m_cr3(void) { uint64_t v; __asm__ volatile("mov %%cr3, %0" : "=r"(v)); return v; }
M uint64_t m_cr4(void) { uint64_t v; __asm__ volatile("mov %%cr4, %0" : "=r"(v)); return v; }
M uint64_t m_dr7(void) { uint64_t v; __asm__ volatile("mov %%dr7, %0" : "=r"(v)); return v; }
M void m_load_breakpoints(const void *at) {
  const uint64_t *d = at;
  __asm__ volatile("mov %0, %%db0; mov %1, %%db1; mov %2, %%db2; mov %3, %%db3" ::"r"(d[0]), "r"(d[1]), "r"(d[2]), "r"(d[3]));
}
M void m_save_breakpoints(void *at) {
  uint64_t *d = at;
  __asm__ volatile("mov %%db0, %0; mov %%db1, %1; mov %%db2, %2; mov %%db3, %3" : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3]));
}
M void m_set_cr0(uint64_t v) { __asm__ volatile("mov %0, %%cr0" ::"r"(v) : "memory"); }
M void m_set_cr3(uint64_t v) { __asm__ volatile("mov %0, %%cr3" ::"r"(v) : "memory"); }
M void m_set_cr4(uint64_t v) { __asm__ volatile("mov %0, %%cr4" ::"r"(v) : "memory"); }
M void m_clts(void) { __asm__ volatile("clts"); }
M void m_invlpg(uint64_t a) { __asm__ volatile("invlpg (%0)" ::"r"(a) : "memory"); }

M void m_lidt(uint64_t base, uint16_t limit) { struct __attribute__((packed)) { uint16_t l; uint64_t b; } d = {limit, base}; __asm__ volatile("lidt %0" ::"m"(d) : "memory"); }
M void m_lgdt(uint64_t base, uint16_t limit) { struct __attribute__((packed)) { uint16_t l; uint64_t b; } d = {limit, base}; __asm__ volatile("lgdt %0" ::"m"(d) : "memory"); }
M void m_ltr(uint16_t s) { __asm__ volatile("ltr %0" ::"r"(s)); }

M void m_pause(void) { __asm__ volatile("pause"); }
M void m_halt(void) { __asm__ volatile("cli; hlt" ::: "memory"); }
M void m_sti_hlt_cli(void) { __asm__ volatile("sti; hlt; cli" ::: "memory"); }
M void m_sti_nop_cli(void) { __asm__ volatile("sti; nop; cli" ::: "memory"); }
M void m_barrier(void) { __asm__ volatile("" ::: "memory"); }

struct m_cpuid { uint32_t eax, ebx, ecx, edx; };
M struct m_cpuid m_cpuid(uint32_t leaf, uint32_t subleaf) {
  struct m_cpuid r;
  __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
  return r;
}

M void m_xsetbv(uint32_t n, uint64_t v) { __asm__ volatile("xsetbv" ::"c"(n), "a"((uint32_t)v), "d"((uint32_t)(v >> 32))); }
M uint64_t m_xgetbv(uint32_t n) { uint32_t a, d; __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(n)); return (uint64_t)d << 32 | a; }
M void m_xsave(void *area) { __asm__ volatile("xsave64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory"); }
M void m_xrstor(const void *area) { __asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory"); }
M void m_fxsave(void *area) { __asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory"); }
M void m_fxrstor(const void *area) { __asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory"); }
M void m_vmsave(uint64_t physical) { __asm__ volatile("vmsave" ::"a"(physical) : "memory"); }

M void m_copy_words(void *to, const void *from, uint64_t n) { __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n)::"memory"); }
M void m_zero_words(void *to, uint64_t n) { __asm__ volatile("rep stosq" : "+D"(to), "+c"(n) : "a"(0) : "memory"); }
M void m_copy_bytes(void *to, const void *from, uint64_t n) { __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory"); }
M void m_fill_bytes(void *to, uint8_t v, uint64_t n) { __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(v) : "memory"); }
M uint32_t m_fetch_add(uint32_t *at, uint32_t v) { return __atomic_fetch_add(at, v, __ATOMIC_ACQ_REL); }
M uint32_t m_load32(const uint32_t *at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }
M void m_store32(uint32_t *at, uint32_t v) { __atomic_store_n(at, v, __ATOMIC_RELEASE); }
M uint32_t m_exchange32(uint32_t *at, uint32_t v) { return __atomic_exchange_n(at, v, __ATOMIC_ACQ_REL); }
M uint32_t m_read32(uint64_t a) { return *(volatile uint32_t *)a; }
M void m_write32(uint64_t a, uint32_t v) { *(volatile uint32_t *)a = v; }
