//! Machines of directory trees.
//!
//! ```no_run
//! let store = novm::Store::open()?;
//! let machine = store.create(novm::Description::new()?.set("memory", "512M")?)?;
//! machine.start(None)?;
//! let done = machine.run(["uname", "-r"])?;
//! print!("{}", String::from_utf8_lossy(&done.stdout));
//! # Ok::<(), novm::Error>(())
//! ```
//!
//! A machine ends with the program. Dropping a [`Machine`] lets go of it; dropping a [`Process`] gives its command up.

mod changes;
mod command;
mod ffi;
mod files;
mod images;
mod pool;
mod state;

pub use changes::{Change, Changes};
pub use command::{Command, Completed, Process};
pub use images::Image;
pub use pool::Pool;
pub use state::{AllEvents, Event, Events, State};

use std::ffi::{CStr, CString};
use std::fmt;
use std::os::raw::{c_char, c_int};
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
    pub const CANCELED: i32 = 16;
    pub const REFUSED: i32 = 17;

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
    Err(Error {
        status: error.status,
        number: error.number,
        line: error.line,
        exit_status: error.exit_status,
        subject: field(&error.subject),
        message: field(&error.message),
    })
}

/// What a field of a structure says; the library ends each with a NUL within it.
fn field(field: &[c_char]) -> String {
    let bytes: Vec<u8> = field.iter().take_while(|byte| **byte != 0).map(|byte| *byte as u8).collect();
    String::from_utf8_lossy(&bytes).into_owned()
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

impl Handle {
    /// What a list has of these fields; None where a row has none.
    fn rows(&self, fields: &[&CStr]) -> Result<Vec<Vec<Option<Vec<u8>>>>> {
        let mut count = 0;
        // SAFETY: places are valid for the calls; texts are the list's, which outlives their copies.
        call(|error| unsafe { ffi::novm_list_count(self.0, &mut count, error) })?;
        let mut rows = Vec::new();
        for row in 0..count {
            let mut values = Vec::new();
            for name in fields {
                let mut value: *const c_char = std::ptr::null();
                call(|error| unsafe { ffi::novm_list_text(self.0, row, name.as_ptr(), &mut value, error) })?;
                values.push((!value.is_null()).then(|| unsafe { CStr::from_ptr(value) }.to_bytes().to_vec()));
            }
            rows.push(values);
        }
        Ok(rows)
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
        // SAFETY: the place is valid for the call.
        let list = Handle::made(|list, error| unsafe { ffi::novm_store_kernels(self.0 .0, list, error) })?;
        let rows = list.rows(&[c"name"])?;
        Ok(rows.into_iter().flatten().flatten().map(|name| String::from_utf8_lossy(&name).into_owned()).collect())
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

    /// Leads a port or socket of the host's into it, as of `--publish`: `8080:80`. It must run.
    pub fn publish(&self, port: &str) -> Result<Publication> {
        let port = text(port)?;
        Handle::made(|publication, error| unsafe {
            ffi::novm_machine_publish(self.0 .0, port.as_ptr(), publication, error)
        })
        .map(Publication)
    }
}

/// A port or socket of the host's that leads into a machine, until it is dropped.
pub struct Publication(#[allow(dead_code)] Handle);
