//! Files of a machine that runs, as its guest sees them.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use crate::{call, ffi, milliseconds, Error, Machine, Result};

fn path(path: impl AsRef<Path>) -> Result<CString> {
    CString::new(path.as_ref().as_os_str().as_bytes()).map_err(|_| Error::argument("a path has a NUL in it"))
}

impl Machine {
    /// Copies a file or directory of the host's into the machine, by the rules of `docker cp`.
    pub fn copy_in(&self, host: impl AsRef<Path>, guest: impl AsRef<Path>, limit: Option<Duration>) -> Result<()> {
        let (host, guest) = (path(host)?, path(guest)?);
        // SAFETY: texts are valid for the call; so below.
        call(|error| unsafe {
            ffi::novm_files_copy_in(self.0 .0, host.as_ptr(), guest.as_ptr(), milliseconds(limit), error)
        })
    }

    /// Copies a file or directory of the machine's to the host.
    pub fn copy_out(&self, guest: impl AsRef<Path>, host: impl AsRef<Path>, limit: Option<Duration>) -> Result<()> {
        let (host, guest) = (path(host)?, path(guest)?);
        call(|error| unsafe {
            ffi::novm_files_copy_out(self.0 .0, guest.as_ptr(), host.as_ptr(), milliseconds(limit), error)
        })
    }

    /// Writes a file of the machine's; one that is there is replaced at once and whole.
    pub fn write(&self, guest: impl AsRef<Path>, data: &[u8], mode: u32, limit: Option<Duration>) -> Result<()> {
        let guest = path(guest)?;
        // SAFETY: the data is as long as is said.
        call(|error| unsafe {
            let (data, length) = (data.as_ptr().cast(), data.len());
            ffi::novm_files_write(self.0 .0, guest.as_ptr(), data, length, mode, milliseconds(limit), error)
        })
    }

    /// Reads a file of the machine's; one of more than `size` bytes is refused.
    pub fn read(&self, guest: impl AsRef<Path>, size: usize, limit: Option<Duration>) -> Result<Vec<u8>> {
        let guest = path(guest)?;
        let (mut data, mut length) = (std::ptr::null_mut(), 0);
        call(|error| unsafe {
            let limit = milliseconds(limit);
            ffi::novm_files_read(self.0 .0, guest.as_ptr(), size, limit, &mut data, &mut length, error)
        })?;
        // SAFETY: the call gave so many bytes, which are ours to free.
        unsafe {
            let content = std::slice::from_raw_parts(data.cast::<u8>(), length).to_vec();
            ffi::novm_free(data);
            Ok(content)
        }
    }
}
