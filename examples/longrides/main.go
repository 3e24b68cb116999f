// Command longrides tells of every taxi ride that lasts for more than two hours,
// once: as soon as that is known, and whatever the order in which its beginning
// and its end come in. It checks its own result and exits with 1 if that does
// not hold.
package main

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"os"
	"slices"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
	"github.com/weirflow/weir/persistence/dir"
)

// Event is the beginning or the end of a ride.
type Event struct {
	Ride int64
	End  bool
	At   int64 // ms since 1970
}

// Alert says that a ride has lasted for too long.
type Alert struct {
	Ride  int64
	Began int64 // ms since 1970
}

func main() {
	const folder = "out/longrides"
	events := generate(10_000)
	if err := run(folder, events); err != nil {
		log.Fatal(err)
	}
	alerts, err := files.ReadAll[Alert](folder+"/alerts", files.AsJSONLines)
	if err != nil {
		log.Fatal(err)
	}
	slices.SortFunc(alerts, byRide)
	for _, a := range alerts[:min(5, len(alerts))] {
		fmt.Printf("ride %d began at %s and went on for more than two hours\n", a.Ride, time.UnixMilli(a.Began).UTC().Format(time.TimeOnly))
	}
	fmt.Printf("... %d in all\n", len(alerts))
	if err := check(alerts, events); err != nil {
		log.Fatal("this does not hold: ", err)
	}
	fmt.Println("Checked: each of them once, and no other.")
}

// run writes the alerts below folder.
func run(folder string, events []Event) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	top := operators.NewTopology("longrides").Parallelism(2)
	stream := operators.From(top, "events", operators.Slice(events...), operators.BoundedOutOfOrderness(disorder, func(e Event) int64 { return e.At }))
	operators.Process(operators.KeyBy(stream, func(e Event) int64 { return e.Ride }), "watch", newWatch).
		To("alerts", files.Sink[Alert](folder+"/alerts"))
	config := cluster.Config{Checkpoint: cluster.Every(time.Second), Store: dir.Open(folder + "/state")}
	_, err := cluster.Run(context.Background(), top, config)
	return err
}

func byRide(a, b Alert) int { return cmp.Compare(a.Ride, b.Ride) }

// check compares the alerts with what a look at all events at once shows.
func check(alerts []Alert, events []Event) error {
	began, ended := map[int64]int64{}, map[int64]int64{}
	for _, e := range events {
		if e.End {
			ended[e.Ride] = e.At
		} else {
			began[e.Ride] = e.At
		}
	}
	var want []Alert
	for ride, at := range began {
		if end, ok := ended[ride]; !ok || end-at > long {
			want = append(want, Alert{Ride: ride, Began: at})
		}
	}
	got := slices.SortedFunc(slices.Values(alerts), byRide)
	slices.SortFunc(want, byRide)
	if !slices.Equal(got, want) {
		return fmt.Errorf("%d alerts, want %d:\n%v\n%v", len(got), len(want), got, want)
	}
	return nil
}
