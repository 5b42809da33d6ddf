/* librdkafka as a client of script/chaos; tests/kafka_chaos/client.rs says what it is told and what it says. */
#include <endian.h>
#include <pthread.h>
#include <rdkafka.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define VALUE_LENGTH 100
#define MOST_RECORDS (1 << 22)
#define POLL_MS 100
#define CALL_MS 30000
#define REPORTS_AT_A_TIME 1024

static rd_kafka_t *producer;
static rd_kafka_topic_t *topic;
static uint64_t run, rate, partitions, transaction;
static int64_t started, next;
/* When each record was handed over, by its number. */
static int64_t handed_over[MOST_RECORDS];
static atomic_bool over, finished;

static _Noreturn void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static int64_t nanos(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000 + time.tv_nsec;
}

static int64_t now(void) { return (nanos() - started) / 1000; }

static void nap(int64_t ns) {
    struct timespec time = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    nanosleep(&time, NULL);
}

/* Holds the rate; what was missed while a call blocked is not made up for. */
static void pace(void) {
    int64_t clock = nanos(), earliest = clock - 10000000;
    next += 1000000000 / (int64_t)rate;
    if (next < earliest) next = earliest;
    while ((clock = nanos()) < next) nap(next - clock);
}

static void set(rd_kafka_conf_t *config, const char *name, const char *value) {
    char why[256];
    if (rd_kafka_conf_set(config, name, value, why, sizeof why) != RD_KAFKA_CONF_OK) fail("%s=%s: %s", name, value, why);
}

static void report(const rd_kafka_message_t *message) {
    uint64_t n = (uint64_t)(uintptr_t)message->_private;
    unsigned long long tag = n % partitions << 32 | n / partitions;
    if (!message->err) {
        rd_kafka_timestamp_type_t type;
        printf("d %llu %d %lld %lld %lld %lld\n", tag, message->partition, (long long)message->offset,
               (long long)rd_kafka_message_timestamp(message, &type), (long long)handed_over[n], (long long)now());
        return;
    }
    rd_kafka_msg_status_t status = rd_kafka_message_status(message);
    int persisted = status == RD_KAFKA_MSG_STATUS_NOT_PERSISTED ? 0 : status == RD_KAFKA_MSG_STATUS_PERSISTED ? 2 : 1;
    printf("f %llu %d %d %lld %lld %s\n", tag, message->partition, persisted, (long long)handed_over[n],
           (long long)now(), rd_kafka_err2name(message->err));
}

static void *poll_all(void *unused) {
    const rd_kafka_message_t *messages[REPORTS_AT_A_TIME];
    rd_kafka_queue_t *reports = rd_kafka_queue_get_main(producer);
    while (!finished) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(reports, POLL_MS);
        if (!event) continue;
        size_t count;
        while (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR &&
               (count = rd_kafka_event_message_array(event, messages, REPORTS_AT_A_TIME)) > 0)
            for (size_t i = 0; i < count; i++) report(messages[i]);
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR)
            fprintf(stderr, "error: %s\n", rd_kafka_event_error_string(event));
        rd_kafka_event_destroy(event);
        fflush(stdout);
    }
    rd_kafka_queue_destroy(reports);
    return unused;
}

static void *await_end(void *unused) {
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0);
    over = 1;
    return unused;
}

/* Whether it was accepted; not, if the transaction has failed. */
static int send_one(uint64_t n) {
    if (n >= MOST_RECORDS) fail("too many records");
    uint8_t value[VALUE_LENGTH];
    uint64_t head[2] = {htobe64(run), htobe64(n % partitions << 32 | n / partitions)};
    memset(value, '.', sizeof value);
    memcpy(value, head, sizeof head);
    handed_over[n] = now();
    while (rd_kafka_produce(topic, (int32_t)(n % partitions), RD_KAFKA_MSG_F_COPY, value, sizeof value, NULL, 0,
                            (void *)(uintptr_t)n) == -1) {
        rd_kafka_resp_err_t error = rd_kafka_last_error();
        if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            if (transaction) return 0;
            fail("send: %s", rd_kafka_err2str(error));
        }
        nap(1000000);
        handed_over[n] = now();
    }
    return 1;
}

