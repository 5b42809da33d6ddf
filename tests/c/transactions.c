/* Transactions through the C interface: what fits, what does not, offsets, and the asynchronous twins. */
#include "check.h"

static kprod_producer_t *transactional(void)
{
    kprod_config_t *config = mock_config();
    CHECK_CODE(0, kprod_config_set(config, "transactional.id", "c", NULL));
    return create(config);
}

static void send_one(kprod_producer_t *producer, uint32_t handle, uint64_t tag, int32_t expected)
{
    kprod_record_t record = record_with_value(handle, "v");
    record.tag = tag;
    CHECK_CODE(expected, kprod_send(producer, &record));
}

static kprod_delivery_t next(kprod_producer_t *producer, uint32_t kind)
{
    kprod_delivery_t report;
    do
        CHECK_CODE(1, kprod_poll(producer, &report, 1, 10000));
    while (report.kind != kind);
    return report;
}

typedef int32_t step_fn(kprod_producer_t *, int32_t, kprod_error_t **);

static void expect_illegal(kprod_producer_t *producer, step_fn *step, const char *word)
{
    kprod_error_t *err = NULL;
    CHECK_CODE(KPROD_ERR_ILLEGAL_STATE, step(producer, 1000, &err));
    CHECK(err != NULL && strstr(kprod_error_message(err), word) != NULL);
    CHECK(!kprod_error_is_abortable(err) && !kprod_error_is_fatal(err));
    kprod_error_free(err);
}

static void begins_commits_and_aborts(kprod_producer_t *producer, uint32_t handle)
{
    send_one(producer, handle, 0, KPROD_ERR_ILLEGAL_STATE);
    expect_illegal(producer, kprod_commit_transaction, "no transaction is open");
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_begin_transaction(producer, -2, NULL));
    CHECK_CODE(0, kprod_begin_transaction(producer, KPROD_TIMEOUT_CONFIGURED, NULL));
    expect_illegal(producer, kprod_begin_transaction, "is open");
    send_one(producer, handle, 1, 0);
    CHECK_CODE(0, kprod_commit_transaction(producer, 10000, NULL));
    kprod_delivery_t report = next(producer, KPROD_KIND_RECORD);
    CHECK(report.tag == 1 && report.error == 0);
    send_one(producer, handle, 2, KPROD_ERR_ILLEGAL_STATE);
    CHECK_CODE(0, kprod_begin_transaction(producer, 10000, NULL));
    send_one(producer, handle, 3, 0);
    CHECK_CODE(0, kprod_abort_transaction(producer, 10000, NULL));
    report = next(producer, KPROD_KIND_RECORD);
    CHECK(report.tag == 3);
}

static kprod_group_offset_t offset_of(const char *topic_name)
{
    kprod_group_offset_t offset = {0};
    offset.topic_name = topic_name, offset.topic_name_len = (int64_t)strlen(topic_name);
    offset.offset = 7;
    offset.metadata_len = KPROD_NULL;
    offset.leader_epoch = -1;
    return offset;
}

static void sends_offsets(kprod_producer_t *producer, const char *topic_name)
{
    kprod_group_metadata_t group;
    kprod_group_metadata_init(&group);
    CHECK(group.generation_id == -1 && group.group_instance_id_len == KPROD_NULL && group.member_id_len == 0);
    kprod_group_offset_t offset = offset_of(topic_name);
    CHECK_CODE(0, kprod_begin_transaction(producer, 10000, NULL));

    /* What is wrong changes nothing. */
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_send_offsets_to_transaction(producer, &offset, 1, &group, 1000, NULL));
    group.group_id = "group", group.group_id_len = 5;
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_send_offsets_to_transaction(producer, NULL, 1, &group, 1000, NULL));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_send_offsets_to_transaction(producer, &offset, 1, NULL, 1000, NULL));
    CHECK_CODE(KPROD_ERR_INVALID_ARG,
               kprod_send_offsets_to_transaction(producer, &offset, UINT64_MAX, &group, 1000, NULL));
