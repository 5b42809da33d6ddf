/* Enumerations cross as integers: a value that the library does not know is an error, never chance. */
#include "check.h"
#include "kprod_mock.h"

static const int32_t unknown[] = {INT32_MIN, -1000, -2, 100, 1000, INT32_MAX};
#define EACH_UNKNOWN(value)                                                                                           \
    for (int32_t value, index_ = 0; index_ < 6 && ((value = unknown[index_]), 1); index_++)

static void of_the_producer(kprod_producer_t *producer)
{
    kprod_record_t good = record_with_value(topic(producer, "numbers"), "v");
    EACH_UNKNOWN(value)
    {
        kprod_record_t record = good;
        if (value < 0) {
            record.partition = value;
            CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_send(producer, &record));
            record = good;
            record.key_len = value;
            CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_send(producer, &record));
            record = good;
            record.timestamp_ms = value;
            CHECK_CODE(KPROD_ERR_INVALID_TIMESTAMP_ARG, kprod_send(producer, &record));
            CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_flush(producer, value, NULL));
        }
        CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_purge(producer, (uint32_t)value));
        CHECK_CODE(KPROD_ERR_UNKNOWN_TOPIC_HANDLE, kprod_partitions_for_async(producer, (uint32_t)value, 0));
        CHECK(kprod_topic_name(producer, (uint32_t)value) == NULL);
    }
}

static void of_create(void)
{
    static const uint32_t versions[] = {0, KPROD_API_VERSION + 1, UINT32_MAX};
    kprod_config_t *config = mock_config();
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        kprod_producer_t *producer = NULL;
        CHECK_CODE(KPROD_ERR_API_VERSION, kprod_create(config, versions[i], &producer, NULL));
        CHECK(producer == NULL);
    }
    kprod_config_free(config);
}

static void of_the_names(void)
{
    EACH_UNKNOWN(value)
    {
        CHECK(strlen(kprod_err_name(value)) > 0);
        CHECK(strlen(kprod_err_str(value)) > 0);
    }
    CHECK(kprod_config_key_at(UINT32_MAX) == NULL);
}

static void of_the_mock(void)
{
    kprod_mock_t *mock = NULL;
    kprod_mock_fault_t fault;
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_mock_create(0, &mock, NULL));
    CHECK_CODE(0, kprod_mock_create(1, &mock, NULL));
    EACH_UNKNOWN(value)
    {
        CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_mock_set_broker_state(mock, 0, value));
        kprod_mock_fault_init(&fault);
        fault.kind = value;
        CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_mock_inject(mock, &fault));
    }
    kprod_mock_destroy(mock);
}

int main(void)
{
    kprod_producer_t *producer = create(mock_config());
    of_the_producer(producer);
    close_and_destroy(producer);
    of_create();
    of_the_names();
    of_the_mock();
    return 0;
}
