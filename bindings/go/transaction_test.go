package kprod_test

import (
	"context"
	"errors"
	"testing"

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
