package messages_test

import (
	"fmt"

	"github.com/weirflow/weir/messages"
)

// Keyed state moves between subtasks in key groups: equal ranges of the hash,
// shared out evenly.
func Example() {
	const parallelism, maxParallelism = 3, 128
	for index := range parallelism {
		fmt.Println(index, messages.KeyGroupsOf(index, parallelism, maxParallelism))
	}

	group := messages.KeyGroupOf(0x9000_0000_0000_0000, maxParallelism)
	owner := messages.SubtaskOf(group, parallelism, maxParallelism)
	fmt.Println("group", group, "belongs to", messages.SubtaskID{Chain: "sum", Index: owner})
	fmt.Println(messages.KeyGroupsOf(owner, parallelism, maxParallelism).Contains(group))
	// Output:
	// 0 {0 43}
	// 1 {43 86}
	// 2 {86 128}
	// group 72 belongs to sum[1]
	// true
}

// Ids are named types here and messages on the wire.
func ExampleSubtaskID_Proto() {
	id := messages.SubtaskID{Chain: "sum", Index: 2}
	fmt.Println(id, id.Proto().ID() == id)

	channel := messages.ChannelID{Edge: 1, From: 0, To: 2}
	fmt.Println(channel, channel.Proto().ID() == channel)
	// Output:
	// sum[2] true
	// 1:0>2 true
}

// A failure says where it happened.
func ExampleFailure_Error() {
	var err error = &messages.Failure{
		Operator: "halve", Subtask: messages.SubtaskID{Chain: "numbers", Index: 1}.Proto(), Reason: "panic: odd",
	}
	fmt.Println(err)
	// Output:
	// operator "halve" in subtask numbers[1]: panic: odd
}
