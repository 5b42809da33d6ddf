/* libkprod as a contestant: one kprod_send a record, reports from kprod_poll. */
#include "client.h"
#include "measure.h"

#include <kprod.h>
#include <string.h>

static kprod_producer_t *producer;
static uint32_t topic;

static void check(int32_t code, kprod_error_t *error, const char *what) {
    if (code) fail("%s: %s", what, error ? kprod_error_message(error) : kprod_err_str(code));
}

const char *contestant_version(void) { return kprod_version_string(); }

void contestant_open(const struct options *options) {
    kprod_error_t *error = NULL;
    kprod_config_t *config = kprod_config_new();
    check(kprod_config_set(config, "bootstrap.servers", options->bootstrap, &error), error, "bootstrap.servers");
    for (size_t i = 0; i < options->property_count; i++) {
        const struct property *property = &options->properties[i];
        check(kprod_config_set(config, property->name, property->value, &error), error, property->name);
    }
    check(kprod_create(config, KPROD_API_VERSION, &producer, &error), error, "create");
    kprod_config_free(config);
    check(kprod_topic(producer, options->topic, (int64_t)strlen(options->topic), &topic), NULL, "topic");
}

void contestant_send(const uint8_t *value, size_t value_size, uint64_t count) {
    kprod_record_t record;
    kprod_record_init(&record);
    record.topic = topic;
    record.value = value;
    record.value_len = (int64_t)value_size;
    for (uint64_t i = 0; i < count; i++) {
        int32_t code;
        record.tag = i;
        while ((code = kprod_send(producer, &record)) != 0) {
            if (code != KPROD_ERR_REPORT_QUEUE_FULL) fail("send: %s", kprod_err_str(code));
            nap();
        }
    }
}

uint64_t contestant_poll(void) {
    kprod_delivery_t reports[REPORTS_AT_A_TIME];
    uint64_t taken = 0;
    int64_t count = kprod_poll(producer, reports, REPORTS_AT_A_TIME, POLL_MS);
    if (count < 0) fail("poll: %s", kprod_err_str((int32_t)count));
    for (int64_t i = 0; i < count; i++) {
        if (reports[i].kind != KPROD_KIND_RECORD) continue;
        if (reports[i].error) fail("report: %s", kprod_err_str(reports[i].error));
        taken++;
    }
    return taken;
}

void contestant_flush(void) {
    kprod_error_t *error = NULL;
    check(kprod_flush(producer, PATIENCE_MS, &error), error, "flush");
}

void contestant_close(void) {
    kprod_error_t *error = NULL;
    check(kprod_close(producer, PATIENCE_MS, &error), error, "close");
    check(kprod_destroy(producer), NULL, "destroy");
}
