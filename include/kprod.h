/*
 * libkprod: a Kafka producer. Generated from src/ffi; do not edit.
 *
 * Functions that can fail return an int32_t: 0, or one of KPROD_ERR_*, or a code of a broker newer than this header.
 * They check what they are given: a call with bad arguments returns KPROD_ERR_INVALID_ARG and changes nothing. An
 * array of structs must lie as C aligns them, else it is a bad argument.
 * Out-parameters are written on success only, error objects on failure only. Every timeout_ms is in milliseconds: 0
 * does not wait, KPROD_TIMEOUT_CONFIGURED is the configuration's limit, less is an error.
 *
 * Each accepted record gets exactly one report. Reports go to the delivery callback, if the configuration has one,
 * else to kprod_poll; those of kprod_send_with_callback to its callback.
 *
 * Thread-safety, unless a function says otherwise: a producer may be used by any number of threads at once, until
 * kprod_destroy, which must come after all other calls have returned. Create producers after fork(): in a child of
 * the process that created a producer, calls return KPROD_ERR_FORKED.
 *
 * When a call returned KPROD_ERR_INTERNAL, the library found a fault of its own: the producer takes no more records
 * and is to be closed and destroyed.
 */

#ifndef KPROD_H
#define KPROD_H

#include <stdint.h>
#define KPROD_VERSION_MAJOR 0
#define KPROD_VERSION_MINOR 1
#define KPROD_VERSION_PATCH 0
/**
 * The version of this header; kprod_version() tells the library's.
 */
#define KPROD_VERSION \
    ((KPROD_VERSION_MAJOR << 24) | (KPROD_VERSION_MINOR << 16) | (KPROD_VERSION_PATCH << 8))

/**
 * Success.
 */
#define KPROD_ERR_OK (0)

/**
 * The library has broken a promise of its own. Destroy the producer, make a new one, and report the message.
 */
#define KPROD_ERR_INTERNAL (-100)

/**
 * An argument is null, out of range or contradicts another. Nothing was done.
 */
#define KPROD_ERR_INVALID_ARG (-101)

/**
 * No property has this name. The message names the nearest one, where one is near; docs/configuration.md lists them all.
 */
#define KPROD_ERR_UNKNOWN_CONFIG (-102)

/**
 * A property's value is not allowed, or properties contradict each other. The message says which and what is allowed.
 */
#define KPROD_ERR_INVALID_CONFIG (-103)

/**
 * The program was compiled against a newer header than this library. Install the newer library.
 */
#define KPROD_ERR_API_VERSION (-104)

/**
 * The producer is closed or being closed. It takes nothing more; a report's persistence tells whether a record that it had accepted may have been written.
 */
#define KPROD_ERR_CLOSED (-105)

/**
 * The producer was made before a fork and works only in the parent process. Make a new one in the child.
 */
#define KPROD_ERR_FORKED (-106)

/**
 * This call would block and so is not allowed in a callback. Use its asynchronous twin or another thread.
 */
#define KPROD_ERR_IN_CALLBACK (-107)

/**
 * The call does not fit the state of the producer, its transaction or the batch. The message, where the call gives one, says what comes first.
 */
#define KPROD_ERR_ILLEGAL_STATE (-108)

/**
 * The call's time has passed. A send was not accepted and never will be; any other call may be made again, and says what holds until then. kprod_cluster_error tells what the cluster lacks.
 */
#define KPROD_ERR_TIMED_OUT (-109)

/**
 * All of buffer.memory is taken by records without an outcome, or a batch sent before waits in the partition. Wait for the WRITABLE entry, or raise buffer.memory.
 */
#define KPROD_ERR_QUEUE_FULL (-110)

/**
 * Too many reports are unread (kprod.delivery.queue.max). Call kprod_poll.
 */
#define KPROD_ERR_REPORT_QUEUE_FULL (-111)

/**
 * The record was accepted but has no outcome yet. Its report will come like any other, so do not send it again.
 */
#define KPROD_ERR_STILL_PENDING (-112)

/**
 * The record is larger than max.request.size or buffer.memory. Raise them, and the broker's message.max.bytes, or send less.
 */
#define KPROD_ERR_RECORD_TOO_LARGE (-113)

/**
 * The topic handle is not one that this producer gave. Get it from kprod_topic.
 */
#define KPROD_ERR_UNKNOWN_TOPIC_HANDLE (-114)

/**
 * The topic has no such partition. kprod_partitions_for tells how many it has.
 */
#define KPROD_ERR_UNKNOWN_PARTITION (-115)

/**
 * Purged before it was sent. It will not be sent.
 */
#define KPROD_ERR_PURGED_QUEUED (-116)

/**
 * Purged while it was on its way. It may have been written.
 */
#define KPROD_ERR_PURGED_IN_FLIGHT (-117)

/**
 * The record expired before any attempt had an outcome. Look at the brokers' state, or raise delivery.timeout.ms or request.timeout.ms.
 */
#define KPROD_ERR_DELIVERY_TIMED_OUT (-118)

/**
 * No broker can be reached. Check bootstrap.servers, the network and the brokers; the producer keeps trying.
 */
#define KPROD_ERR_NO_BROKERS (-119)

/**
 * A host name cannot be resolved. Check bootstrap.servers and the brokers' advertised.listeners.
 */
#define KPROD_ERR_RESOLVE (-120)

/**
 * The peer's bytes are not Kafka's protocol. Check that host and port belong to a broker, and security.protocol.
 */
#define KPROD_ERR_PROTOCOL (-121)

/**
 * The TLS handshake failed. Check the ssl. properties and the broker's certificate.
 */
#define KPROD_ERR_TLS (-122)

/**
 * The partitioner function chose a partition that the topic does not have. Correct the function.
 */
#define KPROD_ERR_PARTITIONER (-123)

/**
 * The producer has failed for good, for a reason that was reported before. Destroy it and make a new one.
 */
#define KPROD_ERR_FATAL (-124)

/**
 * The codec failed on this batch. Nothing of it was sent; try another compression.type.
 */
#define KPROD_ERR_COMPRESSION (-125)

/**
 * The record itself is good, but another of its batch was refused and the whole batch with it. Send it again.
 */
#define KPROD_ERR_RECORD_NEIGHBOUR (-126)

/**
 * The record's timestamp is negative and not the value that means now.
 */
#define KPROD_ERR_INVALID_TIMESTAMP_ARG (-127)

/**
 * The cluster has lost records that it had acknowledged.
 */
#define KPROD_ERR_DATA_LOSS (-128)

/**
 * This library, this build or this broker does not have what was asked for. The message says what to use instead.
 */
#define KPROD_ERR_NOT_SUPPORTED (-129)

/**
 * The system refused memory. Nothing was done.
 */
#define KPROD_ERR_OUT_OF_MEMORY (-130)

/**
 * The system refused a thread, a pipe or a descriptor. Check the process's limits.
 */
#define KPROD_ERR_THREAD (-131)

/**
 * The record's transaction was aborted before the record was sent. It will not be sent.
 */
#define KPROD_ERR_ABORTED (-132)

/**
 * The batch has no room for the record and is closed now. Send it.
 */
#define KPROD_ERR_BATCH_FULL (-133)

/**
 * The broker failed in a way it has no code for. Its log says more.
 */
#define KPROD_ERR_UNKNOWN_SERVER_ERROR (-1)

/**
 * The offset is not in the partition's log.
 */
#define KPROD_ERR_OFFSET_OUT_OF_RANGE (1)

/**
 * The batch arrived damaged: its checksum, size or form is wrong. It was not written and may be sent again.
 */
#define KPROD_ERR_CORRUPT_MESSAGE (2)

/**
 * The broker does not know the topic or partition. Create the topic, or wait if it was created just now.
 */
#define KPROD_ERR_UNKNOWN_TOPIC_OR_PARTITION (3)

/**
 * The size asked for in a fetch is not valid.
 */
#define KPROD_ERR_INVALID_FETCH_SIZE (4)

/**
 * The partition has no leader at present. An election normally ends this.
 */
#define KPROD_ERR_LEADER_NOT_AVAILABLE (5)

/**
 * The broker does not lead the partition any more. The record goes to the new leader once that is known.
 */
#define KPROD_ERR_NOT_LEADER_OR_FOLLOWER (6)

/**
 * The replicas did not confirm in time. The record may have been written.
 */
#define KPROD_ERR_REQUEST_TIMED_OUT (7)

/**
 * The broker is not available at present.
 */
#define KPROD_ERR_BROKER_NOT_AVAILABLE (8)

/**
 * The replica is not available at present.
 */
#define KPROD_ERR_REPLICA_NOT_AVAILABLE (9)

/**
 * The batch is larger than the topic's max.message.bytes or the broker's message.max.bytes. Raise them or send less.
 */
#define KPROD_ERR_MESSAGE_TOO_LARGE (10)

/**
 * A broker answered to a controller that has been replaced.
 */
#define KPROD_ERR_STALE_CONTROLLER_EPOCH (11)

/**
 * The metadata of a committed offset is too large. Shorten it.
 */
#define KPROD_ERR_OFFSET_METADATA_TOO_LARGE (12)

/**
 * The connection broke before the answer came. The record may have been written.
 */
#define KPROD_ERR_NETWORK_EXCEPTION (13)

/**
 * The coordinator is loading its state and will answer soon.
 */
#define KPROD_ERR_COORDINATOR_LOAD_IN_PROGRESS (14)

/**
 * There is no coordinator at present.
 */
#define KPROD_ERR_COORDINATOR_NOT_AVAILABLE (15)

/**
 * The broker is not the coordinator any more; the new one has to be found.
 */
#define KPROD_ERR_NOT_COORDINATOR (16)

/**
 * The topic's name is not allowed: 1 to 249 letters, digits, dots, underscores and hyphens, not "." or "..".
 */
#define KPROD_ERR_INVALID_TOPIC_EXCEPTION (17)

/**
 * The batch is larger than a segment of the topic's log. Lower batch.size or raise the topic's segment.bytes.
 */
#define KPROD_ERR_RECORD_LIST_TOO_LARGE (18)

/**
 * Fewer replicas are in sync than min.insync.replicas asks for. The record was not written; bring the replicas back.
 */
#define KPROD_ERR_NOT_ENOUGH_REPLICAS (19)

/**
 * The leader has written the record, but fewer replicas are in sync than min.insync.replicas asks for.
 */
#define KPROD_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND (20)

/**
 * The broker does not accept this value of acks. Set 0, 1 or all.
 */
#define KPROD_ERR_INVALID_REQUIRED_ACKS (21)

/**
 * The consumer group has moved to another generation. Abort the transaction; its records will be consumed again.
 */
#define KPROD_ERR_ILLEGAL_GENERATION (22)

/**
 * The group's members have no protocol in common.
 */
#define KPROD_ERR_INCONSISTENT_GROUP_PROTOCOL (23)

/**
 * The group's name is not valid.
 */
#define KPROD_ERR_INVALID_GROUP_ID (24)

/**
 * The consumer group does not know this member any more. Abort the transaction; its records will be consumed again.
 */
#define KPROD_ERR_UNKNOWN_MEMBER_ID (25)

/**
 * The session timeout is outside what the broker allows.
 */
#define KPROD_ERR_INVALID_SESSION_TIMEOUT (26)

/**
 * The consumer group is rebalancing.
 */
#define KPROD_ERR_REBALANCE_IN_PROGRESS (27)

/**
 * The committed offsets are larger than the broker stores.
 */
#define KPROD_ERR_INVALID_COMMIT_OFFSET_SIZE (28)

/**
 * This user may not write to the topic. Grant it the operation Write.
 */
#define KPROD_ERR_TOPIC_AUTHORIZATION_FAILED (29)

/**
 * This user may not commit offsets for the group. Grant it the operation Read on the group.
 */
#define KPROD_ERR_GROUP_AUTHORIZATION_FAILED (30)

/**
 * This user may not do this in the cluster. For an idempotent producer grant Write on the topic or IdempotentWrite on the cluster.
 */
#define KPROD_ERR_CLUSTER_AUTHORIZATION_FAILED (31)

