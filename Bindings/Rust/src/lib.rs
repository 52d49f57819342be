//! Machines of directory trees.
//!
//! ```no_run
//! let store = novm::Store::open()?;
//! let machine = store.create(novm::Description::new()?.set("memory", "512M")?)?;
//! machine.start(None)?;
//! let done = machine.run(&["uname", "-r"])?;
//! print!("{}", String::from_utf8_lossy(&done.stdout));
//! # Ok::<(), novm::Error>(())
//! ```
//!
//! A machine ends with the program. Dropping a [`Machine`] lets go of it; dropping a [`Process`] gives its command up.

mod ffi;

use std::ffi::{CStr, CString};
use std::fmt;
use std::os::raw::{c_char, c_int, c_void};
use std::time::Duration;

/// Why something could not be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// `novm_status` of novm.h.
    pub status: i32,
    /// errno of the host, or 0.
    pub number: i32,
    /// The line of a description's text, from 1 on, or 0.
    pub line: i32,
    /// What the command `novm` would end with.
    pub exit_status: i32,
    /// What it is about; empty if there is nothing.
    pub subject: String,
    /// One line for a person.
    pub message: String,
}

impl Error {
    pub const DESCRIPTION: i32 = 3;
    pub const MISSING: i32 = 4;
    pub const TIMED_OUT: i32 = 8;
    pub const COMMAND: i32 = 9;
    pub const MACHINE: i32 = 10;

