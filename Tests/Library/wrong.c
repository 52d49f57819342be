// Wrong calls of libnovm, and random ones: a status each. Needs no KVM.
//
//   wrong [COUNT [SEED]]    COUNT random calls, 10000 unless said
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

// What every call that takes a handle says of one that is none, or is of something else.
static void table(novm_handle bad, int isDescription) {
  novm_handle made;
  size_t count;
  const char *text;
  char *json;
  int number;
  void *data;
  novm_machine_state state = {.size = sizeof state};
  novm_command_options options = NOVM_COMMAND_OPTIONS;
  const char *const words[] = {"/bin/true", NULL};
  options.arguments = words;
  FAILS(NOVM_ERROR_HANDLE, novm_store_kernels(bad, &made, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_store_packs(bad, &made, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_store_machines(bad, &made, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_store_remove_kernel(bad, "x", &error));
  FAILS(NOVM_ERROR_HANDLE, novm_store_remove_pack(bad, "x", &error));
  FAILS(NOVM_ERROR_HANDLE, novm_store_import_kernel(bad, NULL, NULL, NULL, NULL, NULL, &made, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_store_import_pack(bad, "/x.tar", NULL, NULL, 0, 0, NULL, NULL, &made, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_store_images(bad, &made, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_store_pull_image(bad, "x", 0, NULL, NULL, &made, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_store_remove_image(bad, "x", 0, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_machine_commit_image(bad, "x:1", NULL, NULL, &made, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_list_count(bad, &count, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_list_text(bad, 0, "name", &text, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_list_json(bad, &json, &error));
  if (!isDescription) {
    FAILS(NOVM_ERROR_HANDLE, novm_description_set(bad, "memory", "1G", &error));
    FAILS(NOVM_ERROR_HANDLE, novm_description_parse(bad, "memory: 1G", 10, &error));
  }
  FAILS(NOVM_ERROR_HANDLE, novm_machine_create(bad, bad, &made, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_machine_find(bad, "x", &made, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_machine_names(bad, &text, &text, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_machine_start(bad, 0, 0, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_machine_state_get(bad, &state, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_machine_wait(bad, 0, &state, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_machine_stop(bad, 0, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_machine_kill(bad, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_machine_remove(bad, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_machine_pause(bad, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_machine_resume(bad, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_machine_descriptor(bad, &number, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_machine_usage(bad, &made, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_machine_connect(bad, 1, 0, &number, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_machine_publish(bad, "8080:80", &made, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_machine_commit(bad, "x", 0, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_pool_open(bad, bad, 1, &made, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_pool_take(bad, 0, &made, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_pool_give(bad, bad, 0, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_events_open(bad, &made, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_events_open_with(bad, 1, &made, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_events_open_with(bad, 2, &made, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_events_next(bad, 0, &state, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_events_descriptor(bad, &number, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_command_start(bad, &options, &made, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_command_wait(bad, 0, &number, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_command_descriptor(bad, &number, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_command_signal(bad, 1, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_command_resize(bad, 1, 1, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_command_output(bad, 1, &number, 1, &count, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_command_truncated(bad, &number, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_command_truncated(bad, NULL, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_files_copy_in(bad, "x", "y", 0, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_files_copy_out(bad, "x", "y", 0, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_files_write(bad, "x", "y", 1, 0, 0, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_files_read(bad, "x", 1, 0, &data, &count, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_changes_open(bad, NULL, &made, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_changes_apply(bad, 0, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_changes_discard(bad, &error));
}

// NULL where something has to be; text that is none.
static void arguments(novm_handle store) {
  novm_handle description, made;
  FAILS(NOVM_ERROR_ARGUMENT, novm_store_open(NULL, NULL, NULL, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_store_open("relative", NULL, &made, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_store_open("/\xff\xfe", NULL, &made, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_store_kernels(store, NULL, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_store_remove_kernel(store, NULL, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_store_remove_kernel(store, "\xc3(", &error));
  FAILS(NOVM_ERROR_MISSING, novm_store_remove_kernel(store, "nosuch", &error));
  FAILS(NOVM_ERROR_MISSING, novm_store_remove_pack(store, "nosuch", &error));
  FAILS(NOVM_ERROR_MISSING, novm_machine_find(store, "nosuch", &made, &error));
  FAILS(NOVM_ERROR_MISSING, novm_machine_find(store, "", &made, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_machine_find(store, NULL, &made, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_store_import_kernel(store, NULL, NULL, NULL, NULL, NULL, NULL, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_store_import_kernel(store, NULL, "/lib/modules", NULL, NULL, NULL, &made, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_store_import_kernel(store, "/x.deb", "/lib/modules", NULL, NULL, NULL, &made, &error));
  FAILS(NOVM_ERROR_MISSING, novm_store_import_kernel(store, "/nowhere", NULL, NULL, NULL, NULL, &made, &error));
  FAILS(NOVM_ERROR_MISSING, novm_store_import_kernel(store, "/nowhere.deb", NULL, NULL, NULL, NULL, &made, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_store_import_kernel(store, "/bin/true", NULL, NULL, NULL, NULL, &made, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_store_import_pack(store, NULL, NULL, NULL, 0, 0, NULL, NULL, &made, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_store_import_pack(store, "/x.tar", NULL, NULL, 2, 0, NULL, NULL, &made, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_store_import_pack(store, "/x.tar", NULL, NULL, 0, 0, NULL, NULL, NULL, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_store_import_pack(store, "/x.tar", "\xff", NULL, 0, 0, NULL, NULL, &made, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_store_import_pack(store, "/x.tar", "../x", NULL, 0, -1, NULL, NULL, &made, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_store_import_pack(store, "/x.tar", NULL, "md5:1", 0, -1, NULL, NULL, &made, &error));
  FAILS(NOVM_ERROR_MISSING, novm_store_import_pack(store, "/no\nwhere.tar", "x", NULL, 0, -1, NULL, NULL, &made, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_store_images(store, NULL, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_store_pull_image(store, NULL, 0, NULL, NULL, &made, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_store_pull_image(store, "--help", -1, NULL, NULL, &made, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_store_pull_image(store, "Not a name", -1, NULL, NULL, &made, &error));
  FAILS(NOVM_ERROR_MISSING, novm_store_remove_image(store, "nosuch", 0, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_store_remove_image(store, "nosuch", 2, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_description_new(NULL, &error));
  OK(novm_description_new(&description, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_description_set(description, NULL, "x", &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_description_set(description, "memory", NULL, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_description_set(description, "\xff", "x", &error));
  FAILS(NOVM_ERROR_DESCRIPTION, novm_description_set(description, "", "x", &error));
  FAILS(NOVM_ERROR_DESCRIPTION, novm_description_set(description, "init", "perhaps", &error));
  FAILS(NOVM_ERROR_DESCRIPTION, novm_description_set(description, "timeout", "soon", &error));
  FAILS(NOVM_ERROR_DESCRIPTION, novm_description_set(description, "env", "NAME", &error));
  FAILS(NOVM_ERROR_DESCRIPTION, novm_description_set(description, "cpus", "0", &error));
  FAILS(NOVM_ERROR_DESCRIPTION, novm_description_set(description, "publish-all", "all", &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_description_parse(description, NULL, 4, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_description_parse(description, "x", (size_t)-1, &error));
  FAILS(NOVM_ERROR_DESCRIPTION, novm_description_parse(description, "a: \"\\0\"", 7, &error));
  FAILS(NOVM_ERROR_DESCRIPTION, novm_description_parse(description, "memory: \"1\\0G\"", 14, &error));
  FAILS(NOVM_ERROR_DESCRIPTION, novm_description_parse(description, "me\0mory: 1G", 11, &error));
  FAILS(NOVM_ERROR_DESCRIPTION, novm_description_parse(description, "- 1", 3, &error));
  FAILS(NOVM_ERROR_DESCRIPTION, novm_description_parse(description, "memory: [1", 10, &error));
  FAILS(NOVM_ERROR_DESCRIPTION, novm_description_parse(description, "cpus: 1\ncpus: 2", 15, &error));
  CHECK(error.line == 2, "line %d", error.line);
  OK(novm_description_parse(description, "", 0, &error));
  // Pools.
  novm_handle pool;
  FAILS(NOVM_ERROR_ARGUMENT, novm_pool_open(store, description, 0, &pool, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_pool_open(store, description, 1025, &pool, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_pool_open(store, description, 1, NULL, &error));
  OK(novm_pool_open(store, description, 2, &pool, &error));
  // There is no kernel here, which each call tells.
  for (int i = 0; i < 2; ++i) FAILS(NOVM_ERROR_MISSING, novm_pool_take(pool, 60000, &made, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_pool_give(pool, store, 0, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_pool_give(pool, store, 2, &error));
  OK(novm_close(pool, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_pool_take(pool, 0, &made, &error));
  // An image that is not here is not fetched.
  novm_handle imaged;
  OK(novm_description_new(&imaged, &error));
  OK(novm_description_set(imaged, "publish-all", "true", &error));
  FAILS(NOVM_ERROR_DESCRIPTION, novm_machine_create(store, imaged, &made, &error));
  OK(novm_description_set(imaged, "image", "nosuch:1", &error));
  FAILS(NOVM_ERROR_MISSING, novm_machine_create(store, imaged, &made, &error));
  OK(novm_close(imaged, &error));
  // A path that is no text.
  OK(novm_description_set(description, "read", "/data=>/tmp/\xff\xfe", &error));
  FAILS(NOVM_ERROR_DESCRIPTION, novm_machine_create(store, description, &made, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_machine_create(store, store, &made, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_machine_create(description, description, &made, &error));
  FAILS(NOVM_ERROR_ARGUMENT, novm_machine_create(store, description, NULL, &error));
  table(description, 1);
  OK(novm_close(description, &error));
  FAILS(NOVM_ERROR_HANDLE, novm_close(description, &error));
  // Without room for an error.
  CHECK(novm_close(description, NULL) == NOVM_ERROR_HANDLE, "without an error");
  novm_free(NULL);
}

static void *take_from(void *pool) {
  novm_handle machine;
  return (void *)(intptr_t)novm_pool_take(*(novm_handle *)pool, -1, &machine, NULL);
}

static void *close_it(void *handle) { return (void *)(intptr_t)novm_close(*(novm_handle *)handle, NULL); }

// A pool that is closed while a thread waits for a machine of it, which itself waits for a kernel that nobody describes.
static void closed_pool(void) {
  char root[] = "/tmp/novm-wrong-XXXXXX", kernels[64], kernel[64], bundle[96];
  CHECK(mkdtemp(root), "%s", root);
  snprintf(kernels, sizeof kernels, "%s/kernels", root);
  snprintf(kernel, sizeof kernel, "%s/kernels/slow", root);
  snprintf(bundle, sizeof bundle, "%s/kernels/slow/bundle.json", root);
  CHECK(!mkdir(kernels, 0700) && !mkdir(kernel, 0700) && !mkfifo(bundle, 0600), "%s", bundle);

  novm_handle store, description, pool, machine;
  OK(novm_store_open(root, NULL, &store, &error));
  OK(novm_description_new(&description, &error));
  OK(novm_description_set(description, "kernel", "slow", &error));
  OK(novm_pool_open(store, description, 1, &pool, &error));
  FAILS(NOVM_ERROR_TIMED_OUT, novm_pool_take(pool, 100, &machine, &error));
  pthread_t waiter, closer;
  CHECK(!pthread_create(&waiter, NULL, take_from, &pool), "thread");
  usleep(200000);
  CHECK(!pthread_create(&closer, NULL, close_it, &pool), "thread");
  usleep(200000);
  // The machine on its way does not come up, which nobody is told any more.
  close(open(bundle, O_WRONLY));
  void *taken, *closed;
  pthread_join(waiter, &taken);
  pthread_join(closer, &closed);
  CHECK((intptr_t)taken == NOVM_ERROR_CANCELED, "status %d", (int)(intptr_t)taken);
  CHECK((intptr_t)closed == NOVM_OK, "status %d", (int)(intptr_t)closed);
  OK(novm_close(description, &error));
  OK(novm_close(store, &error));
  CHECK(!unlink(bundle) && !rmdir(kernel) && !rmdir(kernels) && !rmdir(root), "%s has more in it", root);
}

// ---- Random calls ----

static unsigned long long seed;
static unsigned random_below(unsigned limit) {
  seed = seed * 6364136223846793005ull + 1442695040888963407ull;
  return (unsigned)(seed >> 33) % limit;
}

static novm_handle pool[32];
static novm_handle some(void) {
  switch (random_below(8)) {
    case 0: return 0;
    case 1: return ((novm_handle)random_below(~0u) << 32) | random_below(~0u);
    default: return pool[random_below(32)];
  }
}
static novm_handle *place(void) { return random_below(16) ? &pool[random_below(32)] : NULL; }
static const char *word(void) {
  static const char *const words[] = {
    NULL, "", "memory", "1G", "256M", "\xff\xfe", "name", "read", "/=>/", "/tmp", "command", "env", "A=B", "kernel", "nosuch",
    "rm", "true", "memory: 1G", "{a: [b, {c: d}]}", "- - - -", "&a *a", "../..", "%s%n", "cpus", "99999999999999999999", "-1",
    "publish", "80:80/udp", "hostname", "x y", "disk", "/dev/null,ro", "uidmap", "0:0:1"};
  return words[random_below(sizeof words / sizeof *words)];
}

static void random_call(novm_handle store) {
  novm_error *told = random_below(4) ? &error : NULL;
  novm_machine_state state = {.size = random_below(4) ? sizeof state : random_below(99)};
  novm_command_options options = NOVM_COMMAND_OPTIONS;
  const char *const words[] = {word(), word(), NULL};
  options.arguments = random_below(9) ? words : NULL;
  if (!random_below(9)) options.size = random_below(200);
  if (!random_below(9)) options.input = (int)random_below(2000) - 10;
  size_t count;
  const char *text;
  char *json = NULL;
  char buffer[64];
  int number;
  void *data = NULL;
  novm_handle closed;
  novm_handle handle = random_below(4) ? some() : store;
  const char *description;
  switch (random_below(36)) {
    case 0: novm_store_kernels(handle, place(), told); break;
    case 1: novm_store_packs(handle, place(), told); break;
    case 2: novm_store_machines(handle, place(), told); break;
    case 3: novm_list_count(handle, random_below(9) ? &count : NULL, told); break;
    case 4: novm_list_text(handle, random_below(3), word(), &text, told); break;
    case 5:
      if (novm_list_json(handle, &json, told) == NOVM_OK) novm_free(json);
      break;
    case 6: novm_description_new(place(), told); break;
    case 7: novm_description_set(handle, word(), word(), told); break;
    case 8: description = word(); novm_description_parse(handle, description, description ? strlen(description) : 3, told); break;
    case 9: novm_machine_create(handle, some(), place(), told); break;
    case 10: novm_machine_find(handle, word(), place(), told); break;
    case 11: novm_machine_start(handle, random_below(4), random_below(20), told); break;
    case 12: novm_machine_state_get(handle, random_below(9) ? &state : NULL, told); break;
    case 13: novm_machine_wait(handle, random_below(5), &state, told); break;
    case 14: novm_machine_remove(handle, told); break;
    case 15: novm_machine_usage(handle, place(), told); break;
    case 16:
      if (random_below(2)) novm_events_open(handle, place(), told);
      else novm_events_open_with(handle, random_below(3), place(), told);
      break;
    case 17: novm_events_next(handle, random_below(3), &state, told); break;
    case 18: novm_command_start(handle, random_below(9) ? &options : NULL, place(), told); break;
    case 19: novm_command_wait(handle, random_below(3), &number, told); break;
    case 20: novm_command_output(handle, random_below(4), buffer, random_below(sizeof buffer), &count, told); break;
    case 21: novm_command_signal(handle, (int)random_below(99) - 9, told); break;
    case 22:
      if (novm_files_read(handle, word(), random_below(99), 10, &data, &count, told) == NOVM_OK) novm_free(data);
      break;
    case 23: novm_changes_open(handle, random_below(2) ? words : NULL, place(), told); break;
    case 24: novm_changes_apply(handle, random_below(3), told); break;
    case 25: novm_machine_publish(handle, word(), place(), told); break;
    case 26: novm_machine_commit(handle, word(), random_below(3), told); break;
    case 27: novm_pool_open(handle, some(), random_below(3), place(), told); break;
    case 28: novm_pool_take(handle, random_below(3), place(), told); break;
    case 29: novm_pool_give(handle, some(), random_below(3), told); break;
    // Of what is no store: a process for each would take its time.
    case 31: novm_store_pull_image(some(), word(), random_below(9), NULL, NULL, place(), told); break;
    case 32: novm_store_import_pack(some(), word(), word(), word(), random_below(3), 0, NULL, NULL, place(), told); break;
    case 33: novm_store_images(handle, place(), told); break;
    case 34: novm_machine_commit_image(handle, word(), word(), word(), place(), told); break;
    case 30: novm_command_truncated(handle, random_below(9) ? &number : NULL, told); break;
    default:
      closed = some();
      if (closed != store) novm_close(closed, told);
  }
}

static void *random_calls(void *count) {
  novm_handle store;
  if (novm_store_open(NULL, NULL, &store, NULL) != NOVM_OK) return "no store";
  for (long i = 0; i < *(long *)count; ++i) {
    novm_handle made;
    if (novm_description_new(&made, NULL) != NOVM_OK || novm_description_set(made, "memory", "1G", NULL) != NOVM_OK ||
        novm_close(made, NULL) != NOVM_OK)
      return "a description";
  }
  return novm_close(store, NULL) == NOVM_OK ? NULL : "close";
}

int main(int count, char **words) {
  long calls = count > 1 ? atol(words[1]) : 10000;
  seed = count > 2 ? strtoull(words[2], NULL, 0) : 1;
  novm_handle store;
  CHECK(strlen(novm_version()) >= 5, "version %s", novm_version());
  OK(novm_store_open(NULL, NULL, &store, &error));
  table(0, 0);
  table(1, 0);
  table(~0ull, 0);
  table((novm_handle)(uintptr_t)&store, 0);
  arguments(store);
  closed_pool();
  for (long i = 0; i < calls; ++i) random_call(store);
  for (int i = 0; i < 32; ++i)
    if (pool[i] != store) novm_close(pool[i], NULL);

  pthread_t threads[4];
  long each = 200;
  for (int i = 0; i < 4; ++i) pthread_create(&threads[i], NULL, random_calls, &each);
  for (int i = 0; i < 4; ++i) {
    void *fault;
    pthread_join(threads[i], &fault);
    CHECK(!fault, "%s", (char *)fault);
  }

  // In a child, with exec and without.
  for (int execs = 0; execs < 2; ++execs) {
    pid_t child = fork();
    if (!child) {
      if (execs) execl("/bin/true", "true", (char *)NULL);
      novm_handle list;
      _exit(novm_store_kernels(store, &list, NULL) == NOVM_OK ? 0 : 1);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0, "after fork: %x", status);
  }
  OK(novm_close(store, &error));
  printf("%ld calls\n", calls);
  return 0;
}
