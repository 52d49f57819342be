// The life of a machine by libnovm, in a program that minds its children, signals and descriptors. Needs KVM.
//
//   life KERNEL DIRECTORY    prints what it did; status 0 is success
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static volatile sig_atomic_t children;
static void child_ended(int number) {
  (void)number;
  ++children;
}

static int descriptors(void) {
  DIR *directory = opendir("/proc/self/fd");
  int count = 0;
  while (readdir(directory)) ++count;
  closedir(directory);
  return count;
}

static char output[1 << 16];

// Runs a command, with its output in `output`.
static int run(novm_handle machine, const char *const *arguments, const char *input) {
  novm_command_options options = NOVM_COMMAND_OPTIONS;
  options.arguments = arguments;
  if (input) {
    options.input = NOVM_STREAM_MEMORY;
    options.input_data = input;
    options.input_length = strlen(input);
  }
  novm_handle command;
  int status = -1;
  int isTruncated = -1;
  size_t count;
  OK(novm_command_start(machine, &options, &command, &error));
  OK(novm_command_wait(command, 60000, &status, &error));
  OK(novm_command_truncated(command, &isTruncated, &error));
  CHECK(isTruncated == 0, "%s was cut", arguments[0]);
  OK(novm_command_output(command, 1, output, sizeof output - 1, &count, &error));
  output[count] = 0;
  OK(novm_close(command, &error));
  return status;
}
#define RUN(machine, input, ...) run(machine, (const char *const[]){__VA_ARGS__, NULL}, input)

static novm_handle shared;
static void *two_hundred(void *unused) {
  (void)unused;
  for (int i = 0; i < 10; ++i) {
    novm_command_options options = NOVM_COMMAND_OPTIONS;
    options.arguments = (const char *const[]){"/bin/echo", "threads", NULL};
    novm_handle command;
    int status;
    if (novm_command_start(shared, &options, &command, NULL) != NOVM_OK ||
        novm_command_wait(command, 60000, &status, NULL) != NOVM_OK || status != 0 ||
        novm_close(command, NULL) != NOVM_OK)
      return "failed";
  }
  return NULL;
}

// Waits for a command until it has ended, however.
static void *wait_for(void *command) {
  novm_error error;
  return (void *)(intptr_t)novm_command_wait(*(novm_handle *)command, -1, NULL, &error);
}

