// What the tests share: a cluster, a producer, patience.

package kprod_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"kprod"
	"kprod/mock"
)

// patience is far beyond what a busy machine needs.
const patience = 30 * time.Second

func background(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// ended gives a context that has ended.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(background(t))
	cancel()
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, code kprod.Code) *kprod.Error {
	t.Helper()
	var failure *kprod.Error
	if !errors.Is(err, code) || !errors.As(err, &failure) {
		t.Fatalf("got %v, want %s", err, code.Name())
	}
	return failure
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func newCluster(t *testing.T, topic string, partitions int) *mock.Cluster {
	t.Helper()
	cluster, err := mock.New(1)
	must(t, err)
	t.Cleanup(cluster.Close)
	must(t, cluster.CreateTopic(topic, partitions))
	return cluster
}

func newProducer(t *testing.T, cluster *mock.Cluster, more kprod.Config) *kprod.Producer {
	t.Helper()
	config := kprod.Config{
		"bootstrap.servers": cluster.Bootstrap(), "retry.backoff.ms": "1", "retry.backoff.max.ms": "10",
	}
	for name, value := range more {
		config[name] = value
	}
	producer, err := kprod.New(config)
	must(t, err)
	t.Cleanup(func() { producer.Close(background(t)) })
	return producer
}

func records(t *testing.T, cluster *mock.Cluster, topic string, partitions int) (sum int64) {
	t.Helper()
	for partition := range partitions {
		count, err := cluster.Records(topic, partition)
		must(t, err)
		sum += count
	}
	return sum
}
