package operators_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
)

// S40: what a source cannot be aligned by is refused by Build, all of it at once,
// with the operator, the option, its value and the remedy.
func TestAlignmentIsRefused(t *testing.T) {
	timed, sink := operators.Monotonous[int64](nil), unopened{}
	for want, strategy := range map[string]operators.WatermarkStrategy[int64]{
		`operator "in": watermark strategy: Align("", 1s): give the group a name in UTF-8, the same for all sources that are to wait for each other`:                                                   timed.Align("", time.Second),
		`operator "in": watermark strategy: Align("\xff", 1s): give the group a name in UTF-8, the same for all sources that are to wait for each other`:                                               timed.Align("\xff", time.Second),
		`operator "in": watermark strategy: Align("g", 0s): give a drift above 0 in whole milliseconds`:                                                                                                timed.Align("g", 0),
		`operator "in": watermark strategy: Align("g", -1s): give a drift above 0 in whole milliseconds`:                                                                                               timed.Align("g", -time.Second),
		`operator "in": watermark strategy: Align("g", 1.5ms): give a drift above 0 in whole milliseconds`:                                                                                             timed.Align("g", 1500*time.Microsecond),
		`operator "in": watermark strategy: Align("g", 1s): sources are aligned by their watermarks, and NoWatermarks has none; give another strategy, e.g. BoundedOutOfOrderness, or leave Align out`: operators.NoWatermarks[int64]().Align("g", time.Second),
	} {
		top := operators.NewTopology("aligned")
		operators.From(top, "in", operators.Slice[int64](1), strategy).To("out", sink)
		_, err := top.Build()
		if err == nil || strings.TrimPrefix(err.Error(), "topology \"aligned\" cannot run:\n") != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// Each source of a group has its own drift, and the plan says which.
func TestAlignmentInThePlan(t *testing.T) {
	top := operators.NewTopology("aligned")
	sink := unopened{}
	for name, drift := range map[string]time.Duration{"near": time.Second, "far": time.Minute} {
		operators.From(top, name, operators.Slice[int64](1), operators.Monotonous[int64](nil).Align("g", drift)).To("out-"+name, sink)
	}
	p, err := top.Build()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"near": `at most 1s ahead of group "g"`, "far": `at most 1m0s ahead of group "g"`} {
		spec := p.Operator(messages.OperatorID(name)).Source
		if !strings.Contains(p.String(), want) || spec.AlignGroup != "g" || !strings.Contains(want, spec.AlignDrift.String()) {
			t.Errorf("%q in %+v and\n%s", want, spec, p)
		}
	}
}

// unopened is a sink of a topology that is built and not run.
type unopened struct{}

func (unopened) Kind() operators.SinkKind { return operators.Plain }
func (unopened) Open(context.Context, operators.SinkContext) (operators.Writer[int64], error) {
	return nil, errors.New("nobody runs this")
}
