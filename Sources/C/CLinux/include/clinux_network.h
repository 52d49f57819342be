#pragma once

// Taps and network interfaces: ioctls on unions, which Swift would treat as unsafe.

#include "clinux.h"

#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>

enum {
  clinux_IFNAMSIZ = IFNAMSIZ,
  clinux_IFF_UP = IFF_UP,
  clinux_IFF_MULTI_QUEUE = IFF_MULTI_QUEUE,
  clinux_TUN_F_CSUM = TUN_F_CSUM,
  clinux_TUN_F_TSO4 = TUN_F_TSO4,
  clinux_TUN_F_TSO6 = TUN_F_TSO6,
  clinux_TUN_F_TSO_ECN = TUN_F_TSO_ECN,
};

static inline struct ifreq clinux_interface(const char *name) {
  struct ifreq request = {0};
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  return request;
}

// TUNSETIFF: `name` has IFNAMSIZ bytes, and holds the interface's name afterwards.
static inline int clinux_tap_attach(int fd, char *name, int more) {
  struct ifreq request = clinux_interface(name);
  request.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | more);
  int result = ioctl(fd, TUNSETIFF, &request);
  memcpy(name, request.ifr_name, IFNAMSIZ);
  return result;
}

// TUNGETIFF: `name` has IFNAMSIZ bytes. The flags of the tap, or -1.
static inline int clinux_tap_identify(int fd, char *name) {
  struct ifreq request = {0};
  if (ioctl(fd, TUNGETIFF, &request) < 0) return -1;
  memcpy(name, request.ifr_name, IFNAMSIZ);
  return (unsigned short)request.ifr_flags;
}

static inline int clinux_tap_is_frames(int flags) { return (flags & IFF_TAP) && (flags & IFF_NO_PI); }
static inline int clinux_tap_has_header(int flags) { return (flags & IFF_VNET_HDR) != 0; }

static inline int clinux_tap_set_header_size(int fd, int size) { return ioctl(fd, TUNSETVNETHDRSZ, &size); }

static inline int clinux_tap_set_offloads(int fd, unsigned offloads) {
  return ioctl(fd, TUNSETOFFLOAD, (unsigned long)offloads);
}

static inline int clinux_tap_enable_queue(int fd, int on) {
  struct ifreq request = {.ifr_flags = (short)(on ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE)};
  return ioctl(fd, TUNSETQUEUE, &request);
}

// These take any socket.
static inline int clinux_interface_flags(int fd, const char *name) {
  struct ifreq request = clinux_interface(name);
  return ioctl(fd, SIOCGIFFLAGS, &request) < 0 ? -1 : (unsigned short)request.ifr_flags;
}

static inline int clinux_interface_set_flags(int fd, const char *name, int flags) {
  struct ifreq request = clinux_interface(name);
  request.ifr_flags = (short)flags;
  return ioctl(fd, SIOCSIFFLAGS, &request);
}

static inline int clinux_interface_mtu(int fd, const char *name) {
  struct ifreq request = clinux_interface(name);
  return ioctl(fd, SIOCGIFMTU, &request) < 0 ? -1 : request.ifr_mtu;
}

static inline int clinux_interface_set_mtu(int fd, const char *name, int mtu) {
  struct ifreq request = clinux_interface(name);
  request.ifr_mtu = mtu;
  return ioctl(fd, SIOCSIFMTU, &request);
}

static inline int clinux_interface_index(int fd, const char *name) {
  struct ifreq request = clinux_interface(name);
  return ioctl(fd, SIOCGIFINDEX, &request) < 0 ? -1 : request.ifr_ifindex;
}

static inline int clinux_bridge_add(int fd, const char *bridge, int index) {
  struct ifreq request = clinux_interface(bridge);
  request.ifr_ifindex = index;
  return ioctl(fd, SIOCBRADDIF, &request);
}
