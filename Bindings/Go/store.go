package novm

// #include <novm.h>
import "C"

import (
	"errors"
	"strconv"
	"unsafe"
)

// Store is the kernels, packs and machines of a user.
type Store struct{ *handle }

// Kernel is one that machines can boot.
type Kernel struct {
	Name      string
	Release   string // what uname -r says
	Directory string
}

// Pack is a tree of files under a name, which does not change.
type Pack struct {
	Name    string
	Digest  string // of its manifest
	Entries int
	Size    int64 // of all files, in bytes
	Origin  string
}

// Open opens the store in a directory, an absolute path; "" is what the command novm would use. The environment is read here and at
// no other time.
func Open(root string) (*Store, error) {
	var t texts
	defer t.free()
	var path *C.char
	if root != "" {
		path = t.text(root)
	}
	if t.err != nil {
		return nil, t.err
	}
	h, err := made(func(store *C.novm_handle, e *C.novm_error) C.novm_status {
		return C.novm_store_open(path, nil, store, e)
	})
	if err != nil {
		return nil, err
	}
	return &Store{h}, nil
}

// Kernels are the newest first.
func (s *Store) Kernels() ([]Kernel, error) {
	list, err := s.make(func(s C.novm_handle, list *C.novm_handle, e *C.novm_error) C.novm_status {
		return C.novm_store_kernels(s, list, e)
	})
	if err != nil {
		return nil, err
	}
	defer list.Close()
	rows, err := list.rows("name", "release", "directory")
	kernels := make([]Kernel, 0, len(rows))
	for _, row := range rows {
		kernels = append(kernels, Kernel{row["name"], row["release"], row["directory"]})
	}
	return kernels, err
}

// ImportKernel makes a kernel ready to boot, as novm kernel import does; one of the same name is replaced. source is "" for the running
// system's, or the path of a bzImage, a vmlinux, a directory in which a kernel was built, or a Debian package (.deb); modules is the
// directory of an image's, or ""; name "" for its release.
func (s *Store) ImportKernel(source, modules, name string) (Kernel, error) {
	var t texts
	defer t.free()
	from, tree, called := t.optional(source), t.optional(modules), t.optional(name)
	if t.err != nil {
		return Kernel{}, t.err
	}
	list, err := s.make(func(s C.novm_handle, list *C.novm_handle, e *C.novm_error) C.novm_status {
		return C.novm_store_import_kernel(s, from, tree, called, nil, nil, list, e)
	})
	if err != nil {
		return Kernel{}, err
	}
	defer list.Close()
	rows, err := list.rows("name", "release", "directory")
	if err != nil {
		return Kernel{}, err
	}
	return Kernel{rows[0]["name"], rows[0]["release"], rows[0]["directory"]}, nil
}

// Packs are by name.
func (s *Store) Packs() ([]Pack, error) {
	list, err := s.make(func(s C.novm_handle, list *C.novm_handle, e *C.novm_error) C.novm_status {
		return C.novm_store_packs(s, list, e)
	})
	if err != nil {
		return nil, err
	}
	return list.packs()
}

func (list *handle) packs() ([]Pack, error) {
	defer list.Close()
	rows, err := list.rows("name", "digest", "entries", "size", "origin")
	packs := make([]Pack, 0, len(rows))
	for _, row := range rows {
		entries, _ := strconv.Atoi(row["entries"])
		size, _ := strconv.ParseInt(row["size"], 10, 64)
		packs = append(packs, Pack{row["name"], row["digest"], entries, size, row["origin"]})
	}
	return packs, err
}

// Machines are all, whoever made them. One that is removed meanwhile is left out.
func (s *Store) Machines() ([]*Machine, error) {
	list, err := s.make(func(s C.novm_handle, list *C.novm_handle, e *C.novm_error) C.novm_status {
		return C.novm_store_machines(s, list, e)
	})
	if err != nil {
		return nil, err
	}
	defer list.Close()
	rows, err := list.rows("id")
	if err != nil {
		return nil, err
	}
	var machines []*Machine
	for _, row := range rows {
		machine, err := s.Machine(row["id"])
		if errors.Is(err, ErrMissing) {
			continue
		}
		if err != nil {
			return nil, err
		}
		machines = append(machines, machine)
	}
	return machines, nil
}

// Machine is the one of a name or identifier.
func (s *Store) Machine(reference string) (*Machine, error) {
	var t texts
	defer t.free()
	name := t.text(reference)
	if t.err != nil {
		return nil, t.err
	}
	return newMachine(s.make(func(s C.novm_handle, machine *C.novm_handle, e *C.novm_error) C.novm_status {
		return C.novm_machine_find(s, name, machine, e)
	}))
}

// RemoveKernel removes a kernel.
func (s *Store) RemoveKernel(name string) error {
	var t texts
	defer t.free()
	value := t.text(name)
	if t.err != nil {
		return t.err
	}
	return s.use(func(s C.novm_handle, e *C.novm_error) C.novm_status { return C.novm_store_remove_kernel(s, value, e) })
}

// RemovePack removes a pack that no machine has.
func (s *Store) RemovePack(name string) error {
	var t texts
	defer t.free()
	value := t.text(name)
	if t.err != nil {
		return t.err
	}
	return s.use(func(s C.novm_handle, e *C.novm_error) C.novm_status { return C.novm_store_remove_pack(s, value, e) })
}

// A Setting is a part of what a machine is to be.
type Setting func(description *handle) error

// Set sets what takes one value, and adds to what takes several; names are those of options and machine files.
func Set(name, value string) Setting {
	return func(description *handle) error {
		var t texts
		defer t.free()
		name, value := t.text(name), t.text(value)
		if t.err != nil {
			return t.err
		}
		return description.use(func(d C.novm_handle, e *C.novm_error) C.novm_status {
			return C.novm_description_set(d, name, value, e)
		})
	}
}

// File adds what a text in YAML or JSON says (docs/machine-file.md).
func File(content []byte) Setting {
	return func(description *handle) error {
		return description.use(func(d C.novm_handle, e *C.novm_error) C.novm_status {
			var start byte
			pointer := &start
			if len(content) > 0 {
				pointer = &content[0]
			}
			return C.novm_description_parse(d, (*C.char)(unsafe.Pointer(pointer)), C.size_t(len(content)), e)
		})
	}
}

// Create makes a machine, which does not run yet. Relative paths start at the working directory.
func (s *Store) Create(settings ...Setting) (*Machine, error) {
	description, err := describe(settings)
	if err != nil {
		return nil, err
	}
	defer description.Close()
	return newMachine(s.make(func(s C.novm_handle, machine *C.novm_handle, e *C.novm_error) C.novm_status {
		return C.novm_machine_create(s, description.number, machine, e)
	}))
}

func describe(settings []Setting) (*handle, error) {
	description, err := made(func(description *C.novm_handle, e *C.novm_error) C.novm_status {
		return C.novm_description_new(description, e)
	})
	if err != nil {
		return nil, err
	}
	for _, setting := range settings {
		if err := setting(description); err != nil {
			return nil, err
		}
	}
	return description, nil
}
