/*
 * Sends records of 100 bytes as fast as the cluster takes them, from one thread with an epoll loop: never blocks in a
 * send, sleeps only in epoll_wait, and prints the rate at the end.
 *
 *     rate_epoll HOST:PORT|--mock [TOPIC [SECONDS]]
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

static uint64_t accepted, delivered;
static int full; /* buffer.memory is: wait for the WRITABLE entry */

static void check(const char *what, int64_t code)
{
    if (code == KPROD_ERR_OK)
        return;
    fprintf(stderr, "%s: %s: %s\n", what, kprod_err_name((int32_t)code), kprod_err_str((int32_t)code));
    exit(EXIT_FAILURE);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static kprod_producer_t *create(const char *bootstrap)
{
    int mock = strcmp(bootstrap, "--mock") == 0;
    const char *key = mock ? "test.mock.num.brokers" : "bootstrap.servers";
    kprod_config_t *config = kprod_config_new();
    kprod_producer_t *producer = NULL;
    kprod_error_t *err = NULL;
    check(key, kprod_config_set(config, key, mock ? "3" : bootstrap, NULL));
    check("linger.ms", kprod_config_set(config, "linger.ms", "5", NULL));
    check("batch.size", kprod_config_set(config, "batch.size", "65536", NULL));
    if (kprod_create(config, KPROD_API_VERSION, &producer, &err) != KPROD_ERR_OK) {
        fprintf(stderr, "%s\n", kprod_error_message(err));
        exit(EXIT_FAILURE);
    }
    kprod_config_free(config);
    return producer;
}

/* Hands records over, as many as there is room for. */
static void send_some(kprod_producer_t *producer, const kprod_record_t *records)
{
    int32_t why;
    int64_t count = kprod_send_many(producer, records, RECORDS_PER_CALL, &why);
    if (count < 0)
        check("kprod_send_many", count);
    accepted += (uint64_t)count;
    full = why == KPROD_ERR_QUEUE_FULL;
    if (!full && why != KPROD_ERR_REPORT_QUEUE_FULL)
        check("kprod_send_many", why);
}

/* Takes all reports that are there. */
static void drain(kprod_producer_t *producer)
{
    static kprod_delivery_t reports[REPORTS_PER_POLL];
    int64_t got;
    do {
        got = kprod_poll(producer, reports, REPORTS_PER_POLL, 0);
        if (got < 0 && got != KPROD_ERR_CLOSED) /* which says that it has been closed and all is told */
            check("kprod_poll", got);
        for (int64_t i = 0; i < got; i++) {
            if (reports[i].kind == KPROD_KIND_WRITABLE)
                full = 0;
            else if (reports[i].kind == KPROD_KIND_RECORD && reports[i].error == KPROD_ERR_OK)
                delivered++;
        }
    } while (got == REPORTS_PER_POLL);
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: %s HOST:PORT|--mock [TOPIC [SECONDS]]\n", argv[0]);
        return EXIT_FAILURE;
    }
    const char *name = argc > 2 ? argv[2] : "rate";
    double seconds = argc > 3 ? strtod(argv[3], NULL) : 5;
    kprod_producer_t *producer = create(argv[1]);
    uint32_t topic;
    check(name, kprod_topic(producer, name, (int64_t)strlen(name), &topic));
    static const uint8_t value[100];
    static kprod_record_t records[RECORDS_PER_CALL];
    for (int i = 0; i < RECORDS_PER_CALL; i++) {
        kprod_record_init(&records[i]);
        records[i].topic = topic;
        records[i].value = value;
        records[i].value_len = sizeof value;
    }

    int32_t wake;
    check("kprod_wake_fd", kprod_wake_fd(producer, &wake));
    int loop = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (loop < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, wake, &event) < 0) {
        perror("epoll");
        return EXIT_FAILURE;
    }

    double start = now();
    while (now() - start < seconds) {
        if (!full)
            send_some(producer, records);
        if (epoll_wait(loop, &event, 1, full ? 100 : 0) < 1)
            continue; /* nothing is reported yet, or a signal came */
        char bell[64];
        while (read(wake, bell, sizeof bell) > 0)
            continue; /* empty the pipe first, then the queue: nothing is missed */
        drain(producer);
    }

    check("kprod_close", kprod_close(producer, KPROD_TIMEOUT_CONFIGURED, NULL));
    drain(producer);
    printf("%" PRIu64 " of %" PRIu64 " records delivered, %.0f each second\n", delivered, accepted,
           (double)delivered / (now() - start));
    close(loop);
    close(wake);
    kprod_destroy(producer);
    return delivered == accepted ? EXIT_SUCCESS : EXIT_FAILURE;
}
