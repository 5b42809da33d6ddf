# frozen_string_literal: true

require 'open3'
require 'tmpdir'
require_relative 'support'

# What another client, kcat, reads of what was sent.
class TestContent < Test::Unit::TestCase
  SCRIPTS = File.expand_path('../../../script', __dir__)

  include Support

  UP = Cluster::UP
  CRASHED = Cluster::CRASHED

  def setup
    @cluster = Cluster.new
    @bootstrap = @cluster.bootstrap
  end

  def teardown = @cluster.destroy

  def broker(state) = @cluster.broker(state)

  def open(properties = {}, &block)
    Kprod::Producer.open({ 'bootstrap.servers' => @bootstrap, 'reconnect.backoff.max.ms' => 50 }.merge(properties), &block)
  end

  def consume(topic, format, bootstrap = @bootstrap, isolation = 'read_committed')
    out, status = Open3.capture2('kcat', '-C', '-b', bootstrap, '-t', topic, '-e', '-q', '-f', "#{format}\\n",
                                 '-X', "isolation.level=#{isolation}", stdin_data: '')
    assert status.success?
    out.b.lines(chomp: true)
  end

  def test_records_of_all_kinds
    open do |producer|
      own = +'mine'
      producer.send('t', 'value', key: 'key', timestamp: 1000, headers: [['a', '1'], ['b', nil], ['a', '']])
      producer.send('t', nil, key: 'key', timestamp: Time.at(1_700_000_000))
      producer.send('t', '', timestamp: 3000)
      producer.send('t', "\xff\xfe".b, key: 'ö', timestamp: 4000, headers: { c: 'ü' })
      producer.send('t', own, timestamp: 5000)
      own.replace('changed')
      producer.send('t', 'x' * 500_000, timestamp: 6000)
      producer.flush
    end
    assert_equal ['0 1000 3:key 5:value a=1,b=NULL,a=', '1 1700000000000 3:key -1: ', '2 3000 -1: 0: ',
                  "3 4000 2:ö 2:\xff\xfe c=ü", '4 5000 -1: 4:mine ', "5 6000 -1: 500000:#{'x' * 500_000} "].map(&:b),
                 consume('t', '%o %T %K:%k %S:%s %h')
  end

  def test_what_waits_for_room_keeps_its_order
    open('buffer.memory' => 65_536, 'batch.size' => 16_384) do |producer|
      broker(CRASHED)
      sent = Queue.new
      sender = Thread.new { 3000.times { |i| sent << producer.send('t', "#{i} #{'x' * 100}") } }
      sent.pop
      broker(UP)
      sender.join
      producer.flush
    end
    assert_equal (0...3000).to_a, consume('t', '%s').map(&:to_i)
  end

  def test_what_is_cancelled_before_it_was_accepted_is_never_sent
    open('buffer.memory' => 65_536, 'batch.size' => 16_384) do |producer|
      broker(CRASHED)
      sent = []
      assert_raise(Kprod::QueueFullError) { 10_000.times { |i| sent << producer.try_send('t', "#{i} #{'x' * 100}") } }
      assert !sent.first.cancel, 'the library has had it'
      assert sent.last.cancel
      assert_equal :no, assert_raise(Kprod::CancelledError) { sent.last.value(20) }.persisted
      assert !sent.last.cancel
      broker(UP)
      assert_equal (0...sent.length - 1).to_a, (sent[0...-1].map { |future| future.value(20).offset })
      assert_equal (0...sent.length - 1).to_a, consume('t', '%s').map(&:to_i)
    end
  end

  def test_what_has_no_room_in_time_is_refused
    open('buffer.memory' => 65_536, 'batch.size' => 16_384, 'max.block.ms' => 50) do |producer|
      broker(CRASHED)
      # Time is up for what waits in the pack and for who waits to send, and either may come first.
      pending = []
      refusal = begin
        10_000.times { pending << producer.send('t', 'x' * 100) }
        pending.filter_map(&:error).first
      rescue Kprod::QueueFullError => e
        e
      end
      assert_kind_of Kprod::QueueFullError, refusal
      broker(UP)
    end
  end

  def test_a_process_ends_without_a_close
    script = "require 'kprod'; Kprod::Producer.new('test.mock.num.brokers' => 1).send('t', 'x').value(20); puts 'done'"
    pid = Process.spawn(RbConfig.ruby, '-I', File.expand_path('../lib', __dir__), '-e', script, out: File::NULL)
    limit = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 60
    until (ended = Process.wait2(pid, Process::WNOHANG))
      assert Process.clock_gettime(Process::CLOCK_MONOTONIC) < limit, 'it did not end'
      sleep 0.02
    end
    assert ended.last.success?
  ensure
    Process.kill(:KILL, pid) unless ended
  end

  def test_apache_kafka_has_what_was_sent_and_committed
    ready = system('bash', '-c', '. "$0/lib/kafka.sh" && kafka_ready "$kafka_default"', SCRIPTS)
    omit('the files of Apache Kafka are missing: script/setup --kafka') unless ready
    Dir.mktmpdir do |directory|
      home = File.join(directory, 'kafka')
      bootstrap = IO.popen([File.join(SCRIPTS, 'kafka'), 'start', '--dir', home], &:read).strip
      begin
        sent_and_committed(bootstrap)
      ensure
        system(File.join(SCRIPTS, 'kafka'), 'stop', '--dir', home)
      end
    end
  end

  def sent_and_committed(bootstrap)
    open('bootstrap.servers' => bootstrap) do |producer|
      futures = Array.new(5000) { |i| producer.send('plain', "value #{i}", key: i.to_s, partition: 0) }
      futures.each { |future| future.value(60) }
    end
    assert_equal Array.new(5000) { |i| "#{i} #{i} value #{i}" }, consume('plain', '%o %k %s', bootstrap)
    open('bootstrap.servers' => bootstrap, 'transactional.id' => 'id') do |producer|
      producer.transaction { producer.send('exact', 'committed') }
      assert_raise(RangeError) do
        producer.transaction { producer.send('exact', 'aborted').value(60) && raise(RangeError) }
      end
    end
    assert_equal ['committed'], consume('exact', '%s', bootstrap)
    assert_equal %w[aborted committed], consume('exact', '%s', bootstrap, 'read_uncommitted').sort
  end
end