/**
 * The record's timestamp is further from the broker's clock than the topic allows.
 */
#define KPROD_ERR_INVALID_TIMESTAMP (32)

/**
 * The broker does not offer this SASL mechanism. Set sasl.mechanism to one that the message lists.
 */
#define KPROD_ERR_UNSUPPORTED_SASL_MECHANISM (33)

/**
 * The broker did not expect this step of SASL. Check security.protocol against the broker's listener.
 */
#define KPROD_ERR_ILLEGAL_SASL_STATE (34)

/**
 * The broker does not speak this version of the request. Brokers from 2.1 are supported.
 */
#define KPROD_ERR_UNSUPPORTED_VERSION (35)

/**
 * The topic exists already.
 */
#define KPROD_ERR_TOPIC_ALREADY_EXISTS (36)

/**
 * The number of partitions is not valid.
 */
#define KPROD_ERR_INVALID_PARTITIONS (37)

/**
 * The replication factor is below 1 or above the number of brokers.
 */
#define KPROD_ERR_INVALID_REPLICATION_FACTOR (38)

/**
 * The assignment of replicas is not valid.
 */
#define KPROD_ERR_INVALID_REPLICA_ASSIGNMENT (39)

/**
 * The broker refused a configuration value.
 */
#define KPROD_ERR_BROKER_INVALID_CONFIG (40)

/**
 * The broker is not the controller.
 */
#define KPROD_ERR_NOT_CONTROLLER (41)

/**
 * The broker takes the request for malformed. Its log says more; please report it.
 */
#define KPROD_ERR_INVALID_REQUEST (42)

/**
 * The topic's message format is too old for the request. Raise its message.format.version.
 */
#define KPROD_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT (43)

/**
 * A policy of the broker forbids it.
 */
#define KPROD_ERR_POLICY_VIOLATION (44)

/**
 * The broker misses records of this producer before this batch. They may have been lost at the broker.
 */
#define KPROD_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER (45)

/**
 * The broker has this batch already.
 */
#define KPROD_ERR_DUPLICATE_SEQUENCE_NUMBER (46)

/**
 * The broker knows a newer epoch of this producer: another one with the same transactional.id took over, or the transaction lasted longer than transaction.timeout.ms and was aborted by its coordinator.
 */
#define KPROD_ERR_INVALID_PRODUCER_EPOCH (47)

/**
 * The coordinator's transaction is in a state that does not allow this: most likely it lasted longer than transaction.timeout.ms and was aborted. Close the producer; a new one goes on.
 */
#define KPROD_ERR_INVALID_TXN_STATE (48)

/**
 * The coordinator has given the transactional.id another producer id. Make a new producer.
 */
#define KPROD_ERR_INVALID_PRODUCER_ID_MAPPING (49)

/**
 * transaction.timeout.ms is above the broker's transaction.max.timeout.ms. Lower it.
 */
#define KPROD_ERR_INVALID_TRANSACTION_TIMEOUT (50)

/**
 * The coordinator is still completing the previous transaction of this transactional.id.
 */
#define KPROD_ERR_CONCURRENT_TRANSACTIONS (51)

/**
 * The transaction's coordinator has been replaced.
 */
#define KPROD_ERR_TRANSACTION_COORDINATOR_FENCED (52)

/**
 * This user may not use the transactional.id. Grant it the operation Write on it.
 */
#define KPROD_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED (53)

/**
 * The broker has no authorizer.
 */
#define KPROD_ERR_SECURITY_DISABLED (54)

/**
 * The broker did not try this part, because another part of the request failed.
 */
#define KPROD_ERR_OPERATION_NOT_ATTEMPTED (55)

/**
 * The broker's disk failed for this partition. The leader normally moves to another broker.
 */
#define KPROD_ERR_KAFKA_STORAGE_ERROR (56)

/**
 * The broker has no such log directory.
 */
#define KPROD_ERR_LOG_DIR_NOT_FOUND (57)

/**
 * The broker refused the user's credentials. Check sasl.username, sasl.password or the token.
 */
#define KPROD_ERR_SASL_AUTHENTICATION_FAILED (58)

/**
 * The broker has forgotten this producer, for its records are older than the topic keeps them.
 */
#define KPROD_ERR_UNKNOWN_PRODUCER_ID (59)

/**
 * The partition's replicas are being moved.
 */
#define KPROD_ERR_REASSIGNMENT_IN_PROGRESS (60)

/**
 * The broker has no delegation tokens.
 */
#define KPROD_ERR_DELEGATION_TOKEN_AUTH_DISABLED (61)

/**
 * The broker does not know the delegation token.
 */
#define KPROD_ERR_DELEGATION_TOKEN_NOT_FOUND (62)

/**
 * The delegation token belongs to another user.
 */
#define KPROD_ERR_DELEGATION_TOKEN_OWNER_MISMATCH (63)

/**
 * Delegation tokens may not be asked for on this connection.
 */
#define KPROD_ERR_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED (64)

/**
 * This user may not use delegation tokens so.
 */
#define KPROD_ERR_DELEGATION_TOKEN_AUTHORIZATION_FAILED (65)

/**
 * The delegation token has expired. Get a new one.
 */
#define KPROD_ERR_DELEGATION_TOKEN_EXPIRED (66)

/**
 * The broker does not know this type of principal.
 */
#define KPROD_ERR_INVALID_PRINCIPAL_TYPE (67)

/**
 * The group still has members.
 */
#define KPROD_ERR_NON_EMPTY_GROUP (68)

/**
 * There is no such group. Abort the transaction.
 */
#define KPROD_ERR_GROUP_ID_NOT_FOUND (69)

/**
 * The broker has no such fetch session.
 */
#define KPROD_ERR_FETCH_SESSION_ID_NOT_FOUND (70)

/**
 * The fetch session's epoch is not the expected one.
 */
#define KPROD_ERR_INVALID_FETCH_SESSION_EPOCH (71)

/**
 * The partition's leader has no listener like the one this client uses. Check the brokers' advertised.listeners.
 */
#define KPROD_ERR_LISTENER_NOT_FOUND (72)

/**
 * The broker does not allow topics to be deleted.
 */
#define KPROD_ERR_TOPIC_DELETION_DISABLED (73)

/**
 * The client's view of the partition's leader is out of date.
 */
#define KPROD_ERR_FENCED_LEADER_EPOCH (74)

/**
 * The broker's view of the partition's leader is out of date.
 */
#define KPROD_ERR_UNKNOWN_LEADER_EPOCH (75)

/**
 * The broker does not accept this codec. Set another compression.type.
 */
#define KPROD_ERR_UNSUPPORTED_COMPRESSION_TYPE (76)

/**
 * The broker has been restarted since.
 */
#define KPROD_ERR_STALE_BROKER_EPOCH (77)

/**
 * The new leader does not know its high watermark yet.
 */
#define KPROD_ERR_OFFSET_NOT_AVAILABLE (78)

/**
 * A member joins with the id that the coordinator gives it.
 */
#define KPROD_ERR_MEMBER_ID_REQUIRED (79)

/**
 * The preferred leader is not available.
 */
#define KPROD_ERR_PREFERRED_LEADER_NOT_AVAILABLE (80)

/**
 * The group has as many members as the broker allows.
 */
#define KPROD_ERR_GROUP_MAX_SIZE_REACHED (81)

/**
 * Another member with the same group.instance.id took over. Abort the transaction.
 */
#define KPROD_ERR_FENCED_INSTANCE_ID (82)

/**
 * No replica that may lead the partition is available.
 */
#define KPROD_ERR_ELIGIBLE_LEADERS_NOT_AVAILABLE (83)

/**
 * The partition has its leader already.
 */
#define KPROD_ERR_ELECTION_NOT_NEEDED (84)

/**
 * The partition's replicas are not being moved.
 */
#define KPROD_ERR_NO_REASSIGNMENT_IN_PROGRESS (85)

/**
 * The group is subscribed to the topic.
 */
#define KPROD_ERR_GROUP_SUBSCRIBED_TO_TOPIC (86)

/**
 * The broker refused the record, for instance one without a key in a compacted topic. The message says why if the broker did.
 */
#define KPROD_ERR_INVALID_RECORD (87)

/**
 * Offsets of an open transaction are not decided yet.
 */
#define KPROD_ERR_UNSTABLE_OFFSET_COMMIT (88)

/**
 * A quota is used up. Try again after the time the broker names.
 */
#define KPROD_ERR_THROTTLING_QUOTA_EXCEEDED (89)

/**
 * Another producer with the same transactional.id took over, or the transaction lasted longer than transaction.timeout.ms and was aborted by its coordinator. Close the producer; unless there is another, a new one goes on.
 */
#define KPROD_ERR_PRODUCER_FENCED (90)

/**
 * The broker has no such resource.
 */
#define KPROD_ERR_RESOURCE_NOT_FOUND (91)

/**
 * The resource exists already or is named twice.
 */
#define KPROD_ERR_DUPLICATE_RESOURCE (92)

/**
 * The credential does not meet the broker's requirements.
 */
#define KPROD_ERR_UNACCEPTABLE_CREDENTIAL (93)

/**
 * The controllers disagree about who votes.
 */
#define KPROD_ERR_INCONSISTENT_VOTER_SET (94)

/**
 * The version of the update is not valid.
 */
#define KPROD_ERR_INVALID_UPDATE_VERSION (95)

/**
 * The cluster's features could not be updated.
 */
#define KPROD_ERR_FEATURE_UPDATE_FAILED (96)

/**
 * A broker could not read the principal that another forwarded.
 */
#define KPROD_ERR_PRINCIPAL_DESERIALIZATION_FAILURE (97)

/**
 * The snapshot does not exist.
 */
#define KPROD_ERR_SNAPSHOT_NOT_FOUND (98)

/**
 * The position lies outside the snapshot.
 */
#define KPROD_ERR_POSITION_OUT_OF_RANGE (99)

/**
 * The broker does not know the topic's id: the topic was deleted or made anew.
 */
#define KPROD_ERR_UNKNOWN_TOPIC_ID (100)

/**
 * A broker with this id is registered already.
 */
#define KPROD_ERR_DUPLICATE_BROKER_REGISTRATION (101)

/**
 * No broker with this id is registered.
 */
#define KPROD_ERR_BROKER_ID_NOT_REGISTERED (102)

/**
 * The topic's id is not the broker's: the topic was made anew.
 */
#define KPROD_ERR_INCONSISTENT_TOPIC_ID (103)

/**
 * The broker belongs to another cluster.
 */
#define KPROD_ERR_INCONSISTENT_CLUSTER_ID (104)

/**
 * The coordinator does not know the transactional.id.
 */
#define KPROD_ERR_TRANSACTIONAL_ID_NOT_FOUND (105)

/**
 * The fetch session mixes topic names and ids.
 */
#define KPROD_ERR_FETCH_SESSION_TOPIC_ID_ERROR (106)

/**
 * The replica may not be in sync.
 */
#define KPROD_ERR_INELIGIBLE_REPLICA (107)

/**
 * The request itself led to a new leader.
 */
#define KPROD_ERR_NEW_LEADER_ELECTED (108)

/**
 * The offset has moved to tiered storage.
 */
#define KPROD_ERR_OFFSET_MOVED_TO_TIERED_STORAGE (109)

/**
 * The consumer group has moved past this member's epoch.
 */
#define KPROD_ERR_FENCED_MEMBER_EPOCH (110)

/**
 * Another member still holds the group.instance.id.
 */
#define KPROD_ERR_UNRELEASED_INSTANCE_ID (111)

/**
 * The group does not have this assignor.
 */
#define KPROD_ERR_UNSUPPORTED_ASSIGNOR (112)

/**
 * The member's epoch is out of date. Abort the transaction, and take the group metadata anew.
 */
#define KPROD_ERR_STALE_MEMBER_EPOCH (113)

/**
 * The request was sent to a controller instead of a broker, or the reverse. Check bootstrap.servers.
 */
#define KPROD_ERR_MISMATCHED_ENDPOINT_TYPE (114)

/**
 * The broker does not know this type of endpoint.
 */
#define KPROD_ERR_UNSUPPORTED_ENDPOINT_TYPE (115)

