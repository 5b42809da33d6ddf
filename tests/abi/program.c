/* Compiled with the baseline's header and run on the library of now: every struct and every way to send, as a program
 * of that time used them. */
#include "check.h"

enum { COUNT = 500 };

static int reported, own;

static void count_report(const kprod_delivery_t *report)
{
    CHECK(report->kind == KPROD_KIND_RECORD);
    CHECK_CODE(0, report->error);
    CHECK(report->tag < COUNT && report->partition >= 0 && report->offset >= 0);
    CHECK((report->flags & KPROD_PERSISTENCE_MASK) == KPROD_PERSISTED_YES);
    reported++;
}

static void on_delivery(uint64_t context, const kprod_delivery_t *reports, uint64_t count)
{
    CHECK(context == 7);
    for (uint64_t i = 0; i < count; i++)
        count_report(&reports[i]);
}

static void on_record(uint64_t context, const kprod_delivery_t *report)
{
    CHECK(context == 8);
    CHECK_CODE(0, report->error);
    own++;
}

static int32_t choose(uint64_t context, const kprod_partition_request_t *request)
{
    CHECK(context == 9 && request->partition_count > 0 && request->value_len == 5);
    CHECK(memcmp(request->topic_name, "abi", 3) == 0 && request->topic_name_len == 3);
    return request->partition_count - 1;
}

static void on_log(uint64_t context, int32_t level, const char *message, uint64_t length)
{
    CHECK(context == 10 && level >= KPROD_LOG_ERROR && strlen(message) == length);
}

static kprod_config_t *config(void)
{
    const char *value = NULL;
    kprod_config_t *config = mock_config();
    CHECK_CODE(0, kprod_config_set(config, "acks", "all", NULL));
    CHECK_CODE(0, kprod_config_get(config, "acks", &value, NULL));
    CHECK(value != NULL);
    CHECK_CODE(0, kprod_config_set_log_callback(config, on_log, 10));
    return config;
}

static void send_all(kprod_producer_t *producer)
{
    kprod_header_t header = {(const uint8_t *)"name", 4, (const uint8_t *)"value", 5};
    kprod_record_t record, many[2];
    int32_t why = 77, partitions = 0;
    uint32_t handle = topic(producer, "abi");
    CHECK_CODE(0, kprod_start(producer, 10000, NULL));
    CHECK_CODE(0, kprod_partitions_for(producer, handle, 10000, &partitions, NULL));
    CHECK(partitions > 0);
    kprod_record_init(&record);
    record.topic = handle;
    record.key = (const uint8_t *)"key";
    record.key_len = 3;
    record.value = (const uint8_t *)"value";
    record.value_len = 5;
    record.headers = &header;
    record.header_count = 1;
    for (uint64_t i = 0; i < COUNT; i += 5) {
        record.tag = i;
        CHECK_CODE(0, kprod_send(producer, &record));
        CHECK_CODE(0, kprod_try_send(producer, &record));
        CHECK_CODE(0, kprod_send_with_callback(producer, &record, on_record, 8));
        many[0] = many[1] = record;
        CHECK_CODE(2, kprod_send_many(producer, many, 2, &why));
        CHECK_CODE(0, why);
    }
    CHECK_CODE(0, kprod_flush(producer, 10000, NULL));
}

static void finish(kprod_producer_t *producer)
{
    kprod_record_t record = record_with_value(topic(producer, "abi"), "value");
    kprod_delivery_t report;
    kprod_metrics_t metrics;
    kprod_error_t *err = NULL;
    CHECK_CODE(0, kprod_send_wait(producer, &record, 10000, &report));
    CHECK_CODE(0, report.error);
    CHECK_CODE(0, kprod_metrics(producer, &metrics));
    CHECK(metrics.records_delivered == COUNT + 1);
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_flush(producer, -2, &err));
    CHECK(kprod_error_code(err) == KPROD_ERR_INVALID_ARG && strlen(kprod_error_message(err)) > 0);
    CHECK(!kprod_error_is_fatal(err) && !kprod_error_is_abortable(err) && !kprod_error_is_retriable(err));
    kprod_error_free(err);
    close_and_destroy(producer);
}

int main(void)
{
    kprod_producer_t *producer = create(config());
    send_all(producer);
    for (kprod_delivery_t reports[64]; reported < COUNT * 4 / 5;) {
        int64_t got = kprod_poll(producer, reports, 64, 10000);
        CHECK(got > 0);
        for (int64_t i = 0; i < got; i++)
            count_report(&reports[i]);
    }
    finish(producer);
    CHECK(own == COUNT / 5);

    reported = own = 0;
    kprod_config_t *with_callbacks = config();
    CHECK_CODE(0, kprod_config_set_delivery_callback(with_callbacks, on_delivery, 7));
    CHECK_CODE(0, kprod_config_set_partitioner(with_callbacks, choose, 9));
    producer = create(with_callbacks);
    send_all(producer);
    finish(producer);
    CHECK(own == COUNT / 5 && reported == COUNT * 4 / 5);
    CHECK(kprod_api_version() >= KPROD_API_VERSION && kprod_version() >= KPROD_VERSION);
    return 0;
}
