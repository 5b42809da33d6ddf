/* librdkafka as a contestant: one rd_kafka_produce a record, reports as events. */
#include "client.h"
#include "measure.h"

#include <rdkafka.h>

static rd_kafka_t *producer;
static rd_kafka_topic_t *topic;
static rd_kafka_queue_t *reports;

static void set(rd_kafka_conf_t *config, const char *name, const char *value) {
    char why[256];
    if (rd_kafka_conf_set(config, name, value, why, sizeof why) != RD_KAFKA_CONF_OK) fail("%s=%s: %s", name, value, why);
}

const char *contestant_version(void) { return rd_kafka_version_str(); }

void contestant_open(const struct options *options) {
    char why[256];
    rd_kafka_conf_t *config = rd_kafka_conf_new();
    set(config, "bootstrap.servers", options->bootstrap);
    for (size_t i = 0; i < options->property_count; i++)
        set(config, options->properties[i].name, options->properties[i].value);
    rd_kafka_conf_set_events(config, RD_KAFKA_EVENT_DR);
    producer = rd_kafka_new(RD_KAFKA_PRODUCER, config, why, sizeof why);
    if (!producer) fail("%s", why);
    topic = rd_kafka_topic_new(producer, options->topic, NULL);
    if (!topic) fail("%s", rd_kafka_err2str(rd_kafka_last_error()));
    reports = rd_kafka_queue_get_main(producer);
}

void contestant_send(const uint8_t *value, size_t value_size, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, (void *)value, value_size, NULL, 0,
                                (void *)(uintptr_t)i) == -1) {
            rd_kafka_resp_err_t error = rd_kafka_last_error();
            if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) fail("send: %s", rd_kafka_err2str(error));
            nap();
        }
    }
}

uint64_t contestant_poll(void) {
    const rd_kafka_message_t *messages[REPORTS_AT_A_TIME];
    uint64_t taken = 0;
    size_t count;
    rd_kafka_event_t *event = rd_kafka_queue_poll(reports, POLL_MS);
    if (!event) return 0;
    while (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR &&
           (count = rd_kafka_event_message_array(event, messages, REPORTS_AT_A_TIME)) > 0) {
        for (size_t i = 0; i < count; i++)
            if (messages[i]->err) fail("report: %s", rd_kafka_err2str(messages[i]->err));
        taken += count;
    }
    rd_kafka_event_destroy(event);
    return taken;
}

void contestant_flush(void) {
    rd_kafka_resp_err_t error = rd_kafka_flush(producer, PATIENCE_MS);
    if (error) fail("flush: %s", rd_kafka_err2str(error));
}

void contestant_close(void) {
    rd_kafka_queue_destroy(reports);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer);
}
