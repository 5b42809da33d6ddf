package kprod_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"kprod"
	"kprod/mock"
)

func newBatch(t *testing.T, producer *kprod.Producer, records int) *kprod.Batch {
	t.Helper()
	batch, err := producer.NewBatch()
	must(t, err)
	for range records {
		_, err := batch.Append(&kprod.Record{Value: []byte("value")})
		must(t, err)
	}
	return batch
}

func TestABatchTellsWhatItHolds(t *testing.T) {
	producer := newProducer(t, newCluster(t, "t", 1), kprod.Config{"batch.size": "1000"})
	batch := newBatch(t, producer, 0)
	if batch.Size() != 61 || batch.Len() != 0 {
		t.Fatal(batch.Size(), batch.Len())
	}
	at := time.UnixMilli(1_700_000_000_000)
	size := batch.Size()
	for offset := int64(0); ; offset++ {
		appended, err := batch.Append(&kprod.Record{
			Key: []byte("k"), Value: make([]byte, 100), Timestamp: at, Headers: []kprod.Header{{Key: "h"}},
		})
		if errors.Is(err, kprod.ErrBatchFull) {
			break
		}
		must(t, err)
		size += appended.Size
		if appended.Offset != offset || !appended.Timestamp.Equal(at) || batch.Size() != size {
			t.Fatalf("%+v, %d", appended, batch.Size())
		}
	}
	_, err := batch.Append(&kprod.Record{})
	wantCode(t, err, kprod.ErrIllegalState)
	_, err = newBatch(t, producer, 0).Append(&kprod.Record{Topic: "t"})
	wantCode(t, err, kprod.ErrInvalidArg)
	must(t, batch.Close())
	records := batch.Len()
	report, err := batch.Send(background(t), "t", 0)
	must(t, err)
	if report.Records != records || batch.Len() != records || report.Offset != 0 || report.Partition != 0 {
		t.Fatalf("%+v", report)
	}
	_, err = batch.Send(background(t), "t", 0)
	wantCode(t, err, kprod.ErrIllegalState)
	wantCode(t, batch.Close(), kprod.ErrIllegalState)
}

func TestBatchesFollowEachOther(t *testing.T) {
	cluster := newCluster(t, "t", 2)
	producer := newProducer(t, cluster, nil)
	outcomes := make(chan kprod.Report, 5)
	for range 5 {
		must(t, newBatch(t, producer, 10).SendAsync(background(t), "t", 1, func(report kprod.Report, err error) {
			if err != nil {
				t.Error(err)
			}
			outcomes <- report
		}))
	}
	for i := range int64(5) {
		if report := receive(t, outcomes); report.Offset != 10*i || report.Records != 10 || report.Partition != 1 {
			t.Fatalf("%+v", report)
		}
	}
	report, err := newBatch(t, producer, 0).Send(background(t), "t", 0)
	if err != nil || report.Records != 0 || report.Offset != -1 {
		t.Fatalf("%+v, %v", report, err)
	}
	if produced, _ := cluster.Requests(0); produced > 5 {
		t.Fatalf("%d requests", produced)
	}
}

func TestARefusedBatchMayBeSentAgain(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, nil)
	batch := newBatch(t, producer, 3)
	_, err := batch.Send(background(t), "t", 7)
	wantCode(t, err, kprod.ErrUnknownPartition)
	report, err := batch.Send(background(t), "t", 0)
	must(t, err)
	if report.Records != 3 || records(t, cluster, "t", 1) != 3 {
		t.Fatalf("%+v", report)
	}
}

func TestACancelledBatchIsNeverSent(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, nil)
	_, err := producer.PartitionsFor(background(t), "t")
	must(t, err)
	must(t, cluster.SetBroker(1, mock.Down))
	never := newBatch(t, producer, 3)
	before := newBatch(t, producer, 1)
	must(t, before.SendAsync(background(t), "t", 0, nil))
	ctx, cancel := context.WithTimeout(background(t), 50*time.Millisecond)
	defer cancel()
	for { // until one has to wait for those before it
		err := never.SendAsync(ctx, "t", 0, func(kprod.Report, error) {})
		if err != nil {
			wantRefusal(t, err, context.DeadlineExceeded)
			break
		}
		never = newBatch(t, producer, 3)
	}
	_, err = never.Append(&kprod.Record{})
	wantCode(t, err, kprod.ErrIllegalState)
	must(t, cluster.SetBroker(1, mock.Up))
	must(t, producer.Flush(background(t)))
	if got := records(t, cluster, "t", 1); got%3 != 1 {
		t.Fatalf("%d records in the log", got)
	}
}

func TestAContextThatHadEndedDiscardsTheBatch(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, nil)
	batch := newBatch(t, producer, 3)
	_, err := batch.Send(ended(t), "t", 0)
	wantRefusal(t, err, context.Canceled)
	_, err = batch.Append(&kprod.Record{})
	wantCode(t, err, kprod.ErrIllegalState)
	wantCode(t, batch.SendAsync(background(t), "t", 0, nil), kprod.ErrIllegalState)
	must(t, producer.Flush(background(t)))
	if got := records(t, cluster, "t", 1); got != 0 {
		t.Fatalf("%d records in the log", got)
	}
}

func TestABatchOutlivesItsProducer(t *testing.T) {
	producer := newProducer(t, newCluster(t, "t", 1), nil)
	batch := newBatch(t, producer, 1)
	must(t, producer.Close(background(t)))
	_, err := producer.NewBatch()
	wantCode(t, err, kprod.ErrClosed)
	_, err = batch.Send(background(t), "t", 0)
	wantCode(t, err, kprod.ErrClosed)
	_, err = batch.Append(&kprod.Record{})
	must(t, err)
	batch = nil
	runtime.GC() // frees it
	runtime.GC()
}

