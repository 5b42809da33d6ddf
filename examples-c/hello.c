/*
 * Sends a few records and prints where each of them ended up.
 *
 *     hello HOST:PORT [TOPIC [COUNT]]      to a Kafka cluster
 *     hello --mock [TOPIC [COUNT]]         to a mock cluster inside the library
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kprod.h"

/* Gives up if a call failed, and says why: the error object, where there is one, knows more than the code. */
static void check(const char *what, int32_t code, kprod_error_t **err)
{
    if (code == KPROD_ERR_OK)
        return;
    const char *message = err != NULL && *err != NULL ? kprod_error_message(*err) : kprod_err_str(code);
    fprintf(stderr, "%s: %s: %s\n", what, kprod_err_name(code), message);
    if (err != NULL)
        kprod_error_free(*err);
    exit(EXIT_FAILURE);
}

static kprod_producer_t *create(const char *bootstrap)
{
    kprod_producer_t *producer = NULL;
    kprod_error_t *err = NULL;
    kprod_config_t *config = kprod_config_new();
    if (strcmp(bootstrap, "--mock") == 0)
        check("test.mock.num.brokers", kprod_config_set(config, "test.mock.num.brokers", "3", &err), &err);
    else
        check("bootstrap.servers", kprod_config_set(config, "bootstrap.servers", bootstrap, &err), &err);
    check("acks", kprod_config_set(config, "acks", "all", &err), &err);
    check("linger.ms", kprod_config_set(config, "linger.ms", "5", &err), &err);
    check("kprod_create", kprod_create(config, KPROD_API_VERSION, &producer, &err), &err);
    kprod_config_free(config); /* it was copied */
    return producer;
}

static void send_one(kprod_producer_t *producer, uint32_t topic, uint64_t number)
{
    char key[32], value[64];
    kprod_record_t record;
    kprod_record_init(&record);
    record.topic = topic;
    record.key = (const uint8_t *)key;
    record.key_len = snprintf(key, sizeof key, "key-%" PRIu64, number);
    record.value = (const uint8_t *)value;
    record.value_len = snprintf(value, sizeof value, "hello, this is record %" PRIu64, number);
    record.tag = number; /* comes back in the report */

    kprod_error_t *err = NULL;
    int32_t code = kprod_send(producer, &record);
    if (code == KPROD_ERR_TIMED_OUT)
        kprod_cluster_error(producer, &err); /* which broker, and why */
    check("kprod_send", code, &err);
}

/* Prints one report; returns whether its record was delivered. */
static int print(kprod_producer_t *producer, const kprod_delivery_t *report)
{
    if (report->error == KPROD_ERR_OK) {
        printf("record %" PRIu64 ": topic %s, partition %" PRId32 ", offset %" PRId64 ", timestamp %" PRId64 "\n",
               report->tag, kprod_topic_name(producer, report->topic), report->partition, report->offset,
               report->timestamp_ms);
        return 1;
    }
    kprod_error_t *err = NULL;
    kprod_error_detail(producer, report->detail, &err);
    fprintf(stderr, "record %" PRIu64 ": %s: %s\n", report->tag, kprod_err_name(report->error),
            err != NULL ? kprod_error_message(err) : kprod_err_str(report->error));
    kprod_error_free(err);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: %s HOST:PORT|--mock [TOPIC [COUNT]]\n", argv[0]);
        return EXIT_FAILURE;
    }
    const char *name = argc > 2 ? argv[2] : "hello";
    uint64_t count = argc > 3 ? strtoull(argv[3], NULL, 10) : 10;
    kprod_producer_t *producer = create(argv[1]);
    kprod_error_t *err = NULL;
    /* Not needed, but it tells what is wrong with an address or a password, which a send's code cannot. */
    check("kprod_start", kprod_start(producer, 10000, &err), &err);

    uint32_t topic;
    check(name, kprod_topic(producer, name, (int64_t)strlen(name), &topic), NULL);
    for (uint64_t i = 0; i < count; i++)
        send_one(producer, topic, i);

    uint64_t reported = 0, delivered = 0;
    while (reported < count) {
        kprod_delivery_t reports[64];
        int64_t got = kprod_poll(producer, reports, 64, 1000);
        if (got < 0)
            check("kprod_poll", (int32_t)got, NULL);
        for (int64_t i = 0; i < got; i++) {
            if (reports[i].kind != KPROD_KIND_RECORD)
                continue;
            reported++;
            delivered += (uint64_t)print(producer, &reports[i]);
        }
    }

    check("kprod_close", kprod_close(producer, KPROD_TIMEOUT_CONFIGURED, &err), &err);
    kprod_destroy(producer);
    printf("%" PRIu64 " of %" PRIu64 " records delivered\n", delivered, count);
    return delivered == count ? EXIT_SUCCESS : EXIT_FAILURE;
}
