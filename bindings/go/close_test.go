package kprod_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"kprod"
	"kprod/mock"
)

// stuck gives a producer with a record that cannot be sent, whose outcome goes to the channel.
func stuck(t *testing.T, config kprod.Config) (*kprod.Producer, <-chan error) {
	t.Helper()
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, config)
	must(t, cluster.SetBroker(1, mock.Down))
	outcome := make(chan error, 1)
	must(t, producer.TrySend(&kprod.Record{Topic: "t"}, func(_ kprod.Report, err error) { outcome <- err }))
	return producer, outcome
}

func TestEveryCloseHeedsItsContextAndGivesTheOneResult(t *testing.T) {
	producer, outcome := stuck(t, kprod.Config{"max.block.ms": "500"})
	const others = 4
	results := make(chan error, 1+others)
	for range 1 + others {
		go func() { results <- producer.Close(background(t)) }()
	}
	for producer.TrySend(&kprod.Record{Topic: "t"}, nil) == nil {
		runtime.Gosched() // until one of them has begun
	}
	var common []error
	for len(results) == 0 { // until all of them are over
		began := time.Now()
		ctx, cancel := context.WithTimeout(background(t), time.Millisecond)
		err := producer.Close(ctx)
		cancel()
		if took := time.Since(began); took > 300*time.Millisecond {
			t.Fatalf("a millisecond took %v", took)
		}
		if wantCode(t, err, kprod.ErrTimedOut); !errors.Is(err, context.DeadlineExceeded) {
			common = append(common, err) // for it has just ended
		}
	}
	first := receive(t, results)
	failure := wantCode(t, first, kprod.ErrTimedOut)
	// It was max.block.ms, and no context of the user's.
	if errors.Is(first, context.DeadlineExceeded) || !strings.Contains(failure.Message, "max.block.ms") {
		t.Fatal(first)
	}
	for range others {
		common = append(common, receive(t, results))
	}
	for _, other := range common {
		if other != first {
			t.Fatalf("got %v, and %v from another Close", other, first)
		}
	}
	wantCode(t, receive(t, outcome), kprod.ErrClosed)
}

// Whatever contexts end when, each Close tells of its own or of the common result, and nothing is told twice.
func TestClosesInAnyOrder(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	for round := range 100 {
		producer := newProducer(t, cluster, nil)
		outcome := make(chan error, 2)
		must(t, producer.SendAsync(background(t), &kprod.Record{Topic: "t"}, func(_ kprod.Report, err error) { outcome <- err }))
		const closers = 6
		results := make(chan error, closers)
		for closer := range closers {
			ctx, cancel := context.WithCancelCause(background(t))
			t.Cleanup(func() { cancel(nil) })
			own := errors.New("its own")
			if (round+closer)%3 == 0 {
				cancel(own)
			} else if closer%2 == 0 {
				time.AfterFunc(time.Duration(round*closer)*5*time.Microsecond, func() { cancel(own) })
			}
			go func() {
				err := producer.Close(ctx)
				if errors.Is(err, own) {
					err = nil
				}
				results <- err
			}()
		}
		var failures []error
		for range closers {
			if err := receive(t, results); err != nil {
				failures = append(failures, err)
			}
		}
		last := producer.Close(background(t))
		for _, err := range failures {
			if err != last {
				t.Fatalf("got %v, and %v in the end", err, last)
			}
		}
		if err := receive(t, outcome); (err == nil) != (last == nil) && err != nil {
			t.Fatalf("the record: %v, Close: %v", err, last)
		}
		if len(outcome) > 0 {
			t.Fatal("told twice")
		}
	}
}

// nativeThreads counts those of the library's producers.
func nativeThreads(t *testing.T) (count int) {
	names, _ := filepath.Glob("/proc/self/task/*/comm")
	if len(names) == 0 {
		t.Skip("the system does not tell its threads")
	}
	for _, name := range names {
		if text, err := os.ReadFile(name); err == nil && strings.HasPrefix(string(text), "kprod-io") {
			count++
		}
	}
	return count
}

// A producer that was dropped is closed: what was accepted is sent, and nothing of it stays.
func TestADroppedProducerIsClosed(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	goroutines, threads := runtime.NumGoroutine(), nativeThreads(t)
	config := kprod.Config{"bootstrap.servers": cluster.Bootstrap()}
	outcome := make(chan error, 1)
	for name, use := range map[string]func(*kprod.Producer){
		"unused": func(*kprod.Producer) {},
		"lingering": func(producer *kprod.Producer) {
			must(t, producer.SendAsync(background(t), &kprod.Record{Topic: "t"}, func(_ kprod.Report, err error) { outcome <- err }))
		},
		"with a batch and a pack": func(producer *kprod.Producer) {
			newBatch(t, producer, 3)
			must(t, producer.NewPack().Append(&kprod.Record{Topic: "t"}))
		},
		"with an open transaction": func(producer *kprod.Producer) {
			_, err := producer.Begin(background(t))
			must(t, err)
			must(t, producer.SendAsync(background(t), &kprod.Record{Topic: "t"}, nil))
		},
		"after a commit that was given up": func(producer *kprod.Producer) {
			transaction, err := producer.Begin(background(t))
			must(t, err)
			_, err = producer.Send(background(t), &kprod.Record{Topic: "t"})
			must(t, err)
			inVain(t, cluster, apiEndTxn, transaction.Commit)
		},
		"after a transaction that was given up": func(producer *kprod.Producer) {
			must(t, cluster.Inject(mock.Fault{API: apiInitProducerID, Delay: lateBy}))
			ctx, cancel := context.WithTimeout(background(t), longBeforeItsAnswer)
			defer cancel()
			wantRefusal(t, producer.Transact(ctx, nothing), context.DeadlineExceeded)
		},
	} {
		delete(config, "transactional.id")
		config["linger.ms"], config["request.timeout.ms"] = "60000", "70000"
		if strings.Contains(name, "transaction") || strings.Contains(name, "commit") {
			config["transactional.id"], config["linger.ms"] = "a", "0"
		}
		producer, err := kprod.New(config)
		must(t, err)
		use(producer)
		producer = nil
		for deadline := time.Now().Add(patience); runtime.NumGoroutine() > goroutines || nativeThreads(t) > threads; runtime.GC() {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d goroutines and %d threads, before %d and %d", name,
					runtime.NumGoroutine(), nativeThreads(t), goroutines, threads)
			}
		}
	}
	must(t, receive(t, outcome))
}

// A function that holds up the end does not hold up Close for ever; a later one waits again.
func TestAHeldUpCloseGoesOnWithoutItsCaller(t *testing.T) {
	producer := newProducer(t, newCluster(t, "t", 1), kprod.Config{"max.block.ms": "200"})
	must(t, eventually(func() error { _, err := producer.PartitionsFor(background(t), "t"); return err }))
	release := holdUp(t, producer)
	results := make(chan error, 2)
	for range 2 {
		go func() { results <- producer.Close(context.Background()) }()
		err := receive(t, results)
		if failure := wantCode(t, err, kprod.ErrTimedOut); errors.Is(err, context.DeadlineExceeded) || failure.Message == "" {
			t.Fatal(failure)
		}
	}
	release()
	if err := producer.Close(background(t)); err != nil && !errors.Is(err, kprod.ErrTimedOut) {
		t.Fatal(err)
	}
}
