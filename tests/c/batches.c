/* Batches of the caller's own: filled, sent in all ways, refused, freed before and after their producer. */
#include <pthread.h>
#include <stdatomic.h>

#include "check.h"

static kprod_batch_t *create_batch(kprod_producer_t *producer)
{
    kprod_batch_t *batch = NULL;
    CHECK_CODE(0, kprod_create_batch(producer, &batch, NULL));
    CHECK(batch != NULL);
    return batch;
}

static kprod_record_t value(const char *text)
{
    return record_with_value(0, text);
}

static kprod_batch_t *batch_of(kprod_producer_t *producer, int records)
{
    kprod_batch_t *batch = create_batch(producer);
    kprod_record_t record = value("a value");
    for (int i = 0; i < records; i++)
        CHECK_CODE(0, kprod_batch_append(batch, &record, NULL));
    return batch;
}

static kprod_delivery_t poll_one(kprod_producer_t *producer)
{
    kprod_delivery_t report;
    CHECK_CODE(1, kprod_poll(producer, &report, 1, 10000));
    return report;
}

static void fills_and_sends(void)
{
    kprod_config_t *config = mock_config();
    CHECK_CODE(0, kprod_config_set(config, "batch.size", "1000", NULL));
    kprod_producer_t *producer = create(config);
    uint32_t handle = topic(producer, "filled");
    kprod_batch_t *batch = create_batch(producer);
    CHECK(kprod_batch_size(batch) == 61 && kprod_batch_record_count(batch) == 0);

    kprod_header_t header = {(const uint8_t *)"h", 1, NULL, KPROD_NULL};
    kprod_record_t record = value("a value");
    record.key = (const uint8_t *)"key", record.key_len = 3;
    record.headers = &header, record.header_count = 1;
    record.timestamp_ms = 123123123;
    record.tag = 77; /* ignored */
    kprod_batch_append_t appended;
    int64_t size = 61, count = 0;
    int32_t code;
    while ((code = kprod_batch_append(batch, &record, &appended)) == 0) {
        CHECK(appended.offset == count++ && appended.timestamp_ms == 123123123);
        CHECK(appended.reserved[0] == 0);
        size += appended.size;
        CHECK(kprod_batch_size(batch) == size && kprod_batch_record_count(batch) == count);
    }
    CHECK_CODE(KPROD_ERR_BATCH_FULL, code);
    CHECK(size <= 1000 && count > 10);
    CHECK_CODE(KPROD_ERR_ILLEGAL_STATE, kprod_batch_append(batch, &record, &appended));
    CHECK_CODE(0, kprod_batch_close(batch));
    CHECK_CODE(0, kprod_batch_close(batch));

    CHECK_CODE(0, kprod_send_batch(producer, batch, handle, 0, 5, KPROD_TIMEOUT_CONFIGURED));
    CHECK_CODE(KPROD_ERR_ILLEGAL_STATE, kprod_send_batch(producer, batch, handle, 0, 5, -1));
    CHECK_CODE(KPROD_ERR_ILLEGAL_STATE, kprod_batch_append(batch, &record, NULL));
    kprod_batch_free(batch); /* what was sent is on its way */
    kprod_delivery_t report = poll_one(producer);
    CHECK(report.kind == KPROD_KIND_BATCH && report.error == 0 && report.tag == 5);
    CHECK(report.offset == 0 && report.count == (uint32_t)count && report.partition == 0);
    CHECK(report.timestamp_ms == 123123123 && report.timestamp_type == KPROD_TIMESTAMP_CREATE_TIME);
    CHECK(report.flags == KPROD_PERSISTED_YES);

    kprod_batch_t *empty = create_batch(producer);
    CHECK_CODE(0, kprod_try_send_batch(producer, empty, handle, 0, 6));
    kprod_batch_free(empty);
    report = poll_one(producer);
    CHECK(report.kind == KPROD_KIND_BATCH && report.tag == 6 && report.count == 0 && report.offset == -1);
    close_and_destroy(producer);
}

