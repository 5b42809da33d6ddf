// Of kprod.hpp: producers.
#ifndef KPROD_PRODUCER_HPP
#define KPROD_PRODUCER_HPP

#include <kprod/batch.hpp>
#include <kprod/config.hpp>
#include <kprod/pack.hpp>
#include <kprod/transaction.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace kprod {

// A producer. Any number of threads may use it at once; moving and destroying it is for one, when no other does.
class producer {
public:
    // Makes it and its threads; never touches the network.
    static result<producer> create(const config &config)
    {
        if (config.wrong_)
            return *config.wrong_;
        auto home = std::make_unique<detail::home>(config.user_);
        // The functions' home is set in the configuration, which others may make producers of at the same time.
        static std::mutex making;
        const std::lock_guard<std::mutex> lock(making);
        kprod_config_t *raw = config.handle_.get();
        const auto &user = home->user;
        ::kprod_config_set_delivery_callback(raw, user.delivery ? detail::home::on_delivery : nullptr, home->address());
        ::kprod_config_set_log_callback(raw, user.log ? detail::home::on_log : nullptr, home->address());
        ::kprod_config_set_partitioner(raw, user.partitioner ? detail::home::on_partition : nullptr, home->address());
        auto done = detail::checked_call([&](kprod_error_t **err) {
            return ::kprod_create(raw, KPROD_API_VERSION, &home->producer, err);
        });
        if (!done)
            return done.error();
        return producer(std::move(home));
    }

    producer(producer &&) noexcept = default;
    producer &operator=(producer &&other) noexcept
    {
        if (this != &other) {
            destroy();
            home_ = std::move(other.home_);
        }
        return *this;
    }
    // Loses what was not sent: close first. From within a callback, where nothing may be destroyed, it leaks.
    ~producer() { destroy(); }

    // Optional: waits until a broker answered and accepted the credentials.
    result<void> start(timeout limit = {}) { return call(::kprod_start, limit); }
    // Sends everything now, and waits for the outcomes of all records accepted before.
    result<void> flush(timeout limit = {}) { return call(::kprod_flush, limit); }
    // Refuses new records, sends the accepted ones, waits for their outcomes, and fails the rest with KPROD_ERR_CLOSED.
    result<void> close(timeout limit = {}) { return call(::kprod_close, limit); }
    // Drops what has no outcome yet: KPROD_PURGE_QUEUED, KPROD_PURGE_IN_FLIGHT or both.
    result<void> purge(std::uint32_t what) { return detail::checked(::kprod_purge(c(), what)); }

    // Local: the brokers are not asked.
    result<kprod::topic> topic(std::string_view name)
    {
        std::uint32_t handle = 0;
        const auto length = static_cast<std::int64_t>(name.size());
        const std::int32_t code = ::kprod_topic(c(), name.data() ? name.data() : "", length, &handle);
        if (code != KPROD_ERR_OK)
            return error(code);
        return kprod::topic(handle);
    }
    // Empty for a handle that this producer did not give; valid as long as the producer.
    std::string_view topic_name(std::uint32_t handle) const noexcept
    {
        const char *name = ::kprod_topic_name(c(), handle);
        return name ? name : std::string_view();
    }
    result<std::int32_t> partitions_for(kprod::topic topic, timeout limit = {})
    {
        std::int32_t count = 0;
        auto done = detail::checked_call([&](kprod_error_t **err) {
            return ::kprod_partitions_for(c(), topic.handle(), limit.ms(), &count, err);
        });
        if (!done)
            return done.error();
        return count;
    }

    // Waits for metadata and room up to max.block.ms. The outcome goes to the delivery function or poll, with the tag.
    result<void> send(const record &record)
    {
        const std::int32_t code = ::kprod_send(c(), record.c());
        return code == KPROD_ERR_OK ? result<void>() : refused(code);
    }
    // Never waits.
    result<void> try_send(const record &record) { return detail::checked(::kprod_try_send(c(), record.c())); }
    // As send, but the outcome goes to function(const report &): called once, if and only if the record was accepted,
    // possibly before this returns.
    template <class Function> result<void> send(const record &record, Function &&function)
    {
        auto sent = detail::with_callback(home_.get(), std::forward<Function>(function), [&](auto open, auto context) {
            return ::kprod_send_with_callback(c(), record.c(), open, context);
        });
        return sent ? result<void>() : refused(sent.error().code());
    }
    // As send, but the outcome is the future's; a refusal too, at once.
    std::future<result<report>> send_async(const record &record)
    {
        return promised([&](auto function) { return send(record, std::move(function)); });
    }
    // Sends without linger and waits for the outcome. KPROD_ERR_STILL_PENDING: accepted, the outcome comes later.
    result<report> send_wait(const record &record, timeout limit = {})
    {
        report outcome;
        const std::int32_t code = ::kprod_send_wait(c(), record.c(), limit.ms(), &outcome);
        if (code != KPROD_ERR_OK)
            return refused(code);
        return judged(*home_, outcome);
    }
    // Never waits; the first record that is refused ends it.
    accepted send_many(const record *records, std::size_t count)
    {
        std::int32_t why = KPROD_ERR_OK;
        const auto *raw = reinterpret_cast<const kprod_record_t *>(records);
        const std::int64_t sent = ::kprod_send_many(c(), raw, count, &why);
        return accepted_of(sent, why);
    }
    template <class Container> accepted send_many(const Container &records)
    {
        return send_many(records.data(), records.size());
    }

