//! Container images, and packs of archives.

use std::ffi::{CStr, CString};
use std::os::raw::{c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::path::Path;
use std::time::Duration;

use crate::{ffi, milliseconds, text, Error, Handle, Machine, Result, Store};

/// A container image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Of its configuration.
    pub id: String,
    /// All that lead to it.
    pub names: Vec<String>,
    /// How many it has.
    pub layers: usize,
    /// Of all files, in bytes.
    pub size: u64,
}

/// Who is asked, with a line for a person, whether to go on.
struct Judge<'a> {
    progress: &'a mut dyn FnMut(&str) -> bool,
    panic: Option<Box<dyn std::any::Any + Send>>,
}

extern "C" fn ask(context: *mut c_void, line: *const c_char) -> c_int {
    // SAFETY: the context is the judge below, and the line is valid for the call.
    let (judge, line) = unsafe { (&mut *context.cast::<Judge>(), CStr::from_ptr(line)) };
    // A panic must not leave through C.
    match catch_unwind(AssertUnwindSafe(|| (judge.progress)(&line.to_string_lossy()))) {
        Ok(goes_on) => (!goes_on).into(),
        Err(panic) => {
            judge.panic = Some(panic);
            1
        }
    }
}

fn judged(
    progress: &mut dyn FnMut(&str) -> bool, body: impl FnOnce(*mut c_void, *mut u64, *mut ffi::Error) -> c_int,
) -> Result<Handle> {
    let mut judge = Judge { progress, panic: None };
    let made = Handle::made(|list, error| body((&raw mut judge).cast(), list, error));
    match judge.panic {
        Some(panic) => resume_unwind(panic),
        None => made,
    }
}

fn pointer(text: &Option<CString>) -> *const c_char {
    text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr())
}

fn images(list: &Handle) -> Result<Vec<Image>> {
    let rows = list.rows(&[c"id", c"names", c"layers", c"size"])?;
    let image = |row: Vec<Option<Vec<u8>>>| {
        let words: Vec<String> =
            row.into_iter().map(|value| String::from_utf8_lossy(&value.unwrap_or_default()).into_owned()).collect();
        Image {
            id: words[0].clone(),
            names: words[1].split_whitespace().map(str::to_owned).collect(),
            layers: words[2].parse().unwrap_or(0),
            size: words[3].parse().unwrap_or(0),
        }
    };
    Ok(rows.into_iter().map(image).collect())
}

fn one(list: &Handle) -> Result<Image> {
    images(list)?.pop().ok_or_else(|| Error::argument("a list without a row"))
}

impl Store {
    /// The container images, by their names.
    pub fn images(&self) -> Result<Vec<Image>> {
        // SAFETY: the place is valid for the call; so below, and texts too.
        images(&Handle::made(|list, error| unsafe { ffi::novm_store_images(self.0 .0, list, error) })?)
    }

    /// Brings an image in from a registry, as `novm pull` does; what is here is not fetched again.
    ///
    /// `progress` is told what goes on, at least once a second; false gives it up.
    pub fn pull(
        &self, name: &str, limit: Option<Duration>, mut progress: impl FnMut(&str) -> bool,
    ) -> Result<Image> {
        let name = text(name)?;
        one(&judged(&mut progress, |context, list, error| unsafe {
            ffi::novm_store_pull_image(self.0 .0, name.as_ptr(), milliseconds(limit), ask, context, list, error)
        })?)
    }

    /// Takes a name from an image, and removes the image with its last name.
    pub fn remove_image(&self, name: &str) -> Result<()> {
        let name = text(name)?;
        crate::call(|error| unsafe { ffi::novm_store_remove_image(self.0 .0, name.as_ptr(), 0, error) })
    }

    /// Makes a pack of a tar archive, compressed or not; as of [`Store::pull`].
    pub fn import_pack(
        &self, archive: &Path, name: &str, limit: Option<Duration>, mut progress: impl FnMut(&str) -> bool,
    ) -> Result<()> {
        let name = text(name)?;
        let archive = CString::new(archive.as_os_str().as_bytes()).map_err(|_| Error::argument("a path has a NUL in it"))?;
        judged(&mut progress, |context, list, error| unsafe {
            ffi::novm_store_import_pack(
                self.0 .0, archive.as_ptr(), name.as_ptr(), std::ptr::null(), 0, milliseconds(limit), ask, context, list,
                error,
            )
        })
        .map(drop)
    }
}

impl Machine {
    /// Makes an image of what a machine of an image wrote to `/`, as a layer above it. It must not run.
    pub fn commit_image(&self, name: Option<&str>, message: Option<&str>) -> Result<Image> {
        let name = name.map(text).transpose()?;
        let message = message.map(text).transpose()?;
        one(&Handle::made(|list, error| unsafe {
            ffi::novm_machine_commit_image(
                self.0 .0, pointer(&name), std::ptr::null(), pointer(&message), list, error,
            )
        })?)
    }
}
