package actors

import (
	"fmt"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// element is one thing on a channel. Within a node it travels by pointer and
// belongs to the receiver; to another node it goes as a messages.Frame.
type element struct {
	attempt messages.Attempt
	channel messages.ChannelID
	seq     uint64 // 1, 2, 3 ... over all kinds
	kind    kind

	batch      *plan.Batch           // kindBatch
	watermark  int64                 // kindHello
	idle       bool                  // kindHello, kindStatus
	checkpoint messages.CheckpointID // kindBarrier
	savepoint  bool                  // kindBarrier
}

type kind uint8

const (
	kindBatch kind = iota
	kindHello
	kindBarrier
	kindStatus
	kindEnd
)

// creditReturn is an element on its way back, within a node: it gives a credit
// and the batch that was consumed, empty, to be filled again.
type creditReturn element

// frameOf gives the wire form of an element.
func frameOf(job messages.JobID, e *element, t plan.RowType) (*messages.Frame, error) {
	f := &messages.Frame{Job: string(job), Attempt: uint64(e.attempt), Channel: e.channel.Proto(), Seq: e.seq}
	switch e.kind {
	case kindBatch:
		p, err := t.Encode(nil, e.batch)
		if err != nil {
			return nil, fmt.Errorf("plan.Encode: %w", err)
		}
		f.Body = &messages.Frame_Batch{Batch: p}
	case kindHello:
		f.Body = &messages.Frame_Hello{Hello: &messages.Hello{Watermark: e.watermark, Idle: e.idle}}
	case kindBarrier:
		f.Body = &messages.Frame_Barrier{Barrier: &messages.Barrier{Checkpoint: uint64(e.checkpoint), Savepoint: e.savepoint}}
	case kindStatus:
		f.Body = &messages.Frame_Status{Status: &messages.Status{Idle: e.idle}}
	case kindEnd:
		f.Body = &messages.Frame_End{End: &messages.EndOfInput{}}
	}
	return f, nil
}

// elementOf reads a frame that came from another node.
func elementOf(f *messages.Frame, t plan.RowType) (*element, error) {
	e := &element{attempt: messages.Attempt(f.GetAttempt()), channel: f.GetChannel().ID(), seq: f.GetSeq()}
	switch body := f.GetBody().(type) {
	case *messages.Frame_Batch:
		e.kind, e.batch = kindBatch, t.New(0)
		if err := t.Decode(e.batch, body.Batch); err != nil {
			return nil, fmt.Errorf("plan.Decode: %w", err)
		}
	case *messages.Frame_Hello:
		e.kind, e.watermark, e.idle = kindHello, body.Hello.GetWatermark(), body.Hello.GetIdle()
	case *messages.Frame_Barrier:
		e.kind, e.checkpoint, e.savepoint = kindBarrier, messages.CheckpointID(body.Barrier.GetCheckpoint()), body.Barrier.GetSavepoint()
	case *messages.Frame_Status:
		e.kind, e.idle = kindStatus, body.Status.GetIdle()
	case *messages.Frame_End:
		e.kind = kindEnd
	default:
		return nil, fmt.Errorf("frame %d of channel %s has no body", f.GetSeq(), e.channel)
	}
	return e, nil
}
