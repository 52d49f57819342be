#pragma once

// <linux/kvm.h> for Swift: its _IO numbers do not import, and flexible arrays need accessors.

#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>

#define CKVM_REQUEST(name, value) static const unsigned long name = (value)

CKVM_REQUEST(ckvm_get_api_version, KVM_GET_API_VERSION);
CKVM_REQUEST(ckvm_create_vm, KVM_CREATE_VM);
CKVM_REQUEST(ckvm_check_extension, KVM_CHECK_EXTENSION);
CKVM_REQUEST(ckvm_get_vcpu_mmap_size, KVM_GET_VCPU_MMAP_SIZE);
CKVM_REQUEST(ckvm_get_supported_cpuid, KVM_GET_SUPPORTED_CPUID);
CKVM_REQUEST(ckvm_create_vcpu, KVM_CREATE_VCPU);
CKVM_REQUEST(ckvm_set_user_memory_region, KVM_SET_USER_MEMORY_REGION);
CKVM_REQUEST(ckvm_set_tss_addr, KVM_SET_TSS_ADDR);
CKVM_REQUEST(ckvm_set_identity_map_addr, KVM_SET_IDENTITY_MAP_ADDR);
CKVM_REQUEST(ckvm_create_irqchip, KVM_CREATE_IRQCHIP);
CKVM_REQUEST(ckvm_irq_line, KVM_IRQ_LINE);
CKVM_REQUEST(ckvm_ioeventfd, KVM_IOEVENTFD);
CKVM_REQUEST(ckvm_signal_msi, KVM_SIGNAL_MSI);
CKVM_REQUEST(ckvm_run, KVM_RUN);
CKVM_REQUEST(ckvm_get_regs, KVM_GET_REGS);
CKVM_REQUEST(ckvm_set_regs, KVM_SET_REGS);
CKVM_REQUEST(ckvm_get_sregs, KVM_GET_SREGS);
CKVM_REQUEST(ckvm_set_sregs, KVM_SET_SREGS);
CKVM_REQUEST(ckvm_set_msrs, KVM_SET_MSRS);
CKVM_REQUEST(ckvm_set_cpuid2, KVM_SET_CPUID2);
CKVM_REQUEST(ckvm_get_lapic, KVM_GET_LAPIC);
CKVM_REQUEST(ckvm_set_lapic, KVM_SET_LAPIC);
CKVM_REQUEST(ckvm_kvmclock_ctrl, KVM_KVMCLOCK_CTRL);
CKVM_REQUEST(ckvm_get_msr_index_list, KVM_GET_MSR_INDEX_LIST);
CKVM_REQUEST(ckvm_get_msrs, KVM_GET_MSRS);
CKVM_REQUEST(ckvm_get_mp_state, KVM_GET_MP_STATE);
CKVM_REQUEST(ckvm_set_mp_state, KVM_SET_MP_STATE);
CKVM_REQUEST(ckvm_get_vcpu_events, KVM_GET_VCPU_EVENTS);
CKVM_REQUEST(ckvm_set_vcpu_events, KVM_SET_VCPU_EVENTS);
CKVM_REQUEST(ckvm_get_debugregs, KVM_GET_DEBUGREGS);
CKVM_REQUEST(ckvm_set_debugregs, KVM_SET_DEBUGREGS);
CKVM_REQUEST(ckvm_get_xsave, KVM_GET_XSAVE);
CKVM_REQUEST(ckvm_get_xsave2, KVM_GET_XSAVE2);
CKVM_REQUEST(ckvm_set_xsave, KVM_SET_XSAVE);
CKVM_REQUEST(ckvm_get_xcrs, KVM_GET_XCRS);
CKVM_REQUEST(ckvm_set_xcrs, KVM_SET_XCRS);
CKVM_REQUEST(ckvm_get_tsc_khz, KVM_GET_TSC_KHZ);
CKVM_REQUEST(ckvm_set_tsc_khz, KVM_SET_TSC_KHZ);
CKVM_REQUEST(ckvm_get_device_attr, KVM_GET_DEVICE_ATTR);
CKVM_REQUEST(ckvm_set_device_attr, KVM_SET_DEVICE_ATTR);
CKVM_REQUEST(ckvm_get_irqchip, KVM_GET_IRQCHIP);
CKVM_REQUEST(ckvm_set_irqchip, KVM_SET_IRQCHIP);
CKVM_REQUEST(ckvm_get_clock, KVM_GET_CLOCK);
CKVM_REQUEST(ckvm_set_clock, KVM_SET_CLOCK);

