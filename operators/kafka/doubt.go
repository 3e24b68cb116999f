package kafka

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/kafka/records"
)

// Doubt is a transaction of a Sink that a job has reported as in doubt. It holds no
// connection, and is not for concurrent use.
type Doubt struct {
	ID       string     // transactional id
	Topic    string     // that it wrote to
	Ranges   []Range    // by partition; others have written between its records, too
	Prepared time.Time  // by the clock of the node that had it
	Kept     int        // bytes of its output that the handle holds (KeepOutput); 0: none
	State    DoubtState // when it was examined, or written again
	Why      string     // of Unknown: what cannot be known

	cluster Cluster
	txn     *transaction
}

// Range is what a transaction wrote to a partition.
type Range struct {
	Partition   int32
	First, Last int64 // offsets of its first and its last record
	Records     int64 // how many there were
}

// DoubtState is what became of a transaction in doubt.
type DoubtState string

// What a transaction in doubt may be.
const (
	Committed DoubtState = "committed" // readers of committed records see its output, its own or written again
	Open      DoubtState = "open"      // nobody has ended it yet
	Aborted   DoubtState = "aborted"   // its output is in no reader's sight
	Unknown   DoubtState = "unknown"   // its marker is gone, so that it was committed or aborted
)

// rewriteTimeout is for how long WriteAgain may take, lest readers wait for one that died.
const rewriteTimeout = 5 * time.Minute

// InDoubt examines a transaction by its handle, which a job's report has:
// messages.InDoubt.Handle, of job.Status().InDoubt and *cluster.InDoubtError. It changes
// nothing, and needs the rights of the Sink.
func InDoubt(ctx context.Context, cluster Cluster, handle []byte) (*Doubt, error) {
	if err := cluster.validate(); err != nil {
		return nil, fmt.Errorf("kafka.InDoubt: %w", err)
	}
	t, err := decodeTransaction(handle)
	if err != nil {
		return nil, fmt.Errorf("kafka.InDoubt: %w", err)
	}
	d := &Doubt{ID: t.ID, Topic: t.Topic, Prepared: time.UnixMilli(t.Prepared), Kept: len(t.output), cluster: cluster, txn: t}
	for _, w := range t.Written {
		d.Ranges = append(d.Ranges, Range(w))
	}
	if err := d.with(func(c *client) error { return d.examine(ctx, c) }); err != nil {
		return nil, fmt.Errorf("kafka.InDoubt: %w", err)
	}
	return d, nil
}

// with runs f with a connection to the cluster.
func (d *Doubt) with(f func(*client) error) error {
	c, err := d.cluster.connect(kgo.RetryTimeout(time.Second))
	if err != nil {
		return err
	}
	defer c.close()
	return f(c)
}

// examine finds out the state: by what the broker knows of the id, and else by the marker.
func (d *Doubt) examine(ctx context.Context, c *client) error {
	state, itself, err := describe(ctx, c, d.txn)
	if err != nil {
		return err
	}
	switch {
	case itself && state == "CompleteCommit":
		d.State, d.Why = Committed, ""
		return nil
	case itself && state == "Ongoing":
		d.State, d.Why = Open, ""
		return nil
	}
	at, some, err := markerOf(ctx, c, d.txn, state != "Ongoing") // who has the id now may have its own marker to come
	if err != nil {
		return fmt.Errorf("read the marker of %s: %w", d.txn, err)
	}
	d.judge(at, some)
	return nil
}

// judge takes the state from the marker.
func (d *Doubt) judge(at marked, some bool) {
	if d.State, d.Why = Committed, ""; some && at.proves(d.txn) {
		return
	}
	d.State = Aborted
	if sure, why := d.txn.surelyAborted(at, some, time.Now().UnixMilli()); !sure {
		d.State, d.Why = Unknown, why
	}
}

