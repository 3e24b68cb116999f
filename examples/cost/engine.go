package main

import (
	"context"
	"os"
	"runtime"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/persistence/dir"
)

// runEngine runs a topology over its input, with a checkpoint each second into
// a dir store or without any.
func runEngine(in *input, top *operators.Topology, result func() (output, time.Duration), checkpoints bool) (run, output, error) {
	folder, err := os.MkdirTemp("", "weir-cost-")
	if err != nil {
		return run{}, output{}, err
	}
	defer os.RemoveAll(folder)
	var c cluster.Config
	if checkpoints {
		c = cluster.Config{Checkpoint: cluster.Every(time.Second), Store: dir.Open(folder)}
	}
	runtime.GC()
	before := mallocs()
	start := time.Now()
	if _, err := cluster.Run(context.Background(), top, c); err != nil {
		return run{}, output{}, err
	}
	out, longest := result()
	return newRun(in, start, mallocs()-before, longest), out, nil
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}
