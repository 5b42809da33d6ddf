/* A host that has no more memory to give hears so, and nobody dies of it; what it has sent is not lost, and it goes on. */
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "kprod_mock.h"

enum { KIB = 1024, STEP = 128 * KIB, MOST = 12 * 1024 * KIB };

static void limit(rlim_t bytes)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = bytes;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
}

static void limit_to_present_and(rlim_t bytes)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL);
    CHECK(fscanf(file, "%lu", &pages) == 1);
    fclose(file);
    limit((rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + bytes);
}

static kprod_config_t *config_with_batches_of(const char *batch_size)
{
    kprod_config_t *config = mock_config();
    CHECK_CODE(0, kprod_config_set(config, "buffer.memory", "1073741824", NULL));
    CHECK_CODE(0, kprod_config_set(config, "linger.ms", "600000", NULL));
    CHECK_CODE(0, kprod_config_set(config, "batch.size", batch_size, NULL));
    return config;
}

/* Sends until a record is refused for want of memory; gives the number of accepted ones. */
static int send_until_refused(kprod_producer_t *producer, const kprod_record_t *record,
                              int32_t (*send)(kprod_producer_t *, const kprod_record_t *))
{
    for (int accepted = 0;; accepted++) {
        int32_t code = send(producer, record);
        if (code == KPROD_ERR_OUT_OF_MEMORY)
            return accepted;
        CHECK_CODE(0, code);
        CHECK(accepted < 100000);
    }
}

/* Takes that many reports, and none that tells of anything but success or this. */
static void take_reports(kprod_producer_t *producer, int count, int32_t allowed)
{
    while (count > 0) {
        kprod_delivery_t deliveries[64];
        int64_t taken = kprod_poll(producer, deliveries, 64, 60000);
        CHECK(taken > 0);
        for (int64_t i = 0; i < taken; i++)
            CHECK(deliveries[i].error == 0 || deliveries[i].error == allowed);
        count -= (int)taken;
    }
}

static void a_refused_record_changes_nothing(void)
{
    static uint8_t large[900 * 1000];
    kprod_producer_t *producer = create(config_with_batches_of("1000000"));
    uint32_t known = topic(producer, "known");
    kprod_record_t first = record_with_value(known, "first");
    CHECK_CODE(0, kprod_send(producer, &first));
    int accepted = 1;

    kprod_record_t record = record_with_value(known, "");
    record.value = large;
    record.value_len = (int64_t)sizeof large;
    limit_to_present_and(4 * 1024 * KIB);
    accepted += send_until_refused(producer, &record, kprod_try_send);
    limit_to_present_and(4 * 1024 * KIB);
    accepted += send_until_refused(producer, &record, kprod_send);
    limit(RLIM_INFINITY);
    CHECK_CODE(0, kprod_flush(producer, 60000, NULL));

    /* All that was accepted is reported, and what follows goes through. */
    CHECK_CODE(0, kprod_send(producer, &first));
    accepted++;
    CHECK_CODE(0, kprod_flush(producer, 60000, NULL));
    take_reports(producer, accepted, 0);
    close_and_destroy(producer);
}

/* In a process of its own. Ends with 0 where the producer worked, with 2 where it was refused. */
static void produce_with(rlim_t bytes)
{
    static uint8_t value[1000];
    kprod_config_t *config = config_with_batches_of("16384");
    kprod_producer_t *producer = NULL;
    limit_to_present_and(bytes);
    int32_t code = kprod_create(config, KPROD_API_VERSION, &producer, NULL);
    if (code != 0) {
        CHECK(code == KPROD_ERR_OUT_OF_MEMORY || code == KPROD_ERR_THREAD);
        _exit(2);
    }
    /* Until its topic is known it is parked. */
    kprod_record_t record = record_with_value(0, "");
    record.topic_name = "unknown";
    record.topic_name_len = 7;
    record.value = value;
    record.value_len = (int64_t)sizeof value;
    int accepted = send_until_refused(producer, &record, kprod_try_send);
    limit(RLIM_INFINITY);
    CHECK_CODE(0, kprod_flush(producer, 60000, NULL));
    take_reports(producer, accepted, KPROD_ERR_OUT_OF_MEMORY);
    close_and_destroy(producer);
    kprod_config_free(config);
    _exit(0);
}

/* How a process ended that had so much memory: with 0, or with 2 for a refusal; nothing else passes. */
static int end_of(pid_t child, rlim_t bytes)
{
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    int ended = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (ended != 0 && ended != 2)
        fprintf(stderr, "with %llu KiB: status %d\n", (unsigned long long)bytes / KIB, status);
    CHECK(ended == 0 || ended == 2);
    return ended;
}

/* At whatever point the memory ends. */
static void nobody_dies_where_there_is_hardly_any(void)
{
    int worked = 0, refused = 0;
    for (rlim_t bytes = 0; bytes <= MOST; bytes += STEP) {
        pid_t child = fork();
        CHECK(child != -1);
        if (child == 0)
            produce_with(bytes);
        int ended = end_of(child, bytes);
        worked += ended == 0;
        refused += ended == 2;
    }
    CHECK(worked > 0 && refused > 0);
}

