/*
 * Sends records as fast as the cluster takes them, from one thread with an epoll loop: never blocks in a send, sleeps
 * only in epoll_wait, and prints the rate every second.
 *
 *     rate_epoll HOST:PORT|--mock [TOPIC [SECONDS [BYTES]]]
 */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "kprod.h"

enum { RECORDS_PER_CALL = 256, REPORTS_PER_POLL = 1024 };

struct rate {
    kprod_producer_t *producer;
    kprod_record_t records[RECORDS_PER_CALL];
    uint64_t accepted, delivered, failed;
    int full; /* buffer.memory is: wait for the WRITABLE entry */
};

static void check(const char *what, int64_t code)
{
    if (code != KPROD_ERR_OK) {
        fprintf(stderr, "%s: %s: %s\n", what, kprod_err_name((int32_t)code), kprod_err_str((int32_t)code));
        exit(EXIT_FAILURE);
    }
}

static void check_system(const char *what, int result)
{
    if (result < 0) {
        perror(what);
        exit(EXIT_FAILURE);
    }
}

static double now(void)
{
    struct timespec time;
    check_system("clock_gettime", clock_gettime(CLOCK_MONOTONIC, &time));
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static kprod_producer_t *create(const char *bootstrap)
{
    const char *key = strcmp(bootstrap, "--mock") == 0 ? "test.mock.num.brokers" : "bootstrap.servers";
    const char *value = strcmp(bootstrap, "--mock") == 0 ? "3" : bootstrap;
    kprod_config_t *config = kprod_config_new();
    kprod_producer_t *producer = NULL;
    kprod_error_t *err = NULL;
    check(key, kprod_config_set(config, key, value, NULL));
    check("linger.ms", kprod_config_set(config, "linger.ms", "5", NULL));
    check("batch.size", kprod_config_set(config, "batch.size", "65536", NULL));
    if (kprod_create(config, KPROD_API_VERSION, &producer, &err) != KPROD_ERR_OK) {
        fprintf(stderr, "%s\n", kprod_error_message(err));
        exit(EXIT_FAILURE);
    }
    kprod_config_free(config);
    return producer;
}

/* Hands records over until there is no room for more. */
static void send_some(struct rate *rate)
{
    int32_t why;
    int64_t accepted = kprod_send_many(rate->producer, rate->records, RECORDS_PER_CALL, &why);
    if (accepted < 0)
        check("kprod_send_many", accepted);
    rate->accepted += (uint64_t)accepted;
    rate->full = why == KPROD_ERR_QUEUE_FULL;
    if (!rate->full && why != KPROD_ERR_REPORT_QUEUE_FULL)
        check("kprod_send_many", why);
}

/* Takes all reports that are there. Returns 0 when the producer has ended. */
static int drain(struct rate *rate)
{
    static kprod_delivery_t reports[REPORTS_PER_POLL];
    int64_t got;
    do {
        got = kprod_poll(rate->producer, reports, REPORTS_PER_POLL, 0);
        if (got == KPROD_ERR_CLOSED)
            return 0;
        if (got < 0)
            check("kprod_poll", got);
        for (int64_t i = 0; i < got; i++) {
            if (reports[i].kind == KPROD_KIND_WRITABLE)
                rate->full = 0;
            else if (reports[i].kind == KPROD_KIND_RECORD && reports[i].error == KPROD_ERR_OK)
                rate->delivered++;
            else if (reports[i].kind == KPROD_KIND_RECORD)
                rate->failed++;
        }
    } while (got == REPORTS_PER_POLL);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 5) {
        fprintf(stderr, "usage: %s HOST:PORT|--mock [TOPIC [SECONDS [BYTES]]]\n", argv[0]);
        return EXIT_FAILURE;
    }
    const char *name = argc > 2 ? argv[2] : "rate";
    double seconds = argc > 3 ? strtod(argv[3], NULL) : 5;
    size_t bytes = argc > 4 ? strtoul(argv[4], NULL, 10) : 100;

    static struct rate rate;
    rate.producer = create(argv[1]);
    uint32_t topic;
    check(name, kprod_topic(rate.producer, name, (int64_t)strlen(name), &topic));
    uint8_t *value = calloc(bytes + 1, 1);
    if (value == NULL)
        return EXIT_FAILURE;
    for (int i = 0; i < RECORDS_PER_CALL; i++) {
        kprod_record_init(&rate.records[i]);
        rate.records[i].topic = topic;
        rate.records[i].value = value;
        rate.records[i].value_len = (int64_t)bytes;
    }

    int32_t wake;
    check("kprod_wake_fd", kprod_wake_fd(rate.producer, &wake));
    int loop = epoll_create1(EPOLL_CLOEXEC);
    check_system("epoll_create1", loop);
    struct epoll_event readable = {.events = EPOLLIN};
    check_system("epoll_ctl", epoll_ctl(loop, EPOLL_CTL_ADD, wake, &readable));

    double start = now(), shown = start;
    uint64_t before = 0;
    while (now() - start < seconds) {
        if (!rate.full)
            send_some(&rate);
        struct epoll_event event;
        int ready = epoll_wait(loop, &event, 1, rate.full ? 100 : 0);
        check_system("epoll_wait", ready);
        if (ready > 0) {
            char bell[64];
            while (read(wake, bell, sizeof bell) > 0)
                continue; /* empty the pipe first, then the queue: nothing is missed */
            if (!drain(&rate))
                break;
        }
        if (now() - shown >= 1) {
            printf("%" PRIu64 " records/s\n", rate.delivered - before);
            before = rate.delivered;
            shown += 1;
        }
    }

    check("kprod_close", kprod_close(rate.producer, KPROD_TIMEOUT_CONFIGURED, NULL));
    while (drain(&rate))
        continue;
    close(loop);
    close(wake);
    kprod_destroy(rate.producer);
    free(value);
    printf("%" PRIu64 " accepted, %" PRIu64 " delivered, %" PRIu64 " failed\n", rate.accepted, rate.delivered,
           rate.failed);
    return rate.delivered == rate.accepted ? EXIT_SUCCESS : EXIT_FAILURE;
}
