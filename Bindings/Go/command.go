package novm

// #include <novm.h>
import "C"

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// Cmd is a command for a machine, in the manner of os/exec.
type Cmd struct {
	// Args are the command and its arguments; the first is looked for in the guest's PATH.
	Args []string
	// Env are NAME=VALUE.
	Env []string
	// Dir is the working directory in the guest; "" is /.
	Dir string
	// User is NAME[:GROUP] or UID[:GID] of the guest's; "" is root.
	User string
	// Stdin, Stdout and Stderr are nothing if they are nil. A file's descriptor is given to the library; all else goes by pipes.
	// If Stdout and Stderr are equal, one goroutine at a time writes to it.
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// Terminal is the command's own, of such a size; all that it writes is then Stdout.
	Terminal *WindowSize
	// Timeout is after what it is ended, with status 124; 0 is never.
	Timeout time.Duration

	machine *Machine
	ctx     context.Context
	// Once it was started, for good.
	running *handle
	waited  atomic.Bool
	copies  copies
	// Ours, for what goes by pipes.
	ours []*os.File
	// Takes the command away with the context.
	over chan struct{}
}

// WindowSize is a terminal's.
type WindowSize struct{ Rows, Columns uint16 }

// ExitError is a status other than 0: 128 and the number of a signal that ended the command; 124 if it took too long.
type ExitError struct {
	Name   string
	Status int
	// Stderr is what it wrote there, of Output alone.
	Stderr []byte
}

func (e *ExitError) Error() string { return fmt.Sprintf("%s ended with status %d", e.Name, e.Status) }

// ExitCode is the status, as of os/exec.
func (e *ExitError) ExitCode() int { return e.Status }

// Command is one that is not started yet.
func (m *Machine) Command(name string, arguments ...string) *Cmd {
	return m.CommandContext(context.Background(), name, arguments...)
}

// CommandContext is Command for one that is given up when the context ends: it gets SIGHUP, and two seconds later SIGKILL.
func (m *Machine) CommandContext(ctx context.Context, name string, arguments ...string) *Cmd {
	return &Cmd{Args: append([]string{name}, arguments...), machine: m, ctx: ctx}
}

// Output runs it, and gives what it writes to standard output.
func (c *Cmd) Output() ([]byte, error) {
	var output, errors bytes.Buffer
	c.Stdout = &output
	if c.Stderr == nil {
		c.Stderr = &errors
	}
	err := c.Run()
	if exit, ok := err.(*ExitError); ok {
		exit.Stderr = errors.Bytes()
	}
	return output.Bytes(), err
}

// Run starts it, and waits for its end.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Start returns at once; what keeps the command from running is told by Wait.
func (c *Cmd) Start() error {
	if c.running != nil {
		return &Error{Status: ErrArgument, ExitStatus: 125, Message: "the command was started before"}
	}
	if err := c.ctx.Err(); err != nil {
		return err
	}
	options := C.novm_command_options{
		size: C.sizeof_novm_command_options, input: C.NOVM_STREAM_NOTHING, output: C.NOVM_STREAM_NOTHING, error: C.NOVM_STREAM_NOTHING,
	}
	var t texts
	defer t.free()
	options.arguments = t.vector(c.Args)
	if len(c.Env) > 0 {
		options.environment = t.vector(c.Env)
	}
	if c.Dir != "" {
		options.directory = t.text(c.Dir)
	}
	if c.User != "" {
		options.user = t.text(c.User)
	}
	if t.err != nil {
		return t.err
	}
	if c.Timeout > 0 {
		options.timeout = C.int32_t(limit(c.Timeout))
	}
	if c.Terminal != nil {
		options.flags = C.NOVM_COMMAND_TERMINAL
		options.rows, options.columns = C.uint16_t(c.Terminal.Rows), C.uint16_t(c.Terminal.Columns)
	}
	// The library copies descriptors.
	var theirs []*os.File
	defer func() {
		for _, file := range theirs {
			file.Close()
		}
	}()
	var starts []func()
	pipe := func(isInput bool, copy func(*os.File)) (C.int32_t, error) {
		reader, writer, err := os.Pipe()
		if err != nil {
			return -1, err
		}
		mine, its := writer, reader
		if !isInput {
			mine, its = reader, writer
		}
		theirs, c.ours = append(theirs, its), append(c.ours, mine)
		starts = append(starts, func() { copy(mine) })
		return C.int32_t(its.Fd()), nil
	}
	var err error
	switch input := c.Stdin.(type) {
	case nil:
	case *os.File:
		options.input = C.int32_t(input.Fd())
	default:
		options.input, err = pipe(true, func(file *os.File) {
			// Nobody waits for what may never end; an end of the command is told by EPIPE.
			go func() {
				io.Copy(file, input)
				file.Close()
			}()
		})
	}
	output := func(writer io.Writer) (C.int32_t, error) {
		switch writer := writer.(type) {
		case nil:
			return C.NOVM_STREAM_NOTHING, nil
		case *os.File:
			return C.int32_t(writer.Fd()), nil
		default:
			return pipe(false, func(file *os.File) { c.copies.begin(writer, file) })
		}
	}
	if err == nil {
		options.output, err = output(c.Stdout)
	}
	if err == nil {
		if isSame(c.Stdout, c.Stderr) {
			options.error = options.output
		} else {
			options.error, err = output(c.Stderr)
		}
	}
	if err == nil {
		c.running, err = c.machine.make(func(m C.novm_handle, command *C.novm_handle, e *C.novm_error) C.novm_status {
			return C.novm_command_start(m, &options, command, e)
		})
	}
	if err != nil {
		for _, file := range c.ours {
			file.Close()
		}
		c.ours = nil
		return err
	}
	for _, start := range starts {
		start()
	}
	c.over = make(chan struct{})
	if c.ctx.Done() != nil {
		running, over := c.running, c.over
		go func() {
			select {
			case <-c.ctx.Done():
				running.Close()
			case <-over:
			}
		}()
	}
	return nil
}

// Wait waits for its end and its output. If it ended well, what a writer said that took no more of it is the error.
func (c *Cmd) Wait() error {
	if c.running == nil || !c.waited.CompareAndSwap(false, true) {
		return &Error{Status: ErrArgument, ExitStatus: 125, Message: "the command was not started, or was waited for"}
	}
	var status C.int
	err := c.running.use(func(h C.novm_handle, e *C.novm_error) C.novm_status { return C.novm_command_wait(h, -1, &status, e) })
	close(c.over)
	c.running.Close()
	// The library's ends of the pipes are closed by now.
	fault := c.copies.wait()
	if err != nil && c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	if err == nil && status != 0 {
		err = &ExitError{Name: c.Args[0], Status: int(status)}
	}
	if err == nil {
		err = fault
	}
	return err
}

// Signal sends it a signal.
func (c *Cmd) Signal(signal syscall.Signal) error {
	if c.running == nil || c.waited.Load() {
		return &Error{Status: ErrArgument, ExitStatus: 125, Message: "the command does not run"}
	}
	return c.running.use(func(h C.novm_handle, e *C.novm_error) C.novm_status {
		return C.novm_command_signal(h, C.int(signal), e)
	})
}

// Resize tells its terminal the size.
func (c *Cmd) Resize(size WindowSize) error {
	if c.running == nil || c.waited.Load() {
		return &Error{Status: ErrArgument, ExitStatus: 125, Message: "the command does not run"}
	}
	return c.running.use(func(h C.novm_handle, e *C.novm_error) C.novm_status {
		return C.novm_command_resize(h, C.uint16_t(size.Rows), C.uint16_t(size.Columns), e)
	})
}
