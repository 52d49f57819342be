// What noguest needs of musl and Linux that Swift cannot import by itself: variadic calls, function-like macros, casts
// between socket addresses. No logic.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <net/ethernet.h>
#include <netpacket/packet.h>
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static inline int cguest_errno(void) { return errno; }

static inline bool cguest_is_fifo(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

static inline int cguest_open(const char *path, int flags, unsigned mode) { return open(path, flags, mode); }

static inline int cguest_fcntl(int fd, int command, long argument) { return fcntl(fd, command, argument); }

static inline int cguest_ioctl(int fd, unsigned long request, void *argument) {
  return ioctl(fd, (int)request, argument);
}

static inline int cguest_ioctl_number(int fd, unsigned long request, long argument) {
  return ioctl(fd, (int)request, argument);
}

static inline int cguest_prctl(int option, unsigned long argument) { return prctl(option, argument, 0, 0, 0); }

static inline int cguest_set_name(const char *name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }

static inline int cguest_finit_module(int fd, const char *parameters, int flags) {
  return (int)syscall(SYS_finit_module, fd, parameters, flags);
}

static inline int cguest_init_module(const void *image, size_t size, const char *parameters) {
  return (int)syscall(SYS_init_module, image, size, parameters);
}

// ioperm(2), outb(2)
static inline int cguest_write_port(unsigned short port, unsigned char value) {
  if (ioperm(port, 1, 1) < 0) return -1;
  outb(value, port);
  return 0;
}

static inline int cguest_close_range(unsigned first) { return (int)syscall(SYS_close_range, first, ~0u, 0); }

// Of what is open, or of the name itself.
static inline int cguest_set_modified(int file, const char *path, long long seconds, long nanoseconds) {
  const struct timespec times[2] = {{0, UTIME_OMIT}, {seconds, nanoseconds}};
  return file >= 0 ? futimens(file, times) : utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
}

// Of an open file: whether FUSE has it; and its times, by utimensat(2), that of access only if both are asked for.
static inline bool cguest_is_fuse(int file) {
  struct statfs status;
  return fstatfs(file, &status) == 0 && status.f_type == 0x65735546 /* FUSE_SUPER_MAGIC */;
}
static inline int cguest_set_times(int file, bool both, long long seconds) {
  const struct timespec times[2] = {{seconds, both ? 0 : UTIME_OMIT}, {seconds, 0}};
  return utimensat(file, "", times, 0x1000 /* AT_EMPTY_PATH */);
}

// setrlimit(2), of a record of AgentProtocol's: a byte that names the resource, the soft limit and the hard one.
static inline int cguest_set_limit(const unsigned char *record) {
  struct rlimit limit;
  memcpy(&limit, record + 1, sizeof limit);
  return setrlimit(record[0], &limit);
}

// open(2), O_PATH
static const int cguest_O_PATH = 010000000;

static inline unsigned cguest_major(unsigned long long device) { return major(device); }
static inline unsigned cguest_minor(unsigned long long device) { return minor(device); }
static inline int cguest_make_node(const char *path, unsigned mode, unsigned major_number, unsigned minor_number) {
  return mknod(path, mode, makedev(major_number, minor_number));
}

// random(4), RNDADDENTROPY: at most 64 bytes, with eight bits of entropy each.
static inline int cguest_add_entropy(int fd, const unsigned char *bytes, unsigned count) {
  struct {
    int bits, size;
    unsigned char bytes[64];
  } pool = {(int)(8 * count), (int)count, {0}};
  if (count > sizeof pool.bytes) return -1;
  memcpy(pool.bytes, bytes, count);
  return ioctl(fd, (int)_IOW('R', 3, int[2]), &pool);
}

// random(4), RNDRESEEDCRNG
static inline int cguest_reseed(int fd) { return ioctl(fd, _IO('R', 7)); }

// ioctl_tty(2)
static const unsigned long cguest_TIOCSPTLCK = TIOCSPTLCK;
static const unsigned long cguest_TIOCGPTPEER = TIOCGPTPEER;

// waitpid(2)
static inline int cguest_exited(int status) { return WIFEXITED(status); }
static inline int cguest_exit_status(int status) { return WEXITSTATUS(status); }
static inline int cguest_signaled(int status) { return WIFSIGNALED(status); }
static inline int cguest_termination_signal(int status) { return WTERMSIG(status); }

static inline void cguest_default_signal(int number) { signal(number, SIG_DFL); }
static inline void cguest_ignore_signal(int number) { signal(number, SIG_IGN); }

// vsock(7): linux/vm_sockets.h is not among musl's headers.
struct cguest_sockaddr_vm {
  sa_family_t svm_family;
  unsigned short svm_reserved1;
  unsigned int svm_port;
  unsigned int svm_cid;
  unsigned char svm_flags;
  unsigned char svm_zero[3];
};
_Static_assert(sizeof(struct cguest_sockaddr_vm) == sizeof(struct sockaddr), "sockaddr_vm fills a sockaddr");
_Static_assert(offsetof(struct cguest_sockaddr_vm, svm_cid) == 8, "sockaddr_vm");

#define CGUEST_VMADDR_CID_ANY 0xffffffffu
#define CGUEST_VMADDR_CID_HOST 2u

static inline int cguest_vsock_bind(int fd, unsigned cid, unsigned port) {
  const struct cguest_sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
  return bind(fd, (const struct sockaddr *)&address, sizeof address);
}

static inline int cguest_vsock_connect(int fd, unsigned cid, unsigned port) {
  const struct cguest_sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
  return connect(fd, (const struct sockaddr *)&address, sizeof address);
}

static inline int cguest_accept(int fd, int flags, struct cguest_sockaddr_vm *peer) {
  socklen_t size = sizeof *peer;
  return accept4(fd, (struct sockaddr *)peer, &size, flags);
}

// netdevice(7): the Ethernet address of the interface of this number; 1 for one that has none.
static inline int cguest_interface_address(int fd, int index, unsigned char *address) {
  struct ifreq request = {.ifr_ifindex = index};
  if (ioctl(fd, SIOCGIFNAME, &request) < 0 || ioctl(fd, SIOCGIFHWADDR, &request) < 0) return -1;
  if (request.ifr_hwaddr.sa_family != 1) return 1;
  memcpy(address, request.ifr_hwaddr.sa_data, 6);
  return 0;
}

// netdevice(7): the IPv4 address of the interface with this index, if it has one.
static inline int cguest_interface_ipv4(int fd, int index, unsigned char *address) {
  struct ifreq request = {.ifr_ifindex = index};
  if (ioctl(fd, SIOCGIFNAME, &request) < 0 || ioctl(fd, SIOCGIFADDR, &request) < 0) return -1;
  memcpy(address, &((const struct sockaddr_in *)&request.ifr_addr)->sin_addr, 4);
  return 0;
}

// packet(7): packets of IPv4 of one interface.
static inline int cguest_packet_bind(int fd, int interface) {
  const struct sockaddr_ll address = {
      .sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE_IP), .sll_ifindex = interface};
  return bind(fd, (const struct sockaddr *)&address, sizeof address);
}

