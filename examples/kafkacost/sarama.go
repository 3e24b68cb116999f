package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// Sarama as its users use it: a PartitionConsumer a partition, and an AsyncProducer in
// transactions, with sizes of fetches and batches as weir's are.

func saramaConfig() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.V3_6_0_0
	config.Consumer.IsolationLevel = sarama.ReadCommitted
	config.Consumer.Fetch.Default, config.Consumer.Fetch.Max = partitionBytes, fetchBytes
	config.Consumer.Return.Errors = true
	config.ChannelBufferSize = 1024
	return config
}

func saramaSource(ctx context.Context, c *client) error {
	kafka, err := sarama.NewClient([]string{c.Address}, saramaConfig())
	if err != nil {
		return err
	}
	defer kafka.Close()
	consumer, err := sarama.NewConsumerFromClient(kafka)
	if err != nil {
		return err
	}
	defer consumer.Close()
	var all sync.WaitGroup
	digests, errs := make([]digest, partitions), make([]error, partitions)
	for i := range int32(partitions) {
		all.Go(func() { digests[i], errs[i] = saramaPartition(ctx, kafka, consumer, c.In, i) })
	}
	all.Wait()
	for i := range digests {
		if errs[i] != nil {
			return errs[i]
		}
		c.result.Digest.Records += digests[i].Records
		c.result.Digest.Hash += digests[i].Hash
	}
	return nil
}

func saramaPartition(ctx context.Context, kafka sarama.Client, consumer sarama.Consumer, topic string, index int32) (d digest, err error) {
	end, err := kafka.GetOffset(topic, index, sarama.OffsetNewest)
	if err != nil || end == 0 {
		return d, err
	}
	p, err := consumer.ConsumePartition(topic, index, sarama.OffsetOldest)
	if err != nil {
		return d, err
	}
	defer p.Close()
	for {
		select {
		case m := <-p.Messages():
			t, err := tipOf(m.Value)
			if err != nil {
				return d, err
			}
			if d.add(t); m.Offset+1 == end {
				return d, nil
			}
		case err := <-p.Errors():
			return d, err
		case <-ctx.Done():
			return d, ctx.Err()
		}
	}
}

func saramaSink(ctx context.Context, c *client) error {
	config := saramaConfig()
	config.Producer.Idempotent, config.Producer.RequiredAcks, config.Net.MaxOpenRequests = true, sarama.WaitForAll, 1
	config.Producer.Transaction.ID = "sarama-" + c.Out
	config.Producer.Flush.Bytes, config.Producer.Flush.Frequency = batchBytes, 100*time.Millisecond
	producer, err := sarama.NewAsyncProducer([]string{c.Address}, config)
	if err != nil {
		return err
	}
	defer producer.AsyncClose()
	in := numbers(inputSeed)
	for left := c.Records; left > 0; {
		sent, err := saramaTransaction(ctx, producer, c, &in, left)
		if err != nil {
			return err
		}
		left -= sent
		c.result.Checkpoints++
	}
	return nil
}

// saramaTransaction writes for the length of an interval, and commits.
func saramaTransaction(ctx context.Context, producer sarama.AsyncProducer, c *client, in *numbers, most int64) (sent int64, err error) {
	if err := producer.BeginTxn(); err != nil {
		return 0, err
	}
	for begun := time.Now(); sent < most && (sent%256 != 0 || time.Since(begun) < c.Interval); {
		value := appendLong(make([]byte, 0, valueSize), in.tip())
		m := &sarama.ProducerMessage{Topic: c.Out, Key: sarama.ByteEncoder(value[:8]), Value: sarama.ByteEncoder(value)}
		select {
		case producer.Input() <- m:
			sent++
		case err := <-producer.Errors():
			return sent, fmt.Errorf("produce: %w", err)
		case <-ctx.Done():
			return sent, ctx.Err()
		}
	}
	return sent, producer.CommitTxn()
}
