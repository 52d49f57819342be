package novm

// #include <novm.h>
import "C"

import (
	"context"
	"runtime"
)

// Pool is machines of one description that are kept ready. There are never more than its size, those that were taken included.
// Closing it ends those that nobody has taken.
type Pool struct{ *handle }

// Pool begins to start so many machines; settings are without a name.
func (s *Store) Pool(size int, settings ...Setting) (*Pool, error) {
	description, err := describe(settings)
	if err != nil {
		return nil, err
	}
	defer description.Close()
	h, err := s.make(func(s C.novm_handle, pool *C.novm_handle, e *C.novm_error) C.novm_status {
		return C.novm_pool_open(s, description.number, C.uint32_t(size), pool, e)
	})
	if err != nil {
		return nil, err
	}
	return &Pool{h}, nil
}

// Take takes a machine that runs; it waits if there is none now. What keeps machines from coming up is told here, and the next
// call tries anew.
func (p *Pool) Take(ctx context.Context) (*Machine, error) {
	var machine *Machine
	err := wait(ctx, func(patience C.int64_t) error {
		var err error
		machine, err = newMachine(p.make(func(p C.novm_handle, machine *C.novm_handle, e *C.novm_error) C.novm_status {
			return C.novm_pool_take(p, patience, machine, e)
		}))
		return err
	})
	return machine, err
}

// Give gives a machine back that was taken, and closes it. If it is reused, who takes it next finds what was done in it; otherwise it is
// ended, and another one is made.
func (p *Pool) Give(machine *Machine, reuse bool) error {
	// Or its finalizer might close it before it is given.
	defer runtime.KeepAlive(machine)
	var flags C.uint32_t
	if reuse {
		flags = C.NOVM_POOL_REUSE
	}
	return p.use(func(p C.novm_handle, e *C.novm_error) C.novm_status {
		return C.novm_pool_give(p, machine.number, flags, e)
	})
}
