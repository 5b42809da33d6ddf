/*
 * Fills batches itself and sends each as a whole to a partition: a batch has one report, with the number of its records
 * and the offset of the first. One batch per partition is queued at a time, so kprod_send_batch waits until the one
 * before it is on its way; nothing else is needed to keep pace with the brokers.
 *
 *     batches HOST:PORT|--mock [TOPIC]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kprod.h"

enum { BATCHES = 3, WAIT_MS = 30000 };

static void check(const char *what, int32_t code)
{
    if (code != KPROD_ERR_OK) {
        fprintf(stderr, "%s: %s: %s\n", what, kprod_err_name(code), kprod_err_str(code));
        exit(EXIT_FAILURE);
    }
}

static kprod_producer_t *create(const char *where)
{
    int mock = strcmp(where, "--mock") == 0;
    kprod_config_t *config = kprod_config_new();
    check("config", kprod_config_set(config, mock ? "test.mock.num.brokers" : "bootstrap.servers",
                                     mock ? "3" : where, NULL));
    check("config", kprod_config_set(config, "batch.size", "4096", NULL));
    kprod_producer_t *producer = NULL;
    kprod_error_t *err = NULL;
    if (kprod_create(config, KPROD_API_VERSION, &producer, &err) != KPROD_ERR_OK) {
        fprintf(stderr, "kprod_create: %s\n", kprod_error_message(err));
        exit(EXIT_FAILURE);
    }
    kprod_config_free(config);
    return producer;
}

/* Fills a batch until it has no room; it is closed then, so that no kprod_send adds to it. */
static kprod_batch_t *filled(kprod_producer_t *producer)
{
    kprod_batch_t *batch = NULL;
    check("kprod_create_batch", kprod_create_batch(producer, &batch, NULL));
    kprod_record_t record;
    kprod_record_init(&record); /* topic, partition and tag are the batch's, when it is sent */
    for (;;) {
        char text[64];
        record.value_len = snprintf(text, sizeof text, "record %" PRId64, kprod_batch_record_count(batch));
        record.value = (const uint8_t *)text;
        int32_t code = kprod_batch_append(batch, &record, NULL);
        if (code == KPROD_ERR_BATCH_FULL)
            return batch;
        check("kprod_batch_append", code);
    }
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s HOST:PORT|--mock [TOPIC]\n", argv[0]);
        return EXIT_FAILURE;
    }
    const char *name = argc > 2 ? argv[2] : "batches";
    kprod_producer_t *producer = create(argv[1]);
    uint32_t topic;
    check(name, kprod_topic(producer, name, (int64_t)strlen(name), &topic));

    for (uint64_t tag = 0; tag < BATCHES; tag++) {
        kprod_batch_t *batch = filled(producer);
        printf("batch %" PRIu64 ": %" PRId64 " records, %" PRId64 " bytes\n", tag, kprod_batch_record_count(batch),
               kprod_batch_size(batch));
        /* On any other answer than 0 the batch is as it was, will not be sent, and may be sent again. */
        check("kprod_send_batch", kprod_send_batch(producer, batch, topic, 0, tag, WAIT_MS));
        kprod_batch_free(batch); /* the records are the producer's now */
    }

    int failed = 0;
    for (int i = 0; i < BATCHES; i++) {
        kprod_delivery_t report;
        if (kprod_poll(producer, &report, 1, WAIT_MS) != 1)
            return EXIT_FAILURE;
        if (report.error != KPROD_ERR_OK) {
            fprintf(stderr, "batch %" PRIu64 ": %s\n", report.tag, kprod_err_str(report.error));
            failed = 1;
            continue;
        }
        printf("batch %" PRIu64 ": offsets %" PRId64 " to %" PRId64 "\n", report.tag, report.offset,
               report.offset + report.count - 1);
    }
    check("kprod_close", kprod_close(producer, 5000, NULL));
    check("kprod_destroy", kprod_destroy(producer));
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
