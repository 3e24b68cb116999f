package kafka

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka/records"
)

// KeepOutput has checkpoints hold what they commit to Kafka, as it was sent, up to a
// number of bytes for each subtask and checkpoint, at least 1. Then a transaction that the
// broker has aborted, because the job was down for longer than its time-out, is written
// again, once. One with more bytes is not kept: should the broker abort it, it is reported
// as in doubt.
//
// It costs as many bytes of memory while a checkpoint is being taken, and in the store for
// each checkpoint that is retained. Small checkpoint intervals make it cheap.
func KeepOutput(bytes int) SinkOption {
	return sinkOption(func(c *sinkConfig) { c.keep, c.keepSet = bytes, true })
}

// keptBatches says where some of the bytes behind a handle belong.
type keptBatches struct {
	Partition int32 `json:"partition"`
	Bytes     int   `json:"bytes"`
}

// keptFor is for how long the absence of a marker proves that it never was there: brokers
// keep one for offsets.retention.minutes, seven days unless somebody changed it.
const keptFor = 6 * 24 * time.Hour

// encode makes a handle: a line of JSON, and the batches that are kept.
func (t *transaction) encode() ([]byte, error) {
	t.Checksum = checksum(t.output)
	head, err := json.Marshal(t)
	return append(append(head, '\n'), t.output...), err
}

func checksum(output []byte) uint32 {
	return crc32.Checksum(output, crc32.MakeTable(crc32.Castagnoli))
}

// decodeTransaction reads a handle, in whose bytes the output stays.
func decodeTransaction(handle []byte) (*transaction, error) {
	head, output, _ := bytes.Cut(handle, []byte{'\n'})
	t := &transaction{output: output}
	if err := json.Unmarshal(head, t); err != nil {
		return nil, fmt.Errorf("handle %.300q is none of a Kafka transaction: %w", handle, err)
	}
	if t.ID == "" {
		return nil, fmt.Errorf("handle %.300q is none of a Kafka transaction: it has no transactional id", handle)
	}
	if err := t.checkOutput(); err != nil {
		return nil, fmt.Errorf("handle of %s: %w", t, err)
	}
	return t, nil
}

// checkOutput holds the output to what the handle says of it: batches are stamped anew
// before they are sent, and then nobody else would find the damage.
func (t *transaction) checkOutput() error {
	rest := len(t.output)
	for _, k := range t.Kept {
		if k.Partition < 0 || k.Bytes <= 0 || k.Bytes > rest {
			return fmt.Errorf("%d bytes of output for partition %d, where %d are left", k.Bytes, k.Partition, rest)
		}
		rest -= k.Bytes
	}
	if rest != 0 {
		return fmt.Errorf("%d bytes of output too many", rest)
	}
	if sum := checksum(t.output); sum != t.Checksum {
		return fmt.Errorf("its output has checksum %08x and should have %08x: it was damaged", sum, t.Checksum)
	}
	return nil
}

// dropOutput forgets what nobody will write again.
func (t *transaction) dropOutput() { t.Kept, t.output = nil, nil }

// keep copies a batch, unless too much has been kept of this transaction.
func (p *producer) keep(l *lane, batch []byte) {
	if p.keptBytes += len(batch); p.keptBytes <= p.config.keep {
		l.kept = append(l.kept, batch...)
	}
}

// takeKept moves what was kept into the handle of its transaction.
func (p *producer) takeKept(t *transaction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.Output = p.keptBytes; p.keptBytes > p.config.keep {
		return
	}
	for _, l := range p.lanes {
		if len(l.kept) > 0 {
			t.Kept = append(t.Kept, keptBatches{l.partition.index, len(l.kept)})
			t.output = append(t.output, l.kept...)
		}
	}
}

