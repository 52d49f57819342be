// Runs a command in a machine over this host's files, which it cannot change.
package main

import (
	"context"
	"fmt"
	"log"

	"novm"
)

func main() {
	store, err := novm.Open("")
	if err != nil {
		log.Fatal(err)
	}
	machine, err := store.Create(novm.Set("memory", "256M"), novm.Set("rm", "true"))
	if err != nil {
		log.Fatal(err)
	}
	// A machine ends with the program.
	if err := machine.Start(context.Background()); err != nil {
		log.Fatal(err)
	}
	output, err := machine.Command("uname", "-r").Output()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", output)
	if err := machine.Stop(0); err != nil {
		log.Fatal(err)
	}
}
