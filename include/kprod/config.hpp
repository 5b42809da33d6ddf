// Of kprod.hpp: configurations.
#ifndef KPROD_CONFIG_HPP
#define KPROD_CONFIG_HPP

#include <kprod/callbacks.hpp>

#include <functional>
#include <limits>
#include <locale>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>

namespace kprod {

// A configuration, for any number of producers: kprod::config config; config.set("bootstrap.servers",
// "localhost:9092").set("linger.ms", 5). What is wrong shows in producer::create.
class config {
public:
    config() : handle_(::kprod_config_new(), ::kprod_config_free) {}

    // The names are Kafka's, aiokafka's or librdkafka's.
    config &set(const std::string &name, std::string_view value)
    {
        const std::string text(value);
        if (!wrong_ && (name.find('\0') != name.npos || text.find('\0') != text.npos))
            wrong_ = error(KPROD_ERR_INVALID_CONFIG, name.c_str() + std::string(" has a NUL, at which it would end"), 0);
        auto done = detail::checked_call(
            [&](kprod_error_t **err) { return ::kprod_config_set(handle_.get(), name.c_str(), text.c_str(), err); });
        if (!done && !wrong_)
            wrong_ = done.error();
        return *this;
    }
    config &set(const std::string &name, const char *value) { return set(name, std::string_view(value ? value : "")); }
    config &set(const std::string &name, bool value) { return set(name, std::string_view(value ? "true" : "false")); }
    template <class Number, class = std::enable_if_t<std::is_arithmetic_v<Number>>>
    config &set(const std::string &name, Number value)
    {
        if constexpr (std::is_integral_v<Number>) {
            return set(name, std::string_view(std::to_string(value)));
        } else {
            // Numbers look the same in every locale, and keep all the digits that they were written with.
            std::ostringstream text;
            text.precision(std::numeric_limits<Number>::digits10);
            text.imbue(std::locale::classic());
            text << value;
            return set(name, std::string_view(text.str()));
        }
    }
    // The value set, else the default; none for a property without a value. Secrets are [hidden].
    result<std::optional<std::string>> get(const std::string &name) const
    {
        const char *value = nullptr;
        auto done = detail::checked_call(
            [&](kprod_error_t **err) { return ::kprod_config_get(handle_.get(), name.c_str(), &value, err); });
        if (!done)
            return done.error();
        return value ? std::optional<std::string>(value) : std::nullopt;
    }

    // Takes all reports, in arrays that die when it returns. Without it they go to producer::poll.
    config &on_delivery(std::function<void(const report *, std::size_t)> function)
    {
        user_.delivery = std::move(function);
        return *this;
    }
    // Takes log messages on any thread, with one of KPROD_LOG_*; it may not call the producer.
    config &on_log(std::function<void(std::int32_t, std::string_view)> function)
    {
        user_.log = std::move(function);
        return *this;
    }
    // Chooses partitions, on several threads at a time.
    config &partitioner(std::function<std::int32_t(const kprod_partition_request_t &)> function)
    {
        user_.partitioner = std::move(function);
        return *this;
    }
    // Takes what the user's other functions throw, on the thread on which they did.
    config &on_exception(std::function<void(std::exception_ptr)> function)
    {
        user_.exception = std::move(function);
        return *this;
    }

private:
    friend class producer;
    std::unique_ptr<kprod_config_t, void (*)(kprod_config_t *)> handle_;
    std::optional<error> wrong_;
    detail::functions user_;
};

} // namespace kprod

#endif