/**
 * The controller's id is not known.
 */
#define KPROD_ERR_UNKNOWN_CONTROLLER_ID (116)

/**
 * The telemetry subscription has changed.
 */
#define KPROD_ERR_UNKNOWN_SUBSCRIPTION_ID (117)

/**
 * The telemetry is larger than the broker accepts.
 */
#define KPROD_ERR_TELEMETRY_TOO_LARGE (118)

/**
 * The controller refused a broker's registration.
 */
#define KPROD_ERR_INVALID_REGISTRATION (119)

/**
 * The transaction cannot be completed. Abort it, then begin another.
 */
#define KPROD_ERR_TRANSACTION_ABORTABLE (120)

/**
 * The record of a share group is not in the state for this.
 */
#define KPROD_ERR_INVALID_RECORD_STATE (121)

/**
 * The broker has no such share session.
 */
#define KPROD_ERR_SHARE_SESSION_NOT_FOUND (122)

/**
 * The share session's epoch is not the expected one.
 */
#define KPROD_ERR_INVALID_SHARE_SESSION_EPOCH (123)

/**
 * The share group's state has moved past this epoch.
 */
#define KPROD_ERR_FENCED_STATE_EPOCH (124)

/**
 * The voter's key is not the receiving replica's.
 */
#define KPROD_ERR_INVALID_VOTER_KEY (125)

/**
 * The replica votes already.
 */
#define KPROD_ERR_DUPLICATE_VOTER (126)

/**
 * The replica does not vote.
 */
#define KPROD_ERR_VOTER_NOT_FOUND (127)

/**
 * The regular expression is not valid.
 */
#define KPROD_ERR_INVALID_REGULAR_EXPRESSION (128)

/**
 * The cluster asks the client to start again from bootstrap.servers.
 */
#define KPROD_ERR_REBOOTSTRAP_REQUIRED (129)

/**
 * The topology of the streams application is not valid.
 */
#define KPROD_ERR_STREAMS_INVALID_TOPOLOGY (130)

/**
 * The epoch of the streams application's topology is not valid.
 */
#define KPROD_ERR_STREAMS_INVALID_TOPOLOGY_EPOCH (131)

/**
 * The streams application's topology is out of date.
 */
#define KPROD_ERR_STREAMS_TOPOLOGY_FENCED (132)

/**
 * The broker has as many share sessions as it allows.
 */
#define KPROD_ERR_SHARE_SESSION_LIMIT_REACHED (133)


/**
 * What a caller passes to kprod_create: the version of the API that this header describes.
 */
#define KPROD_API_VERSION 1

/**
 * As a length: there is no key, no value. A length of 0 is an empty one, which Kafka tells apart.
 */
#define KPROD_NULL (-1)

/**
 * As a record's partition: the partitioner chooses.
 */
#define KPROD_PARTITION_UNASSIGNED (-1)

/**
 * As a record's timestamp: the time of the send.
 */
#define KPROD_TIMESTAMP_NOW (-1)

/**
 * As a timeout: the limit that the configuration gives, unless the function says another.
 */
#define KPROD_TIMEOUT_CONFIGURED (-1)

/**
 * kprod_delivery_t.kind: the outcome of one record.
 */
#define KPROD_KIND_RECORD 1

/**
 * kprod_delivery_t.kind: the outcome of a batch of the caller's own, with the number of its records in `count`.
 */
#define KPROD_KIND_BATCH 2

/**
 * kprod_delivery_t.kind: the result of an _async call, with the tag given to it.
 */
#define KPROD_KIND_OPERATION 3

/**
 * kprod_delivery_t.kind: something happened to the producer (kprod.events=true); `error` says what.
 */
#define KPROD_KIND_EVENT 4

/**
 * kprod_delivery_t.kind: what was refused with KPROD_ERR_QUEUE_FULL may be tried again: a quarter of buffer.memory is
 * free and that fits, or a batch of the caller's own has left its partition's queue.
 */
#define KPROD_KIND_WRITABLE 5

/**
 * kprod_delivery_t.flags: sending the record again may succeed.
 */
#define KPROD_FLAG_RETRIABLE 1

/**
 * kprod_delivery_t.flags: the transaction must be aborted.
 */
#define KPROD_FLAG_ABORTABLE 2

/**
 * kprod_delivery_t.flags: the producer is of no more use.
 */
#define KPROD_FLAG_FATAL 4

/**
 * kprod_delivery_t.flags: the bits that hold one of KPROD_PERSISTED_*.
 */
#define KPROD_PERSISTENCE_MASK 48

/**
 * kprod_delivery_t.flags & KPROD_PERSISTENCE_MASK: the record is not in the log.
 */
#define KPROD_PERSISTED_NOT 0

/**
 * kprod_delivery_t.flags & KPROD_PERSISTENCE_MASK: the record may or may not be in the log.
 */
#define KPROD_PERSISTED_POSSIBLY 16

/**
 * kprod_delivery_t.flags & KPROD_PERSISTENCE_MASK: the record is in the log.
 */
#define KPROD_PERSISTED_YES 32

/**
 * kprod_delivery_t.timestamp_type: no timestamp is known.
 */
#define KPROD_TIMESTAMP_NONE (-1)

/**
 * kprod_delivery_t.timestamp_type: the timestamp is the record's own.
 */
#define KPROD_TIMESTAMP_CREATE_TIME 0

/**
 * kprod_delivery_t.timestamp_type: the timestamp is the broker's, at its append.
 */
#define KPROD_TIMESTAMP_LOG_APPEND_TIME 1

/**
 * kprod_purge: drop what no request has carried yet.
 */
#define KPROD_PURGE_QUEUED 1

/**
 * kprod_purge: stop waiting for what requests under way carry.
 */
#define KPROD_PURGE_IN_FLIGHT 2

/**
 * The level of a log message (syslog's severities): errors.
 */
#define KPROD_LOG_ERROR 3

/**
 * The level of a log message: warnings.
 */
#define KPROD_LOG_WARNING 4

/**
 * The level of a log message: normal but significant.
 */
#define KPROD_LOG_NOTICE 5

/**
 * The level of a log message: information.
 */
#define KPROD_LOG_INFO 6

/**
 * The level of a log message: debugging.
 */
#define KPROD_LOG_DEBUG 7

/**
 * A batch that the caller fills and sends as a whole. Made by kprod_create_batch, ended by kprod_batch_free, which
 * its producer's kprod_destroy may come before. One thread at a time uses a batch; different batches may be used by
 * different threads at once.
 */
typedef struct kprod_batch_t kprod_batch_t;

/**
 * A configuration: properties by name, and callbacks. Made by kprod_config_new, freed by kprod_config_free;
 * kprod_create copies it, so that it can be used again. One thread at a time.
 */
typedef struct kprod_config_t kprod_config_t;

/**
 * An error with its message, handed out by calls that can afford one. The caller frees it with kprod_error_free; it
 * belongs to no producer and may outlive it. Not to be used from two threads at once while it is being freed.
 */
typedef struct kprod_error_t kprod_error_t;

/**
 * A producer. Made by kprod_create, ended by kprod_destroy; all its functions may be called from any thread at any
 * time in between. A pointer used after kprod_destroy is undefined behaviour.
 */
typedef struct kprod_producer_t kprod_producer_t;

/**
 * One outcome: of a record that was accepted, of a batch, or of an _async call. The library fills it in; the
 * memory is the caller's (kprod_poll, kprod_send_wait) or valid during the callback. Numbers that do not apply
 * are −1 (topic and count 0). Kinds that a caller does not know are to be skipped.
 */
typedef struct kprod_delivery_t {
    /**
     * One of KPROD_KIND_*.
     */
    uint32_t kind;
    /**
     * 0, or why the record is not known to be in the log: one of KPROD_ERR_* or a newer broker's code.
     */
    int32_t error;
    /**
     * The tag of the record or the call.
     */
    uint64_t tag;
    /**
     * The topic's handle; its name: kprod_topic_name.
     */
    uint32_t topic;
    /**
     * The partition.
     */
    int32_t partition;
    /**
     * The record's offset in the partition (a batch's first record's); −1 where it is not known: with acks=0, and of a
     * record that was found in the log after the broker had forgotten where.
     */
    int64_t offset;
    /**
     * Milliseconds since the epoch; whose: timestamp_type.
     */
    int64_t timestamp_ms;
    /**
     * One of KPROD_TIMESTAMP_NONE, _CREATE_TIME, _LOG_APPEND_TIME.
     */
    int32_t timestamp_type;
    /**
     * The records of a batch; the partitions that kprod_partitions_for_async found; else 0 or 1.
     */
    uint32_t count;
    /**
     * KPROD_FLAG_* and one of KPROD_PERSISTED_*. They, and not the code alone, say what to do.
     */
    uint32_t flags;
    /**
     * 0.
     */
    uint32_t reserved0;
    /**
     * For kprod_error_detail; 0 when there is no more to tell.
     */
    uint64_t detail;
    /**
     * The first offset that the partition still holds.
     */
    int64_t log_start_offset;
    /**
     * 0.
     */
    uint64_t reserved[1];
} kprod_delivery_t;

/**
 * Tells the outcomes of `count` records or operations, in order within each partition (but see kprod_purge). Called on
 * the producer's callback thread, one call at a time; `reports` dies when it returns. It must not throw, unwind or longjmp.
 */
typedef void (*kprod_delivery_fn)(uint64_t context, const struct kprod_delivery_t *reports, uint64_t count);

/**
 * Takes one log message: NUL-terminated UTF-8 of `length` bytes, without secrets, that dies when it returns.
 * Called on any thread, also on the producer's own: it must return soon, and it may call nothing that takes the
 * producer. It must not throw, unwind or longjmp.
 */
typedef void (*kprod_log_fn)(uint64_t context, int32_t level, const char *message, uint64_t length);

/**
 * What a user's partitioner is told. Everything is borrowed for the callback only.
 */
typedef struct kprod_partition_request_t {
    /**
     * The topic's name in UTF-8, not NUL-terminated.
     */
    const char *topic_name;
    /**
     * The length of topic_name in bytes.
     */
    int64_t topic_name_len;
    /**
     * The record's key; NULL when key_len is KPROD_NULL.
     */
    const uint8_t *key;
    /**
     * The key's length, or KPROD_NULL.
     */
    int64_t key_len;
    /**
     * The record's value; NULL when value_len is KPROD_NULL.
     */
    const uint8_t *value;
    /**
     * The value's length, or KPROD_NULL.
     */
    int64_t value_len;
    /**
     * available_count partitions that have a leader now.
     */
    const int32_t *available;
    /**
     * The number of partitions that have a leader now; may be 0.
     */
    uint32_t available_count;
    /**
     * The number of the topic's partitions.
     */
    int32_t partition_count;
    /**
     * The topic's handle.
     */
    uint32_t topic;
    /**
     * 0.
     */
    uint32_t reserved0;
    /**
     * 0.
     */
    uint64_t reserved[2];
} kprod_partition_request_t;

/**
 * Chooses a partition from 0 to partition_count − 1; any other answer refuses the record with
 * KPROD_ERR_PARTITIONER. Called on the sending thread, or on the callback thread for a record whose topic was
 * not known when it was sent; several calls at a time. It must not throw, unwind or longjmp.
 */
typedef int32_t (*kprod_partitioner_fn)(uint64_t context, const struct kprod_partition_request_t *request);

/**
 * Counters since creation and gauges of now.
 */
