// Of kprod.hpp: the end of transactions that their scopes did not see.
#ifndef KPROD_ENDING_HPP
#define KPROD_ENDING_HPP

#include <kprod/record.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace kprod {

namespace detail {

// What became of a step, held without a C++ error, which needs memory: scopes end without that too.
struct outcome {
    std::int32_t code = KPROD_ERR_OK;
    std::unique_ptr<kprod_error_t, void (*)(kprod_error_t *)> why{nullptr, ::kprod_error_free};

    template <class Step> static outcome of(Step step, kprod_producer_t *producer, timeout limit) noexcept
    {
        kprod_error_t *object = nullptr;
        outcome became;
        became.code = step(producer, limit.ms(), &object);
        became.why.reset(object);
        return became;
    }
    // The step goes on, or was not taken. A commit that fails for a record's time is over.
    bool is_unfinished() const noexcept
    {
        return code == KPROD_ERR_IN_CALLBACK || (code == KPROD_ERR_TIMED_OUT && !::kprod_error_is_abortable(why.get()));
    }
    result<void> told() &&
    {
        return code == KPROD_ERR_OK ? result<void>() : error::adopt(code, why.release());
    }
};

// The step that ends a producer's transaction, from the end of its scope until the library has ended it.
class ending {
public:
    void leave(bool committing) noexcept
    {
        // What became of the one before is not this one's.
        static_cast<void>(take_commit());
        left_ = committing ? step::commit : step::abort;
    }
    // Takes the step that is left, if one is, and an abort behind a commit that has failed: what is unfinished still.
    // Others who resume meanwhile have nothing to do here, and are refused by the library.
    std::optional<outcome> resume(kprod_producer_t *producer, timeout limit) noexcept
    {
        step next = left_.exchange(step::none);
        if (next == step::commit) {
            auto became = outcome::of(::kprod_commit_transaction, producer, limit);
            if (became.is_unfinished())
                return goes_on(step::commit, std::move(became));
            next = became.code == KPROD_ERR_OK ? step::none : step::abort;
            const std::lock_guard<std::mutex> lock(mutex_);
            commit_.emplace(std::move(became));
        }
        if (next == step::abort) {
            auto became = outcome::of(::kprod_abort_transaction, producer, limit);
            if (became.is_unfinished())
                return goes_on(step::abort, std::move(became));
        }
        return std::nullopt;
    }
    // The outcome of the last commit that was resumed, once.
    std::optional<outcome> take_commit() noexcept
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        auto taken = std::move(commit_);
        commit_.reset();
        return taken;
    }

private:
    enum class step { none, commit, abort };

    outcome goes_on(step unfinished, outcome became) noexcept
    {
        left_ = unfinished;
        return became;
    }

    std::atomic<step> left_{step::none};
    std::mutex mutex_;
    std::optional<outcome> commit_;
};

} // namespace detail

} // namespace kprod

#endif
