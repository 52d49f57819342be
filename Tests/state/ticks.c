// The first process of a guest that is saved and restored: it does what shows when anything of a machine is not what it was.
//
//   each CPU sleeps 10 ms at a time, between which nothing else runs there: a timer that is lost is never heard of again;
//   `t CPU NUMBER NANOSECONDS` every time (CLOCK_MONOTONIC), of all CPUs in the order in which they took the time;
//   registers of vectors hold what they held, and 16 MiB of memory what was last written there, in rounds.
//
// A line on the serial port is an order: `disk`, `random`, `hello WORD`, `clock`, `mount`,
// `unmount`, `unbind`, `bind`, `call WORD`, `numbers`, those of files.c, `off`. A line on the virtio console comes back.
// What is wrong is said after an exclamation mark.
#define _GNU_SOURCE
#include "files.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

static int serial = 1;
static int kept = -1;
static pthread_mutex_t line = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

void say(const char *format, ...) {
  char text[200];
  va_list words;
  va_start(words, format);
  int count = vsnprintf(text, sizeof text, format, words);
  va_end(words);
  pthread_mutex_lock(&line);
  for (int done = 0; done < count;) {
    ssize_t some = write(serial, text + done, count - done);
    if (some > 0) done += some;
  }
  pthread_mutex_unlock(&line);
}

static void load(const char *list) {
  FILE *names = fopen(list, "r");
  char name[80], path[100];
  while (names && fscanf(names, "%79s", name) == 1) {
    snprintf(path, sizeof path, "/modules/%s", name);
    int file = open(path, O_RDONLY);
    syscall(SYS_finit_module, file, "", 3 /* whatever its signature and version */);
    close(file);
  }
  if (names) fclose(names);
}

static int terminal(const char *path) {
  int file = open(path, O_RDWR | O_NOCTTY);
  struct termios settings;
  if (tcgetattr(file, &settings) == 0) {
    cfmakeraw(&settings);
    tcsetattr(file, TCSANOW, &settings);
  }
  return file;
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static void *tick(void *argument) {
  static uint64_t last;
  const long cpu = (long)argument;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set)) say("! no CPU %ld\n", cpu);
  for (unsigned long number = 0;; number++) {
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    pthread_mutex_lock(&line);
    const uint64_t time = now();
    if (time < last) say("! CPU %ld is %llu ns behind\n", cpu, (unsigned long long)(last - time));
    last = time;
    say("t %ld %lu %llu\n", cpu, number, (unsigned long long)time);
    pthread_mutex_unlock(&line);
  }
  return argument;
}

static unsigned long rounds;

static void *vectors(void *argument) {
  const uint64_t want[2] = {0x0123456789abcdef, 0xfedcba9876543210};
  uint64_t found[2], others[2];
  for (;;) {
    // What is in registers alone while nothing but this runs here, and is the kernel's to keep while something else does.
    __asm__ volatile(
        "movdqu %2, %%xmm3\n movdqu %2, %%xmm15\n mov $200000, %%ecx\n"
        "1: pause\n dec %%ecx\n jnz 1b\n"
        "movdqu %%xmm3, %0\n movdqu %%xmm15, %1\n"
        : "=m"(found), "=m"(others)
        : "m"(want)
        : "ecx", "xmm3", "xmm15", "memory");
    if (memcmp(found, want, 16) || memcmp(others, want, 16)) say("! vectors\n");
    rounds++;
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  return argument;
}

static void *memory(void *argument) {
  enum { COUNT = 2 << 20 };
  uint64_t *words = malloc(COUNT * sizeof *words);
  for (uint64_t i = 0; i < COUNT; i++) words[i] = i;
  for (uint64_t round = 0;; round++) {
    for (uint64_t i = 0; i < COUNT; i++) {
      if (words[i] != i * (2 * round + 1)) {
        say("! memory: word %llu in round %llu\n", (unsigned long long)i, (unsigned long long)round);
        return argument;
      }
      words[i] = i * (2 * round + 3);
      if (i % 4096 == 0) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
  }
}

static void *echo(void *argument) {
  int file = -1;
  for (int turn = 0; turn < 100 && file < 0; turn++) {
    file = terminal("/dev/hvc0");
    if (file < 0) usleep(50000);
  }
  char text[128];
  for (ssize_t count; (count = read(file, text, sizeof text)) > 0;) write(file, text, count);
  return argument;
}

// Reads 1 MiB past the guest's cache, gives its sum, and writes its first word plus one.
static void disk(void) {
  enum { SIZE = 1 << 20 };
  static uint64_t *words;
  if (!words && posix_memalign((void **)&words, 4096, SIZE)) return;
  int file = open("/dev/vda", O_RDWR | O_DIRECT);
  if (pread(file, words, SIZE, 0) != SIZE) {
    say("! disk\n");
    return;
  }
  uint64_t sum = 0;
  for (int i = 0; i < SIZE / 8; i++) sum = sum * 31 + words[i];
  words[0]++;
  if (pwrite(file, words, 4096, 0) != 4096 || fsync(file)) say("! disk: write\n");
  close(file);
  say("disk %016llx\n", (unsigned long long)sum);
}

// Takes file systems away from their driver, whatever is mounted, or gives them back.
static void drive(const char *order) {
  static char names[4][16];
  static int count;
  const char *driver = "/sys/bus/virtio/drivers/virtiofs";
  char path[80];
  DIR *bound = order[0] == 'u' ? opendir(driver) : NULL;
  if (bound) count = 0;
  for (struct dirent *entry; bound && count < 4 && (entry = readdir(bound));)
    if (!strncmp(entry->d_name, "virtio", 6))
      snprintf(names[count++], sizeof names[0], "%.15s", entry->d_name);
  if (bound) closedir(bound);
  snprintf(path, sizeof path, "%s/%.9s", driver, order);
  int file = open(path, O_WRONLY);
  for (int i = 0; i < count; i++)
    if (write(file, names[i], strlen(names[i])) < 0) say("! %s %s\n", order, names[i]);
  close(file);
  say("%s %d\n", order, count);
}

// How often the kernel was told that it is another machine, -1 if it cannot be; and what it gives for random numbers.
static void numbers(void) {
  static char log[1 << 20];
  unsigned char bytes[16];
  int count = -1;
  if (access("/sys/bus/acpi/drivers/vmgenid/NOVM0001:00", F_OK) == 0) {
    count = 0;
    const int length = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, log, sizeof log - 1);
    log[length > 0 ? length : 0] = 0;
    for (char *line = log; (line = strstr(line, "crng reseeded due to virtual machine fork")); line++) count++;
  }
  if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) say("! getrandom\n");
  char text[2 * sizeof bytes + 1];
  for (size_t i = 0; i < sizeof bytes; i++) sprintf(text + 2 * i, "%02x", bytes[i]);
  say("numbers %d %s\n", count, text);
}

