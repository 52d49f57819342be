//! Commands in machines.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::raw::{c_char, c_int, c_void};
use std::time::Duration;

use crate::{call, ffi, milliseconds, text, Handle, Machine, Result};

/// A command for a machine: without input, and with its output kept, unless something else is said.
#[derive(Debug, Default)]
pub struct Command {
    words: Vec<String>,
    environment: Vec<String>,
    directory: Option<String>,
    user: Option<String>,
    input: Option<Vec<u8>>,
    output: Option<OwnedFd>,
    terminal: Option<(u16, u16)>,
    limit: Option<Duration>,
}

impl<const COUNT: usize> From<[&str; COUNT]> for Command {
    fn from(words: [&str; COUNT]) -> Self {
        Self::new(&words)
    }
}

impl Command {
    /// The first word is looked for in the guest's PATH.
    pub fn new(words: &[&str]) -> Self {
        Self { words: words.iter().map(|word| word.to_string()).collect(), ..Self::default() }
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push(format!("{name}={value}"));
        self
    }

    /// In the guest; `/` if it is not said.
    pub fn directory(mut self, path: &str) -> Self {
        self.directory = Some(path.into());
        self
    }

    /// `NAME[:GROUP]` or `UID[:GID]` of the guest's; root if it is not said.
    pub fn user(mut self, user: &str) -> Self {
        self.user = Some(user.into());
        self
    }

    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// Where standard output goes in place of being kept.
    pub fn output(mut self, descriptor: impl Into<OwnedFd>) -> Self {
        self.output = Some(descriptor.into());
        self
    }

    /// A terminal of its own; all that it writes is then standard output.
    pub fn terminal(mut self, rows: u16, columns: u16) -> Self {
        self.terminal = Some((rows, columns));
        self
    }

    /// After so long it is ended, with status 124.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }
}

/// A command that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completed {
    /// 128 and the number of a signal that ended it; 124 if it took too long.
    pub status: i32,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Either had more than the 64 MiB that are kept; the rest was dropped.
    pub truncated: bool,
}

impl Machine {
    /// Starts a command.
    pub fn spawn(&self, command: impl Into<Command>) -> Result<Process> {
        let command = command.into();
        let vector = |values: &[String]| values.iter().map(|value| text(value)).collect::<Result<Vec<_>>>();
        let (words, environment) = (vector(&command.words)?, vector(&command.environment)?);
        let pointers = |texts: &[std::ffi::CString]| -> Vec<*const c_char> {
            texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
        };
        let (words, environment) = ((pointers(&words), words), (pointers(&environment), environment));
        let directory = command.directory.as_deref().map(text).transpose()?;
        let user = command.user.as_deref().map(text).transpose()?;

        let mut options = ffi::CommandOptions::new(words.0.as_ptr());
        options.environment = environment.0.as_ptr();
        options.directory = directory.as_ref().map_or(std::ptr::null(), |path| path.as_ptr());
        options.user = user.as_ref().map_or(std::ptr::null(), |user| user.as_ptr());
        if let Some(input) = &command.input {
            // NOVM_STREAM_MEMORY
            options.input = -2;
            options.input_data = input.as_ptr().cast();
            options.input_length = input.len() as u64;
        }
        if let Some(output) = &command.output {
            options.output = output.as_raw_fd();
        }
        if let Some((rows, columns)) = command.terminal {
            // NOVM_COMMAND_TERMINAL
            options.flags = 1;
            (options.rows, options.columns) = (rows, columns);
        }
        if command.limit.is_some() {
            options.timeout = milliseconds(command.limit).max(1) as i32;
        }
        // SAFETY: the library copies what the options point to before it returns, descriptors too.
        Handle::made(|process, error| unsafe { ffi::novm_command_start(self.0 .0, &options, process, error) })
            .map(Process)
    }

    /// Runs a command to its end.
    pub fn run(&self, command: impl Into<Command>) -> Result<Completed> {
        let process = self.spawn(command)?;
        let status = process.wait(None)?;
        Ok(Completed {
            status,
            stdout: process.output(1)?,
            stderr: process.output(2)?,
            truncated: process.truncated()?,
        })
    }
}

/// A command in a machine. Dropped before it has ended, it is given up.
pub struct Process(Handle);

impl Process {
    /// Waits for its end; after [`crate::Error::TIMED_OUT`] one may wait again.
    pub fn wait(&self, limit: Option<Duration>) -> Result<i32> {
        let mut status: c_int = 0;
        // SAFETY: the place is valid for the call.
        call(|error| unsafe { ffi::novm_command_wait(self.0 .0, milliseconds(limit), &mut status, error) })?;
        Ok(status)
    }

    pub fn signal(&self, number: i32) -> Result<()> {
        // SAFETY: the library checks every handle; so below.
        call(|error| unsafe { ffi::novm_command_signal(self.0 .0, number, error) })
    }

    /// Tells its terminal the size.
    pub fn resize(&self, rows: u16, columns: u16) -> Result<()> {
        call(|error| unsafe { ffi::novm_command_resize(self.0 .0, rows, columns, error) })
    }

    /// Whether it has written more than the 64 MiB of a stream that are kept, so that some of it was dropped.
    pub fn truncated(&self) -> Result<bool> {
        let mut truncated: c_int = 0;
        // SAFETY: the place is valid for the call.
        call(|error| unsafe { ffi::novm_command_truncated(self.0 .0, &mut truncated, error) })?;
        Ok(truncated != 0)
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
