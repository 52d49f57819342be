// A program that starts a machine and is then killed: holder KERNEL attached|detached. Prints `running` and waits.
#include <novm.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **words) {
  if (count != 3) return 2;
  novm_error error;
  novm_handle store, description, machine;
  int isDetached = !strcmp(words[2], "detached");
  if (novm_store_open(NULL, NULL, &store, &error) || novm_description_new(&description, &error) ||
      novm_description_set(description, "kernel", words[1], &error) ||
      novm_description_set(description, "memory", "256M", &error) ||
      novm_description_set(description, "name", words[2], &error) ||
      novm_description_set(description, "rm", isDetached ? "false" : "true", &error) ||
      novm_machine_create(store, description, &machine, &error) ||
      novm_machine_start(machine, isDetached ? NOVM_START_DETACHED : 0, 120000, &error))
    return fprintf(stderr, "%s\n", error.message), 1;
  puts("running");
  fflush(stdout);
  for (;;) pause();
}
