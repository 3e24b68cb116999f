// Package messages holds every word that actors say to each other and every
// record that a checkpoint store keeps: protobuf messages and the named types of
// their ids. It knows nothing of the rest of weir.
//
// # Concurrency
//
// A message is owned by its sender until it is sent and by nobody afterwards:
// protoactor passes it by pointer within a node, so neither side may change it.
//
// # Naming
//
// Generated types stand in <x>.pb.go; what is written by hand for them stands
// in <x>_ext.go. Ids are named types, never bare integers.
package messages

import (
	"fmt"
	"math"
)

// JobID names a running topology. It is a path segment in the checkpoint store
// and a part of actor names: letters, digits, '-', '_' and '.' only.
type JobID string

// Attempt numbers the lives of a job between two failures: 1, 2, 3 ...
// It fences: a message of another attempt is dropped and counted.
type Attempt uint64

// OperatorID is an operator's name, which is its state's identity.
type OperatorID string

// CheckpointID numbers checkpoints; it grows over all attempts of a job.
type CheckpointID uint64

// KeyGroup is the unit in which keyed state moves: 0..maxParallelism-1.
type KeyGroup int32

// SubtaskID names one parallel instance of a chain of fused operators.
type SubtaskID struct {
	Chain OperatorID // the chain's first operator
	Index int        // 0..parallelism-1
}

// String gives "name[index]".
func (s SubtaskID) String() string { return fmt.Sprintf("%s[%d]", s.Chain, s.Index) }

// Proto gives the wire form.
func (s SubtaskID) Proto() *Subtask {
	return &Subtask{Chain: string(s.Chain), Index: int32(s.Index)}
}

// ID gives the named type of the wire form; it accepts nil.
func (x *Subtask) ID() SubtaskID {
	return SubtaskID{Chain: OperatorID(x.GetChain()), Index: int(x.GetIndex())}
}

// ChannelID names one ordered path subtask -> subtask within an attempt.
type ChannelID struct {
	Edge int // index in plan.Plan.Edges
	From int // index of the sending subtask
	To   int // index of the receiving subtask
}

// String gives "edge:from>to".
func (c ChannelID) String() string { return fmt.Sprintf("%d:%d>%d", c.Edge, c.From, c.To) }

// Proto gives the wire form.
func (c ChannelID) Proto() *Channel {
	return &Channel{Edge: int32(c.Edge), From: int32(c.From), To: int32(c.To)}
}

// ID gives the named type of the wire form; it accepts nil.
func (x *Channel) ID() ChannelID {
	return ChannelID{Edge: int(x.GetEdge()), From: int(x.GetFrom()), To: int(x.GetTo())}
}

// Event times are int64 milliseconds since the Unix epoch, negative before it.
// Records lie within [MinEventTime, MaxEventTime], so that adding any duration
// to one cannot overflow; the two extremes of int64 are watermarks only.
const (
	MinEventTime int64 = -1 << 62
	MaxEventTime int64 = 1 << 62

	// NoWatermark stands for "none yet". It is never sent in a batch.
	NoWatermark int64 = math.MinInt64
	// MaxWatermark ends event time: nothing is ever on time after it.
	MaxWatermark int64 = math.MaxInt64
)

// KeyGroupOf maps a key's hash to its group. It is a pure function and part of
// the snapshot format: groups are contiguous, equal ranges of the hash.
func KeyGroupOf(hash uint64, maxParallelism int) KeyGroup {
	return KeyGroup((hash >> 32) * uint64(maxParallelism) >> 32)
}

// KeyGroupRange is a half-open range of key groups.
type KeyGroupRange struct{ From, To KeyGroup }

// Contains tells whether g lies in the range.
func (r KeyGroupRange) Contains(g KeyGroup) bool { return r.From <= g && g < r.To }

// KeyGroupsOf gives the groups that subtask index of parallelism owns. The
// ranges of all subtasks cover 0..maxParallelism-1 exactly once.
func KeyGroupsOf(index, parallelism, maxParallelism int) KeyGroupRange {
	return KeyGroupRange{
		From: KeyGroup((index*maxParallelism + parallelism - 1) / parallelism),
		To:   KeyGroup(((index+1)*maxParallelism + parallelism - 1) / parallelism),
	}
}

// SubtaskOf gives the index of the subtask that owns group g; it is the
// inverse of KeyGroupsOf.
func SubtaskOf(g KeyGroup, parallelism, maxParallelism int) int {
	return int(g) * parallelism / maxParallelism
}