typedef struct kprod_metrics_t {
    /**
     * Records that were reported without an error.
     */
    uint64_t records_delivered;
    /**
     * Records that were reported with an error.
     */
    uint64_t records_failed;
    /**
     * Batches handed to requests, each attempt counted.
     */
    uint64_t batches_sent;
    /**
     * Attempts after a batch's first.
     */
    uint64_t batch_retries;
    /**
     * Batches split because they were too large for the broker.
     */
    uint64_t batch_splits;
    /**
     * Produce requests written.
     */
    uint64_t produce_requests;
    /**
     * Bytes of record batches written, each attempt counted.
     */
    uint64_t bytes_sent;
    /**
     * Milliseconds for which brokers asked to be left alone.
     */
    uint64_t throttle_ms;
    /**
     * Metadata requests written.
     */
    uint64_t metadata_requests;
    /**
     * Connections that were established.
     */
    uint64_t connections_opened;
    /**
     * Gauge: bytes of buffer.memory that are free.
     */
    uint64_t buffer_available;
    /**
     * Gauge: reports waiting to be polled or called back.
     */
    uint64_t reports_queued;
    /**
     * Gauge: Produce requests without an answer yet.
     */
    uint64_t requests_in_flight;
    /**
     * Times that a partition began a sequence under another producer id or epoch (idempotence).
     */
    uint64_t sequences_begun;
    /**
     * Times that acknowledged records were found to be lost by the cluster (idempotence).
     */
    uint64_t data_losses;
    /**
     * 0.
     */
    uint64_t reserved[17];
} kprod_metrics_t;

/**
 * One header of a record. The caller owns it and what it points to; both are borrowed for the call only.
 */
typedef struct kprod_header_t {
    /**
     * The key's bytes; may be NULL when key_len is 0.
     */
    const uint8_t *key;
    /**
     * The key's length, 0 or more. Keys may repeat.
     */
    int64_t key_len;
    /**
     * The value's bytes; ignored when value_len is KPROD_NULL.
     */
    const uint8_t *value;
    /**
     * The value's length, or KPROD_NULL for no value.
     */
    int64_t value_len;
} kprod_header_t;

/**
 * One record to send. The caller owns it and what it points to; everything is borrowed for the call only and may
 * be reused when the call returns. Set it up with kprod_record_init: an all-zero record has an empty key and
 * goes to partition 0 with timestamp 0.
 */
typedef struct kprod_record_t {
    /**
     * The key's bytes; ignored when key_len is KPROD_NULL.
     */
    const uint8_t *key;
    /**
     * The key's length, or KPROD_NULL for no key.
     */
    int64_t key_len;
    /**
     * The value's bytes; ignored when value_len is KPROD_NULL.
     */
    const uint8_t *value;
    /**
     * The value's length, or KPROD_NULL for no value (a tombstone).
     */
    int64_t value_len;
    /**
     * header_count headers, kept in their order; may be NULL when header_count is 0.
     */
    const struct kprod_header_t *headers;
    /**
     * The number of headers.
     */
    uint32_t header_count;
    /**
     * The partition, or KPROD_PARTITION_UNASSIGNED.
     */
    int32_t partition;
    /**
     * Milliseconds since the epoch, or KPROD_TIMESTAMP_NOW.
     */
    int64_t timestamp_ms;
    /**
     * The caller's word for the record: comes back in its report.
     */
    uint64_t tag;
    /**
     * The topic's handle from kprod_topic (the fast way), or 0: topic_name names it.
     */
    uint32_t topic;
    /**
     * Must be 0.
     */
    uint32_t reserved0;
    /**
     * The topic's name in UTF-8, not necessarily NUL-terminated; ignored unless topic is 0.
     */
    const char *topic_name;
    /**
     * The length of topic_name in bytes.
     */
    int64_t topic_name_len;
    /**
     * Must be 0.
     */
    uint64_t reserved[2];
} kprod_record_t;

/**
 * Tells the outcome of one record or batch: called once, on the producer's callback thread, if and only if the send
 * returned 0, possibly before it returned. `report` dies when it returns. It must not throw, unwind or longjmp.
 */
typedef void (*kprod_record_fn)(uint64_t context, const struct kprod_delivery_t *report);

/**
 * One record of kprod_send_packed: where its bytes lie in the buffer. The caller owns it; borrowed for the call.
 */
typedef struct kprod_packed_t {
    /**
     * The caller's word for the record: comes back in its report.
     */
    uint64_t tag;
    /**
     * Milliseconds since the epoch, or KPROD_TIMESTAMP_NOW.
     */
    int64_t timestamp_ms;
    /**
     * The topic's handle from kprod_topic.
     */
    uint32_t topic;
    /**
     * The partition, or KPROD_PARTITION_UNASSIGNED.
     */
    int32_t partition;
    /**
     * Where the record's bytes begin in the buffer.
     */
    uint32_t offset;
    /**
     * The key's length, or KPROD_NULL for no key.
     */
    int32_t key_len;
    /**
     * The value's length, or KPROD_NULL for no value (a tombstone).
     */
    int32_t value_len;
    /**
     * The bytes of all headers with their lengths.
     */
    uint32_t headers_len;
    /**
     * The number of headers.
     */
    uint32_t header_count;
    /**
     * Must be 0.
     */
    uint32_t reserved;
} kprod_packed_t;

/**
 * What kprod_batch_append says of the record that it took. The memory is the caller's.
 */
typedef struct kprod_batch_append_t {
    /**
     * The record's timestamp.
     */
    int64_t timestamp_ms;
    /**
     * The record's place in the batch: 0 for the first.
     */
    int64_t offset;
    /**
     * The bytes that the record takes in the batch, before compression.
     */
    int64_t size;
    /**
     * 0.
     */
    uint64_t reserved[3];
} kprod_batch_append_t;

/**
 * Which consumer's offsets are sent: what the consumer says of its group (KIP-447). The caller owns it and what it
 * points to; everything is borrowed for the call only. Set it up with kprod_group_metadata_init.
 */
typedef struct kprod_group_metadata_t {
    /**
     * The group's id in UTF-8; not empty.
     */
    const char *group_id;
    /**
     * The length of group_id in bytes.
     */
    int64_t group_id_len;
    /**
     * The member's id in UTF-8; empty: no member is checked.
     */
    const char *member_id;
    /**
     * The length of member_id in bytes.
     */
    int64_t member_id_len;
    /**
     * The static member's instance id in UTF-8; ignored when group_instance_id_len is KPROD_NULL.
     */
    const char *group_instance_id;
    /**
     * The length of group_instance_id in bytes, or KPROD_NULL.
     */
    int64_t group_instance_id_len;
    /**
     * The group's generation or the member's epoch; -1 for none, and nothing below.
     */
    int32_t generation_id;
    /**
     * Must be 0.
     */
    uint32_t reserved0;
    /**
     * Must be 0.
     */
    uint64_t reserved[3];
} kprod_group_metadata_t;

/**
 * The offset up to which a consumer group has consumed a partition. The caller owns it and what it points to;
 * everything is borrowed for the call only.
 */
typedef struct kprod_group_offset_t {
    /**
     * The topic's name in UTF-8, not necessarily NUL-terminated.
     */
    const char *topic_name;
    /**
     * The length of topic_name in bytes.
     */
    int64_t topic_name_len;
    /**
     * The next offset to be consumed, 0 or more.
     */
    int64_t offset;
    /**
     * The committed metadata in UTF-8; ignored when metadata_len is KPROD_NULL.
     */
    const char *metadata;
    /**
     * The length of metadata in bytes, or KPROD_NULL for none.
     */
    int64_t metadata_len;
    /**
     * The partition.
     */
    int32_t partition;
    /**
     * The leader epoch of the last consumed record, or -1.
     */
    int32_t leader_epoch;
    /**
     * Must be 0.
     */
    uint64_t reserved[2];
} kprod_group_offset_t;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the library that is linked, comparable with KPROD_VERSION, which is the header's:
 * major << 24 | minor << 16 | patch << 8.
 *
 * Returns: the version.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: allowed.
 * Since: 0.1
 */
uint32_t kprod_version(void);

/**
 * The version of the library that is linked, as text ("0.1.0").
 *
 * Returns: a NUL-terminated string, never NULL.
 * Ownership: the library's; valid for ever.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: allowed.
 * Since: 0.1
 */
const char *kprod_version_string(void);

/**
 * The newest API version that the library serves; kprod_create refuses a newer header.
 *
 * Returns: the API version.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: allowed.
 * Since: 0.1
 */
uint32_t kprod_api_version(void);

/**
 * The name of an error code, without the KPROD_ERR_ of its constant: "QUEUE_FULL", "NOT_LEADER_OR_FOLLOWER".
 *
 * @param code  any number.
 *
 * Returns: a NUL-terminated string, never NULL: "UNKNOWN_CODE" for a code that this library does not know, such as
 * a newer broker's.
 * Ownership: the library's; valid for ever.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: allowed.
 * Since: 0.1
 */
const char *kprod_err_name(int32_t code);

/**
 * What an error code means and what to do, in one line of English.
 *
 * @param code  any number.
 *
 * Returns: a NUL-terminated string, never NULL.
 * Ownership: the library's; valid for ever.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: allowed.
 * Since: 0.1
 */
const char *kprod_err_str(int32_t code);

/**
 * The code of an error object.
 *
 * @param err  borrowed; may be NULL.
 *
 * Returns: one of KPROD_ERR_* or a newer broker's code; 0 for NULL.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: allowed.
 * Since: 0.1
 */
int32_t kprod_error_code(const struct kprod_error_t *err);

/**
 * The message of an error object: what went wrong, with which topic, broker or property, and what to do.
 *
 * @param err  borrowed; may be NULL.
 *
 * Returns: a NUL-terminated UTF-8 string, never NULL; empty for NULL.
 * Ownership: the error object's; valid until kprod_error_free.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: allowed.
 * Since: 0.1
 */
const char *kprod_error_message(const struct kprod_error_t *err);

/**
 * Whether calling or sending again may succeed.
 *
 * @param err  borrowed; may be NULL.
 *
 * Returns: 1 or 0; 0 for NULL.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: allowed.
 * Since: 0.1
 */
int32_t kprod_error_is_retriable(const struct kprod_error_t *err);

/**
 * Whether the transaction must be aborted.
 *
 * @param err  borrowed; may be NULL.
 *
 * Returns: 1 or 0; 0 for NULL.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: allowed.
 * Since: 0.1
 */
int32_t kprod_error_is_abortable(const struct kprod_error_t *err);

/**
 * Whether the producer is of no more use: close and destroy it.
 *
 * @param err  borrowed; may be NULL.
 *
 * Returns: 1 or 0; 0 for NULL.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: allowed.
 * Since: 0.1
 */
int32_t kprod_error_is_fatal(const struct kprod_error_t *err);

/**
 * Frees an error object.
 *
 * @param err  consumed; NULL is a no-op.
 *
 * Returns: nothing.
 * Ownership: the object and its message are gone.
 * Thread-safety: any thread, once.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: allowed.
 * Since: 0.1
 */
void kprod_error_free(struct kprod_error_t *err);

/**
 * Makes a configuration in which every property has its default.
 *
 * Returns: the configuration; NULL only if the library failed inside.
 * Ownership: the caller's; kprod_config_free releases it.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: allowed.
 * Since: 0.1
 */
struct kprod_config_t *kprod_config_new(void);

/**
 * Sets a property. The names are Kafka's, with those of aiokafka and librdkafka as aliases; docs/configuration.md
 * has them all. What several properties only say together is checked by kprod_create.
 *
 * @param config  borrowed.
 * @param key     borrowed, NUL-terminated; not NULL.
 * @param value   borrowed, NUL-terminated, as text ("5", "true", "zstd"); not NULL.
 * @param err     out, optional: an error object, written on failure only.
 *
 * Returns: 0; on failure nothing is changed: KPROD_ERR_INVALID_ARG (NULL, not a configuration, not UTF-8),
 * _UNKNOWN_CONFIG (the message names the nearest property, where one is near), _NOT_SUPPORTED (a property that other
 * clients have; the message says what to use), _INVALID_CONFIG (the message names property, value and allowed range,
 * or the other name under which the property has another value), _INTERNAL.
 * Ownership: key and value are copied; *err is the caller's, for kprod_error_free.
 * Thread-safety: one thread at a time for one configuration.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: allowed; producers made before are not changed.
 * Since: 0.1
 */
int32_t kprod_config_set(struct kprod_config_t *config,
                         const char *key,
                         const char *value,
                         struct kprod_error_t **err);

