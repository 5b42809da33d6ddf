package kprod_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strconv"
	"sync/atomic"
	"time"

	"kprod"
	"kprod/mock"
)

// A cluster inside the process, in place of one at localhost:9092.
func exampleCluster() *mock.Cluster {
	cluster, err := mock.New(3)
	if err != nil {
		log.Fatal(err)
	}
	return cluster
}

// Sending a record and waiting for its place in the log.
func ExampleProducer_Send() {
	cluster := exampleCluster()
	defer cluster.Close()
	producer, err := kprod.New(kprod.Config{"bootstrap.servers": cluster.Bootstrap(), "acks": "all"})
	if err != nil {
		log.Fatal(err)
	}
	defer producer.Close(context.Background())

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	report, err := producer.Send(ctx, &kprod.Record{
		Topic:     "greetings",
		Key:       []byte("first"),
		Value:     []byte("hello"),
		Headers:   []kprod.Header{{Key: "language", Value: []byte("en")}},
		Partition: kprod.To(0), // without it, the key decides
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, partition %d, offset %d\n", report.Topic, report.Partition, report.Offset)
	// Output: greetings, partition 0, offset 0
}

// Sending many records without waiting for each: SendAsync returns when the record is accepted, and waits only when
// buffer.memory is full.
func ExampleProducer_SendAsync() {
	cluster := exampleCluster()
	defer cluster.Close()
	producer, err := kprod.New(kprod.Config{
		"bootstrap.servers": cluster.Bootstrap(),
		"linger.ms":         "5",
		"batch.size":        "65536",
	})
	if err != nil {
		log.Fatal(err)
	}
	defer producer.Close(context.Background())

	ctx := context.Background()
	var delivered, failed atomic.Int64
	done := func(_ kprod.Report, err error) {
		if err != nil {
			failed.Add(1)
			return
		}
		delivered.Add(1)
	}
	for i := range 100_000 {
		record := kprod.Record{Topic: "numbers", Value: strconv.AppendInt(nil, int64(i), 10)}
		if err := producer.SendAsync(ctx, &record, done); err != nil {
			log.Fatal(err) // refused, and never sent
		}
	}
	if err := producer.Flush(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(delivered.Load(), "delivered,", failed.Load(), "failed")
	// Output: 100000 delivered, 0 failed
}

// The quickest way: records are collected, then handed over in one call.
func ExamplePack() {
	cluster := exampleCluster()
	defer cluster.Close()
	producer, err := kprod.New(kprod.Config{"bootstrap.servers": cluster.Bootstrap(), "linger.ms": "5"})
	if err != nil {
		log.Fatal(err)
	}
	defer producer.Close(context.Background())

	ctx := context.Background()
	delivered := 0 // counted by one goroutine, and read after Flush
	pack := producer.NewPack()
	for range 10 {
		pack.Reset()
		for i := range 500 {
			if err := pack.Append(&kprod.Record{Topic: "numbers", Value: []byte{byte(i)}}); err != nil {
				log.Fatal(err)
			}
		}
		accepted, err := pack.Send(ctx, func(number int, report kprod.Report, err error) {
			if err == nil {
				delivered++
			}
		})
		if err != nil {
			log.Fatalf("record %d and those behind it were refused: %v", accepted, err)
		}
	}
	if err := producer.Flush(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(delivered, "delivered")
	// Output: 5000 delivered
}

// Filling a batch by hand and sending it to a partition.
func ExampleBatch() {
	cluster := exampleCluster()
	defer cluster.Close()
	producer, err := kprod.New(kprod.Config{"bootstrap.servers": cluster.Bootstrap()})
	if err != nil {
		log.Fatal(err)
	}
	defer producer.Close(context.Background())

	batch, err := producer.NewBatch()
	if err != nil {
		log.Fatal(err)
	}
	for i := 0; ; i++ {
		_, err := batch.Append(&kprod.Record{Value: strconv.AppendInt(nil, int64(i), 10)})
		if errors.Is(err, kprod.ErrBatchFull) || i == 100 {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	report, err := batch.Send(context.Background(), "numbers", 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Records > 0, "from offset", report.Offset)
	// Output: true from offset 0
}

// Records and the offsets that they were made of, committed together.
func ExampleProducer_Transact() {
	cluster := exampleCluster()
	defer cluster.Close()
	if err := cluster.CreateTopic("original", 1); err != nil {
		log.Fatal(err)
	}
	producer, err := kprod.New(kprod.Config{
		"bootstrap.servers": cluster.Bootstrap(),
		"transactional.id":  "copier-1",
	})
	if err != nil {
		log.Fatal(err)
	}
	defer producer.Close(context.Background())

	ctx := context.Background()
	err = producer.Transact(ctx, func(transaction *kprod.Transaction) error {
		for _, text := range []string{"a", "b"} {
			if err := producer.SendAsync(ctx, &kprod.Record{Topic: "copy", Value: []byte(text)}, nil); err != nil {
				return err // aborts
			}
		}
		consumed := []kprod.Offset{{Topic: "original", Partition: 0, Offset: 2, LeaderEpoch: -1}}
		return transaction.SendOffsets(ctx, consumed, kprod.Group{ID: "copiers"})
	})
	var failure *kprod.Error
	switch {
	case err == nil:
		fmt.Println("committed")
	case errors.As(err, &failure) && failure.Fatal():
		fmt.Println("another producer took over:", err)
	default:
		fmt.Println("aborted:", err)
	}
	// Output: committed
}

// Telling what to do from an error.
func ExampleError() {
	cluster := exampleCluster()
	defer cluster.Close()
	if err := cluster.CreateTopic("secrets", 1); err != nil {
		log.Fatal(err)
	}
	producer, err := kprod.New(kprod.Config{"bootstrap.servers": cluster.Bootstrap()})
	if err != nil {
		log.Fatal(err)
	}
	defer producer.Close(context.Background())

	send := func(record kprod.Record) {
		_, err := producer.Send(context.Background(), &record)
		var failure *kprod.Error
		switch {
		case err == nil:
			fmt.Println("delivered")
		case errors.Is(err, kprod.ErrRecordTooLarge):
			fmt.Println("split it")
		case errors.Is(err, kprod.ErrStillPending):
			fmt.Println("accepted: it will be sent, so do not send it again")
		case errors.As(err, &failure) && failure.Fatal():
			fmt.Println("close this producer and make a new one:", failure.Code.Name())
		case errors.As(err, &failure) && failure.Retriable():
			fmt.Println("send it again:", failure.Code.Name())
		default:
			fmt.Println("give up:", failure.Code.Name(), failure.Persistence())
		}
	}
	send(kprod.Record{Topic: "secrets", Value: make([]byte, 5<<20)})
	if err := cluster.Inject(mock.Fault{Kind: mock.Fail, Error: kprod.ErrTopicAuthorizationFailed}); err != nil {
		log.Fatal(err)
	}
	send(kprod.Record{Topic: "secrets"})
	send(kprod.Record{Topic: "secrets"})
	// Output:
	// split it
	// give up: TOPIC_AUTHORIZATION_FAILED not persisted
	// delivered
}

// Shutting down: Close sends what was accepted and tells every outcome, within the time it is given.
func ExampleProducer_Close() {
	cluster := exampleCluster()
	defer cluster.Close()
	producer, err := kprod.New(kprod.Config{"bootstrap.servers": cluster.Bootstrap(), "linger.ms": "1000"})
	if err != nil {
		log.Fatal(err)
	}
	results := make(chan kprod.Result, 3) // room for all, so that nothing is held up
	for _, text := range []string{"a", "b", "c"} {
		record := &kprod.Record{Topic: "letters", Value: []byte(text), Partition: kprod.To(0)}
		if err := producer.SendChan(context.Background(), record, results); err != nil {
			log.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := producer.Close(ctx); err != nil {
		log.Print(err) // what was not sent in time has failed with ErrClosed
	}
	close(results)
	for result := range results {
		fmt.Printf("%s at offset %d, %v\n", result.Record.Value, result.Report.Offset, result.Err)
	}
	_, err = producer.Send(context.Background(), &kprod.Record{Topic: "letters"})
	fmt.Println(errors.Is(err, kprod.ErrClosed))
	// Output:
	// a at offset 0, <nil>
	// b at offset 1, <nil>
	// c at offset 2, <nil>
	// true
}
