/*
 * Reads records of one topic, transforms each and writes it to another: each input record once, whatever is killed or
 * restarted. The offsets of what was read are committed in the transaction of what was written (KIP-447). librdkafka
 * (2.8 or newer) consumes, libkprod produces.
 *
 *     consume_transform_produce HOST:PORT INPUT OUTPUT GROUP INSTANCE
 *
 * Start as many as INPUT has partitions, each with an INSTANCE of its own, the same one after a restart. It ends on
 * SIGINT and SIGTERM. It ends with an error when it cannot go on: whoever supervises it starts it again.
 */
#define _POSIX_C_SOURCE 200809L
#include <rdkafka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kprod.h"

/* A transaction ends with so many records or within so many seconds. */
enum { RECORDS = 1000, SECONDS = 2, WAIT_MS = 30000 };

struct loop {
    rd_kafka_t *consumer;
    kprod_producer_t *producer;
    uint32_t output;
    /* The member and generation that the partitions were assigned to. Not asked for later: a consumer that has lost
     * its membership would name none, and then the brokers check none. */
    rd_kafka_consumer_group_metadata_t *member;
    /* Where each partition of the open transaction goes on; NULL: none is open. */
    rd_kafka_topic_partition_list_t *next;
    int records;
    time_t began;
};

static volatile sig_atomic_t stopping;

static void stop(int signal)
{
    (void)signal;
    stopping = 1;
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static int64_t length(const char *text)
{
    return text == NULL ? KPROD_NULL : (int64_t)strlen(text);
}

/* Passes on what the consumer says of its group and its place. */
static int32_t send_offsets(struct loop *loop, kprod_error_t **err)
{
    kprod_group_metadata_t group;
    kprod_group_metadata_init(&group);
    group.group_id = rd_kafka_consumer_group_metadata_group_id(loop->member);
    group.group_id_len = length(group.group_id);
    group.member_id = rd_kafka_consumer_group_metadata_member_id(loop->member);
    group.member_id_len = length(group.member_id);
    group.group_instance_id = rd_kafka_consumer_group_metadata_group_instance_id(loop->member);
    group.group_instance_id_len = length(group.group_instance_id);
    group.generation_id = rd_kafka_consumer_group_metadata_generation_id(loop->member);

    kprod_group_offset_t *offsets = calloc((size_t)loop->next->cnt, sizeof *offsets);
    if (offsets == NULL)
        die("offsets", "out of memory");
    for (int i = 0; i < loop->next->cnt; i++) {
        const rd_kafka_topic_partition_t *from = &loop->next->elems[i];
        offsets[i].topic_name = from->topic;
        offsets[i].topic_name_len = length(from->topic);
        offsets[i].partition = from->partition;
        offsets[i].offset = from->offset;
        offsets[i].leader_epoch = rd_kafka_topic_partition_get_leader_epoch(from);
        offsets[i].metadata_len = KPROD_NULL;
    }
    uint64_t count = (uint64_t)loop->next->cnt;
    int32_t code = kprod_send_offsets_to_transaction(loop->producer, offsets, count, &group, WAIT_MS, err);
    free(offsets);
    return code;
}

enum call { START, BEGIN, OFFSETS, COMMIT, ABORT };

/* Whether the call succeeded; if not, the transaction can only be aborted. While the outcome is not known the same call
 * is made again. A fatal error (a newer instance has taken over, say) ends the process: the brokers refuse all that it
 * sends, and its successor goes on from the committed offsets. */
static int step(struct loop *loop, enum call call)
{
    static const char *const names[] = {"start", "begin", "send offsets", "commit", "abort"};
    for (;;) {
        kprod_error_t *err = NULL;
        int32_t code = call == START    ? kprod_start(loop->producer, WAIT_MS, &err)
                       : call == BEGIN  ? kprod_begin_transaction(loop->producer, WAIT_MS, &err)
                       : call == COMMIT ? kprod_commit_transaction(loop->producer, WAIT_MS, &err)
                       : call == ABORT  ? kprod_abort_transaction(loop->producer, WAIT_MS, &err)
                                        : send_offsets(loop, &err);
        if (code == KPROD_ERR_OK)
            return 1;
        int abortable = kprod_error_is_abortable(err);
        if (!abortable && code != KPROD_ERR_TIMED_OUT && !kprod_error_is_retriable(err))
            die(names[call], kprod_error_message(err));
        fprintf(stderr, "%s: %s\n", names[call], kprod_error_message(err));
        kprod_error_free(err);
        if (abortable)
            return 0;
        if (code != KPROD_ERR_TIMED_OUT)
            sleep(1);
    }
}

/* Ends the open transaction, if there is one: with its records and offsets, or with nothing at all. */
static int finish(struct loop *loop, int commit)
{
    if (loop->next == NULL)
        return 1;
    /* A record that failed makes the commit fail. */
    int committed = commit && step(loop, OFFSETS) && step(loop, COMMIT);
    if (!committed)
        step(loop, ABORT);
    printf("%s %d records\n", committed ? "committed" : "aborted", loop->records);
    rd_kafka_topic_partition_list_destroy(loop->next);
    loop->next = NULL;
    loop->records = 0;
    return committed;
}

/* After an abort the records are read again, from the committed offsets on. An assignment that is lost, to a session
 * that was over, say, is not touched: the next one begins there by itself. */
static void rewind_consumer(rd_kafka_t *consumer)
{
    rd_kafka_topic_partition_list_t *mine = NULL;
    int good = !rd_kafka_assignment(consumer, &mine) && !rd_kafka_committed(consumer, mine, WAIT_MS);
    for (int i = 0; good && i < mine->cnt; i++)
        if (mine->elems[i].offset < 0)
            mine->elems[i].offset = RD_KAFKA_OFFSET_BEGINNING;
    if (good) {
        rd_kafka_error_t *failed = rd_kafka_seek_partitions(consumer, mine, WAIT_MS);
        good = failed == NULL;
        rd_kafka_error_destroy(failed);
    }
    for (int i = 0; good && i < mine->cnt; i++)
        good = mine->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!good && !rd_kafka_assignment_lost(consumer))
        die("abort", "the consumer does not go back");
    if (mine != NULL)
        rd_kafka_topic_partition_list_destroy(mine);
}

