import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/** Members of consumer groups, each under a name of the test's. The first argument is always that name. */
final class Members {
    private final Map<String, KafkaConsumer<byte[], byte[]>> members = new ConcurrentHashMap<>();

    /** Whether the command is one of these. */
    static boolean knows(String command) {
        return command.startsWith("member-");
    }

    void run(String command, String[] a, Answer answer) {
        switch (command) {
            case "member-join" -> join(a[0], a[1], a[2], a[3], a[4]);
            case "member-poll" -> poll(members.get(a[0]), Duration.ofMillis(Long.parseLong(a[1])), answer);
            case "member-rewind" -> rewind(members.get(a[0]));
            case "member-leave" -> members.remove(a[0]).close();
            case "member-die" -> members.remove(a[0]).close(CloseOptions.timeout(Duration.ZERO)
                    .withGroupMembershipOperation(CloseOptions.GroupMembershipOperation.REMAIN_IN_GROUP));
            default -> throw new IllegalArgumentException("no command " + command);
        }
    }

    /** The protocol is "classic" or "consumer" (KIP-848). */
    private void join(String name, String bootstrap, String group, String topic, String protocol) {
        Map<String, Object> config = new HashMap<>(Reading.consumerConfig(bootstrap, "read_committed"));
        config.put("group.id", group);
        config.put("group.protocol", protocol);
        config.put("max.poll.records", 25);
        if (protocol.equals("classic")) {
            config.put("session.timeout.ms", 2_000);
            config.put("heartbeat.interval.ms", 200);
        }
        KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(config);
        consumer.subscribe(java.util.List.of(topic));
        members.put(name, consumer);
    }

    /** Partition, offset and value of each record; then whom the group has this member for: generation and member. */
    private static void poll(KafkaConsumer<byte[], byte[]> consumer, Duration limit, Answer answer) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(limit)) {
            answer.row(record.partition(), record.offset(), Answer.hex(record.value()));
        }
        ConsumerGroupMetadata group = consumer.groupMetadata();
        answer.result(group.generationId(), group.memberId());
    }

    /** Back to what is committed: what was read since is read again. */
    private static void rewind(KafkaConsumer<byte[], byte[]> consumer) {
        Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(consumer.assignment());
        for (TopicPartition partition : consumer.assignment()) {
            OffsetAndMetadata offset = committed.get(partition);
            if (offset == null) {
                consumer.seekToBeginning(java.util.List.of(partition));
            } else {
                consumer.seek(partition, offset);
            }
        }
    }
}
