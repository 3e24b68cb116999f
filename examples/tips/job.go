package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/persistence/dir"
)

// checkpointEvery is short, so that many kills meet a checkpoint under way.
const checkpointEvery = 250 * time.Millisecond

// runJob runs the job in this process until its input is worked off and
// committed. What an earlier process left in the folder is gone on with.
func runJob(ctx context.Context, w workFolders, o outside, perSecond float64) error {
	_, err := cluster.Run(ctx, topology(o, perSecond), cluster.Config{
		Checkpoint: cluster.Every(checkpointEvery),
		Store:      dir.Open(w.state()),
		Logger:     slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	return err
}