// A flag of kvm_userspace_memory_region, whose type does not import either.
static const uint32_t ckvm_memory_read_only = KVM_MEM_READONLY;

// Room for every leaf that KVM can report (KVM_MAX_CPUID_ENTRIES).
#define CKVM_CPUID_CAPACITY 256

struct ckvm_cpuid {
  uint32_t nent;
  uint32_t padding;
  struct kvm_cpuid_entry2 entries[CKVM_CPUID_CAPACITY];
};
_Static_assert(offsetof(struct ckvm_cpuid, entries) == sizeof(struct kvm_cpuid2), "entries follow the header");

static inline struct kvm_cpuid_entry2 *ckvm_cpuid_entry(struct ckvm_cpuid *cpuid, uint32_t index) {
  return &cpuid->entries[index];
}

// One MSR at a time is enough: a vCPU is set up once.
struct ckvm_msr {
  uint32_t nmsrs;
  uint32_t padding;
  struct kvm_msr_entry entry;
};
_Static_assert(offsetof(struct ckvm_msr, entry) == sizeof(struct kvm_msrs), "the entry follows the header");

_Static_assert(sizeof(struct kvm_userspace_memory_region) == 32, "layout of kvm_userspace_memory_region");
_Static_assert(offsetof(struct kvm_run, exit_reason) == 8, "layout of kvm_run");
_Static_assert(offsetof(struct kvm_run, io) == 32, "layout of kvm_run");

// A 32-bit field of the local APIC's page.
static inline void ckvm_lapic_set(struct kvm_lapic_state *state, uint32_t offset, uint32_t value) {
  __builtin_memcpy(state->regs + offset, &value, sizeof value);
}

// Room for every MSR that KVM can list.
#define CKVM_MSR_CAPACITY 1024

struct ckvm_msr_list {
  uint32_t nmsrs;
  uint32_t indices[CKVM_MSR_CAPACITY];
};
_Static_assert(offsetof(struct ckvm_msr_list, indices) == sizeof(struct kvm_msr_list), "indices follow the header");

static inline uint32_t ckvm_msr_index(const struct ckvm_msr_list *list, uint32_t place) { return list->indices[place]; }

// The I/O APIC's table of redirections (Intel 82093AA, 3.2.4).
static inline uint64_t ckvm_ioapic_entry(const struct kvm_irqchip *chip, uint32_t input) {
  return chip->chip.ioapic.redirtbl[input].bits;
}
static inline void ckvm_set_ioapic_entry(struct kvm_irqchip *chip, uint32_t input, uint64_t bits) {
  chip->chip.ioapic.redirtbl[input].bits = bits;
}

// What a vCPU's counter is ahead of the host's (kernel Documentation/virt/kvm/devices/vcpu.rst, 4).
static inline struct kvm_device_attr ckvm_tsc_offset(uint64_t *offset) {
  struct kvm_device_attr attribute = {
      .group = 0 /* KVM_VCPU_TSC_CTRL */, .attr = 0 /* KVM_VCPU_TSC_OFFSET */, .addr = (uintptr_t)offset};
  return attribute;
}

_Static_assert(sizeof(struct kvm_lapic_state) == 1024, "layout of kvm_lapic_state");
_Static_assert(sizeof(struct kvm_xsave) == 4096, "layout of kvm_xsave");

// Exits that newer headers name and Debian 12's do not.
#ifndef KVM_EXIT_MEMORY_FAULT
#define KVM_EXIT_MEMORY_FAULT 39
#endif
