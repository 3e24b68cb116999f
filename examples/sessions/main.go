// Command sessions counts the sessions of each user of a web site in each week:
// windows after windows. A session window collects the clicks of a user until
// half an hour passes without one; behind it a window of a week counts the
// sessions. The program compares its counts with a straight-line program, and
// fails if they differ.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
	"github.com/weirflow/weir/persistence/dir"
)

func main() {
	folder, err := os.MkdirTemp("", "weir-sessions-")
	if err != nil {
		log.Fatal(err)
	}
	err = run(context.Background(), folder, arrived(), os.Stdout)
	os.RemoveAll(folder)
	if err != nil {
		log.Fatal(err)
	}
}

// Click is what a user did.
type Click struct {
	User string
	Ms   int64 // since 1970
}

func userOf(c Click) string { return c.User }
func timeOf(c Click) int64  { return c.Ms }

const (
	pause  = 30 * time.Minute // two clicks that are not further apart are of one session
	delays = 15 * time.Minute // a click comes in behind later ones, but not by so much
	day    = 24 * time.Hour
	monday = 4 * day // 1970 began on a Thursday
)

// Session is a user's clicks without a pause, from the first one to half an hour
// behind the last. Its event time is 1 ms less than its end.
type Session = operators.WindowResult[string, int]

// Week is what a user did in a week, from Monday to Sunday.
type Week = operators.WindowResult[string, Usage]

// Usage is how much a user used the site.
type Usage struct{ Sessions, Clicks int }

// topology counts sessions. One belongs to the week in which it ends: then it is
// known, and results of a window go into the next one at the end of their own. A
// week is complete at the watermark that completes its last session, and none is
// late, for the results of a watermark go before it.
func topology(clicks []Click, folder string) *operators.Topology {
	top := operators.NewTopology("sessions").Parallelism(2)
	stream := operators.From(top, "clicks", operators.Slice(clicks...), operators.BoundedOutOfOrderness(delays, timeOf)).Parallelism(1) // one split

	sessions := operators.Aggregate(operators.KeyBy(stream, userOf).Window(operators.Session(pause)), "sessions", clicksOf{})
	weeks := operators.KeyBy(sessions, func(s Session) string { return s.Key }).Window(operators.Tumbling(7 * day).Offset(monday))
	operators.Aggregate(weeks, "weeks", usage{}).To("counts", files.Sink[Week](filepath.Join(folder, "counts")))
	return top
}

// clicksOf counts the clicks of a session. Sessions that touch are merged.
type clicksOf struct{}

func (clicksOf) CreateAccumulator() int { return 0 }
func (clicksOf) Add(n int, _ Click) int { return n + 1 }
func (clicksOf) Merge(a, b int) int     { return a + b }
func (clicksOf) Result(n int) int       { return n }

// usage adds up the sessions of a week.
type usage struct{}

func (usage) CreateAccumulator() Usage     { return Usage{} }
func (usage) Add(u Usage, s Session) Usage { return Usage{u.Sessions + 1, u.Clicks + s.Value} }
func (usage) Merge(a, b Usage) Usage       { return Usage{a.Sessions + b.Sessions, a.Clicks + b.Clicks} }
func (usage) Result(u Usage) Usage         { return u }

// run counts within a folder, reports to w, and gives an error if the job failed
// or counted wrong.
func run(ctx context.Context, folder string, clicks []Click, w io.Writer) error {
	config := cluster.Config{Checkpoint: cluster.Every(time.Second), Store: dir.Open(filepath.Join(folder, "state"))}
	if _, err := cluster.Run(ctx, topology(clicks, folder), config); err != nil {
		return err
	}
	counts, err := files.ReadAll[Week](filepath.Join(folder, "counts"), files.AsJSONLines)
	if err != nil {
		return err
	}
	report(w, len(clicks), counts)
	return check(straightLine(clicks), counts)
}
