// What libnovm costs: times MACHINE COUNT prints the mean seconds of /bin/true in a machine that runs; times alone those of the first
// calls, and the memory that the program then has (KiB).
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <novm.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static long resident(void) {
  char line[256];
  long kib = 0;
  FILE *status = fopen("/proc/self/status", "r");
  while (fgets(line, sizeof line, status)) sscanf(line, "VmRSS: %ld", &kib);
  fclose(status);
  return kib;
}

static void require(int status, const novm_error *error) {
  if (status) fprintf(stderr, "%s\n", error->message), exit(1);
}

int main(int count, char **words) {
  novm_error error;
  novm_handle store, machine;
  if (count == 1) {
    double start = now();
    long before = resident();
    novm_handle description;
    require(novm_store_open(NULL, NULL, &store, &error), &error);
    require(novm_description_new(&description, &error), &error);
    require(novm_description_parse(description, "memory: 1G\n", 11, &error), &error);
    printf("seconds=%.4f before=%ld kib=%ld\n", now() - start, before, resident());
    return 0;
  }
  require(novm_store_open(NULL, NULL, &store, &error), &error);
  require(novm_machine_find(store, words[1], &machine, &error), &error);
  int calls = atoi(words[2]);
  double start = 0;
  // The first one warms.
  for (int i = -1; i < calls; ++i) {
    if (!i) start = now();
    novm_command_options options = NOVM_COMMAND_OPTIONS;
    options.arguments = (const char *const[]){"/bin/true", NULL};
    novm_handle command;
    int status;
    require(novm_command_start(machine, &options, &command, &error), &error);
    require(novm_command_wait(command, -1, &status, &error), &error);
    require(novm_close(command, &error), &error);
    if (status) return 1;
  }
  printf("%.6f\n", (now() - start) / calls);
  return 0;
}
