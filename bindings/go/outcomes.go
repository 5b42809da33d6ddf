// From accepted to reported: the table of those who wait for an outcome, and the goroutine that polls.

package kprod

// #include <kprod.h>
//
// #cgo noescape kprod_poll
import "C"

import "sync"

// Result is an outcome on a channel: err is nil when the record stands in the log.
type Result struct {
	Record *Record
	Report Report
	Err    error
}

// waiting is who waits for an outcome: the function or the channel of one record, the function of many, or of an
// operation.
type waiting struct {
	done    func(Report, error)
	many    func(int, Report, error)
	results chan<- Result
	record  *Record
	// left is how many outcomes are still to come, 0 for a free place.
	left uint32
}

func (w *waiting) tell(index int, report Report, err error) {
	switch {
	case w.done != nil:
		w.done(report, err)
	case w.many != nil:
		w.many(index, report, err)
	case w.results != nil:
		w.results <- Result{Record: w.record, Report: report, Err: err}
	}
}

// table holds who waits. A tag is a place in it and, in the upper half, the number of a record among many.
type table struct {
	mutex  sync.Mutex
	places []waiting
	free   []uint32
}

func tagOf(place uint32, index int) C.uint64_t { return C.uint64_t(index)<<32 | C.uint64_t(place) }

// take makes a place for one who waits.
func (t *table) take(who waiting) uint32 {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if last := len(t.free) - 1; last >= 0 {
		place := t.free[last]
		t.free = t.free[:last]
		t.places[place] = who
		return place
	}
	t.places = append(t.places, who)
	return uint32(len(t.places) - 1)
}

// give takes some of a place's outcomes back, for they will not come.
func (t *table) give(place uint32, outcomes int) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.count(place, uint32(outcomes))
}

func (t *table) count(place, outcomes uint32) {
	who := &t.places[place]
	who.left -= outcomes
	if who.left == 0 {
		*who = waiting{}
		t.free = append(t.free, place)
	}
}

// resolve tells who waits for some reports, and counts them.
func (t *table) resolve(reports []C.kprod_delivery_t, whose []waiting) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for i := range reports {
		switch reports[i].kind {
		case C.KPROD_KIND_RECORD, C.KPROD_KIND_BATCH, C.KPROD_KIND_OPERATION:
			place := uint32(reports[i].tag)
			whose[i] = t.places[place]
			t.count(place, 1)
		}
	}
}

// atATime is how many reports are taken from the library in one call.
const atATime = 1024

// poller is what the goroutine that polls has in hand.
type poller struct {
	reports []C.kprod_delivery_t
	whose   []waiting
	// Of got reports, those before next have been told.
	next, got int
	// calls is set when one of them went to a function.
	calls bool
}

func newPoller() *poller {
	return &poller{reports: make([]C.kprod_delivery_t, atATime), whose: make([]waiting, atATime)}
}

// call lets inCallback look for this poller, until rest.
func (w *poller) call() {
	if !w.calls {
		w.calls = true
		calling.Add(1)
	}
}

func (w *poller) rest() {
	if w.calls {
		w.calls = false
		calling.Add(-1)
	}
}

// poll hands every outcome to whom it is for, until the producer is closed and nothing is left, and then destroys it.
// A function of the user's that ends the goroutine (runtime.Goexit, as testing.T.Fatal does) ends this one alone.
func (p *core) poll(with *poller) {
	over := false
	defer func() {
		if over {
			close(p.ended)
		} else {
			go p.poll(with)
		}
	}()
	for {
		for with.next < with.got {
			p.tellNext(with)
		}
		with.rest()
		p.polled.ring()
		got := C.kprod_poll(p.producer, &with.reports[0], atATime, -1)
		if got < 0 {
			break
		}
		with.next, with.got = 0, int(got)
		p.table.resolve(with.reports[:got], with.whose)
	}
	<-p.gate.empty
	<-p.closed // or the call that closes would be in the library still
	C.kprod_destroy(p.producer)
	over = true
}

// tellNext takes the next report and tells who waits for it.
func (p *core) tellNext(with *poller) {
	of, who := &with.reports[with.next], with.whose[with.next]
	with.whose[with.next] = waiting{}
	with.next++
	if of.kind == C.KPROD_KIND_WRITABLE {
		p.writable.ring()
		return
	}
	report, err := p.outcome(of)
	if who.done != nil || who.many != nil {
		with.call()
	}
	who.tell(int(of.tag>>32), report, err)
}

// outcome translates a report.
func (p *core) outcome(of *C.kprod_delivery_t) (Report, error) {
	report := Report{
		Partition:      int32(of.partition),
		Offset:         int64(of.offset),
		LogStartOffset: int64(of.log_start_offset),
		Records:        int(of.count),
		TimestampType:  TimestampType(of.timestamp_type),
		timestamp:      int64(of.timestamp_ms),
		flags:          uint32(of.flags),
	}
	topic := p.topics.at(uint32(of.topic))
	if topic != nil {
		report.Topic = topic.name
	}
	if of.error == 0 {
		if topic != nil && of.count > 0 {
			topic.setKnown() // so that sends to it need not ask
		}
		return report, nil
	}
	return report, &Error{Code: Code(of.error), Message: p.detail(of), flags: uint32(of.flags)}
}

// detail is the message of a failed report. Records of a batch share it, so the last one is kept.
func (p *core) detail(of *C.kprod_delivery_t) string {
	if of.detail != 0 && of.detail == p.lastDetail {
		return p.lastMessage
	}
	message := Code(of.error).text()
	var object *C.kprod_error_t
	if of.detail != 0 && C.kprod_error_detail(p.producer, of.detail, &object) == 0 {
		message = C.GoString(C.kprod_error_message(object))
		C.kprod_error_free(object)
		p.lastDetail, p.lastMessage = of.detail, message
	}
	return message
}
