/*
 * libkprod's mock cluster: Kafka brokers inside this process, for tests. Generated from src/ffi/mock.rs; do not edit.
 *
 * It is not part of the library's stable interface: functions and structs may change in any version.
 */

#ifndef KPROD_MOCK_H
#define KPROD_MOCK_H

#include "kprod.h"

/**
 * kprod_mock_fault_t.kind: the answer is right, only late or with a throttle time.
 */
#define KPROD_MOCK_FAULT_NONE 0

/**
 * kprod_mock_fault_t.kind: the answer is the error, and nothing was done.
 */
#define KPROD_MOCK_FAULT_ERROR 1

/**
 * kprod_mock_fault_t.kind: the answer is the error although the work was done.
 */
#define KPROD_MOCK_FAULT_ERROR_AFTER_WORK 2

/**
 * kprod_mock_fault_t.kind: nothing is done and there is no answer.
 */
#define KPROD_MOCK_FAULT_SWALLOW 3

/**
 * kprod_mock_fault_t.kind: the work is done and there is no answer.
 */
#define KPROD_MOCK_FAULT_SWALLOW_AFTER_WORK 4

/**
 * kprod_mock_fault_t.kind: nothing is done and the connection is closed.
 */
#define KPROD_MOCK_FAULT_DISCONNECT 5

/**
 * kprod_mock_fault_t.kind: the work is done and the connection is closed.
 */
#define KPROD_MOCK_FAULT_DISCONNECT_AFTER_WORK 6

/**
 * kprod_mock_fault_t.kind: the answer is of the right length and makes no sense.
 */
#define KPROD_MOCK_FAULT_GARBAGE 7

/**
 * kprod_mock_fault_t.kind: the answer ends after `argument` bytes.
 */
#define KPROD_MOCK_FAULT_TRUNCATE 8

/**
 * kprod_mock_fault_t.kind: the connection is closed after `argument` bytes of the answer.
 */
#define KPROD_MOCK_FAULT_CUT 9

/**
 * kprod_mock_fault_t.kind: the answer is to another request.
 */
#define KPROD_MOCK_FAULT_WRONG_CORRELATION_ID 10

/**
 * kprod_mock_fault_t.kind: the answer announces a length of `argument`.
 */
#define KPROD_MOCK_FAULT_HOSTILE_LENGTH 11

/**
 * kprod_mock_set_broker_state: it serves.
 */
#define KPROD_MOCK_BROKER_UP 0

/**
 * kprod_mock_set_broker_state: it answers nobody, and the cluster has not noticed.
 */
#define KPROD_MOCK_BROKER_CRASHED 1

/**
 * kprod_mock_set_broker_state: it answers nobody, and the cluster knows.
 */
#define KPROD_MOCK_BROKER_DOWN 2

/**
 * A Kafka cluster inside this process, on ports of 127.0.0.1, with a thread of its own. Made by kprod_mock_create,
 * ended by kprod_mock_destroy; any thread in between.
 */
typedef struct kprod_mock_t kprod_mock_t;

/**
 * Something that goes wrong. Set it up with kprod_mock_fault_init.
 */
typedef struct kprod_mock_fault_t {
    /**
     * The number of the API whose requests it strikes: 0 Produce, 3 Metadata, 18 ApiVersions.
     */
    int32_t api;
    /**
     * The broker that fails, or −1: any.
     */
    int32_t broker;
    /**
     * Only requests that name this topic, NUL-terminated; NULL: all.
     */
    const char *topic;
    /**
     * Only this partition of the topic, or −1: all.
     */
    int32_t partition;
    /**
     * How many requests it strikes; −1: all until kprod_mock_clear_faults.
     */
    int32_t times;
    /**
     * One of KPROD_MOCK_FAULT_*.
     */
    int32_t kind;
    /**
     * The error's code, for the kinds that answer with one: a number of 16 bits, not 0.
     */
    int32_t error;
    /**
     * A number of bytes or a length, for the kinds that have one.
     */
    int32_t argument;
    /**
     * The answer comes this much later.
     */
    int32_t delay_ms;
    /**
     * The answer asks to be left alone for so long.
     */
    int32_t throttle_ms;
} kprod_mock_fault_t;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Starts a mock cluster. Its brokers, numbered from 1, listen when this returns. Topics are created when they are
 * asked for, as brokers do by default.
 *
 * @param brokers  how many, 1 to 100.
 * @param mock     out, written on 0 only: the cluster; not NULL.
 * @param err      out, optional: an error object, written on failure only.
 *
 * Returns: 0; KPROD_ERR_INVALID_ARG, _THREAD (no thread, port or descriptor to be had), _INTERNAL.
 * Ownership: *mock is the caller's, for kprod_mock_destroy; *err too, for kprod_error_free.
 * Thread-safety: any thread.
 * Blocking: never on the network.
 * Callback context: allowed.
 * Fork/after close: allowed in a child process, where clusters of its parent are not.
 * Since: 0.1
 */
int32_t kprod_mock_create(int32_t brokers,
                          struct kprod_mock_t **mock,
                          kprod_error_t **err);

/**
 * Tells the brokers' addresses, for bootstrap.servers.
 *
 * @param mock  borrowed.
 *
 * Returns: NUL-terminated text, "127.0.0.1:PORT,127.0.0.1:PORT"; NULL for a wrong cluster or a child process.
 * Ownership: the cluster's; valid until kprod_mock_destroy.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: NULL in a child of the creating process.
 * Since: 0.1
 */
