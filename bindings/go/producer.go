// The producer and its life: made, flushed, closed.

package kprod

// #cgo pkg-config: kprod
// #include "bridge.h"
import "C"

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"sync/atomic"
	"time"
	"unsafe"
)

// Config has properties under Kafka's names, as text: {"bootstrap.servers": "localhost:9092", "linger.ms": "5"}. Those
// of librdkafka and aiokafka are understood too, and a name that is not known is an error that names the nearest one,
// where one is near. docs/configuration.md of libkprod lists them all.
type Config map[string]string

// Producer sends records. Any number of goroutines may use it at once. It must be closed.
type Producer struct {
	producer *C.kprod_producer_t
	gate     *gate
	// ended is closed when the last outcome has been told and the library's producer is gone.
	ended    chan struct{}
	topics   topics
	table    table
	writable broadcast
	polled   broadcast
	steps    steps
	// maxBlock is max.block.ms; lingers tells whether linger.ms is above 0.
	maxBlock time.Duration
	lingers  bool
	closing  atomic.Bool

	// The last failure's message, for poll alone.
	lastDetail  C.uint64_t
	lastMessage string
}

// Version is that of the libkprod that is loaded, "0.1.0".
func Version() string { return C.GoString(C.kprod_version_string()) }

// New makes a producer and its threads, and never touches the network: brokers that cannot be reached show in the first
// send, or in Start.
func New(config Config) (*Producer, error) {
	if err := checkVersion(); err != nil {
		return nil, err
	}
	properties := C.kprod_config_new()
	if properties == nil {
		return nil, refused(C.KPROD_ERR_INTERNAL)
	}
	defer C.kprod_config_free(properties)
	names := make([]string, 0, len(config))
	for name := range config {
		names = append(names, name)
	}
	sort.Strings(names) // so that an error does not depend on the map's order
	for _, name := range names {
		if err := set(properties, name, config[name]); err != nil {
			return nil, err
		}
	}
	p := &Producer{gate: newGate(), ended: make(chan struct{})}
	p.maxBlock = time.Duration(number(properties, "max.block.ms") * float64(time.Millisecond))
	p.lingers = number(properties, "linger.ms") > 0
	var failure *C.kprod_error_t
	if code := C.kprod_create(properties, C.KPROD_API_VERSION, &p.producer, &failure); code != 0 {
		return nil, given(code, failure)
	}
	go p.poll(newPoller())
	return p, nil
}

// checkVersion tells whether the library that was loaded is one that this package, and the header that it was compiled
// with, were written for: before 1.0 a minor version may change the interface.
func checkVersion() error {
	const minor = 1 << 16
	loaded, header := uint32(C.kprod_version()), uint32(C.KPROD_VERSION)
	if loaded/minor != header/minor || C.kprod_api_version() < C.KPROD_API_VERSION {
		return &Error{Code: ErrAPIVersion, Message: fmt.Sprintf(
			"libkprod %s was loaded, but the package was compiled with the header of %d.%d: install that version",
			Version(), header>>24, header>>16&0xff)}
	}
	return nil
}

func set(properties *C.kprod_config_t, name, value string) error {
	cName, cValue := C.CString(name), C.CString(value)
	defer C.free(unsafe.Pointer(cName))
	defer C.free(unsafe.Pointer(cValue))
	var failure *C.kprod_error_t
	if code := C.kprod_config_set(properties, cName, cValue, &failure); code != 0 {
		return given(code, failure)
	}
	return nil
}

// number is the value of a numeric property, its default where it was not set.
func number(properties *C.kprod_config_t, name string) float64 {
	cName := C.CString(name)
	defer C.free(unsafe.Pointer(cName))
	var value *C.char
	if C.kprod_config_get(properties, cName, &value, nil) != 0 || value == nil {
		return 0
	}
	parsed, _ := strconv.ParseFloat(C.GoString(value), 64)
	return parsed
}

// Start waits until a broker answered and accepted the credentials, for up to max.block.ms. It may be left out: the
// first send does it.
func (p *Producer) Start(ctx context.Context) error {
	return p.call(ctx, "Start", func(tag C.uint64_t) C.int32_t { return C.kprod_start_async(p.producer, tag) })
}

