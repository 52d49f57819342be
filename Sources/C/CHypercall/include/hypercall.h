// The hypercall, and instructions that programs above nohv use.
#pragma once
#include <stdint.h>

#define H static inline __attribute__((always_inline))

struct h_result { uint64_t rdi, rsi, rdx, rax; };
H struct h_result h_call(uint64_t rdi, uint64_t rsi, uint64_t rdx, uint64_t rax, uint64_t r8) {
  register uint64_t extra __asm__("r8") = r8;
  struct h_result r = {rdi, rsi, rdx, rax};
  __asm__ volatile("syscall" : "+D"(r.rdi), "+S"(r.rsi), "+d"(r.rdx), "+a"(r.rax) : "r"(extra) : "rcx", "r11", "memory");
  return r;
}

H void h_out8(uint16_t port, uint8_t v) { __asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port)); }
H uint8_t h_in8(uint16_t port) { uint8_t v; __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
H void h_out32(uint16_t port, uint32_t v) { __asm__ volatile("outl %0, %1" ::"a"(v), "Nd"(port)); }
H uint32_t h_in32(uint16_t port) { uint32_t v; __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port)); return v; }
H uint64_t h_rdtsc(void) { uint32_t a, d; __asm__ volatile("rdtsc" : "=a"(a), "=d"(d)); return (uint64_t)d << 32 | a; }
H void h_pause(void) { __asm__ volatile("pause"); }
H void h_barrier(void) { __asm__ volatile("" ::: "memory"); }
H void h_undefined(void) { __asm__ volatile("ud2"); }
H uint64_t h_load(uint64_t a) { return *(volatile uint64_t *)a; }
H void h_store(uint64_t a, uint64_t v) { *(volatile uint64_t *)a = v; }
// Registers of devices, by accesses of their width.
H uint8_t h_read8(uint64_t a) { return *(volatile uint8_t *)a; }
H uint16_t h_read16(uint64_t a) { return *(volatile uint16_t *)a; }
H uint32_t h_read32(uint64_t a) { return *(volatile uint32_t *)a; }
H void h_write8(uint64_t a, uint8_t v) { *(volatile uint8_t *)a = v; }
H void h_write16(uint64_t a, uint16_t v) { *(volatile uint16_t *)a = v; }
H void h_write32(uint64_t a, uint32_t v) { *(volatile uint32_t *)a = v; }
// What an instruction makes of x87 state: 1 pushed, and popped into memory.
H void h_push_one(void) { __asm__ volatile("fld1"); }
H uint64_t h_pop_double(void) { uint64_t v; __asm__ volatile("fstpl %0" : "=m"(v)); return v; }
H void h_copy_bytes(void *to, const void *from, uint64_t n) {
  uint64_t words = n >> 3, rest = n & 7;
  __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words)::"memory");
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest)::"memory");
}
// From the last byte to the first, by words where there are; each access is one, so that no compiler makes it memmove.
H void h_copy_bytes_down(void *to, const void *from, uint64_t n) {
  char *t = (char *)to + n;
  const char *f = (const char *)from + n;
  for (; n & 7; n--) *(volatile char *)--t = *(const volatile char *)--f;
  for (; n; n -= 8) {
    t -= 8;
    f -= 8;
    *(volatile uint64_t *)t = *(const volatile uint64_t *)f;
  }
}
H void h_fill_bytes(void *to, uint8_t v, uint64_t n) { __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(v) : "memory"); }

H uint32_t h_exchange(uint32_t *at, uint32_t v) { return __atomic_exchange_n(at, v, __ATOMIC_ACQ_REL); }
H void h_store32(uint32_t *at, uint32_t v) { __atomic_store_n(at, v, __ATOMIC_RELEASE); }
struct h_registers { uint32_t eax, ebx, ecx, edx; };
H struct h_registers h_cpuid(uint32_t leaf, uint32_t subleaf) {
  struct h_registers r;
  __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
  return r;
}

// start.S: where portals are entered.
extern char h_portal_entry[], h_thread_entry[], h_echo[], h_thread_end[], h_spin[], h_image_end[];
static inline uint64_t h_portal_address(void) { return (uint64_t)h_portal_entry; }
static inline uint64_t h_echo_address(void) { return (uint64_t)h_echo; }
static inline uint64_t h_end_address(void) { return (uint64_t)h_thread_end; }
static inline uint64_t h_spin_address(void) { return (uint64_t)h_spin; }
static inline uint64_t h_thread_address(void) { return (uint64_t)h_thread_entry; }
static inline uint64_t h_image_end_address(void) { return (uint64_t)h_image_end; }
// Upcalls.
void user_main(uint64_t processor, uint64_t information);
void user_portal(uint64_t id, uint64_t message);
void user_thread(uint64_t argument);