    fn argument(message: &str) -> Self {
        Self { status: 1, number: 0, line: 0, exit_status: 125, subject: String::new(), message: message.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

pub type Result<T> = std::result::Result<T, Error>;

/// Calls a function with room for its error.
fn call(body: impl FnOnce(*mut ffi::Error) -> c_int) -> Result<()> {
    let mut error = ffi::Error::new();
    if body(&mut error) == 0 {
        return Ok(());
    }
    let text = |field: &[c_char]| {
        // The library ends every text with a NUL within its field.
        let bytes: Vec<u8> = field.iter().take_while(|byte| **byte != 0).map(|byte| *byte as u8).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Err(Error {
        status: error.status,
        number: error.number,
        line: error.line,
        exit_status: error.exit_status,
        subject: text(&error.subject),
        message: text(&error.message),
    })
}

fn text(value: &str) -> Result<CString> {
    CString::new(value).map_err(|_| Error::argument("a text has a NUL in it"))
}

fn milliseconds(limit: Option<Duration>) -> i64 {
    limit.map_or(-1, |limit| limit.as_millis().min(i32::MAX as u128) as i64)
}

/// Any handle; closed with its owner.
struct Handle(u64);

impl Handle {
    fn made(body: impl FnOnce(*mut u64, *mut ffi::Error) -> c_int) -> Result<Self> {
        let mut number = 0;
        call(|error| body(&mut number, error))?;
        Ok(Self(number))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the library checks every handle.
        unsafe { ffi::novm_close(self.0, std::ptr::null_mut()) };
    }
}

/// The kernels, packs and machines of a user.
pub struct Store(Handle);

impl Store {
    /// What the command `novm` would use.
    pub fn open() -> Result<Self> {
        // SAFETY: NULL is what the environment says.
        Handle::made(|store, error| unsafe {
            ffi::novm_store_open(std::ptr::null(), std::ptr::null(), store, error)
        })
        .map(Self)
    }

    /// Names of the kernels, newest first.
    pub fn kernels(&self) -> Result<Vec<String>> {
        // SAFETY: places are valid for the calls; texts are the list's, which outlives their copies.
        unsafe {
            let list = Handle::made(|list, error| ffi::novm_store_kernels(self.0 .0, list, error))?;
            let mut count = 0;
            call(|error| ffi::novm_list_count(list.0, &mut count, error))?;
            let mut names = Vec::new();
            for row in 0..count {
                let mut name: *const c_char = std::ptr::null();
                call(|error| ffi::novm_list_text(list.0, row, c"name".as_ptr(), &mut name, error))?;
                if !name.is_null() {
                    names.push(CStr::from_ptr(name).to_string_lossy().into_owned());
                }
            }
            Ok(names)
        }
    }

    /// Makes a machine, which does not run yet.
    pub fn create(&self, description: Description) -> Result<Machine> {
        // SAFETY: the place is valid for the call.
        Handle::made(|machine, error| unsafe {
            ffi::novm_machine_create(self.0 .0, description.0 .0, machine, error)
        })
        .map(Machine)
    }

    /// The machine of a name or identifier.
    pub fn find(&self, reference: &str) -> Result<Machine> {
        let reference = text(reference)?;
        // SAFETY: text and place are valid for the call.
        Handle::made(|machine, error| unsafe {
            ffi::novm_machine_find(self.0 .0, reference.as_ptr(), machine, error)
        })
        .map(Machine)
    }
}

/// What a machine is to be, by the names of options and machine files.
pub struct Description(Handle);

impl Description {
    pub fn new() -> Result<Self> {
        // SAFETY: the place is valid for the call.
        Handle::made(|description, error| unsafe { ffi::novm_description_new(description, error) }).map(Self)
    }

    /// Sets what takes one value, and adds to what takes several.
    pub fn set(self, name: &str, value: &str) -> Result<Self> {
        let (name, value) = (text(name)?, text(value)?);
        // SAFETY: texts are valid for the call.
        call(|error| unsafe { ffi::novm_description_set(self.0 .0, name.as_ptr(), value.as_ptr(), error) })?;
        Ok(self)
    }

    /// Adds what a text in YAML or JSON says.
    pub fn parse(self, description: &str) -> Result<Self> {
        // SAFETY: the text is valid for the call and as long as it says.
        call(|error| unsafe {
            ffi::novm_description_parse(self.0 .0, description.as_ptr().cast(), description.len(), error)
        })?;
        Ok(self)
    }
}

/// A command that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completed {
    /// 128 and the number of a signal that ended it.
    pub status: i32,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// A machine.
pub struct Machine(Handle);

impl Machine {
    /// Starts it; returns once it takes commands.
    pub fn start(&self, limit: Option<Duration>) -> Result<()> {
        // SAFETY: the library checks every handle; so below.
        call(|error| unsafe { ffi::novm_machine_start(self.0 .0, 0, milliseconds(limit), error) })
    }

    /// Ends its command, or powers it off; after `grace` it is ended, with what it holds written back.
    pub fn stop(&self, grace: Duration) -> Result<()> {
        call(|error| unsafe { ffi::novm_machine_stop(self.0 .0, milliseconds(Some(grace)), error) })
    }

    /// Ends it as it stands.
    pub fn kill(&self) -> Result<()> {
        call(|error| unsafe { ffi::novm_machine_kill(self.0 .0, error) })
    }

    /// Removes it with what it wrote. It must not run.
    pub fn remove(&self) -> Result<()> {
        call(|error| unsafe { ffi::novm_machine_remove(self.0 .0, error) })
    }

    /// Starts a command, whose output is kept.
    pub fn spawn(&self, words: &[&str]) -> Result<Process> {
        let words = words.iter().map(|word| text(word)).collect::<Result<Vec<_>>>()?;
        let mut pointers: Vec<*const c_char> = words.iter().map(|word| word.as_ptr()).collect();
        pointers.push(std::ptr::null());
        let options = ffi::CommandOptions::new(pointers.as_ptr());
        // SAFETY: the library copies what the options point to before it returns.
        Handle::made(|command, error| unsafe { ffi::novm_command_start(self.0 .0, &options, command, error) })
            .map(Process)
    }

    /// Runs a command to its end.
    pub fn run(&self, words: &[&str]) -> Result<Completed> {
        let process = self.spawn(words)?;
        let status = process.wait(None)?;
        Ok(Completed { status, stdout: process.output(1)?, stderr: process.output(2)? })
    }
}

/// A command in a machine.
pub struct Process(Handle);

impl Process {
    /// Waits for its end; after [`Error::TIMED_OUT`] one may wait again.
    pub fn wait(&self, limit: Option<Duration>) -> Result<i32> {
        let mut status: c_int = 0;
        // SAFETY: the place is valid for the call.
        call(|error| unsafe { ffi::novm_command_wait(self.0 .0, milliseconds(limit), &mut status, error) })?;
        Ok(status)
    }

    pub fn signal(&self, number: i32) -> Result<()> {
        call(|error| unsafe { ffi::novm_command_signal(self.0 .0, number, error) })
    }

    /// Takes away what it has written so far: to standard output (1) or standard error (2).
    pub fn output(&self, stream: i32) -> Result<Vec<u8>> {
        let mut taken = Vec::new();
        let mut buffer = [0u8; 1 << 14];
        loop {
            let mut count = 0;
            // SAFETY: the buffer is as large as is said.
            call(|error| unsafe {
                let place: *mut c_void = buffer.as_mut_ptr().cast();
                ffi::novm_command_output(self.0 .0, stream, place, buffer.len(), &mut count, error)
            })?;
            if count == 0 {
                return Ok(taken);
            }
            taken.extend_from_slice(&buffer[..count]);
        }
    }
}
