package kprod_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kprod"
	"kprod/mock"
)

func TestSendTellsWhereTheRecordStands(t *testing.T) {
	producer := newProducer(t, newCluster(t, "greetings", 4), kprod.Config{"acks": "all"})
	ctx := background(t)
	at := time.UnixMilli(1_700_000_000_123)
	for offset := range int64(3) {
		report, err := producer.Send(ctx, &kprod.Record{
			Topic: "greetings", Partition: kprod.To(2), Key: []byte{}, Value: []byte("hello"), Timestamp: at,
			Headers: []kprod.Header{{Key: "a", Value: []byte("b")}, {Key: ""}, {Key: "a", Value: []byte{}}},
		})
		must(t, err)
		if report.Topic != "greetings" || report.Partition != 2 || report.Offset != offset || report.Records != 1 {
			t.Fatalf("%+v", report)
		}
		if !report.Timestamp().Equal(at) || report.TimestampType != kprod.CreateTime {
			t.Fatalf("timestamp %v of type %v", report.Timestamp(), report.TimestampType)
		}
		if report.Persistence() != kprod.Persisted {
			t.Fatal(report.Persistence())
		}
	}
}

func TestTheZeroRecordIsSentByThePartitionerAndNow(t *testing.T) {
	producer := newProducer(t, newCluster(t, "t", 1), nil)
	before := time.Now().Add(-time.Second)
	report, err := producer.Send(background(t), &kprod.Record{Topic: "t"})
	must(t, err)
	if report.Timestamp().Before(before) || report.Partition != 0 {
		t.Fatalf("%+v at %v", report, report.Timestamp())
	}
}

func TestSendDoesNotLinger(t *testing.T) {
	producer := newProducer(t, newCluster(t, "t", 1), kprod.Config{"linger.ms": "600000", "request.timeout.ms": "700000"})
	_, err := producer.Send(background(t), &kprod.Record{Topic: "t"})
	must(t, err)
}

func TestACallbackThatEndsItsGoroutineStopsNoOther(t *testing.T) {
	producer := newProducer(t, newCluster(t, "t", 1), nil)
	var called atomic.Int32
	for range 100 {
		must(t, producer.SendAsync(background(t), &kprod.Record{Topic: "t"}, func(kprod.Report, error) {
			called.Add(1)
			runtime.Goexit()
		}))
	}
	must(t, producer.Flush(background(t)))
	if called.Load() != 100 {
		t.Fatal(called.Load())
	}
	must(t, producer.Close(background(t)))
}

func TestManyHeadersAndLargeOnes(t *testing.T) {
	producer := newProducer(t, newCluster(t, "t", 1), nil)
	record := kprod.Record{Topic: "t"}
	for i := range 100 {
		record.Headers = append(record.Headers, kprod.Header{Key: fmt.Sprint(i), Value: make([]byte, i*10)})
	}
	_, err := producer.Send(background(t), &record)
	must(t, err)
}

func TestEachOfManyGoroutinesKeepsItsOrder(t *testing.T) {
	const senders, each = 8, 2000
	cluster := newCluster(t, "t", 3)
	producer := newProducer(t, cluster, kprod.Config{"buffer.memory": "200000", "batch.size": "4000"})
	ctx := background(t)
	var reports [senders][each]atomic.Int32
	var last [senders]int64
	var outcomes, all sync.WaitGroup
	outcomes.Add(senders * each)
	for sender := range senders {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := range each {
				record := kprod.Record{Topic: "t", Partition: kprod.To(int32(sender % 3)), Value: make([]byte, 50)}
				err := producer.SendAsync(ctx, &record, func(report kprod.Report, err error) {
					defer outcomes.Done()
					if err != nil || reports[sender][i].Add(1) != 1 || i > 0 && report.Offset <= last[sender] {
						t.Errorf("record %d of %d: %+v, %v, after offset %d", i, sender, report, err, last[sender])
					}
					last[sender] = report.Offset
				})
				if err != nil {
					t.Error(err)
					outcomes.Done()
				}
			}
		}()
	}
	all.Wait()
	outcomes.Wait()
	if got := records(t, cluster, "t", 3); got != senders*each {
		t.Fatalf("%d records in the log", got)
	}
}

func TestOutcomesOnAChannel(t *testing.T) {
	producer := newProducer(t, newCluster(t, "t", 1), nil)
	results := make(chan kprod.Result, 2)
	first, second := &kprod.Record{Topic: "t"}, &kprod.Record{Topic: "t"}
	must(t, producer.SendChan(background(t), first, results))
	must(t, producer.SendChan(background(t), second, results))
	for offset, record := range []*kprod.Record{first, second} {
		result := receive(t, results)
		if result.Err != nil || result.Record != record || result.Report.Offset != int64(offset) {
			t.Fatalf("%+v", result)
		}
	}
}

