/* Two producers in one process have nothing in common: not their reports, not their handles, not their troubles. */
#include <pthread.h>

#include "check.h"

enum { COUNT = 5000 };

struct side {
    kprod_producer_t *producer;
    uint64_t base; /* of its tags */
    char name[16];
};

static void *send_and_poll(void *argument)
{
    struct side *side = argument;
    uint32_t handle = topic(side->producer, side->name);
    uint64_t accepted = 0, reported = 0;
    while (reported < COUNT) {
        kprod_delivery_t reports[256];
        if (accepted < COUNT) {
            kprod_record_t record = record_with_value(handle, side->name);
            record.tag = side->base + accepted++;
            CHECK_CODE(0, kprod_send(side->producer, &record));
        }
        int64_t got = kprod_poll(side->producer, reports, 256, accepted < COUNT ? 0 : 10000);
        CHECK(got >= 0);
        for (int64_t i = 0; i < got; i++, reported++) {
            CHECK_CODE(0, reports[i].error);
            CHECK(reports[i].tag - side->base < COUNT);
            CHECK(strcmp(kprod_topic_name(side->producer, reports[i].topic), side->name) == 0);
        }
    }
    return NULL;
}

/* Each has a cluster of its own. */
static void at_the_same_time(void)
{
    struct side sides[2] = {{create(mock_config()), 0, "left"}, {create(mock_config()), 1000000, "right"}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, send_and_poll, &sides[i]) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < 2; i++)
        close_and_destroy(sides[i].producer);
}

/* One cannot reach its cluster and is closed with records left; the other goes on. */
static void one_in_trouble(void)
{
    kprod_config_t *config = kprod_config_new();
    kprod_delivery_t report;
    CHECK_CODE(0, kprod_config_set(config, "bootstrap.servers", "127.0.0.1:1", NULL));
    struct side good = {create(mock_config()), 0, "good"};
    kprod_producer_t *troubled = create(config);
    uint32_t handle = topic(troubled, "good");
    kprod_record_t record = record_with_value(handle, "lost");
    record.tag = 5;
    CHECK_CODE(0, kprod_try_send(troubled, &record));

    send_and_poll(&good);
    CHECK_CODE(0, kprod_poll(good.producer, &report, 1, 0));
    kprod_close(troubled, 0, NULL);
    CHECK_CODE(1, kprod_poll(troubled, &report, 1, 10000));
    CHECK(report.tag == 5 && report.error != 0);
    CHECK_CODE(0, kprod_destroy(troubled));

    send_and_poll(&good);
    close_and_destroy(good.producer);
}

int main(void)
{
    at_the_same_time();
    one_in_trouble();
    return 0;
}
