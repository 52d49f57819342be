// This program's malloc(3) and its kin stand before the C library's, for all of the process. Swift may not define them.
#include "counting_allocator.h"

#include <errno.h>
#include <stddef.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static int is_counting;
static long allocations;

void counting_allocator_start(void) {
  allocations = 0;
  is_counting = 1;
}

long counting_allocator_stop(void) {
  is_counting = 0;
  return allocations;
}

void *malloc(size_t size) {
  allocations += is_counting;
  return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
  allocations += is_counting;
  return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
  allocations += is_counting;
  return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  allocations += is_counting;
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
  allocations += is_counting;
  *result = __libc_memalign(alignment, size);
  return *result ? 0 : ENOMEM;
}
