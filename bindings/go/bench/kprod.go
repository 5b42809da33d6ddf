package main

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"kprod"
)

// kprodClient is this repository's package.
type kprodClient struct {
	producer *kprod.Producer
	topic    string
}

func newKprod(with load) (contestant, error) {
	config := kprod.Config{
		"bootstrap.servers": with.bootstrap,
		"acks":              "1",
		"linger.ms":         strconv.Itoa(with.lingerMs),
	}
	if with.batchSize > 0 {
		config["batch.size"] = strconv.Itoa(with.batchSize)
	}
	producer, err := kprod.New(config)
	return &kprodClient{producer: producer, topic: with.topic}, err
}

// send counts the outcomes, all of which come from one goroutine.
func (c *kprodClient) send(value []byte, records int) error {
	var failed atomic.Pointer[error]
	acknowledged := 0
	var all sync.WaitGroup
	all.Add(1)
	err := c.single(value, records, func(_ kprod.Report, err error) {
		if err != nil {
			failed.Store(&err)
		}
		if acknowledged++; acknowledged == records {
			all.Done()
		}
	})
	if err != nil {
		return err
	}
	if err = c.producer.Flush(context.Background()); err != nil {
		return err
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (c *kprodClient) single(value []byte, records int, done func(kprod.Report, error)) error {
	ctx := context.Background()
	for range records {
		if err := c.producer.SendAsync(ctx, &kprod.Record{Topic: c.topic, Value: value}, done); err != nil {
			return err
		}
	}
	return nil
}

func (c *kprodClient) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return c.producer.Close(ctx)
}
