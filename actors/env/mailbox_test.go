package env_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/cockroachdb/datadriven"

	"github.com/weirflow/weir/actors/env"
)

// batch is a message of several.
type batch []any

func (b batch) GetMessages() []any { return b }
func (b batch) String() string     { return "batch" }

// invoker notes what a mailbox delivers, and panics when told to.
type invoker struct{ said []string }

func (i *invoker) say(what string, message any) {
	i.said = append(i.said, fmt.Sprintf("%s %v", what, message))
	if strings.HasPrefix(fmt.Sprint(message), "boom") {
		panic(message)
	}
}

func (i *invoker) InvokeSystemMessage(m any) { i.say("system", m) }
func (i *invoker) InvokeUserMessage(m any)   { i.say("user", m) }
func (i *invoker) EscalateFailure(reason, message any) {
	i.said = append(i.said, fmt.Sprintf("escalate %v of %v", reason, message))
}

// TestMailbox runs testdata/mailbox: "user", "system" and "batch" post the words
// of the input, "suspend" and "resume" are protoactor's, "deliver" delivers until
// nothing is ready or, with n, so often.
func TestMailbox(t *testing.T) {
	var m *env.Mailbox
	var i *invoker
	var posts int
	datadriven.RunTest(t, "testdata/mailbox", func(t *testing.T, d *datadriven.TestData) string {
		words := strings.Fields(d.Input)
		switch d.Cmd {
		case "new":
			i, posts = &invoker{}, 0
			m = &env.Mailbox{OnPost: func() { posts++ }}
			if d.HasArg("handles-panics") {
				m.OnPanic = func(any) bool { return true }
			}
			m.RegisterHandlers(i, nil)
			m.Start()
		case "user":
			for _, w := range words {
				m.PostUserMessage(w)
			}
		case "batch":
			var b batch
			for _, w := range words {
				b = append(b, w)
			}
			if d.HasArg("enveloped") {
				m.PostUserMessage(&actor.MessageEnvelope{Message: b})
				break
			}
			m.PostUserMessage(b)
		case "system":
			for _, w := range words {
				m.PostSystemMessage(w)
			}
		case "suspend":
			m.PostSystemMessage(&actor.SuspendMailbox{})
		case "resume":
			m.PostSystemMessage(&actor.ResumeMailbox{})
		case "deliver":
			n := 1000
			d.MaybeScanArgs(t, "n", &n)
			i.said = nil
			for ; n > 0 && m.Ready(); n-- {
				m.Deliver()
			}
			return strings.Join(append(i.said, ""), "\n")
		default:
			d.Fatalf(t, "unknown command %s", d.Cmd)
		}
		return fmt.Sprintf("ready=%v next=%v user=%d posts=%d\n", m.Ready(), name(m.Next()), m.UserMessageCount(), posts)
	})
}

// name leaves out the addresses of messages without text.
func name(message any) any {
	if _, text := message.(string); text {
		return message
	}
	return fmt.Sprintf("%T", message)
}

// A queue that never runs empty stays as small as what waits in it.
func TestMailboxReusesItsSpace(t *testing.T) {
	m := &env.Mailbox{}
	m.RegisterHandlers(&counter{}, nil)
	m.PostUserMessage(0)
	allocs := testing.AllocsPerRun(100, func() {
		for range 1000 {
			m.PostUserMessage(0)
			m.Deliver()
		}
	})
	if allocs > 1 || m.UserMessageCount() != 1 {
		t.Fatalf("%v allocations a thousand messages, %d wait", allocs, m.UserMessageCount())
	}
}

type counter struct{ n int }

func (c *counter) InvokeSystemMessage(any)  { c.n++ }
func (c *counter) InvokeUserMessage(any)    { c.n++ }
func (c *counter) EscalateFailure(_, _ any) { c.n-- }
