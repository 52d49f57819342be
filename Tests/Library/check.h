// What the programs beside it check: by a line on standard error and status 1.
#include <novm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static novm_error error;

#define CHECK(condition, ...)                                        \
  do {                                                               \
    if (!(condition)) {                                              \
      fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
      fprintf(stderr, __VA_ARGS__);                                  \
      fprintf(stderr, "\n");                                         \
      exit(1);                                                       \
    }                                                                \
  } while (0)
#define OK(call) CHECK((call) == NOVM_OK, "%d: %s (%s)", error.status, error.message, error.subject)
// A status, and words for it, which end.
#define FAILS(expected, call)                                                                  \
  do {                                                                                         \
    memset(&error, 0x5a, sizeof error);                                                        \
    novm_status got = (call);                                                                  \
    CHECK(got == (expected), "status %d, not %d: %s", got, (int)(expected), error.message);    \
    CHECK(error.status == (int)(expected) && error.message[0] && error.message[0] != 0x5a &&   \
            memchr(error.message, 0, sizeof error.message),                                    \
      "no words for status %d", error.status);                                                 \
  } while (0)
