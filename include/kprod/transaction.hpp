// Of kprod.hpp: transactions.
#ifndef KPROD_TRANSACTION_HPP
#define KPROD_TRANSACTION_HPP

#include <kprod/record.hpp>

#include <initializer_list>
#include <string_view>
#include <type_traits>
#include <utility>

namespace kprod {

// How far a consumer group has consumed a partition: borrows the texts.
struct group_offset : kprod_group_offset_t {
    group_offset(std::string_view topic, std::int32_t of_partition, std::int64_t next_offset,
                 std::string_view text = {}, std::int32_t epoch = -1) noexcept
        : kprod_group_offset_t()
    {
        topic_name = topic.data();
        topic_name_len = static_cast<std::int64_t>(topic.size());
        offset = next_offset;
        metadata = text.data();
        metadata_len = static_cast<std::int64_t>(text.size());
        partition = of_partition;
        leader_epoch = epoch;
    }
};
static_assert(sizeof(group_offset) == sizeof(kprod_group_offset_t) && std::is_standard_layout_v<group_offset>);

// A consumer's membership of its group: borrows the texts. Only the id is needed.
struct group_metadata : kprod_group_metadata_t {
    explicit group_metadata(std::string_view id) noexcept
    {
        ::kprod_group_metadata_init(this);
        group_id = id.data();
        group_id_len = static_cast<std::int64_t>(id.size());
    }
    group_metadata &member(std::string_view id, std::int32_t generation) noexcept
    {
        member_id = id.data();
        member_id_len = static_cast<std::int64_t>(id.size());
        generation_id = generation;
        return *this;
    }
    group_metadata &instance(std::string_view id) noexcept
    {
        group_instance_id = id.data();
        group_instance_id_len = static_cast<std::int64_t>(id.size());
        return *this;
    }
};

// A transaction of a producer, from producer::begin_transaction: what the producer sends meanwhile belongs to it. It is
// aborted when its scope ends, unless it was committed. It must not outlive the producer.
//
// A step that gave KPROD_ERR_TIMED_OUT is unfinished: only the same step is allowed then, and waits for its end. Where
// that is a commit when the scope ends, the scope waits for its result, and aborts only what was not committed.
class [[nodiscard]] transaction {
public:
    transaction(transaction &&other) noexcept
        : producer_(std::exchange(other.producer_, nullptr)), committing_(std::exchange(other.committing_, false))
    {
    }
    transaction &operator=(transaction &&other) noexcept
    {
        if (this != &other) {
            end_scope();
            producer_ = std::exchange(other.producer_, nullptr);
            committing_ = std::exchange(other.committing_, false);
        }
        return *this;
    }
    // Waits for an unfinished commit, then aborts what is still open: each may take up to max.block.ms. A commit that is
    // unfinished even then has to be called with kprod_commit_transaction before the producer begins another transaction.
    ~transaction() { end_scope(); }

    // Waits for the outcomes of all records, then commits. An error that is abortable: abort.
    result<void> commit(timeout limit = {})
    {
        auto done = end(::kprod_commit_transaction, limit);
        committing_ = !done && done.error().code() == KPROD_ERR_TIMED_OUT && !done.error().is_abortable();
        return done;
    }
    result<void> abort(timeout limit = {}) { return end(::kprod_abort_transaction, limit); }
    // Makes consumed offsets part of the transaction.
    result<void> send_offsets(const group_offset *offsets, std::size_t count, const group_metadata &group,
                              timeout limit = {})
    {
        if (producer_ == nullptr)
            return error(KPROD_ERR_ILLEGAL_STATE);
        return detail::checked_call([&](kprod_error_t **err) {
            return ::kprod_send_offsets_to_transaction(producer_, offsets, count, &group, limit.ms(), err);
        });
    }
    result<void> send_offsets(std::initializer_list<group_offset> offsets, const group_metadata &group,
                              timeout limit = {})
    {
        return send_offsets(offsets.begin(), offsets.size(), group, limit);
    }
    bool is_open() const noexcept { return producer_ != nullptr; }

private:
    friend class producer;
    explicit transaction(kprod_producer_t *producer) noexcept : producer_(producer) {}

    template <class Step> result<void> end(Step step, timeout limit)
    {
        if (producer_ == nullptr)
            return error(KPROD_ERR_ILLEGAL_STATE);
        auto done = detail::checked_call([&](kprod_error_t **err) { return step(producer_, limit.ms(), err); });
        if (done)
            producer_ = nullptr;
        return done;
    }
    void end_scope() noexcept
    {
        if (producer_ == nullptr)
            return;
        // Nothing else is allowed before its result was fetched; one that was committed must not be aborted.
        if (!committing_ || ::kprod_commit_transaction(producer_, KPROD_TIMEOUT_CONFIGURED, nullptr) != KPROD_ERR_OK)
            ::kprod_abort_transaction(producer_, KPROD_TIMEOUT_CONFIGURED, nullptr);
        producer_ = nullptr;
        committing_ = false;
    }

    kprod_producer_t *producer_;
    bool committing_ = false; // a commit has timed out
};

} // namespace kprod

#endif
