/* Callbacks: of the producer, of one send, the partitioner's; and what they may call. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "check.h"

struct shared {
    kprod_producer_t *producer;
    uint32_t handle;
    atomic_int records, own, nested;
    _Atomic pthread_t thread; /* the callbacks' */
};

static struct shared *shared_of(uint64_t context)
{
    return (struct shared *)(uintptr_t)context;
}

/* Calls that wait are refused; sends and looks are not. */
static void call_back_in(struct shared *shared)
{
    kprod_producer_t *producer = shared->producer;
    kprod_record_t record = record_with_value(shared->handle, "from a callback");
    kprod_delivery_t report;
    kprod_metrics_t metrics;
    kprod_error_t *err = NULL;
    int32_t count;
    CHECK_CODE(KPROD_ERR_IN_CALLBACK, kprod_flush(producer, 0, &err));
    CHECK(kprod_error_code(err) == KPROD_ERR_IN_CALLBACK);
    kprod_error_free(err);
    CHECK_CODE(KPROD_ERR_IN_CALLBACK, kprod_start(producer, -1, NULL));
    CHECK_CODE(KPROD_ERR_IN_CALLBACK, kprod_partitions_for(producer, shared->handle, -1, &count, NULL));
    CHECK_CODE(KPROD_ERR_IN_CALLBACK, kprod_send_wait(producer, &record, -1, &report));
    CHECK_CODE(KPROD_ERR_IN_CALLBACK, kprod_purge(producer, KPROD_PURGE_QUEUED));
    CHECK_CODE(KPROD_ERR_IN_CALLBACK, kprod_close(producer, -1, NULL));
    CHECK_CODE(KPROD_ERR_IN_CALLBACK, kprod_destroy(producer));
    CHECK_CODE(0, kprod_metrics(producer, &metrics));
    CHECK(strcmp(kprod_topic_name(producer, shared->handle), "callbacks") == 0);
    record.tag = 1;
    CHECK_CODE(0, kprod_send(producer, &record));
    CHECK_CODE(0, kprod_try_send(producer, &record));
}

static void on_delivery(uint64_t context, const kprod_delivery_t *reports, uint64_t count)
{
    struct shared *shared = shared_of(context);
    shared->thread = pthread_self();
    for (uint64_t i = 0; i < count; i++) {
        if (reports[i].kind != KPROD_KIND_RECORD)
            continue;
        CHECK_CODE(0, reports[i].error);
        if (reports[i].tag == 1)
            atomic_fetch_add(&shared->nested, 1);
        else if (atomic_fetch_add(&shared->records, 1) == 0)
            call_back_in(shared);
    }
}

static void on_own(uint64_t context, const kprod_delivery_t *report)
{
    CHECK_CODE(0, report->error);
    CHECK(report->tag == 5);
    atomic_fetch_add(&shared_of(context)->own, 1);
}

static void reports_and_calls_back_in(void)
{
    static struct shared shared;
    kprod_config_t *config = mock_config();
    CHECK_CODE(0, kprod_config_set_delivery_callback(config, on_delivery, (uint64_t)(uintptr_t)&shared));
    kprod_producer_t *producer = create(config);
    shared.producer = producer;
    shared.handle = topic(producer, "callbacks");

    kprod_delivery_t report;
    int32_t fd = -1;
    CHECK_CODE(KPROD_ERR_ILLEGAL_STATE, kprod_poll(producer, &report, 1, 0));
    CHECK_CODE(KPROD_ERR_ILLEGAL_STATE, kprod_wake_fd(producer, &fd));

    kprod_record_t record = record_with_value(shared.handle, "v");
    for (int i = 0; i < 100; i++)
        CHECK_CODE(0, kprod_send(producer, &record));
    record.tag = 5;
    CHECK_CODE(0, kprod_send_with_callback(producer, &record, on_own, (uint64_t)(uintptr_t)&shared));
    CHECK_CODE(0, kprod_flush(producer, 10000, NULL));
    CHECK(atomic_load(&shared.records) == 100);
    CHECK(atomic_load(&shared.own) == 1);
    CHECK(!pthread_equal(shared.thread, pthread_self()));

    CHECK_CODE(0, kprod_close(producer, 10000, NULL));
    CHECK(atomic_load(&shared.nested) == 2); /* close waited for what the callback had sent */
    CHECK_CODE(0, kprod_destroy(producer));
}

