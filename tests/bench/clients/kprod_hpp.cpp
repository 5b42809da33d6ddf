// libkprod through kprod.hpp as a contestant: one producer::send a record, reports from producer::poll.
#include <kprod.hpp>

#include <optional>

extern "C" {
#include "client.h"
#include "measure.h"
}

static std::optional<kprod::producer> producer;
static std::optional<kprod::topic> topic;

template <class T> static T need(kprod::result<T> result, const char *what)
{
    if (!result)
        fail("%s: %s", what, result.error().message().c_str());
    return std::move(result).value();
}

static void need(kprod::result<void> result, const char *what)
{
    if (!result)
        fail("%s: %s", what, result.error().message().c_str());
}

extern "C" {

const char *contestant_version(void) { return kprod_version_string(); }

void contestant_open(const struct options *options)
{
    kprod::config config;
    config.set("bootstrap.servers", options->bootstrap);
    for (std::size_t i = 0; i < options->property_count; i++)
        config.set(options->properties[i].name, options->properties[i].value);
    producer = need(kprod::producer::create(config), "create");
    topic = need(producer->topic(options->topic), "topic");
}

void contestant_send(const std::uint8_t *value, std::size_t value_size, std::uint64_t count)
{
    for (std::uint64_t i = 0; i < count; i++) {
        const auto record = kprod::record(*topic).value(kprod::bytes(value, value_size)).tag(i);
        for (;;) {
            const auto sent = producer->send(record);
            if (sent)
                break;
            if (sent.error().code() != KPROD_ERR_REPORT_QUEUE_FULL)
                fail("send: %s", sent.error().message().c_str());
            nap();
        }
    }
}

std::uint64_t contestant_poll(void)
{
    kprod::report reports[REPORTS_AT_A_TIME];
    std::uint64_t taken = 0;
    const std::size_t count =
        need(producer->poll(reports, REPORTS_AT_A_TIME, std::chrono::milliseconds(POLL_MS)), "poll");
    for (std::size_t i = 0; i < count; i++) {
        if (reports[i].kind != KPROD_KIND_RECORD)
            continue;
        if (!reports[i].is_ok())
            fail("report: %s", kprod_err_str(reports[i].error));
        taken++;
    }
    return taken;
}

void contestant_flush(void) { need(producer->flush(std::chrono::milliseconds(PATIENCE_MS)), "flush"); }

void contestant_close(void)
{
    need(producer->close(std::chrono::milliseconds(PATIENCE_MS)), "close");
    producer.reset();
}
}