static inline ssize_t cguest_packet_broadcast(int fd, int interface, const unsigned char *bytes, size_t count) {
  const struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                      .sll_protocol = htons(ETHERTYPE_IP),
                                      .sll_ifindex = interface,
                                      .sll_halen = 6,
                                      .sll_addr = {255, 255, 255, 255, 255, 255}};
  return sendto(fd, bytes, count, 0, (const struct sockaddr *)&address, sizeof address);
}

static inline int cguest_unix_bind(int fd, const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  return bind(fd, (const struct sockaddr *)&address, sizeof address);
}

static inline int cguest_unix_connect(int fd, const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  return connect(fd, (const struct sockaddr *)&address, sizeof address);
}

// ip(7), ipv6(7)
// connect(2); the address has 4 bytes for AF_INET, 16 for AF_INET6.
static inline int cguest_ip_connect(int fd, int family, const unsigned char *address, unsigned short port) {
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  if (family == AF_INET6) {
    memcpy(&six.sin6_addr, address, 16);
    return connect(fd, (const struct sockaddr *)&six, sizeof six);
  }
  memcpy(&four.sin_addr, address, 4);
  return connect(fd, (const struct sockaddr *)&four, sizeof four);
}

static const size_t cguest_unix_path_limit = sizeof(((struct sockaddr_un *)0)->sun_path);
