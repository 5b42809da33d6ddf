// Every error code has its constant here; code_test.go holds them against kprod.h.

package kprod

// #include <kprod.h>
import "C"

import "strconv"

// Code tells which error an [Error] is: of the library (-299 to -100), or of a broker, by Kafka's own numbers. Newer
// brokers may give codes that have no constant here.
//
//	if errors.Is(err, kprod.ErrQueueFull) { … }
type Code int32

// Error gives the code's name and what to do.
func (c Code) Error() string {
	return "kprod: " + c.Name() + ": " + c.text()
}

// text is the library's, but where that advises what only C has.
func (c Code) text() string {
	switch c {
	case ErrInCallback:
		return "The call waits for an outcome, which cannot come before the function given to a send returns. Call it in a " +
			"goroutine of its own."
	case ErrIllegalState:
		return "The call does not fit the state of the producer, its transaction or the batch."
	case ErrTimedOut:
		return "The call's time has passed. A send was not accepted and never will be; any other call may be made again."
	case ErrQueueFull:
		return "All of buffer.memory is taken by records without an outcome, or a batch sent before waits in the partition. " +
			"Send again when there are outcomes, let SendAsync wait outside of a function given to a send, or raise buffer.memory."
	case ErrReportQueueFull:
		return "Too many outcomes are untold (kprod.delivery.queue.max). Let the functions given to sends return sooner, " +
			"and take results from their channels."
	case ErrUnknownPartition:
		return "The topic has no such partition. PartitionsFor tells how many it has."
	default:
		return C.GoString(C.kprod_err_str(C.int32_t(c)))
	}
}

// Name is the code's name in the protocol or in kprod.h, without its KPROD_ERR_; UNKNOWN_CODE and its number where it has
// none.
func (c Code) Name() string {
	name := C.GoString(C.kprod_err_name(C.int32_t(c)))
	if name == "UNKNOWN_CODE" {
		return name + " " + strconv.Itoa(int(c))
	}
	return name
}