int main(int count, char **words) {
  CHECK(count == 3, "life KERNEL DIRECTORY");
  signal(SIGCHLD, child_ended);
  // As a server has it that minds nothing: a write to a pipe without a reader must not end it.
  signal(SIGPIPE, SIG_DFL);

  novm_handle store, list, description, machine, events;
  size_t rows;
  OK(novm_store_open(NULL, NULL, &store, &error));
  OK(novm_store_kernels(store, &list, &error));
  OK(novm_list_count(list, &rows, &error));
  CHECK(rows >= 1, "no kernels");
  const char *text;
  OK(novm_list_text(list, 0, "release", &text, &error));
  CHECK(strlen(text) > 3, "release %s", text);
  FAILS(NOVM_ERROR_ARGUMENT, novm_list_text(list, 0, "colour", &text, &error));
  char *json;
  OK(novm_list_json(list, &json, &error));
  CHECK(json[0] == '[' && strstr(json, "\"release\""), "%s", json);
  novm_free(json);
  OK(novm_close(list, &error));
  OK(novm_store_packs(store, &list, &error));
  OK(novm_close(list, &error));

  // A description, by calls and as text.
  OK(novm_description_new(&description, &error));
  OK(novm_description_set(description, "kernel", words[1], &error));
  FAILS(NOVM_ERROR_DESCRIPTION, novm_description_set(description, "memroy", "1G", &error));
  CHECK(strstr(error.message, "did you mean memory"), "%s", error.message);
  FAILS(NOVM_ERROR_DESCRIPTION, novm_description_set(description, "memory", "lots", &error));
  CHECK(!strcmp(error.subject, "memory"), "%s", error.subject);
  const char bad[] = "memory: 256M\ncpus: 1\nnet: tokenring\n";
  FAILS(NOVM_ERROR_DESCRIPTION, novm_description_parse(description, bad, strlen(bad), &error));
  CHECK(error.line == 3 && !strcmp(error.subject, "net"), "line %d, %s", error.line, error.subject);
  const char good[] = "memory: 256M\nname: life\nhostname: embedded\n";
  OK(novm_description_parse(description, good, strlen(good), &error));
  OK(novm_machine_create(store, description, &machine, &error));
  FAILS(NOVM_ERROR_TAKEN, novm_machine_create(store, description, &list, &error));

  novm_machine_state state = {.size = sizeof state};
  OK(novm_machine_state_get(machine, &state, &error));
  CHECK(state.state == NOVM_STATE_CREATED, "state %d", state.state);
  OK(novm_events_open(machine, &events, &error));
  OK(novm_events_next(events, 1000, &state, &error));
  CHECK(state.state == NOVM_STATE_CREATED, "state %d", state.state);
  FAILS(NOVM_ERROR_TIMED_OUT, novm_events_next(events, 50, &state, &error));

  novm_command_options options = NOVM_COMMAND_OPTIONS;
  options.arguments = (const char *const[]){"/bin/true", NULL};
  novm_handle command;
  OK(novm_command_start(machine, &options, &command, &error));
  int status;
  FAILS(NOVM_ERROR_NOT_RUNNING, novm_command_wait(command, 10000, &status, &error));
  OK(novm_close(command, &error));

  OK(novm_machine_start(machine, 0, 120000, &error));
  FAILS(NOVM_ERROR_RUNNING, novm_machine_start(machine, 0, 120000, &error));
  FAILS(NOVM_ERROR_RUNNING, novm_machine_remove(machine, &error));
  printf("started\n");

  CHECK(RUN(machine, NULL, "/bin/uname", "-n") == 0 && !strcmp(output, "embedded\n"), "'%s'", output);
  CHECK(RUN(machine, "one\ntwo\n", "/usr/bin/wc", "-l") == 0 && !strcmp(output, "2\n"), "'%s'", output);
  CHECK(RUN(machine, NULL, "/bin/sh", "-c", "exit 7") == 7, "status");
  CHECK(RUN(machine, NULL, "/bin/sh", "-c", "kill -9 $$") == 137, "status");
  options.arguments = (const char *const[]){"/no/such/program", NULL};
  OK(novm_command_start(machine, &options, &command, &error));
  FAILS(NOVM_ERROR_COMMAND, novm_command_wait(command, 60000, &status, &error));
  CHECK(error.exit_status == 127, "exit status %d", error.exit_status);
  OK(novm_close(command, &error));

  // More than is kept; and more than nobody wants.
  options.arguments = (const char *const[]){"/bin/sh", "-c", "echo abcdef; echo ghi >&2", NULL};
  options.output_limit = 4;
  for (int isCut = 1; isCut >= 0; --isCut) {
    if (!isCut) options.output = NOVM_STREAM_NOTHING;
    int isTruncated = -1;
    size_t count;
    OK(novm_command_start(machine, &options, &command, &error));
    OK(novm_command_wait(command, 60000, &status, &error));
    OK(novm_command_truncated(command, &isTruncated, &error));
    CHECK(isTruncated == isCut, "%d, not %d", isTruncated, isCut);
    OK(novm_command_output(command, 1, output, sizeof output, &count, &error));
    CHECK(count == (isCut ? 4 : 0), "%zu bytes", count);
    OK(novm_close(command, &error));
  }
  options = (novm_command_options)NOVM_COMMAND_OPTIONS;

  // Waits with a time, a signal, the descriptor for a loop of one's own.
  options.arguments = (const char *const[]){"/bin/sleep", "1000", NULL};
  OK(novm_command_start(machine, &options, &command, &error));
  FAILS(NOVM_ERROR_TIMED_OUT, novm_command_wait(command, 200, &status, &error));
  struct pollfd interest = {.events = POLLIN};
  OK(novm_command_descriptor(command, &interest.fd, &error));
  CHECK(poll(&interest, 1, 0) == 0, "ended already");
  OK(novm_command_signal(command, SIGTERM, &error));
  CHECK(poll(&interest, 1, 60000) == 1, "no end");
  OK(novm_command_wait(command, 0, &status, &error));
  CHECK(status == 128 + SIGTERM, "status %d", status);
  OK(novm_close(command, &error));

  // One that is closed while a thread waits for it is given up.
  OK(novm_command_start(machine, &options, &command, &error));
  novm_handle waited_for = command;
  pthread_t waiter;
  CHECK(pthread_create(&waiter, NULL, wait_for, &waited_for) == 0, "thread");
  usleep(200000);
  OK(novm_close(command, &error));
  void *waited;
  pthread_join(waiter, &waited);
  CHECK((intptr_t)waited == NOVM_ERROR_CANCELED, "status %d", (int)(intptr_t)waited);

  // A pipe for output whose reader goes away: the command hears of it, and this program does not.
  int ends[2];
  CHECK(pipe(ends) == 0, "pipe");
  options.arguments = (const char *const[]){"/usr/bin/yes", NULL};
  options.output = ends[1];
  OK(novm_command_start(machine, &options, &command, &error));
  close(ends[1]);
  char byte;
  CHECK(read(ends[0], &byte, 1) == 1 && byte == 'y', "no output");
  close(ends[0]);
  OK(novm_command_wait(command, 60000, &status, &error));
  CHECK(status == 128 + SIGPIPE, "status %d", status);
  OK(novm_close(command, &error));
  printf("commands\n");

  // A terminal.
  options = (novm_command_options)NOVM_COMMAND_OPTIONS;
  options.flags = NOVM_COMMAND_TERMINAL;
  options.rows = 33;
  options.columns = 99;
  options.arguments = (const char *const[]){"/bin/stty", "size", NULL};
  OK(novm_command_start(machine, &options, &command, &error));
  OK(novm_command_wait(command, 60000, &status, &error));
  size_t taken;
  OK(novm_command_output(command, 1, output, sizeof output - 1, &taken, &error));
  output[taken] = 0;
  CHECK(strstr(output, "33 99"), "'%s'", output);
  OK(novm_close(command, &error));

  // Files.
  OK(novm_files_write(machine, "/srv/note", "hello\0you", 9, 0600, 60000, &error));
  void *data;
  size_t length;
  OK(novm_files_read(machine, "/srv/note", 1 << 20, 60000, &data, &length, &error));
  CHECK(length == 9 && !memcmp(data, "hello\0you", 9), "%zu bytes", length);
  novm_free(data);
  FAILS(NOVM_ERROR_ARGUMENT, novm_files_read(machine, "/srv/note", 3, 60000, &data, &length, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_files_read(machine, "/srv", 1 << 20, 60000, &data, &length, &error));
  OK(novm_files_read(machine, "/srv/note", SIZE_MAX, 60000, &data, &length, &error));
  CHECK(length == 9, "%zu bytes", length);
  novm_free(data);
  FAILS(NOVM_ERROR_COMMAND, novm_files_read(machine, "/srv/nothing", 99, 60000, &data, &length, &error));
  char path[4096];
  snprintf(path, sizeof path, "%s/out", words[2]);
  OK(novm_files_copy_out(machine, "/srv/note", path, 60000, &error));
  CHECK(access(path, R_OK) == 0, "%s", path);
  OK(novm_files_copy_in(machine, path, "/srv/back", 60000, &error));
  CHECK(RUN(machine, NULL, "/usr/bin/cmp", "/srv/note", "/srv/back") == 0, "differ");
  printf("files\n");

  // Several threads in one machine.
  pthread_t threads[4];
  shared = machine;
  for (int i = 0; i < 4; ++i) pthread_create(&threads[i], NULL, two_hundred, NULL);
  for (int i = 0; i < 4; ++i) {
    void *words_of_thread;
    pthread_join(threads[i], &words_of_thread);
    CHECK(!words_of_thread, "a thread");
  }

  OK(novm_machine_pause(machine, &error));
  OK(novm_machine_state_get(machine, &state, &error));
  CHECK(state.state == NOVM_STATE_PAUSED, "state %d", state.state);
  OK(novm_machine_resume(machine, &error));
  OK(novm_machine_usage(machine, &list, &error));
  OK(novm_list_text(list, 0, "memory_total", &text, &error));
  CHECK(text && atoll(text) > 100 << 20, "memory %s", text);
  OK(novm_list_text(list, 0, "nodes", &text, &error));
  CHECK(text && atoll(text) > 0, "nodes %s", text);
  OK(novm_close(list, &error));
  int port;
  FAILS(NOVM_ERROR_MISSING, novm_machine_connect(machine, 9, 10000, &port, &error));

  // A child without exec, and one with: neither has to do with the machine's end.
  pid_t forked = fork();
  if (!forked) _exit(novm_machine_state_get(machine, &state, NULL) == NOVM_OK ? 0 : 1);
  int forked_status;
  CHECK(waitpid(forked, &forked_status, 0) == forked && forked_status == 0, "after fork: %x", forked_status);
  // Our own child is the only one that was ever told of.
  CHECK(children == 1, "%d children ended", (int)children);
  CHECK(waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD, "children");

  do OK(novm_events_next(events, 1000, &state, &error));
  while (state.state != NOVM_STATE_RUNNING);
  OK(novm_machine_stop(machine, 5000, &error));
  OK(novm_machine_wait(machine, 60000, &state, &error));
  CHECK(state.state == NOVM_STATE_EXITED && state.exit_status == 0, "state %d: %s", state.state, state.message);
  do OK(novm_events_next(events, 5000, &state, &error));
  while (state.state != NOVM_STATE_EXITED);
  FAILS(NOVM_ERROR_MISSING, novm_events_next(events, 1000, &state, &error));
  OK(novm_close(events, &error));
  printf("stopped\n");

  // What it wrote.
  const char *const paths[] = {"/srv", NULL};
  novm_handle changes;
  OK(novm_changes_open(machine, paths, &changes, &error));
  OK(novm_list_count(changes, &rows, &error));
  int found = 0;
  for (size_t row = 0; row < rows; ++row) {
    const char *kind;
    OK(novm_list_text(changes, row, "path", &text, &error));
    OK(novm_list_text(changes, row, "kind", &kind, &error));
    if (!strcmp(text, "/srv/note")) found = !strcmp(kind, "added");
  }
  CHECK(found, "no change of /srv/note in %zu", rows);
  OK(novm_close(changes, &error));
  OK(novm_changes_discard(machine, &error));
  OK(novm_changes_open(machine, NULL, &changes, &error));
  OK(novm_list_count(changes, &rows, &error));
  CHECK(rows == 0, "%zu changes", rows);
  OK(novm_close(changes, &error));
  OK(novm_machine_remove(machine, &error));
  FAILS(NOVM_ERROR_MISSING, novm_machine_find(store, "life", &list, &error));
  OK(novm_close(machine, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_machine_kill(machine, &error));
  OK(novm_close(description, &error));

  // Changes that are brought back.
  char host[4096];
  snprintf(host, sizeof host, "/data=>%s/data", words[2]);
  OK(novm_description_new(&description, &error));
  OK(novm_description_set(description, "kernel", words[1], &error));
  OK(novm_description_set(description, "read", host, &error));
  OK(novm_machine_create(store, description, &machine, &error));
  int before = descriptors();
  OK(novm_machine_start(machine, 0, 120000, &error));
  CHECK(RUN(machine, NULL, "/bin/sh", "-c", "echo new > /data/file") == 0, "status");
  OK(novm_machine_stop(machine, 5000, &error));
  OK(novm_changes_open(machine, (const char *const[]){"/data", NULL}, &changes, &error));
  OK(novm_changes_apply(changes, 0, &error));
  OK(novm_close(changes, &error));
  snprintf(path, sizeof path, "%s/data/file", words[2]);
  CHECK(access(path, R_OK) == 0, "%s", path);
  OK(novm_machine_remove(machine, &error));
  CHECK(descriptors() == before, "%d descriptors, not %d", descriptors(), before);
  OK(novm_close(machine, &error));

  // One that is still on its way ends, too.
  OK(novm_machine_create(store, description, &machine, &error));
  FAILS(NOVM_ERROR_TIMED_OUT, novm_machine_start(machine, 0, 0, &error));
  OK(novm_machine_kill(machine, &error));
  OK(novm_machine_wait(machine, 60000, &state, &error));
  OK(novm_machine_remove(machine, &error));
  OK(novm_close(machine, &error));
  OK(novm_close(description, &error));
  OK(novm_close(store, &error));
  printf("changes\n");
  return 0;
}
