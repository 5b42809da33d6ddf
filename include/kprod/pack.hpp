// Of kprod.hpp: records in one flat buffer.
#ifndef KPROD_PACK_HPP
#define KPROD_PACK_HPP

#include <kprod/record.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace kprod {

// Records that are gathered, with copies of all their bytes, to be sent by producer::send_packed. Its memory stays for
// the next ones. One thread at a time.
class pack {
public:
    // Copies a record, whose topic is a kprod::topic. KPROD_ERR_INVALID_ARG: it has a name for its topic, or a length
    // that is none; KPROD_ERR_RECORD_TOO_LARGE: it has more bytes than the pack can still take, 4 GiB in all. Either
    // way the pack is as it was.
    result<void> add(const record &record)
    {
        const kprod_record_t &raw = *record.c();
        if (raw.topic_name != nullptr || (raw.headers == nullptr && raw.header_count > 0))
            return error(KPROD_ERR_INVALID_ARG);
        std::uint64_t sizes[] = {0, 0, 0};
        std::int32_t code = measure(raw.key, raw.key_len, sizes[0]);
        code = code ? code : measure(raw.value, raw.value_len, sizes[1]);
        for (std::uint32_t i = 0; i < raw.header_count && !code; i++)
            code = measure_header(raw.headers[i], sizes[2]);
        constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
        if (!code && sizes[0] + sizes[1] + sizes[2] > most - buffer_.size())
            code = KPROD_ERR_RECORD_TOO_LARGE;
        if (code)
            return error(code);
        // Before anything is copied: want of memory leaves the pack as it was.
        if (records_.size() == records_.capacity())
            records_.reserve(2 * records_.size() + 1);
        buffer_.reserve(grown(buffer_.size() + detail::fitting<std::size_t>(sizes[0] + sizes[1] + sizes[2])));
        kprod_packed_t packed = {};
        packed.tag = raw.tag;
        packed.timestamp_ms = raw.timestamp_ms;
        packed.topic = raw.topic;
        packed.partition = raw.partition;
        packed.offset = static_cast<std::uint32_t>(buffer_.size());
        packed.key_len = static_cast<std::int32_t>(raw.key_len);
        packed.value_len = static_cast<std::int32_t>(raw.value_len);
        packed.headers_len = static_cast<std::uint32_t>(sizes[2]);
        packed.header_count = raw.header_count;
        append(raw.key, sizes[0]);
        append(raw.value, sizes[1]);
        for (std::uint32_t i = 0; i < raw.header_count; i++) {
            append_with_length(raw.headers[i].key, raw.headers[i].key_len);
            append_with_length(raw.headers[i].value, raw.headers[i].value_len);
        }
        records_.push_back(packed);
        return {};
    }

    // How many records it has.
    std::size_t count() const noexcept { return records_.size(); }
    bool empty() const noexcept { return records_.empty(); }
    // The bytes of its records, and of some that were dropped while others stayed: no more than of those.
    std::size_t size() const noexcept { return buffer_.size(); }

    // Takes the first records out, such as those that were accepted.
    void drop(std::size_t count)
    {
        if (count >= records_.size())
            return clear();
        records_.erase(records_.begin(), records_.begin() + static_cast<std::ptrdiff_t>(count));
        // Only now and then, so that each byte is moved about once however few are dropped at a time.
        const std::uint32_t dropped = records_.front().offset;
        if (dropped <= buffer_.size() / 2)
            return;
        buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(dropped));
        for (auto &record : records_)
            record.offset -= dropped;
    }
    void clear() noexcept
    {
        records_.clear();
        buffer_.clear();
    }

private:
    friend class producer;

    static std::int32_t measure(const void *data, std::int64_t length, std::uint64_t &size) noexcept
    {
        if (length < KPROD_NULL)
            return KPROD_ERR_INVALID_ARG;
        if (length > 0 && data == nullptr)
            return KPROD_ERR_INVALID_ARG;
        if (length > std::numeric_limits<std::int32_t>::max())
            return KPROD_ERR_RECORD_TOO_LARGE;
        size += length == KPROD_NULL ? 0 : static_cast<std::uint64_t>(length);
        return KPROD_ERR_OK;
    }
    static std::int32_t measure_header(const kprod_header_t &header, std::uint64_t &size) noexcept
    {
        size += 2 * sizeof(std::int32_t);
        if (header.key_len == KPROD_NULL)
            return KPROD_ERR_INVALID_ARG;
        const std::int32_t code = measure(header.key, header.key_len, size);
        return code ? code : measure(header.value, header.value_len, size);
    }
    // So that many small records are not copied again and again.
    std::size_t grown(std::size_t wanted) const noexcept
    {
        const std::size_t has = buffer_.capacity();
        return wanted <= has || wanted > 2 * has ? wanted : 2 * has;
    }
    void append(const void *data, std::uint64_t size)
    {
        const auto *first = static_cast<const std::uint8_t *>(data);
        if (size > 0)
            buffer_.insert(buffer_.end(), first, first + size);
    }
    void append_with_length(const void *data, std::int64_t length)
    {
        const auto number = static_cast<std::int32_t>(length);
        append(&number, sizeof number);
        append(data, length > 0 ? static_cast<std::uint64_t>(length) : 0);
    }

    std::vector<std::uint8_t> buffer_;
    std::vector<kprod_packed_t> records_;
};

} // namespace kprod

#endif