// The codes; kprod.h and Code.Error explain each.
const (
	ErrInternal                           Code = C.KPROD_ERR_INTERNAL
	ErrInvalidArg                         Code = C.KPROD_ERR_INVALID_ARG
	ErrUnknownConfig                      Code = C.KPROD_ERR_UNKNOWN_CONFIG
	ErrInvalidConfig                      Code = C.KPROD_ERR_INVALID_CONFIG
	ErrAPIVersion                         Code = C.KPROD_ERR_API_VERSION
	ErrClosed                             Code = C.KPROD_ERR_CLOSED
	ErrForked                             Code = C.KPROD_ERR_FORKED
	ErrInCallback                         Code = C.KPROD_ERR_IN_CALLBACK
	ErrIllegalState                       Code = C.KPROD_ERR_ILLEGAL_STATE
	ErrTimedOut                           Code = C.KPROD_ERR_TIMED_OUT
	ErrQueueFull                          Code = C.KPROD_ERR_QUEUE_FULL
	ErrReportQueueFull                    Code = C.KPROD_ERR_REPORT_QUEUE_FULL
	ErrStillPending                       Code = C.KPROD_ERR_STILL_PENDING
	ErrRecordTooLarge                     Code = C.KPROD_ERR_RECORD_TOO_LARGE
	ErrUnknownTopicHandle                 Code = C.KPROD_ERR_UNKNOWN_TOPIC_HANDLE
	ErrUnknownPartition                   Code = C.KPROD_ERR_UNKNOWN_PARTITION
	ErrPurgedQueued                       Code = C.KPROD_ERR_PURGED_QUEUED
	ErrPurgedInFlight                     Code = C.KPROD_ERR_PURGED_IN_FLIGHT
	ErrDeliveryTimedOut                   Code = C.KPROD_ERR_DELIVERY_TIMED_OUT
	ErrNoBrokers                          Code = C.KPROD_ERR_NO_BROKERS
	ErrResolve                            Code = C.KPROD_ERR_RESOLVE
	ErrProtocol                           Code = C.KPROD_ERR_PROTOCOL
	ErrTLS                                Code = C.KPROD_ERR_TLS
	ErrPartitioner                        Code = C.KPROD_ERR_PARTITIONER
	ErrFatal                              Code = C.KPROD_ERR_FATAL
	ErrCompression                        Code = C.KPROD_ERR_COMPRESSION
	ErrRecordNeighbour                    Code = C.KPROD_ERR_RECORD_NEIGHBOUR
	ErrInvalidTimestampArg                Code = C.KPROD_ERR_INVALID_TIMESTAMP_ARG
	ErrDataLoss                           Code = C.KPROD_ERR_DATA_LOSS
	ErrNotSupported                       Code = C.KPROD_ERR_NOT_SUPPORTED
	ErrOutOfMemory                        Code = C.KPROD_ERR_OUT_OF_MEMORY
	ErrThread                             Code = C.KPROD_ERR_THREAD
	ErrAborted                            Code = C.KPROD_ERR_ABORTED
	ErrBatchFull                          Code = C.KPROD_ERR_BATCH_FULL
	ErrUnknownServerError                 Code = C.KPROD_ERR_UNKNOWN_SERVER_ERROR
	ErrOffsetOutOfRange                   Code = C.KPROD_ERR_OFFSET_OUT_OF_RANGE
	ErrCorruptMessage                     Code = C.KPROD_ERR_CORRUPT_MESSAGE
	ErrUnknownTopicOrPartition            Code = C.KPROD_ERR_UNKNOWN_TOPIC_OR_PARTITION
	ErrInvalidFetchSize                   Code = C.KPROD_ERR_INVALID_FETCH_SIZE
	ErrLeaderNotAvailable                 Code = C.KPROD_ERR_LEADER_NOT_AVAILABLE
	ErrNotLeaderOrFollower                Code = C.KPROD_ERR_NOT_LEADER_OR_FOLLOWER
	ErrRequestTimedOut                    Code = C.KPROD_ERR_REQUEST_TIMED_OUT
	ErrBrokerNotAvailable                 Code = C.KPROD_ERR_BROKER_NOT_AVAILABLE
	ErrReplicaNotAvailable                Code = C.KPROD_ERR_REPLICA_NOT_AVAILABLE
	ErrMessageTooLarge                    Code = C.KPROD_ERR_MESSAGE_TOO_LARGE
	ErrStaleControllerEpoch               Code = C.KPROD_ERR_STALE_CONTROLLER_EPOCH
	ErrOffsetMetadataTooLarge             Code = C.KPROD_ERR_OFFSET_METADATA_TOO_LARGE
	ErrNetworkException                   Code = C.KPROD_ERR_NETWORK_EXCEPTION
	ErrCoordinatorLoadInProgress          Code = C.KPROD_ERR_COORDINATOR_LOAD_IN_PROGRESS
	ErrCoordinatorNotAvailable            Code = C.KPROD_ERR_COORDINATOR_NOT_AVAILABLE
	ErrNotCoordinator                     Code = C.KPROD_ERR_NOT_COORDINATOR
	ErrInvalidTopicException              Code = C.KPROD_ERR_INVALID_TOPIC_EXCEPTION
	ErrRecordListTooLarge                 Code = C.KPROD_ERR_RECORD_LIST_TOO_LARGE
	ErrNotEnoughReplicas                  Code = C.KPROD_ERR_NOT_ENOUGH_REPLICAS
	ErrNotEnoughReplicasAfterAppend       Code = C.KPROD_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND
	ErrInvalidRequiredAcks                Code = C.KPROD_ERR_INVALID_REQUIRED_ACKS
	ErrIllegalGeneration                  Code = C.KPROD_ERR_ILLEGAL_GENERATION
	ErrInconsistentGroupProtocol          Code = C.KPROD_ERR_INCONSISTENT_GROUP_PROTOCOL
	ErrInvalidGroupID                     Code = C.KPROD_ERR_INVALID_GROUP_ID
	ErrUnknownMemberID                    Code = C.KPROD_ERR_UNKNOWN_MEMBER_ID
	ErrInvalidSessionTimeout              Code = C.KPROD_ERR_INVALID_SESSION_TIMEOUT
	ErrRebalanceInProgress                Code = C.KPROD_ERR_REBALANCE_IN_PROGRESS
	ErrInvalidCommitOffsetSize            Code = C.KPROD_ERR_INVALID_COMMIT_OFFSET_SIZE
	ErrTopicAuthorizationFailed           Code = C.KPROD_ERR_TOPIC_AUTHORIZATION_FAILED
	ErrGroupAuthorizationFailed           Code = C.KPROD_ERR_GROUP_AUTHORIZATION_FAILED
	ErrClusterAuthorizationFailed         Code = C.KPROD_ERR_CLUSTER_AUTHORIZATION_FAILED
	ErrInvalidTimestamp                   Code = C.KPROD_ERR_INVALID_TIMESTAMP
	ErrUnsupportedSASLMechanism           Code = C.KPROD_ERR_UNSUPPORTED_SASL_MECHANISM
	ErrIllegalSASLState                   Code = C.KPROD_ERR_ILLEGAL_SASL_STATE
	ErrUnsupportedVersion                 Code = C.KPROD_ERR_UNSUPPORTED_VERSION
	ErrTopicAlreadyExists                 Code = C.KPROD_ERR_TOPIC_ALREADY_EXISTS
	ErrInvalidPartitions                  Code = C.KPROD_ERR_INVALID_PARTITIONS
	ErrInvalidReplicationFactor           Code = C.KPROD_ERR_INVALID_REPLICATION_FACTOR
	ErrInvalidReplicaAssignment           Code = C.KPROD_ERR_INVALID_REPLICA_ASSIGNMENT
	ErrBrokerInvalidConfig                Code = C.KPROD_ERR_BROKER_INVALID_CONFIG
	ErrNotController                      Code = C.KPROD_ERR_NOT_CONTROLLER
	ErrInvalidRequest                     Code = C.KPROD_ERR_INVALID_REQUEST
	ErrUnsupportedForMessageFormat        Code = C.KPROD_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT
	ErrPolicyViolation                    Code = C.KPROD_ERR_POLICY_VIOLATION
	ErrOutOfOrderSequenceNumber           Code = C.KPROD_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER
	ErrDuplicateSequenceNumber            Code = C.KPROD_ERR_DUPLICATE_SEQUENCE_NUMBER
	ErrInvalidProducerEpoch               Code = C.KPROD_ERR_INVALID_PRODUCER_EPOCH
	ErrInvalidTxnState                    Code = C.KPROD_ERR_INVALID_TXN_STATE
	ErrInvalidProducerIDMapping           Code = C.KPROD_ERR_INVALID_PRODUCER_ID_MAPPING
	ErrInvalidTransactionTimeout          Code = C.KPROD_ERR_INVALID_TRANSACTION_TIMEOUT
	ErrConcurrentTransactions             Code = C.KPROD_ERR_CONCURRENT_TRANSACTIONS
	ErrTransactionCoordinatorFenced       Code = C.KPROD_ERR_TRANSACTION_COORDINATOR_FENCED
	ErrTransactionalIDAuthorizationFailed Code = C.KPROD_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED
	ErrSecurityDisabled                   Code = C.KPROD_ERR_SECURITY_DISABLED
	ErrOperationNotAttempted              Code = C.KPROD_ERR_OPERATION_NOT_ATTEMPTED
	ErrKafkaStorageError                  Code = C.KPROD_ERR_KAFKA_STORAGE_ERROR
	ErrLogDirNotFound                     Code = C.KPROD_ERR_LOG_DIR_NOT_FOUND
	ErrSASLAuthenticationFailed           Code = C.KPROD_ERR_SASL_AUTHENTICATION_FAILED
	ErrUnknownProducerID                  Code = C.KPROD_ERR_UNKNOWN_PRODUCER_ID
	ErrReassignmentInProgress             Code = C.KPROD_ERR_REASSIGNMENT_IN_PROGRESS
	ErrDelegationTokenAuthDisabled        Code = C.KPROD_ERR_DELEGATION_TOKEN_AUTH_DISABLED
	ErrDelegationTokenNotFound            Code = C.KPROD_ERR_DELEGATION_TOKEN_NOT_FOUND
	ErrDelegationTokenOwnerMismatch       Code = C.KPROD_ERR_DELEGATION_TOKEN_OWNER_MISMATCH
	ErrDelegationTokenRequestNotAllowed   Code = C.KPROD_ERR_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED
	ErrDelegationTokenAuthorizationFailed Code = C.KPROD_ERR_DELEGATION_TOKEN_AUTHORIZATION_FAILED
	ErrDelegationTokenExpired             Code = C.KPROD_ERR_DELEGATION_TOKEN_EXPIRED
	ErrInvalidPrincipalType               Code = C.KPROD_ERR_INVALID_PRINCIPAL_TYPE
	ErrNonEmptyGroup                      Code = C.KPROD_ERR_NON_EMPTY_GROUP
	ErrGroupIDNotFound                    Code = C.KPROD_ERR_GROUP_ID_NOT_FOUND
	ErrFetchSessionIDNotFound             Code = C.KPROD_ERR_FETCH_SESSION_ID_NOT_FOUND
	ErrInvalidFetchSessionEpoch           Code = C.KPROD_ERR_INVALID_FETCH_SESSION_EPOCH
	ErrListenerNotFound                   Code = C.KPROD_ERR_LISTENER_NOT_FOUND
	ErrTopicDeletionDisabled              Code = C.KPROD_ERR_TOPIC_DELETION_DISABLED
	ErrFencedLeaderEpoch                  Code = C.KPROD_ERR_FENCED_LEADER_EPOCH
	ErrUnknownLeaderEpoch                 Code = C.KPROD_ERR_UNKNOWN_LEADER_EPOCH
	ErrUnsupportedCompressionType         Code = C.KPROD_ERR_UNSUPPORTED_COMPRESSION_TYPE
	ErrStaleBrokerEpoch                   Code = C.KPROD_ERR_STALE_BROKER_EPOCH
	ErrOffsetNotAvailable                 Code = C.KPROD_ERR_OFFSET_NOT_AVAILABLE
	ErrMemberIDRequired                   Code = C.KPROD_ERR_MEMBER_ID_REQUIRED
	ErrPreferredLeaderNotAvailable        Code = C.KPROD_ERR_PREFERRED_LEADER_NOT_AVAILABLE
	ErrGroupMaxSizeReached                Code = C.KPROD_ERR_GROUP_MAX_SIZE_REACHED
	ErrFencedInstanceID                   Code = C.KPROD_ERR_FENCED_INSTANCE_ID
	ErrEligibleLeadersNotAvailable        Code = C.KPROD_ERR_ELIGIBLE_LEADERS_NOT_AVAILABLE
	ErrElectionNotNeeded                  Code = C.KPROD_ERR_ELECTION_NOT_NEEDED
	ErrNoReassignmentInProgress           Code = C.KPROD_ERR_NO_REASSIGNMENT_IN_PROGRESS
	ErrGroupSubscribedToTopic             Code = C.KPROD_ERR_GROUP_SUBSCRIBED_TO_TOPIC
	ErrInvalidRecord                      Code = C.KPROD_ERR_INVALID_RECORD
	ErrUnstableOffsetCommit               Code = C.KPROD_ERR_UNSTABLE_OFFSET_COMMIT
	ErrThrottlingQuotaExceeded            Code = C.KPROD_ERR_THROTTLING_QUOTA_EXCEEDED
	ErrProducerFenced                     Code = C.KPROD_ERR_PRODUCER_FENCED
	ErrResourceNotFound                   Code = C.KPROD_ERR_RESOURCE_NOT_FOUND
	ErrDuplicateResource                  Code = C.KPROD_ERR_DUPLICATE_RESOURCE
	ErrUnacceptableCredential             Code = C.KPROD_ERR_UNACCEPTABLE_CREDENTIAL
	ErrInconsistentVoterSet               Code = C.KPROD_ERR_INCONSISTENT_VOTER_SET
	ErrInvalidUpdateVersion               Code = C.KPROD_ERR_INVALID_UPDATE_VERSION
	ErrFeatureUpdateFailed                Code = C.KPROD_ERR_FEATURE_UPDATE_FAILED
	ErrPrincipalDeserializationFailure    Code = C.KPROD_ERR_PRINCIPAL_DESERIALIZATION_FAILURE
	ErrSnapshotNotFound                   Code = C.KPROD_ERR_SNAPSHOT_NOT_FOUND
	ErrPositionOutOfRange                 Code = C.KPROD_ERR_POSITION_OUT_OF_RANGE
	ErrUnknownTopicID                     Code = C.KPROD_ERR_UNKNOWN_TOPIC_ID
	ErrDuplicateBrokerRegistration        Code = C.KPROD_ERR_DUPLICATE_BROKER_REGISTRATION
	ErrBrokerIDNotRegistered              Code = C.KPROD_ERR_BROKER_ID_NOT_REGISTERED
	ErrInconsistentTopicID                Code = C.KPROD_ERR_INCONSISTENT_TOPIC_ID
	ErrInconsistentClusterID              Code = C.KPROD_ERR_INCONSISTENT_CLUSTER_ID
	ErrTransactionalIDNotFound            Code = C.KPROD_ERR_TRANSACTIONAL_ID_NOT_FOUND
	ErrFetchSessionTopicIDError           Code = C.KPROD_ERR_FETCH_SESSION_TOPIC_ID_ERROR
	ErrIneligibleReplica                  Code = C.KPROD_ERR_INELIGIBLE_REPLICA
	ErrNewLeaderElected                   Code = C.KPROD_ERR_NEW_LEADER_ELECTED
	ErrOffsetMovedToTieredStorage         Code = C.KPROD_ERR_OFFSET_MOVED_TO_TIERED_STORAGE
	ErrFencedMemberEpoch                  Code = C.KPROD_ERR_FENCED_MEMBER_EPOCH
	ErrUnreleasedInstanceID               Code = C.KPROD_ERR_UNRELEASED_INSTANCE_ID
	ErrUnsupportedAssignor                Code = C.KPROD_ERR_UNSUPPORTED_ASSIGNOR
	ErrStaleMemberEpoch                   Code = C.KPROD_ERR_STALE_MEMBER_EPOCH
	ErrMismatchedEndpointType             Code = C.KPROD_ERR_MISMATCHED_ENDPOINT_TYPE
	ErrUnsupportedEndpointType            Code = C.KPROD_ERR_UNSUPPORTED_ENDPOINT_TYPE
	ErrUnknownControllerID                Code = C.KPROD_ERR_UNKNOWN_CONTROLLER_ID
	ErrUnknownSubscriptionID              Code = C.KPROD_ERR_UNKNOWN_SUBSCRIPTION_ID
	ErrTelemetryTooLarge                  Code = C.KPROD_ERR_TELEMETRY_TOO_LARGE
	ErrInvalidRegistration                Code = C.KPROD_ERR_INVALID_REGISTRATION
	ErrTransactionAbortable               Code = C.KPROD_ERR_TRANSACTION_ABORTABLE
	ErrInvalidRecordState                 Code = C.KPROD_ERR_INVALID_RECORD_STATE
	ErrShareSessionNotFound               Code = C.KPROD_ERR_SHARE_SESSION_NOT_FOUND
	ErrInvalidShareSessionEpoch           Code = C.KPROD_ERR_INVALID_SHARE_SESSION_EPOCH
	ErrFencedStateEpoch                   Code = C.KPROD_ERR_FENCED_STATE_EPOCH
	ErrInvalidVoterKey                    Code = C.KPROD_ERR_INVALID_VOTER_KEY
	ErrDuplicateVoter                     Code = C.KPROD_ERR_DUPLICATE_VOTER
	ErrVoterNotFound                      Code = C.KPROD_ERR_VOTER_NOT_FOUND
	ErrInvalidRegularExpression           Code = C.KPROD_ERR_INVALID_REGULAR_EXPRESSION
	ErrRebootstrapRequired                Code = C.KPROD_ERR_REBOOTSTRAP_REQUIRED
	ErrStreamsInvalidTopology             Code = C.KPROD_ERR_STREAMS_INVALID_TOPOLOGY
	ErrStreamsInvalidTopologyEpoch        Code = C.KPROD_ERR_STREAMS_INVALID_TOPOLOGY_EPOCH
	ErrStreamsTopologyFenced              Code = C.KPROD_ERR_STREAMS_TOPOLOGY_FENCED
	ErrShareSessionLimitReached           Code = C.KPROD_ERR_SHARE_SESSION_LIMIT_REACHED
)
