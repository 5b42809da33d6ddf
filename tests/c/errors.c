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

static void a_name_is_not_said_to_be_unknown_for_want_of_a_descriptor(void)
{
    kprod_config_t *config = kprod_config_new();
    CHECK_CODE(0, kprod_config_set(config, "bootstrap.servers", "a-name.invalid:9092", NULL));
    kprod_producer_t *producer = create(config);

    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    rlim_t before = limit.rlim_cur;
    int next = dup(STDERR_FILENO);
    CHECK(next >= 0 && close(next) == 0);
    limit.rlim_cur = (rlim_t)next;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    kprod_error_t *err = NULL;
    CHECK_CODE(KPROD_ERR_RESOLVE, kprod_start(producer, 500, &err));
    CHECK(strstr(kprod_error_message(err), "a-name.invalid") != NULL);
    CHECK(strstr(kprod_error_message(err), "Too many open files") != NULL);
    kprod_error_free(err);
    limit.rlim_cur = before;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    close_and_destroy(producer);
}

int main(void)
{
    codes_have_names_and_texts();
    versions_agree();
    a_record_starts_blank();
    a_name_is_not_said_to_be_unknown_for_want_of_a_descriptor();
    return 0;
}
