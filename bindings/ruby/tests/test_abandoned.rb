# frozen_string_literal: true

require_relative 'support'

# Producers that nobody has closed, when nobody can any more.
class TestAbandoned < Test::Unit::TestCase
  include Support

  # Native threads of this process, and with them the library's.
  def threads = Dir.children('/proc/self/task').length

  # Runs the block in a thread of its own, of whose stack nothing is left; gives its value.
  def elsewhere(&block) = Thread.new(&block).value

  # Some may be left: what a stack has held may still look like a reference.
  def assert_collected(before, allowed = 0)
    until_true("#{threads} threads, and not #{before}") do
      GC.start
      threads <= before + allowed
    end
  end

  def test_they_are_ended_with_their_threads
    with do |busy|
      busy.send('t', 'x').value(20)
      before = threads
      elsewhere { Kprod::Producer.new(MOCK).send('t', 'x').value(20) }
      one = [threads - before, 1].max
      10.times { elsewhere { Kprod::Producer.new(MOCK).send('t', 'x').value(20) } }
      # In whichever thread the finalizers run: this one has a lock of the binding again and again.
      sent = Array.new(2000) do |i|
        GC.start if (i % 200).zero?
        busy.send('t', 'x', partition: 0)
      end
      assert_collected(before, one)
      assert(sent.all? { |future| future.value(20) })
    end
  end

  # Before its thread has waited for the first time.
  def test_they_are_ended_that_were_dropped_at_once
    before = threads
    elsewhere do
      60.times do
        Kprod::Producer.new('bootstrap.servers' => '127.0.0.1:1')
        GC.start
      end
    end
    assert_collected(before, 6)
  end

  def test_what_they_have_sent_arrives_before
    Cluster.open do |cluster|
      before = threads
      told = Queue.new
      futures = Array.new(5) do |i|
        elsewhere do
          producer = Kprod::Producer.new('bootstrap.servers' => cluster.bootstrap, 'linger.ms' => 500)
          next producer.send('t', i.to_s) { |*outcome| told << outcome } if i.positive?

          batch = producer.create_batch
          batch.append('x')
          producer.send_batch(batch, 't', 0) { |*outcome| told << outcome }
        end
      end
      5.times { GC.start }
      assert_equal (0...5).to_a, (futures.map { |future| future.value(20).offset }.sort)
      assert_equal [nil] * 5, (Array.new(5) { within_limit { told.pop }.last })
      assert_collected(before, 4)
    end
  end

  def test_a_closed_one_is_left_alone
    elsewhere { 10.times { Kprod::Producer.open(MOCK) { |producer| producer.send('t', 'x') } } }
    3.times { GC.start }
    with { |producer| assert_equal 0, producer.send('t', 'x', partition: 0).value(20).offset }
  end

  # The exit status and the output of a program.
  def ended(script)
    reader, writer = IO.pipe
    pid = Process.spawn(RbConfig.ruby, '-I', File.expand_path('../lib', __dir__), '-e', script,
                        out: writer, err: writer)
    writer.close
    status = nil
    until_true('the program has ended') { _, status = Process.wait2(pid, Process::WNOHANG) }
    [status.to_i, reader.read]
  ensure
    Process.kill(:KILL, pid) && Process.wait(pid) unless status
    reader.close
  end

  def test_a_child_that_gives_up_its_parents_touches_nothing
    assert_equal [0, "0\n1\n"], ended(<<~RUBY)
      require 'kprod'
      made = Thread.new { Array.new(5) { Kprod::Producer.new('test.mock.num.brokers' => 1) } }.value
      puts made.first.send('t', 'x', partition: 0).value(20).offset
      $stdout.flush
      child = fork do
        made = nil
        3.times { GC.start }
      end
      Process.wait2(child).last.success? || exit(1)
      puts made.first.send('t', 'x', partition: 0).value(20).offset
    RUBY
  end

  def test_a_program_ends_while_they_are_being_ended
    assert_equal [0, "done\n"], ended(<<~RUBY)
      require 'kprod'
      Thread.new { 10.times { Kprod::Producer.new('test.mock.num.brokers' => 1).send('t', 'x') } }.join
      GC.start
      puts 'done'
    RUBY
  end

  # The library takes its time for an end now and then; here always.
  def test_a_program_ends_while_the_library_ends_one
    assert_equal [0, "done\n"], ended(<<~RUBY)
      require 'kprod'
      ending = Queue.new
      Kprod::Library.define_singleton_method(:kprod_destroy) { |_| (ending << 1) && sleep }
      producer = Kprod::Producer.new('test.mock.num.brokers' => 1)
      Thread.new { producer.close }
      ending.pop
      puts 'done'
    RUBY
  end

  # What the program has registered before the binding runs after it.
  def test_a_program_ends_with_a_producer_that_was_made_last
    assert_equal [0, "done\n"], ended(<<~RUBY)
      at_exit { sleep 0.3 }
      require 'kprod'
      producer = Kprod::Producer.new('bootstrap.servers' => '127.0.0.1:1')
      puts 'done'
    RUBY
  end

  def test_a_program_ends_while_a_callback_runs
    assert_equal [0, "done\n"], ended(<<~RUBY)
      at_exit { sleep 0.3 }
      require 'kprod'
      producer = Kprod::Producer.new('test.mock.num.brokers' => 1)
      called = Queue.new
      producer.send('t', 'x') { (called << 1) && sleep(0.2) }
      called.pop
      puts 'done'
    RUBY
  end

  # Such as a test, where the tests run at exit.
  def test_a_program_ends_with_those_that_were_made_at_exit
    assert_equal [0, "0\n0\n"], ended(<<~RUBY)
      made = []
      2.times do
        at_exit do
          made << Kprod::Producer.new('test.mock.num.brokers' => 1)
          puts made.last.send('t', 'x', partition: 0).value(20).offset
        end
      end
      require 'kprod'
    RUBY
  end
end
