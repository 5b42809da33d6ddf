// A C++ host: the headers are C++ too, and its exceptions go their way beside the library, which unwinds nothing of
// the host's and in which nothing of the host's unwinds.
#include <atomic>
#include <cstring>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "kprod.h"
#include "kprod_mock.h"

namespace {

struct Failure : std::runtime_error {
    Failure(const char *what, int64_t found)
        : std::runtime_error(std::string(what) + " gave " + std::to_string(found)), code(found) {}
    int64_t code;
};

int64_t check(const char *what, int64_t code) {
    if (code < 0 || code > 1000000) throw Failure(what, code);
    return code;
}

template <auto release> struct Release {
    template <class T> void operator()(T *handle) const { release(handle); }
};
using Config = std::unique_ptr<kprod_config_t, Release<kprod_config_free>>;
using Producer = std::unique_ptr<kprod_producer_t, Release<kprod_destroy>>;

std::atomic<int> caught_inside{0}, reported{0};

// A callback's exceptions end in it.
void on_delivery(uint64_t, const kprod_delivery_t *reports, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        try {
            if (reports[i].error == KPROD_ERR_OK) reported++;
            throw Failure("a report", reports[i].error);
        } catch (const Failure &) {
            caught_inside++;
        }
    }
}

int32_t choose(uint64_t, const kprod_partition_request_t *request) {
    try {
        throw request->partition_count;
    } catch (int32_t count) {
        return count - 1;
    }
}

Producer make() {
    Config config(kprod_config_new());
    check("set", kprod_config_set(config.get(), "test.mock.num.brokers", "1", nullptr));
    check("callback", kprod_config_set_delivery_callback(config.get(), on_delivery, 0));
    check("partitioner", kprod_config_set_partitioner(config.get(), choose, 0));
    kprod_producer_t *producer = nullptr;
    check("create", kprod_create(config.get(), KPROD_API_VERSION, &producer, nullptr));
    return Producer(producer);
}

void send(kprod_producer_t *producer, int count) {
    uint32_t topic = 0;
    check("topic", kprod_topic(producer, "exceptions", 10, &topic));
    for (int i = 0; i < count; i++) {
        kprod_record_t record;
        kprod_record_init(&record);
        record.topic = topic;
        record.value = reinterpret_cast<const uint8_t *>("v");
        record.value_len = 1;
        check("send", kprod_send(producer, &record));
        try {
            record.partition = -7;
            check("a bad send", kprod_send(producer, &record));
            throw std::logic_error("accepted");
        } catch (const Failure &failure) {
            if (failure.code != KPROD_ERR_INVALID_ARG) throw;
        }
    }
}

} // namespace

int main() {
    const int each = 500, threads = 4;
    // An exception that passes a producer closes and destroys it.
    try {
        Producer producer = make();
        send(producer.get(), 10);
        throw Failure("the host", 0);
    } catch (const Failure &failure) {
        if (std::strcmp(failure.what(), "the host gave 0") != 0) return 1;
    }
    reported = caught_inside = 0;
    Producer producer = make();
    std::vector<std::thread> senders;
    for (int i = 0; i < threads; i++) senders.emplace_back(send, producer.get(), each);
    for (auto &sender : senders) sender.join();
    check("flush", kprod_flush(producer.get(), 10000, nullptr));
    check("close", kprod_close(producer.get(), 10000, nullptr));
    if (reported != each * threads || caught_inside != reported) {
        std::cerr << reported << " reported, " << caught_inside << " caught\n";
        return 1;
    }
    return 0;
}
