// The producer and its life: made, flushed, closed.

package kprod

// #cgo pkg-config: kprod
// #include "bridge.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"
)

// Config has properties under Kafka's names, as text: {"bootstrap.servers": "localhost:9092", "linger.ms": "5"}. Those
// of librdkafka and aiokafka are understood too, and a name that is not known is an error that names the nearest one,
// where one is near. docs/configuration.md of libkprod lists them all. kprod.delivery.reports must be left at all,
// its default: every send has an outcome.
type Config map[string]string

// Producer sends records. Any number of goroutines may use it at once. It should be closed: one that is dropped instead
// closes as by Close(context.Background()), but not before the garbage collector finds it, and nobody sees the result.
type Producer struct {
	*core
	steps steps
}

// core is what a producer shares with the goroutine that polls, which must not hold the Producer itself: a Producer
// that nobody else holds is garbage.
type core struct {
	producer *C.kprod_producer_t
	gate     *gate
	topics   topics
	table    table
	writable broadcast
	polled   broadcast
	// room and batches are where those wait who find none.
	room    line
	batches lines
	// maxBlock is max.block.ms; lingers tells whether linger.ms is above 0.
	maxBlock time.Duration
	lingers  bool
	// closing is set by the first Close; closed is closed when it has ended, with incomplete.
	closing    atomic.Bool
	closed     chan struct{}
	incomplete error
	// ended is closed when the last outcome has been told and the library's producer is gone.
	ended chan struct{}

	// The last failure's message, for poll alone.
	lastDetail  C.uint64_t
	lastMessage string
}

// enter begins a call of the library, unless the producer is closed. leave ends it, and keeps the Producer until then.
func (p *Producer) enter() bool { return p.gate.enter() }
func (p *Producer) leave()      { p.gate.leave() }

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
	if reports := value(properties, "kprod.delivery.reports"); reports != "all" {
		return nil, &Error{Code: ErrInvalidConfig, Message: "kprod.delivery.reports is " + reports +
			", and has to be all, so that every send gets its outcome: leave it out, and delivery.report.only.error too"}
	}
	p := &Producer{core: &core{gate: newGate(), closed: make(chan struct{}), ended: make(chan struct{})}}
	p.maxBlock = time.Duration(number(properties, "max.block.ms") * float64(time.Millisecond))
	p.lingers = number(properties, "linger.ms") > 0
	p.steps.eras.needed = value(properties, "transactional.id") != ""
	var failure *C.kprod_error_t
	if code := C.kprod_create(properties, C.KPROD_API_VERSION, &p.producer, &failure); code != 0 {
		return nil, given(code, failure)
	}
	go p.poll(newPoller())
	runtime.AddCleanup(p, func(dropped *core) { go dropped.close(context.Background()) }, p.core)
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
	if strings.Contains(name+value, "\x00") {
		return invalid("the property %q has a byte 0 in its name or value, where C's text would end", name)
	}
	cName, cValue := C.CString(name), C.CString(value)
	defer C.free(unsafe.Pointer(cName))
	defer C.free(unsafe.Pointer(cValue))
	var failure *C.kprod_error_t
	if code := C.kprod_config_set(properties, cName, cValue, &failure); code != 0 {
		return given(code, failure)
	}
	return nil
}

// value is that of a property, its default where it was not set, and empty where there is none.
func value(properties *C.kprod_config_t, name string) string {
	cName := C.CString(name)
	defer C.free(unsafe.Pointer(cName))
	var text *C.char
	if C.kprod_config_get(properties, cName, &text, nil) != 0 || text == nil {
		return ""
	}
	return C.GoString(text)
}

// number is the value of a numeric property.
func number(properties *C.kprod_config_t, name string) float64 {
	parsed, _ := strconv.ParseFloat(value(properties, name), 64)
	return parsed
}

// Start waits until a broker answered and accepted the credentials, for up to max.block.ms. It may be left out: the
// first send does it.
func (p *Producer) Start(ctx context.Context) error {
	ctx, done := p.inTime(ctx)
	defer done()
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
	if !p.enter() {
		return refused(C.KPROD_ERR_CLOSED)
	}
	defer p.leave()
	if code := C.kprod_purge(p.producer, C.KPROD_PURGE_QUEUED|C.KPROD_PURGE_IN_FLIGHT); code != 0 {
		return refused(code)
	}
	return nil
}

