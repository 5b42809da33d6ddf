//! Kafka's error codes, which brokers send: numbers and names are the protocol's.
//!
//! One name differs: the broker's INVALID_CONFIG is BROKER_INVALID_CONFIG, since the client's
//! own configuration errors bear that name.

super::codes! {
    UNKNOWN_SERVER_ERROR = -1, Permanent,
        "The broker failed in a way it has no code for. Its log says more.";
    OFFSET_OUT_OF_RANGE = 1, Permanent,
        "The offset is not in the partition's log.";
    CORRUPT_MESSAGE = 2, Retriable,
        "The batch arrived damaged: its checksum, size or form is wrong. It was not written and may be sent again.";
    UNKNOWN_TOPIC_OR_PARTITION = 3, Retriable,
        "The broker does not know the topic or partition. Create the topic, or wait if it was created just now.";
    INVALID_FETCH_SIZE = 4, Permanent,
        "The size asked for in a fetch is not valid.";
    LEADER_NOT_AVAILABLE = 5, Retriable,
        "The partition has no leader at present. An election normally ends this.";
    NOT_LEADER_OR_FOLLOWER = 6, Retriable,
        "The broker does not lead the partition any more. The record goes to the new leader once that is known.";
    REQUEST_TIMED_OUT = 7, Retriable,
        "The replicas did not confirm in time. The record may have been written.";
    BROKER_NOT_AVAILABLE = 8, Retriable,
        "The broker is not available at present.";
    REPLICA_NOT_AVAILABLE = 9, Retriable,
        "The replica is not available at present.";
    MESSAGE_TOO_LARGE = 10, Permanent,
        "The batch is larger than the topic's max.message.bytes or the broker's message.max.bytes. Raise them or send less.";
    STALE_CONTROLLER_EPOCH = 11, Permanent,
        "A broker answered to a controller that has been replaced.";
    OFFSET_METADATA_TOO_LARGE = 12, Permanent,
        "The metadata of a committed offset is too large. Shorten it.";
    NETWORK_EXCEPTION = 13, Retriable,
        "The connection broke before the answer came. The record may have been written.";
    COORDINATOR_LOAD_IN_PROGRESS = 14, Retriable,
        "The coordinator is loading its state and will answer soon.";
    COORDINATOR_NOT_AVAILABLE = 15, Retriable,
        "There is no coordinator at present.";
    NOT_COORDINATOR = 16, Retriable,
        "The broker is not the coordinator any more; the new one has to be found.";
    INVALID_TOPIC_EXCEPTION = 17, Permanent,
        "The topic's name is not allowed: 1 to 249 letters, digits, dots, underscores and hyphens, not \".\" or \"..\".";
    RECORD_LIST_TOO_LARGE = 18, Permanent,
        "The batch is larger than a segment of the topic's log. Lower batch.size or raise the topic's segment.bytes.";
    NOT_ENOUGH_REPLICAS = 19, Retriable,
        "Fewer replicas are in sync than min.insync.replicas asks for. The record was not written; bring the replicas back.";
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20, Retriable,
        "The leader has written the record, but fewer replicas are in sync than min.insync.replicas asks for.";
    INVALID_REQUIRED_ACKS = 21, Permanent,
        "The broker does not accept this value of acks. Set 0, 1 or all.";
    ILLEGAL_GENERATION = 22, Abortable,
        "The consumer group has moved to another generation. Abort the transaction; its records will be consumed again.";
    INCONSISTENT_GROUP_PROTOCOL = 23, Permanent,
        "The group's members have no protocol in common.";
    INVALID_GROUP_ID = 24, Permanent,
        "The group's name is not valid.";
    UNKNOWN_MEMBER_ID = 25, Abortable,
        "The consumer group does not know this member any more. Abort the transaction; its records will be consumed again.";
    INVALID_SESSION_TIMEOUT = 26, Permanent,
        "The session timeout is outside what the broker allows.";
    REBALANCE_IN_PROGRESS = 27, Permanent,
        "The consumer group is rebalancing.";
    INVALID_COMMIT_OFFSET_SIZE = 28, Permanent,
        "The committed offsets are larger than the broker stores.";
    TOPIC_AUTHORIZATION_FAILED = 29, Permanent,
        "This user may not write to the topic. Grant it the operation Write.";
    GROUP_AUTHORIZATION_FAILED = 30, Abortable,
        "This user may not commit offsets for the group. Grant it the operation Read on the group.";
    CLUSTER_AUTHORIZATION_FAILED = 31, Fatal,
        "This user may not do this in the cluster. For an idempotent producer grant Write on the topic or IdempotentWrite on the cluster.";
    INVALID_TIMESTAMP = 32, Permanent,
        "The record's timestamp is further from the broker's clock than the topic allows.";
    UNSUPPORTED_SASL_MECHANISM = 33, Permanent,
        "The broker does not offer this SASL mechanism. Set sasl.mechanism to one that the message lists.";
    ILLEGAL_SASL_STATE = 34, Permanent,
        "The broker did not expect this step of SASL. Check security.protocol against the broker's listener.";
    UNSUPPORTED_VERSION = 35, Permanent,
        "The broker does not speak this version of the request. Brokers from 2.1 are supported.";
    TOPIC_ALREADY_EXISTS = 36, Permanent,
        "The topic exists already.";
    INVALID_PARTITIONS = 37, Permanent,
        "The number of partitions is not valid.";
    INVALID_REPLICATION_FACTOR = 38, Permanent,
        "The replication factor is below 1 or above the number of brokers.";
    INVALID_REPLICA_ASSIGNMENT = 39, Permanent,
        "The assignment of replicas is not valid.";
    BROKER_INVALID_CONFIG = 40, Permanent,
        "The broker refused a configuration value.";
    NOT_CONTROLLER = 41, Retriable,
        "The broker is not the controller.";
    INVALID_REQUEST = 42, Permanent,
        "The broker takes the request for malformed. Its log says more; please report it.";
    UNSUPPORTED_FOR_MESSAGE_FORMAT = 43, Permanent,
        "The topic's message format is too old for the request. Raise its message.format.version.";
    POLICY_VIOLATION = 44, Permanent,
        "A policy of the broker forbids it.";
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45, Permanent,
        "The broker misses records of this producer before this batch. They may have been lost at the broker.";
    DUPLICATE_SEQUENCE_NUMBER = 46, Permanent,
        "The broker has this batch already.";
    INVALID_PRODUCER_EPOCH = 47, Permanent,
        "The broker knows a newer epoch of this producer: another one with the same transactional.id took over, or the transaction lasted longer than transaction.timeout.ms and was aborted by its coordinator.";
    INVALID_TXN_STATE = 48, Fatal,
        "The coordinator's transaction is in a state that does not allow this: most likely it lasted longer than transaction.timeout.ms and was aborted. Close the producer; a new one goes on.";
    INVALID_PRODUCER_ID_MAPPING = 49, Fatal,
        "The coordinator has given the transactional.id another producer id. Make a new producer.";
    INVALID_TRANSACTION_TIMEOUT = 50, Permanent,
        "transaction.timeout.ms is above the broker's transaction.max.timeout.ms. Lower it.";
    CONCURRENT_TRANSACTIONS = 51, Retriable,
        "The coordinator is still completing the previous transaction of this transactional.id.";
    TRANSACTION_COORDINATOR_FENCED = 52, Permanent,
        "The transaction's coordinator has been replaced.";
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53, Fatal,
        "This user may not use the transactional.id. Grant it the operation Write on it.";
    SECURITY_DISABLED = 54, Permanent,
        "The broker has no authorizer.";
    OPERATION_NOT_ATTEMPTED = 55, Abortable,
        "The broker did not try this part, because another part of the request failed.";
    KAFKA_STORAGE_ERROR = 56, Retriable,
        "The broker's disk failed for this partition. The leader normally moves to another broker.";
    LOG_DIR_NOT_FOUND = 57, Permanent,
        "The broker has no such log directory.";
    SASL_AUTHENTICATION_FAILED = 58, Permanent,
        "The broker refused the user's credentials. Check sasl.username, sasl.password or the token.";
    UNKNOWN_PRODUCER_ID = 59, Permanent,
        "The broker has forgotten this producer, for its records are older than the topic keeps them.";
    REASSIGNMENT_IN_PROGRESS = 60, Permanent,
        "The partition's replicas are being moved.";
    DELEGATION_TOKEN_AUTH_DISABLED = 61, Permanent,
        "The broker has no delegation tokens.";
    DELEGATION_TOKEN_NOT_FOUND = 62, Permanent,
        "The broker does not know the delegation token.";
    DELEGATION_TOKEN_OWNER_MISMATCH = 63, Permanent,
        "The delegation token belongs to another user.";
    DELEGATION_TOKEN_REQUEST_NOT_ALLOWED = 64, Permanent,
        "Delegation tokens may not be asked for on this connection.";
    DELEGATION_TOKEN_AUTHORIZATION_FAILED = 65, Permanent,
        "This user may not use delegation tokens so.";
    DELEGATION_TOKEN_EXPIRED = 66, Permanent,
        "The delegation token has expired. Get a new one.";
    INVALID_PRINCIPAL_TYPE = 67, Permanent,
        "The broker does not know this type of principal.";
    NON_EMPTY_GROUP = 68, Permanent,
        "The group still has members.";
    GROUP_ID_NOT_FOUND = 69, Abortable,
        "There is no such group. Abort the transaction.";
    FETCH_SESSION_ID_NOT_FOUND = 70, Retriable,
        "The broker has no such fetch session.";
    INVALID_FETCH_SESSION_EPOCH = 71, Retriable,
        "The fetch session's epoch is not the expected one.";
    LISTENER_NOT_FOUND = 72, Retriable,
        "The partition's leader has no listener like the one this client uses. Check the brokers' advertised.listeners.";
    TOPIC_DELETION_DISABLED = 73, Permanent,
        "The broker does not allow topics to be deleted.";
    FENCED_LEADER_EPOCH = 74, Retriable,
        "The client's view of the partition's leader is out of date.";
    UNKNOWN_LEADER_EPOCH = 75, Retriable,
        "The broker's view of the partition's leader is out of date.";
    UNSUPPORTED_COMPRESSION_TYPE = 76, Permanent,
        "The broker does not accept this codec. Set another compression.type.";
    STALE_BROKER_EPOCH = 77, Permanent,
        "The broker has been restarted since.";
    OFFSET_NOT_AVAILABLE = 78, Retriable,
        "The new leader does not know its high watermark yet.";
    MEMBER_ID_REQUIRED = 79, Permanent,
        "A member joins with the id that the coordinator gives it.";
    PREFERRED_LEADER_NOT_AVAILABLE = 80, Retriable,
        "The preferred leader is not available.";
    GROUP_MAX_SIZE_REACHED = 81, Permanent,
        "The group has as many members as the broker allows.";
    FENCED_INSTANCE_ID = 82, Abortable,
        "Another member with the same group.instance.id took over. Abort the transaction.";
    ELIGIBLE_LEADERS_NOT_AVAILABLE = 83, Retriable,
        "No replica that may lead the partition is available.";
    ELECTION_NOT_NEEDED = 84, Retriable,
        "The partition has its leader already.";
    NO_REASSIGNMENT_IN_PROGRESS = 85, Permanent,
        "The partition's replicas are not being moved.";
    GROUP_SUBSCRIBED_TO_TOPIC = 86, Permanent,
        "The group is subscribed to the topic.";
    INVALID_RECORD = 87, Permanent,
        "The broker refused the record, for instance one without a key in a compacted topic. The message says why if the broker did.";
    UNSTABLE_OFFSET_COMMIT = 88, Retriable,
        "Offsets of an open transaction are not decided yet.";
    THROTTLING_QUOTA_EXCEEDED = 89, Retriable,
        "A quota is used up. Try again after the time the broker names.";
    PRODUCER_FENCED = 90, Fatal,
        "Another producer with the same transactional.id took over, or the transaction lasted longer than transaction.timeout.ms and was aborted by its coordinator. Close the producer; unless there is another, a new one goes on.";
    RESOURCE_NOT_FOUND = 91, Permanent,
        "The broker has no such resource.";
    DUPLICATE_RESOURCE = 92, Permanent,
        "The resource exists already or is named twice.";
    UNACCEPTABLE_CREDENTIAL = 93, Permanent,
        "The credential does not meet the broker's requirements.";
    INCONSISTENT_VOTER_SET = 94, Permanent,
        "The controllers disagree about who votes.";
    INVALID_UPDATE_VERSION = 95, Permanent,
        "The version of the update is not valid.";
    FEATURE_UPDATE_FAILED = 96, Permanent,
        "The cluster's features could not be updated.";
    PRINCIPAL_DESERIALIZATION_FAILURE = 97, Permanent,
        "A broker could not read the principal that another forwarded.";
    SNAPSHOT_NOT_FOUND = 98, Permanent,
        "The snapshot does not exist.";
    POSITION_OUT_OF_RANGE = 99, Permanent,
        "The position lies outside the snapshot.";
    UNKNOWN_TOPIC_ID = 100, Retriable,
        "The broker does not know the topic's id: the topic was deleted or made anew.";
    DUPLICATE_BROKER_REGISTRATION = 101, Permanent,
        "A broker with this id is registered already.";
    BROKER_ID_NOT_REGISTERED = 102, Permanent,
        "No broker with this id is registered.";
    INCONSISTENT_TOPIC_ID = 103, Retriable,
        "The topic's id is not the broker's: the topic was made anew.";
    INCONSISTENT_CLUSTER_ID = 104, Permanent,
        "The broker belongs to another cluster.";
    TRANSACTIONAL_ID_NOT_FOUND = 105, Permanent,
        "The coordinator does not know the transactional.id.";
    FETCH_SESSION_TOPIC_ID_ERROR = 106, Retriable,
        "The fetch session mixes topic names and ids.";
    INELIGIBLE_REPLICA = 107, Permanent,
        "The replica may not be in sync.";
    NEW_LEADER_ELECTED = 108, Permanent,
        "The request itself led to a new leader.";
    OFFSET_MOVED_TO_TIERED_STORAGE = 109, Permanent,
        "The offset has moved to tiered storage.";
    FENCED_MEMBER_EPOCH = 110, Permanent,
        "The consumer group has moved past this member's epoch.";
    UNRELEASED_INSTANCE_ID = 111, Permanent,
        "Another member still holds the group.instance.id.";
    UNSUPPORTED_ASSIGNOR = 112, Permanent,
        "The group does not have this assignor.";
    STALE_MEMBER_EPOCH = 113, Abortable,
        "The member's epoch is out of date. Abort the transaction, and take the group metadata anew.";
    MISMATCHED_ENDPOINT_TYPE = 114, Permanent,
        "The request was sent to a controller instead of a broker, or the reverse. Check bootstrap.servers.";
    UNSUPPORTED_ENDPOINT_TYPE = 115, Permanent,
        "The broker does not know this type of endpoint.";
    UNKNOWN_CONTROLLER_ID = 116, Permanent,
        "The controller's id is not known.";
    UNKNOWN_SUBSCRIPTION_ID = 117, Permanent,
        "The telemetry subscription has changed.";
    TELEMETRY_TOO_LARGE = 118, Permanent,
        "The telemetry is larger than the broker accepts.";
    INVALID_REGISTRATION = 119, Permanent,
        "The controller refused a broker's registration.";
    TRANSACTION_ABORTABLE = 120, Abortable,
        "The transaction cannot be completed. Abort it, then begin another.";
    INVALID_RECORD_STATE = 121, Permanent,
        "The record of a share group is not in the state for this.";
    SHARE_SESSION_NOT_FOUND = 122, Retriable,
        "The broker has no such share session.";
    INVALID_SHARE_SESSION_EPOCH = 123, Retriable,
        "The share session's epoch is not the expected one.";
    FENCED_STATE_EPOCH = 124, Permanent,
        "The share group's state has moved past this epoch.";
    INVALID_VOTER_KEY = 125, Permanent,
        "The voter's key is not the receiving replica's.";
    DUPLICATE_VOTER = 126, Permanent,
        "The replica votes already.";
    VOTER_NOT_FOUND = 127, Permanent,
        "The replica does not vote.";
    INVALID_REGULAR_EXPRESSION = 128, Permanent,
        "The regular expression is not valid.";
    REBOOTSTRAP_REQUIRED = 129, Retriable,
        "The cluster asks the client to start again from bootstrap.servers.";
    STREAMS_INVALID_TOPOLOGY = 130, Permanent,
        "The topology of the streams application is not valid.";
    STREAMS_INVALID_TOPOLOGY_EPOCH = 131, Permanent,
        "The epoch of the streams application's topology is not valid.";
    STREAMS_TOPOLOGY_FENCED = 132, Permanent,
        "The streams application's topology is out of date.";
    SHARE_SESSION_LIMIT_REACHED = 133, Retriable,
        "The broker has as many share sessions as it allows.";
}
