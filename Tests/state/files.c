// What a guest has of a tree when it is saved: open files, a listing that is read half-way, files that are mapped and written to,
// locks, hard links. `files` begins, `look` says whether all of it is as it was, and changes some; `glance` does not change anything;
// `swapped` says what became of a file that the host has replaced meanwhile; `hold` and `drop` are of one that is removed while it is
// open, `enter` and `leave` of such a directory.
#define _GNU_SOURCE
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BIG = 3000000, DIRTY = 1 << 20, NAMES = 300, KNOWN = 8 };

static int big, swapped, locked, held;
// Whether another machine has the tree's files, too.
static volatile int is_second;
static uint64_t sum;
static unsigned char *mapped, *dirty;
static const char *names[KNOWN] = {"/root/big",    "/root/w/one", "/root/w/two",       "/root/w/changed",
                                   "/root/w/deep", "/root/a/b/c", "/root/s/from-host", "/root/twin"};
static struct stat known[KNOWN];

struct listing {
  int file, count;
  unsigned char seen[NAMES];
};
static struct listing listings[3];

static uint64_t sum_of(const unsigned char *bytes, size_t count) {
  uint64_t sum = 0xcbf29ce484222325;
  for (size_t i = 0; i < count; i++) sum = (sum ^ bytes[i]) * 0x100000001b3;
  return sum;
}

static void put(const char *path, const char *text) {
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file < 0 || write(file, text, strlen(text)) < 0 || close(file)) say("! %s: %s\n", path, strerror(errno));
}

// Reads on, but not all of it unless it is to the end.
static void list(struct listing *listing, int to_end) {
  char buffer[600];
  for (int turn = 0; to_end || turn < 4; turn++) {
    long count = syscall(SYS_getdents64, listing->file, buffer, sizeof buffer);
    if (count < 0) say("! getdents: %s\n", strerror(errno));
    if (count <= 0) return;
    for (long at = 0; at < count;) {
      const char *name = buffer + at + 19;
      int number = !strncmp(name, "name", 4) ? atoi(name + 4) : -1;
      if (number >= 0 && number < NAMES) {
        if (listing->seen[number]++) say("! %s is listed twice\n", name);
        listing->count++;
      }
      at += *(unsigned short *)(buffer + at + 16);
    }
  }
}

// Lines with rising numbers, as fast as they go.
static void *write_lines(void *path) {
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
  for (unsigned long number = 0; ; number++) {
    char line[40];
    int count = snprintf(line, sizeof line, "%lu\n", number);
    if (write(file, line, count) != count) say("! %s: %s\n", (char *)path, strerror(errno));
    if (number % 64 == 63 && fsync(file)) say("! %s: fsync: %s\n", (char *)path, strerror(errno));
    usleep(3000);
  }
  return path;
}

// Pages of a mapped file, in rounds.
static void *write_pages(void *argument) {
  for (uint64_t round = 1; ; round++) {
    for (int page = 0; page < DIRTY / 4096; page++) {
      uint64_t *words = (uint64_t *)(dirty + page * 4096);
      if (!is_second && (words[0] != round - 1 || words[511] != ~(round - 1) * (round > 1)))
        say("! page %d in round %llu\n", page, (unsigned long long)round);
      words[0] = round;
      words[511] = ~round;
      usleep(500);
    }
  }
  return argument;
}

