package novm

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
)

var errFull = errors.New("full")

// A writer that takes so many bytes.
type limited int

func (l *limited) Write(data []byte) (int, error) {
	if len(data) > int(*l) {
		return 0, errFull
	}
	*l -= limited(len(data))
	return len(data), nil
}

// A writer that cannot be compared.
type several []io.Writer

func (s several) Write(data []byte) (int, error) { return len(data), nil }

func TestCopies(t *testing.T) {
	for _, test := range []struct {
		room limited
		want error
	}{{room: 4}, {room: 3, want: errFull}} {
		var c copies
		var all bytes.Buffer
		for _, writer := range []io.Writer{&test.room, &all} {
			reader, pipe, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			c.begin(writer, reader)
			pipe.WriteString("four")
			pipe.Close()
		}
		if err := c.wait(); err != test.want {
			t.Errorf("%v, not %v", err, test.want)
		}
		// What one does not take keeps nothing from the other.
		if all.String() != "four" {
			t.Errorf("%q", all.String())
		}
	}
}

// Who waits is told; what it wrote went to a pipe whose reader is gone.
func TestPipeOfAFullWriterIsClosed(t *testing.T) {
	reader, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	var c copies
	var none limited
	c.begin(&none, reader)
	pipe.WriteString("x")
	if err := c.wait(); err != errFull {
		t.Error(err)
	}
	if _, err := pipe.WriteString("y"); err == nil {
		t.Error("the pipe has a reader")
	}
}

func TestIsSame(t *testing.T) {
	var one, other bytes.Buffer
	for _, test := range []struct {
		one, other io.Writer
		want       bool
	}{
		{&one, &one, true}, {&one, &other, false}, {os.Stdout, os.Stdout, true}, {os.Stdout, os.Stderr, false}, {nil, nil, true},
		{&one, nil, false}, {several{&one}, several{&one}, false},
	} {
		if isSame(test.one, test.other) != test.want {
			t.Errorf("%T and %T: not %v", test.one, test.other, test.want)
		}
	}
}