func TestTrySendNeverWaits(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	must(t, cluster.SetBroker(1, mock.Down))
	producer := newProducer(t, cluster, kprod.Config{"buffer.memory": "100000", "batch.size": "10000"})
	var delivered sync.WaitGroup
	var failed atomic.Int32
	accepted := 0
	for ; ; accepted++ {
		delivered.Add(1)
		err := producer.TrySend(&kprod.Record{Topic: "t", Value: make([]byte, 5000)}, func(_ kprod.Report, err error) {
			if err != nil {
				failed.Add(1)
			}
			delivered.Done()
		})
		if err != nil {
			delivered.Done()
			if !wantCode(t, err, kprod.ErrQueueFull).Retriable() {
				t.Fatal("not retriable")
			}
			break
		}
	}
	must(t, cluster.SetBroker(1, mock.Up))
	delivered.Wait()
	if accepted < 5 || failed.Load() != 0 || records(t, cluster, "t", 1) != int64(accepted) {
		t.Fatalf("%d accepted, %d failed", accepted, failed.Load())
	}
}

// Fills buffer.memory of a producer whose broker does not answer; gives how many records that took.
func fill(t *testing.T, producer *kprod.Producer) (accepted int) {
	t.Helper()
	for {
		err := producer.TrySend(&kprod.Record{Topic: "t", Value: make([]byte, 5000)}, nil)
		if err != nil {
			wantCode(t, err, kprod.ErrQueueFull)
			return accepted
		}
		accepted++
	}
}

func TestCancelledBeforeAcceptanceIsNeverSent(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, kprod.Config{"buffer.memory": "100000", "batch.size": "10000"})
	_, err := producer.PartitionsFor(background(t), "t")
	must(t, err)
	must(t, cluster.SetBroker(1, mock.Down))
	accepted := fill(t, producer)
	never := func(kprod.Report, error) { t.Error("an outcome of a record that was refused") }

	stopped, stop := context.WithCancel(background(t))
	stop()
	wantRefusal(t, producer.SendAsync(stopped, &kprod.Record{Topic: "t"}, never), context.Canceled)
	late, cancel := context.WithTimeout(background(t), 20*time.Millisecond)
	defer cancel()
	wantRefusal(t, producer.SendAsync(late, &kprod.Record{Topic: "t", Value: make([]byte, 5000)}, never), context.DeadlineExceeded)
	unknown, cancel := context.WithTimeout(background(t), 20*time.Millisecond)
	defer cancel()
	err = producer.SendAsync(unknown, &kprod.Record{Topic: "unknown"}, never)
	wantRefusal(t, err, context.DeadlineExceeded)
	if !strings.Contains(err.Error(), "was not sent") {
		t.Fatal(err)
	}

	// A third one waits until there is room, and is sent.
	third := make(chan error, 1)
	go func() {
		_, err := producer.Send(background(t), &kprod.Record{Topic: "t", Value: make([]byte, 5000)})
		third <- err
	}()
	must(t, cluster.SetBroker(1, mock.Up))
	must(t, receive(t, third))
	must(t, producer.Flush(background(t)))
	if got := records(t, cluster, "t", 1); got != int64(accepted)+1 {
		t.Fatalf("%d records in the log, %d were accepted", got, accepted+1)
	}
}

func wantRefusal(t *testing.T, err, cause error) {
	t.Helper()
	wantCode(t, err, kprod.ErrTimedOut)
	if !errors.Is(err, cause) {
		t.Fatalf("got %v, want %v", err, cause)
	}
}

func TestWithoutRoomASendEndsAfterMaxBlock(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, kprod.Config{"buffer.memory": "100000", "max.block.ms": "100"})
	_, err := producer.PartitionsFor(background(t), "t")
	must(t, err)
	must(t, cluster.SetBroker(1, mock.Down))
	fill(t, producer)
	_, err = producer.Send(background(t), &kprod.Record{Topic: "t", Value: make([]byte, 5000)})
	if failure := wantCode(t, err, kprod.ErrTimedOut); !strings.Contains(failure.Message, "buffer.memory") {
		t.Fatal(failure)
	}
}

