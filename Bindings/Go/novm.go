// Package novm makes machines of directory trees, by libnovm (docs/library.md).
//
//	store, err := novm.Open("")
//	machine, err := store.Create(novm.Set("memory", "512M"))
//	defer machine.Discard()
//	err = machine.Start(ctx)
//	output, err := machine.Command("uname", "-r").Output()
//
// Everything may be used by several goroutines at once. A machine ends with the program unless it was started to go on. What has a
// Close is closed in the end by itself, too, once nobody has it any more.
package novm

// #cgo pkg-config: libnovm
// #include <novm.h>
// #include <stdlib.h>
import "C"

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// Version is the library's.
func Version() string { return C.GoString(C.novm_version()) }

// Status is what can go wrong; errors.Is tells whether an error is of one.
type Status int

const (
	ErrArgument     Status = C.NOVM_ERROR_ARGUMENT     // an argument that cannot be
	ErrHandle       Status = C.NOVM_ERROR_HANDLE       // it was closed
	ErrDescription  Status = C.NOVM_ERROR_DESCRIPTION  // a setting that cannot be
	ErrMissing      Status = C.NOVM_ERROR_MISSING      // no machine, kernel, pack or file of this name
	ErrTaken        Status = C.NOVM_ERROR_TAKEN        // the name is taken
	ErrRunning      Status = C.NOVM_ERROR_RUNNING      // it needs a machine that does not run
	ErrNotRunning   Status = C.NOVM_ERROR_NOT_RUNNING  // it needs a machine that runs
	ErrTimedOut     Status = C.NOVM_ERROR_TIMED_OUT    // not within the time that was given for it
	ErrCommand      Status = C.NOVM_ERROR_COMMAND      // the command could not be run
	ErrMachine      Status = C.NOVM_ERROR_MACHINE      // the machine did not come up, or ended
	ErrSystem       Status = C.NOVM_ERROR_SYSTEM       // a system call failed
	ErrConflict     Status = C.NOVM_ERROR_CONFLICT     // changes that would overwrite what others changed since
	ErrInUse        Status = C.NOVM_ERROR_IN_USE       // a pack, volume or port is in use
	ErrDamaged      Status = C.NOVM_ERROR_DAMAGED      // something of the store is damaged
	ErrInstallation Status = C.NOVM_ERROR_INSTALLATION // parts of novm are not installed
	ErrCanceled     Status = C.NOVM_ERROR_CANCELED     // given up by who asked for it
	ErrRefused      Status = C.NOVM_ERROR_REFUSED      // a server, or the network on the way to it, gives it not
)

func (s Status) Error() string {
	names := [...]string{
		"no error", "wrong argument", "closed", "wrong description", "missing", "name taken", "machine runs", "machine does not run",
		"timed out", "command failed", "machine failed", "system call failed", "conflict", "in use", "damaged", "not installed", "canceled",
	}
	if s < 0 || int(s) >= len(names) {
		return "unknown"
	}
	return names[s]
}

// Error is why something could not be done.
type Error struct {
	Status Status
	// Errno is the host's, or 0.
	Errno syscall.Errno
	// Line of a description's text, from 1 on, or 0.
	Line int
	// ExitStatus is what the command novm would end with.
	ExitStatus int
	// Subject is what it is about; empty if there is nothing.
	Subject string
	// Message is one line for a person, with the mend where there is one.
	Message string
}

func (e *Error) Error() string { return e.Message }

// Is tells whether it is of a Status.
func (e *Error) Is(target error) bool {
	status, ok := target.(Status)
	return ok && status == e.Status
}

// Unwrap gives the host's error, such as syscall.ENOSPC.
func (e *Error) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

// Timeout tells whether time was all that was wanting, as of net.Error.
func (e *Error) Timeout() bool { return e.Status == ErrTimedOut }

// call gives a function room for its error.
func call(body func(*C.novm_error) C.novm_status) error {
	var e C.novm_error
	if body(&e) == C.NOVM_OK {
		return nil
	}
	return &Error{
		Status: Status(e.status), Errno: syscall.Errno(e.number), Line: int(e.line), ExitStatus: int(e.exit_status),
		Subject: C.GoString(&e.subject[0]), Message: C.GoString(&e.message[0]),
	}
}

// handle is one of the library's; one that was closed is an error, not a fault.
type handle struct{ number C.novm_handle }

