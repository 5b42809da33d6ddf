// Records go out and their outcomes come back, in each of the ways there are.
#include "check.hpp"

#include <atomic>
#include <thread>
#include <vector>

static void a_record_is_sent_and_reported()
{
    const mock_cluster cluster("greetings", 4);
    auto producer = kprod::producer::create(cluster.config()).value();
    producer.start(patience).value();
    const auto topic = producer.topic("greetings").value();
    CHECK(producer.topic_name(topic.handle()) == "greetings" && producer.topic_name(999).empty());
    CHECK(producer.partitions_for(topic).value() == 4);
    const auto at = std::chrono::system_clock::time_point(std::chrono::milliseconds(1700000000123));
    const std::vector<kprod::header> headers = {{"a", "b"}, {"", nullptr}, {"a", ""}};
    for (std::int64_t offset = 0; offset < 2; offset++) {
        const std::string value(300, 'v');
        auto record = kprod::record(topic).key("k").value(value).headers(headers).partition(2).timestamp(at);
        auto report = producer.send_wait(record, patience).value();
        CHECK(report.partition == 2 && report.offset == offset && report.timestamp() == at);
        CHECK(report.is_ok() && report.persistence() == KPROD_PERSISTED_YES);
    }
    auto by_name = producer.send_wait(kprod::record("greetings").value(nullptr).headers({{"one", "1"}, {"two", "2"}}));
    CHECK(by_name && producer.topic_name(by_name->topic) == "greetings");
    CHECK(producer.metrics()->records_delivered == 3);
    producer.close(patience).value();
    CHECK_ERROR(KPROD_ERR_CLOSED, producer.send(kprod::record(topic)));
}

static void refusals_are_errors()
{
    const mock_cluster cluster("secrets");
    auto producer = kprod::producer::create(cluster.config()).value();
    CHECK_ERROR(KPROD_ERR_INVALID_TOPIC_EXCEPTION, producer.topic("no/topic"));
    CHECK_ERROR(KPROD_ERR_INVALID_TOPIC_EXCEPTION, producer.topic({}));
    CHECK_ERROR(KPROD_ERR_UNKNOWN_PARTITION, producer.send(kprod::record("secrets").partition(9)));
    CHECK_ERROR(KPROD_ERR_UNKNOWN_TOPIC_HANDLE, producer.send(kprod::record(kprod::topic(77))));
    CHECK_ERROR(KPROD_ERR_RECORD_TOO_LARGE, producer.send(kprod::record("secrets").value(std::string(2 << 20, 'x'))));
    CHECK_ERROR(KPROD_ERR_UNKNOWN_PARTITION, producer.send_async(kprod::record("secrets").partition(9)).get());
    cluster.fail(KPROD_ERR_TOPIC_AUTHORIZATION_FAILED);
    auto failed = producer.send_wait(kprod::record("secrets"), patience);
    CHECK_ERROR(KPROD_ERR_TOPIC_AUTHORIZATION_FAILED, failed);
    CHECK(!failed.error().is_retriable() && failed.error().persistence() == KPROD_PERSISTED_NOT);
    CHECK(failed.error().message().find("secrets") != std::string::npos);
    CHECK(!producer.fatal_error());
}

static void a_send_that_timed_out_tells_why()
{
    kprod::config config;
    config.set("bootstrap.servers", "127.0.0.1:1").set("max.block.ms", 500);
    auto producer = kprod::producer::create(config).value();
    CHECK(!producer.cluster_error());
    const auto names_it = [](const kprod::result<void> &sent) {
        CHECK_ERROR(KPROD_ERR_TIMED_OUT, sent);
        CHECK(sent.error().is_retriable());
        CHECK(sent.error().message().find("127.0.0.1:1") != std::string::npos);
    };
    names_it(producer.send(kprod::record("t")));
    names_it(producer.send(kprod::record("t"), [](const kprod::report &) {}));
    CHECK(producer.cluster_error()->code() == KPROD_ERR_NO_BROKERS);
}

static void futures_have_the_outcome()
{
    const mock_cluster cluster("t", 3);
    auto config = cluster.config();
    config.set("linger.ms", 600000).set("request.timeout.ms", 700000);
    auto producer = kprod::producer::create(config).value();
    std::vector<std::future<kprod::result<kprod::report>>> futures;
    for (int i = 0; i < 100; i++)
        futures.push_back(producer.send_async(kprod::record("t").partition(1)));
    producer.flush(patience).value();
    for (std::int64_t i = 0; i < 100; i++)
        CHECK(futures[static_cast<std::size_t>(i)].get().value().offset == i);
    cluster.fail(KPROD_ERR_INVALID_RECORD);
    auto failing = producer.send_async(kprod::record("t"));
    producer.flush(patience).value();
    CHECK_ERROR(KPROD_ERR_INVALID_RECORD, failing.get());
}

