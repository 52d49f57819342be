#pragma once

// File system calls that glibc shows only with _GNU_SOURCE, or not at all: by number, and their constants by clinux_… names.

#include "clinux.h"

#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
  clinux_O_PATH = 010000000,
  clinux_O_DIRECT = 040000,
  clinux_O_TMPFILE = 020200000,
  clinux_AT_EMPTY_PATH = 0x1000,
  clinux_STATX_BASIC_STATS = STATX_BASIC_STATS,
  clinux_STATX_BTIME = STATX_BTIME,
  clinux_SEEK_DATA = 3,
  clinux_SEEK_HOLE = 4,
  clinux_UTIME_NOW = (1l << 30) - 1l,
  clinux_UTIME_OMIT = (1l << 30) - 2l,
};

// linux/stat.h and glibc agree on this layout.
_Static_assert(sizeof(struct statx) == 256, "struct statx");
_Static_assert(sizeof(struct open_how) == 24, "struct open_how");

static inline int clinux_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
  struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
  return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

// Beneath the directory, with no symlink of any kind on the way.
static inline int clinux_open_beneath(int directory, const char *path, uint64_t flags, uint64_t mode) {
  return clinux_openat2(directory, path, flags, mode,
                        RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

static inline int clinux_statx(int directory, const char *path, int flags, unsigned mask, struct statx *result) {
  return (int)syscall(SYS_statx, directory, path, flags, mask, result);
}

static inline long clinux_getdents64(int directory, void *buffer, size_t count) {
  return syscall(SYS_getdents64, directory, buffer, count);
}

static inline int clinux_fallocate(int fd, int mode, int64_t offset, int64_t count) {
  return (int)syscall(SYS_fallocate, fd, mode, offset, count);
}

static inline long clinux_copy_file_range(int from, int64_t *from_offset, int to, int64_t *to_offset, size_t count) {
  return syscall(SYS_copy_file_range, from, from_offset, to, to_offset, count, 0);
}

static inline long clinux_preadv(int fd, const struct iovec *vectors, int count, int64_t offset) {
  return syscall(SYS_preadv, fd, vectors, count, offset, 0);
}

static inline long clinux_pwritev2(int fd, const struct iovec *vectors, int count, int64_t offset, int flags) {
  return syscall(SYS_pwritev2, fd, vectors, count, offset, 0, flags);
}

// Those of the C library may be where a thread is cancelled, which takes some fifty instructions each.
static inline long clinux_read(int fd, void *bytes, size_t count) { return syscall(SYS_read, fd, bytes, count); }
static inline long clinux_write(int fd, const void *bytes, size_t count) { return syscall(SYS_write, fd, bytes, count); }

static inline long clinux_readv(int fd, const struct iovec *vectors, int count) {
  return syscall(SYS_readv, fd, vectors, count);
}

static inline long clinux_writev(int fd, const struct iovec *vectors, int count) {
  return syscall(SYS_writev, fd, vectors, count);
}

// Reads this process's own memory as another's, so that what cannot be read is an error and no signal.
static inline long clinux_probe(const struct iovec *to, const struct iovec *from, unsigned long count) {
  return syscall(SYS_process_vm_readv, getpid(), to, count, from, count, 0ul);
}

static inline int clinux_inotify_init(void) { return inotify_init1(IN_NONBLOCK | IN_CLOEXEC); }

// IN_MODIFY comes with each write, and when a file is shortened.
static inline int clinux_inotify_add(int inotify, int file) {
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  return inotify_add_watch(inotify, path, IN_MODIFY);
}

// What appears in a directory under a name, by rename(2), and that the directory itself goes.
static inline int clinux_inotify_add_directory(int inotify, const char *path) {
  return inotify_add_watch(inotify, path, IN_MOVED_TO | IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR);
}

// What happens to the names in an open directory, and to what they stand for.
static inline int clinux_inotify_add_entries(int inotify, int directory) {
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", directory);
  return inotify_add_watch(
      inotify, path,
      IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR | IN_EXCL_UNLINK);
}

static inline void clinux_inotify_remove(int inotify, int number) { inotify_rm_watch(inotify, number); }

static inline int clinux_syncfs(int fd) { return (int)syscall(SYS_syncfs, fd); }

static inline int clinux_ficlone(int to, int from) { return ioctl(to, FICLONE, from); }

static inline int clinux_chmod_no_follow(int directory, const char *path, mode_t mode, int flags) {
  return (int)syscall(452 /* fchmodat2, since 6.6 */, directory, path, mode, flags);
}

static inline int clinux_fstatfs(int fd, struct statfs *result) { return fstatfs(fd, result); }

static inline int clinux_get_descriptor_limit(struct rlimit *limit) { return getrlimit(RLIMIT_NOFILE, limit); }

static inline int clinux_set_descriptor_limit(const struct rlimit *limit) { return setrlimit(RLIMIT_NOFILE, limit); }

// Inode flags (ioctl_iflags(2)), the same with project and extent size (ioctl_xfs_fsgetxattr(2)), and fs-verity.
_Static_assert(sizeof(struct fsxattr) == 28, "struct fsxattr");
_Static_assert(sizeof(struct fsverity_enable_arg) == 128, "struct fsverity_enable_arg");

static inline int clinux_get_inode_flags(int fd, unsigned *flags) { return ioctl(fd, FS_IOC_GETFLAGS, flags); }

static inline int clinux_set_inode_flags(int fd, const unsigned *flags) { return ioctl(fd, FS_IOC_SETFLAGS, flags); }

// A long by its number, an int by what file systems write.
static inline int clinux_get_inode_version(int fd, int *version) { return ioctl(fd, FS_IOC_GETVERSION, version); }

static inline int clinux_get_inode_attributes(int fd, void *attributes) {
  return ioctl(fd, FS_IOC_FSGETXATTR, attributes);
}

static inline int clinux_set_inode_attributes(int fd, const void *attributes) {
  return ioctl(fd, FS_IOC_FSSETXATTR, attributes);
}

static inline int clinux_enable_verity(int fd, const struct fsverity_enable_arg *arguments) {
  return ioctl(fd, FS_IOC_ENABLE_VERITY, arguments);
}

// A digest and room for its bytes behind it.
static inline int clinux_measure_verity(int fd, void *digest) { return ioctl(fd, FS_IOC_MEASURE_VERITY, digest); }