// Close refuses further records, sends what was accepted and waits for the outcomes, until ctx ends and at most for
// max.block.ms. What has none by then fails with [ErrClosed], and Close says so ([ErrTimedOut]). An open transaction is
// aborted. Then Close waits until every function has been called and everything is released, until ctx ends or a second
// after max.block.ms: where a function holds that up it returns an [ErrTimedOut], and the rest goes on without it.
// It may be called again, and by several at once: the first one closes, the others wait for the end of that, each as
// long as the first would, and then return what it found.
func (p *Producer) Close(ctx context.Context) error {
	if ctx == nil {
		return goesOn(ctx, "")
	}
	if err := mayWait("Close"); err != nil {
		return err
	}
	ctx, done := p.inTime(ctx)
	defer done()
	first := p.close(ctx)
	select {
	case <-p.ended:
		return p.incomplete
	case <-ctx.Done():
	}
	switch {
	case isClosed(p.ended) || first && p.incomplete != nil:
		return p.incomplete
	case isClosed(p.closed):
		return interrupted(ctx, ErrTimedOut, "closed, but a function given to a send is still running")
	default:
		return interrupted(ctx, ErrTimedOut, "another Close goes on, and has not ended")
	}
}

// close closes the producer, if nobody else does or did.
func (p *core) close(ctx context.Context) (first bool) {
	if !p.closing.CompareAndSwap(false, true) {
		return false
	}
	p.incomplete = p.finish(ctx)
	close(p.closed)
	return true
}

func (p *core) finish(ctx context.Context) error {
	limit, cancel := context.WithTimeoutCause(ctx, p.maxBlock, errTookLonger)
	defer cancel()
	p.gate.close()
	select { // those who wait see it shutting, but one may need a function of the user's to return first
	case <-p.gate.empty:
	case <-limit.Done():
	}
	err := limit.Err()
	if isClosed(p.gate.empty) {
		_, err = p.begun(limit, "Close", nil, func(tag C.uint64_t) C.int32_t {
			return C.kprod_flush_async(p.producer, tag)
		})
		if err != nil && C.kprod_flush(p.producer, 0, nil) == 0 { // there is none left, but functions to be called
			err = nil
		}
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

// errHeldUp is why an answer that the library gave in time did not get through.
var errHeldUp = errors.New("a function given to a send, or a channel without room, holds up all answers")

// errTookLonger is why a wait ends that max.block.ms limits here, and not in the library.
var errTookLonger = errors.New("it took longer than max.block.ms")

// inTime limits the wait for an answer that the library gives within max.block.ms, with some time for it to get through.
func (p *core) inTime(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx == nil {
		return nil, func() {}
	}
	return context.WithTimeoutCause(ctx, p.maxBlock+time.Second, errHeldUp)
}

// deadline is that of a call that begins to wait.
func (p *core) deadline() time.Time { return time.Now().Add(p.maxBlock) }

// call is an operation without a result.
func (p *Producer) call(ctx context.Context, name string, begin func(tag C.uint64_t) C.int32_t) error {
	if !p.enter() {
		return refused(C.KPROD_ERR_CLOSED)
	}
	defer p.leave()
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

func (p *core) begun(ctx context.Context, name string, shutting <-chan struct{},
	begin func(tag C.uint64_t) C.int32_t) (Report, error) {
	answer, err := p.ask(begin)
	if err != nil {
		return Report{}, err
	}
	return await(ctx, answer, shutting, name+" has not ended")
}

// ask begins one of the library's asynchronous calls, whose entry goes into the channel.
func (p *core) ask(begin func(tag C.uint64_t) C.int32_t) (<-chan Result, error) {
	answer := make(chan Result, 1)
	place := p.table.take(waiting{results: answer, left: 1})
	if code := begin(tagOf(place, 0)); code != 0 {
		p.table.give(place, 1)
		return nil, refused(code)
	}
	return answer, nil
}

func await(ctx context.Context, answer <-chan Result, shutting <-chan struct{}, otherwise string) (Report, error) {
	select {
	case result := <-answer:
		return result.Report, result.Err
	case <-shutting:
		return Report{}, refused(C.KPROD_ERR_CLOSED)
	case <-ctx.Done():
		return Report{}, interrupted(ctx, ErrTimedOut, otherwise)
	}
}
