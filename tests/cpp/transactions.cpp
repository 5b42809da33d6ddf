// Transactions end with their scope.
#include "check.hpp"

#include <atomic>

static kprod::producer transactional(const mock_cluster &cluster, std::int32_t max_block_ms = 30000)
{
    auto config = cluster.config();
    config.set("transactional.id", "a").set("max.block.ms", max_block_ms);
    return kprod::producer::create(config).value();
}

static void a_transaction_is_committed()
{
    const mock_cluster cluster("t");
    auto producer = transactional(cluster);
    auto transaction = producer.begin_transaction(patience).value();
    auto outcome = producer.send_async(kprod::record("t").value("v"));
    const auto group = kprod::group_metadata("group").member("member", 3).instance("instance");
    CHECK(group.generation_id == 3 && group.group_instance_id_len == 8);
    transaction.send_offsets({kprod::group_offset("t", 0, 5, "m")}, kprod::group_metadata("group"), patience)
        .value();
    CHECK(transaction.is_open());
    transaction.commit(patience).value();
    CHECK(!transaction.is_open() && outcome.get().value().is_ok());
    CHECK_ERROR(KPROD_ERR_ILLEGAL_STATE, transaction.commit());
    CHECK_ERROR(KPROD_ERR_ILLEGAL_STATE, transaction.abort());
    CHECK_ERROR(KPROD_ERR_ILLEGAL_STATE, transaction.send_offsets({}, kprod::group_metadata("group")));
}

static void a_scope_that_ends_early_aborts()
{
    const mock_cluster cluster("t");
    auto producer = transactional(cluster);
    std::atomic<std::int32_t> code{0};
    try {
        auto transaction = producer.begin_transaction(patience).value();
        CHECK(producer.partitions_for(producer.topic("t").value(), patience));
        CHECK(kprod_mock_set_leader(cluster.c(), "t", 0, -1) == 0); // so that the record is still here
        producer.send(kprod::record("t"), [&](const kprod::report &report) { code = report.error; }).value();
        producer.send(kprod::record("t").partition(9)).value(); // throws
    } catch (const kprod::exception &thrown) {
        CHECK(thrown.error().code() == KPROD_ERR_UNKNOWN_PARTITION);
    }
    CHECK(kprod_mock_set_leader(cluster.c(), "t", 0, 1) == 0);
    auto next = producer.begin_transaction(patience).value(); // and so the first has ended
    auto moved = std::move(next);
    CHECK(!next.is_open() && moved.is_open());
    moved.abort(patience).value();
    producer.close(patience).value();
    CHECK(code == KPROD_ERR_ABORTED);
}

static void a_failed_record_fails_the_commit()
{
    const mock_cluster cluster("t");
    auto producer = transactional(cluster);
    auto transaction = producer.begin_transaction(patience).value();
    cluster.fail(KPROD_ERR_TOPIC_AUTHORIZATION_FAILED);
    producer.send(kprod::record("t")).value();
    auto commit = transaction.commit(patience);
    CHECK(!commit && commit.error().is_abortable());
    transaction.abort(patience).value();
}

static void a_scope_waits_for_its_unfinished_commit()
{
    const mock_cluster cluster("t");
    auto producer = transactional(cluster);
    {
        auto transaction = producer.begin_transaction(patience).value();
        producer.send_wait(kprod::record("t").value("v")).value();
        kprod_mock_fault_t fault;
        kprod_mock_fault_init(&fault);
        fault.api = 26; // EndTxn
        fault.kind = 0; // only late
        fault.delay_ms = 200;
        CHECK(kprod_mock_inject(cluster.c(), &fault) == 0);
        CHECK_ERROR(KPROD_ERR_TIMED_OUT, transaction.commit(std::chrono::milliseconds(1)));
        auto moved = std::move(transaction);
        CHECK(moved.is_open());
    }
    CHECK(producer.take_left_commit().value());
    auto next = producer.begin_transaction(patience).value();
    next.abort(patience).value();
}

// Here scopes have less time than what they wait for takes.
constexpr std::int32_t too_short_ms = 50;

static void set_broker(const mock_cluster &cluster, std::int32_t state)
{
    CHECK(kprod_mock_set_broker_state(cluster.c(), 1, state) == 0);
}

// Writes a record of the open transaction; then nobody is there to end it.
static void write_and_crash(kprod::producer &producer, const mock_cluster &cluster)
{
    CHECK(producer.partitions_for(producer.topic("t").value(), patience));
    producer.send_wait(kprod::record("t").value("v"), patience).value();
    set_broker(cluster, KPROD_MOCK_BROKER_CRASHED);
}

