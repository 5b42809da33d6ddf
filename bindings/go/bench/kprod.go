package main

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"kprod"
)

// kprodClient sends one by one, or in packs.
type kprodClient struct {
	producer *kprod.Producer
	topic    string
	sendAll  func(c *kprodClient, value []byte, records int, done func(kprod.Report, error)) error
}

func newKprodSingle(with load) (contestant, error) { return newKprod(with, (*kprodClient).single) }
func newKprodPacked(with load) (contestant, error) { return newKprod(with, (*kprodClient).packed) }

func newKprod(with load, sendAll func(*kprodClient, []byte, int, func(kprod.Report, error)) error) (contestant, error) {
	config := kprod.Config{
		"bootstrap.servers": with.bootstrap,
		"acks":              "1",
		"linger.ms":         strconv.Itoa(with.lingerMs),
	}
	if with.batchSize > 0 {
		config["batch.size"] = strconv.Itoa(with.batchSize)
	}
	producer, err := kprod.New(config)
	return &kprodClient{producer: producer, topic: with.topic, sendAll: sendAll}, err
}

// send counts the outcomes, all of which come from one goroutine.
func (c *kprodClient) send(value []byte, records int) error {
	var failed atomic.Pointer[error]
	acknowledged := 0
	var all sync.WaitGroup
	all.Add(1)
	err := c.sendAll(c, value, records, func(_ kprod.Report, err error) {
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

const packed = 500

func (c *kprodClient) packed(value []byte, records int, done func(kprod.Report, error)) error {
	ctx := context.Background()
	pack := c.producer.NewPack()
	for left := records; left > 0; {
		pack.Reset()
		for ; pack.Len() < packed && left > 0; left-- {
			if err := pack.Append(&kprod.Record{Topic: c.topic, Value: value}); err != nil {
				return err
			}
		}
		accepted, err := pack.Send(ctx, func(_ int, report kprod.Report, err error) { done(report, err) })
		if err != nil {
			return err
		}
		if accepted != pack.Len() {
			return errors.New("a pack was not accepted as a whole")
		}
	}
	return nil
}

func (c *kprodClient) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return c.producer.Close(ctx)
}
