// Of kprod.hpp: batches that their user fills.
#ifndef KPROD_BATCH_HPP
#define KPROD_BATCH_HPP

#include <kprod/record.hpp>

#include <cstddef>
#include <memory>

namespace kprod {

// Where a record stands in a batch.
struct appended {
    std::int64_t offset; // 0 for the first record
    std::int64_t size;   // in bytes
    std::int64_t timestamp_ms;
};

// A batch of the caller's own, from producer::create_batch: filled without the network, then sent to a partition. One
// thread uses it at a time.
class batch {
public:
    // Takes key, value, headers and timestamp. KPROD_ERR_BATCH_FULL: no room, and closed now.
    result<appended> append(const record &record)
    {
        kprod_batch_append_t where{};
        const std::int32_t code = ::kprod_batch_append(handle_.get(), record.c(), &where);
        if (code != KPROD_ERR_OK)
            return error(code);
        return appended{where.offset, where.size, where.timestamp_ms};
    }
    result<void> close() { return detail::checked(::kprod_batch_close(handle_.get())); }
    // In bytes, 61 when it is empty; 0 of a batch that was moved away.
    std::size_t size() const noexcept { return counted(::kprod_batch_size(handle_.get())); }
    std::size_t record_count() const noexcept { return counted(::kprod_batch_record_count(handle_.get())); }
    kprod_batch_t *c() const noexcept { return handle_.get(); }

private:
    friend class producer;
    explicit batch(kprod_batch_t *handle) : handle_(handle, ::kprod_batch_free) {}
    static std::size_t counted(std::int64_t count) noexcept { return count < 0 ? 0 : static_cast<std::size_t>(count); }

    std::unique_ptr<kprod_batch_t, void (*)(kprod_batch_t *)> handle_;
};

} // namespace kprod

#endif
