package novm

// #include <novm.h>
import "C"

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"
)

// Machine is one of the store.
type Machine struct {
	*handle
	// ID is twelve hexadecimal digits.
	ID string
	// Name is what people call it; its identifier if it was given none.
	Name string
}

// State is how a machine fares.
type State struct {
	Kind StateKind
	// ExitStatus of one that has exited.
	ExitStatus int
	// Message says why it failed, such as what its kernel said as it panicked; or what the incident was.
	Message string
	// Incident is what went wrong in a machine that goes on, of Events alone.
	Incident Incident
}

// Incident is what goes wrong in a machine that goes on.
type Incident int

const (
	NoIncident      Incident = C.NOVM_INCIDENT_NONE
	MemoryIncident  Incident = C.NOVM_INCIDENT_MEMORY  // the guest's kernel ended a program for want of memory
	NetworkIncident Incident = C.NOVM_INCIDENT_NETWORK // it asked its network for what it was not granted
)

// StateKind is what a machine does.
type StateKind int

const (
	Created  StateKind = C.NOVM_STATE_CREATED
	Starting StateKind = C.NOVM_STATE_STARTING
	Running  StateKind = C.NOVM_STATE_RUNNING
	Paused   StateKind = C.NOVM_STATE_PAUSED
	Exited   StateKind = C.NOVM_STATE_EXITED
	Failed   StateKind = C.NOVM_STATE_FAILED
	Killed   StateKind = C.NOVM_STATE_KILLED
	Removed  StateKind = C.NOVM_STATE_REMOVED
)

func (k StateKind) String() string {
	names := [...]string{"", "created", "starting", "running", "paused", "exited", "failed", "killed", "removed"}
	if k < 1 || int(k) >= len(names) {
		return fmt.Sprintf("state %d", int(k))
	}
	return names[k]
}

// Usage is what a machine takes, in bytes; 0 for what its guest or its monitor did not say.
type Usage struct {
	HostMemory                int64
	MemoryUsed, MemoryTotal   int64
	StorageUsed, StorageTotal int64
	Threads                   int
	// Written is of the map that is nearest to its limit, if any has one (--write-limit).
	Written, WriteLimit int64
	// Nodes are files and directories that the guest knows; Streams its connections by vsock.
	Nodes, Streams int
}

func newMachine(h *handle, err error) (*Machine, error) {
	if err != nil {
		return nil, err
	}
	var id, name *C.char
	err = h.use(func(h C.novm_handle, e *C.novm_error) C.novm_status { return C.novm_machine_names(h, &id, &name, e) })
	if err != nil {
		return nil, err
	}
	return &Machine{h, C.GoString(id), C.GoString(name)}, nil
}

// Start returns once it takes commands, and its own command runs if it has one. It ends with this program. After ErrTimedOut, which
// the end of the context's time is, it is on its way still.
func (m *Machine) Start(ctx context.Context) error { return m.start(ctx, 0) }

// StartDetached is Start for one that goes on when this program ends.
func (m *Machine) StartDetached(ctx context.Context) error {
	return m.start(ctx, C.NOVM_START_DETACHED)
}

func (m *Machine) start(ctx context.Context, flags C.uint32_t) error {
	return m.use(func(m C.novm_handle, e *C.novm_error) C.novm_status {
		return C.novm_machine_start(m, flags, milliseconds(ctx), e)
	})
}

func newState() C.novm_machine_state {
	return C.novm_machine_state{size: C.sizeof_novm_machine_state}
}

func state(s *C.novm_machine_state) State {
	return State{StateKind(s.state), int(s.exit_status), C.GoString(&s.message[0]), Incident(s.incident)}
}

// State is how it fares now.
func (m *Machine) State() (State, error) {
	s := newState()
	err := m.use(func(m C.novm_handle, e *C.novm_error) C.novm_status { return C.novm_machine_state_get(m, &s, e) })
	return state(&s), err
}

// Wait waits for its end.
func (m *Machine) Wait(ctx context.Context) (State, error) {
	s := newState()
	err := wait(ctx, func(patience C.int64_t) error {
		return m.use(func(m C.novm_handle, e *C.novm_error) C.novm_status { return C.novm_machine_wait(m, patience, &s, e) })
	})
	return state(&s), err
}

// Stop ends its command by SIGTERM, or powers it off; after grace it is ended, with what it holds written back.
func (m *Machine) Stop(grace time.Duration) error {
	return m.use(func(m C.novm_handle, e *C.novm_error) C.novm_status { return C.novm_machine_stop(m, limit(grace), e) })
}