// Large records wait for as much room as many small ones take, and get it all the same.
func TestLargeRecordsAreNotPassedForEver(t *testing.T) {
	const size = 85_000
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, kprod.Config{
		"buffer.memory": "100000", "max.request.size": "90000", "batch.size": "1000", "max.block.ms": "5000",
	})
	_, err := producer.PartitionsFor(background(t), "t")
	must(t, err)
	must(t, cluster.Inject(mock.Fault{Delay: 20 * time.Millisecond, Times: -1}))
	var large, small sync.WaitGroup
	var over atomic.Bool
	for range 8 {
		small.Add(1)
		go func() {
			defer small.Done()
			for !over.Load() {
				if err := producer.SendAsync(background(t), &kprod.Record{Topic: "t", Value: make([]byte, 800)}, nil); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	for range 4 {
		large.Add(1)
		go func() {
			defer large.Done()
			for range 5 {
				err := producer.SendAsync(background(t), &kprod.Record{Topic: "t", Value: make([]byte, size)}, nil)
				if err != nil {
					t.Error(err)
				}
			}
		}()
	}
	large.Wait()
	over.Store(true)
	small.Wait()
	must(t, cluster.ClearFaults())
}

func TestASendBehindAHeldUpAnswerEnds(t *testing.T) {
	producer := newProducer(t, newCluster(t, "t", 1), kprod.Config{"max.block.ms": "100"})
	must(t, eventually(func() error { return producer.Start(background(t)) }))
	full := make(chan kprod.Result) // nobody takes from it, until the end
	must(t, producer.TrySend(&kprod.Record{Topic: "t"}, func(kprod.Report, error) { <-full }))
	defer close(full)
	must(t, producer.Purge())
	ended := make(chan error, 2)
	go func() { ended <- producer.SendAsync(context.Background(), &kprod.Record{Topic: "unknown"}, nil) }()
	go func() { ended <- producer.Start(context.Background()) }()
	for range 2 {
		if failure := wantCode(t, receive(t, ended), kprod.ErrTimedOut); !strings.Contains(failure.Message, "holds up") {
			t.Fatal(failure)
		}
	}
}

func TestCancelledAfterAcceptanceIsSentAllTheSame(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, nil)
	_, err := producer.Send(background(t), &kprod.Record{Topic: "t"})
	must(t, err)
	must(t, cluster.Inject(mock.Fault{Kind: mock.Late, Delay: 300 * time.Millisecond}))
	ctx, cancel := context.WithTimeout(background(t), 50*time.Millisecond)
	defer cancel()
	_, err = producer.Send(ctx, &kprod.Record{Topic: "t"})
	wantCode(t, err, kprod.ErrStillPending)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	must(t, producer.Flush(background(t)))
	if got := records(t, cluster, "t", 1); got != 2 {
		t.Fatalf("%d records in the log", got)
	}
}

func TestWhatIsWrongIsRefusedAtOnce(t *testing.T) {
	producer := newProducer(t, newCluster(t, "t", 2), nil)
	for _, wrong := range []struct {
		record kprod.Record
		code   kprod.Code
	}{
		{kprod.Record{Topic: "no/topic"}, kprod.ErrInvalidTopicException},
		{kprod.Record{}, kprod.ErrInvalidTopicException},
		{kprod.Record{Topic: "t", Partition: kprod.To(7)}, kprod.ErrUnknownPartition},
		{kprod.Record{Topic: "t", Partition: kprod.To(-1)}, kprod.ErrInvalidArg},
		{kprod.Record{Topic: "t", Value: make([]byte, 2<<20)}, kprod.ErrRecordTooLarge},
		{kprod.Record{Topic: "t", Timestamp: time.UnixMilli(-1)}, kprod.ErrInvalidTimestampArg},
	} {
		report, err := producer.Send(background(t), &wrong.record)
		wantCode(t, err, wrong.code)
		if !report.Timestamp().IsZero() || report.Offset != -1 {
			t.Fatalf("%+v at %v", report, report.Timestamp())
		}
	}
}

// An error says what to do here, not in C, and which argument is wrong.
func TestErrorsTellWhatToDo(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, nil)
	transactional := newTransactional(t, cluster)
	transaction, err := transactional.Begin(background(t))
	must(t, err)
	batch, closed := newBatch(t, producer, 1), newBatch(t, producer, 1)
	must(t, closed.Close())
	_, negative := batch.Send(background(t), "t", -1)
	_, tooHigh := batch.Send(background(t), "t", 1)
	_, full := closed.Append(&kprod.Record{})
	_, withoutID := producer.Begin(background(t))
	send := func(partition int32) error {
		return producer.SendAsync(background(t), &kprod.Record{Topic: "t", Partition: kprod.To(partition)}, nil)
	}
	_, packed := producer.SendMany(background(t), []kprod.Record{{Topic: "t", Partition: kprod.To(1)}}, nil)
	for _, of := range []struct {
		err  error
		code kprod.Code
		part string
	}{
		{negative, kprod.ErrInvalidArg, "the batch's partition is -1"},
		{send(-1), kprod.ErrInvalidArg, "the record's Partition is negative"},
		{tooHigh, kprod.ErrUnknownPartition, "PartitionsFor"},
		{send(1), kprod.ErrUnknownPartition, "PartitionsFor"},
		{packed, kprod.ErrUnknownPartition, "PartitionsFor"},
		{full, kprod.ErrIllegalState, "the batch is closed: send it"},
		{withoutID, kprod.ErrIllegalState, "Begin: the producer has no transactional.id"},
		{transaction.SendOffsets(background(t), someOffsets, kprod.Group{}), kprod.ErrInvalidArg, "Group needs an ID"},
	} {
		if failure := wantCode(t, of.err, of.code); !strings.Contains(failure.Message, of.part) {
			t.Errorf("%v does not say %q", failure, of.part)
		}
	}
	must(t, transaction.Commit(background(t)))
	for _, code := range []kprod.Code{
		kprod.ErrInCallback, kprod.ErrIllegalState, kprod.ErrTimedOut, kprod.ErrQueueFull, kprod.ErrReportQueueFull,
		kprod.ErrUnknownPartition,
	} {
		for _, ofC := range []string{"kprod_", "WRITABLE", "twin", "where the call gives one"} {
			if strings.Contains(code.Error(), ofC) {
				t.Errorf("%v speaks of C", code)
			}
		}
	}
	_, err = batch.Send(background(t), "t", 0) // it was refused, and stayed as it was
	must(t, err)
}

