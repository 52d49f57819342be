package novm

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"testing"
)

// A command whose handle has ended: what is asked of it is an error at any moment of a Wait, and no fault.
func TestSignalsBesideWait(t *testing.T) {
	for i := 0; i < 100; i++ {
		c := Cmd{Args: []string{"true"}, ctx: context.Background(), running: &handle{}, over: make(chan struct{})}
		var group sync.WaitGroup
		for _, ask := range []func() error{
			c.Wait, c.Wait, func() error { return c.Signal(syscall.SIGTERM) }, func() error { return c.Resize(WindowSize{24, 80}) },
		} {
			group.Add(1)
			go func(ask func() error) {
				defer group.Done()
				if ask() == nil {
					t.Error("no error")
				}
			}(ask)
		}
		group.Wait()
		for _, ask := range []func() error{c.Start, c.Wait, func() error { return c.Signal(syscall.SIGTERM) }} {
			if err := ask(); !errors.Is(err, ErrArgument) {
				t.Errorf("%v", err)
			}
		}
	}
}
