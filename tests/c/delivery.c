/* Reports by poll: exactly one per accepted record, in order, with what the caller needs to know. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "check.h"

enum { COUNT = 2000, PARTITIONS = 64 };

static int64_t poll_one(kprod_producer_t *producer, kprod_delivery_t *report)
{
    int64_t got = kprod_poll(producer, report, 1, 10000);
    CHECK_CODE(1, got);
    return got;
}

static void check_delivered(const kprod_delivery_t *report, uint32_t handle)
{
    CHECK_CODE(0, report->error);
    CHECK(report->kind == KPROD_KIND_RECORD);
    CHECK(report->topic == handle);
    CHECK(report->partition >= 0 && report->partition < PARTITIONS);
    CHECK(report->offset >= 0);
    CHECK(report->timestamp_ms > 1600000000000);
    CHECK(report->timestamp_type == KPROD_TIMESTAMP_CREATE_TIME);
    CHECK((report->flags & KPROD_PERSISTENCE_MASK) == KPROD_PERSISTED_YES);
    CHECK(report->detail == 0);
}

static void every_record_is_reported_once(kprod_producer_t *producer)
{
    static uint8_t seen[COUNT];
    static kprod_delivery_t reports[128];
    uint32_t handle = topic(producer, "delivery");
    int64_t next_offset[PARTITIONS] = {0};
    uint64_t last_tag[PARTITIONS] = {0};

    for (uint64_t i = 0; i < COUNT; i++) {
        char key[16];
        kprod_record_t record = record_with_value(handle, "a value");
        record.key = (const uint8_t *)key;
        record.key_len = snprintf(key, sizeof key, "%d", (int)(i % 7));
        record.tag = i;
        CHECK_CODE(0, kprod_send(producer, &record));
    }
    CHECK_CODE(0, kprod_flush(producer, 10000, NULL));
    for (int total = 0; total < COUNT;) {
        int64_t got = kprod_poll(producer, reports, 128, 0);
        CHECK(got > 0); /* after a flush they are all there */
        for (int64_t i = 0; i < got; i++) {
            const kprod_delivery_t *report = &reports[i];
            int32_t partition = report->partition;
            check_delivered(report, handle);
            CHECK(report->tag < COUNT && !seen[report->tag]++);
            CHECK(report->offset == next_offset[partition]++);
            CHECK(report->offset == 0 || report->tag > last_tag[partition]);
            last_tag[partition] = report->tag;
        }
        total += (int)got;
    }
    CHECK_CODE(0, kprod_poll(producer, reports, 128, 0));
}

static void a_record_with_everything(kprod_producer_t *producer)
{
    kprod_header_t headers[20];
    for (int i = 0; i < 20; i++)
        headers[i] = (kprod_header_t){(const uint8_t *)"same", 4, NULL, i % 2 ? KPROD_NULL : 0};
    kprod_record_t record;
    kprod_record_init(&record);
    record.topic_name = "by-name, of which only this much"; /* not NUL-terminated where it ends */
    record.topic_name_len = 7;
    record.key = (const uint8_t *)"";
    record.key_len = 0;
    record.headers = headers;
    record.header_count = 20;
    record.partition = 1;
    record.timestamp_ms = 1700000000123;
    record.tag = UINT64_MAX;

    kprod_delivery_t report;
    CHECK_CODE(0, kprod_send_wait(producer, &record, 10000, &report));
    CHECK_CODE(0, report.error);
    CHECK(report.tag == UINT64_MAX && report.partition == 1 && report.offset == 0);
    CHECK(report.timestamp_ms == 1700000000123);
    CHECK(strcmp(kprod_topic_name(producer, report.topic), "by-name") == 0);
    CHECK_CODE(0, kprod_poll(producer, &report, 1, 0)); /* it was told once */
}