/* In a process of its own. Ends with 0 where the record was delivered, with 2 where it was refused. */
static void compress_with(const char *bootstrap, const char *codec, rlim_t bytes)
{
    /* What the codec may need for it is more than what is taken from the reserve. */
    static uint8_t value[1000 * 1000];
    kprod_config_t *config = kprod_config_new();
    CHECK_CODE(0, kprod_config_set(config, "bootstrap.servers", bootstrap, NULL));
    CHECK_CODE(0, kprod_config_set(config, "compression.type", codec, NULL));
    kprod_producer_t *producer = create(config);
    uint32_t large = topic(producer, "large");
    int32_t count = 0;
    CHECK_CODE(0, kprod_partitions_for(producer, large, 10000, &count, NULL));
    kprod_record_t record = record_with_value(large, "");
    record.value = value;
    record.value_len = (int64_t)sizeof value;
    limit_to_present_and(bytes);
    int32_t code = kprod_send(producer, &record);
    if (code == 0)
        CHECK_CODE(0, kprod_flush(producer, 60000, NULL));
    limit(RLIM_INFINITY);
    if (code != 0)
        CHECK_CODE(KPROD_ERR_OUT_OF_MEMORY, code);
    else
        take_reports(producer, 1, 0);
    close_and_destroy(producer);
    _exit(code == 0 ? 0 : 2);
}

/* Wherever the memory ends while a record is compressed, it goes as it is. */
static void what_cannot_be_compressed_goes_as_it_is(void)
{
    /* A thread's own arena would have address space in advance. This is before the process has any thread. */
    CHECK(mallopt(M_ARENA_MAX, 1) == 1);
    kprod_mock_t *mock = NULL;
    CHECK_CODE(0, kprod_mock_create(1, &mock, NULL));
    CHECK_CODE(0, kprod_mock_create_topic(mock, "large", 1));
    const char *bootstrap = kprod_mock_bootstrap(mock);
    int delivered = 0;
    for (rlim_t bytes = 0; bytes <= MOST / 2; bytes += STEP) {
        pid_t child = fork();
        CHECK(child != -1);
        if (child == 0)
            compress_with(bootstrap, (bytes / STEP) % 2 ? "lz4" : "snappy", bytes);
        int ended = end_of(child, bytes);
        delivered += ended == 0;
    }
    CHECK(delivered > 0);
    CHECK(kprod_mock_record_count(mock, "large", 0) == delivered);
    kprod_mock_destroy(mock);
}

/* An answer that there is no memory for costs the connection, and is asked for again. */
static void an_answer_that_is_too_large_for_the_memory_comes_later(void)
{
    enum { TOPICS = 24, PARTITIONS = 10 * 1000, API_VERSIONS = 18 };
    char names[TOPICS][16];
    kprod_mock_t *mock = NULL;
    CHECK_CODE(0, kprod_mock_create(1, &mock, NULL));
    for (int i = 0; i < TOPICS; i++) {
        snprintf(names[i], sizeof names[i], "large-%d", i);
        CHECK_CODE(0, kprod_mock_create_topic(mock, names[i], PARTITIONS));
    }
    /* Until then all have been asked for, and so are in one answer. */
    kprod_mock_fault_t late;
    kprod_mock_fault_init(&late);
    late.api = API_VERSIONS;
    late.delay_ms = 300;
    CHECK_CODE(0, kprod_mock_inject(mock, &late));
    const char *bootstrap = kprod_mock_bootstrap(mock);
    pid_t child = fork();
    CHECK(child != -1);
    if (child == 0) {
        kprod_config_t *config = kprod_config_new();
        CHECK_CODE(0, kprod_config_set(config, "bootstrap.servers", bootstrap, NULL));
        kprod_producer_t *producer = create(config);
        uint32_t last = 0;
        int32_t count = 0;
        kprod_error_t *err = NULL;
        limit_to_present_and(1024 * KIB);
        for (int i = 0; i < TOPICS; i++) {
            last = topic(producer, names[i]);
            CHECK_CODE(0, kprod_partitions_for_async(producer, last, (uint64_t)i));
        }
        CHECK_CODE(KPROD_ERR_OUT_OF_MEMORY, kprod_partitions_for(producer, last, 2000, &count, &err));
        CHECK(strstr(kprod_error_message(err), bootstrap) != NULL);
        CHECK(strstr(kprod_error_message(err), "memory") != NULL);
        kprod_error_free(err);
        limit(RLIM_INFINITY);
        CHECK_CODE(0, kprod_partitions_for(producer, last, 60000, &count, NULL));
        CHECK(count == PARTITIONS);
        close_and_destroy(producer);
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    kprod_mock_destroy(mock);
}

int main(void)
{
    nobody_dies_where_there_is_hardly_any();
    what_cannot_be_compressed_goes_as_it_is();
    an_answer_that_is_too_large_for_the_memory_comes_later();
    a_refused_record_changes_nothing();
    return 0;
}
