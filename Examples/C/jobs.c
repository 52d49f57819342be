// Counts the lines of each file of a directory, on machines that share the work: jobs DIRECTORY [MACHINES].
#include <dirent.h>
#include <novm.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static novm_handle pool;
static DIR *directory;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int files;
static long lines;

static void fail(const novm_error *error) {
  fprintf(stderr, "%s\n", error->message);
  exit(1);
}

// The next file's path in a machine; 0 if there is none left.
static int take(char *path, size_t size) {
  pthread_mutex_lock(&lock);
  struct dirent *entry;
  while ((entry = readdir(directory)) && entry->d_type != DT_REG) continue;
  if (entry) snprintf(path, size, "/work/%s", entry->d_name);
  pthread_mutex_unlock(&lock);
  return entry != NULL;
}

// Job after job, each on a machine that is free.
static void *work(void *unused) {
  novm_error error;
  novm_handle machine, command;
  char path[300];
  while (take(path, sizeof path)) {
    const char *const words[] = {"wc", "-l", path, NULL};
    novm_command_options options = NOVM_COMMAND_OPTIONS;
    options.arguments = words;
    char output[400] = "";
    size_t length;
    int status;
    if (novm_pool_take(pool, -1, &machine, &error) || novm_command_start(machine, &options, &command, &error) ||
        novm_command_wait(command, 60000, &status, &error) ||
        novm_command_output(command, 1, output, sizeof output - 1, &length, &error) || novm_close(command, &error) ||
        novm_pool_give(pool, machine, NOVM_POOL_REUSE, &error))
      fail(&error);
    if (status) fprintf(stderr, "wc ended with status %d\n", status), exit(1);
    pthread_mutex_lock(&lock);
    ++files;
    lines += atol(output);
    pthread_mutex_unlock(&lock);
  }
  return unused;
}

int main(int count, char **words) {
  if (count < 2 || !(directory = opendir(words[1]))) return fprintf(stderr, "usage: jobs DIRECTORY [MACHINES]\n"), 2;
  int machines = count > 2 ? atoi(words[2]) : 4;
  char tree[4200];
  snprintf(tree, sizeof tree, "/work=>%s", words[1]);
  novm_error error;
  novm_handle store, description;
  pthread_t threads[64];
  if (machines < 1 || machines > 64) return fprintf(stderr, "jobs: 1 to 64 machines\n"), 2;
  if (novm_store_open(NULL, NULL, &store, &error) || novm_description_new(&description, &error) ||
      novm_description_set(description, "memory", "256M", &error) ||
      novm_description_set(description, "read", tree, &error) ||
      novm_pool_open(store, description, (uint32_t)machines, &pool, &error))
    fail(&error);
  for (int i = 0; i < machines; ++i) pthread_create(&threads[i], NULL, work, NULL);
  for (int i = 0; i < machines; ++i) pthread_join(threads[i], NULL);
  if (novm_close(pool, &error)) fail(&error);
  printf("%d files, %ld lines\n", files, lines);
  return 0;
}