static void a_polling_thread_takes_everything()
{
    const mock_cluster cluster("t", 2);
    auto producer = kprod::producer::create(cluster.config()).value();
    const auto topic = producer.topic("t").value();
    CHECK(producer.partitions_for(topic, patience).value() == 2);
    std::vector<int> seen(1000);
    std::thread poller([&] {
        producer.poll_until_closed([&](const kprod::report &report) {
            if (report.kind == KPROD_KIND_RECORD && report.is_ok())
                seen[static_cast<std::size_t>(report.tag)]++;
        }).value();
    });
    std::vector<kprod::record> records;
    for (std::uint64_t tag = 0; tag < 999; tag++)
        records.push_back(kprod::record(topic).value("value").tag(tag));
    const auto sent = producer.send_many(records);
    CHECK(sent.count == 999 && sent.rest);
    const kprod::record wrong[] = {kprod::record(topic).tag(999), kprod::record(topic).partition(9), kprod::record(topic)};
    const auto some = producer.send_many(wrong, 3);
    CHECK(some.count == 1);
    CHECK_ERROR(KPROD_ERR_UNKNOWN_PARTITION, some.rest);
    producer.flush(patience).value();
    producer.close(patience).value();
    poller.join();
    for (const int times : seen)
        CHECK(times == 1);
}

static void an_event_loop_gets_its_answers()
{
    const mock_cluster cluster("t", 5);
    auto producer = kprod::producer::create(cluster.config()).value();
    CHECK(producer.wake_fd().value() >= 0);
    producer.start_async(1).value();
    producer.partitions_for_async(producer.topic("t").value(), 2).value();
    producer.flush_async(3).value();
    std::uint64_t answers = 0;
    while (answers != 0b1110) {
        CHECK(producer.poll([&](const kprod::report &report) {
            CHECK(report.kind == KPROD_KIND_OPERATION && report.is_ok() && (report.tag != 2 || report.count == 5));
            answers |= std::uint64_t{1} << report.tag;
        }, patience).value() > 0);
    }
    CHECK(producer.poll([](const kprod::report &) {}, std::chrono::seconds(0)).value() == 0);
    producer.poll_interrupt().value();
    CHECK(producer.poll([](const kprod::report &) {}).value() == 0);
    producer.close_async(4).value();
    CHECK(producer.poll_until_closed([](const kprod::report &) {}));
}

static void what_was_purged_is_told()
{
    const mock_cluster cluster("t");
    auto producer = kprod::producer::create(cluster.config()).value();
    CHECK(kprod_mock_set_broker_state(cluster.c(), 1, KPROD_MOCK_BROKER_DOWN) == 0);
    producer.try_send(kprod::record("t").tag(5)).value();
    producer.purge(KPROD_PURGE_QUEUED | KPROD_PURGE_IN_FLIGHT).value();
    kprod::report report;
    CHECK(producer.poll(&report, 1, patience).value() == 1);
    CHECK(report.tag == 5 && report.error == KPROD_ERR_PURGED_QUEUED);
    CHECK(!producer.describe(report).message().empty());
}

static void producers_move()
{
    const mock_cluster cluster("t");
    auto first = kprod::producer::create(cluster.config()).value();
    std::atomic<int> told{0};
    first.send(kprod::record("t"), [&](const kprod::report &) { told++; }).value();
    kprod::producer second = std::move(first);
    CHECK(first.c() == nullptr);
    CHECK_ERROR(KPROD_ERR_INVALID_ARG, first.send(kprod::record("t")));
    CHECK_ERROR(KPROD_ERR_INVALID_ARG, first.send_async(kprod::record("t")).get());
    CHECK(!first.take_callback_exception() && first.topic_name(1).empty());
    kprod::report report;
    report.error = KPROD_ERR_FATAL;
    CHECK(first.describe(report).code() == KPROD_ERR_FATAL && !first.describe(report).message().empty());
    second.flush(patience).value();
    CHECK(told == 1);
    second = kprod::producer::create(cluster.config()).value();
    CHECK(second.send_wait(kprod::record("t"), patience));
}

int main()
{
    a_record_is_sent_and_reported();
    refusals_are_errors();
    a_send_that_timed_out_tells_why();
    futures_have_the_outcome();
    a_polling_thread_takes_everything();
    an_event_loop_gets_its_answers();
    what_was_purged_is_told();
    producers_move();
}