// addKept has the batches of a handle sent as they are: all of them, or none if one
// cannot be. It waits while too much is waiting.
func (p *producer) addKept(ctx context.Context, t *transaction) error {
	batches, err := t.batches(len(p.lanes))
	if err != nil {
		return err
	}
	for _, b := range batches {
		if err := p.addBatch(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// addBatch has a finished batch sent. It is copied, for it will be stamped.
func (p *producer) addBatch(ctx context.Context, b keptBatch) error {
	if err := p.awaitRoom(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lanes[b.partition]
	batch := bytes.Clone(b.data)
	l.sealed = append(l.sealed, batch)
	p.waiting += len(batch)
	p.send(l.leader.broker)
	return nil
}

// keptBatch is one batch of a handle, in its bytes.
type keptBatch struct {
	partition int32
	data      []byte
}

// batches takes the output of a handle apart, for a topic with some partitions.
func (t *transaction) batches(partitions int) (all []keptBatch, err error) {
	rest := t.output
	for _, k := range t.Kept {
		if k.Partition < 0 || int(k.Partition) >= partitions {
			return nil, fmt.Errorf("%w: %s: its output was kept for partition %d, and there are %d now", operators.ErrInDoubt, t, k.Partition, partitions)
		}
		for mine := rest[:k.Bytes]; len(mine) > 0; {
			_, behind, ok := records.Peek(mine)
			if !ok {
				return nil, fmt.Errorf("handle of %s: its output for partition %d is damaged", t, k.Partition)
			}
			all = append(all, keptBatch{k.Partition, mine[:len(mine)-len(behind)]})
			mine = behind
		}
		rest = rest[k.Bytes:]
	}
	return all, nil
}

// mayRewrite tells whether it is certain that the broker has aborted a transaction, and
// whether its output is there: or else why not.
func (t *transaction) mayRewrite(at marked, some bool, now int64) (ok bool, why string) {
	switch {
	case t.Output == 0:
		return false, "its output was not kept (kafka.KeepOutput)"
	case len(t.Kept) == 0:
		return false, fmt.Sprintf("its output of %d bytes was more than kafka.KeepOutput allowed", t.Output)
	}
	return t.surelyAborted(at, some, now)
}

// surelyAborted tells whether a transaction that the broker knows no more was aborted,
// by the marker, which does not prove that it was committed; or else why it may not be so.
func (t *transaction) surelyAborted(at marked, some bool, now int64) (ok bool, why string) {
	age := time.Duration(now-t.Prepared) * time.Millisecond
	switch {
	case some && at.writer != t.Writer:
		return false, "somebody else has used its id since, so that its marker is gone"
	case !some && age > keptFor:
		return false, fmt.Sprintf("it is %v old, and its marker may have expired", age.Round(time.Minute))
	}
	return true, ""
}

// rewriter writes the output of an aborted transaction again, so that it is there once
// however often, and by however many, it is tried:
//
//  1. InitProducerID of its id: nobody else's attempt to do this can succeed any more
//  2. its marker is read: somebody's attempt may have succeeded before 1
//  3. the batches are sent as they were, and the marker that proves the first transaction
//     is put behind them
//  4. EndTxn
//
// 1 and 2 are fence, 3 and 4 write, which uses the epoch that 1 gave. Between them the
// answer of 2 is judged.
type rewriter struct {
	client *client
	config sinkConfig
	step   func(label string)
}

// fence ends whatever is open under the id of a transaction, and gives a new one of the
// id, and the marker of the last that was committed.
func (r *rewriter) fence(ctx context.Context, t *transaction) (again *transaction, at marked, some bool, err error) {
	r.step("kafka.fencing")
	if again, err = beginTransaction(ctx, r.client, t.ID, r.config.timeout, r.config.patience); err != nil {
		return nil, at, false, err
	}
	again.Topic, again.Writer, again.Number = t.Topic, t.Writer, t.Number
	if at, some, err = lastMarker(ctx, r.client, t); err != nil {
		return nil, at, false, fmt.Errorf("read the marker: %w", err)
	}
	return again, at, some, nil
}

// write has the output of a transaction be that of another one, which fence gave, and
// commits that. send adds the output to a producer.
func (r *rewriter) write(ctx context.Context, again *transaction, send func(*producer) error) error {
	r.step("kafka.rewriting")
	config := r.config
	config.keep = 0
	p, err := newProducer(ctx, r.client, again.Topic, &config)
	if err != nil {
		return err
	}
	defer p.close()
	p.begin(again, func(ctx context.Context) error { return again.addMarker(ctx, r.client, r.config.patience) })
	if err = send(p); err == nil {
		err = p.flush(ctx)
	}
	if err != nil {
		return errors.Join(err, r.giveUp(ctx, p, again, true))
	}
	if err = again.mark(ctx, r.client, r.config.patience); err != nil {
		answer := (*kerr.Error)(nil)
		return errors.Join(err, r.giveUp(ctx, p, again, errors.As(err, &answer)))
	}
	r.step("kafka.rewritten")
	return again.end(ctx, r.client, true, r.config.patience)
}

// giveUp aborts what could not be written again, or else readers would wait for its
// time-out. What is still under way may reach the broker at any time: then it is left to
// who tries next.
func (r *rewriter) giveUp(ctx context.Context, p *producer, again *transaction, answered bool) error {
	if p.discard(ctx) != nil || !answered {
		return fmt.Errorf("transaction %q stays open until it is tried once more, or for at most %v", again.ID, r.config.timeout)
	}
	err := again.abort(ctx, r.client, r.config.patience)
	if isFenced(err) { // somebody else tries
		return nil
	}
	return err
}
