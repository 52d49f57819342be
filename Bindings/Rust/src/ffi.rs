//! What of novm.h is used here.

use std::os::raw::{c_char, c_int, c_void};

#[repr(C)]
pub struct Error {
    pub status: i32,
    pub number: i32,
    pub line: i32,
    pub exit_status: i32,
    pub subject: [c_char; 256],
    pub message: [c_char; 1024],
}

impl Error {
    pub fn new() -> Self {
        Self { status: 0, number: 0, line: 0, exit_status: 0, subject: [0; 256], message: [0; 1024] }
    }
}

#[repr(C)]
pub struct CommandOptions {
    size: u32,
    pub flags: u32,
    arguments: *const *const c_char,
    pub environment: *const *const c_char,
    pub directory: *const c_char,
    pub user: *const c_char,
    pub input: i32,
    pub output: i32,
    pub error: i32,
    pub timeout: i32,
    pub input_data: *const c_void,
    pub input_length: u64,
    output_limit: u64,
    pub rows: u16,
    pub columns: u16,
    reserved: u32,
}

#[repr(C)]
pub struct MachineState {
    size: u32,
    pub state: i32,
    pub exit_status: i32,
    pub incident: i32,
    pub message: [c_char; 1024],
}

impl MachineState {
    pub fn new() -> Self {
        Self { size: std::mem::size_of::<Self>() as u32, state: 0, exit_status: 0, incident: 0, message: [0; 1024] }
    }
}

// What novm.h promises of NOVM_1.
const _: () = assert!(std::mem::size_of::<Error>() == 1296 && std::mem::size_of::<CommandOptions>() == 88);
const _: () = assert!(std::mem::size_of::<MachineState>() == 1040);

impl CommandOptions {
    /// NOVM_COMMAND_OPTIONS: no input, output kept in memory.
    pub fn new(arguments: *const *const c_char) -> Self {
        Self {
            size: std::mem::size_of::<Self>() as u32,
            flags: 0,
            arguments,
            environment: std::ptr::null(),
            directory: std::ptr::null(),
            user: std::ptr::null(),
            input: -1,
            output: -2,
            error: -2,
            timeout: 0,
            input_data: std::ptr::null(),
            input_length: 0,
            output_limit: 0,
            rows: 0,
            columns: 0,
            reserved: 0,
        }
    }
}

pub type Progress = extern "C" fn(context: *mut c_void, line: *const c_char) -> c_int;

