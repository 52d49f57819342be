#ifndef NOVM_H
#define NOVM_H

// libnovm: machines from any program (docs/library.md, libnovm(3)).
//
// - Every call gives a status, and fills in what `error` points to unless that is NULL. It never exits, prints or traps.
// - A handle is a number that is checked: one that was closed, or is of something else, or of nothing, is NOVM_ERROR_HANDLE.
// - Any thread may call, several at once. Times are milliseconds; a negative one is no limit, 0 does not wait.
// - Texts are UTF-8 and end with a NUL; paths, arguments and variables may be any bytes. What is given is copied.
// - No signal handler is installed, and neither SIGCHLD nor wait(2) tell of the library's processes.
//
// The ABI of NOVM_1 stays: functions and fields are added, never changed or taken away. A structure that may grow says its
// size in its first field.

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// 0 is no handle.
typedef uint64_t novm_handle;

typedef enum novm_status {
  NOVM_OK = 0,
  NOVM_ERROR_ARGUMENT = 1,      ///< an argument that cannot be
  NOVM_ERROR_HANDLE = 2,        ///< no handle, one that was closed, or one of something else
  NOVM_ERROR_DESCRIPTION = 3,   ///< a description, or a setting of one, that cannot be: see `line` and `subject`
  NOVM_ERROR_MISSING = 4,       ///< no machine, kernel, pack or file of this name
  NOVM_ERROR_TAKEN = 5,         ///< the name is taken
  NOVM_ERROR_RUNNING = 6,       ///< it needs a machine that does not run
  NOVM_ERROR_NOT_RUNNING = 7,   ///< it needs a machine that runs
  NOVM_ERROR_TIMED_OUT = 8,     ///< not within the time that was given for it
  NOVM_ERROR_COMMAND = 9,       ///< the command could not be run: `exit_status` is 125, 126 or 127
  NOVM_ERROR_MACHINE = 10,      ///< the machine did not come up, or ended
  NOVM_ERROR_SYSTEM = 11,       ///< a system call failed: see `number`
  NOVM_ERROR_CONFLICT = 12,     ///< changes that would overwrite what others changed since
  NOVM_ERROR_IN_USE = 13,       ///< a pack, volume or port is in use
  NOVM_ERROR_DAMAGED = 14,      ///< something of the store is damaged
  NOVM_ERROR_INSTALLATION = 15, ///< parts of novm, or programs that it needs, are not installed
  NOVM_ERROR_CANCELED = 16,     ///< given up by who asked for it
  NOVM_ERROR_REFUSED = 17       ///< a server, or the network on the way to it, gives it not to this user, or not now
} novm_status;

/// Filled in by a call that fails; the caller's, of any content before.
typedef struct novm_error {
  int32_t status;      ///< the same as the call gave
  int32_t number;      ///< errno of the host, or 0
  int32_t line;        ///< of a description's text, from 1 on, or 0
  int32_t exit_status; ///< what the command `novm` would end with
  char subject[256];   ///< what it is about: a name, path or setting; cut short if it is longer
  char message[1024];  ///< one line for a person, with the mend where there is one
} novm_error;

/// `1.2.3`, of the library.
const char *novm_version(void);

/// Closes any handle. A running command is given up; machines go on.
novm_status novm_close(novm_handle handle, novm_error *error);

/// Frees what a call says is to be freed so; NULL is nothing.
void novm_free(void *memory);

// ---- The store: kernels, packs and machines of a user ----

/// `root` and `programs` are NULL for what the environment says (NOVM_ROOT, NOVM_LIBEXEC) and for what is installed. The
/// environment is read here and at no other time.
novm_status novm_store_open(const char *root, const char *programs, novm_handle *store, novm_error *error);

/// Lists of rows of fields (`novm_list_…`). Kernels: name, release, directory. Packs: name, digest, entries, size, origin.
/// Machines: id, name, state.
novm_status novm_store_kernels(novm_handle store, novm_handle *list, novm_error *error);
novm_status novm_store_packs(novm_handle store, novm_handle *list, novm_error *error);
novm_status novm_store_machines(novm_handle store, novm_handle *list, novm_error *error);
/// Removes a kernel; and a pack, if no machine has it.
novm_status novm_store_remove_kernel(novm_handle store, const char *name, novm_error *error);
novm_status novm_store_remove_pack(novm_handle store, const char *name, novm_error *error);

/// Makes a kernel ready to boot, as `novm kernel import` does; one of the same name is replaced. `source` is NULL for the running
/// system's, or the path of a bzImage, of a vmlinux, of a directory in which a kernel was built, or of a Debian package (.deb).
/// `modules` is the directory of an image's, or NULL; `name` NULL for its release. `progress`, unless NULL, is called on this thread
/// with lines for a person. The list has one row, as of novm_store_kernels.
novm_status novm_store_import_kernel(
  novm_handle store, const char *source, const char *modules, const char *name,
  void (*progress)(void *context, const char *line), void *context, novm_handle *list, novm_error *error);

