package checkpoint_test

import (
	"fmt"
	"time"

	"github.com/weirflow/weir/coordinator/checkpoint"
	"github.com/weirflow/weir/messages"
)

// One checkpoint of a job with a source and a sink, from its trigger to the
// last commit. What the coordinator does in between is printed.
func Example() {
	source, sink := messages.SubtaskID{Chain: "source"}, messages.SubtaskID{Chain: "sink"}
	p := checkpoint.New(checkpoint.Config{Timeout: time.Minute, CommitRetry: time.Second}, [][]messages.SubtaskID{{source, sink}})
	now := time.Unix(0, 0)
	do := func(event string, actions []checkpoint.Action) {
		fmt.Println(event)
		for _, a := range actions {
			fmt.Println("  ", a)
		}
	}

	do("the region runs", p.RegionUp(now, 0, 0, false))
	do("somebody wants a checkpoint", p.Request(now))
	do("the source has its part", p.Ack(now, 1, &messages.SubtaskSnapshot{Subtask: source.Proto()}))
	do("the sink has its part", p.Ack(now, 1, &messages.SubtaskSnapshot{Subtask: sink.Proto()}))
	do("the manifest is in the store", p.Published(now, 1))
	do("the source has committed", p.Committed(now, 1, source, nil))
	do("the sink has committed", p.Committed(now, 1, sink, nil))
	fmt.Println(p.Decided(), p.Unsettled())
	// Output:
	// the region runs
	// somebody wants a checkpoint
	//    trigger 1
	// the source has its part
	// the sink has its part
	//    publish 1 sink[0] source[0]
	// the manifest is in the store
	//    complete 1 regions=[0]
	// the source has committed
	// the sink has committed
	//    settled 1
	// 1 false
}
