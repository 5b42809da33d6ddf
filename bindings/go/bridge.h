/* What Go cannot do by itself: a struct with pointers into Go memory may not be passed to C, so it is made here, of
 * pointers passed one by one, and lives for the call only. */
#ifndef KPROD_GO_BRIDGE_H
#define KPROD_GO_BRIDGE_H

#include <kprod.h>
#include <stdlib.h>
#include <string.h>

/* More headers than this in one record cost an allocation. */
enum { KPROD_GO_HEADERS = 16 };

/* Headers lie in `bytes` one behind the other: key length, key, value length, value. Go wrote them, so they are not checked again. */
static inline void kprod_go_headers(const uint8_t *bytes, uint32_t count, kprod_header_t *headers)
{
    for (uint32_t i = 0; i < count; i++) {
        int32_t length;
        memcpy(&length, bytes, sizeof length);
        headers[i].key = bytes += sizeof length;
        headers[i].key_len = length;
        bytes += length;
        memcpy(&length, bytes, sizeof length);
        headers[i].value = bytes += sizeof length;
        headers[i].value_len = length;
        bytes += length > 0 ? length : 0;
    }
}

/* A record as kprod_try_send and kprod_batch_append want it. `few` has room for KPROD_GO_HEADERS; 0 when there is no
 * memory for more. */
static inline int kprod_go_record(kprod_record_t *record, int64_t timestamp_ms, const uint8_t *key, int64_t key_len,
                                  const uint8_t *value, int64_t value_len, const uint8_t *header_bytes,
                                  uint32_t header_count, kprod_header_t *few)
{
    kprod_record_init(record);
    record->key = key;
    record->key_len = key_len;
    record->value = value;
    record->value_len = value_len;
    record->timestamp_ms = timestamp_ms;
    if (header_count == 0)
        return 1;
    kprod_header_t *headers = header_count > KPROD_GO_HEADERS ? malloc(header_count * sizeof *headers) : few;
    if (headers == NULL)
        return 0;
    kprod_go_headers(header_bytes, header_count, headers);
    record->headers = headers;
    record->header_count = header_count;
    return 1;
}

static inline void kprod_go_free(const kprod_record_t *record)
{
    if (record->header_count > KPROD_GO_HEADERS)
        free((void *)record->headers);
}

static inline int32_t kprod_go_try_send(kprod_producer_t *producer, uint32_t topic, int32_t partition,
                                        int64_t timestamp_ms, const uint8_t *key, int64_t key_len,
                                        const uint8_t *value, int64_t value_len, const uint8_t *header_bytes,
                                        uint32_t header_count, uint64_t tag)
{
    kprod_record_t record;
    kprod_header_t few[KPROD_GO_HEADERS];
    if (!kprod_go_record(&record, timestamp_ms, key, key_len, value, value_len, header_bytes, header_count, few))
        return KPROD_ERR_OUT_OF_MEMORY;
    record.topic = topic;
    record.partition = partition;
    record.tag = tag;
    int32_t code = kprod_try_send(producer, &record);
    kprod_go_free(&record);
    return code;
}

/* kprod_send_packed with one way to tell why. */
static inline int64_t kprod_go_send_packed(kprod_producer_t *producer, const uint8_t *buffer, uint64_t buffer_len,
                                           const kprod_packed_t *packed, uint64_t count, int32_t *why)
{
    int64_t accepted = kprod_send_packed(producer, buffer, buffer_len, packed, count, why);
    if (accepted >= 0)
        return accepted;
    *why = (int32_t)accepted;
    return 0;
}

static inline int32_t kprod_go_batch_append(kprod_batch_t *batch, int64_t timestamp_ms, const uint8_t *key,
                                            int64_t key_len, const uint8_t *value, int64_t value_len,
                                            const uint8_t *header_bytes, uint32_t header_count,
                                            kprod_batch_append_t *appended)
{
    kprod_record_t record;
    kprod_header_t few[KPROD_GO_HEADERS];
    if (!kprod_go_record(&record, timestamp_ms, key, key_len, value, value_len, header_bytes, header_count, few))
        return KPROD_ERR_OUT_OF_MEMORY;
    int32_t code = kprod_batch_append(batch, &record, appended);
    kprod_go_free(&record);
    return code;
}

#endif
