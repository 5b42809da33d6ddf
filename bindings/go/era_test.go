package kprod_test

import (
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"kprod"
	"kprod/mock"
)

// requested waits until the brokers have got more requests of an API than before.
func requested(t *testing.T, cluster *mock.Cluster, api int, before int64) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; runtime.Gosched() {
		count, err := cluster.Requests(api)
		must(t, err)
		if count > before {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing was requested")
		}
	}
}

// waysToSend are those that may have to wait, each for a record to "known" and one to another topic. They give how many
// of the two were accepted.
func waysToSend(t *testing.T, producer *kprod.Producer) map[string]func(topic string) (int, error) {
	one := func(err error) (int, error) {
		if err != nil {
			return 0, err
		}
		return 1, nil
	}
	return map[string]func(topic string) (int, error){
		"Send": func(topic string) (int, error) {
			_, err := producer.Send(background(t), &kprod.Record{Topic: topic})
			return one(err)
		},
		"SendAsync": func(topic string) (int, error) {
			return one(producer.SendAsync(background(t), &kprod.Record{Topic: topic}, nil))
		},
		"SendChan": func(topic string) (int, error) {
			return one(producer.SendChan(background(t), &kprod.Record{Topic: topic}, make(chan kprod.Result, 1)))
		},
		"Batch": func(topic string) (int, error) {
			_, err := newBatch(t, producer, 1).Send(background(t), topic, 0)
			return one(err)
		},
		"Pack": func(topic string) (int, error) {
			pack := producer.NewPack()
			must(t, pack.Append(&kprod.Record{Topic: "known"}))
			must(t, pack.Append(&kprod.Record{Topic: topic}))
			return pack.Send(background(t), nil)
		},
		"SendMany": func(topic string) (int, error) {
			return producer.SendMany(background(t), []kprod.Record{{Topic: "known"}, {Topic: topic}}, nil)
		},
	}
}

// What waits for metadata when its transaction ends does not slip into the next one.
func TestTheEndOfATransactionEndsTheWaitForMetadata(t *testing.T) {
	for _, name := range []string{"Send", "SendAsync", "SendChan", "Batch", "Pack", "SendMany"} {
		for end, of := range map[string]func(*kprod.Transaction) error{
			"Commit": func(transaction *kprod.Transaction) error { return transaction.Commit(background(t)) },
			"Abort":  func(transaction *kprod.Transaction) error { return transaction.Abort(background(t)) },
		} {
			t.Run(name+", "+end, func(t *testing.T) { endsTheWaitForMetadata(t, name, of) })
		}
	}
}

func endsTheWaitForMetadata(t *testing.T, name string, end func(*kprod.Transaction) error) {
	cluster := newCluster(t, "known", 1)
	must(t, cluster.CreateTopic("unknown", 1))
	producer := newTransactional(t, cluster)
	_, err := producer.PartitionsFor(background(t), "known")
	must(t, err)
	first, err := producer.Begin(background(t))
	must(t, err)
	before, err := cluster.Requests(apiMetadata)
	must(t, err)
	must(t, cluster.Inject(mock.Fault{API: apiMetadata, Kind: mock.Fail, Error: kprod.ErrLeaderNotAvailable, Times: -1}))
	accepted, refused := make(chan int, 1), make(chan error, 1)
	go func() {
		count, err := waysToSend(t, producer)[name]("unknown")
		accepted <- count
		refused <- err
	}()
	requested(t, cluster, apiMetadata, before)
	must(t, end(first))
	second, err := producer.Begin(background(t))
	must(t, err)
	must(t, cluster.ClearFaults())
	most := 0
	if name == "Pack" || name == "SendMany" {
		most = 1 // the one before, unless the end came first
	}
	if got := receive(t, accepted); got > most {
		t.Errorf("%d were accepted", got)
	}
	failure := wantCode(t, receive(t, refused), kprod.ErrIllegalState)
	if !strings.Contains(failure.Message, "transaction was committed or aborted") {
		t.Fatal(failure)
	}
	must(t, second.Commit(background(t)))
	if got := records(t, cluster, "unknown", 1); got != 0 {
		t.Fatalf("%d records in the log", got)
	}
}

