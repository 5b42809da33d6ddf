/* Codes have names and texts, versions agree, and a record starts out as documented. */
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

int main(void)
{
    codes_have_names_and_texts();
    versions_agree();
    a_record_starts_blank();
    return 0;
}