/**
 * Tells the value of a property: the one set, else the default. Secrets are shown as "[hidden]".
 *
 * @param config  borrowed.
 * @param key     borrowed, NUL-terminated; not NULL.
 * @param value   out, written on 0 only: NUL-terminated text, or NULL for a property without a value; not NULL.
 * @param err     out, optional: an error object, written on failure only.
 *
 * Returns: 0; KPROD_ERR_INVALID_ARG (NULL, not a configuration, not UTF-8), _UNKNOWN_CONFIG (the message names the
 * nearest property, where one is near), _NOT_SUPPORTED, _INTERNAL.
 * Ownership: *value is the configuration's, valid until its next use; *err is the caller's, for kprod_error_free.
 * Thread-safety: one thread at a time for one configuration.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: allowed.
 * Since: 0.1
 */
int32_t kprod_config_get(struct kprod_config_t *config,
                         const char *key,
                         const char **value,
                         struct kprod_error_t **err);

/**
 * Enumerates the properties, for tools: call it with 0, 1, 2 and so on until it gives NULL.
 *
 * @param index  the property's number, from 0.
 *
 * Returns: the property's name, NUL-terminated, or NULL past the last.
 * Ownership: the library's; valid for ever.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: allowed.
 * Since: 0.1
 */
const char *kprod_config_key_at(uint32_t index);

/**
 * Chooses the delivery callback: with it, the reports of the producers made afterwards go to it, in arrays, and not
 * to kprod_poll.
 *
 * @param config    borrowed.
 * @param callback  called on the producer's callback thread, one call at a time; NULL: kprod_poll.
 * @param context   passed to the callback.
 *
 * Returns: 0; KPROD_ERR_INVALID_ARG (NULL, not a configuration).
 * Ownership: what context refers to must live until the producer is destroyed.
 * Thread-safety: one thread at a time for one configuration.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: allowed; producers made before are not changed.
 * Since: 0.1
 */
int32_t kprod_config_set_delivery_callback(struct kprod_config_t *config,
                                           kprod_delivery_fn callback,
                                           uint64_t context);

/**
 * Chooses the log callback; without one nothing is logged. The property log_level says how much.
 *
 * @param config    borrowed.
 * @param callback  called on any thread, the producer's own among them; NULL: no log.
 * @param context   passed to the callback.
 *
 * Returns: 0; KPROD_ERR_INVALID_ARG (NULL, not a configuration).
 * Ownership: what context refers to must live until the producer is destroyed.
 * Thread-safety: one thread at a time for one configuration.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: allowed; producers made before are not changed.
 * Since: 0.1
 */
int32_t kprod_config_set_log_callback(struct kprod_config_t *config, kprod_log_fn callback, uint64_t context);

/**
 * Chooses a partitioner of the caller's own, for records without an explicit partition; it takes the place of the
 * property partitioner.
 *
 * @param config    borrowed.
 * @param callback  called on the sending thread or the callback thread, several at a time; NULL: the property's.
 * @param context   passed to the callback.
 *
 * Returns: 0; KPROD_ERR_INVALID_ARG (NULL, not a configuration).
 * Ownership: what context refers to must live until the producer is destroyed.
 * Thread-safety: one thread at a time for one configuration.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: allowed; producers made before are not changed.
 * Since: 0.1
 */
int32_t kprod_config_set_partitioner(struct kprod_config_t *config,
                                     kprod_partitioner_fn callback,
                                     uint64_t context);

/**
 * Frees a configuration.
 *
 * @param config  consumed; NULL is a no-op.
 *
 * Returns: nothing.
 * Ownership: the configuration and what kprod_config_get gave out are gone; producers made of it are not touched.
 * Thread-safety: any thread, once.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: allowed.
 * Since: 0.1
 */
void kprod_config_free(struct kprod_config_t *config);

/**
 * Makes a producer and its threads. Never touches the network: brokers that cannot be reached show in the first
 * send, or in kprod_start.
 *
 * @param config       borrowed and copied.
 * @param api_version  KPROD_API_VERSION, as the caller's header has it.
 * @param producer     out, written on 0 only: the producer; not NULL.
 * @param err          out, optional: an error object, written on failure only.
 *
 * Returns: 0; KPROD_ERR_INVALID_ARG (NULL, not a configuration), _API_VERSION (0, or newer than
 * kprod_api_version()), _INVALID_CONFIG (the message has all contradictions at once), _TLS (certificates or keys that
 * cannot be used), _NOT_SUPPORTED, _THREAD (no thread or descriptor to be had), _OUT_OF_MEMORY, _INTERNAL.
 * Ownership: *producer is the caller's, for kprod_destroy; *err too, for kprod_error_free; the configuration stays
 * the caller's.
 * Thread-safety: any thread; one at a time for one configuration.
 * Blocking: never on the network; it reads the files that the configuration names.
 * Callback context: allowed.
 * Fork/after close: allowed in a child process, where producers of its parent are not.
 * Since: 0.1
 */
int32_t kprod_create(const struct kprod_config_t *config,
                     uint32_t api_version,
                     struct kprod_producer_t **producer,
                     struct kprod_error_t **err);

/**
 * Waits until a broker answered and accepted the credentials, and with idempotence until the producer has its id; with
 * a transactional.id that ends what an earlier instance left open, and fences it. Optional: the first send or
 * kprod_begin_transaction does it within its own limit.
 *
 * @param producer    borrowed.
 * @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: max.block.ms.
 * @param err         out, optional: an error object, written on failure only.
 *
 * Returns: 0; KPROD_ERR_TIMED_OUT, _NO_BROKERS, _RESOLVE, _TLS, _SASL_AUTHENTICATION_FAILED, _PROTOCOL and other
 * codes of a failed connection: the producer goes on trying and the call may be repeated;
 * _TRANSACTIONAL_ID_AUTHORIZATION_FAILED: the same, once the permission is there; _CLUSTER_AUTHORIZATION_FAILED,
 * _INVALID_TRANSACTION_TIMEOUT and others with kprod_error_is_fatal end the producer; KPROD_ERR_INVALID_ARG, _CLOSED,
 * _FATAL, _IN_CALLBACK, _FORKED, _INTERNAL.
 * Ownership: *err is the caller's, for kprod_error_free.
 * Thread-safety: any thread.
 * Blocking: up to timeout_ms.
 * Callback context: KPROD_ERR_IN_CALLBACK.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_start(struct kprod_producer_t *producer,
                    int32_t timeout_ms,
                    struct kprod_error_t **err);

/**
 * As kprod_start, without waiting: the result is an entry of kind KPROD_KIND_OPERATION.
 *
 * @param producer  borrowed.
 * @param tag       comes back in the entry.
 *
 * Returns: 0: one entry follows, within max.block.ms, however many wait to be read; any other: none does:
 * KPROD_ERR_INVALID_ARG, _CLOSED, _FATAL, _FORKED, _INTERNAL.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_start_async(struct kprod_producer_t *producer, uint64_t tag);

/**
 * Gives the handle of a topic, with which sends are cheaper than with its name. Local: the brokers are not asked
 * whether the topic exists.
 *
 * @param producer  borrowed.
 * @param name      borrowed: UTF-8, not necessarily NUL-terminated; not NULL.
 * @param name_len  its length in bytes.
 * @param topic     out, written on 0 only: the handle, 1 or more, the same for the same name; not NULL.
 *
 * Returns: 0; KPROD_ERR_INVALID_ARG, _INVALID_TOPIC_EXCEPTION (not a name that Kafka allows), _CLOSED,
 * _FATAL, _FORKED, _INTERNAL.
 * Ownership: the handle is a number, valid for this producer until kprod_destroy; the name is copied.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; after close names that have a
 * handle are answered and others KPROD_ERR_CLOSED.
 * Since: 0.1
 */
int32_t kprod_topic(struct kprod_producer_t *producer,
                    const char *name,
                    int64_t name_len,
                    uint32_t *topic);

/**
 * Tells the name of a topic, for the handle in a report.
 *
 * @param producer  borrowed.
 * @param topic     a topic's handle.
 *
 * Returns: the name, NUL-terminated UTF-8; NULL for an unknown handle, a wrong producer or a child process.
 * Ownership: the producer's; valid until kprod_destroy.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: NULL in a child of the creating process; allowed after close.
 * Since: 0.1
 */
const char *kprod_topic_name(const struct kprod_producer_t *producer, uint32_t topic);

/**
 * Tells how many partitions a topic has, as the brokers last said; asks them if they never did.
 *
 * @param producer    borrowed.
 * @param topic       the topic's handle, from kprod_topic.
 * @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: max.block.ms.
 * @param count       out, written on 0 only: the number of partitions; not NULL.
 * @param err         out, optional: an error object, written on failure only.
 *
 * Returns: 0; KPROD_ERR_INVALID_ARG, _UNKNOWN_TOPIC_HANDLE, _UNKNOWN_TOPIC_OR_PARTITION and other codes of the
 * brokers, _TIMED_OUT, _CLOSED, _FATAL, _IN_CALLBACK, _FORKED, _INTERNAL. The call may be repeated.
 * Ownership: *err is the caller's, for kprod_error_free.
 * Thread-safety: any thread.
 * Blocking: up to timeout_ms.
 * Callback context: KPROD_ERR_IN_CALLBACK.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_partitions_for(struct kprod_producer_t *producer,
                             uint32_t topic,
                             int32_t timeout_ms,
                             int32_t *count,
                             struct kprod_error_t **err);

/**
 * As kprod_partitions_for, without waiting: the result is an entry of kind KPROD_KIND_OPERATION with the number of
 * partitions in count.
 *
 * @param producer  borrowed.
 * @param topic     the topic's handle, from kprod_topic.
 * @param tag       comes back in the entry.
 *
 * Returns: 0: one entry follows, within max.block.ms, however many wait to be read; any other: none does:
 * KPROD_ERR_INVALID_ARG, _UNKNOWN_TOPIC_HANDLE, _CLOSED, _FATAL, _FORKED, _INTERNAL.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_partitions_for_async(struct kprod_producer_t *producer,
                                   uint32_t topic,
                                   uint64_t tag);

/**
 * Sends everything now and waits until the outcomes of all records accepted before are queued for kprod_poll, or
 * their callbacks have returned. Failed records do not make it fail: their reports say so.
 *
 * @param producer    borrowed.
 * @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: max.block.ms. 0 sends everything and does not wait.
 * @param err         out, optional: an error object, written on failure only.
 *
 * Returns: 0; KPROD_ERR_TIMED_OUT: some have no outcome yet, nothing is lost, call it again, and the message tells what
 * keeps them, as far as is known; KPROD_ERR_INVALID_ARG, _CLOSED, _FATAL, _IN_CALLBACK, _FORKED, _INTERNAL.
 * Ownership: *err is the caller's, for kprod_error_free.
 * Thread-safety: any thread.
 * Blocking: up to timeout_ms.
 * Callback context: KPROD_ERR_IN_CALLBACK.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_flush(struct kprod_producer_t *producer,
                    int32_t timeout_ms,
                    struct kprod_error_t **err);

/**
 * As kprod_flush, without waiting: the result is an entry of kind KPROD_KIND_OPERATION behind the reports that it
 * speaks of.
 *
 * @param producer  borrowed.
 * @param tag       comes back in the entry.
 *
 * Returns: 0: one entry follows, however many wait to be read; any other: none does: KPROD_ERR_INVALID_ARG, _CLOSED,
 * _FATAL, _FORKED, _INTERNAL.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_flush_async(struct kprod_producer_t *producer,
                          uint64_t tag);

/**
 * Drops records that have no outcome yet. Each is reported, with KPROD_ERR_PURGED_QUEUED or, if it may be in the log
 * all the same, KPROD_ERR_PURGED_IN_FLIGHT, before this returns. Both kinds together keep each partition's order; one of
 * them alone is reported before older records of the partition that stay.
 *
 * @param producer  borrowed.
 * @param what      KPROD_PURGE_QUEUED, KPROD_PURGE_IN_FLIGHT or both.
 *
 * Returns: 0; KPROD_ERR_INVALID_ARG (also for 0 and unknown bits), _TIMED_OUT, _CLOSED, _FATAL, _IN_CALLBACK, _FORKED,
 * _INTERNAL.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread.
 * Blocking: shortly, never on the network; at the very most max.block.ms and five seconds.
 * Callback context: KPROD_ERR_IN_CALLBACK.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_purge(struct kprod_producer_t *producer,
                    uint32_t what);

/**
 * Ends a producer: refuses new records, sends what was accepted, waits for the outcomes up to the limit and reports
 * the rest with KPROD_ERR_CLOSED. An open transaction is aborted. Blocked calls of other threads return. After 0 no
 * callback starts and nothing new is queued; kprod_poll gives the remaining reports and then KPROD_ERR_CLOSED.
 *
 * @param producer    borrowed; kprod_destroy is still needed.
 * @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: max.block.ms.
 * @param err         out, optional: an error object, written on failure only.
 *
 * Returns: 0, also for a producer that is closed already; KPROD_ERR_TIMED_OUT: closed, but a callback still runs:
 * call it again to wait for its end; KPROD_ERR_INVALID_ARG, _IN_CALLBACK, _FORKED, _INTERNAL.
 * Ownership: *err is the caller's, for kprod_error_free.
 * Thread-safety: any thread.
 * Blocking: up to timeout_ms.
 * Callback context: KPROD_ERR_IN_CALLBACK.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; 0 after close.
 * Since: 0.1
 */