static void answers_async(void)
{
    kprod_producer_t *producer = create(mock_config());
    uint32_t handle = topic(producer, "async");
    kprod_batch_t *batch = batch_of(producer, 3);
    CHECK_CODE(0, kprod_send_batch_async(producer, batch, handle, 0, 8, 9));
    kprod_delivery_t answer = poll_one(producer);
    CHECK(answer.kind == KPROD_KIND_OPERATION && answer.tag == 9 && answer.error == 0);
    kprod_delivery_t report = poll_one(producer);
    CHECK(report.kind == KPROD_KIND_BATCH && report.tag == 8 && report.count == 3);
    kprod_batch_free(batch);

    /* Freed while its answer is awaited: accepted already, or never. */
    batch = batch_of(producer, 3);
    CHECK_CODE(0, kprod_send_batch_async(producer, batch, handle, 0, 8, 9));
    kprod_batch_free(batch);
    answer = poll_one(producer);
    CHECK(answer.kind == KPROD_KIND_OPERATION && answer.tag == 9);
    if (answer.error == 0)
        CHECK(poll_one(producer).kind == KPROD_KIND_BATCH);
    else
        CHECK(answer.error == KPROD_ERR_PURGED_QUEUED);
    close_and_destroy(producer);
}

static void on_batch(uint64_t context, const kprod_delivery_t *report)
{
    CHECK(report->kind == KPROD_KIND_BATCH && report->error == 0);
    atomic_fetch_add((atomic_int *)(uintptr_t)context, (int)report->count);
}

static void calls_back(void)
{
    static atomic_int records;
    kprod_producer_t *producer = create(mock_config());
    uint32_t handle = topic(producer, "called");
    for (int i = 0; i < 10; i++) {
        kprod_batch_t *batch = batch_of(producer, 4);
        CHECK_CODE(KPROD_ERR_INVALID_ARG,
                   kprod_send_batch_with_callback(producer, batch, handle, 0, -1, NULL, 0));
        CHECK_CODE(0, kprod_send_batch_with_callback(producer, batch, handle, 0, -1, on_batch,
                                                     (uint64_t)(uintptr_t)&records));
        kprod_batch_free(batch);
    }
    CHECK_CODE(0, kprod_flush(producer, 10000, NULL));
    CHECK(atomic_load(&records) == 40);
    close_and_destroy(producer);
}

struct job {
    kprod_producer_t *producer;
    uint32_t handle;
    int32_t partition;
};

static void *send_batches(void *argument)
{
    struct job *job = argument;
    for (int i = 0; i < 50; i++) {
        kprod_batch_t *batch = batch_of(job->producer, 10);
        CHECK_CODE(0, kprod_send_batch(job->producer, batch, job->handle, job->partition, 1, -1));
        kprod_batch_free(batch);
    }
    return NULL;
}

static void works_in_threads(void)
{
    kprod_producer_t *producer = create(mock_config());
    uint32_t handle = topic(producer, "threads");
    struct job jobs[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        jobs[i] = (struct job){producer, handle, i / 2};
        CHECK(pthread_create(&threads[i], NULL, send_batches, &jobs[i]) == 0);
    }
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < 200; i++) {
        kprod_delivery_t report = poll_one(producer);
        CHECK(report.kind == KPROD_KIND_BATCH && report.error == 0 && report.count == 10);
    }
    close_and_destroy(producer);
}

static void a_wrong_batch(kprod_producer_t *producer, kprod_batch_t *batch, int32_t refused)
{
    kprod_record_t record = value("v");
    CHECK_CODE(refused, kprod_batch_append(batch, &record, NULL));
    CHECK_CODE(refused, kprod_batch_close(batch));
    CHECK_CODE(refused, kprod_batch_size(batch));
    CHECK_CODE(refused, kprod_batch_record_count(batch));
    CHECK_CODE(refused, kprod_send_batch(producer, batch, 1, 0, 0, -1));
    CHECK_CODE(refused, kprod_try_send_batch(producer, batch, 1, 0, 0));
    CHECK_CODE(refused, kprod_send_batch_with_callback(producer, batch, 1, 0, -1, on_batch, 0));
    CHECK_CODE(refused, kprod_send_batch_async(producer, batch, 1, 0, 0, 0));
    kprod_batch_free(batch);
}

