package sim

import (
	"fmt"
	"slices"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/weirflow/weir/messages"
)

// packet is one message on its way, as bytes: sender and receiver share nothing.
type packet struct {
	target, sender *actor.PID // copies, resolved nowhere; sender may be nil
	header         map[string]string
	kind           protoreflect.MessageType
	bytes          []byte
	arrival        *event // once it travels
}

// watch says that a local actor watches one over there.
type watch struct {
	watcher string // id
	watched *actor.PID
}

// resolve finds the process of a PID of another address.
func (l *life) resolve(pid *actor.PID) (actor.Process, bool) {
	return &remoteProcess{l.link(pid.Address)}, true
}

// link is the way to an address, made when first asked for.
func (l *life) link(to string) *link {
	for _, k := range l.links {
		if k.to == to {
			return k
		}
	}
	k := &link{from: l, to: to}
	l.links = append(l.links, k)
	return k
}

// remoteProcess stands for every actor of another address.
type remoteProcess struct{ link *link }

var _ actor.Process = (*remoteProcess)(nil)

func (r *remoteProcess) SendUserMessage(pid *actor.PID, message any) {
	header, message, sender := actor.UnwrapEnvelope(message)
	var fields map[string]string
	if header != nil && header.Length() > 0 {
		fields = header.ToMap()
	}
	r.send(pid, fields, message, sender)
}

// SendSystemMessage notes who watches, for the day the connection breaks.
func (r *remoteProcess) SendSystemMessage(pid *actor.PID, message any) {
	switch message := message.(type) {
	case *actor.Watch:
		r.link.watch(message.Watcher.Id, pid)
	case *actor.Unwatch:
		r.link.forget(message.Watcher.Id, pid)
	}
	r.send(pid, nil, message, nil)
}

func (r *remoteProcess) Stop(pid *actor.PID) { r.SendSystemMessage(pid, &actor.Stop{}) }

// send makes a packet. What a dead process still says is not heard.
func (r *remoteProcess) send(target *actor.PID, header map[string]string, message any, sender *actor.PID) {
	l := r.link.from
	if l.dead {
		return
	}
	m, ok := message.(proto.Message)
	if !ok {
		l.world.fail(fmt.Errorf("%T sent from %s to %s/%s is no proto.Message; only those travel between nodes",
			message, l.name(), target.Address, target.Id))
		return
	}
	m = withoutStack(m)
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		l.world.fail(fmt.Errorf("proto.Marshal: %T sent from %s to %s/%s: %w", message, l.name(), target.Address, target.Id, err))
		return
	}
	p := &packet{target: clonePID(target), sender: clonePID(sender), header: header, kind: m.ProtoReflect().Type(), bytes: bytes}
	l.world.traceSend(l, p)
	r.link.send(p)
}

// withoutStack leaves out what differs between equal runs: the addresses and
// numbers of goroutines in a stack.
func withoutStack(m proto.Message) proto.Message {
	if f, ok := m.(*messages.AttemptFailed); ok && f.GetFailure().GetStack() != "" {
		f = proto.CloneOf(f)
		f.Failure.Stack = ""
		return f
	}
	return m
}

// clonePID copies the address without the process it was resolved to.
func clonePID(pid *actor.PID) *actor.PID {
	if pid == nil {
		return nil
	}
	return &actor.PID{Address: pid.Address, Id: pid.Id, RequestId: pid.RequestId}
}

// message makes a fresh copy.
func (p *packet) message() proto.Message {
	m := p.kind.New().Interface()
	if err := proto.Unmarshal(p.bytes, m); err != nil {
		panic(fmt.Sprintf("proto.Unmarshal of %s, which was marshalled here: %v", p.kind.Descriptor().FullName(), err))
	}
	return m
}

// deliver hands the message to the process it has reached, as protoactor's
// endpoint reader does.
func (p *packet) deliver(at *life) {
	target := clonePID(p.target)
	local, _ := at.system.ProcessRegistry.GetLocal(target.Id)
	switch message := p.message().(type) {
	case *actor.Terminated:
		at.link(message.Who.Address).forget(target.Id, message.Who)
		local.SendSystemMessage(target, &actor.Terminated{Who: message.Who, Why: actor.TerminatedReason_Stopped})
	case actor.SystemMessage:
		local.SendSystemMessage(target, message)
	default:
		at.system.Root.Send(target, p.envelope(message))
	}
}

// envelope wraps the message if there is anything besides it.
func (p *packet) envelope(message any) any {
	if p.sender == nil && p.header == nil {
		return message
	}
	envelope := &actor.MessageEnvelope{Message: message, Sender: clonePID(p.sender)}
	for key, value := range p.header { // order: into a map again
		envelope.SetHeader(key, value)
	}
	return envelope
}

// becomeDeadLetter tells the sending process that it could not be sent.
func (p *packet) becomeDeadLetter(system *actor.ActorSystem) {
	system.EventStream.Publish(&actor.DeadLetterEvent{PID: clonePID(p.target), Message: p.message(), Sender: clonePID(p.sender)})
}

func (k *link) watch(watcher string, watched *actor.PID) {
	if k.from.dead || slices.ContainsFunc(k.watches, same(watcher, watched)) {
		return
	}
	k.watches = append(k.watches, watch{watcher, clonePID(watched)})
}

func (k *link) forget(watcher string, watched *actor.PID) {
	k.watches = slices.DeleteFunc(k.watches, same(watcher, watched))
}

func same(watcher string, watched *actor.PID) func(watch) bool {
	return func(x watch) bool { return x.watcher == watcher && x.watched.Equal(watched) }
}

// tellWatchers says that the address is gone, and forgets the watches: so does
// protoactor, even where the actor lives on.
func (k *link) tellWatchers() {
	watches := k.watches
	k.watches = nil
	system := k.from.system
	for _, x := range watches {
		if watcher, ok := system.ProcessRegistry.GetLocal(x.watcher); ok {
			watcher.SendSystemMessage(system.NewLocalPID(x.watcher), &actor.Terminated{
				Who: clonePID(x.watched),
				Why: actor.TerminatedReason_AddressTerminated,
			})
		}
	}
}
