package operators_test

import (
	"fmt"

	"github.com/weirflow/weir/operators"
)

// A trip happens when the source brings it in, so none is late, whatever it says
// of itself.
func ExampleIngestionTime() {
	strategy := operators.IngestionTime[Trip]()
	fmt.Println(strategy)

	top := operators.NewTopology("tips")
	trips := operators.From(top, "trips", operators.Slice(outOfOrder...), strategy)
	operators.Process(operators.KeyBy(trips, zone), "watermarks", func(*operators.States[string]) clockwatcher { return clockwatcher{} }).
		To("out", printer[string]{})
	run(top)

	// Output:
	// ingestion time, watermarks every 100ms
	// 1 is late: false
	// 2 is late: false
	// 4 is late: false
	// 8 is late: false
}
