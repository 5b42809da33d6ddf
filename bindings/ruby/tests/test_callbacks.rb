# frozen_string_literal: true

require 'stringio'
require_relative 'support'

# What a callback may do wrong, and what it may not do.
class TestCallbacks < Test::Unit::TestCase
  include Support

  class Odd < Exception; end # rubocop:disable Lint/InheritException

  class Untold < Odd
    def message = raise('there is none')
  end

  # Runs the block, gives what was written to stderr.
  def complaints
    kept = $stderr
    $stderr = StringIO.new
    yield
    $stderr.string
  ensure
    $stderr = kept
  end

  # Each is a callback of a record; all reports and all callbacks come all the same.
  def survives(&callback)
    with do |producer|
      within_limit do
        called = 0
        3.times { producer.send('t', 'x', partition: 0, &callback) }
        later = producer.send('t', 'y', partition: 0) { called += 1 }
        assert_equal 3, later.value.offset
        producer.send('t', 'z', partition: 0) { called += 1 }
        producer.flush
        assert_equal 2, called
        producer.close
      end
    end
  end

  { standard_error: -> { raise 'mine' }, exception: -> { raise Odd }, thrown: -> { throw :mine }, exit: -> { exit 3 },
    not_implemented: -> { raise NotImplementedError, 'mine' }, interrupt: -> { raise Interrupt, 'mine' },
    no_memory: -> { raise NoMemoryError, 'mine' } }.each do |name, failure|
    define_method("test_#{name}_in_a_callback_is_told_and_stops_nothing") do
      told = complaints { survives { |*| failure.call } }
      assert_equal 3, told.scan('kprod: a callback raised').length, told
    end
  end

  def test_a_failure_that_cannot_be_told_stops_nothing
    complaints { survives { |*| raise Untold } }
    complaints do
      survives do |*|
        def $stderr.write(*) = raise(IOError)
        raise 'mine'
      end
    end
  end

  def test_a_callback_that_ends_its_thread_stops_nothing
    survives { |*| Thread.exit }
    survives { |*| Thread.current.kill }
  end

  def test_what_would_wait_for_reports_raises_in_a_callback
    with('transactional.id' => 'id', 'linger.ms' => 60_000) do |producer|
      producer.begin_transaction
      batch = producer.create_batch
      pending = nil
      calls = { value: -> { pending.value }, limited: -> { pending.value(60) }, flush: -> { producer.flush },
                close: -> { producer.close }, start: -> { producer.start }, commit: -> { producer.commit_transaction },
                abort: -> { producer.abort_transaction }, partitions: -> { producer.partitions_for('t') },
                transaction: -> { producer.transaction { nil } }, batch: -> { producer.send_batch(batch, 't', 0) },
                offsets: -> { producer.send_offsets_to_transaction({ ['t', 0] => 1 }, 'g') } }
      raised = {}
      looked = nil
      producer.send('t', 'x', partition: 0) do |*|
        pending = producer.send('t', 'y', partition: 0)
        looked = pending.wait(0)
        calls.each do |name, call|
          call.call
        rescue Kprod::Error => e
          raised[name] = e.name
        end
      end
      within_limit { producer.flush }
      assert_equal calls.transform_values { 'IN_CALLBACK' }, raised
      assert_equal false, looked
      within_limit { producer.commit_transaction }
      assert_equal 1, pending.value(0).offset
    end
  end

  def test_a_callback_may_ask_for_an_outcome_that_is_there
    with do |producer|
      seen = nil
      future = producer.send('t', 'x', partition: 0) { |*| seen = future.value.offset }
      within_limit { producer.flush }
      assert_equal 0, seen
    end
  end
end
