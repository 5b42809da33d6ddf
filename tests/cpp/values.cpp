// Results, errors, views, timeouts and configurations.
#include "check.hpp"

#include <string_view>
#include <vector>

static void results_give_a_value_or_throw()
{
    kprod::result<int> seven(7);
    CHECK(seven && seven.has_value() && *seven == 7 && seven.value() == 7);
    kprod::result<std::unique_ptr<int>> moves(std::make_unique<int>(3));
    CHECK(*std::move(moves).value() == 3);
    kprod::result<int> wrong(kprod::error(KPROD_ERR_QUEUE_FULL));
    CHECK(!wrong && wrong.error().is_retriable() && !wrong.error().is_fatal() && wrong.error().name() == "QUEUE_FULL");
    kprod::result<void> fine, broken(kprod::error(KPROD_ERR_FATAL));
    fine.value();
    int caught = 0;
    try {
        static_cast<void>(wrong.value());
    } catch (const kprod::exception &thrown) {
        caught += thrown.error().code() == KPROD_ERR_QUEUE_FULL;
        CHECK(std::string(thrown.what()).find("buffer.memory") != std::string::npos);
    }
    try {
        broken.value();
    } catch (const std::runtime_error &) {
        caught += broken.error().is_fatal();
    }
    CHECK(caught == 2);
}

static void null_and_empty_are_distinct()
{
    const std::vector<std::uint8_t> none;
    const std::string text = "abc";
    const char *no_text = nullptr;
    CHECK(kprod::bytes().is_null() && kprod::bytes(nullptr).is_null() && kprod::bytes(std::nullopt).is_null());
    CHECK(kprod::bytes(no_text).is_null());
    for (const kprod::bytes empty : {kprod::bytes(""), kprod::bytes(none), kprod::bytes(std::string_view()),
                                     kprod::bytes(nullptr, std::size_t{0})})
        CHECK(!empty.is_null() && empty.size() == 0 && empty.data() != nullptr);
    CHECK(kprod::bytes(text).size() == 3 && kprod::bytes("abcd").size() == 4);
    CHECK(kprod::bytes(text).data() == reinterpret_cast<const std::uint8_t *>(text.data()));
    // Bytes that are not there are neither read nor taken for others.
    const kprod::bytes nowhere(nullptr, std::size_t{64});
    CHECK(nowhere.data() == nullptr && nowhere.size() == 64);
    kprod::pack pack;
    const auto added = pack.add(kprod::record().value(nowhere));
    CHECK(!added && added.error().code() == KPROD_ERR_INVALID_ARG && pack.empty());
    kprod::record record;
    CHECK(record.c()->key_len == KPROD_NULL && record.c()->partition == KPROD_PARTITION_UNASSIGNED);
}

static void timeouts_are_rounded_up_and_bounded()
{
    using namespace std::chrono_literals;
    CHECK(kprod::timeout().ms() == KPROD_TIMEOUT_CONFIGURED);
    CHECK(kprod::timeout(0s).ms() == 0 && kprod::timeout(-5s).ms() == 0);
    CHECK(kprod::timeout(1us).ms() == 1 && kprod::timeout(2s).ms() == 2000);
    CHECK(kprod::timeout(std::chrono::hours(24 * 365 * 100)).ms() == std::numeric_limits<std::int32_t>::max());
}

static void configurations_keep_the_first_error()
{
    kprod::config config;
    config.set("bootstrap.servers", std::string("localhost:1")).set("linger.ms", 5).set("kprod.events", true);
    CHECK(config.get("linger.ms").value() == "5" && config.get("kprod.events").value() == "true");
    CHECK(config.set("linger.ms", 0.5).get("linger.ms").value() == "0.5");
    CHECK(config.set("linger.ms", 1234567.5).get("linger.ms").value() == "1234567.5");
    CHECK(config.set("max.block.ms", 1e6).get("max.block.ms").value() == "1000000");
    CHECK(!config.get("transactional.id").value());
    CHECK_ERROR(KPROD_ERR_UNKNOWN_CONFIG, config.get("linger"));
    CHECK(kprod::producer::create(config));
    config.set("lingr.ms", 1).set("acks", "most");
    auto refused = kprod::producer::create(config);
    CHECK_ERROR(KPROD_ERR_UNKNOWN_CONFIG, refused);
    CHECK(refused.error().message().find("linger.ms") != std::string::npos);
    CHECK_ERROR(KPROD_ERR_INVALID_CONFIG, kprod::producer::create(kprod::config()));
    kprod::config cut;
    cut.set("bootstrap.servers", std::string_view("localhost:1\0,elsewhere:1", 24));
    auto nul = kprod::producer::create(cut);
    CHECK_ERROR(KPROD_ERR_INVALID_CONFIG, nul);
    CHECK(nul.error().message().find("bootstrap.servers") != std::string::npos);
}

int main()
{
    results_give_a_value_or_throw();
    null_and_empty_are_distinct();
    timeouts_are_rounded_up_and_bounded();
    configurations_keep_the_first_error();
}