int32_t kprod_close(struct kprod_producer_t *producer,
                    int32_t timeout_ms,
                    struct kprod_error_t **err);

/**
 * As kprod_close with KPROD_TIMEOUT_CONFIGURED, without waiting: the result is an entry of kind
 * KPROD_KIND_OPERATION, the last that is queued.
 *
 * @param producer  borrowed; kprod_destroy is still needed.
 * @param tag       comes back in the entry.
 *
 * Returns: 0: one entry follows; any other: none does: KPROD_ERR_INVALID_ARG, _CLOSED (a close was called before, of
 * either kind), _THREAD, _FORKED, _INTERNAL.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_close_async(struct kprod_producer_t *producer,
                          uint64_t tag);

/**
 * Frees a producer. One that is not closed is closed with a limit of 0 first, which loses what was not sent; reports
 * that nobody took are discarded.
 *
 * @param producer  consumed on 0; NULL is a no-op. No other call may use it, now or later, but those of callbacks
 *                  until they have returned.
 *
 * Returns: 0; KPROD_ERR_INVALID_ARG (not a producer); KPROD_ERR_IN_CALLBACK: nothing was done.
 * Ownership: the producer, its topic handles and topic names are gone; its wake descriptors stay the caller's.
 * Thread-safety: any thread, once.
 * Blocking: until the callbacks that are due have returned; else shortly, never on the network.
 * Callback context: KPROD_ERR_IN_CALLBACK.
 * Fork/after close: in a child of the creating process its memory is left as it is, and the result is 0.
 * Since: 0.1
 */
int32_t kprod_destroy(struct kprod_producer_t *producer);

/**
 * Tells the message that belongs to a report: topic, partition, broker, how long it was tried and what to do.
 *
 * @param producer  borrowed.
 * @param detail    the report's detail.
 * @param err       out, written on 0 only: the error object; not NULL.
 *
 * Returns: 0; KPROD_ERR_INVALID_ARG, also for a detail of 0 and one that 1,024 later failures have displaced;
 * _FORKED, _INTERNAL.
 * Ownership: *err is the caller's, for kprod_error_free.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; allowed after close.
 * Since: 0.1
 */
int32_t kprod_error_detail(const struct kprod_producer_t *producer,
                           uint64_t detail,
                           struct kprod_error_t **err);

/**
 * Tells what ended a producer for good, if anything did.
 *
 * @param producer  borrowed.
 * @param err       out, optional: an error object, written only if the result is such an error.
 *
 * Returns: 0: nothing did; the code of the error that did; or KPROD_ERR_INVALID_ARG, _FORKED without an error object.
 * Ownership: *err is the caller's, for kprod_error_free.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; allowed after close.
 * Since: 0.1
 */
int32_t kprod_fatal_error(const struct kprod_producer_t *producer,
                          struct kprod_error_t **err);

/**
 * Tells what stands between a producer and its cluster, if anything does: what a call that answers with a code alone,
 * such as a kprod_send that ends with KPROD_ERR_TIMED_OUT, has no room to say.
 *
 * @param producer  borrowed.
 * @param err       out, optional: an error object, written only if the result is such an error: its message names the
 *                  broker with host and port, what failed last or is being waited for, and what to look at.
 *
 * Returns: 0: nothing does, as far as is known; KPROD_ERR_NO_BROKERS, _RESOLVE, _TLS, _SASL_AUTHENTICATION_FAILED,
 * _PROTOCOL and other codes of a failed connection; KPROD_ERR_TIMED_OUT: no connection has failed, but a broker is silent,
 * has asked for silence (throttling), or refuses what the producer has to try again (looked at while a thread waits for
 * room, a record or a batch, and while a flush is not done, and told for half a second more, unless it is over before); or
 * KPROD_ERR_INVALID_ARG, _FORKED without an error object.
 * Ownership: *err is the caller's, for kprod_error_free.
 * Thread-safety: any thread; what it tells is the present state, for all threads the same.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; allowed after close.
 * Since: 0.1
 */
int32_t kprod_cluster_error(const struct kprod_producer_t *producer,
                            struct kprod_error_t **err);

/**
 * Tells a producer's counters and gauges.
 *
 * @param producer  borrowed.
 * @param metrics   out, written on 0 only; not NULL.
 *
 * Returns: 0; KPROD_ERR_INVALID_ARG, _FORKED, _INTERNAL.
 * Ownership: the struct is plain data in the caller's memory.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; allowed after close.
 * Since: 0.1
 */
int32_t kprod_metrics(const struct kprod_producer_t *producer, struct kprod_metrics_t *metrics);

/**
 * Sets a record to no key, no value, no headers, the partitioner's choice of partition and the time of the send.
 * Topic, tag and reserved space become 0.
 *
 * @param record  out; NULL is a no-op.
 *
 * Returns: nothing.
 * Ownership: the record stays the caller's.
 * Thread-safety: one thread at a time for one record.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: allowed.
 * Since: 0.1
 */
void kprod_record_init(struct kprod_record_t *record);

/**
 * Sends a record: waits for the topic's metadata and for room in buffer.memory up to max.block.ms, copies the
 * record into its partition's batch and returns. Its outcome comes later, as exactly one report with its tag, to
 * the producer's delivery callback or kprod_poll.
 *
 * @param producer  borrowed.
 * @param record    borrowed for the call, with all that it points to.
 *
 * Returns: 0: accepted; any other: refused, nothing was sent nor will be, and no report follows.
 * KPROD_ERR_INVALID_ARG (NULL, a wrong handle, length, partition or reserved field), _INVALID_TIMESTAMP_ARG,
 * _INVALID_TOPIC_EXCEPTION, _UNKNOWN_TOPIC_HANDLE, _UNKNOWN_PARTITION, _RECORD_TOO_LARGE, _PARTITIONER;
 * _UNKNOWN_TOPIC_OR_PARTITION, _TOPIC_AUTHORIZATION_FAILED and other codes of the brokers about a topic that was never
 * known (one that is deleted later is waited for: the report tells); _ILLEGAL_STATE (a transactional producer outside of a transaction, or of the one in which the call began), _TRANSACTION_ABORTABLE (in a
 * transaction that can only be aborted); _TIMED_OUT (no metadata or no room in max.block.ms: kprod_cluster_error tells
 * why),
 * _REPORT_QUEUE_FULL, _COMPRESSION, _OUT_OF_MEMORY, _THREAD, _CLOSED, _FATAL, _FORKED, _INTERNAL.
 * Ownership: record, key, value and headers are the caller's again on return.
 * Thread-safety: any thread; records that one thread sends to a partition keep their order.
 * Blocking: up to max.block.ms.
 * Callback context: allowed; there it does not block, as kprod_try_send.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_send(struct kprod_producer_t *producer,
                   const struct kprod_record_t *record);

/**
 * Sends a record without ever blocking: a record to a topic not known yet is parked, within buffer.memory, until
 * its metadata is there or it expires: after delivery.timeout.ms or, where that is not set, request.timeout.ms, with
 * idempotence too.
 *
 * @param producer  borrowed.
 * @param record    borrowed for the call, with all that it points to.
 *
 * Returns: as kprod_send, but KPROD_ERR_QUEUE_FULL at once when there is no room. Exactly one entry of kind
 * KPROD_KIND_WRITABLE follows a KPROD_ERR_QUEUE_FULL, when a quarter of buffer.memory is free and there is room for
 * what was refused: for the smallest, where that are several. What lingers is sent meanwhile.
 * Ownership: record, key, value and headers are the caller's again on return.
 * Thread-safety: any thread; records that one thread sends to a partition keep their order.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_try_send(struct kprod_producer_t *producer,
                       const struct kprod_record_t *record);

/**
 * Sends a record as kprod_send does, and reports it to a callback of its own instead of the producer's delivery
 * callback or kprod_poll.
 *
 * @param producer  borrowed.
 * @param record    borrowed for the call, with all that it points to.
 * @param callback  called exactly once, on the producer's callback thread, if and only if this returns 0, possibly
 *                  before it returns; not NULL.
 * @param context   passed to the callback.
 *
 * Returns: as kprod_send.
 * Ownership: record, key, value and headers are the caller's again on return; what context refers to must live
 * until the callback has run.
 * Thread-safety: any thread; records that one thread sends to a partition keep their order.
 * Blocking: up to max.block.ms.
 * Callback context: allowed; there it does not block, as kprod_try_send.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_send_with_callback(struct kprod_producer_t *producer,
                                 const struct kprod_record_t *record,
                                 kprod_record_fn callback,
                                 uint64_t context);

/**
 * Sends a record without linger and waits for its outcome.
 *
 * @param producer    borrowed.
 * @param record      borrowed for the call, with all that it points to.
 * @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: max.block.ms to be accepted, then until
 *                    there is an outcome.
 * @param report      out, written on 0 only: the record's report; not NULL.
 *
 * Returns: 0: there is an outcome, which may be a failure: see report->error. KPROD_ERR_STILL_PENDING: accepted,
 * but there is no outcome yet; the report goes to the delivery callback or kprod_poll. KPROD_ERR_IN_CALLBACK, and
 * all that kprod_send may return: refused, nothing was sent nor will be.
 * Ownership: record, key, value and headers are the caller's again on return.
 * Thread-safety: any thread.
 * Blocking: up to timeout_ms.
 * Callback context: KPROD_ERR_IN_CALLBACK.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_send_wait(struct kprod_producer_t *producer,
                        const struct kprod_record_t *record,
                        int32_t timeout_ms,
                        struct kprod_delivery_t *report);

/**
 * Sends an array of records, to any topics, without blocking: a prefix of them is accepted, each as by
 * kprod_try_send, and the first that is refused ends the call.
 *
 * @param producer  borrowed.
 * @param records   borrowed for the call, with all that they point to; may be NULL when count is 0.
 * @param count     the number of records.
 * @param why       out, written whenever the result is not negative: 0 when all were accepted, else why the first
 *                  that was not was refused, as kprod_try_send says it; may be NULL.
 *
 * Returns: the number of records accepted, from the start of the array, 0 to count; or, with nothing accepted and
 * why untouched, KPROD_ERR_INVALID_ARG (NULL, a wrong handle), _FATAL, _FORKED, _INTERNAL.
 * Ownership: the records are the caller's again on return.
 * Thread-safety: any thread; records that one thread sends to a partition keep their order.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; 0 with KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int64_t kprod_send_many(struct kprod_producer_t *producer,
                        const struct kprod_record_t *records,
                        uint64_t count,
                        int32_t *why);

/**
 * Sends records that lie in one flat buffer, to any topics, without blocking: a prefix of them is accepted, each as by
 * kprod_try_send, and the first that is refused ends the call. At its offset a record has the bytes of its key, those
 * of its value, and for each header the length of its key (int32_t), the key, the length of its value (int32_t,
 * KPROD_NULL for none) and the value, all in the machine's byte order and without gaps. Records may share bytes.
 *
 * @param producer    borrowed.
 * @param buffer      borrowed for the call; may be NULL when buffer_len is 0.
 * @param buffer_len  the length of buffer in bytes.
 * @param records     borrowed for the call; may be NULL when count is 0.
 * @param count       the number of records.
 * @param why         out, written whenever the result is not negative; may be NULL: 0 when all were accepted, else why
 *                    the first that was not was refused: as kprod_try_send says it, or KPROD_ERR_INVALID_ARG when it
 *                    does not lie within the buffer, its headers do not fill headers_len, or a length is below
 *                    KPROD_NULL.
 *
 * Returns: the number of records accepted, from the start of the array, 0 to count; or, with nothing accepted and
 * why untouched, KPROD_ERR_INVALID_ARG (NULL, a wrong handle), _FATAL, _FORKED, _INTERNAL.
 * Ownership: buffer and records are the caller's again on return.
 * Thread-safety: any thread; records that one thread sends to a partition keep their order.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; 0 with KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int64_t kprod_send_packed(struct kprod_producer_t *producer,
                          const uint8_t *buffer,
                          uint64_t buffer_len,
                          const struct kprod_packed_t *records,
                          uint64_t count,
                          int32_t *why);

/**
 * Makes an empty batch, to be filled with kprod_batch_append and sent with kprod_send_batch. It holds up to
 * batch.size bytes. Any number may be made; they count in buffer.memory from their acceptance on.
 *
 * @param producer  borrowed: the producer that the batch can be sent with, and no other.
 * @param batch     out, written on 0 only: the batch; not NULL.
 * @param err       out, optional: an error object, written on failure only.
 *
 * Returns: 0; KPROD_ERR_INVALID_ARG (NULL, a wrong handle), _CLOSED, _FATAL, _FORKED, _INTERNAL.
 * Ownership: *batch is the caller's, for kprod_batch_free, also after it was sent; *err too, for kprod_error_free.
 * Thread-safety: any thread.
 * Blocking: never; the network is not touched.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_create_batch(struct kprod_producer_t *producer,
                           struct kprod_batch_t **batch,
                           struct kprod_error_t **err);

/**
 * Adds a record to a batch that was neither closed nor sent. Its first record is always taken, even one larger than
 * batch.size.
 *
 * @param batch     borrowed.
 * @param record    borrowed for the call, with all that it points to: key, value, headers and timestamp are taken;
 *                  topic, topic_name, topic_name_len and partition must be as kprod_record_init leaves them; the tag
 *                  is ignored, for the batch has one when it is sent.
 * @param appended  out, optional, written on 0 only: the record's timestamp, place and size.
 *
 * Returns: 0; KPROD_ERR_BATCH_FULL: no room (batch.size, or all of buffer.memory): the record was not taken, and the
 * batch is closed now; KPROD_ERR_ILLEGAL_STATE: closed or sent already; KPROD_ERR_INVALID_ARG (NULL, a wrong handle,
 * length, topic, partition or reserved field), _INVALID_TIMESTAMP_ARG, _RECORD_TOO_LARGE (above max.request.size or
 * buffer.memory), _OUT_OF_MEMORY, _FORKED, _INTERNAL: the batch is as it was.
 * Ownership: record, key, value and headers are the caller's again on return.
 * Thread-safety: any thread; one at a time for one batch.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; allowed after close.
 * Since: 0.1
 */
