package kprod_test

import (
	"strings"
	"testing"
	"time"

	"kprod"
	"kprod/mock"
)

// What waits for room when its transaction ends does not slip into the next one.
func TestTheEndOfATransactionEndsTheWaitForRoom(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, kprod.Config{"transactional.id": "a", "buffer.memory": "100000", "batch.size": "10000"})
	_, err := producer.PartitionsFor(background(t), "t")
	must(t, err)
	for _, end := range []func(*kprod.Transaction) error{
		func(transaction *kprod.Transaction) error { return transaction.Commit(background(t)) },
		func(transaction *kprod.Transaction) error { return transaction.Abort(background(t)) },
	} {
		transaction, err := producer.Begin(background(t))
		must(t, err)
		must(t, cluster.SetBroker(1, mock.Down))
		fill(t, producer)
		waits, ended := make(chan error, 1), make(chan error, 1)
		go func() {
			waits <- producer.SendAsync(background(t), &kprod.Record{Topic: "t", Value: make([]byte, 50_000)}, nil)
		}()
		time.Sleep(longBeforeItsAnswer) // until it waits; otherwise it is refused all the same
		go func() { ended <- end(transaction) }()
		if failure := wantCode(t, receive(t, waits), kprod.ErrIllegalState); !strings.Contains(failure.Message, "transaction") {
			t.Fatal(failure)
		}
		must(t, cluster.SetBroker(1, mock.Up))
		must(t, receive(t, ended))
	}
}
