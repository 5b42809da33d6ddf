# frozen_string_literal: true

require 'stringio'
require 'test/unit'
require 'kprod'
require_relative 'scheduler'

class TestFibers < Test::Unit::TestCase
  MOCK = { 'test.mock.num.brokers' => 1 }.freeze

  # Runs the block in a thread with a scheduler, until all of its fibers have ended.
  def scheduled(&block)
    thread = Thread.new do
      Fiber.set_scheduler(Scheduler.new)
      Fiber.schedule(&block)
    end
    assert thread.join(60), 'the fibers did not end'
  end

  def test_other_fibers_run_while_one_waits_for_an_outcome
    seen = []
    Kprod::Producer.open(MOCK.merge('linger.ms' => 200)) do |producer|
      scheduled do
        Fiber.schedule do
          future = producer.send('t', 'x', partition: 0)
          seen << :sent
          seen << future.value.offset
        end
        Fiber.schedule do
          seen << :other
          producer.flush
          seen << :flushed
        end
      end
    end
    assert_equal [:sent, :other], seen.first(2)
    assert_equal [0, :flushed], (seen.last(2).sort_by(&:to_s))
  end

  # Such as one whose thread has ended meanwhile.
  class Broken < Scheduler
    def unblock(*)
      super
      raise IOError, 'mine'
    end
  end

  def test_a_scheduler_that_fails_stops_nothing
    kept = $stderr
    $stderr = StringIO.new
    Kprod::Producer.open(MOCK) do |producer|
      thread = Thread.new do
        Fiber.set_scheduler(Broken.new)
        Fiber.schedule { producer.send('t', 'x', partition: 0).value }
      end
      assert thread.join(60), 'the fiber did not end'
      assert_equal 1, producer.send('t', 'x', partition: 0).value(20).offset
    end
    assert_match(/a Fiber scheduler raised/, $stderr.string)
  ensure
    $stderr = kept
  end

  # Holds no fiber that waits.
  class Forgetful < Scheduler
    def block(*)
      Fiber.yield
      true
    end
  end

  def test_fibers_that_wait_are_not_collected
    fibers = ObjectSpace::WeakMap.new
    Kprod::Producer.open(MOCK.merge('linger.ms' => 60_000)) do |producer|
      thread = Thread.new do
        Fiber.set_scheduler(Forgetful.new)
        20.times do |i|
          Fiber.schedule do
            fibers[Fiber.current] = true
            producer.send('t', i.to_s, partition: 0).value
          end
        end
        GC.start
        Thread.current[:left] = fibers.size
      end
      assert thread.join(60), 'the thread did not end'
      assert_equal 20, thread[:left]
    end
  end

  # As Forgetful, and ends when the fibers have.
  class Patient < Forgetful
    def initialize
      super
      @waiting = 0
    end

    def block(*)
      @waiting += 1
      super
    ensure
      @waiting -= 1
    end

    def run = (@ready.pop.resume while @waiting.positive?)
    alias close run
  end

  # The calls of fibers that wait for a lock which another thread holds; all of them come to an end.
  def assert_held(lock)
    fibers = ObjectSpace::WeakMap.new
    done = Queue.new
    taken = Queue.new
    release = Queue.new
    holder = Thread.new { lock.synchronize { taken << 1 && release.pop } }
    taken.pop
    thread = Thread.new do
      Fiber.set_scheduler(Patient.new)
      20.times do |i|
        Fiber.schedule do
          fibers[Fiber.current] = true
          done << yield(i)
        end
      end
      5.times { GC.start }
      Thread.current[:left] = fibers.size
      release << 1
    end
    assert thread.join(60), 'the fibers did not end'
    assert_equal [20, 20], [thread[:left], done.length]
  ensure
    release << 1
    holder.join
  end

  def test_fibers_that_wait_for_a_lock_are_not_collected
    Kprod::Producer.open(MOCK) do |producer|
      outgoing = producer.instance_variable_get(:@outgoing)
      lock = outgoing.instance_variable_get(:@mutex)
      producer.send('t', 'x').value(20)
      assert_held(lock) { |i| producer.send('t', i.to_s, partition: 0) }
      assert_held(lock) { producer.send('t', 'x', partition: 0).value }
      assert_held(producer.instance_variable_get(:@mutex)) { |i| producer.send("other#{i}", 'x') }
      assert_held(lock) { producer.close }
    end
  end

  def test_other_fibers_run_while_one_waits_for_room
    sent = []
    turns = 0
    Kprod::Producer.open(MOCK.merge('buffer.memory' => 65_536, 'batch.size' => 16_384)) do |producer|
      scheduled do
        Fiber.schedule do
          3000.times { |i| sent << producer.send('t', "#{i} #{'x' * 100}", partition: 0) }
        end
        Fiber.schedule do
          until sent.length == 3000
            turns += 1
            sleep 0.001
          end
        end
      end
      assert_equal (0...3000).to_a, (sent.map { |future| future.value(20).offset })
    end
    assert turns > 1
  end
end
