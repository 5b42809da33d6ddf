/* What the C tests share: checks that say where they failed, and a producer on a mock cluster. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kprod.h"

#define CHECK(condition)                                                                                              \
    do {                                                                                                              \
        if (!(condition)) {                                                                                           \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                   \
            exit(EXIT_FAILURE);                                                                                       \
        }                                                                                                             \
    } while (0)

#define CHECK_CODE(expected, call) check_code(__FILE__, __LINE__, #call, (expected), (call))

static inline void check_code(const char *file, int line, const char *call, int64_t expected, int64_t code)
{
    if (code != expected) {
        fprintf(stderr, "%s:%d: %s gave %lld (%s), not %lld (%s)\n", file, line, call, (long long)code,
                kprod_err_name((int32_t)code), (long long)expected, kprod_err_name((int32_t)expected));
        exit(EXIT_FAILURE);
    }
}

static inline kprod_config_t *mock_config(void)
{
    kprod_config_t *config = kprod_config_new();
    CHECK(config != NULL);
    CHECK_CODE(0, kprod_config_set(config, "test.mock.num.brokers", "3", NULL));
    return config;
}

/* Consumes the configuration. */
static inline kprod_producer_t *create(kprod_config_t *config)
{
    kprod_producer_t *producer = NULL;
    kprod_error_t *err = NULL;
    int32_t code = kprod_create(config, KPROD_API_VERSION, &producer, &err);
    if (code != 0)
        fprintf(stderr, "kprod_create: %s\n", kprod_error_message(err));
    CHECK_CODE(0, code);
    CHECK(producer != NULL);
    CHECK(err == NULL);
    kprod_config_free(config);
    return producer;
}

static inline uint32_t topic(kprod_producer_t *producer, const char *name)
{
    uint32_t handle = 0;
    CHECK_CODE(0, kprod_topic(producer, name, (int64_t)strlen(name), &handle));
    CHECK(handle != 0);
    return handle;
}

static inline kprod_record_t record_with_value(uint32_t topic, const char *value)
{
    kprod_record_t record;
    kprod_record_init(&record);
    record.topic = topic;
    record.value = (const uint8_t *)value;
    record.value_len = (int64_t)strlen(value);
    return record;
}

static inline void close_and_destroy(kprod_producer_t *producer)
{
    CHECK_CODE(0, kprod_close(producer, 10000, NULL));
    CHECK_CODE(0, kprod_destroy(producer));
}

#endif
