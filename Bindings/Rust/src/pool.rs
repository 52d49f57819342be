//! Machines that are kept ready.

use std::time::Duration;

use crate::{call, ffi, milliseconds, Description, Handle, Machine, Result, Store};

/// Machines of one description that are kept ready: never more than its size, those that were taken included.
///
/// Dropping it ends those that nobody has taken.
pub struct Pool(Handle);

impl Store {
    /// Begins to start so many machines; the description is without a name.
    pub fn pool(&self, description: Description, size: u32) -> Result<Pool> {
        // SAFETY: the place is valid for the call; so below.
        Handle::made(|pool, error| unsafe { ffi::novm_pool_open(self.0 .0, description.0 .0, size, pool, error) })
            .map(Pool)
    }
}

impl Pool {
    /// Takes a machine that runs; waits if there is none now. What keeps machines from coming up is told here, and the next call
    /// tries anew.
    pub fn take(&self, limit: Option<Duration>) -> Result<Machine> {
        Handle::made(|machine, error| unsafe { ffi::novm_pool_take(self.0 .0, milliseconds(limit), machine, error) })
            .map(Machine)
    }

    /// Gives a machine back that was taken. If it is reused, who takes it next finds what was done in it; otherwise it is ended, and
    /// another one is made.
    pub fn give(&self, machine: Machine, reused: bool) -> Result<()> {
        // SAFETY: the library closes the handle, and takes a second close for what it is.
        call(|error| unsafe { ffi::novm_pool_give(self.0 .0, machine.0 .0, reused.into(), error) })
    }
}
