package checkpoint

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/weirflow/weir/messages"
)

// TestScripts runs the protocol by hand. Each file in testdata/protocol is one
// guarantee and says which rows it holds. Every command but new may begin with
// at=<duration since the start>; time never goes back. The commands:
//
//	new [interval= pause= timeout= retry= tolerable=]   one region a line: its subtasks
//	found id=      up region= [restored= final]      down region=      tick      halt
//	request      end      finished subtask...
//	ack id= [final] subtask...      decline id= subtask      (a subtask "*" is all of them)
//	published id=      publish-failed id=
//	committed id= [doubt=<reason>] subtask...
//
// The output is the actions, and when the next tick is due.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/protocol", func(t *testing.T, path string) {
		s := &script{}
		datadriven.RunTest(t, path, s.run)
	})
}

type script struct {
	p        *Protocol
	now      time.Time
	subtasks []messages.SubtaskID
}

var epoch = time.Unix(1000, 0)

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	if d.Cmd == "new" {
		s.create(t, d)
	}
	if d.HasArg("at") {
		s.advance(t, duration(t, d, "at", 0))
	}
	var out strings.Builder
	for _, a := range s.step(t, d) {
		fmt.Fprintln(&out, a)
	}
	if due := s.p.Due(); due.IsZero() {
		fmt.Fprintln(&out, "next: by event")
	} else {
		fmt.Fprintln(&out, "next: tick at", due.Sub(epoch))
	}
	return out.String()
}

func (s *script) create(t *testing.T, d *datadriven.TestData) {
	var regions [][]messages.SubtaskID
	s.subtasks, s.now = nil, epoch
	for line := range strings.Lines(d.Input) {
		region := subtasks(t, strings.Fields(line))
		regions, s.subtasks = append(regions, region), append(s.subtasks, region...)
	}
	cfg := Config{
		Interval:    duration(t, d, "interval", 0),
		MinPause:    duration(t, d, "pause", 0),
		Timeout:     duration(t, d, "timeout", time.Minute),
		CommitRetry: duration(t, d, "retry", time.Second),
		Tolerable:   int(number(t, d, "tolerable")),
	}
	s.p = New(cfg, regions)
}

func (s *script) advance(t *testing.T, at time.Duration) {
	next := epoch.Add(at)
	if next.Before(s.now) {
		t.Fatalf("time goes back from %v to %v", s.now.Sub(epoch), at)
	}
	s.now = next
}

func (s *script) step(t *testing.T, d *datadriven.TestData) []Action {
	id := messages.CheckpointID(number(t, d, "id"))
	region := int(number(t, d, "region"))
	switch d.Cmd {
	case "new":
		return nil
	case "found":
		s.p.Found(id)
		return nil
	case "up":
		return s.p.RegionUp(s.now, region, messages.CheckpointID(number(t, d, "restored")), d.HasArg("final"))
	case "down":
		return s.p.RegionDown(s.now, region, "it failed")
	case "tick":
		return s.p.Tick(s.now)
	case "request":
		return s.p.Request(s.now)
	case "end":
		return s.p.End(s.now)
	case "drain":
		s.p.Drain()
		return nil
	case "restoring":
		s.p.Restoring(messages.CheckpointID(number(t, d, "restored")))
		return nil
	case "halt":
		return s.p.Halt()
	case "published":
		return s.p.Published(s.now, id)
	case "publish-failed":
		return s.p.PublishFailed(s.now, id, "disk full")
	}
	return s.each(t, d, id)
}

func (s *script) each(t *testing.T, d *datadriven.TestData, id messages.CheckpointID) []Action {
	var out []Action
	for _, sub := range s.named(t, d) {
		switch d.Cmd {
		case "ack":
			out = append(out, s.p.Ack(s.now, id, &messages.SubtaskSnapshot{Subtask: sub.Proto(), Finished: d.HasArg("final")})...)
		case "decline":
			out = append(out, s.p.Decline(s.now, id, sub, "cannot prepare")...)
		case "committed":
			out = append(out, s.p.Committed(s.now, id, sub, doubts(d, id, sub))...)
		case "finished":
			out = append(out, s.p.Finished(s.now, sub)...)
		default:
			t.Fatalf("no command %q", d.Cmd)
		}
	}
	return out
}

func doubts(d *datadriven.TestData, id messages.CheckpointID, sub messages.SubtaskID) []*messages.InDoubt {
	arg, ok := d.Arg("doubt")
	if !ok {
		return nil
	}
	return []*messages.InDoubt{{Operator: string(sub.Chain), Index: int32(sub.Index), Checkpoint: uint64(id), Reason: arg.Vals[0]}}
}

// named gives the subtasks among a command's arguments.
func (s *script) named(t *testing.T, d *datadriven.TestData) []messages.SubtaskID {
	var names []string
	for _, a := range d.CmdArgs {
		if len(a.Vals) == 0 && a.Key != "final" {
			names = append(names, a.Key)
		}
	}
	if slices.Equal(names, []string{"*"}) {
		return s.subtasks
	}
	return subtasks(t, names)
}

// subtasks reads names such as map.0.
func subtasks(t *testing.T, names []string) []messages.SubtaskID {
	var all []messages.SubtaskID
	for _, name := range names {
		chain, index, _ := strings.Cut(name, ".")
		i, err := strconv.Atoi(index)
		if err != nil {
			t.Fatalf("subtask %q: %v", name, err)
		}
		all = append(all, messages.SubtaskID{Chain: messages.OperatorID(chain), Index: i})
	}
	return all
}

func number(t *testing.T, d *datadriven.TestData, key string) int64 {
	var n int64
	d.MaybeScanArgs(t, key, &n)
	return n
}

func duration(t *testing.T, d *datadriven.TestData, key string, fallback time.Duration) time.Duration {
	var text string
	if !d.MaybeScanArgs(t, key, &text) {
		return fallback
	}
	v, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
