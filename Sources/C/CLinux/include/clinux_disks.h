#pragma once

// Disks: calls and requests that glibc shows only with _GNU_SOURCE, or not at all.

#include "clinux.h"

#include <linux/fs.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum {
  clinux_FALLOC_KEEP_SIZE = 0x01,
  clinux_FALLOC_PUNCH_HOLE = 0x02,
  clinux_FALLOC_ZERO_RANGE = 0x10,
};

static inline long clinux_preadv2(int fd, const struct iovec *vectors, int count, int64_t offset, int flags) {
  return syscall(SYS_preadv2, fd, vectors, count, offset, 0, flags);
}

// io_uring_register(2).
static inline int clinux_register_with_ring(int ring, unsigned operation, void *argument, unsigned count) {
  return (int)syscall(SYS_io_uring_register, ring, operation, argument, count);
}

// F_OFD_SETLK (fcntl(2)): the whole file, for as long as the open file lives. 0 is for reading along with others.
static inline int clinux_lock_file(int fd, int exclusive) {
  struct flock lock = {.l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET};
  return fcntl(fd, 37 /* F_OFD_SETLK */, &lock);
}

// Bytes of the blocks that O_DIRECT takes of a file, statx(2) with STATX_DIOALIGN, since 6.1; 0 where the kernel does not
// tell.
static inline unsigned clinux_direct_alignment(int fd) {
  // struct statx, whose declaration may be older: the mask is its first 32-bit word, stx_dio_offset_align the 39th after it.
  uint32_t words[64] = {0};
  if (syscall(SYS_statx, fd, "", 0x1000 /* AT_EMPTY_PATH */, 0x2000 /* STATX_DIOALIGN */, words) < 0) return 0;
  return words[0] & 0x2000 ? words[39] : 0;
}

// Bytes of a block device's blocks, and what it says of its own; 0 where it does not.
static inline unsigned clinux_block_size(int fd) {
  int size;
  return ioctl(fd, BLKSSZGET, &size) < 0 ? 0 : (unsigned)size;
}

static inline unsigned clinux_physical_block_size(int fd) {
  unsigned size;
  return ioctl(fd, BLKPBSZGET, &size) < 0 ? 0 : size;
}

static inline unsigned clinux_minimum_transfer(int fd) {
  unsigned size;
  return ioctl(fd, BLKIOMIN, &size) < 0 ? 0 : size;
}

static inline unsigned clinux_optimal_transfer(int fd) {
  unsigned size;
  return ioctl(fd, BLKIOOPT, &size) < 0 ? 0 : size;
}