static void refuses_what_is_wrong(void)
{
    const int32_t refused = KPROD_ERR_INVALID_ARG;
    uint64_t zeros[16] = {0};
    kprod_producer_t *producer = create(mock_config()), *other = create(mock_config());
    uint32_t handle = topic(producer, "wrong");
    a_wrong_batch(producer, NULL, refused);
    a_wrong_batch(producer, (kprod_batch_t *)zeros, refused);
    a_wrong_batch(producer, (kprod_batch_t *)producer, refused);
    CHECK_CODE(refused, kprod_create_batch(producer, NULL, NULL));

    kprod_batch_t *batch = NULL;
    kprod_error_t *err = NULL;
    CHECK_CODE(refused, kprod_create_batch(NULL, &batch, &err));
    CHECK(batch == NULL && kprod_error_code(err) == refused);
    kprod_error_free(err);

    batch = batch_of(producer, 1);
    CHECK_CODE(refused, kprod_batch_append(batch, NULL, NULL));
    kprod_record_t record = record_with_value(handle, "v");
    CHECK_CODE(refused, kprod_batch_append(batch, &record, NULL));
    record = value("v"), record.topic_name = "name", record.topic_name_len = 4;
    CHECK_CODE(refused, kprod_batch_append(batch, &record, NULL));
    record = value("v"), record.partition = 0;
    CHECK_CODE(refused, kprod_batch_append(batch, &record, NULL));
    record = value("v"), record.reserved[1] = 1;
    CHECK_CODE(refused, kprod_batch_append(batch, &record, NULL));
    record = value("v"), record.value_len = -2;
    CHECK_CODE(refused, kprod_batch_append(batch, &record, NULL));
    record = value("v"), record.timestamp_ms = -2;
    CHECK_CODE(KPROD_ERR_INVALID_TIMESTAMP_ARG, kprod_batch_append(batch, &record, NULL));
    CHECK_CODE(refused, kprod_send_batch(producer, batch, handle, -1, 0, -1));
    CHECK_CODE(refused, kprod_send_batch(producer, batch, handle, 0, 0, -2));
    CHECK_CODE(refused, kprod_send_batch(other, batch, topic(other, "wrong"), 0, 0, -1));
    CHECK_CODE(KPROD_ERR_UNKNOWN_TOPIC_HANDLE, kprod_send_batch(producer, batch, 99, 0, 0, -1));
    CHECK_CODE(KPROD_ERR_UNKNOWN_PARTITION, kprod_send_batch(producer, batch, handle, 99, 0, 10000));
    CHECK(kprod_batch_record_count(batch) == 1);
    CHECK_CODE(0, kprod_send_batch(producer, batch, handle, 0, 0, 10000));
    kprod_batch_free(batch);
    close_and_destroy(other);

    /* Closed: nothing is sent any more, but what is there can be asked and freed, after destroy too. */
    kprod_batch_t *left = batch_of(producer, 2), *kept = batch_of(producer, 3);
    CHECK_CODE(0, kprod_close(producer, 10000, NULL));
    CHECK_CODE(KPROD_ERR_CLOSED, kprod_send_batch(producer, left, handle, 0, 0, -1));
    CHECK_CODE(KPROD_ERR_CLOSED, kprod_create_batch(producer, &batch, NULL));
    CHECK_CODE(0, kprod_destroy(producer));
    kprod_batch_free(left);
    record = value("v");
    CHECK_CODE(0, kprod_batch_append(kept, &record, NULL));
    CHECK(kprod_batch_record_count(kept) == 4);
    kprod_batch_free(kept);
}

int main(void)
{
    fills_and_sends();
    answers_async();
    calls_back();
    works_in_threads();
    refuses_what_is_wrong();
    return 0;
}
