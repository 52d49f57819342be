#pragma once

// Linux system interfaces that Swift cannot import by itself: function-like macros, variadic functions, calls without a C
// library wrapper. Constants and static inlines only.
//
// _GNU_SOURCE stays undefined: Swift's Glibc module is compiled without it, and the two must agree on every structure. What
// glibc shows only with it goes through syscall(2), and its constants are named clinux_… below.

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static inline int clinux_errno(void) { return errno; }

// pthread_mutex_timedlock(3) by another clock (glibc 2.30).
int pthread_mutex_clocklock(pthread_mutex_t *, clockid_t, const struct timespec *);

static inline int clinux_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock, const struct timespec *end) {
  return pthread_mutex_clocklock(mutex, clock, end);
}

static inline int clinux_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }

static inline int clinux_ioctl(int fd, unsigned long request, unsigned long argument) {
  return ioctl(fd, request, argument);
}

static inline int clinux_ioctl_pointer(int fd, unsigned long request, void *argument) {
  return ioctl(fd, request, argument);
}

// Bytes of RAM and swap; 0 if the kernel does not tell. The type's name is also a function's.
static inline uint64_t clinux_memory_size(void) {
  struct sysinfo info;
  return sysinfo(&info) == 0 ? ((uint64_t)info.totalram + info.totalswap) * info.mem_unit : 0;
}

// sync_file_range(2) of a whole file, with each of its three flags.
static inline int clinux_write_back(int fd) { return (int)syscall(SYS_sync_file_range, fd, 0, 0, 7); }

// MAP_FAILED is a cast that does not import.
static inline int clinux_map_failed(const void *address) { return address == MAP_FAILED; }

static inline int clinux_set_thread_name(const char *name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }

// sched_setaffinity(2) and sched_getaffinity(2) of the calling thread; the latter returns how many bytes it filled.
static inline int clinux_set_affinity(const void *mask, size_t size) {
  return (int)syscall(SYS_sched_setaffinity, 0, size, mask);
}

static inline int clinux_affinity(void *mask, size_t size) {
  return (int)syscall(SYS_sched_getaffinity, 0, size, mask);
}

// struct epoll_event without its union of pointers, which Swift would treat as unsafe.
struct clinux_epoll_event {
  uint32_t events;
  int32_t descriptor;
  uint32_t unused;
};
_Static_assert(sizeof(struct clinux_epoll_event) == sizeof(struct epoll_event), "layout of struct epoll_event");

static inline int clinux_epoll_control(int epoll, int operation, int descriptor, uint32_t events) {
  struct epoll_event event = {.events = events, .data = {.u64 = (uint32_t)descriptor}};
  return epoll_ctl(epoll, operation, descriptor, &event);
}

static inline int clinux_epoll_wait(int epoll, struct clinux_epoll_event *events, int capacity, int timeout) {
  return epoll_wait(epoll, (struct epoll_event *)events, capacity, timeout);
}

enum {
  clinux_RENAME_EXCHANGE = 1 << 1,
  clinux_FICLONE = 0x40049409,
  clinux_MADV_POPULATE_WRITE = 23,
};

static inline int clinux_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned int flags) {
  return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
}

// pidfd_open(2) and pidfd_send_signal(2): a process that is named by a descriptor is never another's by accident.
static inline int clinux_open_process(int process) { return (int)syscall(SYS_pidfd_open, process, 0); }

static inline int clinux_signal_process(int process, int signal) {
  return (int)syscall(SYS_pidfd_send_signal, process, signal, 0, 0);
}

// pipe2(2): in a program of many threads another may start a program between pipe(2) and fcntl(2).
static inline int clinux_pipe(int ends[2]) { return (int)syscall(SYS_pipe2, ends, O_CLOEXEC); }

static inline int clinux_timer_create(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK); }

static inline int clinux_timer_start(int fd, long seconds, long nanoseconds) {
  const struct itimerspec time = {.it_value = {.tv_sec = seconds, .tv_nsec = nanoseconds}};
  return timerfd_settime(fd, 0, &time, 0);
}

// accept4(2), which glibc declares only with _GNU_SOURCE.
static inline int clinux_accept(int listener, int flags) { return (int)syscall(SYS_accept4, listener, 0, 0, flags); }

// clone(2), which glibc declares only with _GNU_SOURCE.
extern int clinux_clone(int (*body)(void *), void *stack, int flags, void *argument, ...) __asm__("clone");

struct clinux_start {
  const char *program;
  const posix_spawn_file_actions_t *actions;
  const posix_spawnattr_t *attributes;
  char *const *arguments;
  char *const *environment;
};

static inline int clinux_start_in_child(void *argument) {
  const struct clinux_start *start = (const struct clinux_start *)argument;
  // Of descriptors that were opened without close-on-exec only those that the actions name. CLOSE_RANGE_CLOEXEC is Linux 5.11.
  if (syscall(SYS_close_range, 3u, ~0u, 4u) != 0)
    for (int descriptor = 3; descriptor < 4096; ++descriptor) fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  pid_t unused;
  return posix_spawn(
    &unused, start->program, start->actions, start->attributes, start->arguments, start->environment);
}

// posix_spawn(3) by a child in between, which ends without a signal (clone(2), "the termination signal") and at once: what it
// started is then no child of this process, and neither SIGCHLD nor wait(2) ever tell of either. As with vfork(2) the child
// shares this memory while the calling thread waits, and has descriptors of its own.
//
// Returns an error number. `stack` is the end of 64 KiB or more.
static inline int clinux_start_apart(const struct clinux_start *start, void *stack) {
  enum { vm = 0x100, vfork = 0x4000, wall = 0x40000000 };
  sigset_t all, previous;
  sigfillset(&all);
  // A handler of the program's is not to run in that child.
  pthread_sigmask(SIG_BLOCK, &all, &previous);
  const int child = clinux_clone(clinux_start_in_child, stack, vm | vfork, (void *)(uintptr_t)start);
  int status = 0, result = child < 0 ? errno : 0;
  if (child >= 0) {
    while (waitpid(child, &status, wall) < 0 && errno == EINTR) {}
    result = WIFEXITED(status) ? WEXITSTATUS(status) : EAGAIN;
  }
  pthread_sigmask(SIG_SETMASK, &previous, NULL);
  return result;
}

// Writes to a page what is in it. A compiler may leave out a store of what was just loaded, but none that is volatile.
static inline void clinux_touch(void *page) {
  volatile unsigned char *byte = page;
  *byte = *byte;
}

// memfd_create(2): a file of no directory.
static inline int clinux_memory_file(const char *name) { return (int)syscall(SYS_memfd_create, name, 1u); }

// dladdr(3): the file that what lies at an address was loaded from; NULL if that cannot be told.
struct clinux_loaded {
  const char *file;
  void *base;
  const char *symbol;
  void *address;
};
extern int clinux_dladdr(const void *address, struct clinux_loaded *loaded) __asm__("dladdr");

static inline const char *clinux_loaded_from(const void *address) {
  struct clinux_loaded loaded = {0};
  return clinux_dladdr(address, &loaded) ? loaded.file : NULL;
}