/* Called within rd_kafka_consumer_poll and rd_kafka_consumer_close. Another instance may get the partitions as soon as
 * they are given up here: what is open must end before. */
static void rebalance(rd_kafka_t *consumer, rd_kafka_resp_err_t event, rd_kafka_topic_partition_list_t *partitions,
                      void *opaque)
{
    struct loop *loop = opaque;
    if (event == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        rd_kafka_assign(consumer, partitions);
        loop->member = rd_kafka_consumer_group_metadata(consumer);
        printf("assigned %d partitions\n", partitions->cnt);
        return;
    }
    finish(loop, 0);
    rd_kafka_assign(consumer, NULL);
    if (loop->member != NULL)
        rd_kafka_consumer_group_metadata_destroy(loop->member);
    loop->member = NULL;
}

/* Whether the record is in the transaction, which the first one opens. */
static int process(struct loop *loop, const rd_kafka_message_t *message)
{
    if (loop->next == NULL) {
        if (!step(loop, BEGIN))
            die("begin", "refused");
        loop->next = rd_kafka_topic_partition_list_new(1);
        loop->began = time(NULL);
    }
    const char *topic = rd_kafka_topic_name(message->rkt);
    rd_kafka_topic_partition_t *next = rd_kafka_topic_partition_list_find(loop->next, topic, message->partition);
    if (next == NULL)
        next = rd_kafka_topic_partition_list_add(loop->next, topic, message->partition);
    next->offset = message->offset + 1;
    rd_kafka_topic_partition_set_leader_epoch(next, rd_kafka_message_leader_epoch(message));

    kprod_record_t record;
    kprod_record_init(&record);
    record.topic = loop->output;
    record.key = message->key;
    record.key_len = message->key == NULL ? KPROD_NULL : (int64_t)message->key_len;
    record.value = message->payload;
    record.value_len = message->payload == NULL ? KPROD_NULL : (int64_t)message->len;
    /* The transformation: ASCII letters in upper case, in the consumer's own buffer. */
    for (unsigned char *at = message->payload, *end = at + message->len; at < end; at++)
        *at = *at >= 'a' && *at <= 'z' ? *at - 32 : *at;

    int32_t code = kprod_send(loop->producer, &record);
    if (code == KPROD_ERR_OK) {
        loop->records++;
        return 1;
    }
    fprintf(stderr, "send: %s\n", kprod_err_name(code));
    /* Worth another try; what is refused for good (too large, no such topic) would be tried for ever. */
    if (code != KPROD_ERR_TRANSACTION_ABORTABLE && code != KPROD_ERR_TIMED_OUT && code != KPROD_ERR_QUEUE_FULL)
        die("send", "cannot go on");
    return 0;
}

