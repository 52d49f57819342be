//! How machines fare.

use std::time::Duration;

use crate::{call, ffi, field, milliseconds, Error, Handle, Machine, Result};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Created,
    Starting,
    Running,
    Paused,
    /// With its status.
    Exited(i32),
    /// With what it failed of, such as what its kernel said as it panicked.
    Failed(String),
    Killed,
    Removed,
}

impl State {
    fn new(state: &ffi::MachineState) -> Self {
        match state.state {
            1 => Self::Created,
            2 => Self::Starting,
            3 => Self::Running,
            4 => Self::Paused,
            5 => Self::Exited(state.exit_status),
            7 => Self::Killed,
            8 => Self::Removed,
            _ => Self::Failed(field(&state.message)),
        }
    }
}

impl Machine {
    pub fn state(&self) -> Result<State> {
        let mut state = ffi::MachineState::new();
        // SAFETY: the place is valid for the call; so below.
        call(|error| unsafe { ffi::novm_machine_state_get(self.0 .0, &mut state, error) })?;
        Ok(State::new(&state))
    }

    /// Waits until the last of its processes has ended.
    pub fn wait(&self, limit: Option<Duration>) -> Result<State> {
        let mut state = ffi::MachineState::new();
        call(|error| unsafe { ffi::novm_machine_wait(self.0 .0, milliseconds(limit), &mut state, error) })?;
        Ok(State::new(&state))
    }

    /// Tells of each state that it comes to, from the one that it is in on.
    pub fn events(&self) -> Result<Events> {
        Handle::made(|events, error| unsafe { ffi::novm_events_open_with(self.0 .0, 0, events, error) }).map(Events)
    }

    /// Tells of these, and of what goes wrong in it from now on.
    pub fn events_and_incidents(&self) -> Result<AllEvents> {
        Handle::made(|events, error| unsafe { ffi::novm_events_open_with(self.0 .0, 1, events, error) })
            .map(|handle| AllEvents(Events(handle)))
    }
}

/// What becomes of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    State(State),
    /// The guest's kernel ended a program for want of memory; in words.
    OutOfMemory(String),
    /// The machine asked its network for what it was not granted; in words.
    NetworkRefused(String),
}

/// The states that a machine comes to and what goes wrong in it, until it is over.
pub struct AllEvents(Events);

impl AllEvents {
    /// The next one; None once it was told that the machine is over.
    pub fn next_within(&self, limit: Option<Duration>) -> Result<Option<Event>> {
        Ok(self.0.raw(limit)?.map(|state| match state.incident {
            1 => Event::OutOfMemory(field(&state.message)),
            2 => Event::NetworkRefused(field(&state.message)),
            _ => Event::State(State::new(&state)),
        }))
    }
}

impl Iterator for AllEvents {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_within(None).transpose()
    }
}

/// The states that a machine comes to, until it is over.
pub struct Events(Handle);

impl Events {
    /// The next one; None once it was told that the machine is over.
    pub fn next_within(&self, limit: Option<Duration>) -> Result<Option<State>> {
        Ok(self.raw(limit)?.map(|state| State::new(&state)))
    }

    fn raw(&self, limit: Option<Duration>) -> Result<Option<ffi::MachineState>> {
        let mut state = ffi::MachineState::new();
        match call(|error| unsafe { ffi::novm_events_next(self.0 .0, milliseconds(limit), &mut state, error) }) {
            Ok(()) => Ok(Some(state)),
            Err(error) if error.status == Error::MISSING => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Iterator for Events {
    type Item = Result<State>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_within(None).transpose()
    }
}
