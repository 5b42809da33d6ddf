package main

import (
	"fmt"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// confluentClient is confluent-kafka-go, which brings librdkafka.
type confluentClient struct {
	producer *kafka.Producer
	topic    string
	reports  chan kafka.Event
}

func newConfluent(with load) (contestant, error) {
	config := kafka.ConfigMap{
		"bootstrap.servers":         with.bootstrap,
		"acks":                      1,
		"linger.ms":                 with.lingerMs,
		"go.delivery.report.fields": "none",
		"go.logs.channel.enable":    false,
	}
	if with.batchSize > 0 {
		config["batch.size"] = with.batchSize
	}
	producer, err := kafka.NewProducer(&config)
	return &confluentClient{producer: producer, topic: with.topic, reports: make(chan kafka.Event, 100_000)}, err
}

func (c *confluentClient) send(value []byte, records int) error {
	all := make(chan error, 1)
	go func() { all <- c.count(records) }()
	to := kafka.TopicPartition{Topic: &c.topic, Partition: kafka.PartitionAny}
	for range records {
		for {
			err := c.producer.Produce(&kafka.Message{TopicPartition: to, Value: value}, c.reports)
			if err == nil {
				break
			}
			if failure, ok := err.(kafka.Error); !ok || failure.Code() != kafka.ErrQueueFull {
				return err
			}
			c.producer.Flush(1)
		}
	}
	return <-all
}

// count takes the reports of so many records.
func (c *confluentClient) count(records int) (failed error) {
	for range records {
		message, ok := (<-c.reports).(*kafka.Message)
		if !ok {
			failed = fmt.Errorf("an event that is no message")
		} else if message.TopicPartition.Error != nil {
			failed = message.TopicPartition.Error
		}
	}
	return failed
}

func (c *confluentClient) close() error {
	c.producer.Close()
	return nil
}
