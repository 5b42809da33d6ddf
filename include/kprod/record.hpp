// Of kprod.hpp: what goes in and what comes out: records of borrowed bytes, and reports.
#ifndef KPROD_RECORD_HPP
#define KPROD_RECORD_HPP

#include <kprod/result.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>

namespace kprod {

namespace detail {

// A number as a type that it fits into, which may be the same one: a cast would be useless there.
template <class Unsigned> constexpr Unsigned fitting(std::uint64_t number) noexcept
{
    return number & std::numeric_limits<Unsigned>::max();
}

} // namespace detail

// A view of bytes that may be null, as a key or a value may: of a string, of a container of bytes, or nullptr.
class bytes {
public:
    constexpr bytes() noexcept = default;
    constexpr bytes(std::nullptr_t) noexcept {}
    constexpr bytes(std::nullopt_t) noexcept {}
    // Nothing at a null pointer is empty; more than nothing there is refused where it is sent.
    bytes(const void *data, std::size_t size) noexcept
        : data_(data == nullptr && size == 0 ? nothing() : static_cast<const std::uint8_t *>(data)),
          size_(static_cast<std::int64_t>(size)) {}
    bytes(const char *text) noexcept : bytes(text ? bytes(text, std::string_view(text).size()) : bytes()) {}
    template <class Container, class Element = std::remove_pointer_t<decltype(std::declval<const Container &>().data())>,
              class = decltype(std::declval<const Container &>().size()),
              class = std::enable_if_t<sizeof(Element) == 1 && std::is_trivially_copyable_v<std::remove_cv_t<Element>>>>
    bytes(const Container &container) noexcept : bytes(container.data(), container.size()) {}

    bool is_null() const noexcept { return size_ == KPROD_NULL; }
    const std::uint8_t *data() const noexcept { return data_; }
    // KPROD_NULL for null.
    std::int64_t size() const noexcept { return size_; }

private:
    static const std::uint8_t *nothing() noexcept
    {
        static const std::uint8_t byte = 0;
        return &byte;
    }

    const std::uint8_t *data_ = nullptr;
    std::int64_t size_ = KPROD_NULL;
};

// How long a call may take: a duration, 0 to not wait, or nothing for what the configuration says.
class timeout {
public:
    constexpr timeout() noexcept = default;
    template <class Rep, class Period> constexpr timeout(std::chrono::duration<Rep, Period> duration) noexcept
    {
        constexpr auto most = std::numeric_limits<std::int32_t>::max();
        if (duration >= std::chrono::milliseconds(most))
            ms_ = most;
        else if (duration <= duration.zero())
            ms_ = 0;
        else
            ms_ = static_cast<std::int32_t>(std::chrono::ceil<std::chrono::milliseconds>(duration).count());
    }
    constexpr std::int32_t ms() const noexcept { return ms_; }

private:
    std::int32_t ms_ = KPROD_TIMEOUT_CONFIGURED;
};

// A topic of one producer, from producer::topic.
class topic {
public:
    constexpr explicit topic(std::uint32_t handle) noexcept : handle_(handle) {}
    constexpr std::uint32_t handle() const noexcept { return handle_; }
    friend constexpr bool operator==(topic a, topic b) noexcept { return a.handle_ == b.handle_; }
    friend constexpr bool operator!=(topic a, topic b) noexcept { return a.handle_ != b.handle_; }

private:
    std::uint32_t handle_;
};

// One header of a record: borrows key and value.
struct header : kprod_header_t {
    header(std::string_view name, bytes content) noexcept : kprod_header_t()
    {
        const bytes text(name);
        key = text.data();
        key_len = text.size();
        value = content.data();
        value_len = content.size();
    }
};

// A record to send, built step by step: record(topic).key("k").value("v"). What is not said is null, left to the
// partitioner, and stamped at the send. It borrows everything.
class record {
public:
    // Without a topic, for batch::append.
    record() noexcept { ::kprod_record_init(&raw_); }
    explicit record(kprod::topic topic) noexcept : record() { raw_.topic = topic.handle(); }
    // By name, which is slower.
    explicit record(std::string_view topic) noexcept : record()
    {
        raw_.topic_name = topic.data();
        raw_.topic_name_len = static_cast<std::int64_t>(topic.size());
    }

    record &key(bytes key) noexcept
    {
        raw_.key = key.data();
        raw_.key_len = key.size();
        return *this;
    }
    record &value(bytes value) noexcept
    {
        raw_.value = value.data();
        raw_.value_len = value.size();
        return *this;
    }
    record &headers(const header *headers, std::size_t count) noexcept
    {
        raw_.headers = headers;
        raw_.header_count = static_cast<std::uint32_t>(count);
        return *this;
    }
    // For the expression in which it stands only.
    record &headers(std::initializer_list<header> list) noexcept { return headers(list.begin(), list.size()); }
    template <class Container, class = decltype(std::declval<const Container &>().data())>
    record &headers(const Container &container) noexcept
    {
        return headers(container.data(), container.size());
    }
    record &partition(std::int32_t partition) noexcept
    {
        raw_.partition = partition;
        return *this;
    }
    record &timestamp(std::chrono::system_clock::time_point time) noexcept
    {
        using std::chrono::milliseconds;
        return timestamp_ms(std::chrono::floor<milliseconds>(time.time_since_epoch()).count());
    }
    record &timestamp_ms(std::int64_t milliseconds) noexcept
    {
        raw_.timestamp_ms = milliseconds;
        return *this;
    }
    // Comes back in the report.
    record &tag(std::uint64_t tag) noexcept
    {
        raw_.tag = tag;
        return *this;
    }
    const kprod_record_t *c() const noexcept { return &raw_; }

private:
    kprod_record_t raw_;
};
static_assert(sizeof(record) == sizeof(kprod_record_t) && std::is_standard_layout_v<record>);

// An outcome: kprod_delivery_t with its fields, and what they say.
struct report : kprod_delivery_t {
    report() noexcept : kprod_delivery_t() {}
    explicit report(const kprod_delivery_t &raw) noexcept : kprod_delivery_t(raw) {}
    bool is_ok() const noexcept { return error == KPROD_ERR_OK; }
    bool is_retriable() const noexcept { return (flags & KPROD_FLAG_RETRIABLE) != 0; }
    bool is_abortable() const noexcept { return (flags & KPROD_FLAG_ABORTABLE) != 0; }
    bool is_fatal() const noexcept { return (flags & KPROD_FLAG_FATAL) != 0; }
    std::uint32_t persistence() const noexcept { return flags & KPROD_PERSISTENCE_MASK; }
    std::optional<std::chrono::system_clock::time_point> timestamp() const noexcept
    {
        if (timestamp_type == KPROD_TIMESTAMP_NONE)
            return std::nullopt;
        return std::chrono::system_clock::time_point(std::chrono::milliseconds(timestamp_ms));
    }
};
static_assert(sizeof(report) == sizeof(kprod_delivery_t) && std::is_standard_layout_v<report>);

// How many records of an array were accepted, from the first, and why the next one was not.
struct accepted {
    std::size_t count;
    result<void> rest;
};

} // namespace kprod

#endif
