// Lets a command change a directory, shows what it changed, and brings it back: try_diff_apply DIRECTORY.
#include <novm.h>
#include <stdio.h>

#define OK(call) \
  if (call) return fprintf(stderr, "%s\n", error.message), 1

// What the machine does, once it is made.
static int try(novm_handle machine) {
  novm_error error;
  novm_handle command, changes;
  const char *const words[] = {"sh", "-c", "echo changed > /work/note", NULL};
  const char *const paths[] = {"/work", NULL};
  novm_command_options options = NOVM_COMMAND_OPTIONS;
  options.arguments = words;
  int status;
  OK(novm_machine_start(machine, 0, 60000, &error));
  OK(novm_command_start(machine, &options, &command, &error));
  OK(novm_command_wait(command, -1, &status, &error));
  OK(novm_machine_stop(machine, 10000, &error));
  OK(novm_changes_open(machine, paths, &changes, &error));
  size_t count;
  OK(novm_list_count(changes, &count, &error));
  for (size_t row = 0; row < count; ++row) {
    const char *kind, *path;
    OK(novm_list_text(changes, row, "kind", &kind, &error));
    OK(novm_list_text(changes, row, "path", &path, &error));
    printf("%s %s\n", kind, path);
  }
  OK(novm_changes_apply(changes, 0, &error));
  return status;
}

int main(int count, char **words) {
  if (count != 2) return fprintf(stderr, "usage: try_diff_apply DIRECTORY\n"), 2;
  char tree[4200];
  snprintf(tree, sizeof tree, "/work=>%s", words[1]);
  novm_error error;
  novm_handle store, description, machine;
  OK(novm_store_open(NULL, NULL, &store, &error));
  OK(novm_description_new(&description, &error));
  OK(novm_description_set(description, "memory", "256M", &error));
  OK(novm_description_set(description, "read", tree, &error));
  OK(novm_machine_create(store, description, &machine, &error));
  int status = try(machine);
  novm_machine_kill(machine, NULL);
  OK(novm_machine_remove(machine, &error));
  return status;
}