int32_t kprod_batch_append(struct kprod_batch_t *batch,
                           const struct kprod_record_t *record,
                           struct kprod_batch_append_t *appended);

/**
 * Closes a batch for good: nothing can be added to it, neither here nor, once it is sent, by the producer's sends.
 *
 * @param batch  borrowed.
 *
 * Returns: 0, also when it is closed or sent already; KPROD_ERR_ILLEGAL_STATE (a kprod_send_batch_async of it has no
 * answer yet), _INVALID_ARG (NULL, a wrong handle), _FORKED, _INTERNAL.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread; one at a time for one batch.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; allowed after close.
 * Since: 0.1
 */
int32_t kprod_batch_close(struct kprod_batch_t *batch);

/**
 * Gives the size of a batch in bytes: its header of 61 bytes and its records, before compression.
 *
 * @param batch  borrowed.
 *
 * Returns: the size, 61 when empty; of a batch that was sent, what it was then. Or KPROD_ERR_INVALID_ARG (NULL, a
 * wrong handle), _ILLEGAL_STATE (after KPROD_ERR_INTERNAL), _FORKED, _INTERNAL.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread; one at a time for one batch.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; allowed after close.
 * Since: 0.1
 */
int64_t kprod_batch_size(const struct kprod_batch_t *batch);

/**
 * Gives the number of records in a batch.
 *
 * @param batch  borrowed.
 *
 * Returns: the number; of a batch that was sent, what it was then. Or KPROD_ERR_INVALID_ARG (NULL, a wrong handle),
 * _ILLEGAL_STATE (after KPROD_ERR_INTERNAL), _FORKED, _INTERNAL.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread; one at a time for one batch.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; allowed after close.
 * Since: 0.1
 */
int64_t kprod_batch_record_count(const struct kprod_batch_t *batch);

/**
 * Sends a batch to a partition, behind all that was accepted for it before. Waits up to the limit for the topic's
 * metadata, for the batch that was sent to the partition before it to be drained (put into a request), and for
 * room in buffer.memory. Accepted, the batch's records are the producer's; its outcome comes as one report of kind
 * KPROD_KIND_BATCH with the tag, the number of its records, and the offset and timestamp of its first. It is one
 * report also for a batch that had to be split for the broker: with an error if any part failed. A batch that was
 * left open is then the partition's open batch, added to by sends until it is full, its linger.ms is over, or another
 * batch waits for it; those records have reports of their own.
 * An empty batch succeeds at once, without a request, with count 0 and offset -1.
 * One that still waits when a commit is called belongs to the transaction, and the commit waits for it; an abort
 * refuses it.
 *
 * @param producer    borrowed: the one that made the batch.
 * @param batch       borrowed.
 * @param topic       the topic's handle from kprod_topic.
 * @param partition   the partition, 0 or more.
 * @param tag         comes back in the report.
 * @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: max.block.ms.
 *
 * Returns: 0: accepted; nothing but kprod_batch_free is left to be done with the batch. Any other: refused; the batch
 * is as it was, will not be sent, and may be sent again. KPROD_ERR_ILLEGAL_STATE (sent already, an async send of it
 * has no answer yet, or transactional.id is set and no transaction has begun), _INVALID_ARG (NULL, a wrong handle,
 * partition or timeout, another producer's batch), _UNKNOWN_TOPIC_HANDLE, _UNKNOWN_PARTITION;
 * _UNKNOWN_TOPIC_OR_PARTITION, _TOPIC_AUTHORIZATION_FAILED and other codes of the brokers about a topic that was never
 * known; _TRANSACTION_ABORTABLE; _ABORTED (the transaction was aborted or has failed meanwhile);
 * _TIMED_OUT (kprod_cluster_error tells why), _REPORT_QUEUE_FULL, _CLOSED, _FATAL, _FORKED, _INTERNAL.
 * Ownership: the batch stays the caller's, for kprod_batch_free.
 * Thread-safety: any thread; one at a time for one batch.
 * Blocking: up to timeout_ms.
 * Callback context: allowed; there it does not block, as kprod_try_send_batch.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_send_batch(struct kprod_producer_t *producer,
                         struct kprod_batch_t *batch,
                         uint32_t topic,
                         int32_t partition,
                         uint64_t tag,
                         int32_t timeout_ms);

/**
 * Sends a batch as kprod_send_batch does, without ever blocking. To a topic that is not known yet it is parked, as a
 * record is by kprod_try_send; any number of batches may be.
 *
 * @param producer   borrowed: the one that made the batch.
 * @param batch      borrowed.
 * @param topic      the topic's handle from kprod_topic.
 * @param partition  the partition, 0 or more.
 * @param tag        comes back in the report.
 *
 * Returns: as kprod_send_batch, but KPROD_ERR_QUEUE_FULL at once when a batch sent before waits in the partition, or
 * when buffer.memory has no room. An entry of kind KPROD_KIND_WRITABLE follows a KPROD_ERR_QUEUE_FULL when it may be
 * tried again: that batch has been drained, or a quarter of buffer.memory is free and there is room for what was
 * refused. There is one entry for all calls that were refused before it, when there is room for the smallest.
 * Ownership: the batch stays the caller's, for kprod_batch_free.
 * Thread-safety: any thread; one at a time for one batch.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_try_send_batch(struct kprod_producer_t *producer,
                             struct kprod_batch_t *batch,
                             uint32_t topic,
                             int32_t partition,
                             uint64_t tag);

/**
 * Sends a batch as kprod_send_batch does, and reports it to a callback of its own, with tag 0, instead of the
 * producer's delivery callback or kprod_poll.
 *
 * @param producer    borrowed: the one that made the batch.
 * @param batch       borrowed.
 * @param topic       the topic's handle from kprod_topic.
 * @param partition   the partition, 0 or more.
 * @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: max.block.ms.
 * @param callback    called exactly once, on the producer's callback thread, if and only if this returns 0, possibly
 *                    before it returns; not NULL.
 * @param context     passed to the callback.
 *
 * Returns: as kprod_send_batch; KPROD_ERR_THREAD.
 * Ownership: the batch stays the caller's, for kprod_batch_free; what context refers to must live until the callback
 * has run.
 * Thread-safety: any thread; one at a time for one batch.
 * Blocking: up to timeout_ms.
 * Callback context: allowed; there it does not block, as kprod_try_send_batch.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_send_batch_with_callback(struct kprod_producer_t *producer,
                                       struct kprod_batch_t *batch,
                                       uint32_t topic,
                                       int32_t partition,
                                       int32_t timeout_ms,
                                       kprod_record_fn callback,
                                       uint64_t context);

/**
 * Sends a batch as kprod_send_batch does, but answers with an entry instead of waiting: of kind KPROD_KIND_OPERATION,
 * with op_tag, within max.block.ms, whose error is what kprod_send_batch would have returned. If that is 0, the
 * report of kind KPROD_KIND_BATCH follows it. Until the entry is there the batch must not be used, but it may be
 * freed: if it was not accepted yet, it never will be, and the entry has KPROD_ERR_PURGED_QUEUED. Several sends to
 * one partition are accepted in the order in which they were made.
 *
 * @param producer   borrowed: the one that made the batch.
 * @param batch      borrowed.
 * @param topic      the topic's handle from kprod_topic.
 * @param partition  the partition, 0 or more.
 * @param tag        comes back in the batch's report.
 * @param op_tag     comes back in the entry.
 *
 * Returns: 0: the entry follows. Any other: refused, and no entry follows: KPROD_ERR_INVALID_ARG (NULL, a wrong
 * handle or partition, another producer's batch), _ILLEGAL_STATE (sent already, or an async send of it has no answer
 * yet), _UNKNOWN_TOPIC_HANDLE, _REPORT_QUEUE_FULL, _CLOSED, _FATAL, _FORKED, _INTERNAL.
 * Ownership: the batch stays the caller's, for kprod_batch_free.
 * Thread-safety: any thread; one at a time for one batch.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_send_batch_async(struct kprod_producer_t *producer,
                               struct kprod_batch_t *batch,
                               uint32_t topic,
                               int32_t partition,
                               uint64_t tag,
                               uint64_t op_tag);

/**
 * Frees a batch. Records that were sent with it are not touched; one that was not sent never will be.
 *
 * @param batch  the batch, whose pointer is dead from here on; NULL, or what is no batch, is a no-op.
 *
 * Returns: nothing.
 * Ownership: takes the batch.
 * Thread-safety: any thread, but no other may use the batch.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: a no-op in a child of the creating process; allowed after kprod_close and kprod_destroy.
 * Since: 0.1
 */
void kprod_batch_free(struct kprod_batch_t *batch);

