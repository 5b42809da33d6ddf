package kprod_test

import (
	"errors"
	"syscall"
	"testing"
	"unsafe"

	"kprod"
)

// untouchable are bytes that end the program when they are read.
func untouchable(t *testing.T, size int) []byte {
	t.Helper()
	bytes, err := syscall.Mmap(-1, 0, size, syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { syscall.Munmap(bytes) })
	return bytes
}

// Lengths that C would take for others are refused before they get there.
func TestARecordOfMoreThan31BitsIsRefused(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) < 8 {
		t.Skip("no length is above 31 bits here")
	}
	producer := newProducer(t, newCluster(t, "t", 1), nil)
	_, err := producer.PartitionsFor(background(t), "t")
	must(t, err)
	batch, pack := newBatch(t, producer, 0), producer.NewPack()
	half := 1 << 30
	for _, size := range []int{2 * half, 4*half + 4} {
		bytes := untouchable(t, size)
		key := unsafe.String(&bytes[0], size)
		for name, record := range map[string]kprod.Record{
			"key":                 {Key: bytes},
			"value":               {Value: bytes},
			"header's value":      {Headers: []kprod.Header{{Key: "k", Value: bytes}, {Key: "k"}}},
			"header's key":        {Headers: []kprod.Header{{Key: key}}},
			"headers, all in all": {Headers: []kprod.Header{{Value: bytes[:half]}, {Key: key[:half]}}},
		} {
			_, fromBatch := batch.Append(&record)
			record.Topic = "t"
			_, fromSend := producer.Send(background(t), &record)
			_, fromMany := producer.SendMany(background(t), []kprod.Record{record}, nil)
			for _, err := range []error{
				fromBatch, fromSend, fromMany, pack.Append(&record), producer.TrySend(&record, nil),
			} {
				if !errors.Is(err, kprod.ErrRecordTooLarge) {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
	if batch.Len() != 0 || pack.Len() != 0 {
		t.Fatal(batch.Len(), pack.Len())
	}
}
