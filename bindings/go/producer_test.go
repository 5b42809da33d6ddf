package kprod_test

import (
	"context"
	"errors"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kprod"
	"kprod/mock"
)

func TestPropertiesWithAByteZeroAreRefused(t *testing.T) {
	for name, value := range map[string]string{"linger.ms\x00x": "7", "client.id": "a\x00b"} {
		_, err := kprod.New(kprod.Config{"bootstrap.servers": "localhost:1", name: value})
		if failure := wantCode(t, err, kprod.ErrInvalidArg); !strings.Contains(failure.Message, name[:9]) {
			t.Fatal(failure)
		}
	}
}

func TestConfigurationErrorsNameTheRemedy(t *testing.T) {
	_, err := kprod.New(kprod.Config{"bootstrap.server": "localhost:9092"})
	if failure := wantCode(t, err, kprod.ErrUnknownConfig); !strings.Contains(failure.Message, "bootstrap.servers") {
		t.Fatal(failure)
	}
	_, err = kprod.New(kprod.Config{"bootstrap.servers": "localhost:9092", "acks": "most"})
	wantCode(t, err, kprod.ErrInvalidConfig)
	_, err = kprod.New(nil)
	wantCode(t, err, kprod.ErrInvalidConfig)
}

// Without reports nobody would be told an outcome.
func TestReportsMayNotBeTurnedOff(t *testing.T) {
	for _, off := range []kprod.Config{
		{"kprod.delivery.reports": "none"}, {"kprod.delivery.reports": "errors"}, {"delivery.report.only.error": "true"},
	} {
		off["bootstrap.servers"] = "localhost:1"
		producer, err := kprod.New(off)
		if err == nil {
			producer.Close(background(t))
		}
		if failure := wantCode(t, err, kprod.ErrInvalidConfig); !strings.Contains(failure.Message, "kprod.delivery.reports") {
			t.Fatal(failure)
		}
	}
	for _, on := range []kprod.Config{{"kprod.delivery.reports": "all"}, {"delivery.report.only.error": "false"}} {
		producer := newProducer(t, newCluster(t, "t", 1), on)
		_, err := producer.Send(background(t), &kprod.Record{Topic: "t"})
		must(t, err)
	}
}

func TestVersionIsTheLibrarys(t *testing.T) {
	if !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(kprod.Version()) {
		t.Fatal(kprod.Version())
	}
}

// Every code of the header has its constant, of the same number and name.
func TestCodesAreComplete(t *testing.T) {
	header, err := os.ReadFile("../../include/kprod.h")
	must(t, err)
	source, err := os.ReadFile("code.go")
	must(t, err)
	defined := regexp.MustCompile(`#define KPROD_ERR_(\w+) \((-?\d+)\)`).FindAllStringSubmatch(string(header), -1)
	if len(defined) < 100 {
		t.Fatalf("%d codes in the header", len(defined))
	}
	for _, code := range defined[1:] {
		name, number := code[1], code[2]
		parsed, err := strconv.Atoi(number)
		must(t, err)
		if kprod.Code(parsed).Name() != name {
			t.Errorf("%s is named %s by the library", name, kprod.Code(parsed).Name())
		}
		if !regexp.MustCompile(`C\.KPROD_ERR_` + name + `\n`).Match(source) {
			t.Errorf("%s has no constant", name)
		}
	}
}

func TestPartitionsFor(t *testing.T) {
	cluster := newCluster(t, "t", 7)
	producer := newProducer(t, cluster, nil)
	must(t, producer.Start(background(t)))
	count, err := producer.PartitionsFor(background(t), "t")
	must(t, err)
	if count != 7 {
		t.Fatal(count)
	}
	must(t, cluster.SetBroker(1, mock.Down))
	short, cancel := context.WithTimeout(background(t), 20*time.Millisecond)
	defer cancel()
	_, err = producer.PartitionsFor(short, "unknown")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

func TestFlushWaitsForTheOutcomes(t *testing.T) {
	producer := newProducer(t, newCluster(t, "t", 2), kprod.Config{"linger.ms": "600000", "request.timeout.ms": "700000"})
	var told atomic.Int32
	for range 100 {
		must(t, producer.SendAsync(background(t), &kprod.Record{Topic: "t"}, func(_ kprod.Report, err error) {
			if err == nil {
				told.Add(1)
			}
		}))
	}
	if told.Load() != 0 {
		t.Fatal("something was sent before the flush")
	}
	must(t, producer.Flush(background(t)))
	if told.Load() != 100 {
		t.Fatalf("%d outcomes after the flush", told.Load())
	}
}

func TestPurgeGivesUp(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, nil)
	must(t, cluster.SetBroker(1, mock.Down))
	outcome := make(chan error, 1)
	must(t, producer.TrySend(&kprod.Record{Topic: "t"}, func(_ kprod.Report, err error) { outcome <- err }))
	must(t, producer.Purge())
	wantCode(t, receive(t, outcome), kprod.ErrPurgedQueued)
}