static void a_callback_of_a_send_in_poll_mode(void)
{
    static struct shared shared;
    kprod_producer_t *producer = create(mock_config());
    kprod_delivery_t report;
    kprod_record_t record = record_with_value(topic(producer, "own"), "v");
    record.tag = 5;
    CHECK_CODE(0, kprod_send_with_callback(producer, &record, on_own, (uint64_t)(uintptr_t)&shared));
    CHECK_CODE(0, kprod_flush(producer, 10000, NULL));
    CHECK(atomic_load(&shared.own) == 1);
    CHECK_CODE(0, kprod_poll(producer, &report, 1, 0));
    close_and_destroy(producer);
    CHECK(atomic_load(&shared.own) == 1);
}

static atomic_int release;

static void on_own_slowly(uint64_t context, const kprod_delivery_t *report)
{
    (void)context, (void)report;
    atomic_store(&release, 1);
    while (atomic_load(&release) != 2)
        usleep(1000);
}

static void close_says_that_a_callback_still_runs(void)
{
    kprod_producer_t *producer = create(mock_config());
    kprod_record_t record = record_with_value(topic(producer, "slow"), "v");
    CHECK_CODE(0, kprod_send_with_callback(producer, &record, on_own_slowly, 0));
    while (atomic_load(&release) != 1)
        usleep(1000);
    CHECK_CODE(KPROD_ERR_TIMED_OUT, kprod_close(producer, 10, NULL));
    atomic_store(&release, 2);
    CHECK_CODE(0, kprod_close(producer, 10000, NULL));
    CHECK_CODE(0, kprod_destroy(producer));
}

static int32_t choose(uint64_t context, const kprod_partition_request_t *request)
{
    CHECK(context == 42);
    CHECK(request->topic_name_len == 6 && memcmp(request->topic_name, "chosen", 6) == 0);
    CHECK(request->partition_count > 1);
    CHECK(request->available_count > 0 && request->available_count <= (uint32_t)request->partition_count);
    CHECK(request->value_len == 1);
    if (request->key_len == KPROD_NULL)
        return -1;
    return request->key[0] == 'l' ? request->partition_count - 1 : request->partition_count;
}

static void a_partitioner_of_the_caller_s_own(void)
{
    kprod_config_t *config = mock_config();
    CHECK_CODE(0, kprod_config_set_partitioner(config, choose, 42));
    kprod_producer_t *producer = create(config);
    kprod_record_t record = record_with_value(topic(producer, "chosen"), "v");
    kprod_delivery_t report;
    int32_t count;
    CHECK_CODE(0, kprod_partitions_for(producer, record.topic, 10000, &count, NULL));

    record.key = (const uint8_t *)"last", record.key_len = 4;
    CHECK_CODE(0, kprod_send_wait(producer, &record, 10000, &report));
    CHECK(report.error == 0 && report.partition == count - 1);
    record.key = (const uint8_t *)"beyond", record.key_len = 6;
    CHECK_CODE(KPROD_ERR_PARTITIONER, kprod_send(producer, &record));
    record.key_len = KPROD_NULL;
    CHECK_CODE(KPROD_ERR_PARTITIONER, kprod_send(producer, &record));
    record.partition = 0; /* an explicit one is not asked about */
    CHECK_CODE(0, kprod_send_wait(producer, &record, 10000, &report));
    CHECK(report.error == 0 && report.partition == 0);
    close_and_destroy(producer);
}

int main(void)
{
    reports_and_calls_back_in();
    a_callback_of_a_send_in_poll_mode();
    close_says_that_a_callback_still_runs();
    a_partitioner_of_the_caller_s_own();
    return 0;
}