static rd_kafka_t *new_consumer(char **argv, struct loop *loop)
{
    const char *settings[][2] = {
        {"bootstrap.servers", argv[1]},
        {"group.id", argv[4]},
        /* Only transactions commit offsets. */
        {"enable.auto.commit", "false"},
        /* Makes a new owner of a partition also wait until no open transaction holds an offset of it. */
        {"isolation.level", "read_committed"},
        {"auto.offset.reset", "earliest"},
        /* All partitions are given up in a rebalance, as rebalance() expects. */
        {"partition.assignment.strategy", "range"},
        /* How long a killed instance's partitions wait for another one. */
        {"session.timeout.ms", "6000"},
        {"heartbeat.interval.ms", "1000"},
    };
    char why[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why, sizeof why) != RD_KAFKA_CONF_OK)
            die("consumer", why);
    rd_kafka_conf_set_opaque(conf, loop);
    rd_kafka_conf_set_rebalance_cb(conf, rebalance);
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    rd_kafka_topic_partition_list_t *input = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(input, argv[2], RD_KAFKA_PARTITION_UA);
    if (consumer == NULL || rd_kafka_poll_set_consumer(consumer) || rd_kafka_subscribe(consumer, input))
        die("consumer", consumer == NULL ? why : "cannot subscribe");
    rd_kafka_topic_partition_list_destroy(input);
    return consumer;
}

static kprod_producer_t *new_producer(char **argv)
{
    char id[256];
    snprintf(id, sizeof id, "%s-%s", argv[4], argv[5]);
    kprod_config_t *config = kprod_config_new();
    kprod_producer_t *producer = NULL;
    kprod_error_t *err = NULL;
    /* The commit answers for all records: nobody reads their reports. */
    if (kprod_config_set(config, "bootstrap.servers", argv[1], &err) ||
        kprod_config_set(config, "transactional.id", id, &err) ||
        kprod_config_set(config, "kprod.delivery.reports", "none", &err) ||
        kprod_create(config, KPROD_API_VERSION, &producer, &err))
        die("producer", kprod_error_message(err));
    kprod_config_free(config);
    return producer;
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: %s HOST:PORT INPUT OUTPUT GROUP INSTANCE\n", argv[0]);
        return EXIT_FAILURE;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    /* A second signal ends the process at once. */
    struct sigaction action = {.sa_handler = stop, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);

    struct loop loop = {.producer = new_producer(argv)};
    if (kprod_topic(loop.producer, argv[3], length(argv[3]), &loop.output) != KPROD_ERR_OK)
        die(argv[3], "not a topic's name");
    /* Aborts what the last process of this INSTANCE left open: before the consumer waits for the end of that. */
    if (!step(&loop, START))
        die("start", "refused");
    loop.consumer = new_consumer(argv, &loop);

    while (!stopping) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(loop.consumer, 100);
        int good = 1;
        if (message != NULL && message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            good = process(&loop, message);
        else if (message != NULL)
            fprintf(stderr, "consume: %s\n", rd_kafka_message_errstr(message));
        if (message != NULL)
            rd_kafka_message_destroy(message);
        int due = !good || loop.records >= RECORDS || time(NULL) >= loop.began + SECONDS;
        if (due && !finish(&loop, good))
            rewind_consumer(loop.consumer);
    }
    /* Gives the partitions up, and with that aborts what is open. */
    rd_kafka_consumer_close(loop.consumer);
    rd_kafka_destroy(loop.consumer);
    kprod_close(loop.producer, WAIT_MS, NULL);
    return kprod_destroy(loop.producer) == KPROD_ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
