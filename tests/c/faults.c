/* Faults that script/sanitize must find, each by its tool: without that, a clean run would say nothing. */
#include <pthread.h>

#include "check.h"

/* The record claims a byte more than there is; the library reads it. */
static void overrun(void)
{
    kprod_producer_t *producer = create(mock_config());
    kprod_record_t record = record_with_value(topic(producer, "faults"), "");
    char *value = malloc(40);
    memset(value, 'v', 40);
    record.value = (const uint8_t *)value;
    record.value_len = 41;
    CHECK_CODE(0, kprod_send(producer, &record));
    free(value);
    close_and_destroy(producer);
}

/* A configuration that nobody frees. */
static void leak(void)
{
    kprod_config_t *volatile config = mock_config();
    config = NULL;
    (void)config;
}

static void *set(void *config)
{
    for (int i = 0; i < 100; i++)
        kprod_config_set(config, "client.id", "somebody", NULL);
    return NULL;
}

/* A configuration is for one thread at a time. The lock-free look at it comes first, so that nothing breaks. */
static void race(void)
{
    kprod_config_t *config = mock_config();
    pthread_t thread;
    const char *value;
    CHECK(pthread_create(&thread, NULL, set, config) == 0);
    for (int i = 0; i < 100; i++)
        kprod_config_get(config, "acks", &value, NULL);
    CHECK(pthread_join(thread, NULL) == 0);
    kprod_config_free(config);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    if (strcmp(argv[1], "overrun") == 0)
        overrun();
    else if (strcmp(argv[1], "leak") == 0)
        leak();
    else if (strcmp(argv[1], "race") == 0)
        race();
    else
        return 2;
    return 0;
}
