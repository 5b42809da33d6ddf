import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.ListOffsetsResult;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AccessControlEntryFilter;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;

/** Topics, configurations, quotas and leaders, through Kafka's Admin. The first argument is always the bootstrap list. */
final class Administration {
    private static final long WAIT_MS = 30_000;
    private static final long POLL_MS = 20;

    private final Map<String, Admin> admins = new ConcurrentHashMap<>();

    void run(String command, String[] a, Answer answer) throws Exception {
        Admin admin = admins.computeIfAbsent(a[0], Administration::connect);
        switch (command) {
            case "create-topic" -> createTopic(admin, a[1], a[2], a[3], a[4]);
            case "delete-topic" -> deleteTopic(admin, a[1]);
            case "create-partitions" -> createPartitions(admin, a[1], Integer.parseInt(a[2]));
            case "alter-config" -> alterConfig(admin, a[1], a[2], a[3]);
            case "alter-quota" -> alterQuota(admin, a[1], a[2], a[3]);
            case "describe-topic" -> describeTopic(admin, a[1], answer);
            case "quorum-leader" -> answer.result(
                    admin.describeMetadataQuorum().quorumInfo().get().leaderId());
            case "elect-leader" -> electLeader(admin, partition(a[1], a[2]));
            case "move-leader" -> moveLeader(admin, partition(a[1], a[2]), Integer.parseInt(a[3]));
            case "reassign" -> reassign(admin, partition(a[1], a[2]), integers(a[3]));
            case "delete-records" -> deleteRecords(admin, partition(a[1], a[2]), Long.parseLong(a[3]));
            case "offsets" -> offsets(admin, a[1], answer);
            case "producers" -> producers(admin, partition(a[1], a[2]), answer);
            case "group-offsets" -> groupOffsets(admin, a[1], answer);
            case "set-feature" -> setFeature(admin, a[1], Short.parseShort(a[2]));
            case "forbid" -> forbid(admin, resource(a[1], a[2]), AclOperation.valueOf(a[3]));
            case "allow" -> allow(admin, resource(a[1], a[2]));
            case "forget" -> admins.remove(a[0]).close(java.time.Duration.ZERO);
            default -> throw new IllegalArgumentException("no command " + command);
        }
    }

    private static Admin connect(String bootstrap) {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", bootstrap);
        config.put("retry.backoff.ms", 20);
        config.put("retry.backoff.max.ms", 200);
        config.put("reconnect.backoff.ms", 20);
        config.put("reconnect.backoff.max.ms", 200);
        config.put("request.timeout.ms", 10_000);
        config.put("default.api.timeout.ms", 30_000);
        return Admin.create(config);
    }

    private static TopicPartition partition(String topic, String partition) {
        return new TopicPartition(topic, Integer.parseInt(partition));
    }

    private static List<Integer> integers(String list) {
        List<Integer> numbers = new ArrayList<>();
        for (String number : list.split(",")) {
            numbers.add(Integer.valueOf(number));
        }
        return numbers;
    }

    /** {@code name=value} pairs, one per field separated by a semicolon. */
    private static Map<String, String> pairs(String list) {
        Map<String, String> pairs = new LinkedHashMap<>();
        for (String pair : list.split(";")) {
            if (!pair.isEmpty()) {
                int equals = pair.indexOf('=');
                pairs.put(pair.substring(0, equals), pair.substring(equals + 1));
            }
        }
        return pairs;
    }

    /** The layout is a count of partitions, or the replicas of each: {@code 1,2,3;2,3,1}. */
    private static void createTopic(Admin admin, String name, String layout, String replication, String configs)
            throws Exception {
        NewTopic topic;
        if (replication.equals("-")) {
            Map<Integer, List<Integer>> assignment = new LinkedHashMap<>();
            for (String replicas : layout.split(";")) {
                assignment.put(assignment.size(), integers(replicas));
            }
            topic = new NewTopic(name, assignment);
        } else {
            topic = new NewTopic(name, Integer.parseInt(layout), Short.parseShort(replication));
        }
        admin.createTopics(List.of(topic.configs(pairs(configs)))).all().get();
        until("topic " + name + " to have its leaders", () -> hasLeaders(admin, name));
    }

