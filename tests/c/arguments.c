/* What a live producer says to bad arguments, and a closed one to everything. */
#include "check.h"

static const uint8_t byte = 'x';

static void on_record(uint64_t context, const kprod_delivery_t *report)
{
    (void)context, (void)report;
}

/* Every way to send refuses it with the same code. */
static void refuse(kprod_producer_t *producer, const kprod_record_t *record, int32_t code)
{
    kprod_delivery_t report;
    int32_t why = 0;
    CHECK_CODE(code, kprod_send(producer, record));
    CHECK_CODE(code, kprod_try_send(producer, record));
    CHECK_CODE(code, kprod_send_with_callback(producer, record, on_record, 0));
    CHECK_CODE(code, kprod_send_wait(producer, record, 10000, &report));
    CHECK_CODE(0, kprod_send_many(producer, record, 1, &why));
    CHECK_CODE(code, why);
    CHECK_CODE(0, kprod_send_many(producer, record, 1, NULL));
}

static void bad_records(kprod_producer_t *producer, uint32_t handle)
{
    const kprod_record_t good = record_with_value(handle, "value");
    kprod_record_t bad;

    bad = good, bad.key_len = -2;
    refuse(producer, &bad, KPROD_ERR_INVALID_ARG);
    bad = good, bad.key_len = 1;
    refuse(producer, &bad, KPROD_ERR_INVALID_ARG);
    bad = good, bad.value_len = INT64_MIN;
    refuse(producer, &bad, KPROD_ERR_INVALID_ARG);
    bad = good, bad.key = &byte, bad.key_len = INT64_MAX;
    refuse(producer, &bad, KPROD_ERR_RECORD_TOO_LARGE);
    bad = good, bad.partition = -2;
    refuse(producer, &bad, KPROD_ERR_INVALID_ARG);
    bad = good, bad.timestamp_ms = -2;
    refuse(producer, &bad, KPROD_ERR_INVALID_TIMESTAMP_ARG);
    bad = good, bad.reserved[1] = 1;
    refuse(producer, &bad, KPROD_ERR_INVALID_ARG);
    bad = good, bad.topic = handle + 1000;
    refuse(producer, &bad, KPROD_ERR_UNKNOWN_TOPIC_HANDLE);

    kprod_header_t header = {NULL, -1, NULL, -1};
    bad = good, bad.header_count = 1;
    refuse(producer, &bad, KPROD_ERR_INVALID_ARG);
    bad.headers = &header;
    refuse(producer, &bad, KPROD_ERR_INVALID_ARG);
    header.key_len = 0, header.value_len = -2;
    refuse(producer, &bad, KPROD_ERR_INVALID_ARG);
    bad.header_count = UINT32_MAX;
    refuse(producer, &bad, KPROD_ERR_RECORD_TOO_LARGE);

    bad = good, bad.topic = 0;
    refuse(producer, &bad, KPROD_ERR_INVALID_ARG);
    bad.topic_name = "a/b", bad.topic_name_len = 3;
    refuse(producer, &bad, KPROD_ERR_INVALID_TOPIC_EXCEPTION);
    bad.topic_name = "\xff\xfe", bad.topic_name_len = 2;
    refuse(producer, &bad, KPROD_ERR_INVALID_TOPIC_EXCEPTION);
    bad.topic_name = "", bad.topic_name_len = 0;
    refuse(producer, &bad, KPROD_ERR_INVALID_TOPIC_EXCEPTION);

    static uint8_t large[2 << 20];
    bad = good, bad.value = large, bad.value_len = sizeof large;
    refuse(producer, &bad, KPROD_ERR_RECORD_TOO_LARGE);
}

