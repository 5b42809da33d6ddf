package kprod_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"kprod"
	"kprod/mock"
)

func newTransactional(t *testing.T, cluster *mock.Cluster) *kprod.Producer {
	return newProducer(t, cluster, kprod.Config{"transactional.id": "a"})
}

func TestATransactionIsCommitted(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newTransactional(t, cluster)
	for range 2 {
		transaction, err := producer.Begin(background(t))
		must(t, err)
		must(t, producer.SendAsync(background(t), &kprod.Record{Topic: "t"}, nil))
		offsets := []kprod.Offset{{Topic: "t", Partition: 0, Offset: 7, Metadata: "m", LeaderEpoch: -1}}
		must(t, transaction.SendOffsets(background(t), offsets, kprod.Group{ID: "group"}))
		must(t, transaction.Commit(background(t)))
		must(t, transaction.Abort(background(t)))
		wantCode(t, transaction.Commit(background(t)), kprod.ErrIllegalState)
	}
	if got := records(t, cluster, "t", 1); got < 2 {
		t.Fatalf("%d records in the log", got)
	}
}

func TestTransactAbortsWhatFails(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newTransactional(t, cluster)
	wrong := errors.New("wrong")
	outcome := make(chan error, 1)
	err := producer.Transact(background(t), func(*kprod.Transaction) error {
		must(t, cluster.SetLeader("t", 0, -1)) // so that the record is still here when the transaction ends
		must(t, producer.TrySend(&kprod.Record{Topic: "t"}, func(_ kprod.Report, err error) { outcome <- err }))
		return wrong
	})
	if !errors.Is(err, wrong) {
		t.Fatal(err)
	}
	wantCode(t, receive(t, outcome), kprod.ErrAborted)
	must(t, cluster.SetLeader("t", 0, 1))

	ctx, cancel := context.WithCancel(background(t))
	err = producer.Transact(ctx, func(*kprod.Transaction) error { cancel(); return nil })
	wantCode(t, err, kprod.ErrAborted)
	func() {
		defer func() {
			if recover() != "panic" {
				t.Error("the panic was lost")
			}
		}()
		producer.Transact(background(t), func(*kprod.Transaction) error { panic("panic") })
	}()

	must(t, producer.Transact(background(t), func(*kprod.Transaction) error {
		_, err := producer.Send(background(t), &kprod.Record{Topic: "t"})
		return err
	}))
}

func TestTransactLeavesAloneWhatItsFunctionHasEnded(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newTransactional(t, cluster)
	wrong := errors.New("wrong")
	ctx, cancel := context.WithCancel(background(t))
	must(t, producer.Transact(ctx, func(transaction *kprod.Transaction) error {
		_, err := producer.Send(background(t), &kprod.Record{Topic: "t"})
		must(t, err)
		must(t, transaction.Commit(background(t)))
		cancel() // when all is committed
		return nil
	}))
	must(t, producer.Transact(background(t), func(transaction *kprod.Transaction) error {
		return transaction.Abort(background(t))
	}))
	if err := producer.Transact(background(t), func(transaction *kprod.Transaction) error {
		must(t, transaction.Commit(background(t)))
		return wrong
	}); err != wrong {
		t.Fatal(err)
	}
	must(t, producer.Transact(background(t), nothing))
}

func TestAFailedRecordFailsTheCommit(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newTransactional(t, cluster)
	transaction, err := producer.Begin(background(t))
	must(t, err)
	must(t, cluster.Inject(mock.Fault{Kind: mock.Fail, Error: kprod.ErrTopicAuthorizationFailed}))
	must(t, producer.SendAsync(background(t), &kprod.Record{Topic: "t"}, nil))
	failure := wantCode(t, transaction.Commit(background(t)), kprod.ErrTopicAuthorizationFailed)
	if !failure.Abortable() {
		t.Fatalf("%+v is not abortable", failure)
	}
	must(t, transaction.Abort(background(t)))
}

func TestWithoutATransactionalIDThereAreNone(t *testing.T) {
	producer := newProducer(t, newCluster(t, "t", 1), nil)
	if _, err := producer.Begin(background(t)); err == nil {
		t.Fatal("a transaction was begun")
	}
}

// The APIs whose answers the tests of unfinished steps delay, by how much, and how long those are waited for.
const (
	apiMetadata         = 3
	apiInitProducerID   = 22
	apiEndTxn           = 26
	apiTxnOffsetCommit  = 28
	lateBy              = 300 * time.Millisecond
	longBeforeItsAnswer = 50 * time.Millisecond
)

