/*
 * Hears of outcomes by callback: most records through the producer's delivery callback, one through its own. Both run
 * on the producer's callback thread, one call at a time, so what they share needs no lock among them; main looks at it
 * only after kprod_flush, which returns when the callbacks have.
 *
 *     callbacks HOST:PORT|--mock [TOPIC]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kprod.h"

struct totals {
    uint64_t delivered, failed;
};

static void check(const char *what, int32_t code)
{
    if (code != KPROD_ERR_OK) {
        fprintf(stderr, "%s: %s: %s\n", what, kprod_err_name(code), kprod_err_str(code));
        exit(EXIT_FAILURE);
    }
}

/* The context is a number, because not every language has pointers; in C it carries one. */
static void on_delivery(uint64_t context, const kprod_delivery_t *reports, uint64_t count)
{
    struct totals *totals = (struct totals *)(uintptr_t)context;
    for (uint64_t i = 0; i < count; i++) {
        if (reports[i].kind != KPROD_KIND_RECORD)
            continue;
        if (reports[i].error == KPROD_ERR_OK)
            totals->delivered++;
        else
            totals->failed++;
    }
}

static void on_record(uint64_t context, const kprod_delivery_t *report)
{
    const char *what = (const char *)(uintptr_t)context;
    if (report->error == KPROD_ERR_OK)
        printf("%s: partition %" PRId32 ", offset %" PRId64 "\n", what, report->partition, report->offset);
    else
        printf("%s: %s\n", what, kprod_err_str(report->error));
}

static void on_log(uint64_t context, int32_t level, const char *message, uint64_t length)
{
    (void)context;
    fprintf(stderr, "log %" PRId32 ": %.*s\n", level, (int)length, message);
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s HOST:PORT|--mock [TOPIC]\n", argv[0]);
        return EXIT_FAILURE;
    }
    int mock = strcmp(argv[1], "--mock") == 0;
    const char *name = argc > 2 ? argv[2] : "callbacks";
    struct totals totals = {0, 0};

    kprod_config_t *config = kprod_config_new();
    check("config", kprod_config_set(config, mock ? "test.mock.num.brokers" : "bootstrap.servers",
                                     mock ? "3" : argv[1], NULL));
    check("config", kprod_config_set_delivery_callback(config, on_delivery, (uint64_t)(uintptr_t)&totals));
    check("config", kprod_config_set_log_callback(config, on_log, 0));
    kprod_producer_t *producer = NULL;
    kprod_error_t *err = NULL;
    if (kprod_create(config, KPROD_API_VERSION, &producer, &err) != KPROD_ERR_OK) {
        fprintf(stderr, "kprod_create: %s\n", kprod_error_message(err));
        kprod_error_free(err);
        return EXIT_FAILURE;
    }
    kprod_config_free(config);

    kprod_record_t record;
    kprod_record_init(&record);
    check(name, kprod_topic(producer, name, (int64_t)strlen(name), &record.topic));
    record.value = (const uint8_t *)"a value";
    record.value_len = 7;
    for (int i = 0; i < 1000; i++)
        check("kprod_send", kprod_send(producer, &record));

    /* Headers belong to the call, as all of a record does. */
    kprod_header_t header = {(const uint8_t *)"source", 6, (const uint8_t *)"callbacks.c", 11};
    record.headers = &header;
    record.header_count = 1;
    check("kprod_send_with_callback",
          kprod_send_with_callback(producer, &record, on_record, (uint64_t)(uintptr_t)"the one with a header"));

    check("kprod_flush", kprod_flush(producer, 30000, NULL));
    printf("%" PRIu64 " delivered, %" PRIu64 " failed\n", totals.delivered, totals.failed);

    check("kprod_close", kprod_close(producer, 5000, NULL));
    check("kprod_destroy", kprod_destroy(producer));
    return totals.delivered == 1000 ? EXIT_SUCCESS : EXIT_FAILURE;
}
