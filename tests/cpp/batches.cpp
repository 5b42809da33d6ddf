// Batches of the caller's own.
#include "check.hpp"

#include <atomic>

static kprod::batch filled(kprod::producer &producer, int records)
{
    auto batch = producer.create_batch().value();
    for (int i = 0; i < records; i++)
        CHECK(batch.append(kprod::record().value("value"))->offset == i);
    return batch;
}

static void a_batch_is_filled_and_sent()
{
    const mock_cluster cluster("t", 2);
    auto config = cluster.config();
    config.set("batch.size", 1000);
    auto producer = kprod::producer::create(config).value();
    const auto topic = producer.topic("t").value();
    auto batch = producer.create_batch().value();
    CHECK(batch.size() == 61 && batch.record_count() == 0);
    kprod::result<kprod::appended> last = batch.append(kprod::record().key("k").timestamp_ms(5));
    CHECK(last->timestamp_ms == 5 && batch.size() == 61 + static_cast<std::size_t>(last->size));
    while (last)
        last = batch.append(kprod::record().value(std::string(100, 'x')));
    CHECK_ERROR(KPROD_ERR_BATCH_FULL, last);
    CHECK_ERROR(KPROD_ERR_ILLEGAL_STATE, batch.append(kprod::record()));
    CHECK_ERROR(KPROD_ERR_UNKNOWN_PARTITION, producer.send_batch(batch, topic, 7, 1, patience));
    const std::size_t count = batch.record_count();
    auto report = producer.send_batch_async(batch, topic, 1, patience).get().value();
    CHECK(report.kind == KPROD_KIND_BATCH && report.count == count && report.offset == 0 && report.partition == 1);
    CHECK_ERROR(KPROD_ERR_ILLEGAL_STATE, producer.send_batch(batch, topic, 1, 1, patience));

    auto polled = filled(producer, 3);
    polled.close().value();
    producer.send_batch(polled, topic, 1, 42, patience).value();
    CHECK(producer.poll(&report, 1, patience).value() == 1);
    CHECK(report.tag == 42 && report.offset == static_cast<std::int64_t>(count) && report.is_ok());

    std::atomic<int> told{0};
    auto called = filled(producer, 2);
    producer.send_batch(called, topic, 0, [&](const kprod::report &outcome) { told += static_cast<int>(outcome.count); })
        .value();
    auto tried = filled(producer, 1);
    producer.flush(patience).value();
    producer.try_send_batch(tried, topic, 0, 43).value();
    producer.flush(patience).value();
    CHECK(told == 2 && cluster.records("t", 0) == 3);
}

static void a_batch_that_moves_or_outlives_is_freed_once()
{
    const mock_cluster cluster("t");
    auto producer = std::make_unique<kprod::producer>(kprod::producer::create(cluster.config()).value());
    auto first = filled(*producer, 1);
    auto second = std::move(first);
    CHECK(first.size() == 0 && second.record_count() == 1);
    CHECK_ERROR(KPROD_ERR_INVALID_ARG, first.append(kprod::record()));
    producer.reset();
    second = std::move(first);
}

int main()
{
    a_batch_is_filled_and_sent();
    a_batch_that_moves_or_outlives_is_freed_once();
}
