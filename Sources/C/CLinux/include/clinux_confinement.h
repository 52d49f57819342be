#pragma once

// What a process gives up for good: seccomp(2), landlock(7), prctl(2), namespaces, capabilities. And descriptors that go from
// one process to another.

#include "clinux.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <linux/if_tun.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>

// Classic BPF (Linux, Documentation/networking/filter.rst), as far as filters of calls need it.
enum {
  clinux_LOAD_WORD = BPF_LD | BPF_W | BPF_ABS,
  clinux_AND = BPF_ALU | BPF_AND | BPF_K,
  clinux_JUMP = BPF_JMP | BPF_JA,
  clinux_JUMP_IF_EQUAL = BPF_JMP | BPF_JEQ | BPF_K,
  clinux_JUMP_IF_NOT_BELOW = BPF_JMP | BPF_JGE | BPF_K,
  clinux_RETURN = BPF_RET | BPF_K,
};

// Where struct seccomp_data has what; arguments have 64 bits, little-endian.
enum {
  clinux_CALL_NUMBER = offsetof(struct seccomp_data, nr),
  clinux_CALL_ARCHITECTURE = offsetof(struct seccomp_data, arch),
  clinux_CALL_ARGUMENTS = offsetof(struct seccomp_data, args),
};

static const uint32_t clinux_ARCHITECTURE = AUDIT_ARCH_X86_64;
static const uint32_t clinux_FILTER_ALLOWS = SECCOMP_RET_ALLOW;
static const uint32_t clinux_FILTER_TRAPS = SECCOMP_RET_TRAP;
static const uint32_t clinux_FILTER_ERRNO = SECCOMP_RET_ERRNO;

_Static_assert(sizeof(struct sock_filter) == 8, "struct sock_filter");

// For the calling thread and all that it starts. It leaves to the host which of the processor's mitigations are on
// (SECCOMP_FILTER_FLAG_SPEC_ALLOW), as they are for other programs.
static inline int clinux_filter_calls(const struct sock_filter *program, unsigned short count) {
  const struct sock_fprog description = {.len = count, .filter = (struct sock_filter *)program};
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &description);
}

// Whether filters can trap.
static inline int clinux_filters_are_there(void) {
  const uint32_t action = SECCOMP_RET_TRAP;
  return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

// Of a SIGSYS, which call was tried.
static inline int clinux_trapped_call(const siginfo_t *info) { return info->si_syscall; }

static inline int clinux_renounce_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }
static inline int clinux_hide_memory(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }
static inline int clinux_thread_name(char *name) { return prctl(PR_GET_NAME, name, 0, 0, 0); }

// Requests to files and taps, as a filter compares them: in 32 bits.
static const uint32_t clinux_request_get_flags = FS_IOC_GETFLAGS;
static const uint32_t clinux_request_set_flags = FS_IOC_SETFLAGS;
static const uint32_t clinux_request_get_version = FS_IOC_GETVERSION;
static const uint32_t clinux_request_get_attributes = FS_IOC_FSGETXATTR;
static const uint32_t clinux_request_set_attributes = FS_IOC_FSSETXATTR;
static const uint32_t clinux_request_enable_verity = FS_IOC_ENABLE_VERITY;
static const uint32_t clinux_request_measure_verity = FS_IOC_MEASURE_VERITY;
static const uint32_t clinux_request_clone = FICLONE;
static const uint32_t clinux_request_tap_offloads = TUNSETOFFLOAD;
static const uint32_t clinux_request_tap_queue = TUNSETQUEUE;

// Any call, for tests of filters.
static inline long clinux_call(long number, long first, long second, long third, long fourth) {
  return syscall(number, first, second, third, fourth, 0, 0);
}

// landlock(7). The structures grew from version to version; a kernel takes the first so many bytes that it knows, and more if
// they are zero.
struct clinux_landlock_ruleset {
  uint64_t files;    // LANDLOCK_ACCESS_FS_…
  uint64_t network;  // LANDLOCK_ACCESS_NET_…, version 4
  uint64_t scoped;   // LANDLOCK_SCOPE_…, version 6
};

struct clinux_landlock_beneath {
  uint64_t allowed;
  int32_t directory;
} __attribute__((packed));

static inline int clinux_landlock_version(void) {
  return (int)syscall(SYS_landlock_create_ruleset, NULL, 0ul, 1 /* LANDLOCK_CREATE_RULESET_VERSION */);
}

static inline int clinux_landlock_create(const struct clinux_landlock_ruleset *ruleset) {
  return (int)syscall(SYS_landlock_create_ruleset, ruleset, sizeof *ruleset, 0);
}

static inline int clinux_landlock_allow(int ruleset, int directory, uint64_t allowed) {
  const struct clinux_landlock_beneath rule = {.allowed = allowed, .directory = directory};
  return (int)syscall(SYS_landlock_add_rule, ruleset, 1 /* LANDLOCK_RULE_PATH_BENEATH */, &rule, 0);
}