/// Is told what goes on, in lines for a person, on the thread that calls, at least once a second. Other than 0 gives it up:
/// NOVM_ERROR_CANCELED.
typedef int (*novm_progress)(void *context, const char *line);

enum { NOVM_IMPORT_REPLACE = 1 /**< also if another pack has the name, which is then this one's */ };

/// Makes a pack of a tar archive, compressed or not, as `novm pack import` does. `archive` is its path or its https address; `name` is
/// NULL for the archive's without its ending; `digest`, what the archive must be, `sha256:…` or NULL; `progress` may be NULL. The list
/// has one row, as of novm_store_packs. What speaks to servers and reads archives is a process that ends when this call does.
novm_status novm_store_import_pack(
  novm_handle store, const char *archive, const char *name, const char *digest, uint32_t flags, int64_t timeout,
  novm_progress progress, void *context, novm_handle *list, novm_error *error);

// ---- Container images ----

/// What a machine's setting `image` takes (novm_description_set): a list of rows of id, names (with blanks between them), created, layers (how many), size, origin.
novm_status novm_store_images(novm_handle store, novm_handle *list, novm_error *error);
/// Brings an image in from a registry, as `novm pull` does: with this user's credentials, certificates and configuration. What is
/// here is not fetched again. The list has one row. `progress` may be NULL.
novm_status novm_store_pull_image(
  novm_handle store, const char *name, int64_t timeout, novm_progress progress, void *context, novm_handle *list,
  novm_error *error);

enum { NOVM_REMOVE_ALL = 1 /**< by an identifier, also an image that has several names */ };

/// Takes a name from an image, and removes the image with its last name. NOVM_ERROR_IN_USE if a machine is made of it.
novm_status novm_store_remove_image(novm_handle store, const char *name, uint32_t flags, novm_error *error);
/// Makes an image of what a machine of an image wrote to /, as a layer above it. It must not run. `name`, `author` and `message` (for
/// its history) may be NULL. The list has one row, as of novm_store_images.
novm_status novm_machine_commit_image(
  novm_handle machine, const char *name, const char *author, const char *message, novm_handle *list,
  novm_error *error);

// ---- Lists ----

/// How many rows there are.
novm_status novm_list_count(novm_handle list, size_t *count, novm_error *error);
/// The text is the list's, and ends with it; NULL for a field that this row does not have.
novm_status novm_list_text(novm_handle list, size_t row, const char *field, const char **text, novm_error *error);
/// All of it as JSON, to be freed with novm_free. Bytes of paths that are not UTF-8 are U+FFFD there.
novm_status novm_list_json(novm_handle list, char **json, novm_error *error);

// ---- Descriptions ----

/// An empty one, of which each setting is what the command takes where nothing is said.
novm_status novm_description_new(novm_handle *description, novm_error *error);
/// Sets what takes one value, and adds to what takes several; names are those of options and machine files.
novm_status novm_description_set(novm_handle description, const char *name, const char *value, novm_error *error);
/// Adds what a text in YAML or JSON says (docs/machine-file.md).
novm_status novm_description_parse(novm_handle description, const char *text, size_t length, novm_error *error);

// ---- Machines ----

typedef enum novm_state {
  NOVM_STATE_CREATED = 1,
  NOVM_STATE_STARTING = 2,
  NOVM_STATE_RUNNING = 3,
  NOVM_STATE_PAUSED = 4,
  NOVM_STATE_EXITED = 5,  ///< with `exit_status`
  NOVM_STATE_FAILED = 6,  ///< see `message`
  NOVM_STATE_KILLED = 7,
  NOVM_STATE_REMOVED = 8
} novm_state;

/// What went wrong in a machine that goes on; `message` says it.
typedef enum novm_incident {
  NOVM_INCIDENT_NONE = 0,
  NOVM_INCIDENT_MEMORY = 1, ///< the guest's kernel ended a program for want of memory
  NOVM_INCIDENT_NETWORK = 2 ///< it asked its network for what it was not granted (--allow, --deny)
} novm_incident;

typedef struct novm_machine_state {
  uint32_t size; ///< set by the caller: sizeof(novm_machine_state)
  int32_t state;
  int32_t exit_status;
  int32_t incident; ///< of novm_events_next alone
  char message[1024];
} novm_machine_state;

enum { NOVM_START_DETACHED = 1 /**< the machine goes on when this program ends */ };

