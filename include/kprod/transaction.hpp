// Of kprod.hpp: transactions.
#ifndef KPROD_TRANSACTION_HPP
#define KPROD_TRANSACTION_HPP

#include <kprod/callbacks.hpp>
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
// that is a commit when the scope ends, the scope waits for its result, and aborts only what was not committed. Who has
// to know the result calls commit again before the scope ends, or producer::take_left_commit after it.
class [[nodiscard]] transaction {
public:
    transaction(transaction &&other) noexcept
        : home_(std::exchange(other.home_, nullptr)), committing_(std::exchange(other.committing_, false))
    {
    }
    transaction &operator=(transaction &&other) noexcept
    {
        if (this != &other) {
            end_scope();
            home_ = std::exchange(other.home_, nullptr);
            committing_ = std::exchange(other.committing_, false);
        }
        return *this;
    }
    // Waits for an unfinished commit, then aborts what is still open: each may take up to max.block.ms. What is
    // unfinished even then goes on, and the next producer::begin_transaction ends it first.
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
        if (home_ == nullptr)
            return error(KPROD_ERR_ILLEGAL_STATE);
        return detail::checked_call([&](kprod_error_t **err) {
            return ::kprod_send_offsets_to_transaction(home_->producer, offsets, count, &group, limit.ms(), err);
        });
    }
    result<void> send_offsets(std::initializer_list<group_offset> offsets, const group_metadata &group,
                              timeout limit = {})
    {
        return send_offsets(offsets.begin(), offsets.size(), group, limit);
    }
    bool is_open() const noexcept { return home_ != nullptr; }

private:
    friend class producer;
    explicit transaction(detail::home *home) noexcept : home_(home) {}

    template <class Step> result<void> end(Step step, timeout limit)
    {
        if (home_ == nullptr)
            return error(KPROD_ERR_ILLEGAL_STATE);
        auto done = detail::checked_call([&](kprod_error_t **err) { return step(home_->producer, limit.ms(), err); });
        if (done)
            home_ = nullptr;
        return done;
    }
    void end_scope() noexcept
    {
        if (home_ == nullptr)
            return;
        home_->ending.leave(committing_);
        static_cast<void>(home_->ending.resume(home_->producer, {}));
        home_ = nullptr;
        committing_ = false;
    }

    detail::home *home_;
    bool committing_ = false; // a commit has timed out
};

} // namespace kprod

#endif
