// A guest that is nothing but a driver of all virtio devices there are (Virtio 1.2, 4.2), with requests for ever: each head is offered
// again and again, whatever has been used. Tells by the serial line what it holds, and how far it is.
#include <stdint.h>

enum { SIZE = 64, QUEUES = 8, DEVICES = 18, PAGE = 4096 };
enum { NETWORK = 1, DISK = 2, CONSOLE = 3, ENTROPY = 4, BALLOON = 5, STREAMS = 19, FILES = 26, MEMORY = 27 };

struct descriptor { uint64_t address; uint32_t length; uint16_t flags, next; };
struct queue {
  struct descriptor descriptors[SIZE] __attribute__((aligned(PAGE)));
  struct { uint16_t flags, index, ring[SIZE]; } available;
  struct { uint16_t flags, index; struct { uint32_t head, length; } ring[SIZE]; } used __attribute__((aligned(PAGE)));
  uint8_t data[PAGE] __attribute__((aligned(PAGE)));
  uint8_t answers[PAGE] __attribute__((aligned(PAGE)));
  uint32_t turns;
  int is_held;
};
struct device { volatile uint8_t *registers; uint32_t kind, begun; struct queue queues[QUEUES]; };

static struct device devices[DEVICES];
static uint8_t spare[PAGE] __attribute__((aligned(PAGE)));
static uint64_t tables[6][512] __attribute__((aligned(PAGE)));

static void put(char byte) { __asm__ volatile("outb %0, %1" ::"a"(byte), "Nd"((uint16_t)0x3f8)); }
static void say(const char *text) { while (*text) put(*text++); }
static void tell(uint64_t number) {
  char digits[20];
  int count = 0;
  do digits[count++] = '0' + number % 10; while (number /= 10);
  while (count) put(digits[--count]);
}

static uint32_t get(struct device *device, int at) { return *(volatile uint32_t *)(device->registers + at); }
static void set(struct device *device, int at, uint32_t value) { *(volatile uint32_t *)(device->registers + at) = value; }
static void set_address(struct device *device, int at, const void *place) {
  set(device, at, (uint32_t)(uintptr_t)place);
  set(device, at + 4, (uint32_t)((uintptr_t)place >> 32));
}

static void word(uint8_t *place, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++) place[i] = value >> 8 * i;
}

static int header(uint8_t *place, uint32_t operation, uint32_t number, int body) {
  word(place, 40 + body, 4), word(place + 4, operation, 4), word(place + 8, number + 1, 8), word(place + 16, 1, 8);
  return 40 + body;
}

// What a queue's device understands, in 128 bytes that are zero: how many it reads, and how many it may write.
static int request(struct device *device, int index, uint32_t number, uint8_t *place, int *room) {
  *room = 0;
  switch (device->kind) {
    case NETWORK:
      if (index == 0) { *room = 2048; return 0; }
      for (int i = 12; i < 18; i++) place[i] = 0xff;
      return 72;
    case DISK:
      // Three sectors (5.2.6), and a status.
      word(place + 8, number % 64, 8);
      *room = 3 * 512 + 1;
      return 16;
    case CONSOLE:
      if (index == 0) { *room = 512; return 0; }
      place[0] = '\n';
      return 64;
    case ENTROPY: *room = 2048; return 0;
    case BALLOON:
      // In and out with a page that nobody misses (5.5.6).
      word(place, (uintptr_t)spare / PAGE, 4);
      return 4;
    case STREAMS:
      if (index != 1) { *room = 2048; return 0; }
      // Streams that nobody waits for (5.10.6).
      word(place, 3, 8), word(place + 8, 2, 8), word(place + 16, 1000 + number % 10000, 4), word(place + 20, 5000, 4);
      word(place + 28, 1, 2), word(place + 30, 1, 2), word(place + 36, 4096, 4);
      return 44;
    case FILES:
      // FORGET in the first queue; INIT, then GETATTR and OPENDIR of the root by turns, whose handles stay open.
      if (index == 0) return header(place, 2, number, 8);
      *room = 1024;
      if (number == 0) {
        word(place + 40, 7, 4), word(place + 44, 36, 4), word(place + 48, 1 << 16, 4);
        return header(place, 26, number, 16);
      }
      return number % 2 ? header(place, 3, number, 16) : header(place, 27, number, 8);
    case MEMORY: *room = 4; return 4;
    default: return -1;
  }
}

