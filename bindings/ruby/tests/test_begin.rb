# frozen_string_literal: true

require_relative 'support'

# What other threads send while a transaction begins, and once it has.
class TestBegin < Test::Unit::TestCase
  include Support

  class Odd < Exception; end # rubocop:disable Lint/InheritException

  def transactional
    Cluster.open do |cluster|
      Kprod::Producer.open('bootstrap.servers' => cluster.bootstrap, 'transactional.id' => 'id',
                           'max.block.ms' => 20_000) do |producer|
        within_limit { yield producer, cluster }
      end
    end
  end

  # Begins a transaction in another thread, and runs the block before the producer, held up in a callback, can tell the
  # outcome. Gives the thread.
  def beginning(producer)
    called = Queue.new
    release = Queue.new
    producer.send('t', 'first') { (called << 1) && release.pop }.wait(0)
    called.pop
    thread = Thread.new { producer.begin_transaction }
    thread.report_on_exception = false
    until_true('it waits for the outcome') { thread.stop? }
    yield thread
    thread
  ensure
    release << 1
  end

  def assert_refused(futures)
    futures.each { |future| assert_kind_of Kprod::IllegalStateError, future.tap(&:wait).error }
  end

  def test_what_is_sent_while_the_cluster_is_asked_does_not_count
    transactional do |producer, cluster|
      cluster.delay(Cluster::INIT_PRODUCER_ID, 2000)
      begun = Thread.new { producer.begin_transaction }
      until_true('the request has come') { cluster.requests(Cluster::INIT_PRODUCER_ID).positive? }
      assert_refused([producer.send('t', 'early')])
      begun.join
      producer.send('t', 'kept')
      producer.commit_transaction
      assert_equal ['kept'], committed(cluster)
    end
  end

  # The library may have begun it.
  def test_what_is_sent_before_the_begin_is_known_is_refused_and_does_not_count
    transactional do |producer, cluster|
      producer.start
      sent = []
      beginning(producer) do
        batch = producer.create_batch
        batch.append('early')
        assert_raise(Kprod::IllegalStateError) { producer.send_batch(batch, 't', 0) }
        sent << producer.send('t', 'early').tap { |future| future.wait(0) }
        sent << producer.send('t', 'credit', partition: 7).tap { |future| future.wait(0) }
        sent << producer.send('t', 'gathered')
      end.join
      assert_refused(sent)
      producer.send('t', 'kept')
      producer.commit_transaction
      assert_equal ['kept'], committed(cluster)
    end
  end

  def test_what_is_sent_once_it_has_begun_is_in_it
    transactional do |producer, cluster|
      begun = Queue.new
      sent = Queue.new
      threads = Array.new(4) { Thread.new { sent << producer.send('t', 'kept') while begun.pop } }
      25.times do
        producer.begin_transaction
        4.times { begun << true }
        futures = Array.new(4) { sent.pop }
        producer.commit_transaction
        assert(futures.all? { |future| future.value(0) })
      end
      begun.close
      threads.each(&:join)
      assert_equal ['kept'] * 100, committed(cluster)
    end
  end

  def test_what_is_refused_once_it_has_begun_counts
    transactional do |producer|
      producer.partitions_for('t')
      25.times do
        producer.begin_transaction
        Thread.new { producer.send('t', 'credit', partition: 7) }.join
        error = assert_raise_kind_of(Kprod::Error) { producer.commit_transaction }
        assert_equal 'UNKNOWN_PARTITION', error.cause&.name, error.inspect
        producer.abort_transaction
      end
    end
  end

  def test_what_is_refused_after_an_interrupted_begin_counts
    transactional do |producer|
      producer.start
      producer.partitions_for('t')
      thread = beginning(producer) { |begun| begun.raise(Odd) }
      assert_raise(Odd) { thread.join }
      producer.begin_transaction
      producer.send('t', 'credit', partition: 7)
      assert_equal 'UNKNOWN_PARTITION', assert_raise_kind_of(Kprod::Error) { producer.commit_transaction }.cause&.name
      producer.abort_transaction
    end
  end

  def test_a_begin_in_a_transaction_disturbs_nothing
    transactional do |producer, cluster|
      producer.begin_transaction
      sent = nil
      thread = beginning(producer) { sent = producer.send('t', 'kept').tap { |future| future.wait(0) } }
      assert_raise(Kprod::IllegalStateError) { thread.join }
      sent.value
      producer.commit_transaction
      assert_equal %w[first kept], committed(cluster)
    end
  end

  # Interrupts the step when the library has just been given it.
  def interrupted(producer, step)
    name = :"kprod_#{step}_async"
    library = Kprod::Library
    original = library.method(name)
    given = Queue.new
    go_on = Queue.new
    replace = lambda do |body|
      library.singleton_class.remove_method(name)
      library.define_singleton_method(name, &body)
    end
    replace.call(->(*args) { original.call(*args).tap { (given << 1) && go_on.pop } })
    thread = Thread.new { producer.public_send(step) }
    thread.report_on_exception = false
    given.pop
    thread.raise(Odd)
    go_on << 1
    assert_raise(Odd) { thread.value }
  ensure
    replace.call(original)
  end

  def test_a_step_that_is_interrupted_while_it_is_handed_over_can_be_called_again
    transactional do |producer, cluster|
      interrupted(producer, :begin_transaction)
      producer.begin_transaction
      producer.send('t', 'in').value
      interrupted(producer, :commit_transaction)
      producer.commit_transaction
      assert_equal ['in'], committed(cluster)
      producer.begin_transaction
      producer.send('t', 'out').value
      interrupted(producer, :abort_transaction)
      producer.abort_transaction
      producer.transaction { producer.send('t', 'next') }
    end
  end
end
