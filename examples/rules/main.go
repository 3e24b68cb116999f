// Command rules watches payments by card and tells of each that is above the
// limit of its kind. The limits come in a stream of their own and change while
// the job runs: a payment is judged by the rule that was in force at its time,
// whichever of the two streams is read faster. It checks its own result and
// exits with 1 if that does not hold.
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

// Payment is what was paid with a card.
type Payment struct {
	Card  int64
	Kind  string
	Cents int64
	Ms    int64 // since 1970
}

// Rule limits payments of a kind from a time on, until the next rule for it.
type Rule struct {
	Kind  string
	Limit int64 // cents; below 0: there is no limit any more
	From  int64 // ms since 1970
}

// Alert is a payment above the limit in force.
type Alert struct {
	Payment Payment
	Rule    Rule
}

func main() {
	const folder = "out/rules"
	payments, rules := generate(20_000)
	if err := run(folder, payments, rules); err != nil {
		log.Fatal(err)
	}
	alerts, err := files.ReadAll[Alert](folder+"/alerts", files.AsJSONLines)
	if err != nil {
		log.Fatal(err)
	}
	report(os.Stdout, alerts, rules)
	if err := check(alerts, payments, rules); err != nil {
		log.Fatal("this does not hold: ", err)
	}
	fmt.Println("Checked: each of them once, by the rule in force, and no other.")
}

// run writes the alerts below folder.
func run(folder string, payments []Payment, rules []Rule) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	config := cluster.Config{Checkpoint: cluster.Every(time.Second), Store: dir.Open(folder + "/state")}
	_, err := cluster.Run(context.Background(), topology(folder, payments, rules), config)
	return err
}

func topology(folder string, payments []Payment, rules []Rule) *operators.Topology {
	top := operators.NewTopology("rules").Parallelism(2)
	paid := operators.From(top, "payments", operators.Slice(payments...), operators.Monotonous(func(p Payment) int64 { return p.Ms }))
	changes := operators.From(top, "rules", operators.Slice(rules...), operators.Monotonous(func(r Rule) int64 { return r.From }))
	judged(paid, changes).To("alerts", files.Sink[Alert](folder+"/alerts"))
	return top
}

// judged gives every subtask all the rules, and each payment to the one that has
// its card.
func judged(paid *operators.Stream[Payment], changes *operators.Stream[Rule]) *operators.Stream[Alert] {
	return operators.BroadcastProcess(operators.KeyBy(paid, func(p Payment) int64 { return p.Card }), changes, "judge", newJudge)
}
