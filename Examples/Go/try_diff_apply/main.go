// Lets a command change a directory, shows what it changed, and brings it back: try_diff_apply DIRECTORY.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"novm"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: try_diff_apply DIRECTORY")
	}
	if err := try(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func try(directory string) error {
	directory, err := filepath.Abs(directory)
	if err != nil {
		return err
	}
	store, err := novm.Open("")
	if err != nil {
		return err
	}
	machine, err := store.Create(novm.Set("memory", "256M"), novm.Set("read", "/work=>"+directory))
	if err != nil {
		return err
	}
	defer machine.Discard()
	if err := machine.Start(context.Background()); err != nil {
		return err
	}
	if err := machine.Command("sh", "-c", "echo changed > /work/note").Run(); err != nil {
		return err
	}
	if err := machine.Stop(10 * time.Second); err != nil {
		return err
	}
	changes, err := machine.Changes("/work")
	if err != nil {
		return err
	}
	for _, change := range changes.List {
		fmt.Println(change.Kind, change.Path)
	}
	return changes.Apply(false)
}
