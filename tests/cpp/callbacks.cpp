// The user's functions are called through C, and nothing that they throw goes back through it.
#include "check.hpp"

#include <atomic>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

static std::string message_of(std::exception_ptr thrown)
{
    try {
        if (thrown)
            std::rethrow_exception(thrown);
    } catch (const std::exception &exception) {
        return exception.what();
    } catch (int) {
        return "an int";
    }
    return "";
}

static void each_record_has_its_function()
{
    const mock_cluster cluster("t");
    auto producer = kprod::producer::create(cluster.config()).value();
    std::atomic<int> told{0};
    auto owned = std::make_unique<int>(5); // a function that cannot be copied
    producer.send(kprod::record("t"), [&told, owned = std::move(owned)](const kprod::report &report) {
        told += report.is_ok() ? *owned : 0;
    }).value();
    CHECK_ERROR(KPROD_ERR_UNKNOWN_PARTITION,
                producer.send(kprod::record("t").partition(9), [&](const kprod::report &) { told += 100; }));
    producer.flush(patience).value();
    CHECK(told == 5);
}

// What was captured is released, and each function called, also when the producer is destroyed without a close.
static void destroying_tells_the_rest()
{
    const mock_cluster cluster("t");
    auto held = std::make_shared<int>(0);
    std::atomic<std::int32_t> code{0};
    std::future<kprod::result<kprod::report>> future;
    {
        auto producer = kprod::producer::create(cluster.config()).value();
        CHECK(producer.partitions_for(producer.topic("t").value(), patience));
        CHECK(kprod_mock_set_broker_state(cluster.c(), 1, KPROD_MOCK_BROKER_DOWN) == 0);
        producer.send(kprod::record("t"), [held, &code](const kprod::report &report) { code = report.error; }).value();
        future = producer.send_async(kprod::record("t"));
    }
    CHECK(code == KPROD_ERR_CLOSED && held.use_count() == 1);
    const auto outcome = future.get();
    CHECK_ERROR(KPROD_ERR_CLOSED, outcome);
    // The record's own story, and not the text that any refused call has.
    CHECK(outcome.error().message() != kprod_err_str(KPROD_ERR_CLOSED));
}

static void the_delivery_function_gets_arrays()
{
    const mock_cluster cluster("t");
    std::atomic<std::size_t> told{0};
    auto config = cluster.config();
    config.on_delivery([&](const kprod::report *reports, std::size_t count) {
        for (std::size_t i = 0; i < count; i++)
            told += reports[i].is_ok() ? 1 : 0;
    });
    auto producer = kprod::producer::create(config).value();
    for (int i = 0; i < 500; i++)
        producer.send(kprod::record("t")).value();
    producer.flush(patience).value();
    CHECK(told == 500);
    CHECK_ERROR(KPROD_ERR_ILLEGAL_STATE, producer.poll([](const kprod::report &) {}));
}

static void exceptions_go_to_their_function()
{
    const mock_cluster cluster("t", 2);
    std::mutex mutex;
    std::set<std::string> caught;
    auto config = cluster.config();
    config.set("log_level", 7)
        .on_exception([&](std::exception_ptr thrown) {
            const std::lock_guard<std::mutex> lock(mutex);
            caught.insert(message_of(thrown));
        })
        .on_delivery([](const kprod::report *, std::size_t) { throw std::runtime_error("delivery"); })
        .on_log([](std::int32_t, std::string_view) { throw 5; })
        .partitioner([](const kprod_partition_request_t &request) -> std::int32_t {
            if (request.key_len == 4)
                throw std::runtime_error("partitioner");
            return 1;
        });
    {
        auto producer = kprod::producer::create(config).value();
        CHECK(producer.partitions_for(producer.topic("t").value(), patience).value() == 2);
        producer.send(kprod::record("t").key("k")).value();
        CHECK_ERROR(KPROD_ERR_PARTITIONER, producer.send(kprod::record("t").key("kkkk")));
        producer.send(kprod::record("t"), [](const kprod::report &) { throw std::runtime_error("send"); }).value();
        producer.flush(patience).value();
        producer.close(patience).value();
        CHECK(cluster.records("t", 1) == 2);
        CHECK(!producer.take_callback_exception());
    }
    for (const char *from : {"delivery", "partitioner", "send"})
        CHECK(caught.count(from) == 1);
}

static void the_first_exception_is_kept()
{
    const mock_cluster cluster("t");
    auto producer = kprod::producer::create(cluster.config()).value();
    for (const char *what : {"first", "second"})
        producer.send(kprod::record("t"), [what](const kprod::report &) { throw std::runtime_error(what); }).value();
    producer.flush(patience).value();
    CHECK(message_of(producer.take_callback_exception()) == "first");
    CHECK(!producer.take_callback_exception());
}

static void a_function_that_throws_while_polling_sees_every_report()
{
    const mock_cluster cluster("t");
    auto producer = kprod::producer::create(cluster.config()).value();
    for (int i = 0; i < 100; i++)
        producer.send(kprod::record("t")).value();
    producer.flush(patience).value();
    int seen = 0;
    std::string thrown;
    while (seen < 100) {
        try {
            CHECK(producer.poll([&](const kprod::report &) { throw std::runtime_error(std::to_string(++seen)); },
                                patience));
        } catch (const std::runtime_error &error) {
            thrown += error.what() + std::string(",");
        }
    }
    CHECK(thrown.rfind("1,", 0) == 0 && seen == 100);
}

static void a_function_may_send_but_not_wait()
{
    const mock_cluster cluster("t");
    auto producer = kprod::producer::create(cluster.config()).value();
    std::promise<kprod::report> second;
    std::atomic<std::int32_t> refused{0};
    producer.send(kprod::record("t"), [&](const kprod::report &) {
        refused = producer.send_wait(kprod::record("t")).error().code();
        producer.send(kprod::record("t"), [&](const kprod::report &report) { second.set_value(report); }).value();
    }).value();
    CHECK(second.get_future().get().offset == 1);
    CHECK(refused == KPROD_ERR_IN_CALLBACK);
}

// What a function returns is nobody's business, even a result that may not be ignored.
static void a_function_may_return_a_result()
{
    const mock_cluster cluster("t");
    auto producer = kprod::producer::create(cluster.config()).value();
    producer.send(kprod::record("t"), [&](const kprod::report &) { return producer.send(kprod::record("t")); }).value();
    producer.send(kprod::record("t"), &kprod::report::is_ok).value();
    producer.close(patience).value();
    CHECK(producer.metrics()->records_failed == 0);
}

// Each producer has its own functions, also when several are made of one configuration at once.
static void a_configuration_serves_several_threads()
{
    const mock_cluster cluster("t");
    auto config = cluster.config();
    std::atomic<int> told{0};
    config.on_delivery([&](const kprod::report *, std::size_t count) { told += static_cast<int>(count); });
    std::atomic<bool> over{false};
    std::thread other([&] {
        while (!over)
            kprod::producer::create(config).value();
    });
    for (int i = 0; i < 100; i++) {
        auto producer = kprod::producer::create(config).value();
        producer.send(kprod::record("t")).value();
        producer.close(patience).value();
    }
    over = true;
    other.join();
    CHECK(told == 100);
}

int main()
{
    a_function_may_return_a_result();
    a_configuration_serves_several_threads();
    each_record_has_its_function();
    destroying_tells_the_rest();
    the_delivery_function_gets_arrays();
    exceptions_go_to_their_function();
    the_first_exception_is_kept();
    a_function_that_throws_while_polling_sees_every_report();
    a_function_may_send_but_not_wait();
}
