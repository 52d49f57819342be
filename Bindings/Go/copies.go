package novm

import (
	"io"
	"os"
	"sync"
)

// copies move what comes by pipes to writers, each in a goroutine of its own.
type copies struct {
	group sync.WaitGroup
	lock  sync.Mutex
	fault error
}

// begin copies a file to its end, or until the writer takes no more: who writes to the pipe hears of that by SIGPIPE.
func (c *copies) begin(writer io.Writer, file *os.File) {
	c.group.Add(1)
	go func() {
		defer c.group.Done()
		_, err := io.Copy(writer, file)
		file.Close()
		c.lock.Lock()
		defer c.lock.Unlock()
		if c.fault == nil {
			c.fault = err
		}
	}()
}

// wait waits until all have ended, and gives the first error of them.
func (c *copies) wait() error {
	c.group.Wait()
	return c.fault
}

// isSame tells whether both are one writer. Those of a type that cannot be compared are not, as in os/exec.
func isSame(one, other io.Writer) bool {
	defer func() { recover() }()
	return one == other
}
