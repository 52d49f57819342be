#pragma once

// What a host without some system call does, for one thread: seccomp(2) answers ENOSYS for it.

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// The calling thread, and what it starts, lack the call from here on. 0, or -1 with errno.
static inline int host_testing_lose_call(unsigned number) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof code / sizeof *code, code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

// A descriptor that has something to read once a file has been opened for data (O_PATH does not count); or -1.
static inline int host_testing_watch_opens(const char *path) {
  int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (watch >= 0 && inotify_add_watch(watch, path, IN_OPEN) < 0) {
    close(watch);
    return -1;
  }
  return watch;
}

static inline void host_testing_stop(int *stop) { __atomic_store_n(stop, 1, __ATOMIC_RELAXED); }

// Exchanges two names, again and again, until `*stop` is not 0.
static inline void host_testing_exchange(const char *one, const char *other, const int *stop) {
  while (!__atomic_load_n(stop, __ATOMIC_RELAXED))
    syscall(SYS_renameat2, -100 /* AT_FDCWD */, one, -100, other, 2u /* RENAME_EXCHANGE */);
}
