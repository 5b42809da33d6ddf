# frozen_string_literal: true

require_relative 'support'

class TestProducer < Test::Unit::TestCase
  include Support

  def test_send_and_wait
    with do |producer|
      future = producer.send('greetings', 'hello', key: 'en', headers: { 'a' => '1', 'b' => nil }, partition: 0,
                                                   timestamp: Time.at(1))
      metadata = future.value(20)
      assert_equal ['greetings', 0, 0, 1000], metadata.to_a.first(4)
      assert future.done?
      assert producer.partitions_for('greetings').positive?
    end
  end

  def test_many_arrive_in_order_though_there_is_little_memory
    with('buffer.memory' => 65_536, 'batch.size' => 16_384) do |producer|
      futures = Array.new(5000) { |i| producer.send('t', "record #{i}" + ('x' * 90), partition: 0) }
      assert_equal (0...5000).to_a, (futures.map { |future| future.value(20).offset })
    end
  end

  def test_callbacks_and_flush
    with('linger.ms' => 10_000) do |producer|
      seen = Queue.new
      producer.send('t', 'x', partition: 0) { |metadata, error| seen << [metadata.offset, error] }
      producer.flush
      assert_equal [0, nil], seen.pop
    end
  end

  def test_flush_returns_after_the_callbacks
    with({}) do |producer|
      30.times do
        called = 0
        2000.times { producer.send('t', 'x') { called += 1 } }
        producer.flush
        assert_equal 2000, called
      end
    end
  end

  def test_try_send_is_refused_when_there_is_no_room
    with('buffer.memory' => 65_536, 'batch.size' => 16_384, 'linger.ms' => 10_000) do |producer|
      futures = []
      error = assert_raise(Kprod::QueueFullError) do
        100_000.times { futures << producer.try_send('unknown', 'x' * 1000) }
      end
      assert error.retriable?
      producer.flush
      assert(futures.all? { |future| future.value(20) })
    end
  end

  def test_other_threads_run_while_one_waits
    with('linger.ms' => 2000) do |producer|
      counted = 0
      counter = Thread.new { loop { counted += 1 } }
      producer.send('t', 'x').value(20)
      counter.kill
      assert counted.positive?
    end
  end

  def test_a_wait_that_has_ended_says_that_the_send_goes_on
    with('linger.ms' => 60_000) do |producer|
      sent = producer.send('t', 'x', partition: 0)
      error = assert_raise(Kprod::TimedOutError) { sent.value(0.05) }
      assert_equal ['TIMED_OUT', false, false, nil], [error.name, error.retriable?, error.fatal?, error.persisted]
      assert_match(/\AThe wait has ended.* goes on/, error.message)
      producer.flush
      assert_equal 0, sent.value(0).offset
    end
  end

  def test_errors
    error = assert_raise(Kprod::ConfigError) { Kprod::Producer.new('batch.sise' => 1) }
    assert_equal ['UNKNOWN_CONFIG', -102, false, false], [error.name, error.code, error.retriable?, error.fatal?]
    producer = Kprod::Producer.new(MOCK)
    assert_raise(ArgumentError) { producer.send('t', 5) }
    assert_raise(Kprod::IllegalStateError) { producer.begin_transaction }
    refused = producer.send('t', 'x' * (3 << 20))
    kept = producer.send('t', 'kept', partition: 0)
    assert_equal 'RECORD_TOO_LARGE', assert_raise(Kprod::Error) { refused.value(20) }.name
    assert_equal :no, refused.error.persisted
    assert_equal 0, kept.value(20).offset
    producer.close
    producer.close
    assert_raise(Kprod::ClosedError) { producer.send('t', 'x') }
  end

  def test_batch
    with('batch.size' => 1000) do |producer|
      batch = producer.create_batch
      assert_equal 61, batch.size
      count = 0
      count += 1 while batch.append('x' * 100, key: 'k')
      assert_equal count, batch.record_count
      metadata = producer.send_batch(batch, 't', 0).value(20)
      assert_equal ['t', 0, count], [metadata.topic, metadata.offset, metadata.count]
      assert_raise(Kprod::IllegalStateError) { producer.send_batch(batch, 't', 0) }
    end
  end

  def test_no_partition_or_offset_is_taken_that_was_not_named
    with('transactional.id' => 'id') do |producer|
      assert producer.partitions_for('t').positive?
      producer.begin_transaction
      batch = producer.create_batch
      batch.append('x')
      [nil, 1.5, '0', -1].each { |none| assert_raise(ArgumentError) { producer.send_batch(batch, 't', none) } }
      [{ ['t', 0] => 1.5 }, { ['t', 0.5] => 1 }, { ['t', 0] => nil }, { ['t'] => 1 }].each do |none|
        assert_raise(ArgumentError) { producer.send_offsets_to_transaction(none, 'group') }
      end
      assert_equal 0, producer.send_batch(batch, 't', 0).value(20).partition
      producer.send_offsets_to_transaction({ ['t', 0] => 1 }, 'group')
      producer.commit_transaction
    end
  end

  def test_transactions
    with('transactional.id' => 'id') do |producer|
      sent = producer.transaction do
        producer.send_offsets_to_transaction({ ['t', 0] => 5 }, 'group') if producer.partitions_for('t')
        producer.send('t', 'x', partition: 0)
      end
      assert_equal 0, sent.value(0).offset
      assert_raise(RangeError) { producer.transaction { raise RangeError } }
      assert producer.transaction { producer.send('t', 'y', partition: 0) }.value(0)
    end
  end

  # What the script writes.
  def output_of(script)
    IO.popen([RbConfig.ruby, '-I', File.expand_path('../lib', __dir__), '-e', script], &:read)
  ensure
    assert $?.success?, script # rubocop:disable Style/SpecialGlobalVars
  end

  def test_a_block_of_at_exit_may_send_and_close
    assert_equal "0\n", output_of(<<~RUBY)
      require 'kprod'
      producer = nil
      at_exit do
        sent = producer.send('t', 'x', partition: 0)
        producer.close
        puts sent.value(0).offset
      end
      producer = Kprod::Producer.new('test.mock.num.brokers' => 1)
    RUBY
  end

  def test_producers_that_come_and_go_leave_nothing_to_be_done_at_exit
    assert_equal "0\n", output_of(<<~RUBY)
      require 'kprod'
      registered = 0
      Kernel.define_method(:at_exit) { |&block| registered += 1 if block }
      3.times { Kprod::Producer.open('test.mock.num.brokers' => 1) { nil } }
      puts registered
    RUBY
  end

  def test_a_trap_may_wake_a_thread_that_sends
    assert_equal "0\n", output_of(<<~RUBY)
      require 'kprod'
      producer = Kprod::Producer.new('test.mock.num.brokers' => 1)
      signals = Thread::Queue.new
      trap(:USR1) { signals.push(:USR1) }
      Process.kill(:USR1, Process.pid)
      puts producer.send('t', signals.pop.to_s, partition: 0).value(20).offset
      producer.close
    RUBY
  end

  def test_a_child_gets_an_error_and_makes_its_own
    with do |producer|
      child = fork do
        refused = begin
          producer.send('t', 'x')
          false
        rescue Kprod::ForkedError
          true
        end
        own = Kprod::Producer.new(MOCK)
        sent = own.send('t', 'x', partition: 0).value(20).offset
        own.close
        exit!(refused && sent.zero? ? 0 : 1)
      end
      assert Process.wait2(child).last.success?
      assert producer.send('t', 'x').value(20)
    end
  end
end
