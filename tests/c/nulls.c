/* NULL and handles of the wrong kind are answered, everywhere, and write nothing. */
#include "check.h"

static void on_delivery(uint64_t context, const kprod_delivery_t *reports, uint64_t count)
{
    (void)context, (void)reports, (void)count;
}

static void on_record(uint64_t context, const kprod_delivery_t *report)
{
    (void)context, (void)report;
}

static void a_null_or_wrong_producer(kprod_producer_t *producer)
{
    kprod_record_t record = record_with_value(1, "x");
    kprod_delivery_t report = {.tag = 77};
    kprod_metrics_t metrics = {.bytes_sent = 77};
    kprod_error_t *err = NULL;
    const int32_t refused = KPROD_ERR_INVALID_ARG;
    uint32_t handle = 77;
    int32_t count = 77, why = 77, fd = 77;

    CHECK_CODE(refused, kprod_start(producer, 0, &err));
    CHECK(err != NULL && kprod_error_code(err) == refused);
    kprod_error_free(err);
    CHECK_CODE(refused, kprod_start(producer, 0, NULL));
    CHECK_CODE(refused, kprod_start_async(producer, 0));
    CHECK_CODE(refused, kprod_topic(producer, "t", 1, &handle));
    CHECK(kprod_topic_name(producer, 1) == NULL);
    CHECK_CODE(refused, kprod_partitions_for(producer, 1, 0, &count, NULL));
    CHECK_CODE(refused, kprod_partitions_for_async(producer, 1, 0));
    CHECK_CODE(refused, kprod_flush(producer, 0, NULL));
    CHECK_CODE(refused, kprod_flush_async(producer, 0));
    CHECK_CODE(refused, kprod_purge(producer, KPROD_PURGE_QUEUED));
    CHECK_CODE(refused, kprod_close(producer, 0, NULL));
    CHECK_CODE(refused, kprod_close_async(producer, 0));
    CHECK_CODE(refused, kprod_error_detail(producer, 1, &err));
    CHECK_CODE(refused, kprod_fatal_error(producer, NULL));
    CHECK_CODE(refused, kprod_cluster_error(producer, NULL));
    CHECK_CODE(refused, kprod_metrics(producer, &metrics));
    CHECK_CODE(refused, kprod_send(producer, &record));
    CHECK_CODE(refused, kprod_try_send(producer, &record));
    CHECK_CODE(refused, kprod_send_with_callback(producer, &record, on_record, 0));
    CHECK_CODE(refused, kprod_send_wait(producer, &record, 0, &report));
    CHECK_CODE(refused, kprod_send_many(producer, &record, 1, &why));
    CHECK_CODE(refused, kprod_poll(producer, &report, 1, 0));
    CHECK_CODE(refused, kprod_poll_interrupt(producer));
    CHECK_CODE(refused, kprod_wake_fd(producer, &fd));
    CHECK(report.tag == 77 && metrics.bytes_sent == 77);
    CHECK(handle == 77 && count == 77 && why == 77 && fd == 77);
}

static void a_null_or_wrong_config(kprod_config_t *config)
{
    const int32_t refused = KPROD_ERR_INVALID_ARG;
    const char *value = "untouched";
    kprod_producer_t *producer = NULL;
    kprod_error_t *err = NULL;

    CHECK_CODE(refused, kprod_config_set(config, "acks", "all", &err));
    CHECK(err != NULL && strlen(kprod_error_message(err)) > 0);
    kprod_error_free(err);
    CHECK_CODE(refused, kprod_config_get(config, "acks", &value, NULL));
    CHECK(strcmp(value, "untouched") == 0);
    CHECK_CODE(refused, kprod_config_set_delivery_callback(config, on_delivery, 0));
    CHECK_CODE(refused, kprod_config_set_log_callback(config, NULL, 0));
    CHECK_CODE(refused, kprod_config_set_partitioner(config, NULL, 0));
    CHECK_CODE(refused, kprod_create(config, KPROD_API_VERSION, &producer, NULL));
    CHECK(producer == NULL);
}

int main(void)
{
    kprod_config_t *config = kprod_config_new();
    uint64_t zeros[64] = {0};
    const char *value;

    a_null_or_wrong_producer(NULL);
    a_null_or_wrong_producer((kprod_producer_t *)config);
    a_null_or_wrong_producer((kprod_producer_t *)zeros);
    a_null_or_wrong_config(NULL);
    a_null_or_wrong_config((kprod_config_t *)zeros);

    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_config_set(config, NULL, "all", NULL));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_config_set(config, "acks", NULL, NULL));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_config_set(config, "acks", "\xff", NULL));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_config_get(config, NULL, &value, NULL));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_config_get(config, "acks", NULL, NULL));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_create(config, KPROD_API_VERSION, NULL, NULL));
    kprod_config_free(config);

    kprod_config_free(NULL);
    kprod_error_free(NULL);
    kprod_record_init(NULL);
    CHECK_CODE(0, kprod_destroy(NULL));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_destroy((kprod_producer_t *)zeros));
    return 0;
}
