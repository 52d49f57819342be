// Counts the lines of each file of a directory, on machines that share the work: jobs DIRECTORY [MACHINES].
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"novm"
)

func main() {
	if len(os.Args) < 2 {
		log.Fatal("usage: jobs DIRECTORY [MACHINES]")
	}
	directory, err := filepath.Abs(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	count := 4
	if len(os.Args) > 2 {
		if count, err = strconv.Atoi(os.Args[2]); err != nil {
			log.Fatal(err)
		}
	}
	entries, err := os.ReadDir(directory)
	if err != nil {
		log.Fatal(err)
	}
	store, err := novm.Open("")
	if err != nil {
		log.Fatal(err)
	}

	pool, err := store.Pool(count, novm.Set("memory", "256M"), novm.Set("read", "/work=>"+directory))
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	names := make(chan string)
	var files, lines atomic.Int64
	var workers sync.WaitGroup
	for i := 0; i < count; i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for name := range names {
				number, err := work(pool, name)
				if err != nil {
					log.Fatal(err)
				}
				files.Add(1)
				lines.Add(number)
			}
		}()
	}
	for _, entry := range entries {
		if entry.Type().IsRegular() {
			names <- entry.Name()
		}
	}
	close(names)
	workers.Wait()
	fmt.Printf("%d files, %d lines\n", files.Load(), lines.Load())
}

// work does one job, on a machine that is free.
func work(pool *novm.Pool, name string) (lines int64, err error) {
	machine, err := pool.Take(context.Background())
	if err != nil {
		return 0, err
	}
	output, err := machine.Command("wc", "-l", "/work/"+name).Output()
	if err != nil {
		return 0, err
	}
	if _, err := fmt.Sscan(string(output), &lines); err != nil {
		return 0, err
	}
	return lines, pool.Give(machine, true)
}
