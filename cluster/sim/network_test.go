package sim_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirflow/weir/actors/env"
	"github.com/weirflow/weir/cluster/sim"
)

// counting is a pair of nodes: "from" sends 1, 2, 3... to "to", one each interval,
// and "to" notes what arrives.
type counting struct {
	w        *sim.World
	from, to *sim.Node
	sent     int64
	got      []int64
	lost     []actor.TerminatedReason // what the watching sender was told
}

func newCounting(seed uint64, faults sim.Faults, interval time.Duration, most int64) *counting {
	c := &counting{w: sim.New(sim.Config{Seed: seed, Faults: faults})}
	c.to = c.w.StartNode("to", func(e env.Env) {
		spawn(e, "sink", func(ctx actor.Context) {
			if m, ok := ctx.Message().(*wrapperspb.Int64Value); ok {
				c.got = append(c.got, m.Value)
			}
		})
	})
	c.from = c.w.StartNode("from", func(e env.Env) {
		spawn(e, "source", func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *actor.Started:
				ctx.Watch(at("to", "sink"))
			case *actor.Terminated:
				c.lost = append(c.lost, m.Why)
				return
			}
			if c.sent < most {
				c.sent++
				ctx.Send(at("to", "sink"), num(c.sent))
				e.After(interval, ctx.Self(), "next")
			}
		})
	})
	return c
}

func upTo(n int64) (all []int64) {
	for i := range n {
		all = append(all, i+1)
	}
	return all
}

func TestConnectionKeepsOrder(t *testing.T) {
	sim.ForEachSeed(t, 20, func(seed uint64) error {
		c := newCounting(seed, sim.Faults{}, 10*time.Microsecond, 300)
		defer c.w.Close()
		if err := c.w.RunFor(time.Second); err != nil {
			return err
		}
		if !slices.Equal(c.got, upTo(300)) || len(c.lost) > 0 {
			return fmt.Errorf("got %v, %v", c.got, c.lost)
		}
		return nil
	})
}

// A broken connection loses silently, its rest may come after what the next one
// brings, and comes twice only if that is asked for.
func TestBreaksLoseReorderAndDuplicate(t *testing.T) {
	for _, duplicate := range []float64{0, 1} {
		t.Run(fmt.Sprint(duplicate), func(t *testing.T) {
			var lossy, disordered, doubled int
			sim.ForEachSeed(t, 60, func(seed uint64) error {
				c := newCounting(seed, sim.Faults{
					Breaks: 3, Within: 15 * time.Millisecond, Duplicate: duplicate,
					Delay: sim.Range{Min: 100 * time.Microsecond, Max: 20 * time.Millisecond}, Detect: sim.Range{Max: 5 * time.Millisecond},
				}, 100*time.Microsecond, 1000)
				defer c.w.Close()
				if err := c.w.RunFor(30 * time.Second); err != nil {
					return err
				}
				once := slices.Clone(c.got)
				slices.Sort(once)
				once = slices.Compact(once)
				if len(once) < 1000 {
					lossy++
				}
				if !slices.IsSorted(c.got) {
					disordered++
				}
				if len(once) < len(c.got) {
					doubled++
				}
				if !slices.Contains(c.got, 1000) {
					return errors.New("after the last break messages are still lost")
				}
				return nil
			})
			if lossy < 5 || disordered < 5 || (doubled > 0) != (duplicate > 0) {
				t.Fatalf("lossy %d, disordered %d, doubled %d", lossy, disordered, doubled)
			}
		})
	}
}

func TestPartitionThatIsNoticed(t *testing.T) {
	c := newCounting(1, sim.Faults{Detect: sim.Range{Min: time.Second, Max: 2 * time.Second}}, 100*time.Millisecond, 600)
	defer c.w.Close()
	mustRunFor(t, c.w, time.Second)
	before := len(c.got)
	c.w.Partition(30*time.Second, "to")
	mustRunFor(t, c.w, 30*time.Second)
	if len(c.got) > before+1 {
		t.Fatalf("%d messages went through a partition", len(c.got)-before)
	}
	if !slices.Contains(c.lost, actor.TerminatedReason_AddressTerminated) {
		t.Fatalf("the watcher was told %v", c.lost)
	}
	mustRunFor(t, c.w, 2*time.Minute)
	equal(t, c.got[len(c.got)-1], 600)
	if len(c.got) > 500 {
		t.Fatalf("only %d of 600 were lost in half the time", 600-len(c.got))
	}
}

