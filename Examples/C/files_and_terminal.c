// Puts a file into a machine, runs a command on a terminal of its own, and reads what that made.
#include <novm.h>
#include <stdio.h>

#define OK(call) \
  if (call) return fprintf(stderr, "%s\n", error.message), 1

int main(void) {
  novm_error error;
  novm_handle store, description, machine, command;
  OK(novm_store_open(NULL, NULL, &store, &error));
  OK(novm_description_new(&description, &error));
  OK(novm_description_set(description, "memory", "256M", &error));
  OK(novm_description_set(description, "rm", "true", &error));
  OK(novm_machine_create(store, description, &machine, &error));
  OK(novm_machine_start(machine, 0, 60000, &error));

  OK(novm_files_write(machine, "/tmp/in", "from the host\n", 14, 0644, 60000, &error));
  const char *const words[] = {"sh", "-c", "stty size; tr a-z A-Z </tmp/in >/tmp/out", NULL};
  novm_command_options options = NOVM_COMMAND_OPTIONS;
  options.arguments = words;
  options.flags = NOVM_COMMAND_TERMINAL;
  options.rows = 30;
  options.columns = 100;
  int status;
  OK(novm_command_start(machine, &options, &command, &error));
  OK(novm_command_wait(command, 60000, &status, &error));
  // A terminal ends lines with a carriage return, too.
  char output[256];
  size_t length;
  OK(novm_command_output(command, 1, output, sizeof output, &length, &error));
  for (size_t i = 0; i < length; ++i)
    if (output[i] != '\r') putchar(output[i]);

  void *data;
  OK(novm_files_read(machine, "/tmp/out", 4096, 60000, &data, &length, &error));
  printf("%s", (char *)data);
  novm_free(data);
  OK(novm_machine_stop(machine, 0, &error));
  return status;
}