static uint64_t send_all(void) {
    uint64_t n = 0;
    for (; !over; pace()) send_one(n++);
    return n;
}

/* Makes a call again while that may help; tells its error's name, or NULL. */
static const char *until_known(rd_kafka_error_t *(*call)(rd_kafka_t *, int)) {
    rd_kafka_error_t *error;
    while ((error = call(producer, CALL_MS))) {
        const char *name = rd_kafka_error_name(error);
        int again = rd_kafka_error_is_retriable(error);
        fprintf(stderr, "call: %s%s\n", rd_kafka_error_string(error), again ? " (again)" : "");
        if (rd_kafka_error_is_fatal(error)) {
            printf("x %s\n", name);
            fflush(stdout);
            exit(0);
        }
        rd_kafka_error_destroy(error);
        if (!again) return name;
    }
    return NULL;
}

static uint64_t send_transactions(void) {
    uint64_t n = 0;
    while (!over) {
        uint64_t first = n;
        rd_kafka_error_t *error = rd_kafka_begin_transaction(producer);
        if (error) fail("begin: %s", rd_kafka_error_string(error));
        int accepted = 1;
        for (; accepted && n < first + transaction && !over; pace()) accepted = send_one(n++);
        const char *failure = until_known(rd_kafka_commit_transaction);
        if (!failure) {
            printf("c %llu %llu\n", (unsigned long long)first, (unsigned long long)n);
            continue;
        }
        printf("a %llu %llu %s\n", (unsigned long long)first, (unsigned long long)n, failure);
        failure = until_known(rd_kafka_abort_transaction);
        if (failure) fail("abort: %s", failure);
    }
    return n;
}

static void start(void *(*body)(void *)) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, NULL)) fail("cannot start a thread");
}

int main(int count, char **arguments) {
    char why[256], *topic_name = NULL;
    started = next = nanos();
    rd_kafka_conf_t *config = rd_kafka_conf_new();
    for (int i = 1; i + 1 < count; i += 2) {
        char *name = arguments[i], *value = arguments[i + 1], *equals = strchr(value, '=');
        if (!strcmp(name, "--bootstrap")) set(config, "bootstrap.servers", value);
        else if (!strcmp(name, "--topic")) topic_name = value;
        else if (!strcmp(name, "--partitions")) partitions = strtoull(value, NULL, 10);
        else if (!strcmp(name, "--run")) run = strtoull(value, NULL, 16);
        else if (!strcmp(name, "--rate")) rate = strtoull(value, NULL, 10);
        else if (!strcmp(name, "--transaction")) transaction = strtoull(value, NULL, 10);
        else if (!strcmp(name, "--set") && equals) {
            *equals = 0;
            set(config, value, equals + 1);
        } else fail("what is %s %s?", name, value);
    }
    if (!topic_name || !partitions || !rate) fail("topic, partitions or rate missing");
    rd_kafka_conf_set_events(config, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
    producer = rd_kafka_new(RD_KAFKA_PRODUCER, config, why, sizeof why);
    if (!producer) fail("%s", why);
    topic = rd_kafka_topic_new(producer, topic_name, NULL);
    if (!topic) fail("%s", rd_kafka_err2str(rd_kafka_last_error()));
    start(poll_all);
    start(await_end);
    if (transaction && until_known(rd_kafka_init_transactions)) fail("no transactions");
    printf("clock %lld\n", (long long)now());
    fflush(stdout);
    next = nanos();

    uint64_t sent = transaction ? send_transactions() : send_all();
    /* It ends when all reports have been taken, by the other thread. */
    rd_kafka_resp_err_t error = rd_kafka_flush(producer, 150000);
    if (error) fprintf(stderr, "flush: %s\n", rd_kafka_err2str(error));
    while (rd_kafka_outq_len(producer) > 0) nap(1000000);
    printf("sent %llu\n", (unsigned long long)sent);
    fflush(stdout);
    finished = 1;
    return 0;
}