static void the_next_begin_ends_an_abort_that_outlived_its_scope()
{
    const mock_cluster cluster("t");
    auto producer = transactional(cluster, too_short_ms);
    {
        auto transaction = producer.begin_transaction(patience).value();
        write_and_crash(producer, cluster);
    }
    const auto early = producer.begin_transaction();
    CHECK_ERROR(KPROD_ERR_TIMED_OUT, early);
    CHECK(early.error().message().find("call begin_transaction again") != std::string::npos);
    set_broker(cluster, KPROD_MOCK_BROKER_UP);
    producer.begin_transaction(patience).value().commit(patience).value();
    CHECK(!producer.take_left_commit());
}

static void the_next_begin_ends_a_commit_that_outlived_its_scope()
{
    const mock_cluster cluster("t");
    auto producer = transactional(cluster, too_short_ms);
    {
        auto transaction = producer.begin_transaction(patience).value();
        write_and_crash(producer, cluster);
        CHECK_ERROR(KPROD_ERR_TIMED_OUT, transaction.commit());
    }
    CHECK_ERROR(KPROD_ERR_TIMED_OUT, producer.begin_transaction());
    CHECK(!producer.take_left_commit());
    set_broker(cluster, KPROD_MOCK_BROKER_UP);
    producer.begin_transaction(patience).value().commit(patience).value();
    CHECK(producer.take_left_commit().value());
    CHECK(!producer.take_left_commit());
}

static void what_became_of_a_commit_is_not_told_of_the_next()
{
    const mock_cluster cluster("t");
    auto producer = transactional(cluster, too_short_ms);
    const auto outlive_the_scope = [&] {
        auto transaction = producer.begin_transaction(patience).value();
        write_and_crash(producer, cluster);
        CHECK_ERROR(KPROD_ERR_TIMED_OUT, transaction.commit());
    };
    outlive_the_scope();
    set_broker(cluster, KPROD_MOCK_BROKER_UP);
    outlive_the_scope();
    CHECK(!producer.take_left_commit());
}

static void what_is_left_is_kept_where_a_callback_begins()
{
    const mock_cluster cluster("t");
    const mock_cluster other("t");
    auto producer = transactional(cluster, too_short_ms);
    {
        auto transaction = producer.begin_transaction(patience).value();
        write_and_crash(producer, cluster);
        CHECK_ERROR(KPROD_ERR_TIMED_OUT, transaction.commit());
    }
    auto calling = transactional(other, 5'000);
    {
        auto transaction = calling.begin_transaction(patience).value();
        CHECK(calling.send(kprod::record("t").value("v"), [&](const kprod::report &) {
            CHECK_ERROR(KPROD_ERR_IN_CALLBACK, producer.begin_transaction());
        }));
        transaction.commit(patience).value();
    }
    set_broker(cluster, KPROD_MOCK_BROKER_UP);
    producer.begin_transaction(patience).value().commit(patience).value();
    CHECK(producer.take_left_commit().value());
}

static void the_next_begin_tells_and_aborts_a_commit_that_failed()
{
    const mock_cluster cluster("t");
    auto producer = transactional(cluster, too_short_ms);
    {
        auto transaction = producer.begin_transaction(patience).value();
        CHECK(producer.partitions_for(producer.topic("t").value(), patience));
        CHECK(kprod_mock_set_leader(cluster.c(), "t", 0, -1) == 0); // so that the record keeps the commit waiting
        producer.send(kprod::record("t").value("v")).value();
        CHECK_ERROR(KPROD_ERR_TIMED_OUT, transaction.commit());
    }
    CHECK_ERROR(KPROD_ERR_TIMED_OUT, producer.begin_transaction());
    cluster.fail(KPROD_ERR_TOPIC_AUTHORIZATION_FAILED);
    CHECK(kprod_mock_set_leader(cluster.c(), "t", 0, 1) == 0);
    producer.begin_transaction(patience).value().commit(patience).value();
    const auto left = producer.take_left_commit().value();
    CHECK_ERROR(KPROD_ERR_TOPIC_AUTHORIZATION_FAILED, left);
    CHECK(left.error().is_abortable());
}

int main()
{
    a_transaction_is_committed();
    a_scope_that_ends_early_aborts();
    a_failed_record_fails_the_commit();
    a_scope_waits_for_its_unfinished_commit();
    the_next_begin_ends_an_abort_that_outlived_its_scope();
    the_next_begin_ends_a_commit_that_outlived_its_scope();
    what_became_of_a_commit_is_not_told_of_the_next();
    what_is_left_is_kept_where_a_callback_begins();
    the_next_begin_tells_and_aborts_a_commit_that_failed();
}
