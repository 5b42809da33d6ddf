/* Threads, descriptors and memory return to where they were after 1,000 producers. */
#define _GNU_SOURCE
#include <dirent.h>
#include <malloc.h>

#include "check.h"

enum { WARM_UP = 100, CYCLES = 1000, MEMORY_NOISE = 64 << 10 };

static int entries(const char *path)
{
    int count = 0;
    DIR *directory = opendir(path);
    CHECK(directory != NULL);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

/* Sends a record that cannot get anywhere, which close has to report. */
static void unreachable(void)
{
    kprod_config_t *config = kprod_config_new();
    CHECK_CODE(0, kprod_config_set(config, "bootstrap.servers", "127.0.0.1:1", NULL));
    kprod_producer_t *producer = create(config);
    kprod_record_t record = record_with_value(topic(producer, "cycles"), "v");
    kprod_delivery_t report;
    CHECK_CODE(0, kprod_try_send(producer, &record));
    CHECK_CODE(0, kprod_close(producer, 0, NULL));
    CHECK_CODE(1, kprod_poll(producer, &report, 1, 0));
    CHECK_CODE(KPROD_ERR_CLOSED, report.error);
    CHECK_CODE(0, kprod_destroy(producer));
}

static void on_delivery(uint64_t context, const kprod_delivery_t *reports, uint64_t count)
{
    (void)reports;
    *(uint64_t *)(uintptr_t)context += count;
}

/* Delivers a record, and leaves the closing to destroy. */
static void delivered(void)
{
    uint64_t reports = 0;
    kprod_config_t *config = mock_config();
    CHECK_CODE(0, kprod_config_set_delivery_callback(config, on_delivery, (uint64_t)(uintptr_t)&reports));
    kprod_producer_t *producer = create(config);
    kprod_record_t record = record_with_value(topic(producer, "cycles"), "v");
    CHECK_CODE(0, kprod_send(producer, &record));
    CHECK_CODE(0, kprod_flush(producer, 10000, NULL));
    CHECK_CODE(0, kprod_destroy(producer));
    CHECK(reports == 1);
}

int main(void)
{
    int threads = 0, descriptors = 0;
    size_t memory = 0;
    for (int i = 0; i < WARM_UP + CYCLES; i++) {
        if (i == WARM_UP) {
            threads = entries("/proc/self/task");
            descriptors = entries("/proc/self/fd");
            memory = mallinfo2().uordblks;
        }
        if (i % 10 == 0)
            delivered();
        else
            unreachable();
    }
    size_t now = mallinfo2().uordblks;
    printf("memory: %zu, then %zu\n", memory, now);
    CHECK(entries("/proc/self/task") == threads);
    CHECK(entries("/proc/self/fd") == descriptors);
    CHECK(now < memory + MEMORY_NOISE);
    return 0;
}