const char *kprod_mock_bootstrap(const struct kprod_mock_t *mock);

/**
 * Creates a topic, with leaders spread over the brokers.
 *
 * @param mock        borrowed.
 * @param topic       borrowed, NUL-terminated; not NULL.
 * @param partitions  how many, 1 to 10,000.
 *
 * Returns: 0; KPROD_ERR_INVALID_ARG (also for a topic that exists), _FORKED, _INTERNAL.
 * Ownership: the name is copied.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process.
 * Since: 0.1
 */
int32_t kprod_mock_create_topic(struct kprod_mock_t *mock, const char *topic, int32_t partitions);

/**
 * Lets a broker crash, go down or come back at its old address. What its partitions hold is kept.
 *
 * @param mock    borrowed.
 * @param broker  its number.
 * @param state   one of KPROD_MOCK_BROKER_*.
 *
 * Returns: 0; KPROD_ERR_INVALID_ARG, _FORKED, _INTERNAL.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process.
 * Since: 0.1
 */
int32_t kprod_mock_set_broker_state(struct kprod_mock_t *mock, int32_t broker, int32_t state);

/**
 * Closes all connections to a broker.
 *
 * @param mock    borrowed.
 * @param broker  its number.
 *
 * Returns: 0; KPROD_ERR_INVALID_ARG, _FORKED, _INTERNAL.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process.
 * Since: 0.1
 */
int32_t kprod_mock_disconnect(struct kprod_mock_t *mock, int32_t broker);

/**
 * Makes a broker the leader of a partition, in a new leader epoch.
 *
 * @param mock       borrowed.
 * @param topic      borrowed, NUL-terminated; not NULL.
 * @param partition  the partition.
 * @param broker     the broker's number, or −1: the partition has no leader.
 *
 * Returns: 0; KPROD_ERR_INVALID_ARG, _UNKNOWN_PARTITION, _FORKED, _INTERNAL.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process.
 * Since: 0.1
 */
int32_t kprod_mock_set_leader(struct kprod_mock_t *mock,
                              const char *topic,
                              int32_t partition,
                              int32_t broker);

/**
 * Tells how many records a partition holds, or rather the offset that its next record gets.
 *
 * @param mock       borrowed.
 * @param topic      borrowed, NUL-terminated; not NULL.
 * @param partition  the partition.
 *
 * Returns: the number, 0 or more; or KPROD_ERR_INVALID_ARG, _UNKNOWN_PARTITION, _FORKED, _INTERNAL.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process.
 * Since: 0.1
 */
int64_t kprod_mock_record_count(const struct kprod_mock_t *mock, const char *topic, int32_t partition);

/**
 * Tells how many requests the brokers remember, of the last few thousand.
 *
 * @param mock  borrowed.
 * @param api   the number of the API: 0 Produce, 3 Metadata, 18 ApiVersions.
 *
 * Returns: the number, 0 or more; or KPROD_ERR_INVALID_ARG, _FORKED, _INTERNAL.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process.
 * Since: 0.1
 */
int64_t kprod_mock_request_count(const struct kprod_mock_t *mock, int32_t api);

/**
 * Sets a fault to: the next Produce request, any broker, any partition, answered rightly and at once.
 *
 * @param fault  out; NULL is a no-op.
 *
 * Returns: nothing.
 * Ownership: the fault stays the caller's.
 * Thread-safety: one thread at a time for one fault.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: allowed.
 * Since: 0.1
 */
void kprod_mock_fault_init(struct kprod_mock_fault_t *fault);

/**
 * Lets requests go wrong. Faults strike in the order in which they came.
 *
 * @param mock   borrowed.
 * @param fault  borrowed for the call; not NULL.
 *
 * Returns: 0; KPROD_ERR_INVALID_ARG (also for a field out of range, such as a broker that the cluster
 * does not have, or error 0 of a kind that answers with it), _FORKED, _INTERNAL. The topic need not
 * exist yet.
 * Ownership: the fault is copied.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process.
 * Since: 0.1
 */
int32_t kprod_mock_inject(struct kprod_mock_t *mock, const struct kprod_mock_fault_t *fault);

/**
 * Forgets all faults.
 *
 * @param mock  borrowed.
 *
 * Returns: 0; KPROD_ERR_INVALID_ARG, _FORKED, _INTERNAL.
 * Ownership: nothing changes hands.
 * Thread-safety: any thread.
 * Blocking: never.
 * Callback context: allowed.
 * Fork/after close: KPROD_ERR_FORKED in a child of the creating process.
 * Since: 0.1
 */
int32_t kprod_mock_clear_faults(struct kprod_mock_t *mock);

/**
 * Ends a mock cluster and forgets what it holds.
 *
 * @param mock  consumed; NULL is a no-op.
 *
 * Returns: nothing.
 * Ownership: the cluster and its bootstrap text are gone.
 * Thread-safety: any thread, once.
 * Blocking: shortly, until its thread has ended.
 * Callback context: allowed.
 * Fork/after close: in a child of the creating process its memory is left as it is.
 * Since: 0.1
 */
void kprod_mock_destroy(struct kprod_mock_t *mock);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* KPROD_MOCK_H */