/// Makes a machine, which does not run yet. Relative paths start at the working directory.
novm_status novm_machine_create(novm_handle store, novm_handle description, novm_handle *machine, novm_error *error);
/// By name, identifier, or the beginning of just one identifier.
novm_status novm_machine_find(novm_handle store, const char *reference, novm_handle *machine, novm_error *error);
/// The texts are the handle's, and end with it. Either may be NULL.
novm_status novm_machine_names(novm_handle machine, const char **identifier, const char **name, novm_error *error);
/// Returns once it takes commands, and its own command runs if it has one. After NOVM_ERROR_TIMED_OUT it is on its way still.
novm_status novm_machine_start(novm_handle machine, uint32_t flags, int64_t timeout, novm_error *error);
/// How it fares now.
novm_status novm_machine_state_get(novm_handle machine, novm_machine_state *state, novm_error *error);
/// Waits until the last of its processes has ended.
novm_status novm_machine_wait(novm_handle machine, int64_t timeout, novm_machine_state *state, novm_error *error);
/// Ends its command by SIGTERM, or powers it off; after `grace` it is ended, with what it holds written back.
novm_status novm_machine_stop(novm_handle machine, int64_t grace, novm_error *error);
/// Ends it as it stands, and waits for that.
novm_status novm_machine_kill(novm_handle machine, novm_error *error);
/// With what it wrote. It must not run.
novm_status novm_machine_remove(novm_handle machine, novm_error *error);
/// Stops its processors, and lets them go on; its memory stays.
novm_status novm_machine_pause(novm_handle machine, novm_error *error);
novm_status novm_machine_resume(novm_handle machine, novm_error *error);
/// A descriptor that is readable once the machine has ended; the caller's to close.
novm_status novm_machine_descriptor(novm_handle machine, int *descriptor, novm_error *error);
/// A list of one row: host_memory, memory_used, memory_total, storage_used, storage_total (bytes), threads; written, of write_limit
/// bytes, in the map that is nearest to its limit if any has one (--write-limit); nodes, the files that the guest knows; streams.
novm_status novm_machine_usage(novm_handle machine, novm_handle *list, novm_error *error);
/// A stream to a port of the guest's vsock: a descriptor that blocks, the caller's to close.
novm_status novm_machine_connect(
  novm_handle machine, uint32_t port, int64_t timeout, int *descriptor, novm_error *error);
/// Leads a port or socket of the host's into a machine that runs, until its handle is closed: `8080:80`,
/// `127.0.0.1:5353:53/udp`, `/run/web.sock:80`, as of --publish. NOVM_ERROR_IN_USE, with errno, if nobody can listen there.
novm_status novm_machine_publish(novm_handle machine, const char *port, novm_handle *publication, novm_error *error);

// ---- Pools ----

/// Machines of one description, without a name, that are kept ready: never more than `size` (1 to 1024), those that were taken
/// included. Returns at once. Closing it ends those that nobody has taken; all are gone when they have ended.
novm_status novm_pool_open(
  novm_handle store, novm_handle description, uint32_t size, novm_handle *pool, novm_error *error);
/// A machine that runs; waits if there is none now. What keeps machines from coming up is told here, and the next call tries anew.
/// NOVM_ERROR_CANCELED if the pool is closed meanwhile.
novm_status novm_pool_take(novm_handle pool, int64_t timeout, novm_handle *machine, novm_error *error);

enum { NOVM_POOL_REUSE = 1 /**< who takes it next finds what was done in it */ };

/// Gives a machine back, and closes its handle. Without NOVM_POOL_REUSE it is ended, and another one is made.
novm_status novm_pool_give(novm_handle pool, novm_handle machine, uint32_t flags, novm_error *error);

// ---- Events ----

/// Tells of each state that the machine comes to, from the one that it is in on.
novm_status novm_events_open(novm_handle machine, novm_handle *events, novm_error *error);

enum { NOVM_EVENTS_INCIDENTS = 1 /**< also of what goes wrong in it from now on, with NOVM_STATE_RUNNING and `incident` */ };

/// The same, and of what flags say.
novm_status novm_events_open_with(novm_handle machine, uint32_t flags, novm_handle *events, novm_error *error);
/// NOVM_ERROR_MISSING once it was told that the machine is over.
novm_status novm_events_next(novm_handle events, int64_t timeout, novm_machine_state *state, novm_error *error);
/// Readable when there may be something to tell; the handle's, and ends with it.
novm_status novm_events_descriptor(novm_handle events, int *descriptor, novm_error *error);

// ---- Commands ----

enum {
  NOVM_STREAM_NOTHING = -1, ///< no input; output that nobody wants
  NOVM_STREAM_MEMORY = -2   ///< input from `input_data`; output for novm_command_output
};

