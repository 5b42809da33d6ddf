/* The mock cluster through C: it is steered, and the producer copes. */
#include "check.h"
#include "kprod_mock.h"

static kprod_mock_t *start(int32_t brokers)
{
    kprod_mock_t *mock = NULL;
    CHECK_CODE(0, kprod_mock_create(brokers, &mock, NULL));
    CHECK(mock != NULL && strchr(kprod_mock_bootstrap(mock), ':') != NULL);
    return mock;
}

static kprod_producer_t *producer_of(kprod_mock_t *mock)
{
    kprod_config_t *config = kprod_config_new();
    CHECK_CODE(0, kprod_config_set(config, "bootstrap.servers", kprod_mock_bootstrap(mock), NULL));
    CHECK_CODE(0, kprod_config_set(config, "retry.backoff.ms", "1", NULL));
    CHECK_CODE(0, kprod_config_set(config, "retry.backoff.max.ms", "10", NULL));
    return create(config);
}

static kprod_delivery_t deliver(kprod_producer_t *producer, uint32_t topic, int32_t partition)
{
    kprod_delivery_t report;
    kprod_record_t record = record_with_value(topic, "value");
    record.partition = partition;
    CHECK_CODE(0, kprod_send_wait(producer, &record, 20000, &report));
    return report;
}

static void bad_arguments_are_answered(void)
{
    kprod_mock_t *mock = NULL;
    kprod_error_t *err = NULL;
    uint64_t zeros[64] = {0};
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_mock_create(0, &mock, &err));
    CHECK(mock == NULL && strstr(kprod_error_message(err), "brokers") != NULL);
    kprod_error_free(err);
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_mock_create(1, NULL, NULL));
    for (int i = 0; i < 2; i++) {
        kprod_mock_t *wrong = i ? (kprod_mock_t *)zeros : NULL;
        CHECK(kprod_mock_bootstrap(wrong) == NULL);
        CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_mock_create_topic(wrong, "t", 1));
        CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_mock_disconnect(wrong, 1));
        CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_mock_record_count(wrong, "t", 0));
        CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_mock_clear_faults(wrong));
        kprod_mock_destroy(wrong);
    }

    mock = start(2);
    kprod_mock_fault_t fault;
    CHECK_CODE(0, kprod_mock_create_topic(mock, "t", 2));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_mock_create_topic(mock, "t", 2));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_mock_create_topic(mock, "u", 0));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_mock_create_topic(mock, NULL, 1));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_mock_set_broker_state(mock, 9, KPROD_MOCK_BROKER_UP));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_mock_set_broker_state(mock, 1, 9));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_mock_disconnect(mock, 9));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_mock_set_leader(mock, "t", 0, 9));
    CHECK_CODE(KPROD_ERR_UNKNOWN_PARTITION, kprod_mock_set_leader(mock, "t", 9, 1));
    CHECK_CODE(KPROD_ERR_UNKNOWN_PARTITION, kprod_mock_record_count(mock, "none", 0));
    CHECK_CODE(0, kprod_mock_record_count(mock, "t", 1));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_mock_request_count(mock, 9999));
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_mock_inject(mock, NULL));
    kprod_mock_fault_init(&fault), fault.kind = 99;
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_mock_inject(mock, &fault));
    kprod_mock_fault_init(&fault), fault.times = 0;
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_mock_inject(mock, &fault));
    kprod_mock_fault_init(&fault), fault.partition = 1;
    CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_mock_inject(mock, &fault));
    kprod_mock_destroy(mock);
}

static void a_fault_that_cannot_strike_is_refused(void)
{
    static const int32_t kinds[] = {KPROD_MOCK_FAULT_ERROR, KPROD_MOCK_FAULT_ERROR_AFTER_WORK};
    static const int32_t no_errors[] = {0, 1 << 16, INT32_MIN};
    static const int32_t no_brokers[] = {-7, 0, 3, INT32_MAX};
    kprod_mock_t *mock = start(2);
    kprod_mock_fault_t fault;
    for (size_t i = 0; i < sizeof no_brokers / sizeof *no_brokers; i++) {
        kprod_mock_fault_init(&fault), fault.broker = no_brokers[i];
        CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_mock_inject(mock, &fault));
    }
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++)
        for (size_t i = 0; i < sizeof no_errors / sizeof *no_errors; i++) {
            kprod_mock_fault_init(&fault), fault.kind = kinds[kind], fault.error = no_errors[i];
            CHECK_CODE(KPROD_ERR_INVALID_ARG, kprod_mock_inject(mock, &fault));
        }

    /* A topic may come later: the fault waits for it, and nothing that was refused strikes before. */
    kprod_mock_fault_init(&fault), fault.topic = "later", fault.broker = 2;
    fault.kind = KPROD_MOCK_FAULT_ERROR, fault.error = KPROD_ERR_TOPIC_AUTHORIZATION_FAILED;
    CHECK_CODE(0, kprod_mock_inject(mock, &fault));
    kprod_producer_t *producer = producer_of(mock);
    CHECK_CODE(0, kprod_mock_create_topic(mock, "now", 1));
    CHECK_CODE(0, deliver(producer, topic(producer, "now"), 0).error);
    CHECK_CODE(0, kprod_mock_create_topic(mock, "later", 1));
    CHECK_CODE(0, kprod_mock_set_leader(mock, "later", 0, 2));
    CHECK_CODE(KPROD_ERR_TOPIC_AUTHORIZATION_FAILED, deliver(producer, topic(producer, "later"), 0).error);
    close_and_destroy(producer);
    kprod_mock_destroy(mock);
}