func TestPartitionThatIsNotNoticed(t *testing.T) {
	c := newCounting(1, sim.Faults{Detect: sim.Range{Min: 5 * time.Second, Max: 6 * time.Second}}, 100*time.Millisecond, 100)
	defer c.w.Close()
	mustRunFor(t, c.w, time.Second)
	before := len(c.got)
	c.w.Partition(2*time.Second, "to")
	mustRunFor(t, c.w, 1900*time.Millisecond)
	equal(t, len(c.got), before)
	mustRunFor(t, c.w, time.Minute)
	equal(t, c.got, upTo(100))
	equal(t, c.lost, "[]")
}

// Who sends to a dead node loses what he sends until he notices; what he sends
// later waits and reaches the next process at that address.
func TestNextProcessGetsWhatWaited(t *testing.T) {
	c := newCounting(1, sim.Faults{Detect: sim.Range{Min: 300 * time.Millisecond, Max: 301 * time.Millisecond}}, 100*time.Millisecond, 60)
	defer c.w.Close()
	mustRunFor(t, c.w, time.Second)
	c.to.Kill()
	last := c.sent
	mustRunFor(t, c.w, 2*time.Second)
	equal(t, c.lost, "[AddressTerminated]")
	c.to.Restart()
	mustRunFor(t, c.w, time.Minute)
	gap := slices.IndexFunc(c.got, func(n int64) bool { return n > last })
	equalf(t, "first after the gap", c.got[gap], last+4) // 300 ms are three messages
	equalf(t, "the rest", c.got[gap:], upTo(60)[last+3:])
	equal(t, c.lost, "[AddressTerminated]") // the watch was forgotten
}

// Of what a dead node has sent a beginning arrives.
func TestLastWordsOfDeadNode(t *testing.T) {
	lengths := make(map[int]bool)
	sim.ForEachSeed(t, 40, func(seed uint64) error {
		c := newCounting(seed, sim.Faults{Delay: sim.Range{Min: time.Second, Max: time.Second}}, time.Millisecond, 1000)
		defer c.w.Close()
		if err := c.w.Run(func() bool { return c.sent == 20 }, sim.Limits{}); err != nil {
			return err
		}
		if err := c.w.RunFor(1100 * time.Millisecond); err != nil { // the connection is made, the first is there
			return err
		}
		already := len(c.got)
		c.from.Kill()
		if err := c.w.RunFor(time.Minute); err != nil {
			return err
		}
		if !slices.Equal(c.got, upTo(int64(len(c.got)))) {
			return fmt.Errorf("no beginning: %v", c.got)
		}
		lengths[len(c.got)-already] = true
		return nil
	})
	if len(lengths) < 10 {
		t.Fatalf("the cut is always at the same places: %v", lengths)
	}
}

func TestMessagesAreCopied(t *testing.T) {
	w := newWorld(t, sim.Config{Seed: 1})
	sent := str("as sent")
	var got *wrapperspb.StringValue
	var header, sender string
	w.StartNode("to", func(e env.Env) {
		spawn(e, "sink", func(ctx actor.Context) {
			if m, ok := ctx.Message().(*wrapperspb.StringValue); ok {
				got, header = m, ctx.MessageHeader().Get("trace")
				sender = ctx.Sender().String()
				ctx.Respond(str("thanks"))
			}
		})
	})
	var thanks bool
	w.StartNode("from", func(e env.Env) {
		spawn(e, "source", func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *actor.Started:
				envelope := &actor.MessageEnvelope{Message: sent, Sender: ctx.Self()}
				envelope.SetHeader("trace", "42")
				ctx.Send(at("to", "sink"), envelope)
				sent.Value = "as changed later"
			case *wrapperspb.StringValue:
				thanks = m.Value == "thanks"
			}
		})
	})
	mustRun(t, w, func() bool { return thanks })
	equal(t, got.Value, "as sent")
	equal(t, got == sent, false)
	equal(t, header, "42")
	if !strings.Contains(sender, "from") || !strings.Contains(sender, "source") {
		t.Fatalf("sender %s", sender)
	}
}

func TestOnlyProtoMessagesTravel(t *testing.T) {
	w := newWorld(t, sim.Config{Seed: 1})
	w.StartNode("to", func(env.Env) {})
	w.StartNode("from", func(e env.Env) { e.System().Root.Send(at("to", "sink"), "a Go string") })
	err := w.RunFor(time.Second)
	if err == nil || !strings.Contains(err.Error(), "string sent from from to to/sink is no proto.Message; only those travel between nodes") {
		t.Fatalf("got %v", err)
	}
}

// watching is a node that watches one actor elsewhere and notes what it is told.
func watching(w *sim.World, address, id string, told *[]string) *sim.Node {
	return w.StartNode("watcher", func(e env.Env) {
		spawn(e, "watcher", func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *actor.Started:
				ctx.Watch(at(address, id))
			case *actor.Terminated:
				*told = append(*told, show("%s/%s %v", m.Who.Address, m.Who.Id, m.Why))
			case *wrapperspb.BoolValue:
				ctx.Unwatch(at(address, id))
			}
		})
	})
}