// holdUp lets a function given to a send hold up the poller, until the test's end or before.
func holdUp(t *testing.T, producer *kprod.Producer) (release func()) {
	t.Helper()
	held, over := make(chan struct{}), make(chan struct{})
	must(t, producer.SendAsync(background(t), &kprod.Record{Topic: "t"}, func(kprod.Report, error) {
		close(held)
		<-over
	}))
	receive(t, held)
	release = sync.OnceFunc(func() { close(over) })
	t.Cleanup(release)
	return release
}

// Whatever holds up the outcomes, a batch is accepted if there is room for it, and else given up in time.
func TestABatchBehindAHeldUpAnswerIsAcceptedOrGivenUp(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, kprod.Config{"max.block.ms": "200"})
	must(t, eventually(func() error { return producer.Start(background(t)) }))
	must(t, eventually(func() error { _, err := producer.PartitionsFor(background(t), "t"); return err }))
	holdUp(t, producer)
	ctx, cancel := context.WithTimeout(background(t), 50*time.Millisecond)
	defer cancel()
	accepted := make(chan error, 1)
	go func() { accepted <- newBatch(t, producer, 1).SendAsync(context.Background(), "t", 0, nil) }()
	must(t, receive(t, accepted))

	must(t, cluster.SetBroker(1, mock.Down))
	refused := make(chan error, 2)
	untilRefused := func(ctx context.Context) {
		for {
			if err := newBatch(t, producer, 1).SendAsync(ctx, "t", 0, nil); err != nil {
				refused <- err
				return
			}
		}
	}
	go untilRefused(context.Background())
	go untilRefused(ctx)
	for range 2 {
		wantCode(t, receive(t, refused), kprod.ErrTimedOut)
	}
	late := newBatch(t, producer, 1)
	result := make(chan error, 1)
	go func() { result <- late.SendAsync(context.Background(), "unknown", 0, nil) }()
	wantCode(t, receive(t, result), kprod.ErrTimedOut)
	if _, err := late.Append(&kprod.Record{}); err != nil {
		t.Fatalf("a batch that was not accepted in time is not as it was: %v", err)
	}
}

// Batches that wait for a partition are accepted in the order in which they came, and newcomers do not pass them.
func TestBatchesThatWaitKeepTheirOrder(t *testing.T) {
	const waiting = 6
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, kprod.Config{"max.in.flight.requests.per.connection": "1"})
	_, err := producer.PartitionsFor(background(t), "t")
	must(t, err)
	must(t, cluster.SetBroker(1, mock.Down))
	offsets := make(chan int64, 2+waiting)
	sent := make(chan error, 2+waiting)
	send := func(records int) {
		sent <- newBatch(t, producer, records).SendAsync(background(t), "t", 0, func(report kprod.Report, err error) {
			if err != nil {
				t.Error(err)
			}
			offsets <- report.Offset
		})
	}
	for i := range waiting {
		go send(i + 1)
		time.Sleep(longBeforeItsAnswer) // so that it waits before the next
	}
	must(t, cluster.SetBroker(1, mock.Up))
	for range waiting {
		must(t, receive(t, sent))
	}
	for i := range int64(waiting) {
		if got := receive(t, offsets); got != i*(i+1)/2 {
			t.Fatalf("batch %d stands at %d", i, got)
		}
	}
}

// A batch that waits lets the one before it linger no longer.
func TestABatchEndsTheLingeringOfTheOneBefore(t *testing.T) {
	producer := newProducer(t, newCluster(t, "t", 1), kprod.Config{"linger.ms": "600000", "request.timeout.ms": "700000"})
	for range 3 {
		must(t, newBatch(t, producer, 1).SendAsync(background(t), "t", 0, nil))
	}
	_, err := newBatch(t, producer, 1).Send(background(t), "t", 0)
	must(t, err)
}

// A batch that waits when its transaction ends, or its producer, is refused and stays as it was.
func TestABatchDoesNotWaitForTheNextTransaction(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newTransactional(t, cluster)
	_, err := producer.PartitionsFor(background(t), "t")
	must(t, err)
	waits := make(chan error, 1)
	var last *kprod.Batch
	untilRefused := func() {
		for {
			last = newBatch(t, producer, 1)
			if err := last.SendAsync(background(t), "t", 0, nil); err != nil {
				waits <- err
				return
			}
		}
	}
	for _, end := range []func(*kprod.Transaction) error{
		func(transaction *kprod.Transaction) error { return transaction.Commit(background(t)) },
		func(transaction *kprod.Transaction) error { return transaction.Abort(background(t)) },
		func(*kprod.Transaction) error { producer.Close(ended(t)); return nil },
	} {
		transaction, err := producer.Begin(background(t))
		must(t, err)
		must(t, cluster.SetBroker(1, mock.Down))
		go untilRefused()
		time.Sleep(longBeforeItsAnswer) // until it waits; otherwise it is refused all the same
		over := make(chan error, 1)
		go func() { over <- end(transaction) }()
		if err := receive(t, waits); !errors.Is(err, kprod.ErrIllegalState) && !errors.Is(err, kprod.ErrClosed) {
			t.Fatal(err)
		}
		_, err = last.Append(&kprod.Record{})
		must(t, err)
		must(t, cluster.SetBroker(1, mock.Up))
		must(t, receive(t, over))
	}
}