// inVain takes a step whose context ends long before the answer comes.
func inVain(t *testing.T, cluster *mock.Cluster, api int, step func(context.Context) error) {
	t.Helper()
	must(t, cluster.Inject(mock.Fault{API: api, Delay: lateBy}))
	ctx, cancel := context.WithTimeout(background(t), longBeforeItsAnswer)
	defer cancel()
	wantRefusal(t, step(ctx), context.DeadlineExceeded)
}

// eventually takes a step until it has not timed out.
func eventually(step func() error) error {
	for {
		if err := step(); !errors.Is(err, kprod.ErrTimedOut) {
			return err
		}
		runtime.Gosched()
	}
}

func TestACommitThatWasGivenUpTellsItsOutcome(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newTransactional(t, cluster)
	for _, later := range []bool{false, true} {
		transaction, err := producer.Begin(background(t))
		must(t, err)
		_, err = producer.Send(background(t), &kprod.Record{Topic: "t"})
		must(t, err)
		inVain(t, cluster, apiEndTxn, transaction.Commit)
		wantCode(t, transaction.Abort(background(t)), kprod.ErrIllegalState)
		_, err = producer.Begin(background(t))
		if failure := wantCode(t, err, kprod.ErrIllegalState); !strings.Contains(failure.Message, "Commit has not ended") {
			t.Fatal(failure)
		}
		if later { // an outcome that is there is told whatever became of the context
			must(t, eventually(func() error { return transaction.Commit(ended(t)) }))
		} else {
			must(t, transaction.Commit(background(t)))
		}
		must(t, transaction.Abort(background(t)))
		wantCode(t, transaction.Commit(background(t)), kprod.ErrIllegalState)
	}
}

func TestAnAbortThatWasGivenUpTellsItsOutcome(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newTransactional(t, cluster)
	transaction, err := producer.Begin(background(t))
	must(t, err)
	_, err = producer.Send(background(t), &kprod.Record{Topic: "t"})
	must(t, err)
	inVain(t, cluster, apiEndTxn, transaction.Abort)
	wantCode(t, transaction.Commit(background(t)), kprod.ErrIllegalState)
	must(t, transaction.Abort(background(t)))
	must(t, producer.Transact(background(t), nothing))
}

func nothing(*kprod.Transaction) error { return nil }

// max.block.ms ends a step in the library, which is resumed all the same.
func TestAStepThatOutlivedMaxBlockIsResumed(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, kprod.Config{"transactional.id": "a", "max.block.ms": "200"})
	transact := func() error { return producer.Transact(background(t), nothing) }
	must(t, eventually(transact)) // so that connecting does not count
	transaction, err := producer.Begin(background(t))
	must(t, err)
	_, err = producer.Send(background(t), &kprod.Record{Topic: "t"})
	must(t, err)
	must(t, cluster.Inject(mock.Fault{API: apiEndTxn, Delay: 2 * lateBy}))
	failure := wantCode(t, transaction.Commit(background(t)), kprod.ErrTimedOut)
	if !strings.Contains(failure.Message, "Commit timed out") || strings.Contains(failure.Message, "kprod_") {
		t.Fatal(failure)
	}
	wantCode(t, transaction.Abort(background(t)), kprod.ErrIllegalState)
	must(t, eventually(func() error { return transaction.Commit(background(t)) }))

	// The commit of a Transact goes on as well, and whoever begins next waits for it.
	must(t, cluster.Inject(mock.Fault{API: apiEndTxn, Delay: 2 * lateBy}))
	wantCode(t, producer.Transact(background(t), func(*kprod.Transaction) error {
		_, err := producer.Send(background(t), &kprod.Record{Topic: "t"})
		return err
	}), kprod.ErrTimedOut)
	must(t, eventually(transact))
}

