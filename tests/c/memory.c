/* A host that has no more memory to give hears so; what it has sent is not lost, and it goes on. */
#include <sys/resource.h>
#include <unistd.h>

#include "check.h"

static rlim_t address_space(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL);
    CHECK(fscanf(file, "%lu", &pages) == 1);
    fclose(file);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static void limit(rlim_t bytes)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = bytes;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
}

/* Sends large records until one is refused; gives the refusal's code and adds up the accepted ones. */
static int32_t send_until_refused(kprod_producer_t *producer, uint32_t handle, int blocking, int *accepted)
{
    static uint8_t value[900 * 1000];
    kprod_record_t record;
    kprod_record_init(&record);
    record.topic = handle;
    record.value = value;
    record.value_len = (int64_t)sizeof value;
    for (int i = 0; i < 2000; i++) {
        int32_t code = blocking ? kprod_send(producer, &record) : kprod_try_send(producer, &record);
        if (code != 0)
            return code;
        ++*accepted;
    }
    return 0;
}

int main(void)
{
    kprod_config_t *config = mock_config();
    CHECK_CODE(0, kprod_config_set(config, "buffer.memory", "1073741824", NULL));
    CHECK_CODE(0, kprod_config_set(config, "linger.ms", "600000", NULL));
    CHECK_CODE(0, kprod_config_set(config, "batch.size", "1000000", NULL));
    kprod_producer_t *producer = create(config);
    uint32_t known = topic(producer, "known");
    kprod_record_t first = record_with_value(known, "first");
    CHECK_CODE(0, kprod_send(producer, &first));
    int accepted = 1;

    for (int blocking = 0; blocking <= 1; blocking++) {
        limit(address_space() + 4 * 1024 * 1024);
        CHECK_CODE(KPROD_ERR_OUT_OF_MEMORY, send_until_refused(producer, known, blocking, &accepted));
        limit(RLIM_INFINITY);
    }
    CHECK_CODE(0, kprod_flush(producer, 60000, NULL));

    /* All that was accepted is reported, and what follows goes through. */
    CHECK_CODE(0, kprod_send(producer, &first));
    accepted++;
    CHECK_CODE(0, kprod_flush(producer, 60000, NULL));
    for (int seen = 0; seen < accepted;) {
        kprod_delivery_t deliveries[64];
        int64_t count = kprod_poll(producer, deliveries, 64, 60000);
        CHECK(count > 0);
        for (int64_t i = 0; i < count; i++)
            CHECK_CODE(0, deliveries[i].error);
        seen += (int)count;
    }
    close_and_destroy(producer);
    return 0;
}