static void begin(struct device *device) {
  device->begun++;
  set(device, 0x70, 0);
  while (get(device, 0x70)) {}
  set(device, 0x70, 3);
  // VIRTIO_F_VERSION_1, and no other.
  for (int i = 0; i < 2; i++) set(device, 0x24, i), set(device, 0x20, i);
  set(device, 0x70, 11);
  for (int i = 0; i < QUEUES; i++) {
    struct queue *queue = &device->queues[i];
    // Of others of these nothing was agreed on.
    if ((device->kind == BALLOON || device->kind == NETWORK) && i > 1) break;
    set(device, 0x30, i);
    if (get(device, 0x34) < SIZE) continue;
    queue->available.index = queue->used.index = 0;
    queue->turns = 0;
    set(device, 0x38, SIZE);
    set_address(device, 0x80, queue->descriptors);
    set_address(device, 0x90, &queue->available);
    set_address(device, 0xa0, &queue->used);
    set(device, 0x44, 1);
    queue->is_held = 1;
  }
  set(device, 0x70, 15);
}

static void fill(struct device *device, struct queue *queue, int index, int place) {
  uint8_t *data = queue->data + 128 * place;
  int room, head = 2 * place;
  for (int i = 0; i < 128; i++) data[i] = 0;
  int sent = request(device, index, queue->turns * SIZE / 2 + place, data, &room);
  if (sent > 0) queue->descriptors[head] = (struct descriptor){(uintptr_t)data, sent, room ? 1 : 0, head + 1};
  if (room) queue->descriptors[head + (sent > 0)] = (struct descriptor){(uintptr_t)queue->answers, room, 2, 0};
}

static void hold(struct device *device) {
  for (int i = 0; i < QUEUES; i++) {
    struct queue *queue = &device->queues[i];
    if (!queue->is_held) continue;
    for (int place = 0; place < SIZE / 2; place++) {
      // What was offered stays as it is, but that each stream is another, and there is one INIT.
      if (queue->turns == 0 || device->kind == STREAMS || (device->kind == FILES && place == 0))
        fill(device, queue, i, place);
      queue->available.ring[(queue->available.index + place) % SIZE] = 2 * place;
    }
    queue->turns++;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    queue->available.index += SIZE / 2;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    set(device, 0x50, i);
  }
  // Whose device has had enough begins anew.
  if (get(device, 0x70) & 64) begin(device);
}

__attribute__((used)) static void run(void) {
  // The first 4 GiB as they are, in pages of 2 MiB.
  tables[0][0] = (uintptr_t)tables[1] | 3;
  for (int i = 0; i < 4; i++) {
    tables[1][i] = (uintptr_t)tables[2 + i] | 3;
    for (uint64_t j = 0; j < 512; j++) tables[2 + i][j] = (i * 512ull + j) << 21 | 0x83;
  }
  __asm__ volatile("mov %0, %%cr3" ::"r"(tables[0]) : "memory");
  int count = 0;
  say("devices");
  for (int i = 0; i < DEVICES; i++) {
    struct device *device = &devices[count];
    device->registers = (volatile uint8_t *)(0xd0000000ull + PAGE * i);
    if (get(device, 0) != 0x74726976 || !(device->kind = get(device, 8))) continue;
    count++;
    say(" "), tell(device->kind);
  }
  say("\n");
  for (int i = 0; i < count; i++) begin(&devices[i]);
  for (uint64_t turn = 1;; turn++) {
    for (int i = 0; i < count; i++) hold(&devices[i]);
    if (turn & (turn - 1)) continue;
    // Of each device its kind, how often it began, and by queues how many requests ended, as far as 16 bits tell.
    say("turns "), tell(turn);
    for (int i = 0; i < count; i++) {
      say(" "), tell(devices[i].kind), say(":"), tell(devices[i].begun);
      for (int j = 0; j < QUEUES; j++)
        if (devices[i].queues[j].is_held) say("/"), tell(*(volatile uint16_t *)&devices[i].queues[j].used.index);
    }
    say("\n");
  }
}

static uint8_t stack[16384] __attribute__((used, aligned(16)));
__asm__(".globl _start\n_start: cli\n lea stack+16384(%rip), %rsp\n call run\n");
