package kprod_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"kprod"
)

// A topic more costs the same however many there are.
func TestTopicsAreAddedInLinearTime(t *testing.T) {
	producer := newProducer(t, newCluster(t, "t", 1), nil)
	pack := producer.NewPack()
	add := func(from, to int) time.Duration {
		began := time.Now()
		for i := from; i < to; i++ {
			must(t, pack.Append(&kprod.Record{Topic: fmt.Sprint("topic", i)}))
		}
		return time.Since(began)
	}
	few := add(0, 2000)
	if many := add(2000, 16_000); many > 7*5*few+time.Second {
		t.Fatalf("2000 topics took %v, the next 14000 %v", few, many)
	}
}

// Whoever adds topics meanwhile, a name is always the same topic, and a report names it.
func TestTopicsAreFoundWhileOthersAreAdded(t *testing.T) {
	const names = 300
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, nil)
	var senders sync.WaitGroup
	for sender := range 4 {
		senders.Add(1)
		go func() {
			defer senders.Done()
			for i := range names {
				topic := fmt.Sprint("topic", (i+sender*names/8)%names)
				err := producer.TrySend(&kprod.Record{Topic: topic}, func(report kprod.Report, err error) {
					if err != nil || report.Topic != topic {
						t.Errorf("%+v of %s: %v", report, topic, err)
					}
				})
				if err != nil {
					t.Error(err)
				}
				runtime.Gosched()
			}
		}()
	}
	senders.Wait()
	must(t, producer.Flush(background(t)))
}
