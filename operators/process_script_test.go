package operators

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/weirflow/weir/messages"
)

// S76, S77, S78, S82, S84, S89 and border 6, a script each under
// testdata/process. The record "a do what@5" of key a and time 5 says what the
// function is to do:
//
//	timer 10, untimer 10     an event-time timer, registered and deleted
//	ptimer 10, unptimer 10   the same in processing time
//	then 10 20               OnTimer at 10 registers event-time timer 20
//	set 3, clear             the value state "count"
//	append x, drop           the list state "seen"
//	put k v, del k, wipe     the map state "hours"
//	show                     emits all state of the key
//	clock                    emits the watermark
//	emit x, side x, at 7 x   main output, side output "alert", main with its own time
//
// and the script's lines are records, "wm 9", "tick 50" (processing time),
// "down 50" (it passes while nobody looks), "restore 3" (a snapshot, restored at
// parallelism 3), and "finish".
func TestProcessScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/process", func(t *testing.T, path string) {
		var r *rig[string]
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			p := 1
			d.MaybeScanArgs(t, "p", &p)
			if d.Cmd == "start" {
				r = newRig(t, p, scripted)
			}
			var out strings.Builder
			for _, line := range strings.Split(d.Input, "\n") {
				runLine(t, r, line)
				if written := r.written(); written != "" {
					fmt.Fprintf(&out, "%s\n%s", line, written)
				}
			}
			return out.String()
		})
	})
}

func runLine(t *testing.T, r *rig[string], line string) {
	verb, arg, _ := strings.Cut(line, " ")
	switch verb {
	case "":
	case "wm":
		r.mark(number(arg))
	case "tick":
		r.tick(number(arg))
	case "down":
		r.now = number(arg)
	case "restore":
		s := r.snapshot()
		r.close()
		r.start(int(number(arg)), s)
		r.tick(r.now)
	case "finish":
		r.finish()
	default:
		what, ts, ok := strings.Cut(line, "@")
		if !ok {
			t.Fatalf("%q is no step", line)
		}
		r.record(what, number(ts))
	}
}

// written is what left the outputs since the last call.
func (r *rig[T]) written() string {
	var out strings.Builder
	for _, task := range r.tasks {
		var tags []string
		for tag := range task.outputs {
			tags = append(tags, tag)
		}
		sort.Strings(tags)
		for _, tag := range tags {
			for _, line := range task.outputs[tag].log {
				fmt.Fprintf(&out, "  %s%d: %s\n", tag, task.index, line)
			}
			task.outputs[tag].log = nil
		}
	}
	return out.String()
}

func number(s string) int64 {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return v
}

// scripted builds the operator of these scripts.
func scripted(in *Stream[string]) {
	keyed := KeyBy(in, func(s string) string { key, _, _ := strings.Cut(s, " "); return key })
	Process(keyed, "scripted", newScript, NewTag[string]("alert"))
}

type script struct {
	count ValueState[int64]
	seen  ListState[string]
	hours MapState[int64, string]
	then  MapState[int64, int64]
}

var alert = NewTag[string]("alert")

func newScript(s *States[string]) *script {
	return &script{
		count: NewValueState[int64](s, "count"),
		seen:  NewListState[string](s, "seen"),
		hours: NewMapState[int64, string](s, "hours"),
		then:  NewMapState[int64, int64](s, "then"),
	}
}

func (f *script) ProcessElement(ctx *Context[string, string], v string) error {
	args := strings.Fields(v)[1:]
	switch args[0] {
	case "timer":
		ctx.RegisterEventTimer(number(args[1]))
	case "untimer":
		ctx.DeleteEventTimer(number(args[1]))
	case "ptimer":
		ctx.RegisterProcessingTimer(number(args[1]))
	case "unptimer":
		ctx.DeleteProcessingTimer(number(args[1]))
	case "then":
		f.then.Put(number(args[1]), number(args[2]))
	case "emit":
		ctx.Emit(args[1])
	case "side":
		alert.Emit(ctx, args[1])
	case "clock":
		ctx.Emit(showTime(ctx.CurrentWatermark()))
	case "at":
		ctx.EmitAt(args[2], number(args[1]))
	default:
		return f.state(ctx, args)
	}
	return nil
}

func (f *script) state(ctx *Context[string, string], args []string) error {
	switch args[0] {
	case "set":
		f.count.Set(number(args[1]))
	case "clear":
		f.count.Clear()
	case "append":
		f.seen.Append(args[1])
	case "drop":
		f.seen.Clear()
	case "put":
		f.hours.Put(number(args[1]), args[2])
	case "del":
		f.hours.Delete(number(args[1]))
	case "wipe":
		f.hours.Clear()
	case "show":
		ctx.Emit(f.show(ctx.Key()))
	default:
		return fmt.Errorf("script: %q is no step", args[0])
	}
	return nil
}

func (f *script) show(key string) string {
	s := key + ":"
	if n, ok := f.count.Get(); ok {
		s += fmt.Sprintf(" count=%d", n)
	}
	for e := range f.seen.All() {
		s += " " + e
	}
	for k, v := range f.hours.All() {
		s += fmt.Sprintf(" %d=%s", k, v)
	}
	return s + fmt.Sprintf(" (%d, %d)", f.seen.Len(), f.hours.Len())
}

func (f *script) OnTimer(ctx *Context[string, string], at int64, d Domain) error {
	clock := showTime(ctx.CurrentWatermark())
	if d == ProcessingTime {
		clock = fmt.Sprint(ctx.CurrentProcessingTime())
	}
	ctx.Emit(fmt.Sprintf("%s's timer %d in %v, clock %s", ctx.Key(), at, d, clock))
	if next, ok := f.then.Get(at); ok {
		f.then.Delete(at)
		ctx.RegisterEventTimer(next)
	}
	if (ctx.Time() == messages.NoWatermark) != (d == ProcessingTime) {
		return fmt.Errorf("time %d in a timer for %v", ctx.Time(), d)
	}
	return nil
}