// Of a pack that waits for metadata when its transaction ends, what was accepted is part of that one, and nothing else of
// any.
func TestAPackIsNotSplitBetweenTransactions(t *testing.T) {
	cluster := newCluster(t, "known", 1)
	must(t, cluster.CreateTopic("unknown", 1))
	producer := newTransactional(t, cluster)
	_, err := producer.PartitionsFor(background(t), "known")
	must(t, err)
	first, err := producer.Begin(background(t))
	must(t, err)
	must(t, cluster.Inject(mock.Fault{API: apiMetadata, Kind: mock.Fail, Error: kprod.ErrLeaderNotAvailable, Times: -1}))
	pack := producer.NewPack()
	for _, topic := range []string{"known", "unknown", "known"} {
		must(t, pack.Append(&kprod.Record{Topic: topic}))
	}
	outcomes, accepted, refused := make(chan int, 3), make(chan int, 1), make(chan error, 1)
	go func() {
		count, err := pack.Send(background(t), func(number int, _ kprod.Report, _ error) { outcomes <- number })
		accepted <- count
		refused <- err
	}()
	if got := receive(t, outcomes); got != 0 {
		t.Fatalf("record %d was the first", got)
	}
	must(t, first.Commit(background(t)))
	before := records(t, cluster, "known", 1)
	second, err := producer.Begin(background(t))
	must(t, err)
	must(t, cluster.ClearFaults())
	if got := receive(t, accepted); got != 1 {
		t.Errorf("%d were accepted", got)
	}
	wantCode(t, receive(t, refused), kprod.ErrIllegalState)
	must(t, second.Commit(background(t)))
	if len(outcomes) != 0 || records(t, cluster, "known", 1) != before || records(t, cluster, "unknown", 1) != 0 {
		t.Fatal("what was refused was sent")
	}
	// The pack keeps its records, for another transaction.
	must(t, producer.Transact(background(t), func(*kprod.Transaction) error {
		_, err := pack.Send(background(t), nil)
		return err
	}))
}

// However many calls of the library it takes, SendMany sends in one transaction. Here it copies the second record while
// the transaction of the first one ends.
func TestSendManyStaysInItsTransaction(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newProducer(t, cluster, kprod.Config{
		"transactional.id": "a", "buffer.memory": "200000000", "max.request.size": "100000000",
	})
	_, err := producer.PartitionsFor(background(t), "t")
	must(t, err)
	both := []kprod.Record{{Topic: "t", Value: make([]byte, 300<<10)}, {Topic: "t", Value: make([]byte, 64<<20)}}
	for range 3 {
		first, err := producer.Begin(background(t))
		must(t, err)
		begun := make(chan struct{})
		once := sync.OnceFunc(func() { close(begun) })
		sent := make(chan error, 1)
		go func() {
			_, err := producer.SendMany(background(t), both, func(int, kprod.Report, error) { once() })
			sent <- err
		}()
		receive(t, begun)
		must(t, first.Abort(background(t)))
		before := records(t, cluster, "t", 1)
		second, err := producer.Begin(background(t))
		must(t, err)
		if err := receive(t, sent); err != nil { // otherwise it was quicker than the abort
			wantCode(t, err, kprod.ErrIllegalState)
		}
		must(t, second.Commit(background(t)))
		if got := records(t, cluster, "t", 1); got != before {
			t.Fatalf("%d records in the log, %d at the end of their transaction", got, before)
		}
	}
}

// Outside of a transaction nothing is waited for, and the error tells what to do.
func TestWithoutATransactionNothingIsSent(t *testing.T) {
	cluster := newCluster(t, "known", 1)
	producer := newTransactional(t, cluster)
	nothingIsSent := func() {
		t.Helper()
		must(t, cluster.SetBroker(1, mock.Down))
		ways := waysToSend(t, producer)
		ways["TrySend"] = func(topic string) (int, error) {
			return 0, producer.TrySend(&kprod.Record{Topic: topic}, nil)
		}
		for name, send := range ways {
			accepted, err := send("unknown")
			if failure := wantCode(t, err, kprod.ErrIllegalState); accepted != 0 || !strings.Contains(failure.Message, "begin") {
				t.Fatalf("%s: %d accepted, %v", name, accepted, failure)
			}
		}
		must(t, cluster.SetBroker(1, mock.Up))
	}
	nothingIsSent()
	must(t, producer.Transact(background(t), nothing))
	nothingIsSent()
	transaction, err := producer.Begin(background(t))
	must(t, err)
	_, err = producer.Send(background(t), &kprod.Record{Topic: "known"})
	must(t, err)
	inVain(t, cluster, apiEndTxn, transaction.Commit)
	nothingIsSent() // while it is committed
	must(t, transaction.Commit(background(t)))
}

// A transaction whose commit has failed is open still, and can only be aborted.
func TestAFailedCommitLeavesTheTransactionToBeAborted(t *testing.T) {
	cluster := newCluster(t, "t", 1)
	producer := newTransactional(t, cluster)
	transaction, err := producer.Begin(background(t))
	must(t, err)
	must(t, cluster.Inject(mock.Fault{Kind: mock.Fail, Error: kprod.ErrTopicAuthorizationFailed}))
	must(t, producer.SendAsync(background(t), &kprod.Record{Topic: "t"}, nil))
	wantCode(t, transaction.Commit(background(t)), kprod.ErrTopicAuthorizationFailed)
	wantCode(t, producer.SendAsync(background(t), &kprod.Record{Topic: "t"}, nil), kprod.ErrTransactionAbortable)
	must(t, transaction.Abort(background(t)))
	must(t, producer.Transact(background(t), func(*kprod.Transaction) error {
		_, err := producer.Send(background(t), &kprod.Record{Topic: "t"})
		return err
	}))
}
