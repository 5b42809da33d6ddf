// Package kprod sends records to Apache Kafka through libkprod.
//
// A [Producer] is made by [New] from properties under Kafka's own names, used by any number of goroutines, and ended
// by [Producer.Close]:
//
//	producer, err := kprod.New(kprod.Config{"bootstrap.servers": "localhost:9092", "acks": "all"})
//	if err != nil {
//		return err
//	}
//	defer producer.Close(context.Background())
//	report, err := producer.Send(ctx, &kprod.Record{Topic: "greetings", Value: []byte("hello")})
//
// # Ways to send
//
//   - [Producer.Send] waits for the outcome.
//   - [Producer.SendAsync] and [Producer.SendChan] return when the record is accepted; the outcome goes to a function or
//     a channel.
//   - [Producer.TrySend] is SendAsync that never waits.
//   - [Producer.SendMany] and a [Pack] hand over many records in one call, which is the quickest.
//   - A [Batch] is filled by its user and sent as it is.
//
// What is sent between [Producer.Begin] and [Transaction.Commit] becomes visible together, or not at all;
// [Producer.Transact] does both around a function. A send is accepted in the transaction in which it was called, or not
// at all.
//
// # Accepted and refused
//
// A send that returns an error before the record was accepted has refused it: it is not sent, nor will it be, and no
// outcome follows. An accepted record has exactly one outcome, also when the producer is closed or fails. Cancelling a
// context before a record is accepted refuses it; afterwards it has no effect on the record. A Send whose context ends
// in between says so with [ErrStillPending].
//
// The library copies what it is given: a Record and its bytes may be reused as soon as the call returns. Records that
// one goroutine sends to a partition keep their order.
//
// # Callbacks
//
// Outcomes are taken from the library by one goroutine, which calls the functions given to SendAsync and fills the
// channels given to SendChan. While one of them blocks, no other outcome gets through, so they must be quick. Calls that
// need an answer of the library meanwhile return an [ErrTimedOut] that says so, a second after max.block.ms; only what
// waits for an outcome, or in Flush for all, waits until its context ends. One that panics ends the program, as in any
// goroutine; one that ends its goroutine (runtime.Goexit) keeps no other from being called.
//
// They may send, and no send waits there: a record of a topic that is not known yet waits in buffer.memory, and where
// there is no room SendAsync, SendMany and Pack.Send return [ErrQueueFull] at once, as does Batch.SendAsync while the
// partition's batch before has to go first. What waits for an outcome is refused at once with [ErrInCallback], whichever
// producer's it is, and has done nothing: Send, Batch.Send, Start, PartitionsFor, Flush, Close, and the steps of
// transactions. Call these in a goroutine of their own, and do not let the function wait for that.
//
// # Building
//
// The package finds libkprod by pkg-config (PKG_CONFIG_PATH for a prefix of your own) and needs cgo. At run time
// libkprod.so.0 must be where the dynamic loader looks, or in LD_LIBRARY_PATH.
package kprod
