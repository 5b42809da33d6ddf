/* Drives one contestant: a warm-up, then the measured records, by some sending threads and one that polls. */
#include "client.h"
#include "measure.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_SENDERS 16
#define MAX_PROPERTIES 32

struct share {
    const struct options *options;
    const uint8_t *value;
    uint64_t count;
};

void nap(void) {
    struct timespec millisecond = {.tv_nsec = 1000000};
    nanosleep(&millisecond, NULL);
}

static void *send_share(void *argument) {
    const struct share *share = argument;
    contestant_send(share->value, share->options->value_size, share->count);
    return NULL;
}

static void *poll_all(void *argument) {
    uint64_t expected = *(const uint64_t *)argument, reported = 0;
    while (reported < expected) reported += contestant_poll();
    if (reported != expected) fail("%llu reports for %llu records", (unsigned long long)reported, (unsigned long long)expected);
    return NULL;
}

static pthread_t start(void *(*run)(void *), void *argument) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, argument) != 0) fail("cannot start a thread");
    return thread;
}

/* Sends records and returns when each has been reported. */
static void run(const struct options *options, const uint8_t *value, uint64_t records) {
    pthread_t poller = start(poll_all, &records), senders[MAX_SENDERS];
    struct share shares[MAX_SENDERS];
    for (uint64_t i = 0; i < options->senders; i++) {
        uint64_t first = records * i / options->senders, end = records * (i + 1) / options->senders;
        shares[i] = (struct share){.options = options, .value = value, .count = end - first};
        senders[i] = start(send_share, &shares[i]);
    }
    for (uint64_t i = 0; i < options->senders; i++) pthread_join(senders[i], NULL);
    contestant_flush();
    pthread_join(poller, NULL);
}

/* --bootstrap HOST:PORT --topic T --size N --records N --warmup N --senders N [--set NAME=VALUE]... */
static struct options parse(int count, char **arguments, struct property *properties) {
    struct options options = {.senders = 1, .properties = properties};
    for (int i = 1; i + 1 < count; i += 2) {
        char *name = arguments[i], *value = arguments[i + 1];
        if (!strcmp(name, "--bootstrap")) options.bootstrap = value;
        else if (!strcmp(name, "--topic")) options.topic = value;
        else if (!strcmp(name, "--size")) options.value_size = number(value);
        else if (!strcmp(name, "--records")) options.records = number(value);
        else if (!strcmp(name, "--warmup")) options.warmup = number(value);
        else if (!strcmp(name, "--senders")) options.senders = number(value);
        else if (!strcmp(name, "--set") && strchr(value, '=') && options.property_count < MAX_PROPERTIES) {
            char *equals = strchr(value, '=');
            *equals = 0;
            properties[options.property_count++] = (struct property){.name = value, .value = equals + 1};
        } else fail("what is %s %s?", name, value);
    }
    if (!options.bootstrap || !options.topic || !options.records) fail("bootstrap, topic or records missing");
    if (options.senders < 1 || options.senders > MAX_SENDERS) fail("1 to %d senders", MAX_SENDERS);
    return options;
}

int main(int count, char **arguments) {
    struct property properties[MAX_PROPERTIES];
    struct options options = parse(count, arguments, properties);
    uint8_t *value = malloc(options.value_size + 1);
    if (!value) fail("no memory");
    for (size_t i = 0; i < options.value_size; i++) value[i] = (uint8_t)('a' + i % 26);

    contestant_open(&options);
    run(&options, value, options.warmup);
    struct mark begin = measure_now();
    run(&options, value, options.records);
    struct mark end = measure_now();
    measure_print(begin, end, contestant_version(), options.records, options.warmup + options.records);
    contestant_close();
    free(value);
    return 0;
}
