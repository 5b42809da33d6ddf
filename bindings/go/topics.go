// Topics by name and by the library's handle, looked up without a lock.

package kprod

// #include <kprod.h>
import "C"

import (
	"context"
	"maps"
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

// topics are found without a lock once they are used. They are never removed, as in the library.
type topics struct {
	// mutex guards all, and missed.
	mutex sync.Mutex
	all   map[string]*topic
	// names is a copy of all. It is made anew when as many look-ups have missed it as there are topics, which pays for the
	// copying.
	names  atomic.Pointer[map[string]*topic]
	missed int
	// byHandle is replaced by a larger one when it is full. Nothing is at 0, which is no handle.
	byHandle atomic.Pointer[[]atomic.Pointer[topic]]
}

// at gives a topic by its handle, nil where there is none.
func (t *topics) at(handle uint32) *topic {
	all := t.byHandle.Load()
	if all == nil || int(handle) >= len(*all) {
		return nil
	}
	return (*all)[handle].Load()
}

// topic gives a topic by its name.
func (p *Producer) topic(name string) (*topic, error) {
	if names := p.topics.names.Load(); names != nil {
		if found := (*names)[name]; found != nil {
			return found, nil
		}
	}
	return p.topics.find(p.producer, name)
}

// find gives a topic that names does not have.
func (t *topics) find(producer *C.kprod_producer_t, name string) (*topic, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	found := t.all[name]
	if found == nil {
		var err error
		if found, err = t.add(producer, name); err != nil {
			return nil, err
		}
	}
	if t.missed++; t.missed >= len(t.all) {
		names := maps.Clone(t.all)
		t.names.Store(&names)
		t.missed = 0
	}
	return found, nil
}

func (t *topics) add(producer *C.kprod_producer_t, name string) (*topic, error) {
	var handle C.uint32_t
	bytes := []byte(name + "\x00")
	code := C.kprod_topic(producer, (*C.char)(unsafe.Pointer(&bytes[0])), C.int64_t(len(name)), &handle)
	if code != 0 {
		return nil, refused(code)
	}
	added := &topic{name: string(bytes[:len(name)]), handle: handle}
	if t.all == nil {
		t.all = map[string]*topic{}
	}
	t.all[added.name] = added
	t.slot(int(handle)).Store(added)
	return added, nil
}

// slot gives a handle's place in byHandle.
func (t *topics) slot(handle int) *atomic.Pointer[topic] {
	old := t.byHandle.Load()
	if old != nil && handle < len(*old) {
		return &(*old)[handle]
	}
	larger := make([]atomic.Pointer[topic], 2*handle+8)
	if old != nil {
		for i := range *old {
			larger[i].Store((*old)[i].Load())
		}
	}
	t.byHandle.Store(&larger)
	return &larger[handle]
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