    // Never waits; the first record that is refused ends it. The pack stays as it is: drop what was accepted.
    accepted send_packed(const pack &pack)
    {
        std::int32_t why = KPROD_ERR_OK;
        const auto &records = pack.records_;
        const auto &buffer = pack.buffer_;
        const std::int64_t sent =
            ::kprod_send_packed(c(), buffer.data(), buffer.size(), records.data(), records.size(), &why);
        return accepted_of(sent, why);
    }

    // A batch to fill, of batch.size at most.
    result<batch> create_batch()
    {
        kprod_batch_t *handle = nullptr;
        auto done =
            detail::checked_call([&](kprod_error_t **err) { return ::kprod_create_batch(c(), &handle, err); });
        if (!done)
            return done.error();
        return batch(handle);
    }
    // Waits until the partition's batch before it is on its way. The one outcome has the tag, KPROD_KIND_BATCH and the
    // first record's offset. Refused, the batch is as it was.
    result<void> send_batch(batch &batch, kprod::topic topic, std::int32_t partition, std::uint64_t tag,
                            timeout limit = {})
    {
        const std::int32_t code = ::kprod_send_batch(c(), batch.c(), topic.handle(), partition, tag, limit.ms());
        return code == KPROD_ERR_OK ? result<void>() : refused(code);
    }
    // Never waits.
    result<void> try_send_batch(batch &batch, kprod::topic topic, std::int32_t partition, std::uint64_t tag)
    {
        return detail::checked(::kprod_try_send_batch(c(), batch.c(), topic.handle(), partition, tag));
    }
    // As send_batch, but the outcome goes to function(const report &).
    template <class Function, class = std::enable_if_t<std::is_invocable_v<Function, const report &>>>
    result<void> send_batch(batch &batch, kprod::topic topic, std::int32_t partition, Function &&function,
                            timeout limit = {})
    {
        auto sent = detail::with_callback(home_.get(), std::forward<Function>(function), [&](auto open, auto context) {
            return ::kprod_send_batch_with_callback(c(), batch.c(), topic.handle(), partition, limit.ms(), open,
                                                    context);
        });
        return sent ? result<void>() : refused(sent.error().code());
    }
    // As send_batch, but the outcome is the future's.
    std::future<result<report>> send_batch_async(batch &batch, kprod::topic topic, std::int32_t partition,
                                                 timeout limit = {})
    {
        return promised(
            [&](auto function) { return send_batch(batch, topic, partition, std::move(function), limit); });
    }

    // Begins a transaction, which needs a transactional.id; the first one waits until that is this producer's alone. It
    // first ends one that was unfinished when its scope ended, for which commit and abort may each take as long again;
    // KPROD_ERR_TIMED_OUT: call it again.
    result<transaction> begin_transaction(timeout limit = {})
    {
        if (auto left = home_ ? home_->ending.resume(c(), limit) : std::nullopt)
            return unended(std::move(*left).told().error());
        auto begun = call(::kprod_begin_transaction, limit);
        if (!begun)
            return begun.error();
        return transaction(home_.get());
    }
    // The outcome of a commit that was unfinished when its scope ended, once that or begin_transaction has waited for
    // it: after an abortable error nothing was committed, after another that is not known. None if there was none since.
    std::optional<result<void>> take_left_commit()
    {
        auto left = home_ ? home_->ending.take_commit() : std::nullopt;
        return left ? std::optional<result<void>>(std::move(*left).told()) : std::nullopt;
    }