// What became of a Transact that timed out, its transaction tells until the next one begins.
func TestATransactThatTimedOutIsAskedForItsOutcome(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, kprod.Config{"transactional.id": "a", "max.block.ms": "200"})
	must(t, eventually(func() error { return producer.Transact(background(t), nothing) })) // so that connecting does not count
	for api, want := range map[int]error{apiEndTxn: nil, apiTxnOffsetCommit: kprod.ErrIllegalState} {
		var kept *kprod.Transaction
		must(t, cluster.Inject(mock.Fault{API: api, Delay: 2 * lateBy}))
		wantCode(t, producer.Transact(background(t), func(transaction *kprod.Transaction) error {
			kept = transaction
			return transaction.SendOffsets(background(t), someOffsets, kprod.Group{ID: "group"})
		}), kprod.ErrTimedOut)
		outcome := func() error { return kept.Commit(background(t)) }
		if err := eventually(outcome); !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
		must(t, eventually(func() error { return producer.Transact(background(t), nothing) }))
		wantCode(t, outcome(), kprod.ErrIllegalState)
	}
}

func TestAnOldHandleDoesNotTouchTheNextTransaction(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newTransactional(t, cluster)
	old, err := producer.Begin(background(t))
	must(t, err)
	must(t, old.Abort(background(t)))
	next, err := producer.Begin(background(t))
	must(t, err)
	outcome := make(chan error, 1)
	must(t, producer.SendAsync(background(t), &kprod.Record{Topic: "t"}, func(_ kprod.Report, err error) { outcome <- err }))
	must(t, old.Abort(background(t)))
	wantCode(t, old.Commit(background(t)), kprod.ErrIllegalState)
	wantCode(t, old.SendOffsets(background(t), someOffsets, kprod.Group{ID: "group"}), kprod.ErrIllegalState)
	must(t, receive(t, outcome))
	must(t, next.Commit(background(t)))
}

var someOffsets = []kprod.Offset{{Topic: "t", Offset: 7, LeaderEpoch: -1}}

func TestOffsetsThatWereGivenUpAreResumedOrAborted(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newTransactional(t, cluster)
	group := kprod.Group{ID: "group"}
	transaction, err := producer.Begin(background(t))
	must(t, err)
	offsets := slices.Clone(someOffsets)
	inVain(t, cluster, apiTxnOffsetCommit, func(ctx context.Context) error {
		return transaction.SendOffsets(ctx, offsets, group)
	})
	offsets[0].Offset++
	wantCode(t, transaction.SendOffsets(background(t), offsets, group), kprod.ErrIllegalState)
	wantCode(t, transaction.Commit(background(t)), kprod.ErrIllegalState)
	must(t, transaction.SendOffsets(background(t), someOffsets, group))
	must(t, transaction.Commit(background(t)))

	transaction, err = producer.Begin(background(t))
	must(t, err)
	inVain(t, cluster, apiTxnOffsetCommit, func(ctx context.Context) error {
		return transaction.SendOffsets(ctx, someOffsets, group)
	})
	must(t, transaction.Abort(background(t)))

	inVain(t, cluster, apiTxnOffsetCommit, func(ctx context.Context) error {
		return producer.Transact(ctx, func(transaction *kprod.Transaction) error {
			return transaction.SendOffsets(ctx, someOffsets, group)
		})
	})
	must(t, producer.Transact(background(t), nothing))
}

func TestABeginThatWasGivenUpIsTakenOver(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newTransactional(t, cluster)
	inVain(t, cluster, apiInitProducerID, func(ctx context.Context) error { return producer.Transact(ctx, nothing) })
	transaction, err := producer.Begin(background(t))
	must(t, err)
	must(t, transaction.Commit(background(t)))
	must(t, producer.Transact(background(t), nothing))
}

// Wherever a context ends, the next transaction can be had.
func TestNoEndOfAContextLeavesATransactionOpen(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	for i := range 120 {
		producer := newProducer(t, cluster, kprod.Config{"transactional.id": fmt.Sprint(i % 4)})
		if i%2 == 1 {
			must(t, producer.Transact(background(t), nothing))
		}
		ctx, cancel := context.WithTimeout(background(t), time.Duration(i)*40*time.Microsecond)
		producer.Transact(ctx, func(transaction *kprod.Transaction) error {
			if err := producer.SendAsync(ctx, &kprod.Record{Topic: "t"}, nil); err != nil {
				return err
			}
			return transaction.SendOffsets(ctx, someOffsets, kprod.Group{ID: "group"})
		})
		cancel()
		if err := producer.Transact(background(t), nothing); err != nil {
			t.Fatalf("after %d: %v", i, err)
		}
		must(t, producer.Close(background(t)))
	}
}