static void a_producer_gets_over_faults(void)
{
    kprod_mock_t *mock = start(3);
    CHECK_CODE(0, kprod_mock_create_topic(mock, "faults", 3));
    kprod_producer_t *producer = producer_of(mock);
    uint32_t handle = topic(producer, "faults");
    CHECK_CODE(0, deliver(producer, handle, 0).error);

    static const int32_t kinds[] = {
        KPROD_MOCK_FAULT_ERROR,    KPROD_MOCK_FAULT_DISCONNECT, KPROD_MOCK_FAULT_GARBAGE,
        KPROD_MOCK_FAULT_TRUNCATE, KPROD_MOCK_FAULT_CUT,        KPROD_MOCK_FAULT_WRONG_CORRELATION_ID,
        KPROD_MOCK_FAULT_NONE,     KPROD_MOCK_FAULT_HOSTILE_LENGTH,
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        kprod_mock_fault_t fault;
        kprod_mock_fault_init(&fault);
        fault.topic = "faults";
        fault.partition = 0;
        fault.kind = kinds[i];
        fault.error = KPROD_ERR_NOT_LEADER_OR_FOLLOWER;
        fault.argument = kinds[i] == KPROD_MOCK_FAULT_HOSTILE_LENGTH ? INT32_MAX : 5;
        fault.delay_ms = 1;
        CHECK_CODE(0, kprod_mock_inject(mock, &fault));
        CHECK_CODE(0, deliver(producer, handle, 0).error);
    }
    CHECK(kprod_mock_record_count(mock, "faults", 0) >= 9);
    CHECK(kprod_mock_request_count(mock, 0) > 9);

    CHECK_CODE(0, kprod_mock_set_leader(mock, "faults", 1, 2));
    CHECK_CODE(0, deliver(producer, handle, 1).error);
    CHECK_CODE(0, kprod_mock_set_leader(mock, "faults", 1, 3));
    CHECK_CODE(0, deliver(producer, handle, 1).error);
    CHECK_CODE(0, kprod_mock_set_broker_state(mock, 3, KPROD_MOCK_BROKER_DOWN));
    CHECK_CODE(0, kprod_mock_set_leader(mock, "faults", 1, 1));
    CHECK_CODE(0, deliver(producer, handle, 1).error);
    CHECK_CODE(0, kprod_mock_set_broker_state(mock, 3, KPROD_MOCK_BROKER_UP));
    CHECK_CODE(0, kprod_mock_disconnect(mock, 1));
    CHECK_CODE(0, deliver(producer, handle, 1).error);
    CHECK_CODE(4, kprod_mock_record_count(mock, "faults", 1));
    close_and_destroy(producer);
    kprod_mock_destroy(mock);
}

static void a_failure_is_explained(void)
{
    kprod_mock_t *mock = start(1);
    kprod_producer_t *producer = producer_of(mock);
    kprod_mock_fault_t fault;
    kprod_error_t *err = NULL;
    kprod_mock_fault_init(&fault);
    fault.kind = KPROD_MOCK_FAULT_ERROR;
    fault.error = KPROD_ERR_TOPIC_AUTHORIZATION_FAILED;
    CHECK_CODE(0, kprod_mock_inject(mock, &fault));
    kprod_delivery_t report = deliver(producer, topic(producer, "secrets"), 0);
    CHECK_CODE(KPROD_ERR_TOPIC_AUTHORIZATION_FAILED, report.error);
    CHECK((report.flags & KPROD_PERSISTENCE_MASK) == KPROD_PERSISTED_NOT);
    CHECK(report.offset == -1 && report.timestamp_type == KPROD_TIMESTAMP_NONE);
    CHECK_CODE(0, kprod_error_detail(producer, report.detail, &err));
    CHECK_CODE(KPROD_ERR_TOPIC_AUTHORIZATION_FAILED, kprod_error_code(err));
    CHECK(strstr(kprod_error_message(err), "secrets") != NULL);
    kprod_error_free(err);
    close_and_destroy(producer);
    kprod_mock_destroy(mock);
}

int main(void)
{
    bad_arguments_are_answered();
    a_fault_that_cannot_strike_is_refused();
    a_producer_gets_over_faults();
    a_failure_is_explained();
    return 0;
}
