# frozen_string_literal: true

require_relative 'support'

# Ways out of a transaction.
class TestTransactions < Test::Unit::TestCase
  include Support

  class Odd < Exception; end # rubocop:disable Lint/InheritException

  def transactional(cluster, properties = {}, &block)
    Kprod::Producer.open({ 'bootstrap.servers' => cluster.bootstrap, 'transactional.id' => 'id',
                           'max.block.ms' => 20_000 }.merge(properties), &block)
  end

  # Whether what the block sends in a transaction it leaves is dropped, and the next transaction goes well.
  def aborted(properties = {})
    Cluster.open do |cluster|
      transactional(cluster, properties) do |producer|
        dropped = nil
        within_limit do
          yield producer, cluster, -> { (dropped = producer.send('t', 'dropped')).value }
        end
        assert_equal 0, dropped.value(0).offset
        ended = cluster.requests(Cluster::END_TXN)
        assert_equal 1, ended, 'the transaction was not aborted'
        within_limit { producer.transaction { producer.send('t', 'kept') } }
      end
      assert_equal ['kept'], committed(cluster)
    end
  end

  def leaves_by_return(producer, sent)
    producer.transaction do
      sent.call
      return 5
    end
  end

  def test_whatever_leaves_the_block_aborts
    aborted do |producer, _, sent|
      assert_raise(RangeError) { producer.transaction { sent.call && raise(RangeError) } }
    end
    aborted { |producer, _, sent| assert_raise(Odd) { producer.transaction { sent.call && raise(Odd) } } }
    aborted { |producer, _, sent| assert_equal 4, (producer.transaction { sent.call && (break 4) }) }
    aborted { |producer, _, sent| assert_equal 5, leaves_by_return(producer, sent) }
    aborted { |producer, _, sent| assert_equal 6, catch(:out) { producer.transaction { sent.call && throw(:out, 6) } } }
    aborted { |producer, _, sent| Thread.new { producer.transaction { sent.call && Thread.exit } }.join }
    aborted do |producer, _, sent|
      reached = Queue.new
      stopped(-> { reached.pop }) { producer.transaction { sent.call && (reached << 1) && sleep } }
    end
  end

  # Runs the block in a thread, which it interrupts after this.
  def stopped(after)
    thread = Thread.new { yield }
    thread.report_on_exception = false
    after.call
    thread.raise(Odd)
    assert_raise(Odd) { thread.join }
  end

  # Runs the block and interrupts it while it waits for the answer to its request.
  def stopped_at(cluster, api, &block)
    before = cluster.requests(api)
    cluster.delay(api, 1000)
    stopped(-> { until_true('the request has come') { cluster.requests(api) > before } }, &block)
  end

  # Calls it again as long as it times out.
  def resumed
    yield
  rescue Kprod::TimedOutError
    retry
  end

  def test_the_blocks_own_timeout_aborts
    aborted('linger.ms' => 0) do |producer, cluster, sent|
      producer.partitions_for('t')
      error = assert_raise(Kprod::TimedOutError) do
        producer.transaction do
          sent.call
          cluster.delay(Cluster::PRODUCE, 300)
          producer.send('t', 'slow').value(0)
        end
      end
      assert !error.fatal?
    end
  end

  def test_offsets_that_are_interrupted_are_aborted
    aborted do |producer, cluster, sent|
      stopped_at(cluster, Cluster::TXN_OFFSET_COMMIT) do
        producer.transaction do
          sent.call
          producer.send_offsets_to_transaction({ ['t', 0] => 1 }, 'group')
        end
      end
    end
  end

  def test_offsets_that_time_out_are_aborted
    Cluster.open do |cluster|
      transactional(cluster, 'max.block.ms' => 2000) do |producer|
        within_limit do
          producer.start
          cluster.delay(Cluster::TXN_OFFSET_COMMIT, 3000)
          assert_raise(Kprod::TimedOutError) do
            producer.transaction { producer.send_offsets_to_transaction({ ['t', 0] => 1 }, 'group') }
          end
          producer.transaction { producer.send('t', 'kept') }
        end
      end
      assert_equal ['kept'], committed(cluster)
    end
  end

  def test_a_commit_that_timed_out_is_resumed
    Cluster.open do |cluster|
      transactional(cluster, 'max.block.ms' => 2000) do |producer|
        within_limit do
          producer.start
          cluster.delay(Cluster::END_TXN, 3000)
          assert_raise(Kprod::TimedOutError) { producer.transaction { producer.send('t', 'slow') } }
          resumed { producer.commit_transaction }
          producer.transaction { producer.send('t', 'next') }
        end
      end
      assert_equal %w[slow next], committed(cluster)
    end
  end

  def test_a_step_that_was_interrupted_is_resumed
    Cluster.open do |cluster|
      transactional(cluster) do |producer|
        within_limit do
          stopped_at(cluster, Cluster::INIT_PRODUCER_ID) { producer.transaction { flunk 'it has begun' } }
          producer.begin_transaction
          producer.send('t', 'x')
          offsets = -> { producer.send_offsets_to_transaction({ ['t', 0] => 1 }, 'group') }
          stopped_at(cluster, Cluster::TXN_OFFSET_COMMIT) { offsets.call }
          offsets.call
          stopped_at(cluster, Cluster::END_TXN) { producer.commit_transaction }
          producer.commit_transaction
          assert_raise(Kprod::IllegalStateError) { producer.commit_transaction }
        end
      end
      assert_equal ['x'], committed(cluster)
    end
  end

  def test_a_commit_that_is_interrupted_in_the_block_is_not_undone
    Cluster.open do |cluster|
      transactional(cluster) do |producer|
        within_limit do
          stopped_at(cluster, Cluster::END_TXN) { producer.transaction { producer.send('t', 'x') } }
          producer.commit_transaction
        end
      end
      assert_equal ['x'], committed(cluster)
    end
  end

  # There is nothing left to abort: what led there is told.
  def test_an_error_after_the_transactions_end_is_told_as_it_is
    with('transactional.id' => 'id') do |producer|
      within_limit do
        %i[commit_transaction abort_transaction close].each do |ended|
          assert_raise(RangeError) { producer.transaction { producer.public_send(ended) || raise(RangeError) } }
        end
      end
    end
  end

  REFUSED = { RECORD_TOO_LARGE: ['x' * (2 << 20), {}], UNKNOWN_PARTITION: ['credit', { partition: 7 }],
              INVALID_TIMESTAMP_ARG: ['credit', { timestamp: -5 }] }.freeze

  # The error of a commit without a record that was refused.
  def assert_incomplete(name, &block)
    error = assert_raise_kind_of(Kprod::Error, &block)
    assert_equal [name.to_s, name.to_s, true], [error.name, error.cause.name, error.abortable?]
  end

  REFUSED.each do |name, (value, keywords)|
    define_method("test_a_record_refused_as_#{name.downcase}_lets_the_commit_abort") do
      aborted do |producer, cluster, sent|
        producer.partitions_for('t')
        assert_incomplete(name) { producer.transaction { sent.call && producer.send('t', value, **keywords) } }
        ended = cluster.requests(Cluster::END_TXN)
        producer.begin_transaction
        refused = producer.send('t', value, **keywords)
        assert_raise(Kprod::Error) { refused.value }
        2.times { assert_incomplete(name) { producer.commit_transaction } }
        producer.abort_transaction
        assert_equal ended, cluster.requests(Cluster::END_TXN)
      end
    end
  end

  def test_a_record_that_had_no_room_in_time_lets_the_commit_abort
    Cluster.open do |cluster|
      transactional(cluster, 'buffer.memory' => 65_536, 'batch.size' => 16_384, 'reconnect.backoff.max.ms' => 50,
                             'max.block.ms' => 2000) do |producer|
        within_limit do
          producer.partitions_for('t')
          assert_incomplete(:QUEUE_FULL) do
            producer.transaction do
              cluster.broker(Cluster::CRASHED)
              sent = []
              assert_raise(Kprod::QueueFullError) { loop { sent << producer.try_send('t', 'x' * 1000) } }
              assert_kind_of Kprod::QueueFullError, sent.last.tap(&:wait).error
              cluster.broker(Cluster::UP)
            end
          end
          producer.transaction { producer.send('t', 'kept') }
        end
      end
      assert_equal ['kept'], committed(cluster)
    end
  end

  def test_what_was_refused_outside_of_a_transaction_or_cancelled_lets_it_commit
    Cluster.open do |cluster|
      transactional(cluster) do |producer|
        within_limit do
          producer.start
          assert_raise(Kprod::IllegalStateError) { producer.send('t', 'stray').value }
          assert_raise(Kprod::IllegalStateError) { producer.commit_transaction }
          producer.transaction do
            producer.send('t', 'sent')
            nil until producer.send('t', 'in time or not').cancel
          end
        end
      end
      assert_equal ['sent'], committed(cluster) - ['in time or not']
    end
  end

  def test_a_record_that_failed_lets_the_commit_abort
    with('transactional.id' => 'id', 'allow.auto.create.topics' => false, 'request.timeout.ms' => 200,
         'delivery.timeout.ms' => 300) do |producer|
      within_limit do
        failed = nil
        error = assert_raise(Kprod::Error) do
          producer.transaction { (failed = producer.send('unknown', 'x')).wait }
        end
        assert error.abortable?, error.inspect
        assert_equal failed.error.name, error.name
        producer.transaction { nil }
      end
    end
  end
end