static inline int clinux_landlock_restrict(int ruleset) {
  return (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
}

// fork(2) of a process that has one thread and shares nothing that fork handlers look after.
static inline int clinux_fork(void) { return (int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }
static inline int clinux_wait(int process) { return (int)syscall(SYS_wait4, process, NULL, 0, NULL); }
static inline int clinux_close_from(unsigned first) { return (int)syscall(SYS_close_range, first, ~0u, 0); }

// A descriptor with a byte (unix(7), SCM_RIGHTS); -1 for the byte alone.
static inline long clinux_send_descriptor(int socket, uint8_t byte, int descriptor) {
  struct iovec vector = {.iov_base = &byte, .iov_len = 1};
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  if (descriptor >= 0) {
    message.msg_control = &control;
    message.msg_controllen = sizeof control.bytes;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  return sendmsg(socket, &message, MSG_NOSIGNAL);
}

// What there is, and one descriptor that came along, or -1; an exec closes it. The kernel drops all further ones.
static inline long clinux_receive_with_descriptor(int socket, void *bytes, size_t count, int *descriptor) {
  struct iovec vector = {.iov_base = bytes, .iov_len = count};
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  // Not CMSG_SPACE, whose padding is room for a second one.
  struct msghdr message = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_LEN(sizeof(int))};
  *descriptor = -1;
  const ssize_t received = recvmsg(socket, &message, 0x40000000 /* MSG_CMSG_CLOEXEC */);
  if (received < 0) return received;
  const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
      header->cmsg_len == CMSG_LEN(sizeof(int)))
    memcpy(descriptor, CMSG_DATA(header), sizeof *descriptor);
  return received;
}

// The byte, or -1; what came along, or -1, in `descriptor`, which an exec closes.
static inline int clinux_receive_descriptor(int socket, int *descriptor) {
  uint8_t byte;
  const long count = clinux_receive_with_descriptor(socket, &byte, sizeof byte, descriptor);
  if (count == 0) errno = ECONNRESET;
  return count == 1 ? byte : -1;
}

// Namespaces (namespaces(7)), mounts and capabilities, which glibc shows only with _GNU_SOURCE, or not at all.
enum {
  clinux_NEW_MOUNTS = 0x00020000,
  clinux_NEW_IPC = 0x08000000,
  clinux_NEW_NETWORK = 0x40000000,
  clinux_NEW_PROCESSES = 0x20000000,
};

static inline int clinux_unshare(int flags) { return (int)syscall(SYS_unshare, flags); }
static inline int clinux_enter_namespace(int descriptor, int kind) { return (int)syscall(SYS_setns, descriptor, kind); }
static inline int clinux_pivot_root(const char *to, const char *old) { return (int)syscall(SYS_pivot_root, to, old); }

enum {
  clinux_MOUNT_READ_ONLY = 1,
  clinux_MOUNT_NO_SETUID = 2,
  clinux_MOUNT_NO_EXECUTION = 8,
  clinux_MOUNT_AGAIN = 32,
  clinux_MOUNT_BIND = 4096,
  clinux_MOUNT_RECURSIVELY = 16384,
  clinux_MOUNT_PRIVATE = 1 << 18,
};

static inline int clinux_mount(const char *from, const char *to, const char *kind, unsigned long flags,
                               const char *options) {
  return (int)syscall(SYS_mount, from, to, kind, flags, options);
}

static inline int clinux_unmount_lazily(const char *path) { return (int)syscall(SYS_umount2, path, 2 /* MNT_DETACH */); }

// open_tree(2): a copy of the mounts at and below a directory, of which a descriptor stays open for as long as they are there.
static inline int clinux_clone_tree(int directory) {
  return (int)syscall(SYS_open_tree, directory, "",
                      1 /* OPEN_TREE_CLONE */ | O_CLOEXEC | 0x1000 /* AT_EMPTY_PATH */ | 0x8000 /* AT_RECURSIVE */);
}

// Files for what they hold alone: no devices are opened in there, no programs executed; and, if asked for, nothing is changed.
static inline int clinux_restrict_tree(int tree, int is_read_only) {
  // struct mount_attr: what is set (MOUNT_ATTR_NOSUID, _NODEV, _NOEXEC, _RDONLY), what is cleared, propagation, a user namespace.
  const uint64_t attributes[4] = {2 | 4 | 8 | (is_read_only ? 1 : 0), 0, 0, 0};
  return (int)syscall(442 /* mount_setattr, since 5.12 */, tree, "", 0x1000 | 0x8000, attributes, sizeof attributes);
}

// What a process is permitted (capget(2), version 3).
static inline uint64_t clinux_capabilities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2] = {{0}};
  if (syscall(SYS_capget, &header, data) < 0) return 0;
  return data[0].permitted | (uint64_t)data[1].permitted << 32;
}

// Becomes another user, of one group and no others, and keeps its permitted capabilities for capset(2). By the calls themselves,
// which are for the calling thread: there is no other yet.
static inline int clinux_become(uint32_t user, uint32_t group) {
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) return -1;
  if (syscall(SYS_setgroups, (size_t)0, NULL) < 0) return -1;
  if (syscall(SYS_setresgid, group, group, group) < 0) return -1;
  return (int)syscall(SYS_setresuid, user, user, user);
}

// Both sets of a process (capset(2), version 3).
static inline int clinux_set_capabilities(uint64_t kept) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  const uint32_t low = (uint32_t)kept, high = (uint32_t)(kept >> 32);
  const struct __user_cap_data_struct data[2] = {{.effective = low, .permitted = low},
                                                 {.effective = high, .permitted = high}};
  return (int)syscall(SYS_capset, &header, data);
}