/// Begin with NOVM_COMMAND_OPTIONS.
typedef struct novm_command_options {
  uint32_t size; ///< sizeof(novm_command_options)
  uint32_t flags;
  const char *const *arguments;   ///< ends with NULL; the first is looked for in the guest's PATH
  const char *const *environment; ///< `NAME=VALUE`, ends with NULL; or NULL
  const char *directory;          ///< in the guest; NULL for /
  const char *user;               ///< NAME[:GROUP] or UID[:GID]; NULL for root
  int32_t input;                  ///< a descriptor, of which a copy is kept, or NOVM_STREAM_…
  int32_t output;
  int32_t error;
  int32_t timeout;                ///< milliseconds after which it is ended, with status 124; 0 for never
  const void *input_data;         ///< with NOVM_STREAM_MEMORY
  uint64_t input_length;
  uint64_t output_limit;          ///< bytes of each stream that are kept, the rest is dropped; 0 for 64 MiB
  uint16_t rows;                  ///< with NOVM_COMMAND_TERMINAL
  uint16_t columns;
  uint32_t reserved;
} novm_command_options;

/// A command without input, whose output is kept in memory: `novm_command_options options = NOVM_COMMAND_OPTIONS;`
#define NOVM_COMMAND_OPTIONS \
  { sizeof(novm_command_options), 0, NULL, NULL, NULL, NULL, NOVM_STREAM_NOTHING, NOVM_STREAM_MEMORY, \
    NOVM_STREAM_MEMORY, 0, NULL, 0, 0, 0, 0, 0 }

enum { NOVM_COMMAND_TERMINAL = 1 /**< on a terminal of its own; all output is `output` */ };

/// Returns at once; what keeps the command from running is told by novm_command_wait.
novm_status novm_command_start(
  novm_handle machine, const novm_command_options *options, novm_handle *command, novm_error *error);
/// The exit status, 128 and the number of a signal that ended it. After NOVM_ERROR_TIMED_OUT one may wait again.
novm_status novm_command_wait(novm_handle command, int64_t timeout, int *exit_status, novm_error *error);
/// Readable once the command has ended; the handle's, and ends with it.
novm_status novm_command_descriptor(novm_handle command, int *descriptor, novm_error *error);
/// Sends it a signal.
novm_status novm_command_signal(novm_handle command, int number, novm_error *error);
/// Tells its terminal the size.
novm_status novm_command_resize(novm_handle command, uint16_t rows, uint16_t columns, novm_error *error);
/// Takes the first of what was kept of stream 1 (output) or 2 (error) away; `count` is 0 if there is nothing now.
novm_status novm_command_output(
  novm_handle command, int stream, void *buffer, size_t capacity, size_t *count, novm_error *error);
/// 1 if it has written more than `output_limit` of a stream to NOVM_STREAM_MEMORY, so that some of it was dropped; or else 0.
novm_status novm_command_truncated(novm_handle command, int *truncated, novm_error *error);

// ---- Files of a machine that runs ----

/// By the rules of `docker cp`.
novm_status novm_files_copy_in(
  novm_handle machine, const char *host, const char *guest, int64_t timeout, novm_error *error);
novm_status novm_files_copy_out(
  novm_handle machine, const char *guest, const char *host, int64_t timeout, novm_error *error);
/// A file that is there is replaced at once and whole.
novm_status novm_files_write(
  novm_handle machine, const char *guest, const void *data, size_t length, uint32_t mode, int64_t timeout,
  novm_error *error);
/// `data` is to be freed with novm_free; it ends with a NUL that is not counted. Larger ones than `limit` are refused.
novm_status novm_files_read(
  novm_handle machine, const char *guest, size_t limit, int64_t timeout, void **data, size_t *length,
  novm_error *error);

// ---- What a machine wrote ----

/// Of `paths` (ends with NULL), or all of it if that is NULL. The handle is a list, too: path, kind (added, changed, deleted),
/// file, size, target, differs.
novm_status novm_changes_open(
  novm_handle machine, const char *const *paths, novm_handle *changes, novm_error *error);

enum { NOVM_APPLY_OVERWRITE = 1 /**< also over what was changed on the host since */ };

/// Brings them back to the host's directories. If they are all that there were, what the machine wrote is discarded.
novm_status novm_changes_apply(novm_handle changes, uint32_t flags, novm_error *error);
enum { NOVM_COMMIT_REPLACE = 1 /**< also if another pack has the name, which is then this one's */ };

/// Makes a pack of what it wrote to /. It must not run.
novm_status novm_machine_commit(novm_handle machine, const char *name, uint32_t flags, novm_error *error);
/// Removes all that the machine wrote, and keeps the machine.
novm_status novm_changes_discard(novm_handle machine, novm_error *error);

#ifdef __cplusplus
}
#endif

#endif
