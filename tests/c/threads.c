/* Every function that any thread may call, from many at once: each accepted record is reported once all the same. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "check.h"

enum { SENDERS = 4, COUNT = 1500, TOPICS = 3, ARRAY = 50 };

struct shared {
    kprod_producer_t *producer;
    atomic_int called_back, done;
    atomic_uchar seen[SENDERS][COUNT];
};

struct sender {
    struct shared *shared;
    int index;
    pthread_t thread;
};

static kprod_record_t record_of(const struct sender *sender, int n, char name[16])
{
    kprod_record_t record = record_with_value(0, "a value of some length");
    /* By name: whoever comes first makes the topic. */
    record.topic_name = name;
    record.topic_name_len = snprintf(name, 16, "threads-%d", n % TOPICS);
    record.tag = (uint64_t)sender->index * COUNT + (uint64_t)n;
    return record;
}

static void seen(struct shared *shared, uint64_t tag)
{
    CHECK(tag < SENDERS * COUNT);
    CHECK(atomic_fetch_add(&shared->seen[tag / COUNT][tag % COUNT], 1) == 0);
}

static void *send_waiting(void *context)
{
    struct sender *sender = context;
    char name[16];
    for (int n = 0; n < COUNT; n++) {
        kprod_record_t record = record_of(sender, n, name);
        CHECK_CODE(0, kprod_send(sender->shared->producer, &record));
    }
    return NULL;
}

static void *send_trying(void *context)
{
    struct sender *sender = context;
    char name[16];
    for (int n = 0; n < COUNT; n++) {
        kprod_record_t record = record_of(sender, n, name);
        int32_t code;
        while ((code = kprod_try_send(sender->shared->producer, &record)) == KPROD_ERR_QUEUE_FULL)
            sched_yield();
        CHECK_CODE(0, code);
    }
    return NULL;
}

static void *send_arrays(void *context)
{
    struct sender *sender = context;
    kprod_record_t records[ARRAY];
    char names[ARRAY][16];
    for (int n = 0; n < COUNT; n += ARRAY) {
        for (int i = 0; i < ARRAY; i++)
            records[i] = record_of(sender, n + i, names[i]);
        for (int64_t sent = 0; sent < ARRAY;) {
            int32_t why = 0;
            int64_t accepted =
                kprod_send_many(sender->shared->producer, records + sent, (uint64_t)(ARRAY - sent), &why);
            CHECK(accepted >= 0 && (why == 0 || why == KPROD_ERR_QUEUE_FULL));
            sent += accepted;
            sched_yield();
        }
    }
    return NULL;
}

static void called_back(uint64_t context, const kprod_delivery_t *report)
{
    struct shared *shared = (struct shared *)(uintptr_t)context;
    CHECK_CODE(0, report->error);
    seen(shared, report->tag);
    atomic_fetch_add(&shared->called_back, 1);
}

static void *send_with_callbacks(void *context)
{
    struct sender *sender = context;
    char name[16];
    for (int n = 0; n < COUNT; n++) {
        kprod_record_t record = record_of(sender, n, name);
        CHECK_CODE(0, kprod_send_with_callback(sender->shared->producer, &record, called_back,
                                               (uint64_t)(uintptr_t)sender->shared));
    }
    return NULL;
}

/* Until told to stop: looks, and flushes. */
static void *look_around(void *context)
{
    struct shared *shared = context;
    kprod_metrics_t metrics;
    int32_t count;
    while (!atomic_load(&shared->done)) {
        uint32_t handle = topic(shared->producer, "threads-0");
        CHECK(strcmp(kprod_topic_name(shared->producer, handle), "threads-0") == 0);
        CHECK_CODE(0, kprod_metrics(shared->producer, &metrics));
        CHECK_CODE(0, kprod_partitions_for(shared->producer, handle, 60000, &count, NULL));
        CHECK_CODE(0, kprod_flush(shared->producer, 60000, NULL));
        CHECK_CODE(0, kprod_fatal_error(shared->producer, NULL));
        CHECK_CODE(0, kprod_poll_interrupt(shared->producer));
    }
    return NULL;
}

/* Until all reports but those of the callbacks have been read. */
static void poll_all(struct shared *shared)
{
    kprod_delivery_t reports[64];
    for (int left = (SENDERS - 1) * COUNT; left > 0;) {
        int64_t got = kprod_poll(shared->producer, reports, 64, 60000); /* 0: interrupted */
        CHECK(got >= 0);
        for (int64_t i = 0; i < got; i++) {
            if (reports[i].kind != KPROD_KIND_RECORD)
                continue;
            CHECK_CODE(0, reports[i].error);
            seen(shared, reports[i].tag);
            left--;
        }
    }
}

int main(void)
{
    static struct shared shared;
    void *(*const ways[SENDERS])(void *) = {send_waiting, send_trying, send_arrays, send_with_callbacks};
    struct sender senders[SENDERS];
    pthread_t observer;

    shared.producer = create(mock_config());
    CHECK(pthread_create(&observer, NULL, look_around, &shared) == 0);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.shared = &shared, .index = i};
        CHECK(pthread_create(&senders[i].thread, NULL, ways[i], &senders[i]) == 0);
    }
    poll_all(&shared);
    for (int i = 0; i < SENDERS; i++)
        CHECK(pthread_join(senders[i].thread, NULL) == 0);
    atomic_store(&shared.done, 1);
    CHECK(pthread_join(observer, NULL) == 0);

    CHECK_CODE(0, kprod_close(shared.producer, 60000, NULL));
    CHECK(atomic_load(&shared.called_back) == COUNT);
    for (int i = 0; i < SENDERS; i++)
        for (int n = 0; n < COUNT; n++)
            CHECK(atomic_load(&shared.seen[i][n]) == 1);
    CHECK_CODE(0, kprod_destroy(shared.producer));
    return 0;
}
