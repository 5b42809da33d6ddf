/*
 * Sends records in transactions: consumers that read committed records see all of one or none of it. What to do with an
 * error is the same everywhere: when it is fatal, end; when it is abortable, abort and do the work again; when the call
 * timed out, make the same call again.
 *
 *     transactions HOST:PORT|--mock [TOPIC]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kprod.h"

enum { RECORDS = 10, WAIT_MS = 30000 };

static kprod_producer_t *create(const char *where)
{
    int mock = strcmp(where, "--mock") == 0;
    kprod_config_t *config = kprod_config_new();
    kprod_producer_t *producer = NULL;
    kprod_error_t *err = NULL;
    /* The id outlives the process: the next one with the same id aborts what this one left open, and fences it. */
    if (kprod_config_set(config, mock ? "test.mock.num.brokers" : "bootstrap.servers", mock ? "3" : where, &err) ||
        kprod_config_set(config, "transactional.id", "example-transactions", &err) ||
        kprod_create(config, KPROD_API_VERSION, &producer, &err)) {
        fprintf(stderr, "%s\n", kprod_error_message(err));
        exit(EXIT_FAILURE);
    }
    kprod_config_free(config);
    return producer;
}

typedef int32_t step_fn(kprod_producer_t *, int32_t, kprod_error_t **);

/* Whether the step succeeded. A transaction can only be aborted if not; a fatal error ends the program. */
static int step(const char *name, step_fn *call, kprod_producer_t *producer)
{
    for (;;) {
        kprod_error_t *err = NULL;
        int32_t code = call(producer, WAIT_MS, &err);
        if (code == KPROD_ERR_OK)
            return 1;
        fprintf(stderr, "%s: %s\n", name, kprod_error_message(err));
        if (!kprod_error_is_abortable(err) && code != KPROD_ERR_TIMED_OUT) {
            kprod_close(producer, 5000, NULL);
            exit(EXIT_FAILURE);
        }
        kprod_error_free(err);
        if (code != KPROD_ERR_TIMED_OUT)
            return 0;
    }
}

/* Reads the reports of the transaction: a failed record makes the commit fail, so they are only shown. */
static void read_reports(kprod_producer_t *producer)
{
    kprod_delivery_t reports[RECORDS];
    int64_t count = kprod_poll(producer, reports, RECORDS, 0);
    for (int64_t i = 0; i < count; i++)
        printf("record %" PRIu64 ": %s at offset %" PRId64 "\n", reports[i].tag, kprod_err_name(reports[i].error),
               reports[i].offset);
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s HOST:PORT|--mock [TOPIC]\n", argv[0]);
        return EXIT_FAILURE;
    }
    const char *name = argc > 2 ? argv[2] : "transactions";
    kprod_producer_t *producer = create(argv[1]);
    kprod_record_t record;
    kprod_record_init(&record);
    if (kprod_topic(producer, name, (int64_t)strlen(name), &record.topic) != KPROD_ERR_OK)
        return EXIT_FAILURE;

    for (int round = 0; round < 3; round++) {
        if (!step("kprod_begin_transaction", kprod_begin_transaction, producer))
            return EXIT_FAILURE;
        int accepted = 1;
        for (int i = 0; accepted && i < RECORDS; i++) {
            char text[64];
            record.value_len = snprintf(text, sizeof text, "round %d, record %d", round, i);
            record.value = (const uint8_t *)text;
            record.tag = (uint64_t)(round * RECORDS + i);
            accepted = kprod_send(producer, &record) == KPROD_ERR_OK;
        }
        /* The second round changes its mind. */
        if (accepted && round != 1 && step("kprod_commit_transaction", kprod_commit_transaction, producer))
            printf("round %d is committed\n", round);
        else if (step("kprod_abort_transaction", kprod_abort_transaction, producer))
            printf("round %d is aborted\n", round);
        read_reports(producer);
    }
    kprod_close(producer, 5000, NULL);
    return kprod_destroy(producer) == KPROD_ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