int main(void) {
  if (getpid() != 1) return 1;  // It mounts.
  mount("none", "/proc", "proc", 0, NULL);
  mount("none", "/dev", "devtmpfs", 0, NULL);
  mkdir("/sys", 0755);
  mount("none", "/sys", "sysfs", 0, NULL);
  serial = terminal("/dev/ttyS0");
  const char *lists[] = {"/modules.order", "/modules.pci", "/modules.balloon", "/modules.disk"};
  for (int i = 0; i < 4; i++) load(lists[i]);
  pthread_t thread;
  for (long cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN); cpu++) pthread_create(&thread, NULL, tick, (void *)cpu);
  pthread_create(&thread, NULL, vectors, NULL);
  pthread_create(&thread, NULL, memory, NULL);
  pthread_create(&thread, NULL, echo, NULL);
  FILE *orders = fdopen(dup(serial), "r");
  char order[100];
  while (fgets(order, sizeof order, orders)) {
    order[strcspn(order, "\n")] = 0;
    uint64_t random = 0;
    if (!strcmp(order, "off")) reboot(RB_POWER_OFF);
    // Time goes on meanwhile.
    mkdir("/root", 0755);
    if (files_order(order)) continue;
    pthread_mutex_lock(&line);
    if (!strcmp(order, "disk")) {
      disk();
    } else if (!strcmp(order, "random")) {
      int file = open("/dev/hwrng", O_RDONLY);
      if (read(file, &random, sizeof random) <= 0) say("! random\n");
      close(file);
      say("random %016llx\n", (unsigned long long)random);
    } else if (!strcmp(order, "mount") || !strcmp(order, "unmount")) {
      char text[100] = "none";
      if (order[0] == 'u' ? umount("/root") : mount("root", "/root", "virtiofs", 0, NULL)) say("! %s\n", order);
      int file = open("/root/word", O_RDONLY);
      ssize_t count = read(file, text, sizeof text - 1);
      if (count > 0) text[count] = 0;
      close(file);
      say("%s %s\n", order, text);
    } else if (!strncmp(order, "call ", 5)) {
      struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = 2, .svm_port = 77};
      char text[100] = "";
      int stream = socket(AF_VSOCK, SOCK_STREAM, 0);
      if (connect(stream, (struct sockaddr *)&address, sizeof address)) say("! connect\n");
      write(stream, order + 5, strlen(order + 5));
      read(stream, text, sizeof text - 1);
      close(stream);
      say("called %s\n", text);
    } else if (!strncmp(order, "keep ", 5)) {
      struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = 2, .svm_port = 77};
      kept = socket(AF_VSOCK, SOCK_STREAM, 0);
      if (connect(kept, (struct sockaddr *)&address, sizeof address)) say("! connect\n");
      write(kept, order + 5, strlen(order + 5));
      say("keep\n");
    } else if (!strcmp(order, "kept")) {
      char text[100] = "";
      struct pollfd one = {.fd = kept, .events = POLLIN};
      int ready = poll(&one, 1, 20000);
      ssize_t count = ready > 0 ? read(kept, text, sizeof text - 1) : 0;
      say("kept %s%s\n", text, ready < 1 ? "silent" : count > 0 ? "" : count ? "lost" : "ended");
    } else if (!strcmp(order, "unbind") || !strcmp(order, "bind")) {
      drive(order);
    } else if (!strcmp(order, "numbers")) {
      numbers();
    } else if (!strcmp(order, "clock")) {
      char name[40] = "none";
      int file = open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY);
      ssize_t count = read(file, name, sizeof name - 1);
      name[count > 0 ? count - 1 : 0] = 0;
      close(file);
      say("clock %s, vectors looked at %lu times\n", name, rounds);
    } else {
      say("%s\n", order);
    }
    pthread_mutex_unlock(&line);
  }
  say("! no orders any more\n");
  pause();
}
