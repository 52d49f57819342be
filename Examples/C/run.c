// Runs a command in a machine over this host's files, which it cannot change.
#include <novm.h>
#include <stdio.h>

int main(void) {
  novm_error error;
  novm_handle store, description, machine, command;
  if (novm_store_open(NULL, NULL, &store, &error) || novm_description_new(&description, &error) ||
      novm_description_set(description, "memory", "256M", &error) ||
      novm_description_set(description, "rm", "true", &error) ||
      novm_machine_create(store, description, &machine, &error) || novm_machine_start(machine, 0, 60000, &error))
    return fprintf(stderr, "%s\n", error.message), 1;

  const char *const words[] = {"uname", "-r", NULL};
  novm_command_options options = NOVM_COMMAND_OPTIONS;
  options.arguments = words;
  options.output = 1; // this program's own
  int status;
  if (novm_command_start(machine, &options, &command, &error) || novm_command_wait(command, -1, &status, &error))
    return fprintf(stderr, "%s\n", error.message), 1;
  novm_machine_stop(machine, 0, NULL);
  return status;
}