    private static void deleteTopic(Admin admin, String name) throws Exception {
        admin.deleteTopics(List.of(name)).all().get();
        until("topic " + name + " to be gone", () -> partitions(admin, name).isEmpty());
    }

    private static void createPartitions(Admin admin, String name, int count) throws Exception {
        admin.createPartitions(Map.of(name, NewPartitions.increaseTo(count))).all().get();
        until("topic " + name + " to have " + count + " partitions",
                () -> partitions(admin, name).size() == count && hasLeaders(admin, name));
    }

    private static void alterConfig(Admin admin, String type, String name, String configs) throws Exception {
        List<AlterConfigOp> operations = new ArrayList<>();
        pairs(configs).forEach((key, value) -> operations.add(new AlterConfigOp(new ConfigEntry(key, value),
                value.isEmpty() ? AlterConfigOp.OpType.DELETE : AlterConfigOp.OpType.SET)));
        ConfigResource resource = new ConfigResource(ConfigResource.Type.valueOf(type), name);
        admin.incrementalAlterConfigs(Map.<ConfigResource, Collection<AlterConfigOp>>of(resource, operations))
                .all().get();
    }

    /** For a client id, or for all of them where it is empty; an empty value takes the quota away. */
    private static void alterQuota(Admin admin, String client, String key, String value) throws Exception {
        Map<String, String> who = new HashMap<>();
        who.put(ClientQuotaEntity.CLIENT_ID, client.isEmpty() ? null : client);
        Double limit = value.isEmpty() ? null : Double.valueOf(value);
        admin.alterClientQuotas(List.of(new ClientQuotaAlteration(new ClientQuotaEntity(who),
                List.of(new ClientQuotaAlteration.Op(key, limit))))).all().get();
    }

