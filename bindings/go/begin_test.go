package kprod_test

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"

	"kprod"
)

// A Begin while a transaction is open is refused at once, whatever holds up the library's answers, and does not touch it.
func TestABeginInATransactionLeavesThatAlone(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, kprod.Config{"transactional.id": "a", "max.block.ms": "2000"})
	begin := func() error { _, err := producer.Begin(background(t)); return err }
	transact := func() error { return producer.Transact(background(t), nothing) }
	for _, end := range []func(*kprod.Transaction) error{
		func(transaction *kprod.Transaction) error { return transaction.Commit(background(t)) },
		func(transaction *kprod.Transaction) error { return transaction.Abort(background(t)) },
	} {
		var transaction *kprod.Transaction
		must(t, eventually(func() (err error) { transaction, err = producer.Begin(background(t)); return err }))
		release := holdUp(t, producer)
		for _, illegal := range []func() error{begin, transact} {
			refused := make(chan error, 1)
			go func() { refused <- illegal() }()
			failure := wantCode(t, receive(t, refused), kprod.ErrIllegalState)
			if !strings.Contains(failure.Message, "commit or abort it first") {
				t.Fatal(failure)
			}
		}
		must(t, producer.SendAsync(background(t), &kprod.Record{Topic: "t"}, nil))
		release()
		must(t, eventually(func() error { return end(transaction) }))
	}
}

// Of Transacts at the same time one works, and commits what it has done; the others are refused before they do anything.
func TestTransactsDoNotDisturbEachOther(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newTransactional(t, cluster)
	must(t, producer.Transact(background(t), nothing))
	var all sync.WaitGroup
	for range 4 {
		all.Add(1)
		go func() {
			defer all.Done()
			for done := 0; done < 25; {
				worked := false
				err := producer.Transact(background(t), func(*kprod.Transaction) error {
					worked = true
					_, err := producer.Send(background(t), &kprod.Record{Topic: "t"})
					return err
				})
				switch {
				case worked && err != nil:
					t.Errorf("what was done was not committed: %v", err)
					return
				case worked:
					done++
				case !errors.Is(err, kprod.ErrIllegalState):
					t.Errorf("not begun: %v", err)
					return
				default:
					runtime.Gosched()
				}
			}
		}()
	}
	all.Wait()
}
