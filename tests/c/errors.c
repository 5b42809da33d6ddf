/* Codes have names and texts, versions agree, and a record starts out as documented; messages name the culprit. */
#include <sys/resource.h>
#include <unistd.h>

#include "check.h"

static void codes_have_names_and_texts(void)
{
    CHECK(strcmp(kprod_err_name(KPROD_ERR_OK), "OK") == 0);
    CHECK(strcmp(kprod_err_name(KPROD_ERR_QUEUE_FULL), "QUEUE_FULL") == 0);
    CHECK(strcmp(kprod_err_name(KPROD_ERR_NOT_LEADER_OR_FOLLOWER), "NOT_LEADER_OR_FOLLOWER") == 0);
    CHECK(strstr(kprod_err_str(KPROD_ERR_QUEUE_FULL), "buffer.memory") != NULL);
    for (int32_t code = -400; code < 400; code++) {
        CHECK(strlen(kprod_err_name(code)) > 0);
        CHECK(strlen(kprod_err_str(code)) > 0);
    }
    CHECK(strcmp(kprod_err_name(INT32_MIN), kprod_err_name(INT32_MAX)) == 0);
}

static void versions_agree(void)
{
    char text[64];
    snprintf(text, sizeof text, "%d.%d.%d", KPROD_VERSION_MAJOR, KPROD_VERSION_MINOR, KPROD_VERSION_PATCH);
    CHECK(kprod_version() == KPROD_VERSION);
    CHECK(strcmp(kprod_version_string(), text) == 0);
    CHECK(kprod_api_version() == KPROD_API_VERSION);
}

static void a_record_starts_blank(void)
{
    kprod_record_t record;
    memset(&record, 0xff, sizeof record);
    kprod_record_init(&record);
    CHECK(record.key == NULL && record.key_len == KPROD_NULL);
    CHECK(record.value == NULL && record.value_len == KPROD_NULL);
    CHECK(record.headers == NULL && record.header_count == 0);
    CHECK(record.partition == KPROD_PARTITION_UNASSIGNED);
    CHECK(record.timestamp_ms == KPROD_TIMESTAMP_NOW);
    CHECK(record.tag == 0 && record.topic == 0 && record.topic_name == NULL && record.topic_name_len == 0);
    CHECK(record.reserved0 == 0 && record.reserved[0] == 0 && record.reserved[1] == 0);
}

static kprod_producer_t *producer_at(const char *servers)
{
    kprod_config_t *config = kprod_config_new();
    CHECK_CODE(0, kprod_config_set(config, "bootstrap.servers", servers, NULL));
    CHECK_CODE(0, kprod_config_set(config, "max.block.ms", "500", NULL));
    return create(config);
}

/* The lowest descriptor that is free. */
static int next_descriptor(void)
{
    int next = dup(STDERR_FILENO);
    CHECK(next >= 0 && close(next) == 0);
    return next;
}

/* Lets the process have so many more descriptors; gives the limit before. */
static rlim_t limit_descriptors_to_present_and(int more)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = (rlim_t)(next_descriptor() + more);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    return before;
}

static void limit_descriptors_to(rlim_t count)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = count;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void a_send_that_timed_out_has_its_cause_told(void)
{
    kprod_producer_t *producer = producer_at("127.0.0.1:1");
    kprod_error_t *err = NULL;
    CHECK_CODE(0, kprod_cluster_error(producer, &err));
    CHECK(err == NULL);
    kprod_record_t record = record_with_value(topic(producer, "t"), "v");
    CHECK_CODE(KPROD_ERR_TIMED_OUT, kprod_send(producer, &record));
    CHECK_CODE(KPROD_ERR_NO_BROKERS, kprod_cluster_error(producer, &err));
    CHECK_CODE(KPROD_ERR_NO_BROKERS, kprod_error_code(err));
    CHECK(strstr(kprod_error_message(err), "127.0.0.1:1") != NULL);
    CHECK(kprod_error_is_retriable(err));
    kprod_error_free(err);
    CHECK_CODE(KPROD_ERR_NO_BROKERS, kprod_cluster_error(producer, NULL));
    close_and_destroy(producer);
}

static void a_refused_wake_descriptor_costs_none(void)
{
    kprod_producer_t *producer = producer_at("127.0.0.1:1");
    int next = next_descriptor();
    int32_t fd = 77;
    for (int more = 0; more < 3; more++) {
        rlim_t before = limit_descriptors_to_present_and(more);
        CHECK_CODE(KPROD_ERR_THREAD, kprod_wake_fd(producer, &fd));
        limit_descriptors_to(before);
        CHECK(fd == 77 && next_descriptor() == next);
    }
    CHECK_CODE(0, kprod_wake_fd(producer, &fd));
    CHECK(close(fd) == 0);
    close_and_destroy(producer);
}

static void a_name_is_not_said_to_be_unknown_for_want_of_a_descriptor(void)
{
    kprod_producer_t *producer = producer_at("a-name.invalid:9092");
    rlim_t before = limit_descriptors_to_present_and(0);
    kprod_error_t *err = NULL;
    CHECK_CODE(KPROD_ERR_RESOLVE, kprod_start(producer, 500, &err));
    CHECK(strstr(kprod_error_message(err), "a-name.invalid") != NULL);
    CHECK(strstr(kprod_error_message(err), "Too many open files") != NULL);
    kprod_error_free(err);
    limit_descriptors_to(before);
    close_and_destroy(producer);
}

int main(void)
{
    codes_have_names_and_texts();
    versions_agree();
    a_record_starts_blank();
    a_send_that_timed_out_has_its_cause_told();
    a_refused_wake_descriptor_costs_none();
    a_name_is_not_said_to_be_unknown_for_want_of_a_descriptor();
    return 0;
}