// describe gives what the broker knows of a transaction's id, empty for nothing, and
// whether that is about the transaction itself or a later one. It waits for one that is
// being ended.
func describe(ctx context.Context, c *client, t *transaction) (state string, itself bool, err error) {
	err = insist(ctx, markerPatience, func() error {
		req := kmsg.NewPtrDescribeTransactionsRequest()
		req.TransactionalIDs = []string{t.ID}
		resp, err := req.RequestWith(ctx, c)
		if err != nil {
			return err
		}
		for i := range resp.TransactionStates {
			s := &resp.TransactionStates[i]
			if err := kerr.ErrorForCode(s.ErrorCode); err == kerr.TransactionalIDNotFound {
				return nil
			} else if err != nil {
				return err
			}
			state, itself = s.State, s.ProducerID == t.PID && s.ProducerEpoch == t.Epoch
		}
		if state == "PrepareCommit" || state == "PrepareAbort" || state == "PrepareEpochFence" {
			return kerr.ConcurrentTransactions
		}
		return nil
	})
	return state, itself, t.explain("describe", 0, err)
}

// Records gives the transaction's records as they lie in the log, whatever its state, by
// partition and offset. They may be kept. An error is the last that it gives: it may be
// that retention or compaction has removed some.
func (d *Doubt) Records(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		unpack := kgo.DefaultDecompressor()
		err := d.read(ctx, func(p partition, _ []byte, b *records.Batch) error {
			body, err := unpacked(unpack, b)
			if err != nil {
				return err
			}
			r := Record{Topic: p.topic, Partition: p.index}
			for cursor := b.Records(body); ; {
				more, err := cursor.Next(&r.raw)
				if !more || err != nil {
					return err
				}
				r.Offset, r.Time, r.Key, r.Value = r.raw.Offset, r.raw.Time, r.raw.Key, r.raw.Value
				if !yield(r, nil) {
					return errEnough
				}
			}
		})
		if err != nil && err != errEnough {
			yield(Record{}, err)
		}
	}
}

var errEnough = errors.New("no more is wanted")

// WriteAgain writes the transaction's output to its topic again, so that it is there once
// however often, and by however many, it is tried: from what the handle has kept of it, or
// else from the log, where all of it must still be. What is Committed stays as it is, one
// that is Open is aborted first, and of one that is Unknown nothing is written.
//
// The job that reported the transaction may be running, down or gone, and may try the same.
// Who comes later stops who was before, who gets an error and may try again. When it has
// an error, or dies, readers of committed records may wait until it is tried again,
// for at most five minutes.
func (d *Doubt) WriteAgain(ctx context.Context) error {
	if err := d.with(func(c *client) error { return d.writeAgain(ctx, c) }); err != nil {
		return fmt.Errorf("write %s again: %w", d.txn, err)
	}
	return nil
}

func (d *Doubt) writeAgain(ctx context.Context, c *client) error {
	if err := d.examine(ctx, c); err != nil || d.State == Committed {
		return err
	}
	if d.State == Unknown {
		return d.refuse()
	}
	if d.Kept == 0 { // lest it is begun in vain
		if err := d.read(ctx, func(partition, []byte, *records.Batch) error { return nil }); err != nil {
			return err
		}
	}
	config := newSinkConfig([]SinkOption{TransactionTimeout(rewriteTimeout)})
	r := &rewriter{c, config, func(string) {}}
	again, at, some, err := r.fence(ctx, d.txn)
	if err != nil {
		return err
	}
	if d.judge(at, some); d.State == Committed && !mutant.On("doubt-judged-before-fence") {
		return nil
	}
	if d.State == Unknown {
		return d.refuse()
	}
	if err := r.write(ctx, again, func(p *producer) error { return d.send(ctx, p) }); err != nil {
		return err
	}
	d.State = Committed
	return nil
}

func (d *Doubt) refuse() error {
	return fmt.Errorf("whether it was committed cannot be known: %s. Look whether readers of committed records see these offsets; if they do not, write what Doubt.Records gives by a program of your own", d.Why)
}

