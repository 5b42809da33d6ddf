package kprod_test

import (
	"context"
	"errors"
	"runtime"
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