// made is what a function gives by its last argument.
func made(body func(*C.novm_handle, *C.novm_error) C.novm_status) (*handle, error) {
	h := &handle{}
	if err := call(func(e *C.novm_error) C.novm_status { return body(&h.number, e) }); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(h, func(h *handle) { C.novm_close(h.number, nil) })
	return h, nil
}

// use calls a function with it.
func (h *handle) use(body func(C.novm_handle, *C.novm_error) C.novm_status) error {
	defer runtime.KeepAlive(h)
	return call(func(e *C.novm_error) C.novm_status { return body(h.number, e) })
}

// make is use for what gives another one.
func (h *handle) make(body func(C.novm_handle, *C.novm_handle, *C.novm_error) C.novm_status) (*handle, error) {
	defer runtime.KeepAlive(h)
	return made(func(new *C.novm_handle, e *C.novm_error) C.novm_status { return body(h.number, new, e) })
}

// Close lets go of it. A command is given up; machines go on. More than once does no harm.
func (h *handle) Close() error {
	runtime.SetFinalizer(h, nil)
	C.novm_close(h.number, nil)
	return nil
}

// rows is what a list has of these fields.
func (h *handle) rows(fields ...string) ([]map[string]string, error) {
	var count C.size_t
	if err := h.use(func(h C.novm_handle, e *C.novm_error) C.novm_status { return C.novm_list_count(h, &count, e) }); err != nil {
		return nil, err
	}
	var t texts
	defer t.free()
	names := make([]*C.char, len(fields))
	for i, field := range fields {
		names[i] = t.text(field)
	}
	rows := make([]map[string]string, int(count))
	for row := range rows {
		rows[row] = map[string]string{}
		for i, field := range fields {
			var value *C.char
			err := h.use(func(h C.novm_handle, e *C.novm_error) C.novm_status {
				return C.novm_list_text(h, C.size_t(row), names[i], &value, e)
			})
			if err != nil {
				return nil, err
			}
			if value != nil {
				rows[row][field] = C.GoString(value)
			}
		}
	}
	runtime.KeepAlive(h)
	return rows, nil
}

// texts are C's, until they are freed; err is of the first that has a NUL in it, which would be another text there.
type texts struct {
	pointers []unsafe.Pointer
	err      error
}

func (t *texts) text(value string) *C.char {
	if strings.IndexByte(value, 0) >= 0 && t.err == nil {
		t.err = &Error{Status: ErrArgument, ExitStatus: 125, Subject: value, Message: fmt.Sprintf("%q has a NUL in it", value)}
	}
	pointer := C.CString(value)
	t.pointers = append(t.pointers, unsafe.Pointer(pointer))
	return pointer
}

// optional is NULL for "".
func (t *texts) optional(value string) *C.char {
	if value == "" {
		return nil
	}
	return t.text(value)
}

// vector is an array with a NULL at its end.
func (t *texts) vector(values []string) **C.char {
	vector := (**C.char)(C.calloc(C.size_t(len(values)+1), C.size_t(unsafe.Sizeof((*C.char)(nil)))))
	t.pointers = append(t.pointers, unsafe.Pointer(vector))
	slots := unsafe.Slice(vector, len(values))
	for i, value := range values {
		slots[i] = t.text(value)
	}
	return vector
}

func (t *texts) free() {
	for _, pointer := range t.pointers {
		C.free(pointer)
	}
}

// milliseconds to the end of a context; a negative number is no limit.
func milliseconds(ctx context.Context) C.int64_t {
	deadline, ok := ctx.Deadline()
	if !ok {
		return -1
	}
	return limit(time.Until(deadline))
}

func limit(duration time.Duration) C.int64_t {
	rounded := (duration + time.Millisecond - 1).Milliseconds()
	if rounded < 0 {
		return 0
	}
	if rounded > math.MaxInt32 {
		return math.MaxInt32
	}
	return C.int64_t(rounded)
}

// wait calls what waits for so many milliseconds until it has, or the context ends.
func wait(ctx context.Context, body func(C.int64_t) error) error {
	if ctx.Done() == nil {
		return body(-1)
	}
	for {
		// A context may end without a time that was known before.
		patience := C.int64_t(100)
		if rest := milliseconds(ctx); rest >= 0 && rest < patience {
			patience = rest
		}
		err := body(patience)
		if status, ok := err.(*Error); !ok || status.Status != ErrTimedOut {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
