// Of kprod.hpp: what failed, and the value or error that every call gives.
#ifndef KPROD_RESULT_HPP
#define KPROD_RESULT_HPP

#include <kprod.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace kprod {

// What failed and what to do. Of a record, also whether it stands in the log.
class error {
public:
    // An error of which only the code is known.
    explicit error(std::int32_t code) : error(code, ::kprod_err_str(code), flags_of(code)) {}
    error(std::int32_t code, std::string message, std::uint32_t flags)
        : code_(code), flags_(flags), message_(std::move(message)) {}

    // One of KPROD_ERR_*, or a newer broker's code.
    std::int32_t code() const noexcept { return code_; }
    std::string_view name() const noexcept { return ::kprod_err_name(code_); }
    const std::string &message() const noexcept { return message_; }
    bool is_retriable() const noexcept { return (flags_ & KPROD_FLAG_RETRIABLE) != 0; }
    bool is_abortable() const noexcept { return (flags_ & KPROD_FLAG_ABORTABLE) != 0; }
    bool is_fatal() const noexcept { return (flags_ & KPROD_FLAG_FATAL) != 0; }
    // One of KPROD_PERSISTED_*; of what was refused, KPROD_PERSISTED_NOT.
    std::uint32_t persistence() const noexcept { return flags_ & KPROD_PERSISTENCE_MASK; }

    // Takes over an error object of C.
    static error adopt(std::int32_t code, kprod_error_t *object)
    {
        if (object == nullptr)
            return error(code);
        std::unique_ptr<kprod_error_t, void (*)(kprod_error_t *)> owner(object, ::kprod_error_free);
        std::uint32_t flags = 0;
        flags |= ::kprod_error_is_retriable(object) ? KPROD_FLAG_RETRIABLE : 0u;
        flags |= ::kprod_error_is_abortable(object) ? KPROD_FLAG_ABORTABLE : 0u;
        flags |= ::kprod_error_is_fatal(object) ? KPROD_FLAG_FATAL : 0u;
        return error(code, ::kprod_error_message(object), flags);
    }

private:
    static std::uint32_t flags_of(std::int32_t code) noexcept
    {
        switch (code) {
        case KPROD_ERR_TIMED_OUT:
        case KPROD_ERR_QUEUE_FULL:
        case KPROD_ERR_REPORT_QUEUE_FULL:
            return KPROD_FLAG_RETRIABLE;
        case KPROD_ERR_FATAL:
        case KPROD_ERR_INTERNAL:
            return KPROD_FLAG_FATAL;
        default:
            return 0;
        }
    }

    std::int32_t code_;
    std::uint32_t flags_;
    std::string message_;
};

// What result::value() throws.
class exception : public std::runtime_error {
public:
    explicit exception(kprod::error error)
        : std::runtime_error(std::string(error.name()) + ": " + error.message()), error_(std::move(error)) {}
    const kprod::error &error() const noexcept { return error_; }

private:
    kprod::error error_;
};

namespace detail {

[[noreturn]] inline void raise(const error &what)
{
#ifdef __cpp_exceptions
    throw exception(what);
#else
    std::fprintf(stderr, "kprod::result::value: %s\n", exception(what).what());
    std::abort();
#endif
}

} // namespace detail

// A value or an error, after std::expected. Without exceptions (-fno-exceptions) value() of an error ends the process.
template <class T> class [[nodiscard]] result {
public:
    result(T value) : either_(std::in_place_index<0>, std::move(value)) {}
    result(kprod::error error) : either_(std::in_place_index<1>, std::move(error)) {}

    bool has_value() const noexcept { return either_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }
    T &value() & { return check(), std::get<0>(either_); }
    const T &value() const & { return check(), std::get<0>(either_); }
    T &&value() && { return check(), std::move(std::get<0>(either_)); }
    // These need a value, and error() needs an error: else the process ends.
    T &operator*() noexcept { return std::get<0>(either_); }
    const T &operator*() const noexcept { return std::get<0>(either_); }
    T *operator->() noexcept { return &**this; }
    const T *operator->() const noexcept { return &**this; }
    const kprod::error &error() const noexcept { return std::get<1>(either_); }

private:
    void check() const
    {
        if (!has_value())
            detail::raise(error());
    }

    std::variant<T, kprod::error> either_;
};

template <> class [[nodiscard]] result<void> {
public:
    result() = default;
    result(kprod::error error) : error_(std::move(error)) {}

    bool has_value() const noexcept { return !error_; }
    explicit operator bool() const noexcept { return has_value(); }
    void value() const
    {
        if (error_)
            detail::raise(*error_);
    }
    // Needs an error: else the process ends.
    const kprod::error &error() const noexcept { return error_.value(); }

private:
    std::optional<kprod::error> error_;
};

namespace detail {

inline result<void> checked(std::int32_t code)
{
    if (code == KPROD_ERR_OK)
        return {};
    return error(code);
}

// For calls that hand out an error object.
template <class Call> result<void> checked_call(Call call)
{
    kprod_error_t *object = nullptr;
    const std::int32_t code = call(&object);
    if (code == KPROD_ERR_OK)
        return {};
    return error::adopt(code, object);
}

} // namespace detail

} // namespace kprod

#endif
