package novm

// #include <novm.h>
// int novmProgress(void *context, char *line);
import "C"

import (
	"context"
	"runtime/cgo"
	"strconv"
	"strings"
	"unsafe"
)

// Image is a container image.
type Image struct {
	ID      string   // of its configuration
	Names   []string // all that lead to it
	Created string   // when it was made, as it says
	Layers  int
	Size    int64 // of all files, in bytes
	Origin  string
}

// judge is whom the library asks whether to go on.
type judge struct {
	ctx      context.Context
	progress func(line string)
	last     string
}

//export novmProgress
func novmProgress(context unsafe.Pointer, line *C.char) C.int {
	j := (*(*cgo.Handle)(context)).Value().(*judge)
	if text := C.GoString(line); text != j.last {
		j.last = text
		if j.progress != nil {
			j.progress(text)
		}
	}
	if j.ctx.Err() != nil {
		return 1
	}
	return 0
}

// asked has a function called with someone to ask, and gives the list that it makes.
func (s *Store) asked(
	ctx context.Context, progress func(string),
	call func(s C.novm_handle, ask C.novm_progress, context unsafe.Pointer, list *C.novm_handle, e *C.novm_error) C.novm_status,
) (*handle, error) {
	// A number that C may have, and Go finds the judge by.
	number := cgo.NewHandle(&judge{ctx: ctx, progress: progress})
	defer number.Delete()
	list, err := s.make(func(s C.novm_handle, list *C.novm_handle, e *C.novm_error) C.novm_status {
		return call(s, C.novm_progress(C.novmProgress), unsafe.Pointer(&number), list, e)
	})
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return list, err
}

func (list *handle) images() ([]Image, error) {
	defer list.Close()
	rows, err := list.rows("id", "names", "created", "layers", "size", "origin")
	images := make([]Image, 0, len(rows))
	for _, row := range rows {
		layers, _ := strconv.Atoi(row["layers"])
		size, _ := strconv.ParseInt(row["size"], 10, 64)
		images = append(images, Image{row["id"], strings.Fields(row["names"]), row["created"], layers, size, row["origin"]})
	}
	return images, err
}

func (list *handle) image() (Image, error) {
	images, err := list.images()
	if err != nil {
		return Image{}, err
	}
	return images[0], nil
}

// Images are by their names.
func (s *Store) Images() ([]Image, error) {
	list, err := s.make(func(s C.novm_handle, list *C.novm_handle, e *C.novm_error) C.novm_status {
		return C.novm_store_images(s, list, e)
	})
	if err != nil {
		return nil, err
	}
	return list.images()
}

// Pull brings an image in from a registry, as novm pull does, with this user's credentials; what is here is not fetched again.
// progress, unless nil, is told what goes on in lines for a person. ErrMissing, ErrRefused.
func (s *Store) Pull(ctx context.Context, name string, progress func(line string)) (Image, error) {
	var t texts
	defer t.free()
	value := t.text(name)
	if t.err != nil {
		return Image{}, t.err
	}
	list, err := s.asked(ctx, progress,
		func(s C.novm_handle, ask C.novm_progress, context unsafe.Pointer, list *C.novm_handle, e *C.novm_error) C.novm_status {
			return C.novm_store_pull_image(s, value, -1, ask, context, list, e)
		})
	if err != nil {
		return Image{}, err
	}
	return list.image()
}

// RemoveImage takes a name from an image, and removes the image with its last name; ErrInUse if a machine is made of it.
func (s *Store) RemoveImage(name string) error {
	var t texts
	defer t.free()
	value := t.text(name)
	if t.err != nil {
		return t.err
	}
	return s.use(func(s C.novm_handle, e *C.novm_error) C.novm_status { return C.novm_store_remove_image(s, value, 0, e) })
}

// ImportPack makes a pack of a tar archive, compressed or not, by its path or https address. name is "" for the archive's without its
// ending; digest is what the archive must be, sha256:…, or "". ErrTaken if another pack has the name, unless it may be replaced.
func (s *Store) ImportPack(
	ctx context.Context, archive, name, digest string, replace bool, progress func(line string),
) (Pack, error) {
	var t texts
	defer t.free()
	from, called, expected := t.text(archive), t.optional(name), t.optional(digest)
	if t.err != nil {
		return Pack{}, t.err
	}
	var flags C.uint32_t
	if replace {
		flags = C.NOVM_IMPORT_REPLACE
	}
	list, err := s.asked(ctx, progress,
		func(s C.novm_handle, ask C.novm_progress, context unsafe.Pointer, list *C.novm_handle, e *C.novm_error) C.novm_status {
			return C.novm_store_import_pack(s, from, called, expected, flags, -1, ask, context, list, e)
		})
	if err != nil {
		return Pack{}, err
	}
	packs, err := list.packs()
	if err != nil {
		return Pack{}, err
	}
	return packs[0], nil
}

// CommitImage makes an image of what a machine of an image wrote to /, as a layer above it. The machine must not run. name and message
// may be "".
func (m *Machine) CommitImage(name, message string) (Image, error) {
	var t texts
	defer t.free()
	called, words := t.optional(name), t.optional(message)
	if t.err != nil {
		return Image{}, t.err
	}
	list, err := m.make(func(m C.novm_handle, list *C.novm_handle, e *C.novm_error) C.novm_status {
		return C.novm_machine_commit_image(m, called, nil, words, list, e)
	})
	if err != nil {
		return Image{}, err
	}
	return list.image()
}
