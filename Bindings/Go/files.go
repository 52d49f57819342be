package novm

// #include <novm.h>
import "C"

import (
	"context"
	"io/fs"
	"strconv"
	"strings"
	"unsafe"
)

// CopyIn copies a file or directory of the host's into the machine, by the rules of docker cp.
func (m *Machine) CopyIn(ctx context.Context, host, guest string) error {
	var t texts
	defer t.free()
	from, to := t.text(host), t.text(guest)
	if t.err != nil {
		return t.err
	}
	return m.use(func(m C.novm_handle, e *C.novm_error) C.novm_status {
		return C.novm_files_copy_in(m, from, to, milliseconds(ctx), e)
	})
}

// CopyOut copies a file or directory of the machine's to the host.
func (m *Machine) CopyOut(ctx context.Context, guest, host string) error {
	var t texts
	defer t.free()
	from, to := t.text(guest), t.text(host)
	if t.err != nil {
		return t.err
	}
	return m.use(func(m C.novm_handle, e *C.novm_error) C.novm_status {
		return C.novm_files_copy_out(m, from, to, milliseconds(ctx), e)
	})
}

// WriteFile writes a file of the machine's; one that is there is replaced at once and whole.
func (m *Machine) WriteFile(ctx context.Context, guest string, data []byte, permissions fs.FileMode) error {
	var t texts
	defer t.free()
	path := t.text(guest)
	if t.err != nil {
		return t.err
	}
	return m.use(func(m C.novm_handle, e *C.novm_error) C.novm_status {
		var start unsafe.Pointer
		if len(data) > 0 {
			start = unsafe.Pointer(&data[0])
		}
		return C.novm_files_write(m, path, start, C.size_t(len(data)), C.uint32_t(permissions.Perm()), milliseconds(ctx), e)
	})
}

// ReadFile reads a file of the machine's, of so many bytes at most.
func (m *Machine) ReadFile(ctx context.Context, guest string, limit int) ([]byte, error) {
	var t texts
	defer t.free()
	path := t.text(guest)
	if t.err != nil {
		return nil, t.err
	}
	var data unsafe.Pointer
	var length C.size_t
	err := m.use(func(m C.novm_handle, e *C.novm_error) C.novm_status {
		return C.novm_files_read(m, path, C.size_t(limit), milliseconds(ctx), &data, &length, e)
	})
	if err != nil {
		return nil, err
	}
	defer C.novm_free(data)
	// Not C.GoBytes, whose lengths are C's int.
	return append([]byte(nil), unsafe.Slice((*byte)(data), int(length))...), nil
}

// Change is what became of a path of a machine's tree.
type Change struct {
	// Path is the guest's, absolute.
	Path string
	// Kind is added, changed or deleted.
	Kind string
	// File is file, directory, symlink, fifo, socket, character device or block device.
	File string
	// Size of a file, in bytes; -1 for another.
	Size int64
	// Target is where a symbolic link leads, or led.
	Target string
	// Differs, of one that was changed: kind, content, mode, owner, attributes.
	Differs []string
}

// Changes are what a machine wrote, at the moment when they were asked for.
type Changes struct {
	*handle
	// List is in the order of paths.
	List []Change
}

// Changes are those of these paths of the guest, or all.
func (m *Machine) Changes(paths ...string) (*Changes, error) {
	var t texts
	defer t.free()
	var vector **C.char
	if len(paths) > 0 {
		vector = t.vector(paths)
	}
	if t.err != nil {
		return nil, t.err
	}
	h, err := m.make(func(m C.novm_handle, changes *C.novm_handle, e *C.novm_error) C.novm_status {
		return C.novm_changes_open(m, vector, changes, e)
	})
	if err != nil {
		return nil, err
	}
	rows, err := h.rows("path", "kind", "file", "size", "target", "differs")
	if err != nil {
		return nil, err
	}
	changes := &Changes{handle: h}
	for _, row := range rows {
		size, err := strconv.ParseInt(row["size"], 10, 64)
		if err != nil {
			size = -1
		}
		change := Change{Path: row["path"], Kind: row["kind"], File: row["file"], Size: size, Target: row["target"]}
		if row["differs"] != "" {
			change.Differs = strings.Split(row["differs"], ",")
		}
		changes.List = append(changes.List, change)
	}
	return changes, nil
}

// Apply brings them back to the host's directories. The machine must not run. What was changed on the host since is ErrConflict, and
// nothing was applied, unless it may be overwritten.
func (c *Changes) Apply(overwrite bool) error {
	var flags C.uint32_t
	if overwrite {
		flags = C.NOVM_APPLY_OVERWRITE
	}
	return c.use(func(c C.novm_handle, e *C.novm_error) C.novm_status { return C.novm_changes_apply(c, flags, e) })
}

// DiscardChanges removes all that it wrote, and keeps the machine. It must not run.
func (m *Machine) DiscardChanges() error {
	return m.use(func(m C.novm_handle, e *C.novm_error) C.novm_status { return C.novm_changes_discard(m, e) })
}

// Commit makes a pack of what it wrote to /. It must not run. ErrTaken if another pack has the name, unless it may be replaced.
func (m *Machine) Commit(name string, replace bool) error {
	var t texts
	defer t.free()
	value := t.text(name)
	if t.err != nil {
		return t.err
	}
	var flags C.uint32_t
	if replace {
		flags = C.NOVM_COMMIT_REPLACE
	}
	return m.use(func(m C.novm_handle, e *C.novm_error) C.novm_status { return C.novm_machine_commit(m, value, flags, e) })
}
