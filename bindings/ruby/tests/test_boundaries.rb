# frozen_string_literal: true

require_relative 'support'

# Where one transaction ends and another begins, or the producer is closed meanwhile.
class TestBoundaries < Test::Unit::TestCase
  include Support

  SMALL = { 'buffer.memory' => 65_536, 'batch.size' => 16_384 }.freeze

  def transactional(properties = {})
    Cluster.open do |cluster|
      Kprod::Producer.open({ 'bootstrap.servers' => cluster.bootstrap, 'transactional.id' => 'id',
                             'max.block.ms' => 10_000, 'reconnect.backoff.max.ms' => 50 }.merge(properties)) do |producer|
        producer.start
        producer.partitions_for('t')
        within_limit { yield producer, cluster }
      ensure
        cluster.broker(Cluster::UP)
      end
    end
  end

  def filled(producer) = producer.create_batch.tap { |batch| batch.append('x') }

  # What the block gives, or the name of the error that it raises.
  def outcome
    yield
  rescue Kprod::Error => e
    e.name
  end

  def later(&block) = Thread.new { outcome(&block) }

  def test_what_is_sent_before_a_transaction_begins_is_not_in_it
    transactional do |producer, cluster|
      stray = producer.send('t', 'stray')
      producer.begin_transaction
      assert_raise(Kprod::IllegalStateError) { stray.value(20) }
      producer.send('t', 'sent')
      producer.commit_transaction
      assert_equal ['sent'], committed(cluster)
    end
  end

  def test_what_waits_when_it_is_aborted_is_in_no_other
    transactional(SMALL) do |producer, cluster|
      producer.begin_transaction
      cluster.broker(Cluster::CRASHED)
      futures = Queue.new
      senders = Array.new(4) { later { 500.times { futures << producer.send('t', 'old' * 100) } } }
      batches = %w[t unknown].map { |topic| later { producer.send_batch(filled(producer), topic, 0).value } }
      # All wait for room.
      until_true('they wait') { (senders + batches).all?(&:stop?) }
      aborted = later { producer.abort_transaction }
      cluster.broker(Cluster::UP)
      assert_nil aborted.value
      producer.begin_transaction
      # Their refusals are none of this one's.
      names = (senders + batches).map(&:value).grep(String) + Array.new(futures.size) { outcome { futures.pop.value } }
      assert_empty names.uniq - %w[ABORTED ILLEGAL_STATE]
      producer.send('t', 'sent')
      producer.commit_transaction
      assert_equal ['sent'], committed(cluster)
    end
  end

  # Threads that have waited for room see the transaction that they waited in, or none.
  def test_what_has_waited_for_room_is_part_of_what_it_was_sent_in
    transactional(SMALL) do |producer, _|
      outgoing = producer.instance_variable_get(:@outgoing)
      [[nil, []], [[], nil], [[], []]].each do |before, after|
        outgoing.refusals = before
        outgoing.instance_variable_set(:@full, -110)
        outgoing.instance_variable_set(:@full_until, Float::INFINITY)
        waiting = later { producer.send('t', 'x') }
        until_true('it waits') { waiting.stop? }
        outgoing.refusals = after
        outgoing.send(:locked) { outgoing.send(:have_room) }
        assert_equal 'ILLEGAL_STATE', waiting.value
      end
    ensure
      outgoing.refusals = nil
    end
  end

  def test_a_begin_that_fails_leaves_the_open_transaction_as_it_is
    transactional do |producer, cluster|
      %i[commit_transaction abort_transaction].each do |finish|
        producer.begin_transaction
        producer.send('t', finish.to_s)
        others = Array.new(3) { later { producer.begin_transaction } }
        assert_equal(['ILLEGAL_STATE'] * 3, others.map(&:value))
        producer.public_send(finish)
        assert_raise(Kprod::IllegalStateError) { producer.commit_transaction }
      end
      # Nor does it forget what was refused.
      producer.begin_transaction
      assert_equal('UNKNOWN_PARTITION', outcome { producer.send('t', 'x', partition: 7).value })
      assert_raise(Kprod::IllegalStateError) { producer.begin_transaction }
      assert_equal('UNKNOWN_PARTITION', outcome { producer.commit_transaction })
      producer.abort_transaction
      assert_equal ['commit_transaction'], committed(cluster)
    end
  end

  def test_a_begin_under_way_when_the_producer_is_closed_is_over
    Cluster.open do |cluster|
      cluster.broker(Cluster::CRASHED)
      producer = Kprod::Producer.new('bootstrap.servers' => cluster.bootstrap, 'transactional.id' => 'id')
      begun = later { producer.begin_transaction }
      until_true('it waits') { begun.stop? }
      within_limit { producer.close }
      assert_equal 'CLOSED', within_limit { begun.value }
      assert_raise(Kprod::ClosedError) { producer.begin_transaction }
    end
  end

  def test_close_during_the_end_of_a_transaction_hangs_neither
    { commit_transaction: ['x'], abort_transaction: [] }.each do |finish, log|
      transactional do |producer, cluster|
        producer.begin_transaction
        producer.send('t', 'x').value
        cluster.delay(Cluster::END_TXN, 300)
        ended = later { producer.public_send(finish) }
        until_true('it waits') { ended.stop? }
        producer.close
        assert_includes [nil, 'CLOSED'], ended.value
        assert_equal log, committed(cluster) if ended.value.nil?
        assert_raise(Kprod::ClosedError) { producer.begin_transaction }
      end
    end
  end

  def test_a_transaction_whose_producer_is_closed_tells_so
    transactional do |producer, cluster|
      assert_raise(Kprod::ClosedError) do
        producer.transaction do
          producer.send('t', 'x')
          producer.close
        end
      end
      assert_empty committed(cluster)
    end
  end
end
