// Command cleansing reads taxi rides from a CSV file in which not every line
// can be read, and sorts them by place: rides that begin in the city go on, those
// that also leave it are told twice, the others and the broken lines go to side
// outputs, which are streams like any other. The program compares all of it
// with a straight-line program, and fails if they differ.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators/files"
	"github.com/weirflow/weir/persistence/dir"
)

func main() {
	folder, err := os.MkdirTemp("", "weir-cleansing-")
	if err != nil {
		log.Fatal(err)
	}
	err = run(context.Background(), folder, os.Stdout)
	os.RemoveAll(folder)
	if err != nil {
		log.Fatal(err)
	}
}

// run writes the rides into a folder, sorts them there, reports to w, and gives
// an error if the job failed or sorted wrong.
func run(ctx context.Context, folder string, w io.Writer) error {
	path := filepath.Join(folder, "rides.csv")
	if err := writeRides(path, 5); err != nil {
		return err
	}
	config := cluster.Config{Checkpoint: cluster.Every(time.Second), Store: dir.Open(filepath.Join(folder, "state"))}
	if _, err := cluster.Run(ctx, topology(path, intoFiles(folder)), config); err != nil {
		return err
	}
	got, err := committed(folder)
	if err != nil {
		return err
	}
	report(w, got)
	want, err := straightLine(path)
	if err != nil {
		return err
	}
	if err := got.compare(want); err != nil {
		return fmt.Errorf("the job against the straight-line program: %w", err)
	}
	return nil
}

func intoFiles(folder string) sinks {
	return sinks{
		city:      files.Sink[Ride](filepath.Join(folder, "city")),
		elsewhere: files.Sink[Ride](filepath.Join(folder, "elsewhere")),
		leaving:   files.Sink[Leaving](filepath.Join(folder, "leaving")),
		hours:     files.Sink[hourCount](filepath.Join(folder, "hours")),
		broken:    files.Sink[Broken](filepath.Join(folder, "broken")),
	}
}

// committed reads back what the job has written, in its order.
func committed(folder string) (*sorted, error) {
	got := &sorted{}
	var err error
	read(folder, "city", &got.City, &err)
	read(folder, "elsewhere", &got.Elsewhere, &err)
	read(folder, "leaving", &got.Leaving, &err)
	read(folder, "hours", &got.Hours, &err)
	read(folder, "broken", &got.Broken, &err)
	return got, err
}

// read reads an output, unless another one has failed.
func read[T any](folder, name string, into *[]T, err *error) {
	if *err == nil {
		*into, *err = files.ReadAll[T](filepath.Join(folder, name), files.AsJSONLines)
	}
}