/**
 * Takes up to max outcomes off the queue; waits for the first of them.
 *
 * @param producer    borrowed.
 * @param reports     out: an array of max reports, of which as many as the result says are written.
 * @param max         the length of the array, 1 or more.
 * @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: none.
 *
 * Returns: the number of reports, 0 when the time passed or kprod_poll_interrupt ended the wait; or a negative code:
 * KPROD_ERR_INVALID_ARG, _ILLEGAL_STATE (the producer has a delivery callback), _IN_CALLBACK, _FORKED, _INTERNAL,
 * or _CLOSED when the producer is closed and all reports have been taken.
 * Ownership: the reports are plain data in the caller's memory.
 * Thread-safety: any thread, several at a time; each report goes to one of them, and order holds within one.
 * Blocking: up to timeout_ms; never with 0.
 * Callback context: allowed with a timeout of 0, else KPROD_ERR_IN_CALLBACK.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; after close the rest stays readable.
 * Since: 0.1
 */
int64_t kprod_poll(struct kprod_producer_t *producer,
                   struct kprod_delivery_t *reports,
                   uint64_t max,
                   int32_t timeout_ms);

/**
 * Ends a kprod_poll that waits, or the next one that would wait, with 0 reports. Meant for shutting down a polling
 * thread; the descriptor of kprod_wake_fd is not told.
 *
 * @param producer  borrowed.
 *
 * Returns: 0; KPROD_ERR_INVALID_ARG, _FORKED or _INTERNAL.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; allowed after close.
 * Since: 0.1
 */
int32_t kprod_poll_interrupt(struct kprod_producer_t *producer);

/**
 * Gives the read end of a pipe that gets a byte whenever the queue of reports turns from empty to not empty, for an
 * event loop. When it is readable: read it empty, then kprod_poll with timeout 0 until fewer than max come.
 *
 * @param producer  borrowed.
 * @param fd        out, written on 0 only: the descriptor, non-blocking and close-on-exec; not NULL.
 *
 * Returns: 0; KPROD_ERR_INVALID_ARG, _ILLEGAL_STATE (the producer has a delivery callback), _THREAD (no descriptor
 * to be had), _CLOSED, _FORKED, _INTERNAL.
 * Ownership: the descriptor is the caller's to close, before or after kprod_destroy; it may be asked for again. If
 * reports are waiting already, it is readable at once.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process.
 * Since: 0.1
 */
int32_t kprod_wake_fd(struct kprod_producer_t *producer,
                      int32_t *fd);

/**
 * Begins a transaction. What is sent until it is committed or aborted becomes visible to consumers that read
 * committed records at its commit, all at once, or never. The first call (or kprod_start) makes the producer known to
 * the cluster: it ends what an earlier instance with the same transactional.id left open, and fences that instance
 * (KIP-98).
 *
 * @param producer    borrowed.
 * @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: max.block.ms.
 * @param err         out, optional: an error object, written on failure only.
 *
 * Returns: 0: a transaction is open; KPROD_ERR_TIMED_OUT: not yet; call it again, until then none is open.
 * KPROD_ERR_ILLEGAL_STATE: one is open. _TRANSACTIONAL_ID_AUTHORIZATION_FAILED, _CLUSTER_AUTHORIZATION_FAILED: may be
 * called again once the permission is there. Fatal: _INVALID_TRANSACTION_TIMEOUT (transaction.timeout.ms is above the
 * broker's limit), _PRODUCER_FENCED, _INVALID_PRODUCER_EPOCH (a newer instance has taken over), _NOT_SUPPORTED.
 * KPROD_ERR_ILLEGAL_STATE also when
 * the producer has no transactional.id, or another transactional call has not ended: the message says what comes
 * first. KPROD_ERR_INVALID_ARG, _CLOSED, _IN_CALLBACK, _FORKED, _INTERNAL, and what ended the producer for good.
 * Ownership: *err is the caller's, for kprod_error_free.
 * Thread-safety: any thread.
 * Blocking: up to timeout_ms.
 * Callback context: KPROD_ERR_IN_CALLBACK.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_begin_transaction(struct kprod_producer_t *producer,
                                int32_t timeout_ms,
                                struct kprod_error_t **err);

/**
 * As kprod_begin_transaction, without waiting: the result is an entry of kind KPROD_KIND_OPERATION.
 *
 * @param producer  borrowed.
 * @param tag       comes back in the entry.
 *
 * Returns: 0: one entry follows, within max.block.ms; any other: none does: KPROD_ERR_INVALID_ARG, _ILLEGAL_STATE
 * (no transactional.id), _CLOSED, what ended the producer for good, _FORKED, _INTERNAL.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_begin_transaction_async(struct kprod_producer_t *producer,
                                      uint64_t tag);

/**
 * Commits the transaction: waits for the outcomes of its records, then for the coordinator. It is refused after any
 * record that it had accepted failed.
 *
 * @param producer    borrowed.
 * @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: max.block.ms.
 * @param err         out, optional: an error object, written on failure only.
 *
 * Returns: 0: committed. KPROD_ERR_TIMED_OUT: the outcome is not known yet and the commit goes on; call it again for its
 * result: until then every other transactional call is refused. Any error with kprod_error_is_abortable: not
 * committed; abort. Any with kprod_error_is_fatal (_PRODUCER_FENCED, _INVALID_PRODUCER_EPOCH, _INVALID_TXN_STATE: a
 * newer instance has taken over and ended the transaction, or the coordinator has aborted it because it lasted longer
 * than transaction.timeout.ms): close the producer. After a fatal error, and after KPROD_ERR_CLOSED where
 * another thread closes the producer meanwhile, a commit that was called may have been done or not: who has to know
 * asks the log, or lets the next instance take up from the group's committed offsets. KPROD_ERR_ILLEGAL_STATE: no
 * transaction is open.
 * KPROD_ERR_ILLEGAL_STATE also when
 * the producer has no transactional.id, or another transactional call has not ended: the message says what comes
 * first. KPROD_ERR_INVALID_ARG, _CLOSED, _IN_CALLBACK, _FORKED, _INTERNAL, and what ended the producer for good.
 * Ownership: *err is the caller's, for kprod_error_free.
 * Thread-safety: any thread.
 * Blocking: up to timeout_ms.
 * Callback context: KPROD_ERR_IN_CALLBACK.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_commit_transaction(struct kprod_producer_t *producer,
                                 int32_t timeout_ms,
                                 struct kprod_error_t **err);

/**
 * As kprod_commit_transaction, without waiting: the result is an entry of kind KPROD_KIND_OPERATION.
 * A record that is sent before that entry was read may still become part of the transaction that ends; one that
 * belongs to the next is sent after the next begin.
 *
 * @param producer  borrowed.
 * @param tag       comes back in the entry.
 *
 * Returns: 0: one entry follows, within max.block.ms; any other: none does: KPROD_ERR_INVALID_ARG, _ILLEGAL_STATE
 * (no transactional.id), _CLOSED, what ended the producer for good, _FORKED, _INTERNAL.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_commit_transaction_async(struct kprod_producer_t *producer,
                                       uint64_t tag);

/**
 * Aborts the transaction: what was not sent is dropped and reported with KPROD_ERR_ABORTED; what is on its way is
 * waited for; consumers that read committed records see none of it.
 *
 * @param producer    borrowed.
 * @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: max.block.ms.
 * @param err         out, optional: an error object, written on failure only.
 *
 * Returns: 0: aborted; KPROD_ERR_TIMED_OUT: it goes on; call it again for its result. Any with kprod_error_is_fatal
 * (_PRODUCER_FENCED, _INVALID_PRODUCER_EPOCH, _INVALID_TXN_STATE: a newer instance has taken over and has aborted it, or
 * the coordinator has because it lasted longer than transaction.timeout.ms): close the producer.
 * KPROD_ERR_ILLEGAL_STATE: no transaction is open. KPROD_ERR_ILLEGAL_STATE also when
 * the producer has no transactional.id, or another transactional call has not ended: the message says what comes
 * first. KPROD_ERR_INVALID_ARG, _CLOSED, _IN_CALLBACK, _FORKED, _INTERNAL, and what ended the producer for good.
 * Ownership: *err is the caller's, for kprod_error_free.
 * Thread-safety: any thread.
 * Blocking: up to timeout_ms.
 * Callback context: KPROD_ERR_IN_CALLBACK.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_abort_transaction(struct kprod_producer_t *producer,
                                int32_t timeout_ms,
                                struct kprod_error_t **err);

/**
 * As kprod_abort_transaction, without waiting: the result is an entry of kind KPROD_KIND_OPERATION.
 * A record that is sent before that entry was read may still become part of the transaction that ends; one that
 * belongs to the next is sent after the next begin.
 *
 * @param producer  borrowed.
 * @param tag       comes back in the entry.
 *
 * Returns: 0: one entry follows, within max.block.ms; any other: none does: KPROD_ERR_INVALID_ARG, _ILLEGAL_STATE
 * (no transactional.id), _CLOSED, what ended the producer for good, _FORKED, _INTERNAL.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_abort_transaction_async(struct kprod_producer_t *producer,
                                      uint64_t tag);

/**
 * Sets a group's metadata to no member, no generation (-1) and no static membership; the group's id becomes empty and
 * is to be set. Reserved space becomes 0.
 *
 * @param group  out; NULL is a no-op.
 *
 * Returns: nothing.
 * Ownership: the struct stays the caller's.
 * Thread-safety: one thread at a time for one struct.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: allowed.
 * Since: 0.1
 */
void kprod_group_metadata_init(struct kprod_group_metadata_t *group);

/**
 * Makes the offsets that a consumer group has consumed up to part of the transaction: they are committed with it, or
 * not at all (KIP-447).
 *
 * @param producer    borrowed.
 * @param offsets     borrowed for the call, with all that they point to; may be NULL when count is 0, which does
 *                    nothing.
 * @param count       the number of offsets.
 * @param group       borrowed for the call, with all that it points to: the consumer's own group metadata; not NULL.
 * @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: max.block.ms.
 * @param err         out, optional: an error object, written on failure only.
 *
 * Returns: 0; KPROD_ERR_TIMED_OUT: it goes on: call it again with the same arguments for its result,
 * or abort. Abortable: KPROD_ERR_ILLEGAL_GENERATION, _UNKNOWN_MEMBER_ID, _FENCED_INSTANCE_ID,
 * _GROUP_AUTHORIZATION_FAILED and others with kprod_error_is_abortable. KPROD_ERR_ILLEGAL_STATE: no transaction is
 * open. KPROD_ERR_INVALID_TOPIC_EXCEPTION: not a topic's name. KPROD_ERR_ILLEGAL_STATE also when
 * the producer has no transactional.id, or another transactional call has not ended: the message says what comes
 * first. KPROD_ERR_INVALID_ARG, _CLOSED, _IN_CALLBACK, _FORKED, _INTERNAL, and what ended the producer for good.
 * Ownership: everything is copied; *err is the caller's, for kprod_error_free.
 * Thread-safety: any thread.
 * Blocking: up to timeout_ms.
 * Callback context: KPROD_ERR_IN_CALLBACK.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_send_offsets_to_transaction(struct kprod_producer_t *producer,
                                          const struct kprod_group_offset_t *offsets,
                                          uint64_t count,
                                          const struct kprod_group_metadata_t *group,
                                          int32_t timeout_ms,
                                          struct kprod_error_t **err);

/**
 * As kprod_send_offsets_to_transaction, without waiting: the result is an entry of kind KPROD_KIND_OPERATION.
 *
 * @param producer  borrowed.
 * @param offsets   borrowed for the call, with all that they point to; may be NULL when count is 0.
 * @param count     the number of offsets.
 * @param group     borrowed for the call, with all that it points to; not NULL.
 * @param tag       comes back in the entry.
 *
 * Returns: 0: one entry follows, within max.block.ms; any other: none does: KPROD_ERR_INVALID_ARG,
 * _INVALID_TOPIC_EXCEPTION, _ILLEGAL_STATE (no transactional.id), _CLOSED, what ended the producer for good, _FORKED,
 * _INTERNAL.
 * Ownership: everything is copied.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
 * Since: 0.1
 */
int32_t kprod_send_offsets_to_transaction_async(struct kprod_producer_t *producer,
                                                const struct kprod_group_offset_t *offsets,
                                                uint64_t count,
                                                const struct kprod_group_metadata_t *group,
                                                uint64_t tag);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* KPROD_H */
