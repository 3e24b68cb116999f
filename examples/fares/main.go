// Command fares joins the rides of taxis with the fares that were paid for them,
// and shows which drivers had the best tips for an hour's work. It checks its
// own result and exits with 1 if that does not hold.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
	"github.com/weirflow/weir/persistence/dir"
)

// Ride is a ride that began.
type Ride struct {
	ID      int64
	Driver  int64
	Began   int64 // ms since 1970
	Minutes int64
}

// Fare is a payment.
type Fare struct {
	Ride int64
	Paid int64 // ms since 1970
	Tip  int64 // cents
}

// Trip is a ride with its fare.
type Trip struct {
	Ride Ride
	Fare Fare
}

func main() {
	rides, fares := generate(20_000)
	if err := run("out/fares", rides, fares); err != nil {
		log.Fatal(err)
	}
	found, err := read("out/fares")
	if err != nil {
		log.Fatal(err)
	}
	found.print(os.Stdout)
	if err := found.check(rides, fares); err != nil {
		log.Fatal("this does not hold: ", err)
	}
	fmt.Println("Checked: every ride and every fare is in exactly one of the three, as a plain join has them.")
}

// run joins rides and fares into files below folder.
func run(folder string, rides []Ride, fares []Fare) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	top := operators.NewTopology("fares").Parallelism(2)
	began := operators.From(top, "rides", operators.Slice(rides...), operators.Monotonous(func(r Ride) int64 { return r.Began }))
	paid := operators.From(top, "fares", operators.Slice(fares...), operators.Monotonous(func(f Fare) int64 { return f.Paid }))
	trips := operators.CoProcess(
		operators.KeyBy(began, func(r Ride) int64 { return r.ID }),
		operators.KeyBy(paid, func(f Fare) int64 { return f.Ride }),
		"join", newJoin, unpaid, unridden)
	trips.To("trips", files.Sink[Trip](folder+"/trips"))
	operators.SideOutput(trips, unpaid).To("unpaid", files.Sink[Ride](folder+"/unpaid"))
	operators.SideOutput(trips, unridden).To("unridden", files.Sink[Fare](folder+"/unridden"))
	config := cluster.Config{Checkpoint: cluster.Every(time.Second), Store: dir.Open(folder + "/state")}
	_, err := cluster.Run(context.Background(), top, config)
	return err
}