func TestCloseDeliversWhatWasAccepted(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, kprod.Config{"linger.ms": "60000", "request.timeout.ms": "700000"})
	var delivered atomic.Int32
	for range 10 {
		must(t, producer.SendAsync(background(t), &kprod.Record{Topic: "t"}, func(_ kprod.Report, err error) {
			if err == nil {
				delivered.Add(1)
			}
		}))
	}
	must(t, producer.Close(background(t)))
	if delivered.Load() != 10 || records(t, cluster, "t", 1) != 10 {
		t.Fatalf("%d delivered", delivered.Load())
	}
	must(t, producer.Close(background(t)))

	_, err := producer.Send(background(t), &kprod.Record{Topic: "t"})
	wantCode(t, err, kprod.ErrClosed)
	wantCode(t, producer.TrySend(&kprod.Record{Topic: "t"}, nil), kprod.ErrClosed)
	wantCode(t, producer.Flush(background(t)), kprod.ErrClosed)
	wantCode(t, producer.Purge(), kprod.ErrClosed)
	_, err = producer.PartitionsFor(background(t), "t")
	wantCode(t, err, kprod.ErrClosed)
}

func TestCloseThatRunsOutOfTimeFailsTheRest(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, nil)
	must(t, cluster.SetBroker(1, mock.Down))
	outcome := make(chan error, 1)
	must(t, producer.TrySend(&kprod.Record{Topic: "t"}, func(_ kprod.Report, err error) { outcome <- err }))
	// One who waits meanwhile is sent away.
	waits := make(chan error, 1)
	go func() {
		_, err := producer.PartitionsFor(background(t), "unknown")
		waits <- err
	}()
	short, cancel := context.WithTimeout(background(t), 50*time.Millisecond)
	defer cancel()
	if err := producer.Close(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	wantCode(t, receive(t, outcome), kprod.ErrClosed)
	wantCode(t, receive(t, waits), kprod.ErrClosed)
}

func TestACancelledCloseClosesAllTheSame(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, nil)
	must(t, cluster.SetBroker(1, mock.Down))
	outcome := make(chan error, 1)
	must(t, producer.TrySend(&kprod.Record{Topic: "t"}, func(_ kprod.Report, err error) { outcome <- err }))
	err := producer.Close(ended(t))
	wantRefusal(t, err, context.Canceled)
	if strings.Contains(err.Error(), "not begun") {
		t.Fatal(err)
	}
	wantCode(t, receive(t, outcome), kprod.ErrClosed)
	if later := producer.Close(background(t)); later != err {
		t.Fatalf("got %v, and %v from a later Close", err, later)
	}
}

func TestACancelledCloseWithNothingLeftToSendSucceeds(t *testing.T) {
	producer := newProducer(t, newCluster(t, "t", 1), nil)
	_, err := producer.Send(background(t), &kprod.Record{Topic: "t"})
	must(t, err)
	must(t, producer.Flush(background(t)))
	producer.Close(ended(t))
	must(t, producer.Close(background(t)))
}

func TestACloseWaitsForTheEndOfAFunction(t *testing.T) {
	producer := newProducer(t, newCluster(t, "t", 1), nil)
	running, resume := make(chan struct{}), make(chan struct{})
	var over atomic.Bool
	must(t, producer.SendAsync(background(t), &kprod.Record{Topic: "t"}, func(kprod.Report, error) {
		close(running)
		<-resume
		over.Store(true)
	}))
	receive(t, running)
	short, cancel := context.WithTimeout(background(t), 50*time.Millisecond)
	defer cancel()
	wantRefusal(t, producer.Close(short), context.DeadlineExceeded)
	wantRefusal(t, producer.Close(ended(t)), context.Canceled) // while it runs
	close(resume)
	must(t, producer.Close(background(t)))
	if !over.Load() {
		t.Fatal("the function was still running")
	}
}

// Whatever a send that races with Close is told, accepted means one outcome and refused means none.
func TestCloseUnderLoadKeepsTheBooks(t *testing.T) {
	for range 20 {
		cluster := newCluster(t, "t", 2)
		producer := newProducer(t, cluster, kprod.Config{"buffer.memory": "50000", "batch.size": "2000"})
		var accepted, delivered atomic.Int64
		var begun, senders sync.WaitGroup
		begun.Add(4)
		for range 4 {
			senders.Add(1)
			go func() {
				defer senders.Done()
				for i := 0; ; i++ {
					record := kprod.Record{Topic: "t", Value: make([]byte, 100)}
					err := producer.SendAsync(context.Background(), &record, func(_ kprod.Report, err error) {
						if err != nil {
							t.Error(err)
						}
						delivered.Add(1)
					})
					if err != nil {
						wantCode(t, err, kprod.ErrClosed)
						return
					}
					accepted.Add(1)
					if i == 50 {
						begun.Done()
					}
				}
			}()
		}
		begun.Wait()
		must(t, producer.Close(background(t)))
		senders.Wait()
		if accepted.Load() != delivered.Load() || records(t, cluster, "t", 2) != accepted.Load() {
			t.Fatalf("%d accepted, %d delivered", accepted.Load(), delivered.Load())
		}
	}
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	cluster := newCluster(t, "t", 1)
	for range 5 {
		producer := newProducer(t, cluster, nil)
		_, err := producer.Send(background(t), &kprod.Record{Topic: "t"})
		must(t, err)
		must(t, producer.Close(background(t)))
	}
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}
