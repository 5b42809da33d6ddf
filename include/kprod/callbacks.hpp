// Of kprod.hpp: the way of the user's functions through C, and of their exceptions past it.
#ifndef KPROD_CALLBACKS_HPP
#define KPROD_CALLBACKS_HPP

#include <kprod/ending.hpp>
#include <kprod/record.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

namespace kprod {

namespace detail {

// Calls call, and caught with what it threw.
template <class Call, class Caught> void catching(Call &&call, Caught &&caught)
{
#ifdef __cpp_exceptions
    try {
        call();
    } catch (...) {
        caught(std::current_exception());
    }
#else
    static_cast<void>(caught);
    call();
#endif
}

// Calls function for each, and throws on the first of its exceptions in the end.
template <class Function> void for_all(const report *reports, std::size_t count, Function &&function)
{
    std::exception_ptr first;
    for (std::size_t at = 0; at < count; ++at)
        catching([&] { static_cast<void>(std::invoke(function, reports[at])); },
                 [&](std::exception_ptr thrown) { first = first ? first : thrown; });
    if (first)
        std::rethrow_exception(first);
}

// An address on its way through C, as a callback's context.
inline std::uint64_t context_of(const void *address) noexcept { return reinterpret_cast<std::uintptr_t>(address); }
template <class T> T *from_context(std::uint64_t context) noexcept
{
    return reinterpret_cast<T *>(fitting<std::uintptr_t>(context));
}

// The user's functions, and what becomes of their exceptions.
struct functions {
    std::function<void(const report *, std::size_t)> delivery;
    std::function<void(std::int32_t, std::string_view)> log;
    std::function<std::int32_t(const kprod_partition_request_t &)> partitioner;
    std::function<void(std::exception_ptr)> exception;
};

// Lives as long as the producer, whose callbacks have its address.
struct home {
    functions user;
    kprod_producer_t *producer = nullptr;
    std::mutex mutex;
    std::exception_ptr first;
    detail::ending ending;

    explicit home(functions given) : user(std::move(given)) {}

    std::uint64_t address() noexcept { return context_of(this); }
    static home &at(std::uint64_t context) noexcept { return *from_context<home>(context); }

    template <class Call> void guarded(Call call) noexcept
    {
        catching(call, [this](std::exception_ptr thrown) { caught(thrown); });
    }

    void caught(std::exception_ptr thrown) noexcept
    {
        bool told = false;
        catching(
            [&] {
                if (user.exception) {
                    user.exception(thrown);
                    told = true;
                }
            },
            [&](std::exception_ptr other) { thrown = other; });
        if (told)
            return;
        const std::lock_guard<std::mutex> lock(mutex);
        if (!first)
            first = thrown;
    }

    error describe(const report &report) const
    {
        kprod_error_t *object = nullptr;
        const bool told = report.detail != 0 && ::kprod_error_detail(producer, report.detail, &object) == 0;
        const error detail = told ? error::adopt(report.error, object) : error(report.error);
        return error(report.error, detail.message(), report.flags);
    }

    static void on_delivery(std::uint64_t context, const kprod_delivery_t *reports, std::uint64_t count) noexcept
    {
        at(context).guarded([&] { at(context).user.delivery(static_cast<const report *>(reports), count); });
    }
    static void on_log(std::uint64_t context, std::int32_t level, const char *message, std::uint64_t length) noexcept
    {
        at(context).guarded([&] { at(context).user.log(level, std::string_view(message, length)); });
    }
    static std::int32_t on_partition(std::uint64_t context, const kprod_partition_request_t *request) noexcept
    {
        std::int32_t chosen = KPROD_PARTITION_UNASSIGNED; // refuses the record
        at(context).guarded([&] { chosen = at(context).user.partitioner(*request); });
        return chosen;
    }
};

// A callable on its way through C, as a callback's context: called once, or taken back when the call was refused.
template <class Function> struct parcel {
    Function function;
    home *at;

    static void open(std::uint64_t context, const kprod_delivery_t *raw) noexcept
    {
        const std::unique_ptr<parcel> owner(from_context<parcel>(context));
        const auto &outcome = *static_cast<const report *>(raw);
        owner->at->guarded([&] { static_cast<void>(std::invoke(owner->function, outcome)); });
    }
};

// Calls with a callback and its context.
template <class Function, class Call> result<void> with_callback(home *at, Function &&function, Call call)
{
    using packed = parcel<std::decay_t<Function>>;
    std::unique_ptr<packed> owner(new packed{std::forward<Function>(function), at});
    const std::int32_t code = call(&packed::open, context_of(owner.get()));
    if (code != KPROD_ERR_OK)
        return error(code);
    owner.release();
    return {};
}

} // namespace detail

} // namespace kprod

#endif
