//! The client's own error codes, and success.

super::codes! {
    OK = 0, Permanent,
        "Success.";
    INTERNAL = -100, Fatal,
        "The library has broken a promise of its own. Destroy the producer, make a new one, and report the message.";
    INVALID_ARG = -101, Permanent,
        "An argument is null, out of range or contradicts another. Nothing was done.";
    UNKNOWN_CONFIG = -102, Permanent,
        "No property has this name. The message names the nearest one, where one is near; docs/configuration.md lists them all.";
    INVALID_CONFIG = -103, Permanent,
        "A property's value is not allowed, or properties contradict each other. The message says which and what is allowed.";
    API_VERSION = -104, Permanent,
        "The program was compiled against a newer header than this library. Install the newer library.";
    CLOSED = -105, Permanent,
        "The producer is closed or being closed. It takes nothing more; a report's persistence tells whether a record that it had accepted may have been written.";
    FORKED = -106, Permanent,
        "The producer was made before a fork and works only in the parent process. Make a new one in the child.";
    IN_CALLBACK = -107, Permanent,
        "This call would block and so is not allowed in a callback. Use its asynchronous twin or another thread.";
    ILLEGAL_STATE = -108, Permanent,
        "The call does not fit the state of the producer, its transaction or the batch. The message, where the call gives one, says what comes first.";
    TIMED_OUT = -109, Retriable,
        "The call's time has passed. A send was not accepted and never will be; any other call may be made again, and says what holds until then. kprod_cluster_error tells what the cluster lacks.";
    QUEUE_FULL = -110, Retriable,
        "All of buffer.memory is taken by records without an outcome, or a batch sent before waits in the partition. Wait for the WRITABLE entry, or raise buffer.memory.";
    REPORT_QUEUE_FULL = -111, Retriable,
        "Too many reports are unread (kprod.delivery.queue.max). Call kprod_poll.";
    STILL_PENDING = -112, Permanent,
        "The record was accepted but has no outcome yet. Its report will come like any other, so do not send it again.";
    RECORD_TOO_LARGE = -113, Permanent,
        "The record is larger than max.request.size or buffer.memory. Raise them, and the broker's message.max.bytes, or send less.";
    UNKNOWN_TOPIC_HANDLE = -114, Permanent,
        "The topic handle is not one that this producer gave. Get it from kprod_topic.";
    UNKNOWN_PARTITION = -115, Permanent,
        "The topic has no such partition. kprod_partitions_for tells how many it has.";
    PURGED_QUEUED = -116, Permanent,
        "Purged before it was sent. It will not be sent.";
    PURGED_IN_FLIGHT = -117, Permanent,
        "Purged while it was on its way. It may have been written.";
    DELIVERY_TIMED_OUT = -118, Retriable,
        "The record expired before any attempt had an outcome. Look at the brokers' state, or raise delivery.timeout.ms or request.timeout.ms.";
    NO_BROKERS = -119, Retriable,
        "No broker can be reached. Check bootstrap.servers, the network and the brokers; the producer keeps trying.";
    RESOLVE = -120, Retriable,
        "A host name cannot be resolved. Check bootstrap.servers and the brokers' advertised.listeners.";
    PROTOCOL = -121, Permanent,
        "The peer's bytes are not Kafka's protocol. Check that host and port belong to a broker, and security.protocol.";
    TLS = -122, Permanent,
        "The TLS handshake failed. Check the ssl. properties and the broker's certificate.";
    PARTITIONER = -123, Permanent,
        "The partitioner function chose a partition that the topic does not have. Correct the function.";
    FATAL = -124, Fatal,
        "The producer has failed for good, for a reason that was reported before. Destroy it and make a new one.";
    COMPRESSION = -125, Permanent,
        "The codec failed on this batch. Nothing of it was sent; try another compression.type.";
    RECORD_NEIGHBOUR = -126, Retriable,
        "The record itself is good, but another of its batch was refused and the whole batch with it. Send it again.";
    INVALID_TIMESTAMP_ARG = -127, Permanent,
        "The record's timestamp is negative and not the value that means now.";
    DATA_LOSS = -128, Permanent,
        "The cluster has lost records that it had acknowledged.";
    NOT_SUPPORTED = -129, Permanent,
        "This library, this build or this broker does not have what was asked for. The message says what to use instead.";
    OUT_OF_MEMORY = -130, Retriable,
        "The system refused memory. Nothing was done.";
    THREAD = -131, Retriable,
        "The system refused a thread, a pipe or a descriptor. Check the process's limits.";
    ABORTED = -132, Permanent,
        "The record's transaction was aborted before the record was sent. It will not be sent.";
    BATCH_FULL = -133, Permanent,
        "The batch has no room for the record and is closed now. Send it.";
}
