package kprod_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"kprod"
	"kprod/mock"
)

func TestAPackIsSentInOrderAndAgain(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, nil)
	must(t, cluster.CreateTopic("u", 1))
	pack := producer.NewPack()
	for i := range 10 {
		record := kprod.Record{Topic: "t", Value: []byte{byte(i)}}
		if i%2 == 1 {
			record = kprod.Record{Topic: "u", Key: []byte{}, Headers: []kprod.Header{{Key: "k"}, {Key: "", Value: []byte("v")}}}
		}
		must(t, pack.Append(&record))
	}
	for round := range 2 {
		var outcomes sync.WaitGroup
		outcomes.Add(10)
		seen := make([]int, 10)
		accepted, err := pack.Send(background(t), func(number int, report kprod.Report, err error) {
			defer outcomes.Done()
			seen[number]++
			topic := []string{"t", "u"}[number%2]
			if err != nil || report.Topic != topic || report.Offset != int64(round*5+number/2) {
				t.Errorf("record %d: %+v, %v", number, report, err)
			}
		})
		must(t, err)
		outcomes.Wait()
		for number, times := range seen {
			if times != 1 {
				t.Errorf("record %d was told %d times", number, times)
			}
		}
		if accepted != 10 || pack.Len() != 10 {
			t.Fatalf("%d accepted of %d", accepted, pack.Len())
		}
	}
	pack.Reset()
	accepted, err := pack.Send(background(t), nil)
	if accepted != 0 || err != nil || pack.Len() != 0 || pack.Size() != 0 {
		t.Fatal(accepted, err)
	}
}

func TestAPackMayHoldNothingButEmptyRecords(t *testing.T) {
	producer := newProducer(t, newCluster(t, "t", 1), nil)
	accepted, err := producer.SendMany(background(t), []kprod.Record{{Topic: "t", Key: []byte{}, Value: []byte{}}}, nil)
	if must(t, err); accepted != 1 {
		t.Fatal(accepted)
	}
}

func TestARefusedRecordEndsAPack(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, nil)
	all := make([]kprod.Record, 5)
	for i := range all {
		all[i] = kprod.Record{Topic: "t"}
	}
	all[3].Partition = kprod.To(9)
	outcomes := make(chan int, 10)
	accepted, err := producer.SendMany(background(t), all, func(number int, _ kprod.Report, err error) {
		if err != nil {
			t.Error(err)
		}
		outcomes <- number
	})
	wantCode(t, err, kprod.ErrUnknownPartition)
	if accepted != 3 {
		t.Fatal(accepted)
	}
	must(t, producer.Flush(background(t)))
	for want := range 3 {
		if got := receive(t, outcomes); got != want {
			t.Fatalf("%d before %d", got, want)
		}
	}
	if len(outcomes) != 0 || records(t, cluster, "t", 1) != 3 {
		t.Fatal("more was sent than accepted")
	}
}

// Far more than there is room for, in many packs: each waits for its turn.
func TestSendManyWaitsForRoom(t *testing.T) {
	const count = 20_000
	cluster := newCluster(t, "t", 3)
	producer := newProducer(t, cluster, kprod.Config{"buffer.memory": "100000", "batch.size": "4000"})
	all := make([]kprod.Record, count)
	for i := range all {
		all[i] = kprod.Record{Topic: "t", Value: make([]byte, 100)}
	}
	seen := make([]bool, count)
	accepted, err := producer.SendMany(background(t), all, func(number int, _ kprod.Report, err error) {
		if err != nil || seen[number] {
			t.Errorf("record %d: %v", number, err)
		}
		seen[number] = true
	})
	must(t, err)
	must(t, producer.Close(background(t)))
	for number := range seen {
		if !seen[number] {
			t.Fatalf("record %d has no outcome", number)
		}
	}
	if accepted != count || records(t, cluster, "t", 3) != count {
		t.Fatal(accepted)
	}
}

func TestAPackWhoseContextEndsIsSentInPart(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, kprod.Config{"buffer.memory": "100000", "batch.size": "4000"})
	_, err := producer.PartitionsFor(background(t), "t")
	must(t, err)
	must(t, cluster.SetBroker(1, mock.Down))
	all := make([]kprod.Record, 100)
	for i := range all {
		all[i] = kprod.Record{Topic: "t", Value: make([]byte, 5000)}
	}
	stopped, stop := context.WithCancel(background(t))
	outcomes := make(chan int, 100)
	result := make(chan error, 1)
	accepted := 0
	go func() {
		var err error
		accepted, err = producer.SendMany(stopped, all, func(number int, _ kprod.Report, _ error) { outcomes <- number })
		result <- err
	}()
	for producer.TrySend(&kprod.Record{Topic: "t", Value: make([]byte, 5000)}, nil) == nil {
		continue // until there is no room, so that the pack waits for it
	}
	stop()
	wantRefusal(t, receive(t, result), context.Canceled)
	must(t, cluster.SetBroker(1, mock.Up))
	must(t, producer.Flush(background(t)))
	if accepted >= 100 || len(outcomes) != accepted {
		t.Fatalf("%d accepted, %d outcomes", accepted, len(outcomes))
	}
}

// What a topic's metadata says is about its own records, wherever they stand among others.
func TestATopicThatIsRefusedKeepsNoRecordBeforeItBack(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, nil)
	_, err := producer.PartitionsFor(background(t), "t")
	must(t, err)
	must(t, cluster.Inject(mock.Fault{API: apiMetadata, Kind: mock.Fail, Error: kprod.ErrTopicAuthorizationFailed, Times: -1}))
	all := make([]kprod.Record, 10)
	for i := range all {
		all[i].Topic = "t"
	}
	all[9].Topic = "forbidden"
	for round := range int64(2) {
		accepted, err := producer.SendMany(background(t), all, nil)
		wantCode(t, err, kprod.ErrTopicAuthorizationFailed)
		if accepted != 9 {
			t.Fatalf("%d accepted", accepted)
		}
		must(t, producer.Flush(background(t)))
		if got := records(t, cluster, "t", 1); got != 9*(round+1) {
			t.Fatalf("%d records in the log", got)
		}
	}
}

// Whatever the number of topics, all of their metadata is waited for no longer than max.block.ms.
func TestAPackWaitsOnceForAllItsTopics(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, kprod.Config{"max.block.ms": "1000"})
	must(t, eventually(func() error { return producer.Start(background(t)) }))
	must(t, cluster.Inject(mock.Fault{API: apiMetadata, Delay: lateBy, Times: -1}))
	all := make([]kprod.Record, 7)
	for i := range all {
		all[i].Topic = fmt.Sprint("t", i)
	}
	began := time.Now()
	accepted, err := producer.SendMany(background(t), all, nil)
	must(t, err)
	if took := time.Since(began); accepted != len(all) || took > 5*lateBy {
		t.Fatalf("%d accepted in %v", accepted, took)
	}
}
