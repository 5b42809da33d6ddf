/* Records in one flat buffer: accepted in order, refused where they do not fit, never read beyond the buffer. */
#include "check.h"

enum { SIZE = 4096 };

/* The buffer has exactly the bytes in use, so that a checker of memory sees every byte too many. */
typedef struct {
    uint8_t bytes[SIZE];
    uint64_t used;
} buffer_t;

static uint32_t put(buffer_t *buffer, const void *bytes, size_t length)
{
    CHECK(buffer->used + length <= SIZE);
    memcpy(buffer->bytes + buffer->used, bytes, length);
    buffer->used += length;
    return (uint32_t)(buffer->used - length);
}

static kprod_packed_t plain(uint32_t topic, uint64_t tag)
{
    kprod_packed_t packed = {0};
    packed.tag = tag;
    packed.timestamp_ms = KPROD_TIMESTAMP_NOW;
    packed.topic = topic;
    packed.partition = KPROD_PARTITION_UNASSIGNED;
    packed.key_len = KPROD_NULL;
    packed.value_len = KPROD_NULL;
    return packed;
}

static int64_t send(kprod_producer_t *producer, const buffer_t *buffer, const kprod_packed_t *records, uint64_t count,
                    int32_t *why)
{
    uint8_t *exact = malloc(buffer->used > 0 ? buffer->used : 1);
    CHECK(exact != NULL);
    memcpy(exact, buffer->bytes, buffer->used);
    int64_t sent = kprod_send_packed(producer, exact, buffer->used, records, count, why);
    free(exact);
    return sent;
}

static void expect_delivered(kprod_producer_t *producer, uint64_t first, uint64_t count)
{
    char seen[1024] = {0};
    CHECK(count <= sizeof seen);
    for (uint64_t left = count; left > 0;) {
        kprod_delivery_t reports[64];
        int64_t got = kprod_poll(producer, reports, 64, 10000);
        CHECK(got > 0 && (uint64_t)got <= left);
        for (int64_t i = 0; i < got; i++) {
            CHECK_CODE(0, reports[i].error);
            CHECK(reports[i].tag >= first && reports[i].tag < first + count);
            CHECK(!seen[reports[i].tag - first]++);
        }
        left -= (uint64_t)got;
    }
}

static void sends_all_kinds(kprod_producer_t *producer, uint32_t topic, uint32_t other)
{
    buffer_t buffer = {0};
    kprod_packed_t records[6];
    int32_t why = -1;

    /* Nothing at all, empty key and value, key and value, a shared value, headers, an explicit partition and time. */
    records[0] = plain(topic, 100);
    records[1] = plain(other, 101);
    records[1].key_len = records[1].value_len = 0;
    records[2] = plain(topic, 102);
    records[2].offset = put(&buffer, "keyvalue", 8);
    records[2].key_len = 3, records[2].value_len = 5;
    records[3] = plain(other, 103);
    records[3].offset = records[2].offset + 3;
    records[3].value_len = 5;
    records[4] = plain(topic, 104);
    int32_t one = 1, none = KPROD_NULL, two = 2;
    records[4].offset = put(&buffer, "v", 1);
    records[4].value_len = 1;
    put(&buffer, &one, 4), put(&buffer, "a", 1), put(&buffer, &none, 4);
    put(&buffer, &one, 4), put(&buffer, "a", 1), put(&buffer, &two, 4), put(&buffer, "xy", 2);
    records[4].header_count = 2;
    records[4].headers_len = 9 + 11;
    records[5] = plain(topic, 105);
    records[5].partition = 0;
    records[5].timestamp_ms = 1700000000000;
    records[5].offset = (uint32_t)buffer.used;
    records[5].value_len = 0;
    CHECK_CODE(6, send(producer, &buffer, records, 6, &why));
    CHECK_CODE(0, why);
    expect_delivered(producer, 100, 6);
    CHECK_CODE(6, send(producer, &buffer, records, 6, NULL));
    expect_delivered(producer, 100, 6);

    kprod_packed_t many[1000];
    for (uint64_t i = 0; i < 1000; i++) {
        many[i] = records[2];
        many[i].tag = i;
    }
    CHECK_CODE(1000, send(producer, &buffer, many, 1000, &why));
    expect_delivered(producer, 0, 1000);
}

/* The second of three is wrong: the first is accepted, the others are not. */
static void stops_at(kprod_producer_t *producer, const buffer_t *buffer, kprod_packed_t good, kprod_packed_t bad,
                     int32_t expected)
{
    kprod_packed_t records[3] = {good, bad, good};
    int32_t why = 0;
    CHECK_CODE(1, send(producer, buffer, records, 3, &why));
    CHECK_CODE(expected, why);
    expect_delivered(producer, good.tag, 1);
}