func TestWatch(t *testing.T) {
	kill := func(n *sim.Node) { n.Kill() }
	cut := func(n *sim.Node) { n.World().Break("watcher", n.Address()) }
	stop := func(n *sim.Node) { n.Env().System().Root.Stop(at(n.Address(), "watched")) }
	for _, c := range []struct {
		name, address, id string
		then              func(*sim.Node)
		want              string
	}{
		{"stopped", "there", "watched", stop, "[there/watched Stopped]"},
		{"node killed", "there", "watched", kill, "[there/watched AddressTerminated]"},
		{"connection broken", "there", "watched", cut, "[there/watched AddressTerminated]"},
		{"never was", "there", "nobody", func(*sim.Node) {}, "[there/nobody Stopped]"},
		{"lives on", "there", "watched", func(*sim.Node) {}, "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, sim.Config{Seed: 1})
			var told []string
			there := w.StartNode("there", func(e env.Env) { spawn(e, "watched", func(actor.Context) {}) })
			watching(w, c.address, c.id, &told)
			mustRunFor(t, w, time.Second)
			c.then(there)
			mustRunFor(t, w, time.Minute)
			equal(t, told, c.want)
		})
	}
}

// As protoactor's remote, it tells twice when an address cannot be reached.
func TestWatchOfUnreachableAddress(t *testing.T) {
	w := newWorld(t, sim.Config{Seed: 1, Faults: sim.Faults{GiveUp: 10 * time.Second}})
	var told []string
	watching(w, "nowhere", "watched", &told)
	mustRunFor(t, w, 9*time.Second)
	equal(t, told, "[]")
	mustRunFor(t, w, time.Minute)
	equal(t, told, "[nowhere/watched AddressTerminated nowhere/watched NotFound]")
}

func TestUnwatch(t *testing.T) {
	w := newWorld(t, sim.Config{Seed: 1})
	var told []string
	there := w.StartNode("there", func(e env.Env) { spawn(e, "watched", func(actor.Context) {}) })
	watcher := watching(w, "there", "watched", &told)
	mustRunFor(t, w, time.Second)
	watcher.Env().System().Root.Send(at("watcher", "watcher"), wrapperspb.Bool(true))
	mustRunFor(t, w, time.Second)
	there.Env().System().Root.Stop(at("there", "watched"))
	mustRunFor(t, w, time.Second)
	there.Kill()
	mustRunFor(t, w, time.Minute)
	equal(t, told, "[]")
}

func TestStopAcrossNodes(t *testing.T) {
	w := newWorld(t, sim.Config{Seed: 1})
	var log []string
	w.StartNode("there", func(e env.Env) { spawn(e, "stopped", heard(&log)) })
	w.StartNode("here", func(e env.Env) { e.System().Root.Stop(at("there", "stopped")) })
	mustRunFor(t, w, time.Second)
	equal(t, log, "[Started Stopping Stopped]")
}

// The peers of a process that is paused for long hang up on it; it comes back to
// a world that has gone on, and its own connections are gone, too.
func TestPeersHangUpOnPausedNode(t *testing.T) {
	c := newCounting(1, sim.Faults{Detect: sim.Range{Min: time.Second, Max: 2 * time.Second}}, 100*time.Millisecond, 500)
	defer c.w.Close()
	mustRunFor(t, c.w, time.Second)
	before := len(c.got)
	c.to.Pause(20 * time.Second)
	mustRunFor(t, c.w, 19*time.Second)
	equal(t, len(c.got), before)
	equal(t, c.lost[0], actor.TerminatedReason_AddressTerminated)
	mustRunFor(t, c.w, 2*time.Minute)
	equal(t, c.got[len(c.got)-1], 500)
	equal(t, c.to.Lives(), 1)
}

// An actor that is not there is told of by a dead letter to whoever asked.
func TestDeadLetterAnswersSender(t *testing.T) {
	w := newWorld(t, sim.Config{Seed: 1})
	var answers int
	w.StartNode("there", func(env.Env) {})
	w.StartNode("here", func(e env.Env) {
		spawn(e, "asking", func(ctx actor.Context) {
			switch ctx.Message().(type) {
			case *actor.Started:
				ctx.Request(at("there", "nobody"), num(1))
				ctx.Request(at("here", "nobody"), num(1))
			case *actor.DeadLetterResponse:
				answers++
			}
		})
	})
	mustRunFor(t, w, time.Second)
	equal(t, answers, 2)
}
