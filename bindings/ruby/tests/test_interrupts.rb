# frozen_string_literal: true

require_relative 'support'

# Other threads, Timeout and forks that come in between.
class TestInterrupts < Test::Unit::TestCase
  include Support

  class Stop < StandardError; end

  # Runs the block, and raises Stop in it when the method first returns, as Timeout may.
  def stopped_at_return(method, &block)
    stopped = false
    trace = TracePoint.new(:return, :c_return) do |point|
      next if stopped || point.method_id != method

      stopped = true
      Thread.current.raise(Stop)
    end
    assert_raise(Stop) { trace.enable(target_thread: Thread.current, &block) }
  end

  # What send does, in its order. A record that is written has its callback called.
  def test_a_send_that_is_interrupted_is_accounted_for
    %i[kprod_poll_interrupt interrupt bytes_of put add send].each do |method|
      with do |producer|
        outcomes = Queue.new
        producer.send('t', 'x', partition: 0).value(20)
        stopped_at_return(method) do
          once_idle(producer) { producer.send('t', 'y', partition: 0) { |*| outcomes << 1 } }
        end
        within_limit { producer.flush }
        offset = within_limit { producer.send('t', 'next', partition: 0).value.offset }
        assert_equal outcomes.length, offset - 1, "after #{method}: a record without an outcome"
      end
    end
  end

  # Once the producer's thread has gone to sleep.
  def once_idle(producer)
    outgoing = producer.instance_variable_get(:@outgoing)
    until_true('the thread is idle') { outgoing.instance_variable_get(:@idle) }
    yield
  end

  def test_a_record_of_an_interrupted_send_goes_out_without_another_call
    %i[add send].each do |method|
      with do |producer|
        producer.send('t', 'x').value(20)
        outcome = Queue.new
        stopped_at_return(method) do
          once_idle(producer) { producer.send('t', 'y') { |*| outcome << 1 } }
        end
        within_limit { outcome.pop }
      end
    end
  end

  def test_a_pack_that_is_interrupted_on_its_way_is_sent_once
    %i[kprod_send_packed hand_over shift].each do |method|
      with do |producer|
        outcomes = Queue.new
        sent = 0
        stopped_at_return(method) do
          loop do
            sent += 1
            producer.send('t', 'x', partition: 0) { |*| outcomes << 1 }
          end
        end
        within_limit { producer.flush }
        assert_equal sent, outcomes.length
        assert_equal sent, producer.send('t', 'next', partition: 0).value(20).offset
      end
    end
  end

  def filled(producer, value) = producer.create_batch.tap { |batch| batch.append(value) }

  def test_a_batch_whose_send_was_interrupted_is_not_sent
    Cluster.open do |cluster|
      called = []
      Kprod::Producer.open('bootstrap.servers' => cluster.bootstrap, 'reconnect.backoff.max.ms' => 50) do |producer|
        producer.start
        # It waits to know of its topic.
        cluster.broker(Cluster::CRASHED)
        late = filled(producer, 'late')
        assert_raise(Timeout::Error) do
          Timeout.timeout(0.3) { producer.send_batch(late, 'u', 0) { |*outcome| called << outcome } }
        end
        assert_raise(Kprod::IllegalStateError) { producer.send_batch(late, 'u', 0) }
        assert_raise(Kprod::IllegalStateError) { late.append('x') }
        cluster.broker(Cluster::UP)
        assert_equal 0, producer.send('u', 'next', partition: 0).value(20).offset
      end
      assert_equal [], called
    end
  end

  def test_a_batch_that_was_accepted_when_its_send_was_interrupted_is_told
    with do |producer|
      before = producer.send('t', 'x', partition: 0).value(20).offset
      %i[whole wait await value offer].each do |method|
        outcome = Queue.new
        batch = filled(producer, 'y')
        stopped_at_return(method) { producer.send_batch(batch, 't', 0) { |*told| outcome << told } }
        within_limit { producer.flush }
        after = producer.send('t', 'x', partition: 0).value(20).offset
        assert_equal after - before - 1, outcome.length, "after #{method}: a batch without an outcome"
        before = after
      end
    end
  end

  def test_close_that_was_interrupted_is_done_by_the_next
    Cluster.open do |cluster|
      producer = Kprod::Producer.new('bootstrap.servers' => cluster.bootstrap, 'buffer.memory' => 65_536,
                                     'batch.size' => 16_384, 'reconnect.backoff.max.ms' => 50)
      cluster.broker(Cluster::CRASHED)
      sent = []
      assert_raise(Kprod::QueueFullError) { loop { sent << producer.try_send('t', 'x' * 100) } }
      assert_raise(Timeout::Error) { Timeout.timeout(0.05) { producer.close } }
      cluster.broker(Cluster::UP)
      within_limit { producer.close }
      assert_equal sent.length, (sent.count { |future| future.value(0) })
    end
  end

  def test_a_record_that_is_refused_leaves_nothing_behind
    with do |producer|
      pack = producer.instance_variable_get(:@outgoing).instance_variable_get(:@pack)
      producer.send('t', 'x').value(20)
      20.times do
        assert_raise(ArgumentError) { producer.send('t', 'x' * 100_000, headers: { 'a' => 5 }) }
      end
      assert pack.instance_variable_get(:@bytes).bytesize < 1_000_000
    end
  end

  def test_what_cannot_be_described_is_refused_and_stops_nothing
    with do |producer|
      assert_raise(ArgumentError) { producer.send('t', 'x', timestamp: Time.at(10**30)) }
      assert_raise(TypeError) { producer.send('t', 'x', timestamp: Float::NAN) }
      sent = producer.send('t', 'x', partition: 0, headers: Enumerator.new { |pairs| pairs << %w[a 1] << %w[b 2] })
      assert_equal 0, within_limit { sent.value.offset }
      assert_equal 1, within_limit { producer.send('t', 'x', partition: 0).value.offset }
    end
  end

  # Counts itself in its own way.
  class Uncountable < String
    def bytesize = Float::NAN
  end

  # Is a number, and none that is whole.
  class Unwhole < Numeric
    def <=>(_other) = 0
    def coerce(other) = [other, 0]
    def to_i = 'none'
  end

  def test_what_a_record_contains_can_neither_stop_nor_hold_the_producer
    with do |producer|
      assert_equal 0, within_limit { producer.send('t', Uncountable.new('x'), partition: 0).value.offset }
      assert_raise(TypeError) { producer.send('t', 'x', timestamp: Unwhole.new) }
      # A program's code may send itself, and wait.
      asking = Enumerator.new { |pairs| pairs << ['a', producer.send('t', 'y', partition: 0).value.offset.to_s] }
      assert_equal 2, within_limit { producer.send('t', 'x', partition: 0, headers: asking).value.offset }
      lazy = [%w[a 1]].lazy.map { |pair| pair }
      assert_equal 3, within_limit { producer.send('t', 'x', partition: 0, headers: lazy).value.offset }
      batch = producer.create_batch
      assert_equal 0, batch.append('x', headers: lazy)
      ['text', 5, ['a'], [['a']], [%w[a b c]], [[nil, 'a']], { nil => 'a' }, [['a', 5]]].each do |none|
        assert_raise(ArgumentError, none.inspect) { producer.send('t', 'x', partition: 0, headers: none) }
        assert_raise(ArgumentError, none.inspect) { batch.append('x', headers: none) }
      end
      assert_equal 4, within_limit { producer.send('t', 'x', partition: 0).value.offset }
    end
  end

  # Runs the block in a child, which gives what it raises.
  def in_a_child
    reader, writer = IO.pipe
    child = fork do
      reader.close
      raised = begin
        Timeout.timeout(10) { yield.to_s }
      rescue Exception => e # rubocop:disable Lint/RescueException
        e.class.name
      end
      writer.write(raised)
      writer.close
      exit!(0)
    end
    writer.close
    within_limit { reader.read }
  ensure
    reader&.close
    Process.kill(:KILL, child)
    Process.wait(child)
  end

  def test_a_parents_future_raises_in_a_child
    with('linger.ms' => 60_000) do |producer|
      done = producer.send('t', 'x', partition: 0)
      producer.flush
      pending = producer.send('t', 'y', partition: 0)
      assert_equal '0', in_a_child { done.value.offset }
      { value: -> { pending.value }, wait: -> { pending.wait }, look: -> { pending.wait(0) },
        cancel: -> { pending.cancel }, flush: -> { producer.flush }, close: -> { producer.close } }.each do |name, call|
        assert_equal 'Kprod::ForkedError', in_a_child(&call), name.to_s
      end
      producer.flush
      assert_equal 1, pending.value(0).offset
    end
  end

  def test_a_child_that_leaves_its_parents_block_ends_as_it_wants
    script = <<~RUBY
      require 'kprod'
      Kprod::Producer.open('test.mock.num.brokers' => 1) do |producer|
        producer.send('t', 'x').value(20)
        child = fork
        exit(7) if child.nil?
        producer.send('t', 'x').value(20)
        exit(Process.wait2(child).last.exitstatus)
      end
    RUBY
    parent = Process.spawn(RbConfig.ruby, '-I', File.expand_path('../lib', __dir__), '-e', script)
    assert_equal 7, within_limit { Process.wait2(parent).last.exitstatus }
  end
end