static void an_array_is_accepted_up_to_the_first_bad_one(kprod_producer_t *producer)
{
    static kprod_record_t records[600];
    static kprod_delivery_t reports[600];
    kprod_header_t header = {(const uint8_t *)"k", 1, NULL, KPROD_NULL};
    uint32_t handle = topic(producer, "many");
    int32_t why = 77, count;
    CHECK_CODE(0, kprod_partitions_for(producer, handle, 10000, &count, NULL));
    for (uint64_t i = 0; i < 600; i++) {
        records[i] = record_with_value(handle, "v");
        records[i].tag = i;
        records[i].partition = 0;
        records[i].headers = &header;
        records[i].header_count = (uint32_t)(i % 2);
    }
    CHECK_CODE(600, kprod_send_many(producer, records, 600, &why));
    CHECK_CODE(0, why);
    records[400].key_len = -5;
    CHECK_CODE(400, kprod_send_many(producer, records, 600, &why));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, why);
    CHECK_CODE(0, kprod_flush(producer, 10000, NULL));
    CHECK_CODE(600, kprod_poll(producer, reports, 600, 0));
    for (uint64_t i = 0; i < 600; i++)
        CHECK(reports[i].tag == i);
    CHECK_CODE(400, kprod_poll(producer, reports, 600, 0));
}

static void a_wake_descriptor(kprod_producer_t *producer)
{
    kprod_record_t record = record_with_value(topic(producer, "wake"), "v");
    kprod_delivery_t report;
    int32_t fd = -1;
    CHECK_CODE(0, kprod_wake_fd(producer, &fd));
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    struct pollfd readable = {fd, POLLIN, 0};
    for (int round = 0; round < 3; round++) {
        char bytes[8];
        while (read(fd, bytes, sizeof bytes) > 0)
            continue;
        CHECK(poll(&readable, 1, 0) == 0);
        CHECK_CODE(0, kprod_send(producer, &record));
        CHECK(poll(&readable, 1, 10000) == 1);
        poll_one(producer, &report);
        CHECK_CODE(0, report.error);
    }
    close(fd);
}

static void operations_without_waiting(kprod_producer_t *producer)
{
    kprod_delivery_t report;
    CHECK_CODE(0, kprod_start_async(producer, 11));
    poll_one(producer, &report);
    CHECK(report.kind == KPROD_KIND_OPERATION && report.tag == 11 && report.error == 0);
    CHECK_CODE(0, kprod_partitions_for_async(producer, topic(producer, "delivery"), 12));
    poll_one(producer, &report);
    CHECK(report.kind == KPROD_KIND_OPERATION && report.tag == 12 && report.error == 0 && report.count > 0);

    kprod_record_t record = record_with_value(topic(producer, "delivery"), "v");
    CHECK_CODE(0, kprod_try_send(producer, &record));
    CHECK_CODE(0, kprod_flush_async(producer, 13));
    poll_one(producer, &report);
    CHECK(report.kind == KPROD_KIND_RECORD && report.error == 0);
    poll_one(producer, &report);
    CHECK(report.kind == KPROD_KIND_OPERATION && report.tag == 13 && report.error == 0);

    CHECK_CODE(0, kprod_poll_interrupt(producer));
    CHECK_CODE(0, kprod_poll(producer, &report, 1, 10000));
}

static void close_leaves_reports_readable(kprod_producer_t *producer)
{
    kprod_record_t record = record_with_value(topic(producer, "delivery"), "the last");
    kprod_delivery_t report;
    CHECK_CODE(0, kprod_send(producer, &record));
    CHECK_CODE(0, kprod_close(producer, 10000, NULL));
    poll_one(producer, &report);
    CHECK_CODE(0, report.error);
    CHECK_CODE(KPROD_ERR_CLOSED, kprod_poll(producer, &report, 1, 10000));
    kprod_metrics_t metrics;
    CHECK_CODE(0, kprod_metrics(producer, &metrics));
    CHECK(metrics.records_delivered >= COUNT && metrics.records_failed == 0 && metrics.reports_queued == 0);
    CHECK_CODE(0, kprod_destroy(producer));
}

int main(void)
{
    kprod_producer_t *producer = create(mock_config());
    CHECK_CODE(0, kprod_start(producer, 10000, NULL));
    every_record_is_reported_once(producer);
    a_record_with_everything(producer);
    an_array_is_accepted_up_to_the_first_bad_one(producer);
    a_wake_descriptor(producer);
    operations_without_waiting(producer);
    close_leaves_reports_readable(producer);
    return 0;
}
