// A web server in a machine, and a client of its here: server PORT.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"novm"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: server PORT")
	}
	port := os.Args[1]
	store, err := novm.Open("")
	if err != nil {
		log.Fatal(err)
	}
	machine, err := store.Create(
		novm.Set("memory", "256M"), novm.Set("rm", "true"), novm.Set("publish", "127.0.0.1:"+port+":80"))
	if err != nil {
		log.Fatal(err)
	}
	if err := machine.Start(context.Background()); err != nil {
		log.Fatal(err)
	}

	reader, writer, err := os.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	server := machine.Command("python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", "80")
	server.Dir = "/usr/share"
	server.Stdout = writer
	if err := server.Start(); err != nil {
		log.Fatal(err)
	}
	writer.Close()
	// It says when it serves.
	if _, err := bufio.NewReader(reader).ReadString('\n'); err != nil {
		log.Fatal(err)
	}
	answer, err := http.Get("http://127.0.0.1:" + port + "/")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Proto, answer.Status)
	if err := machine.Stop(0); err != nil {
		log.Fatal(err)
	}
}
