package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// franzClient is franz-go, told to do what the others do: acks=1, no compression, requests pipelined.
type franzClient struct {
	client *kgo.Client
	topic  string
}

func newFranz(with load) (contestant, error) {
	options := []kgo.Opt{
		kgo.SeedBrokers(with.bootstrap),
		kgo.RequiredAcks(kgo.LeaderAck()),
		kgo.DisableIdempotentWrite(),
		kgo.MaxProduceRequestsInflightPerBroker(5),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerLinger(time.Duration(with.lingerMs) * time.Millisecond),
		kgo.MaxBufferedRecords(200_000),
	}
	if with.batchSize > 0 {
		options = append(options, kgo.ProducerBatchMaxBytes(int32(with.batchSize)))
	}
	client, err := kgo.NewClient(options...)
	return &franzClient{client: client, topic: with.topic}, err
}

func (c *franzClient) send(value []byte, records int) error {
	ctx := context.Background()
	var acknowledged atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	all.Add(1)
	done := func(_ *kgo.Record, err error) {
		if err != nil {
			failed.Store(&err)
		}
		if acknowledged.Add(1) == int64(records) {
			all.Done()
		}
	}
	for range records {
		c.client.Produce(ctx, &kgo.Record{Topic: c.topic, Value: value}, done)
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (c *franzClient) close() error {
	c.client.Close()
	return nil
}
