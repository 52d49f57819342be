//! What a machine wrote.

use std::ffi::OsString;
use std::os::raw::c_char;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use crate::{call, ffi, text, Handle, Machine, Result};

/// What became of a path of a machine's tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The guest's, absolute.
    pub path: PathBuf,
    /// `added`, `changed` or `deleted`.
    pub kind: String,
    /// `file`, `directory`, `symlink`, `fifo`, `socket`, `character device` or `block device`.
    pub file: String,
    /// Of a file, in bytes.
    pub size: Option<u64>,
    /// Where a symbolic link leads, or led.
    pub target: Option<PathBuf>,
    /// Of one that was changed: `kind`, `content`, `mode`, `owner`, `attributes`.
    pub differs: Vec<String>,
}

/// What a machine wrote, at the moment when it was asked for.
pub struct Changes {
    handle: Handle,
    /// In the order of paths.
    pub list: Vec<Change>,
}

impl Machine {
    /// What it changed: of these paths of the guest, or all if there are none.
    pub fn changes(&self, paths: &[&str]) -> Result<Changes> {
        let paths = paths.iter().map(|path| text(path)).collect::<Result<Vec<_>>>()?;
        let mut pointers: Vec<*const c_char> = paths.iter().map(|path| path.as_ptr()).collect();
        pointers.push(std::ptr::null());
        let vector = if paths.is_empty() { std::ptr::null() } else { pointers.as_ptr() };
        // SAFETY: texts and place are valid for the call.
        let handle =
            Handle::made(|changes, error| unsafe { ffi::novm_changes_open(self.0 .0, vector, changes, error) })?;
        let rows = handle.rows(&[c"path", c"kind", c"file", c"size", c"target", c"differs"])?;
        let list = rows.into_iter().map(Change::new).collect();
        Ok(Changes { handle, list })
    }

    /// Makes a pack of what it wrote to `/`. It must not run.
    ///
    /// `replacing` takes the name from another pack, which is an error otherwise.
    pub fn commit(&self, name: &str, replacing: bool) -> Result<()> {
        let name = text(name)?;
        // SAFETY: the text is valid for the call.
        call(|error| unsafe { ffi::novm_machine_commit(self.0 .0, name.as_ptr(), replacing.into(), error) })
    }

    /// Removes all that it wrote, and keeps the machine. It must not run.
    pub fn discard_changes(&self) -> Result<()> {
        // SAFETY: the library checks every handle; so below.
        call(|error| unsafe { ffi::novm_changes_discard(self.0 .0, error) })
    }
}

impl Changes {
    /// Brings them back to the host's directories. The machine must not run.
    ///
    /// `overwriting` replaces what was changed on the host since, too; without it that is a conflict, and nothing is applied.
    pub fn apply(&self, overwriting: bool) -> Result<()> {
        call(|error| unsafe { ffi::novm_changes_apply(self.handle.0, overwriting.into(), error) })
    }
}

impl Change {
    fn new(row: Vec<Option<Vec<u8>>>) -> Self {
        let mut fields = row.into_iter();
        let mut next = || fields.next().flatten();
        let words = |value: Option<Vec<u8>>| String::from_utf8_lossy(&value.unwrap_or_default()).into_owned();
        let path = |value| PathBuf::from(OsString::from_vec(value));
        Self {
            path: path(next().unwrap_or_default()),
            kind: words(next()),
            file: words(next()),
            size: words(next()).parse().ok(),
            target: next().map(path),
            differs: words(next()).split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect(),
        }
    }
}