static void refuses_what_does_not_fit(kprod_producer_t *producer, uint32_t topic)
{
    buffer_t buffer = {0};
    kprod_packed_t good = plain(topic, 7);
    good.offset = put(&buffer, "0123456789", 10);
    good.value_len = 10;

#define REFUSED(expected, ...)                                                                                        \
    do {                                                                                                              \
        kprod_packed_t bad = good;                                                                                    \
        __VA_ARGS__;                                                                                                  \
        stops_at(producer, &buffer, good, bad, expected);                                                             \
    } while (0)

    REFUSED(KPROD_ERR_INVALID_ARG, bad.offset = 1);
    REFUSED(KPROD_ERR_INVALID_ARG, bad.offset = 11, bad.value_len = KPROD_NULL);
    REFUSED(KPROD_ERR_INVALID_ARG, bad.offset = UINT32_MAX);
    REFUSED(KPROD_ERR_INVALID_ARG, bad.key_len = 1);
    REFUSED(KPROD_ERR_INVALID_ARG, bad.key_len = INT32_MAX);
    REFUSED(KPROD_ERR_INVALID_ARG, bad.key_len = -2);
    REFUSED(KPROD_ERR_INVALID_ARG, bad.value_len = INT32_MIN);
    REFUSED(KPROD_ERR_INVALID_ARG, bad.headers_len = 1);
    REFUSED(KPROD_ERR_INVALID_ARG, bad.headers_len = UINT32_MAX);
    REFUSED(KPROD_ERR_INVALID_ARG, bad.header_count = 1);
    REFUSED(KPROD_ERR_INVALID_ARG, bad.header_count = UINT32_MAX);
    REFUSED(KPROD_ERR_INVALID_ARG, bad.value_len = 2, bad.headers_len = 8);
    REFUSED(KPROD_ERR_INVALID_ARG, bad.value_len = 2, bad.headers_len = 8, bad.header_count = 1);
    REFUSED(KPROD_ERR_INVALID_ARG, bad.reserved = 1);
    REFUSED(KPROD_ERR_INVALID_ARG, bad.partition = -2);
    REFUSED(KPROD_ERR_UNKNOWN_PARTITION, bad.partition = INT32_MAX);
    REFUSED(KPROD_ERR_INVALID_TIMESTAMP_ARG, bad.timestamp_ms = -2);
    REFUSED(KPROD_ERR_UNKNOWN_TOPIC_HANDLE, bad.topic = 0);
    REFUSED(KPROD_ERR_UNKNOWN_TOPIC_HANDLE, bad.topic = 9999);

    int32_t why = 77;
    CHECK_CODE(0, kprod_send_packed(producer, NULL, 0, NULL, 0, &why));
    CHECK_CODE(0, why);
    why = 77;
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_send_packed(NULL, buffer.bytes, buffer.used, &good, 1, &why));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_send_packed(producer, NULL, 1, &good, 1, &why));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_send_packed(producer, buffer.bytes, buffer.used, NULL, 1, &why));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_send_packed(producer, buffer.bytes, UINT64_MAX, &good, 1, &why));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_send_packed(producer, buffer.bytes, buffer.used, &good, UINT64_MAX, &why));
    CHECK_CODE(77, why);
}

static void fills_memory(void)
{
    kprod_config_t *config = mock_config();
    CHECK_CODE(0, kprod_config_set(config, "buffer.memory", "65536", NULL));
    kprod_producer_t *producer = create(config);
    uint32_t handle = topic(producer, "full");
    static buffer_t buffer;
    buffer.used = 1000;
    kprod_packed_t records[200];
    for (uint64_t i = 0; i < 200; i++) {
        records[i] = plain(handle, i);
        records[i].value_len = 1000;
    }
    int32_t why = 0;
    int64_t sent = send(producer, &buffer, records, 200, &why);
    CHECK(sent > 10 && sent < 66);
    CHECK_CODE(KPROD_ERR_QUEUE_FULL, why);
    CHECK_CODE(0, kprod_close(producer, 10000, NULL));
    CHECK_CODE(0, send(producer, &buffer, records, 1, &why));
    CHECK_CODE(KPROD_ERR_CLOSED, why);
    CHECK_CODE(0, kprod_destroy(producer));
}

int main(void)
{
    kprod_producer_t *producer = create(mock_config());
    uint32_t handle = topic(producer, "packed"), other = topic(producer, "other");
    sends_all_kinds(producer, handle, other);
    refuses_what_does_not_fit(producer, handle);
    close_and_destroy(producer);
    fills_memory();
    return 0;
}