// Kill ends it as it stands.
func (m *Machine) Kill() error {
	return m.use(func(m C.novm_handle, e *C.novm_error) C.novm_status { return C.novm_machine_kill(m, e) })
}

// Remove removes it with what it wrote. It must not run.
func (m *Machine) Remove() error {
	return m.use(func(m C.novm_handle, e *C.novm_error) C.novm_status { return C.novm_machine_remove(m, e) })
}

// Discard ends and removes it; for defer.
func (m *Machine) Discard() error {
	defer m.Close()
	if err := m.Stop(0); err != nil && !errors.Is(err, ErrMissing) {
		return err
	}
	if err := m.Remove(); err != nil && !errors.Is(err, ErrMissing) {
		return err
	}
	return nil
}

// Pause stops its processors; its memory stays.
func (m *Machine) Pause() error {
	return m.use(func(m C.novm_handle, e *C.novm_error) C.novm_status { return C.novm_machine_pause(m, e) })
}

// Resume lets them go on.
func (m *Machine) Resume() error {
	return m.use(func(m C.novm_handle, e *C.novm_error) C.novm_status { return C.novm_machine_resume(m, e) })
}

// Usage is what it takes.
func (m *Machine) Usage() (Usage, error) {
	list, err := m.make(func(m C.novm_handle, list *C.novm_handle, e *C.novm_error) C.novm_status {
		return C.novm_machine_usage(m, list, e)
	})
	if err != nil {
		return Usage{}, err
	}
	defer list.Close()
	rows, err := list.rows("host_memory", "memory_used", "memory_total", "storage_used", "storage_total", "threads", "written", "write_limit", "nodes", "streams")
	if err != nil || len(rows) == 0 {
		return Usage{}, err
	}
	number := func(name string) int64 {
		value, _ := strconv.ParseInt(rows[0][name], 10, 64)
		return value
	}
	return Usage{
		number("host_memory"), number("memory_used"), number("memory_total"), number("storage_used"), number("storage_total"),
		int(number("threads")), number("written"), number("write_limit"), int(number("nodes")), int(number("streams")),
	}, nil
}

// Connect gives a stream to a port of the guest's vsock; ErrMissing if nobody listens there.
func (m *Machine) Connect(ctx context.Context, port uint32) (net.Conn, error) {
	var descriptor C.int
	err := m.use(func(m C.novm_handle, e *C.novm_error) C.novm_status {
		return C.novm_machine_connect(m, C.uint32_t(port), milliseconds(ctx), &descriptor, e)
	})
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(descriptor), fmt.Sprintf("%s:%d", m.Name, port))
	// Which takes a copy.
	defer file.Close()
	return net.FileConn(file)
}

// Publication is a port or socket of the host's that leads into a machine, until it is closed.
type Publication struct{ *handle }

// Publish leads a port or socket of the host's into this machine, which runs: "8080:80", "127.0.0.1:5353:53/udp",
// "/run/web.sock:80", as of --publish. ErrInUse, with the host's error, if nobody can listen there.
func (m *Machine) Publish(port string) (*Publication, error) {
	var t texts
	defer t.free()
	value := t.text(port)
	if t.err != nil {
		return nil, t.err
	}
	h, err := m.make(func(m C.novm_handle, publication *C.novm_handle, e *C.novm_error) C.novm_status {
		return C.novm_machine_publish(m, value, publication, e)
	})
	if err != nil {
		return nil, err
	}
	return &Publication{h}, nil
}

// Events tell of each state that a machine comes to.
type Events struct{ *handle }

// Events begin with the state that it is in.
func (m *Machine) Events() (*Events, error) { return m.events(0) }

// EventsAndIncidents also tell, as Running with an Incident, what goes wrong in it from now on.
func (m *Machine) EventsAndIncidents() (*Events, error) { return m.events(C.NOVM_EVENTS_INCIDENTS) }

func (m *Machine) events(flags C.uint32_t) (*Events, error) {
	h, err := m.make(func(m C.novm_handle, events *C.novm_handle, e *C.novm_error) C.novm_status {
		return C.novm_events_open_with(m, flags, events, e)
	})
	if err != nil {
		return nil, err
	}
	return &Events{h}, nil
}

// Next waits for the next state; io.EOF once it was told that the machine is over.
func (v *Events) Next(ctx context.Context) (State, error) {
	s := newState()
	err := wait(ctx, func(patience C.int64_t) error {
		return v.use(func(v C.novm_handle, e *C.novm_error) C.novm_status { return C.novm_events_next(v, patience, &s, e) })
	})
	if errors.Is(err, ErrMissing) {
		err = io.EOF
	}
	return state(&s), err
}