// send has the output sent, from where it is.
func (d *Doubt) send(ctx context.Context, p *producer) error {
	if d.Kept > 0 {
		return p.addKept(ctx, d.txn)
	}
	return d.read(ctx, func(at partition, raw []byte, _ *records.Batch) error {
		records.Renew(raw)
		return p.addBatch(ctx, keptBatch{at.index, raw})
	})
}

// read gives each batch of the transaction as the log has it. Where some of it is gone,
// that is an error in the end.
func (d *Doubt) read(ctx context.Context, each func(p partition, raw []byte, b *records.Batch) error) error {
	config := newSourceConfig([]SourceOption{ReadUncommitted(), OnOutOfRange(Earliest)})
	h := newHub(d.cluster, &config)
	var gone []error
	for _, r := range d.Ranges {
		left := r.Records
		p := partition{d.Topic, r.Partition}
		err := d.readRange(ctx, h, p, r, func(raw []byte, b *records.Batch) error {
			left -= int64(b.Count)
			return each(p, raw, b)
		})
		if err != nil {
			return err
		}
		if left != 0 {
			gone = append(gone, fmt.Errorf("%s: of the %d records at offsets %d to %d the log has %d; retention or compaction has removed the others, or the topic was created again", p, r.Records, r.First, r.Last, r.Records-left))
		}
	}
	return errors.Join(gone...)
}

func (d *Doubt) readRange(ctx context.Context, h *hub, p partition, r Range, each func(raw []byte, b *records.Batch) error) error {
	end, err := d.endOf(ctx, h, p)
	if err != nil {
		return err
	}
	next, limit := max(r.First, 0), min(r.Last+1, end)
	f, err := h.open(p, position{next: next})
	if err != nil {
		return err
	}
	defer h.close(f)
	for next < limit {
		if err := h.await(ctx, f); err != nil {
			return err
		}
		c, err := h.take(f)
		if err != nil {
			return err
		}
		if c.from != noEnd {
			next = c.from // the log begins there now
		}
		for len(c.data) > 0 && next < limit {
			b, rest, err := records.Next(c.data)
			if err == records.ErrPartial {
				break
			}
			if err != nil {
				return fmt.Errorf("%s: %w", p, err)
			}
			raw := c.data[:len(c.data)-len(rest)]
			next, c.data = b.LastOffset+1, rest
			if d.has(&b, r) {
				if err := each(raw, &b); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// has tells whether a batch is of the transaction: an epoch is of one alone.
func (d *Doubt) has(b *records.Batch, r Range) bool {
	own := b.ProducerID == d.txn.PID && b.Epoch == d.txn.Epoch || mutant.On("doubt-of-others")
	return own && !b.Control && b.FirstOffset >= r.First && b.LastOffset <= r.Last
}

// endOf gives the end of a partition, which may have been cut off since.
func (d *Doubt) endOf(ctx context.Context, h *hub, p partition) (end int64, err error) {
	err = h.borrow(func(c *client) error {
		topics, err := c.soundTopics(ctx, []string{p.topic})
		if err != nil {
			return err
		}
		if n := len(topics[p.topic].leaders); int(p.index) >= n || p.index < 0 {
			return fmt.Errorf("%s is gone: the topic has %d partitions now", p, n)
		}
		return insist(ctx, DefaultPatience, func() error {
			ends, err := c.offsets(ctx, []partition{p}, atEnd, false)
			end = ends[p]
			return err
		})
	})
	return end, err
}

// unpacked gives the records of a batch, uncompressed.
func unpacked(unpack kgo.Decompressor, b *records.Batch) ([]byte, error) {
	if b.Codec == 0 {
		return b.Body(), nil
	}
	body, err := unpack.Decompress(b.Body(), kgo.CompressionCodecType(b.Codec))
	if err != nil {
		return nil, fmt.Errorf("the batch at offset %d does not decompress: %w", b.FirstOffset, err)
	}
	return body, nil
}
