// Puts a file into a machine, runs a command on a terminal of its own, and reads what that made.
package main

import (
	"context"
	"fmt"
	"log"
	"strings"

	"novm"
)

func main() {
	ctx := context.Background()
	store, err := novm.Open("")
	if err != nil {
		log.Fatal(err)
	}
	machine, err := store.Create(novm.Set("memory", "256M"), novm.Set("rm", "true"))
	if err != nil {
		log.Fatal(err)
	}
	if err := machine.Start(ctx); err != nil {
		log.Fatal(err)
	}
	if err := machine.WriteFile(ctx, "/tmp/in", []byte("from the host\n"), 0o644); err != nil {
		log.Fatal(err)
	}
	command := machine.Command("sh", "-c", "stty size; tr a-z A-Z </tmp/in >/tmp/out")
	command.Terminal = &novm.WindowSize{Rows: 30, Columns: 100}
	output, err := command.Output()
	if err != nil {
		log.Fatal(err)
	}
	// A terminal ends lines with a carriage return, too.
	fmt.Print(strings.ReplaceAll(string(output), "\r\n", "\n"))
	data, err := machine.ReadFile(ctx, "/tmp/out", 4096)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(data))
	if err := machine.Stop(0); err != nil {
		log.Fatal(err)
	}
}