static void bad_calls(kprod_producer_t *producer, uint32_t handle)
{
    const kprod_record_t good = record_with_value(handle, "value");
    kprod_delivery_t report;
    kprod_error_t *err = NULL;
    uint32_t untouched = 77;
    int32_t count = 77;

    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_send(producer, NULL));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_send_with_callback(producer, &good, NULL, 0));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_send_wait(producer, &good, -2, &report));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_send_wait(producer, &good, 0, NULL));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_send_many(producer, NULL, 1, NULL));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_send_many(producer, &good, UINT64_MAX, NULL));
    CHECK_CODE(0, kprod_send_many(producer, NULL, 0, NULL));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_poll(producer, NULL, 1, 0));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_poll(producer, &report, 0, 0));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_poll(producer, &report, 1, -2));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_wake_fd(producer, NULL));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_metrics(producer, NULL));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_purge(producer, 0));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_purge(producer, 4));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_error_detail(producer, 0, &err));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_error_detail(producer, UINT64_MAX, &err));
    CHECK_CODE(0, kprod_fatal_error(producer, &err));
    CHECK(err == NULL);

    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_topic(producer, NULL, 3, &untouched));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_topic(producer, "abc", -1, &untouched));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_topic(producer, "abc", 3, NULL));
    CHECK_CODE(KPROD_ERR_INVALID_TOPIC_EXCEPTION, kprod_topic(producer, "..", 2, &untouched));
    CHECK_CODE(KPROD_ERR_INVALID_TOPIC_EXCEPTION, kprod_topic(producer, "a\0b", 3, &untouched));
    CHECK_CODE(KPROD_ERR_UNKNOWN_TOPIC_HANDLE, kprod_partitions_for(producer, handle + 1000, 1000, &count, NULL));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_partitions_for(producer, handle, 1000, NULL, &err));
    CHECK(strstr(kprod_error_message(err), "count") != NULL);
    kprod_error_free(err);
    CHECK(untouched == 77 && count == 77);
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_flush(producer, -2, NULL));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_start(producer, INT32_MIN, NULL));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_close(producer, -2, NULL));

    CHECK(topic(producer, "arguments") == handle);
    CHECK(strcmp(kprod_topic_name(producer, handle), "arguments") == 0);
    CHECK(kprod_topic_name(producer, handle) == kprod_topic_name(producer, handle));
    CHECK(kprod_topic_name(producer, 0) == NULL);
    CHECK(kprod_topic_name(producer, UINT32_MAX) == NULL);
}

/* A timestamp that is in range for C but not for the broker's clock is the broker's business; all else is ours. */
static void an_unknown_partition(kprod_producer_t *producer, uint32_t handle)
{
    int32_t count = 0;
    CHECK_CODE(0, kprod_partitions_for(producer, handle, 10000, &count, NULL));
    CHECK(count > 0);
    kprod_record_t record = record_with_value(handle, "value");
    record.partition = count;
    refuse(producer, &record, KPROD_ERR_UNKNOWN_PARTITION);
    record.partition = INT32_MAX;
    refuse(producer, &record, KPROD_ERR_UNKNOWN_PARTITION);
}

static void use_after_close(kprod_producer_t *producer, uint32_t handle)
{
    const kprod_record_t good = record_with_value(handle, "value");
    kprod_metrics_t metrics;
    kprod_delivery_t report;
    int32_t count = 77;

    CHECK_CODE(0, kprod_close(producer, 10000, NULL));
    CHECK_CODE(0, kprod_close(producer, 0, NULL));
    refuse(producer, &good, KPROD_ERR_CLOSED);
    CHECK_CODE(KPROD_ERR_CLOSED, kprod_start(producer, 1000, NULL));
    CHECK_CODE(KPROD_ERR_CLOSED, kprod_start_async(producer, 1));
    CHECK_CODE(KPROD_ERR_CLOSED, kprod_flush(producer, 1000, NULL));
    CHECK_CODE(KPROD_ERR_CLOSED, kprod_flush_async(producer, 1));
    CHECK_CODE(KPROD_ERR_CLOSED, kprod_partitions_for(producer, handle, 1000, &count, NULL));
    CHECK_CODE(KPROD_ERR_CLOSED, kprod_purge(producer, KPROD_PURGE_QUEUED));
    CHECK_CODE(KPROD_ERR_CLOSED, kprod_poll(producer, &report, 1, 10000));
    CHECK_CODE(0, kprod_poll_interrupt(producer));
    CHECK_CODE(0, kprod_metrics(producer, &metrics));
    CHECK_CODE(0, kprod_fatal_error(producer, NULL));
    CHECK(strcmp(kprod_topic_name(producer, handle), "arguments") == 0);
    CHECK(count == 77);
    CHECK_CODE(0, kprod_destroy(producer));
}

int main(void)
{
    kprod_producer_t *producer = create(mock_config());
    uint32_t handle = topic(producer, "arguments");
    bad_calls(producer, handle);
    bad_records(producer, handle);
    an_unknown_partition(producer, handle);
    use_after_close(producer, handle);
    return 0;
}