#define REFUSED(expected, change)                                                                                     \
    do {                                                                                                              \
        kprod_group_offset_t bad = offset;                                                                            \
        bad.change;                                                                                                   \
        CHECK_CODE(expected, kprod_send_offsets_to_transaction(producer, &bad, 1, &group, 1000, NULL));               \
    } while (0)
    REFUSED(KPROD_ERR_INVALID_ARG, offset = -1);
    REFUSED(KPROD_ERR_INVALID_ARG, partition = -1);
    REFUSED(KPROD_ERR_INVALID_ARG, leader_epoch = -2);
    REFUSED(KPROD_ERR_INVALID_ARG, metadata_len = 4);
    REFUSED(KPROD_ERR_INVALID_ARG, topic_name = NULL);
    REFUSED(KPROD_ERR_INVALID_ARG, reserved[1] = 1);
    REFUSED(KPROD_ERR_INVALID_TOPIC_EXCEPTION, topic_name_len = 0);

    kprod_error_t *err = NULL;
    group.generation_id = -2;
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_send_offsets_to_transaction(producer, &offset, 1, &group, 1000, &err));
    CHECK(strstr(kprod_error_message(err), "generation_id") != NULL);
    kprod_error_free(err);
    group.generation_id = -1;

    CHECK_CODE(0, kprod_send_offsets_to_transaction(producer, &offset, 1, &group, 10000, NULL));
    CHECK_CODE(0, kprod_send_offsets_to_transaction(producer, NULL, 0, &group, 10000, NULL));
    CHECK_CODE(0, kprod_commit_transaction(producer, 10000, NULL));
}

static void has_asynchronous_twins(kprod_producer_t *producer, uint32_t handle, const char *topic_name)
{
    kprod_group_metadata_t group;
    kprod_group_metadata_init(&group);
    group.group_id = "group", group.group_id_len = 5;
    kprod_group_offset_t offset = offset_of(topic_name);
    CHECK_CODE(0, kprod_begin_transaction_async(producer, 1));
    kprod_delivery_t report = next(producer, KPROD_KIND_OPERATION);
    CHECK(report.tag == 1 && report.error == 0);
    send_one(producer, handle, 9, 0);
    CHECK_CODE(0, kprod_send_offsets_to_transaction_async(producer, &offset, 1, &group, 2));
    report = next(producer, KPROD_KIND_OPERATION);
    CHECK(report.tag == 2 && report.error == 0);
    CHECK_CODE(0, kprod_commit_transaction_async(producer, 3));
    report = next(producer, KPROD_KIND_OPERATION);
    CHECK(report.tag == 3 && report.error == 0);
    CHECK_CODE(0, kprod_abort_transaction_async(producer, 4));
    report = next(producer, KPROD_KIND_OPERATION);
    CHECK(report.tag == 4 && report.error == KPROD_ERR_ILLEGAL_STATE && report.detail != 0);
}

int main(void)
{
    kprod_producer_t *producer = transactional();
    uint32_t handle = topic(producer, "transactions");
    begins_commits_and_aborts(producer, handle);
    sends_offsets(producer, "transactions");
    has_asynchronous_twins(producer, handle, "transactions");

    /* An open transaction is aborted by close. */
    CHECK_CODE(0, kprod_begin_transaction(producer, 10000, NULL));
    send_one(producer, handle, 10, 0);
    CHECK_CODE(0, kprod_close(producer, 10000, NULL));
    CHECK_CODE(KPROD_ERR_CLOSED, kprod_begin_transaction(producer, 1000, NULL));
    CHECK_CODE(0, kprod_destroy(producer));

    kprod_producer_t *plain = create(mock_config());
    expect_illegal(plain, kprod_begin_transaction, "transactional.id");
    CHECK_CODE(KPROD_ERR_ILLEGAL_STATE, kprod_commit_transaction_async(plain, 1));
    close_and_destroy(plain);
    return 0;
}
