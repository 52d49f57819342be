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

// Exits that newer headers name and Debian 12's do not.
#ifndef KVM_EXIT_MEMORY_FAULT
#define KVM_EXIT_MEMORY_FAULT 39
#endif