    private static List<TopicPartitionInfo> partitions(Admin admin, String topic) throws Exception {
        try {
            TopicDescription description = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
            return description.partitions();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof UnknownTopicOrPartitionException) {
                return List.of();
            }
            throw e;
        }
    }

    private static boolean hasLeaders(Admin admin, String topic) throws Exception {
        List<TopicPartitionInfo> partitions = partitions(admin, topic);
        return !partitions.isEmpty()
                && partitions.stream().allMatch(p -> p.leader() != null && !p.leader().isEmpty());
    }

    private static TopicPartitionInfo describe(Admin admin, TopicPartition which) throws Exception {
        for (TopicPartitionInfo partition : partitions(admin, which.topic())) {
            if (partition.partition() == which.partition()) {
                return partition;
            }
        }
        throw new UnknownTopicOrPartitionException(which + " does not exist");
    }

    private static int leader(TopicPartitionInfo partition) {
        return partition.leader() == null ? -1 : partition.leader().id();
    }

    private static String ids(List<Node> nodes) {
        return String.join(",", nodes.stream().map(Node::idString).toList());
    }

    private static void describeTopic(Admin admin, String topic, Answer answer) throws Exception {
        for (TopicPartitionInfo p : partitions(admin, topic)) {
            answer.row(p.partition(), leader(p), ids(p.replicas()), ids(p.isr()));
        }
    }

    /** Tries until the first of the replicas leads: just restarted, it may have to catch up first. */
    private static void electLeader(Admin admin, TopicPartition which) throws Exception {
        until(which + " to be led by its preferred leader", () -> {
            TopicPartitionInfo partition = describe(admin, which);
            if (leader(partition) == partition.replicas().get(0).id()) {
                return true;
            }
            admin.electLeaders(ElectionType.PREFERRED, Set.of(which)).partitions().get();
            return false;
        });
    }

    /** Makes one of the replicas the preferred one, then has it elected. */
    private static void moveLeader(Admin admin, TopicPartition which, int to) throws Exception {
        List<Integer> replicas = new ArrayList<>();
        replicas.add(to);
        describe(admin, which).replicas().stream().map(Node::id).filter(id -> id != to).forEach(replicas::add);
        reassign(admin, which, replicas);
        electLeader(admin, which);
    }

    private static void reassign(Admin admin, TopicPartition which, List<Integer> replicas) throws Exception {
        admin.alterPartitionReassignments(Map.of(which, Optional.of(new NewPartitionReassignment(replicas))))
                .all().get();
        until(which + " to be reassigned", () ->
                admin.listPartitionReassignments(Set.of(which)).reassignments().get().isEmpty());
    }

    private static void deleteRecords(Admin admin, TopicPartition which, long before) throws Exception {
        admin.deleteRecords(Map.of(which, RecordsToDelete.beforeOffset(before))).all().get();
    }

    private static void offsets(Admin admin, String topic, Answer answer) throws Exception {
        Map<TopicPartition, OffsetSpec> first = new HashMap<>();
        Map<TopicPartition, OffsetSpec> last = new HashMap<>();
        for (TopicPartitionInfo p : partitions(admin, topic)) {
            TopicPartition which = new TopicPartition(topic, p.partition());
            first.put(which, OffsetSpec.earliest());
            last.put(which, OffsetSpec.latest());
        }
        ListOffsetsResult starts = admin.listOffsets(first);
        ListOffsetsResult ends = admin.listOffsets(last);
        for (TopicPartition which : first.keySet()) {
            answer.row(which.partition(), starts.partitionResult(which).get().offset(),
                    ends.partitionResult(which).get().offset());
        }
    }

    /** Those whose state the partition's leader keeps: id, epoch, last sequence. */
    private static void producers(Admin admin, TopicPartition which, Answer answer) throws Exception {
        var described = admin.describeProducers(List.of(which)).partitionResult(which).get();
        described.activeProducers().forEach(p -> answer.row(p.producerId(), p.producerEpoch(), p.lastSequence()));
    }

    private static void groupOffsets(Admin admin, String group, Answer answer) throws Exception {
        admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().forEach((which, offset) ->
                answer.row(which.topic(), which.partition(), offset.offset()));
    }

    private static void setFeature(Admin admin, String name, short level) throws Exception {
        boolean up = level > finalized(admin, name);
        FeatureUpdate.UpgradeType type =
                up ? FeatureUpdate.UpgradeType.UPGRADE : FeatureUpdate.UpgradeType.SAFE_DOWNGRADE;
        admin.updateFeatures(Map.of(name, new FeatureUpdate(level, type)), new UpdateFeaturesOptions()).all().get();
        until(name + " to have level " + level, () -> finalized(admin, name) == level);
    }

    private static short finalized(Admin admin, String name) throws Exception {
        var range = admin.describeFeatures().featureMetadata().get().finalizedFeatures().get(name);
        return range == null ? 0 : range.maxVersionLevel();
    }

    private static ResourcePattern resource(String kind, String name) {
        return new ResourcePattern(ResourceType.valueOf(kind), name, PatternType.LITERAL);
    }

    private static void forbid(Admin admin, ResourcePattern what, AclOperation operation) throws Exception {
        admin.createAcls(List.of(
                new AclBinding(what, new AccessControlEntry("User:*", "*", operation, AclPermissionType.DENY)),
                new AclBinding(what, new AccessControlEntry("User:*", "*", AclOperation.ALL, AclPermissionType.ALLOW))))
                .all().get();
    }

    private static void allow(Admin admin, ResourcePattern what) throws Exception {
        admin.deleteAcls(List.of(new AclBindingFilter(what.toFilter(), AccessControlEntryFilter.ANY))).all().get();
    }

    private interface Condition {
        boolean holds() throws Exception;
    }

    private static void until(String what, Condition condition) throws Exception {
        long deadline = System.nanoTime() + WAIT_MS * 1_000_000;
        while (!condition.holds()) {
            if (System.nanoTime() > deadline) {
                throw new TimeoutException("waited in vain for " + what);
            }
            Thread.sleep(POLL_MS);
        }
    }
}