// An abort behind offsets that cannot be sent still heeds its context, and the producer's end.
func TestAnAbortBehindHopelessOffsetsHeedsItsContext(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newTransactional(t, cluster)
	transaction, err := producer.Begin(background(t))
	must(t, err)
	must(t, cluster.Inject(mock.Fault{API: apiTxnOffsetCommit, Kind: mock.Fail, Error: kprod.ErrCoordinatorNotAvailable, Times: -1}))
	ctx, cancel := context.WithTimeout(background(t), longBeforeItsAnswer)
	defer cancel()
	wantRefusal(t, transaction.SendOffsets(ctx, someOffsets, kprod.Group{ID: "group"}), context.DeadlineExceeded)
	wantRefusal(t, transaction.Abort(ctx), context.DeadlineExceeded)
	short, cancel := context.WithTimeout(background(t), longBeforeItsAnswer)
	defer cancel()
	wantRefusal(t, transaction.Abort(short), context.DeadlineExceeded)
	aborted := make(chan error, 1)
	go func() { aborted <- transaction.Abort(background(t)) }()
	select {
	case err := <-aborted:
		t.Fatalf("the abort did not wait: %v", err)
	case <-time.After(longBeforeItsAnswer):
	}
	producer.Close(short)
	wantCode(t, receive(t, aborted), kprod.ErrClosed)
}

// An answer that a step goes on, which came while nobody waited, is no outcome: the next call waits for that.
func TestAStepThatTimedOutUnawaitedIsResumed(t *testing.T) {
	const maxBlock = time.Second
	type step func(context.Context, *kprod.Producer, *kprod.Transaction) error
	resumed := func(t *testing.T, api int, take step, after time.Duration) {
		t.Parallel()
		cluster := newCluster(t, "t", 1)
		producer := newProducer(t, cluster, kprod.Config{"transactional.id": "a", "max.block.ms": "1000"})
		_, err := producer.PartitionsFor(background(t), "t")
		must(t, err)
		var transaction *kprod.Transaction
		if api != apiInitProducerID {
			must(t, eventually(func() error { transaction, err = producer.Begin(background(t)); return err }))
			_, err = producer.Send(background(t), &kprod.Record{Topic: "t"})
			must(t, err)
		}
		must(t, cluster.Inject(mock.Fault{API: api, Delay: after + maxBlock*3/4}))
		ctx, cancel := context.WithTimeout(background(t), longBeforeItsAnswer)
		defer cancel()
		wantCode(t, take(ctx, producer, transaction), kprod.ErrTimedOut)
		time.Sleep(after - longBeforeItsAnswer)
		must(t, take(background(t), producer, transaction))
	}
	for name, of := range map[string]struct {
		api  int
		take step
	}{
		"Begin": {apiInitProducerID, func(ctx context.Context, producer *kprod.Producer, _ *kprod.Transaction) error {
			_, err := producer.Begin(ctx)
			return err
		}},
		"SendOffsets": {apiTxnOffsetCommit, func(ctx context.Context, _ *kprod.Producer, transaction *kprod.Transaction) error {
			return transaction.SendOffsets(ctx, someOffsets, kprod.Group{ID: "group"})
		}},
		"Commit": {apiEndTxn, func(ctx context.Context, _ *kprod.Producer, transaction *kprod.Transaction) error {
			return transaction.Commit(ctx)
		}},
		"Abort": {apiEndTxn, func(ctx context.Context, _ *kprod.Producer, transaction *kprod.Transaction) error {
			return transaction.Abort(ctx)
		}},
	} {
		t.Run(name+" before the answer", func(t *testing.T) { resumed(t, of.api, of.take, maxBlock/2) })
		t.Run(name+" after the answer", func(t *testing.T) { resumed(t, of.api, of.take, maxBlock*3/2) })
	}
}

// A step that a function given to a send holds up is unfinished in time, and resumed when the function has returned.
func TestAHeldUpStepIsUnfinished(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, kprod.Config{"transactional.id": "a", "max.block.ms": "400"})
	var transaction *kprod.Transaction
	must(t, eventually(func() (err error) { transaction, err = producer.Begin(background(t)); return err }))
	release := holdUp(t, producer)
	committed := make(chan error, 1)
	commit := func() { committed <- transaction.Commit(context.Background()) }
	go commit()
	if failure := wantCode(t, receive(t, committed), kprod.ErrTimedOut); !strings.Contains(failure.Message, "holds up") {
		t.Fatal(failure)
	}
	release()
	go commit()
	must(t, receive(t, committed))
}
