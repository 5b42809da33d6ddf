// Topics by name and by the library's handle, looked up without a lock.

package kprod

// #include <kprod.h>
import "C"

import (
	"context"
	"sync"
	"sync/atomic"
	"unsafe"
)

// topic is a topic that was sent to.
type topic struct {
	name   string
	handle C.uint32_t
	// known is set once the brokers told its partitions.
	known atomic.Bool
}

func (t *topic) setKnown() {
	if !t.known.Load() {
		t.known.Store(true)
	}
}

// topics is replaced as a whole by whoever adds to it. Topics are never removed, as in the library.
type topics struct {
	adding sync.Mutex
	names  atomic.Pointer[map[string]*topic]
	// byHandle has a nil at 0, which is no handle.
	byHandle atomic.Pointer[[]*topic]
}

// at gives a topic by its handle, nil where there is none.
func (t *topics) at(handle uint32) *topic {
	all := t.byHandle.Load()
	if all == nil || int(handle) >= len(*all) {
		return nil
	}
	return (*all)[handle]
}

// topic gives a topic by its name.
func (p *Producer) topic(name string) (*topic, error) {
	if names := p.topics.names.Load(); names != nil {
		if found := (*names)[name]; found != nil {
			return found, nil
		}
	}
	return p.topics.add(p.producer, name)
}

func (t *topics) add(producer *C.kprod_producer_t, name string) (*topic, error) {
	t.adding.Lock()
	defer t.adding.Unlock()
	names := map[string]*topic{}
	if old := t.names.Load(); old != nil {
		if found := (*old)[name]; found != nil {
			return found, nil
		}
		for name, known := range *old {
			names[name] = known
		}
	}
	var handle C.uint32_t
	bytes := []byte(name + "\x00")
	code := C.kprod_topic(producer, (*C.char)(unsafe.Pointer(&bytes[0])), C.int64_t(len(name)), &handle)
	if code != 0 {
		return nil, refused(code)
	}
	added := &topic{name: string(bytes[:len(name)]), handle: handle}
	names[added.name] = added
	byHandle := make([]*topic, len(names)+1)
	for _, known := range names {
		for int(known.handle) >= len(byHandle) {
			byHandle = append(byHandle, nil)
		}
		byHandle[known.handle] = known
	}
	t.byHandle.Store(&byHandle)
	t.names.Store(&names)
	return added, nil
}

// PartitionsFor tells how many partitions a topic has, and asks the brokers if that is not known yet, for up to
// max.block.ms.
func (p *Producer) PartitionsFor(ctx context.Context, name string) (int, error) {
	if !p.enter() {
		return 0, refused(C.KPROD_ERR_CLOSED)
	}
	defer p.leave()
	topic, err := p.topic(name)
	if err != nil {
		return 0, err
	}
	ctx, done := p.inTime(ctx)
	defer done()
	report, err := p.operation(ctx, "PartitionsFor", p.metadata(topic))
	if err != nil {
		return 0, err
	}
	topic.setKnown()
	return report.Records, nil
}

func (p *core) metadata(topic *topic) func(tag C.uint64_t) C.int32_t {
	return func(tag C.uint64_t) C.int32_t { return C.kprod_partitions_for_async(p.producer, topic.handle, tag) }
}

// getKnown waits until the brokers have told about a topic whose metadata was asked for, or the era is over.
func (p *core) getKnown(ctx context.Context, in *era, topic *topic, answer <-chan Result, what *waitTexts) error {
	select {
	case result := <-answer:
		if result.Err == nil {
			topic.setKnown()
		}
		return result.Err
	case <-in.ends():
		return what.refused(C.KPROD_ERR_ILLEGAL_STATE)
	case <-p.gate.shutting:
		return refused(C.KPROD_ERR_CLOSED)
	case <-ctx.Done():
		return interrupted(ctx, ErrTimedOut, what.unknown)
	}
}