static void begin(void) {
  if (mount("root", "/root", "virtiofs", 0, NULL)) say("! mount: %s\n", strerror(errno));
  if (mount("s", "/root/s", "virtiofs", 0, NULL)) say("! mount s: %s\n", strerror(errno));
  put("/root/w/one", "one");
  if (link("/root/w/one", "/root/w/two")) say("! link\n");
  put("/root/w/changed", "by the guest");
  mkdir("/root/w/deep", 0755);
  put("/root/w/deep/new", "new");
  put("/root/w/many/mine", "");
  put("/root/w/gone", "");
  unlink("/root/w/gone");
  unlink("/root/w/below");
  big = open("/root/big", O_RDONLY);
  mapped = mmap(NULL, BIG, PROT_READ, MAP_SHARED, big, 0);
  sum = sum_of(mapped, BIG);
  swapped = open("/root/swapped", O_RDONLY);
  locked = open("/root/w/changed", O_RDWR);
  if (flock(locked, LOCK_EX)) say("! flock\n");
  int file = open("/root/w/dirty", O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (ftruncate(file, DIRTY)) say("! ftruncate\n");
  dirty = mmap(NULL, DIRTY, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  const char *many[] = {"/root/many", "/root/w/many", "/root/s/many"};
  for (int i = 0; i < 3; i++) {
    listings[i].file = open(many[i], O_RDONLY | O_DIRECTORY);
    list(&listings[i], 0);
  }
  for (int i = 0; i < KNOWN; i++)
    if (stat(names[i], &known[i])) say("! %s: %s\n", names[i], strerror(errno));
  pthread_t thread;
  pthread_create(&thread, NULL, write_lines, "/root/w/lines");
  pthread_create(&thread, NULL, write_lines, "/root/s/lines");
  pthread_create(&thread, NULL, write_pages, NULL);
  say("files %d %d %d\n", listings[0].count, listings[1].count, listings[2].count);
}

static void drop_caches(void) {
  int file = open("/proc/sys/vm/drop_caches", O_WRONLY);
  if (write(file, "3", 1) != 1) say("! drop_caches\n");
  close(file);
}

static void look(int changes) {
  static unsigned char bytes[BIG];
  is_second = !changes;
  drop_caches();
  if (pread(big, bytes, BIG, 0) != BIG || sum_of(bytes, BIG) != sum) say("! what is read is another file\n");
  drop_caches();
  if (sum_of(mapped, BIG) != sum) say("! what is mapped is another file\n");
  for (int i = 0; i < KNOWN; i++) {
    struct stat now;
    if (!changes && (i == 1 || i == 2)) continue;
    if (stat(names[i], &now)) {
      say("! %s: %s\n", names[i], strerror(errno));
      continue;
    }
    if (now.st_ino != known[i].st_ino || now.st_mode != known[i].st_mode || now.st_size != known[i].st_size ||
        now.st_nlink != known[i].st_nlink || now.st_mtim.tv_sec != known[i].st_mtim.tv_sec ||
        now.st_mtim.tv_nsec != known[i].st_mtim.tv_nsec)
      say("! %s: inode %lu, %lu links, %ld bytes, not %lu, %lu, %ld\n", names[i], now.st_ino, now.st_nlink, now.st_size,
          known[i].st_ino, known[i].st_nlink, known[i].st_size);
  }
  int other = open("/root/w/changed", O_RDWR);
  if (flock(other, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) say("! the lock is gone\n");
  close(other);
  if (!access("/root/w/gone", F_OK) || !access("/root/w/below", F_OK)) say("! what was removed is there\n");
  for (int i = 0; i < 3; i++) {
    list(&listings[i], 1);
    if (listings[i].count != NAMES) say("! listing %d has %d names\n", i, listings[i].count);
  }
  if (!changes) {
    say("glance\n");
    return;
  }
  put("/root/w/two", "two");
  char text[8] = "";
  int file = open("/root/w/one", O_RDONLY);
  read(file, text, sizeof text - 1);
  close(file);
  // For the next time.
  for (int i = 1; i < 3; i++) stat(names[i], &known[i]);
  for (int i = 0; i < 3; i++) {
    memset(listings[i].seen, 0, sizeof listings[i].seen);
    listings[i].count = 0;
    lseek(listings[i].file, 0, SEEK_SET);
    list(&listings[i], 0);
  }
  sync();
  say("look %s\n", text);
}

static void look_at_swapped(void) {
  char text[40] = "nothing", old[40] = "nothing";
  drop_caches();
  ssize_t count = pread(swapped, old, sizeof old - 1, 0);
  const int error = count < 0 ? errno : 0;
  // As long as it is open the guest's kernel has what it knows of the name, too.
  close(swapped);
  drop_caches();
  int file = open("/root/swapped", O_RDONLY);
  if (file < 0) say("! swapped: %s\n", strerror(errno));
  count = read(file, text, sizeof text - 1);
  const int newer = count < 0 ? errno : 0;
  text[count > 0 ? count : 0] = 0;
  close(file);
  say("swapped %s, %s\n", error ? strerror(error) : old, newer ? strerror(newer) : text);
}

static void hold(void) {
  put("/root/w/held", "held");
  held = open("/root/w/held", O_RDONLY);
  unlink("/root/w/held");
  say("hold\n");
}

static void enter(void) {
  mkdir("/root/w/left", 0755);
  if (chdir("/root/w/left")) say("! chdir\n");
  rmdir("/root/w/left");
  say("enter\n");
}

static void leave(void) {
  chdir("/");
  say("leave\n");
}

static void drop(void) {
  char text[8] = "";
  if (pread(held, text, sizeof text - 1, 0) != 4) say("! what was removed is gone: %s\n", strerror(errno));
  close(held);
  say("drop %s\n", text);
}

int files_order(const char *order) {
  if (!strcmp(order, "files")) begin();
  else if (!strcmp(order, "look")) look(1);
  else if (!strcmp(order, "glance")) look(0);
  else if (!strcmp(order, "swapped")) look_at_swapped();
  else if (!strcmp(order, "hold")) hold();
  else if (!strcmp(order, "enter")) enter();
  else if (!strcmp(order, "leave")) leave();
  else if (!strcmp(order, "drop")) drop();
  else return 0;
  return 1;
}