    // Takes up to count reports, and waits for the first: how many there were, 0 when the time passed (never, unless
    // limit says so). KPROD_ERR_CLOSED: closed, and all were taken.
    result<std::size_t> poll(report *reports, std::size_t count, timeout limit = {})
    {
        const std::int64_t got = ::kprod_poll(c(), reports, count, limit.ms());
        if (got < 0)
            return error(static_cast<std::int32_t>(got));
        return static_cast<std::size_t>(got);
    }
    // Calls function(const report &) for each. What it throws for one comes out when it has been called for all.
    template <class Function, class = std::enable_if_t<std::is_invocable_v<Function, const report &>>>
    result<std::size_t> poll(Function &&function, timeout limit = {})
    {
        std::array<report, 256> reports;
        auto got = poll(reports.data(), reports.size(), limit);
        if (got)
            detail::for_all(reports.data(), *got, function);
        return got;
    }
    // The loop of a polling thread: until the producer is closed and all reports were taken.
    template <class Function> result<void> poll_until_closed(Function &&function)
    {
        for (;;) {
            auto got = poll(function);
            if (!got && got.error().code() == KPROD_ERR_CLOSED)
                return {};
            if (!got)
                return got.error();
        }
    }
    result<void> poll_interrupt() { return detail::checked(::kprod_poll_interrupt(c())); }
    // A descriptor that is readable when there are reports, for an event loop. It is the caller's to close.
    result<int> wake_fd()
    {
        std::int32_t fd = -1;
        const std::int32_t code = ::kprod_wake_fd(c(), &fd);
        if (code != KPROD_ERR_OK)
            return error(code);
        return int{fd};
    }

    // For event loops: each answers with a report of KPROD_KIND_OPERATION and the tag.
    result<void> start_async(std::uint64_t tag) { return detail::checked(::kprod_start_async(c(), tag)); }
    result<void> flush_async(std::uint64_t tag) { return detail::checked(::kprod_flush_async(c(), tag)); }
    result<void> close_async(std::uint64_t tag) { return detail::checked(::kprod_close_async(c(), tag)); }
    result<void> partitions_for_async(kprod::topic topic, std::uint64_t tag)
    {
        return detail::checked(::kprod_partitions_for_async(c(), topic.handle(), tag));
    }

    // The whole story of a failed report.
    error describe(const report &report) const
    {
        return home_ ? home_->describe(report) : error(report.error, ::kprod_err_str(report.error), report.flags);
    }
    // What ended the producer for good, if anything did.
    std::optional<error> fatal_error() const
    {
        kprod_error_t *object = nullptr;
        const std::int32_t code = ::kprod_fatal_error(c(), &object);
        return code == KPROD_ERR_OK ? std::nullopt : std::optional<error>(error::adopt(code, object));
    }
    // What stands between the producer and its cluster, if anything does.
    std::optional<error> cluster_error() const
    {
        kprod_error_t *object = nullptr;
        const std::int32_t code = ::kprod_cluster_error(c(), &object);
        return code == KPROD_ERR_OK ? std::nullopt : std::optional<error>(error::adopt(code, object));
    }
    result<kprod_metrics_t> metrics() const
    {
        kprod_metrics_t metrics{};
        const std::int32_t code = ::kprod_metrics(c(), &metrics);
        if (code != KPROD_ERR_OK)
            return error(code);
        return metrics;
    }
    // The first exception of a callable that config::on_exception did not take; null if there was none since.
    std::exception_ptr take_callback_exception()
    {
        if (!home_)
            return nullptr;
        const std::lock_guard<std::mutex> lock(home_->mutex);
        return std::exchange(home_->first, nullptr);
    }
    // For what is not here: kprod.h's functions.
    kprod_producer_t *c() const noexcept { return home_ ? home_->producer : nullptr; }

private:
    explicit producer(std::unique_ptr<detail::home> home) : home_(std::move(home)) {}

    template <class Function> result<void> call(Function function, timeout limit)
    {
        return detail::checked_call([&](kprod_error_t **err) { return function(c(), limit.ms(), err); });
    }
    // Why a send was refused: one whose time is up tells what the cluster lacks.
    error refused(std::int32_t code) const
    {
        const auto cause = code == KPROD_ERR_TIMED_OUT ? cluster_error() : std::nullopt;
        if (!cause)
            return error(code);
        return error(code, "not accepted in time: " + cause->message(), KPROD_FLAG_RETRIABLE);
    }
    static error unended(const error &left)
    {
        const char *what = "the transaction before has not ended: call begin_transaction again: ";
        return error(left.code(), what + left.message(), KPROD_FLAG_RETRIABLE);
    }
    static accepted accepted_of(std::int64_t count, std::int32_t why)
    {
        if (count < 0)
            return {0, error(static_cast<std::int32_t>(count))};
        return {static_cast<std::size_t>(count), detail::checked(why)};
    }
    static result<report> judged(const detail::home &home, const report &outcome)
    {
        if (outcome.is_ok())
            return outcome;
        return home.describe(outcome);
    }
    template <class Send> std::future<result<report>> promised(Send send)
    {
        auto promise = std::make_shared<std::promise<result<report>>>();
        auto future = promise->get_future();
        auto refused = send([promise, home = home_.get()](const report &outcome) {
            promise->set_value(judged(*home, outcome));
        });
        if (!refused)
            promise->set_value(refused.error());
        return future;
    }
    void destroy() noexcept
    {
        if (home_ && ::kprod_destroy(home_->producer) != KPROD_ERR_OK)
            static_cast<void>(home_.release());
        home_.reset();
    }

    std::unique_ptr<detail::home> home_;
};

} // namespace kprod

#endif
