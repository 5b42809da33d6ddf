// A tour of kprod.hpp: what a C++ program does with a producer, one function each.
//
//     tour HOST:PORT|--mock
#include <kprod.hpp>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

namespace {

using namespace std::chrono_literals;

kprod::config configuration(std::string_view bootstrap)
{
    kprod::config config;
    if (bootstrap == "--mock")
        config.set("test.mock.num.brokers", 3);
    else
        config.set("bootstrap.servers", bootstrap);
    config.set("acks", "all").set("linger.ms", 5).set("batch.size", 65536);
    // What a callable of ours throws ends here, and not in the library.
    config.on_exception([](std::exception_ptr) { std::cerr << "a callback threw\n"; });
    return config;
}

// Sends one record and waits for its place in the log. value() throws what went wrong.
void send_and_wait(kprod::producer &producer)
{
    const auto record = kprod::record("greetings").key("first").value("hello").headers({{"language", "en"}});
    const auto report = producer.send_wait(record, 60s).value();
    std::cout << "partition " << report.partition << ", offset " << report.offset << '\n';
}

// Sends as fast as the cluster takes it; the outcomes are counted as they come.
void high_rate(kprod::producer &producer)
{
    const auto topic = producer.topic("numbers").value();
    std::atomic<int> delivered{0};
    std::string value;
    for (int i = 0; i < 100000; i++) {
        value = std::to_string(i); // the record borrows it until send returns
        producer.send(kprod::record(topic).value(value), [&](const kprod::report &report) {
            delivered += report.is_ok() ? 1 : 0;
        }).value();
    }
    producer.flush(60s).value();
    std::cout << delivered << " of 100000 delivered\n";
}

// A future for whom that suits, and a failure that is looked at instead of thrown.
void errors(kprod::producer &producer)
{
    auto future = producer.send_async(kprod::record("greetings").partition(1000));
    const auto outcome = future.get();
    if (!outcome) {
        const kprod::error &error = outcome.error();
        std::cout << error.name() << (error.is_retriable() ? ", try again: " : ": ") << error.message() << '\n';
    }
}

// A batch filled by hand, for one partition.
void own_batch(kprod::producer &producer)
{
    auto batch = producer.create_batch().value();
    for (int i = 0; i < 100 && batch.append(kprod::record().value(std::to_string(i))); i++)
        continue; // until it is full, which closes it
    const auto topic = producer.topic("numbers").value();
    const auto report = producer.send_batch_async(batch, topic, 0, 60s).get().value();
    std::cout << report.count << " records in a batch\n";
}

// A transaction that is aborted when its scope ends, unless it was committed. It needs a producer with a
// transactional.id.
void transaction(kprod::config config)
{
    auto producer = kprod::producer::create(config.set("transactional.id", "tour-1")).value();
    auto transaction = producer.begin_transaction(60s).value();
    producer.send(kprod::record("greetings").value("one")).value();
    producer.send(kprod::record("greetings").value("two")).value();
    transaction.commit(60s).value();
    producer.close(60s).value();
    std::cout << "committed\n";
}

} // namespace

int main(int argc, char **argv)
try {
    if (argc != 2) {
        std::cerr << "usage: " << argv[0] << " HOST:PORT|--mock\n";
        return EXIT_FAILURE;
    }
    auto producer = kprod::producer::create(configuration(argv[1])).value();
    send_and_wait(producer);
    high_rate(producer);
    errors(producer);
    own_batch(producer);
    transaction(configuration(argv[1]));
    producer.close(60s).value(); // sends what is left; the destructor alone would drop it
    return EXIT_SUCCESS;
} catch (const kprod::exception &failure) {
    std::cerr << failure.what() << '\n';
    return EXIT_FAILURE;
}
