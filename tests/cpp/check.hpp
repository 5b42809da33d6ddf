// What the C++ tests share: checks that say where they failed, and a producer on a mock cluster.
#ifndef CHECK_HPP
#define CHECK_HPP

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include <kprod.hpp>
#include <kprod_mock.h>

#define CHECK(condition)                                                                                              \
    do {                                                                                                              \
        if (!(condition)) {                                                                                           \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                              \
            std::exit(EXIT_FAILURE);                                                                                  \
        }                                                                                                             \
    } while (0)

// The result is the error of that code.
#define CHECK_ERROR(expected, result) check_error(__FILE__, __LINE__, #result, (expected), (result))

template <class T>
void check_error(const char *file, int line, const char *what, std::int32_t expected, const kprod::result<T> &result)
{
    if (!result.has_value() && result.error().code() == expected)
        return;
    const char *got = result.has_value() ? "a value" : kprod_err_name(result.error().code());
    std::fprintf(stderr, "%s:%d: %s gave %s, not %s\n", file, line, what, got, kprod_err_name(expected));
    std::exit(EXIT_FAILURE);
}

constexpr auto patience = std::chrono::seconds(30);

struct mock_cluster {
    std::unique_ptr<kprod_mock_t, void (*)(kprod_mock_t *)> handle{nullptr, kprod_mock_destroy};

    explicit mock_cluster(const char *topic, std::int32_t partitions = 1, std::int32_t brokers = 1)
    {
        kprod_mock_t *mock = nullptr;
        CHECK(kprod_mock_create(brokers, &mock, nullptr) == 0);
        handle.reset(mock);
        CHECK(kprod_mock_create_topic(mock, topic, partitions) == 0);
    }
    kprod_mock_t *c() const { return handle.get(); }
    std::int64_t records(const char *topic, std::int32_t partition = 0) const
    {
        return kprod_mock_record_count(c(), topic, partition);
    }
    void fail(std::int32_t code) const
    {
        kprod_mock_fault_t fault;
        kprod_mock_fault_init(&fault);
        fault.kind = KPROD_MOCK_FAULT_ERROR;
        fault.error = code;
        CHECK(kprod_mock_inject(c(), &fault) == 0);
    }
    kprod::config config() const { return std::move(kprod::config().set("bootstrap.servers", kprod_mock_bootstrap(c()))); }
};

#endif
