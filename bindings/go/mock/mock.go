// Package mock runs a Kafka cluster inside the process, for tests. It is part of libkprod and, unlike the producer,
// may change in any version.
//
//	cluster, err := mock.New(3)
//	…
//	defer cluster.Close()
//	producer, err := kprod.New(kprod.Config{"bootstrap.servers": cluster.Bootstrap()})
package mock

// #cgo pkg-config: kprod
// #include <kprod_mock.h>
// #include <stdlib.h>
import "C"

import (
	"time"
	"unsafe"

	"kprod"
)

// Cluster is a Kafka cluster on ports of 127.0.0.1. Any number of goroutines may use it until Close.
type Cluster struct{ cluster *C.kprod_mock_t }

// New starts a cluster of brokers, numbered from 1. Topics are created when they are asked for.
func New(brokers int) (*Cluster, error) {
	c := &Cluster{}
	var failure *C.kprod_error_t
	code := C.kprod_mock_create(C.int32_t(brokers), &c.cluster, &failure)
	if code == 0 {
		return c, nil
	}
	defer C.kprod_error_free(failure)
	return nil, &kprod.Error{Code: kprod.Code(code), Message: C.GoString(C.kprod_error_message(failure))}
}

// Close ends the cluster and forgets what it holds.
func (c *Cluster) Close() {
	C.kprod_mock_destroy(c.cluster)
	c.cluster = nil
}

// Bootstrap is the brokers' addresses, for bootstrap.servers.
func (c *Cluster) Bootstrap() string { return C.GoString(C.kprod_mock_bootstrap(c.cluster)) }

// CreateTopic creates a topic, with leaders spread over the brokers.
func (c *Cluster) CreateTopic(topic string, partitions int) error {
	return withTopic(topic, func(name *C.char) C.int32_t {
		return C.kprod_mock_create_topic(c.cluster, name, C.int32_t(partitions))
	})
}

// SetLeader makes a broker the leader of a partition, in a new leader epoch; -1 leaves it without one.
func (c *Cluster) SetLeader(topic string, partition, broker int) error {
	return withTopic(topic, func(name *C.char) C.int32_t {
		return C.kprod_mock_set_leader(c.cluster, name, C.int32_t(partition), C.int32_t(broker))
	})
}

// Records is the offset that a partition's next record gets.
func (c *Cluster) Records(topic string, partition int) (int64, error) {
	var count C.int64_t
	err := withTopic(topic, func(name *C.char) C.int32_t {
		count = C.kprod_mock_record_count(c.cluster, name, C.int32_t(partition))
		return C.int32_t(min(count, 0))
	})
	return int64(count), err
}

// State is what a broker does.
type State int32

// The states of a broker.
const (
	Up      State = C.KPROD_MOCK_BROKER_UP
	Crashed State = C.KPROD_MOCK_BROKER_CRASHED
	Down    State = C.KPROD_MOCK_BROKER_DOWN
)

// SetBroker lets a broker crash, go down or come back. What its partitions hold is kept.
func (c *Cluster) SetBroker(broker int, state State) error {
	return answer(C.kprod_mock_set_broker_state(c.cluster, C.int32_t(broker), C.int32_t(state)))
}

// Disconnect closes all connections to a broker.
func (c *Cluster) Disconnect(broker int) error {
	return answer(C.kprod_mock_disconnect(c.cluster, C.int32_t(broker)))
}

// Requests is how many requests of an API (0 Produce, 3 Metadata) the brokers remember, of the last few thousand.
func (c *Cluster) Requests(api int) (int64, error) {
	count := C.kprod_mock_request_count(c.cluster, C.int32_t(api))
	return int64(count), answer(C.int32_t(min(count, 0)))
}

// FaultKind is how a request goes wrong.
type FaultKind int32

// The kinds of faults.
const (
	// Late is a right answer that comes late, or asks to be left alone.
	Late FaultKind = C.KPROD_MOCK_FAULT_NONE
	// Fail answers with an error and does nothing; FailAfterWork has done the work.
	Fail          FaultKind = C.KPROD_MOCK_FAULT_ERROR
	FailAfterWork FaultKind = C.KPROD_MOCK_FAULT_ERROR_AFTER_WORK
	// Swallow gives no answer.
	Swallow          FaultKind = C.KPROD_MOCK_FAULT_SWALLOW
	SwallowAfterWork FaultKind = C.KPROD_MOCK_FAULT_SWALLOW_AFTER_WORK
	// Cut closes the connection.
	Cut          FaultKind = C.KPROD_MOCK_FAULT_DISCONNECT
	CutAfterWork FaultKind = C.KPROD_MOCK_FAULT_DISCONNECT_AFTER_WORK
)

// Fault is something that goes wrong with Produce requests; the zero Fault strikes the next of them, late by nothing.
type Fault struct {
	Kind FaultKind
	// Error is the code that Fail and FailAfterWork answer with.
	Error kprod.Code
	// API is the number of the requests' API: 0 Produce, 3 Metadata.
	API int
	// Times is how many requests it strikes: 0 means one, -1 all.
	Times int
	// Delay is how much later the answer comes, Throttle for how long it asks to be left alone.
	Delay, Throttle time.Duration
}

// Inject lets requests go wrong. Faults strike in the order in which they came.
func (c *Cluster) Inject(fault Fault) error {
	var f C.kprod_mock_fault_t
	C.kprod_mock_fault_init(&f)
	f.kind, f.error, f.api = C.int32_t(fault.Kind), C.int32_t(fault.Error), C.int32_t(fault.API)
	if fault.Times != 0 {
		f.times = C.int32_t(fault.Times)
	}
	f.delay_ms = C.int32_t(fault.Delay.Milliseconds())
	f.throttle_ms = C.int32_t(fault.Throttle.Milliseconds())
	return answer(C.kprod_mock_inject(c.cluster, &f))
}

// ClearFaults forgets all faults.
func (c *Cluster) ClearFaults() error { return answer(C.kprod_mock_clear_faults(c.cluster)) }

func withTopic(topic string, call func(name *C.char) C.int32_t) error {
	name := C.CString(topic)
	defer C.free(unsafe.Pointer(name))
	return answer(call(name))
}

func answer(code C.int32_t) error {
	if code == 0 {
		return nil
	}
	return &kprod.Error{Code: kprod.Code(code), Message: "the mock cluster refused"}
}
