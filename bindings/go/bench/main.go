// Sends records through one Go client against a broker that only acknowledges, and says what it took. The script
// beside it runs all of them in turns.
//
//	bench --client NAME --bootstrap HOST:PORT --topic T --size N --records N --warmup N
package main

import (
	"flag"
	"fmt"
	"os"
	"syscall"
	"time"
)

// contestant is one way to send records: send returns when all of them are acknowledged.
type contestant interface {
	send(value []byte, records int) error
	close() error
}

// load is what every contestant is set up with.
type load struct {
	bootstrap, topic string
	batchSize        int
	lingerMs         int
}

var contestants = map[string]func(load) (contestant, error){
	"kprod":        newKprodSingle,
	"kprod-packed": newKprodPacked,
	"franz-go":     newFranz,
	"confluent":    newConfluent,
}

func main() {
	var with load
	client := flag.String("client", "", "kprod, kprod-packed, franz-go or confluent")
	flag.StringVar(&with.bootstrap, "bootstrap", "", "the broker")
	flag.StringVar(&with.topic, "topic", "bench", "the topic")
	flag.IntVar(&with.batchSize, "batch-size", 64<<10, "batch.size in bytes; 0: the client's own")
	flag.IntVar(&with.lingerMs, "linger-ms", 5, "linger.ms")
	size := flag.Int("size", 100, "bytes of a value")
	records := flag.Int("records", 2_000_000, "records to measure")
	warmup := flag.Int("warmup", 200_000, "records before those")
	flag.Parse()
	if err := run(*client, with, *size, *records, *warmup); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", *client, err)
		os.Exit(1)
	}
}

func run(client string, with load, size, records, warmup int) error {
	open := contestants[client]
	if open == nil {
		return fmt.Errorf("no such client")
	}
	one, err := open(with)
	if err != nil {
		return err
	}
	value := make([]byte, size)
	for i := range value {
		value[i] = 'a' + byte(i%26)
	}
	if err = one.send(value, warmup); err != nil {
		return err
	}
	begin, cpu := time.Now(), processorTime()
	if err = one.send(value, records); err != nil {
		return err
	}
	wall, cpu := time.Since(begin), processorTime()-cpu
	fmt.Printf("client=%s records=%d total=%d wall_ns=%d cpu_ns=%d\n",
		client, records, records+warmup, wall.Nanoseconds(), cpu.Nanoseconds())
	return one.close()
}

// processorTime is that of the whole process, user and system.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