func TestNilIsRefused(t *testing.T) {
	producer := newProducer(t, newCluster(t, "t", 1), nil)
	batch := newBatch(t, producer, 1)
	_, fromSend := producer.Send(background(t), nil)
	_, fromBatch := batch.Append(nil)
	var none context.Context
	_, withoutContext := producer.Send(none, &kprod.Record{Topic: "t"})
	_, batchWithoutContext := batch.Send(none, "t", 0)
	_, packWithoutContext := producer.SendMany(none, []kprod.Record{{Topic: "t"}}, nil)
	_, beginWithoutContext := producer.Begin(none)
	for _, err := range []error{
		fromSend, fromBatch, producer.TrySend(nil, nil), producer.NewPack().Append(nil), withoutContext,
		batchWithoutContext, packWithoutContext, beginWithoutContext, producer.Flush(none), producer.Close(none),
	} {
		wantCode(t, err, kprod.ErrInvalidArg)
	}
	_, err := batch.Send(background(t), "t", 0)
	must(t, err)
}

func TestABrokersRefusalIsAnErrorThatTellsItAll(t *testing.T) {
	cluster := newCluster(t, "secrets", 1)
	producer := newProducer(t, cluster, nil)
	must(t, cluster.Inject(mock.Fault{Kind: mock.Fail, Error: kprod.ErrTopicAuthorizationFailed}))
	_, err := producer.Send(background(t), &kprod.Record{Topic: "secrets"})
	failure := wantCode(t, err, kprod.ErrTopicAuthorizationFailed)
	if failure.Retriable() || failure.Fatal() || failure.Abortable() || failure.Persistence() != kprod.NotPersisted {
		t.Fatalf("%+v", failure)
	}
	if !strings.Contains(failure.Message, "secrets") {
		t.Fatalf("the message does not name the topic: %s", failure.Message)
	}
}

func TestACodeWithoutANameIsANumber(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, nil)
	must(t, cluster.Inject(mock.Fault{Kind: mock.Fail, Error: 12345}))
	_, err := producer.Send(background(t), &kprod.Record{Topic: "t"})
	failure := wantCode(t, err, 12345)
	if !strings.Contains(failure.Error(), "12345") || !strings.Contains(failure.Code.Error(), "12345") {
		t.Fatal(failure, failure.Code)
	}
}

func TestRetriesAreTheLibrarysBusiness(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, nil)
	must(t, cluster.Inject(mock.Fault{Kind: mock.Fail, Error: kprod.ErrNotEnoughReplicas, Times: 3}))
	must(t, cluster.Inject(mock.Fault{Kind: mock.Cut, Times: 2}))
	report, err := producer.Send(background(t), &kprod.Record{Topic: "t"})
	must(t, err)
	if report.Offset != 0 {
		t.Fatalf("%+v", report)
	}
}
