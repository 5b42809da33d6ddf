package kprod_test

import (
	"context"
	"runtime"
	"strings"
	"testing"

	"kprod"
	"kprod/mock"
)

// within runs do in a function given to a send, and gives what it returned.
func within[T any](t *testing.T, producer *kprod.Producer, do func() T) T {
	t.Helper()
	got := make(chan T, 1)
	must(t, producer.SendAsync(background(t), &kprod.Record{Topic: "t"}, func(kprod.Report, error) { got <- do() }))
	return receive(t, got)
}

// deep calls do at the end of a long stack.
func deep(calls int, do func() error) error {
	if calls == 0 {
		return do()
	}
	return deep(calls-1, do)
}

func TestACallbackSendsToATopicThatIsNotKnown(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, nil)
	outcomes := make(chan error, 5)
	done := func(_ kprod.Report, err error) { outcomes <- err }
	batch := newBatch(t, producer, 3)
	must(t, within(t, producer, func() error {
		return producer.SendAsync(context.Background(), &kprod.Record{Topic: "one"}, done)
	}))
	must(t, within(t, producer, func() error { return batch.SendAsync(context.Background(), "two", 0, done) }))
	must(t, within(t, producer, func() error {
		_, err := producer.SendMany(context.Background(), []kprod.Record{{Topic: "three"}, {Topic: "four"}},
			func(_ int, report kprod.Report, err error) { done(report, err) })
		return err
	}))
	for range 4 {
		must(t, receive(t, outcomes))
	}
	for topic, want := range map[string]int64{"one": 1, "two": 3, "three": 1, "four": 1} {
		partitions, err := producer.PartitionsFor(background(t), topic)
		must(t, err)
		if got := records(t, cluster, topic, partitions); got != want {
			t.Errorf("%d records in the log of %s", got, topic)
		}
	}
	if batch.Len() != 3 {
		t.Fatal(batch.Len())
	}
	_, err := batch.Append(&kprod.Record{})
	wantCode(t, err, kprod.ErrIllegalState)
}

func TestACallbackDoesNotWaitForRoom(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, kprod.Config{"buffer.memory": "100000", "batch.size": "10000"})
	refusals := within(t, producer, func() (refusals []error) {
		must(t, cluster.SetBroker(1, mock.Down))
		fill(t, producer)
		record := kprod.Record{Topic: "t", Value: make([]byte, 5000)}
		refusals = append(refusals, producer.SendAsync(context.Background(), &record, nil))
		accepted, err := producer.SendMany(context.Background(), []kprod.Record{record}, nil)
		if accepted != 0 {
			t.Error(accepted)
		}
		return append(refusals, err)
	})
	for _, err := range refusals {
		wantCode(t, err, kprod.ErrQueueFull)
	}
	must(t, cluster.SetBroker(1, mock.Up))
}

// What waits for outcomes is refused at once where they cannot come, and has done nothing.
func TestACallbackMayNotWaitForOutcomes(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newTransactional(t, cluster)
	ctx := background(t)
	transaction, err := producer.Begin(ctx)
	must(t, err)
	batch := newBatch(t, producer, 1)
	record := &kprod.Record{Topic: "t"}
	for name, call := range map[string]func() error{
		"Send":          func() error { _, err := producer.Send(ctx, record); return err },
		"Batch.Send":    func() error { _, err := batch.Send(ctx, "t", 0); return err },
		"Start":         func() error { return producer.Start(ctx) },
		"Flush":         func() error { return producer.Flush(ctx) },
		"PartitionsFor": func() error { _, err := producer.PartitionsFor(ctx, "t"); return err },
		"Close":         func() error { return producer.Close(ctx) },
		"Begin":         func() error { _, err := producer.Begin(ctx); return err },
		"SendOffsets":   func() error { return transaction.SendOffsets(ctx, someOffsets, kprod.Group{ID: "group"}) },
		"Commit":        func() error { return transaction.Commit(ctx) },
		"Abort":         func() error { return transaction.Abort(ctx) },
	} {
		for _, calls := range []int{0, 61, 62, 63, 64, 200} {
			err := within(t, producer, func() error { return deep(calls, call) })
			if failure := wantCode(t, err, kprod.ErrInCallback); !strings.HasPrefix(failure.Message, name) {
				t.Fatalf("%s: %v", name, failure)
			}
		}
	}
	err = within(t, producer, func() error { return producer.Transact(ctx, nothing) })
	wantCode(t, err, kprod.ErrInCallback)
	_, err = batch.Send(ctx, "t", 0)
	must(t, err)
	must(t, transaction.Commit(ctx))
}

// Only the goroutine of the functions may not wait, not one that they start, also after one of them ended theirs.
func TestAGoroutineOfACallbackMayWait(t *testing.T) {
	producer := newProducer(t, newCluster(t, "t", 1), nil)
	for range 10 {
		must(t, producer.SendAsync(background(t), &kprod.Record{Topic: "t"}, func(kprod.Report, error) { runtime.Goexit() }))
		results := make(chan error, 1)
		wantCode(t, within(t, producer, func() error {
			go func() {
				_, err := producer.Send(background(t), &kprod.Record{Topic: "t"})
				results <- err
			}()
			return producer.Flush(background(t))
		}), kprod.ErrInCallback)
		must(t, receive(t, results))
	}
}

// A function of one producer's may not wait for another's outcomes either: theirs might wait for its own.
func TestACallbackMayNotWaitForAnotherProducer(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer, other := newProducer(t, cluster, nil), newProducer(t, cluster, nil)
	wantCode(t, within(t, producer, func() error { return other.Flush(background(t)) }), kprod.ErrInCallback)
	outcome := make(chan error, 1)
	must(t, within(t, producer, func() error {
		return other.SendAsync(background(t), &kprod.Record{Topic: "new"}, func(_ kprod.Report, err error) { outcome <- err })
	}))
	must(t, receive(t, outcome))
}