// Flush sends everything now and waits for the outcomes of all records accepted before; their functions have been
// called then. Failed records do not make it fail.
func (p *Producer) Flush(ctx context.Context) error {
	return p.call(ctx, "Flush", func(tag C.uint64_t) C.int32_t { return C.kprod_flush_async(p.producer, tag) })
}

// Purge drops records that have no outcome yet, those on their way too: they fail with [ErrPurgedQueued], or with
// [ErrPurgedInFlight] if they may stand in the log all the same.
func (p *Producer) Purge() error {
	if !p.gate.enter() {
		return refused(C.KPROD_ERR_CLOSED)
	}
	defer p.gate.leave()
	if code := C.kprod_purge(p.producer, C.KPROD_PURGE_QUEUED|C.KPROD_PURGE_IN_FLIGHT); code != 0 {
		return refused(code)
	}
	return nil
}

// Close refuses further records, sends what was accepted and waits for the outcomes, until ctx ends and at most for
// max.block.ms. What has none by then fails with [ErrClosed], and Close says so. An open transaction is aborted. When
// Close returns, every function has been called and everything is released, unless ctx ended before. It may be called
// again, to wait for that: a later Close only does, and then returns nil.
func (p *Producer) Close(ctx context.Context) error {
	if ctx == nil {
		return goesOn(ctx, "")
	}
	if err := mayWait("Close"); err != nil {
		return err
	}
	var incomplete error
	if p.closing.CompareAndSwap(false, true) {
		incomplete = p.close(ctx)
	}
	select {
	case <-p.ended:
		return incomplete
	case <-ctx.Done():
	}
	switch {
	case isClosed(p.ended) || incomplete != nil:
		return incomplete
	default:
		return interrupted(ctx, ErrTimedOut, "closed, but a function given to a send is still running")
	}
}

func (p *Producer) close(ctx context.Context) error {
	limit, cancel := context.WithTimeout(ctx, p.maxBlock)
	defer cancel()
	p.gate.close()
	var err error
	select { // those who wait see it shutting, but one may need the goroutine that this is called from
	case <-p.gate.empty:
		_, err = p.begun(limit, "Close", nil, func(tag C.uint64_t) C.int32_t {
			return C.kprod_flush_async(p.producer, tag)
		})
	case <-limit.Done():
		err = limit.Err()
	}
	if limit.Err() != nil && err != nil {
		err = interrupted(limit, ErrTimedOut, "closed, and what had no outcome yet fails")
	}
	var failure *C.kprod_error_t
	if code := C.kprod_close(p.producer, 0, &failure); code != 0 && err == nil {
		err = given(code, failure)
	}
	return err
}

// call is an operation without a result.
func (p *Producer) call(ctx context.Context, name string, begin func(tag C.uint64_t) C.int32_t) error {
	if !p.gate.enter() {
		return refused(C.KPROD_ERR_CLOSED)
	}
	defer p.gate.leave()
	_, err := p.operation(ctx, name, begin)
	return err
}

// operation begins one of the library's asynchronous calls and waits for its entry, with the gate entered.
func (p *Producer) operation(ctx context.Context, name string, begin func(tag C.uint64_t) C.int32_t) (Report, error) {
	if err := goesOn(ctx, name+" was not begun"); err != nil {
		return Report{}, err
	}
	if err := mayWait(name); err != nil {
		return Report{}, err
	}
	return p.begun(ctx, name, p.gate.shutting, begin)
}

func (p *Producer) begun(ctx context.Context, name string, shutting <-chan struct{},
	begin func(tag C.uint64_t) C.int32_t) (Report, error) {
	answer := make(chan Result, 1)
	place := p.table.take(waiting{results: answer, left: 1})
	if code := begin(tagOf(place, 0)); code != 0 {
		p.table.give(place, 1)
		return Report{}, refused(code)
	}
	select {
	case result := <-answer:
		return result.Report, result.Err
	case <-shutting:
		return Report{}, refused(C.KPROD_ERR_CLOSED)
	case <-ctx.Done():
		return Report{}, interrupted(ctx, ErrTimedOut, name+" has not ended")
	}
}
