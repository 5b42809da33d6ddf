import java.io.File;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.record.internal.FileLogInputStream.FileChannelRecordBatch;
import org.apache.kafka.common.record.internal.FileRecords;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** What ended up in the log, as Kafka's own code sees it. */
final class Reading {
    private static final Duration POLL = Duration.ofMillis(100);

    private Reading() {}

    /**
     * bootstrap, topic, isolation level, how many records ("end": all there are now), timeout in ms, "whole" or
     * "digest" (a value is then its length and CRC32C). Ends with "complete" or "timeout".
     */
    static void consume(String[] a, Answer answer) {
        String topic = a[1];
        long wanted = a[3].equals("end") ? Long.MAX_VALUE : Long.parseLong(a[3]);
        long deadline = System.nanoTime() + Long.parseLong(a[4]) * 1_000_000;
        boolean digest = a[5].equals("digest");
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(consumerConfig(a[0], a[2]))) {
            List<TopicPartition> partitions = partitions(consumer, topic);
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            long seen = 0;
            boolean complete = false;
            while (!complete && System.nanoTime() < deadline) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
                    if (seen < wanted) {
                        row(record, digest, answer);
                        seen++;
                    }
                }
                complete = wanted == Long.MAX_VALUE ? reached(consumer, ends) : seen == wanted;
            }
            answer.result(complete ? "complete" : "timeout");
        }
    }

    static Map<String, Object> consumerConfig(String bootstrap, String isolation) {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", bootstrap);
        config.put("isolation.level", isolation);
        config.put("key.deserializer", ByteArrayDeserializer.class);
        config.put("value.deserializer", ByteArrayDeserializer.class);
        config.put("enable.auto.commit", false);
        config.put("auto.offset.reset", "earliest");
        config.put("allow.auto.create.topics", false);
        config.put("max.poll.records", 10_000);
        config.put("max.partition.fetch.bytes", 16 << 20);
        config.put("fetch.max.wait.ms", 50);
        config.put("retry.backoff.ms", 20);
        config.put("reconnect.backoff.ms", 20);
        config.put("reconnect.backoff.max.ms", 200);
        config.put("default.api.timeout.ms", 30_000);
        return config;
    }

    private static List<TopicPartition> partitions(KafkaConsumer<?, ?> consumer, String topic) {
        List<TopicPartition> partitions = new ArrayList<>();
        consumer.partitionsFor(topic).forEach(p -> partitions.add(new TopicPartition(topic, p.partition())));
        if (partitions.isEmpty()) {
            throw new UnknownTopicOrPartitionException("topic " + topic + " does not exist");
        }
        return partitions;
    }

    private static boolean reached(KafkaConsumer<?, ?> consumer, Map<TopicPartition, Long> ends) {
        return ends.entrySet().stream().allMatch(end -> consumer.position(end.getKey()) >= end.getValue());
    }

    private static void row(ConsumerRecord<byte[], byte[]> record, boolean digest, Answer answer) {
        List<Object> fields = new ArrayList<>(List.of(record.partition(), record.offset(), record.timestamp(),
                record.timestampType().id, Answer.hex(record.key())));
        fields.add(digest && record.value() != null ? digest(record.value()) : Answer.hex(record.value()));
        for (Header header : record.headers()) {
            fields.add(Answer.hex(header.key().getBytes(java.nio.charset.StandardCharsets.UTF_8)));
            fields.add(Answer.hex(header.value()));
        }
        answer.row(fields.toArray());
    }

    private static String digest(byte[] value) {
        CRC32C crc = new CRC32C();
        crc.update(value);
        return value.length + ":" + crc.getValue();
    }

    /** The segment files of one partition, oldest first: each batch of them, and whether all in it can be read. */
    static void batches(String[] files, Answer answer) throws Exception {
        for (String file : files) {
            try (FileRecords segment = FileRecords.open(new File(file), false)) {
                for (FileChannelRecordBatch batch : segment.batches()) {
                    answer.row(batch.baseOffset(), batch.lastOffset(), batch.countOrNull(), batch.sizeInBytes(),
                            batch.compressionType().name, batch.timestampType().id, batch.maxTimestamp(),
                            batch.producerId(), batch.producerEpoch(), batch.baseSequence(),
                            batch.isTransactional(), batch.isControlBatch(), readable(batch));
                }
            }
        }
    }

    private static boolean readable(FileChannelRecordBatch batch) {
        if (!batch.isValid()) {
            return false;
        }
        int count = 0;
        for (Record record : batch) {
            record.ensureValid();
            count++;
        }
        return count == batch.countOrNull();
    }

    /** Number of partitions, then keys: the partition of each as Java's producer has it. */
    static void partitionsForKeys(String[] a, Answer answer) {
        int partitions = Integer.parseInt(a[0]);
        for (String key : Arrays.copyOfRange(a, 1, a.length)) {
            answer.row(BuiltInPartitioner.partitionForKey(HexFormat.of().parseHex(key), partitions));
        }
    }
}