#[link(name = "novm")]
extern "C" {
    pub fn novm_free(memory: *mut c_void);
    pub fn novm_close(handle: u64, error: *mut Error) -> c_int;
    pub fn novm_store_open(root: *const c_char, programs: *const c_char, store: *mut u64, error: *mut Error) -> c_int;
    pub fn novm_store_kernels(store: u64, list: *mut u64, error: *mut Error) -> c_int;
    pub fn novm_store_import_pack(
        store: u64, archive: *const c_char, name: *const c_char, digest: *const c_char, flags: u32, timeout: i64,
        progress: Progress, context: *mut c_void, list: *mut u64, error: *mut Error,
    ) -> c_int;
    pub fn novm_store_images(store: u64, list: *mut u64, error: *mut Error) -> c_int;
    pub fn novm_store_pull_image(
        store: u64, name: *const c_char, timeout: i64, progress: Progress, context: *mut c_void, list: *mut u64,
        error: *mut Error,
    ) -> c_int;
    pub fn novm_store_remove_image(store: u64, name: *const c_char, flags: u32, error: *mut Error) -> c_int;
    pub fn novm_machine_commit_image(
        machine: u64, name: *const c_char, author: *const c_char, message: *const c_char, list: *mut u64,
        error: *mut Error,
    ) -> c_int;
    pub fn novm_list_count(list: u64, count: *mut usize, error: *mut Error) -> c_int;
    pub fn novm_list_text(
        list: u64, row: usize, field: *const c_char, text: *mut *const c_char, error: *mut Error,
    ) -> c_int;
    pub fn novm_description_new(description: *mut u64, error: *mut Error) -> c_int;
    pub fn novm_description_set(
        description: u64, name: *const c_char, value: *const c_char, error: *mut Error,
    ) -> c_int;
    pub fn novm_description_parse(description: u64, text: *const c_char, length: usize, error: *mut Error) -> c_int;
    pub fn novm_machine_create(store: u64, description: u64, machine: *mut u64, error: *mut Error) -> c_int;
    pub fn novm_machine_find(store: u64, reference: *const c_char, machine: *mut u64, error: *mut Error) -> c_int;
    pub fn novm_machine_start(machine: u64, flags: u32, timeout: i64, error: *mut Error) -> c_int;
    pub fn novm_machine_stop(machine: u64, grace: i64, error: *mut Error) -> c_int;
    pub fn novm_machine_kill(machine: u64, error: *mut Error) -> c_int;
    pub fn novm_machine_remove(machine: u64, error: *mut Error) -> c_int;
    pub fn novm_machine_state_get(machine: u64, state: *mut MachineState, error: *mut Error) -> c_int;
    pub fn novm_machine_wait(machine: u64, timeout: i64, state: *mut MachineState, error: *mut Error) -> c_int;
    pub fn novm_machine_publish(
        machine: u64, port: *const c_char, publication: *mut u64, error: *mut Error,
    ) -> c_int;
    pub fn novm_machine_commit(machine: u64, name: *const c_char, flags: u32, error: *mut Error) -> c_int;
    pub fn novm_pool_open(store: u64, description: u64, size: u32, pool: *mut u64, error: *mut Error) -> c_int;
    pub fn novm_pool_take(pool: u64, timeout: i64, machine: *mut u64, error: *mut Error) -> c_int;
    pub fn novm_pool_give(pool: u64, machine: u64, flags: u32, error: *mut Error) -> c_int;
    pub fn novm_events_open_with(machine: u64, flags: u32, events: *mut u64, error: *mut Error) -> c_int;
    pub fn novm_events_next(events: u64, timeout: i64, state: *mut MachineState, error: *mut Error) -> c_int;
    pub fn novm_command_start(
        machine: u64, options: *const CommandOptions, command: *mut u64, error: *mut Error,
    ) -> c_int;
    pub fn novm_command_wait(command: u64, timeout: i64, exit_status: *mut c_int, error: *mut Error) -> c_int;
    pub fn novm_command_signal(command: u64, number: c_int, error: *mut Error) -> c_int;
    pub fn novm_command_output(
        command: u64, stream: c_int, buffer: *mut c_void, capacity: usize, count: *mut usize, error: *mut Error,
    ) -> c_int;
    pub fn novm_command_truncated(command: u64, truncated: *mut c_int, error: *mut Error) -> c_int;
    pub fn novm_command_resize(command: u64, rows: u16, columns: u16, error: *mut Error) -> c_int;
    pub fn novm_files_copy_in(
        machine: u64, host: *const c_char, guest: *const c_char, timeout: i64, error: *mut Error,
    ) -> c_int;
    pub fn novm_files_copy_out(
        machine: u64, guest: *const c_char, host: *const c_char, timeout: i64, error: *mut Error,
    ) -> c_int;
    pub fn novm_files_write(
        machine: u64, guest: *const c_char, data: *const c_void, length: usize, mode: u32, timeout: i64,
        error: *mut Error,
    ) -> c_int;
    pub fn novm_files_read(
        machine: u64, guest: *const c_char, limit: usize, timeout: i64, data: *mut *mut c_void, length: *mut usize,
        error: *mut Error,
    ) -> c_int;
    pub fn novm_changes_open(machine: u64, paths: *const *const c_char, changes: *mut u64, error: *mut Error) -> c_int;
    pub fn novm_changes_apply(changes: u64, flags: u32, error: *mut Error) -> c_int;
    pub fn novm_changes_discard(machine: u64, error: *mut Error) -> c_int;
}
