// Records that are gathered in a pack and sent at once.
#include "check.hpp"

#include <string>
#include <vector>

// Waits for so many outcomes: how many are good.
static std::size_t polled(kprod::producer &producer, std::vector<std::int64_t> &offsets, std::size_t count)
{
    std::size_t good = 0;
    while (count > 0) {
        const auto taken = producer.poll([&](const kprod::report &report) {
            // There may be others: that there is room again.
            if (report.kind != KPROD_KIND_RECORD)
                return;
            count--;
            good += report.is_ok() && report.partition == 0 ? 1U : 0U;
            offsets.at(static_cast<std::size_t>(report.tag)) = report.offset;
        }, patience).value();
        CHECK(taken > 0);
    }
    return good;
}

static void all_are_sent_in_their_order()
{
    const mock_cluster cluster("t");
    auto producer = kprod::producer::create(cluster.config()).value();
    const auto topic = producer.topic("t").value();
    CHECK(producer.partitions_for(topic, patience).value() >= 1);
    kprod::pack pack;
    CHECK(pack.empty() && producer.send_packed(pack).count == 0 && producer.send_packed(pack).rest);
    const std::vector<kprod::header> headers = {{"a", "b"}, {"", nullptr}, {"long", std::string_view("")}};
    for (std::uint64_t tag = 0; tag < 300; tag++) {
        // What was added may go: the pack has copies.
        const std::string value = "value " + std::to_string(tag);
        auto record = kprod::record(topic).value(value).partition(0).tag(tag);
        if (tag % 3 == 1)
            record.key(value).headers(headers).timestamp_ms(1000);
        if (tag % 3 == 2)
            record.key("").value(nullptr);
        pack.add(record).value();
    }
    CHECK(pack.count() == 300 && pack.size() > 300);
    const auto sent = producer.send_packed(pack);
    CHECK(sent.count == 300 && sent.rest);
    pack.drop(sent.count);
    CHECK(pack.empty() && pack.size() == 0);
    std::vector<std::int64_t> offsets(300, -1);
    CHECK(polled(producer, offsets, 300) == 300);
    for (std::size_t tag = 0; tag < offsets.size(); tag++)
        CHECK(offsets[tag] == static_cast<std::int64_t>(tag));
    producer.close(patience).value();
    pack.add(kprod::record(topic).value("late")).value();
    const auto closed = producer.send_packed(pack);
    CHECK(closed.count == 0);
    CHECK_ERROR(KPROD_ERR_CLOSED, closed.rest);
}

static void it_says_how_many_were_taken_and_why_no_more()
{
    const mock_cluster cluster("t");
    auto config = cluster.config();
    config.set("buffer.memory", 65536).set("linger.ms", 1);
    auto producer = kprod::producer::create(config).value();
    const auto topic = producer.topic("t").value();
    CHECK(producer.partitions_for(topic, patience).value() >= 1);
    kprod::pack pack;
    const std::string value(1000, 'v');
    for (std::uint64_t tag = 0; tag < 500; tag++)
        pack.add(kprod::record(topic).value(value).partition(0).tag(tag)).value();
    std::vector<std::int64_t> offsets(500, -1);
    std::size_t times = 0;
    while (!pack.empty()) {
        const auto sent = producer.send_packed(pack);
        if (sent.count < pack.count())
            CHECK_ERROR(KPROD_ERR_QUEUE_FULL, sent.rest);
        times++;
        CHECK(polled(producer, offsets, sent.count) == sent.count);
        pack.drop(sent.count);
    }
    CHECK(times > 1);
    for (std::size_t tag = 0; tag < offsets.size(); tag++)
        CHECK(offsets[tag] == static_cast<std::int64_t>(tag));

    for (const std::int32_t partition : {0, 999, 0})
        pack.add(kprod::record(topic).value("x").partition(partition)).value();
    const auto some = producer.send_packed(pack);
    CHECK(some.count == 1);
    CHECK_ERROR(KPROD_ERR_UNKNOWN_PARTITION, some.rest);
    pack.drop(2);
    CHECK(pack.count() == 1 && producer.send_packed(pack).count == 1);
}

// A pack that never gets empty takes no more memory than one that does.
static void what_was_dropped_leaves_its_room()
{
    const mock_cluster cluster("t");
    std::vector<std::string> keys;
    auto config = cluster.config();
    config.partitioner([&](const kprod_partition_request_t &request) {
        keys.emplace_back(request.key, request.key + request.key_len);
        return 0;
    });
    auto producer = kprod::producer::create(config).value();
    const auto topic = producer.topic("t").value();
    CHECK(producer.partitions_for(topic, patience).value() == 1);
    kprod::pack pack;
    const std::string value(1000, 'v');
    constexpr std::size_t all = 1000, kept = 10;
    std::vector<std::string> last;
    for (std::size_t number = 0; number < all; number++) {
        const auto key = std::to_string(number);
        pack.add(kprod::record(topic).key(key).value(value)).value();
        if (pack.count() > kept)
            pack.drop(1);
        if (number >= all - kept)
            last.push_back(key);
        CHECK(pack.size() <= 2 * (kept + 1) * (value.size() + key.size()));
    }
    CHECK(producer.send_packed(pack).count == kept);
    producer.flush(patience).value();
    CHECK(keys == last);
}

static void what_does_not_fit_is_not_added()
{
    kprod::pack pack;
    CHECK_ERROR(KPROD_ERR_INVALID_ARG, pack.add(kprod::record("by name").value("x")));
    const auto topic = kprod::topic(1);
    const char byte = 'x';
    const auto huge = kprod::bytes(&byte, std::size_t{1} << 31);
    CHECK_ERROR(KPROD_ERR_RECORD_TOO_LARGE, pack.add(kprod::record(topic).value(huge)));
    CHECK_ERROR(KPROD_ERR_RECORD_TOO_LARGE, pack.add(kprod::record(topic).headers({{"h", huge}})));
    // Each fits, all together do not.
    const auto large = kprod::bytes(&byte, (std::size_t{1} << 31) - 1);
    CHECK_ERROR(KPROD_ERR_RECORD_TOO_LARGE, pack.add(kprod::record(topic).key(large).value(large).headers({{"h", "v"}})));
    CHECK_ERROR(KPROD_ERR_INVALID_ARG, pack.add(kprod::record(topic).headers(nullptr, 1)));
    CHECK(pack.empty() && pack.size() == 0);
    pack.add(kprod::record(topic).value("small")).value();
    CHECK(pack.count() == 1 && pack.size() == 5);
    pack.clear();
    CHECK(pack.empty());
}

int main()
{
    all_are_sent_in_their_order();
    it_says_how_many_were_taken_and_why_no_more();
    what_was_dropped_leaves_its_room();
    what_does_not_fit_is_not_added();
}
