package files_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
)

// write makes a file, or adds to it.
func write(dir, name, content string) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := f.WriteString(content); err != nil {
		panic(err)
	}
}

// follow starts a job that prints what a source of lines reads, and gives what
// it prints.
func follow(source operators.Source[string]) (*cluster.Job, *bufio.Scanner) {
	printed, w := io.Pipe()
	top := operators.NewTopology("follow")
	operators.From(top, "lines", source, operators.NoWatermarks[string]()).To("print", files.Print[string](w))
	job, err := cluster.Start(context.Background(), top, cluster.Config{})
	if err != nil {
		log.Fatal(err)
	}
	return job, bufio.NewScanner(printed)
}

// A watched file may grow, and others may come; the job runs until it is
// stopped.
func ExampleWatch() {
	dir, _ := inTempDir("monday.log", "one\n")
	defer os.RemoveAll(dir)

	job, printed := follow(files.Lines(filepath.Join(dir, "*.log"), files.Watch(time.Millisecond)))
	next := func() {
		printed.Scan()
		fmt.Println(printed.Text())
	}

	next()
	write(dir, "monday.log", "two\n")
	next()
	write(dir, "tuesday.log", "three\n")
	next()

	job.Stop(true)
	fmt.Println(job.Wait(), job.Status().State)
	// Output:
	// - one
	// - two
	// - three
	// <nil> FINISHED
}

// Files that are renamed into place are complete from the first moment, so a
// last line needs no newline.
func ExampleWhole() {
	dir, _ := inTempDir(".coming", "one\ntwo")
	defer os.RemoveAll(dir)

	job, printed := follow(files.Lines(filepath.Join(dir, "*.log"), files.Watch(time.Millisecond), files.Whole()))
	if err := os.Rename(filepath.Join(dir, ".coming"), filepath.Join(dir, "monday.log")); err != nil {
		panic(err)
	}
	for range 2 {
		printed.Scan()
		fmt.Println(printed.Text())
	}

	job.Stop(true)
	fmt.Println(job.Wait(), job.Status().State)
	// Output:
	// - one
	// - two
	// <nil> FINISHED
}
