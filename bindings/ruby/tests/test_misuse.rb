# frozen_string_literal: true

require_relative 'support'

# Arguments that are none: an error says which, and nothing is sent of them.
class TestMisuse < Test::Unit::TestCase
  include Support

  class Undescribed
    def to_a = nil
  end

  def refuses(pattern, type = ArgumentError, &block)
    error = assert_raise(type, &block)
    assert_match pattern, error.message
  end

  def assert_nothing_was_sent(producer) = assert_equal(0, producer.send('t', 'x', partition: 0).value(20).offset)

  def test_properties
    [nil, 5, 'text', [%w[a b]]].each { |none| refuses(/\Aproperties /) { Kprod::Producer.new(none) } }
  end

  # The futures of what is sent would have no outcome.
  def test_reports_cannot_be_left_out
    [%w[kprod.delivery.reports none], %w[kprod.delivery.reports errors],
     ['delivery.report.only.error', true]].each do |key, value|
      refuses(/\Akprod.delivery.reports .*delivery.report.only.error.* futures/, Kprod::ConfigError) do
        Kprod::Producer.new(MOCK.merge(key => value))
      end
    end
    [%w[kprod.delivery.reports all], ['delivery.report.only.error', false]].each do |key, value|
      with(key => value) { |producer| assert_nothing_was_sent(producer) }
    end
  end

  def test_topics
    with do |producer|
      batch = producer.create_batch
      [nil, 5, :t, ['t']].each do |none|
        refuses(/\Atopic .* not #{none.class}/) { producer.send(none, 'x') }
        refuses(/\Atopic /) { producer.try_send(none, 'x') }
        refuses(/\Atopic /) { producer.partitions_for(none) }
        refuses(/\Atopic /) { producer.send_batch(batch, none, 0) }
      end
      assert_nothing_was_sent(producer)
    end
  end

  def test_contents
    with do |producer|
      [5, :x, ['x'], {}].each do |none|
        refuses(/values .* not #{none.class}/) { producer.send('t', none, partition: 0) }
        refuses(/keys/) { producer.send('t', 'x', key: none, partition: 0) }
      end
      assert_nothing_was_sent(producer)
    end
  end

  def test_headers
    with do |producer|
      batch = producer.create_batch
      [[[5, 'b']], { 5 => 'b' }, [[['a'], 'b']], [[nil, 'b']], 'text', 5, false, [nil], [5], [['a']],
       Undescribed.new].each do |none|
        refuses(/header/) { producer.send('t', 'x', headers: none, partition: 0) }
        refuses(/header/) { batch.append('x', headers: none) }
      end
      [[['a', 5]], { a: :b }].each { |none| refuses(/header/) { producer.send('t', 'x', headers: none) } }
      assert_nothing_was_sent(producer)
    end
  end

  def test_batches
    with do |producer|
      [nil, 5, 'text'].each { |none| refuses(/\Abatch /) { producer.send_batch(none, 't', 0) } }
      assert_nothing_was_sent(producer)
    end
  end

  def test_timestamps
    with do |producer|
      batch = producer.create_batch
      [1.5, 1.0, 3r, '5', Float::NAN, :now].each do |none|
        refuses(/\Atimestamp .* not #{none.class}/, TypeError) { producer.send('t', 'x', timestamp: none) }
        refuses(/\Atimestamp /, TypeError) { batch.append('x', timestamp: none) }
      end
      refuses(/\Atimestamp .*#{2**63}/) { producer.send('t', 'x', timestamp: 2**63) }
      assert_nothing_was_sent(producer)
    end
  end

  def test_partitions
    with do |producer|
      batch = producer.create_batch
      [2**31, 2**64, -1, -2].each do |none|
        refuses(/\Apartition .* not #{none}\z/) { producer.send('t', 'x', partition: none) }
        refuses(/\Apartition .* not #{none}\z/) { producer.send_batch(batch, 't', none) }
      end
      [1.5, '0'].each do |none|
        refuses(/\Apartition .* not #{none.class}\z/) { producer.send('t', 'x', partition: none) }
      end
      assert_nothing_was_sent(producer)
    end
  end

  def test_offsets
    with('transactional.id' => 'id') do |producer|
      assert producer.partitions_for('t').positive?
      producer.begin_transaction
      commit = ->(offsets, group = 'group') { producer.send_offsets_to_transaction(offsets, group) }
      [nil, 5, 'text', [], [['t', 0, 1]]].each { |none| refuses(/\Aoffsets /) { commit.call(none) } }
      [{ nil => 1 }, { 't' => 1 }, { ['t'] => 1 }, { ['t', 0, 0] => 1 }, { 0 => 1 }].each do |none|
        refuses(/\Aoffsets /) { commit.call(none) }
      end
      [nil, :t, 5].each { |none| refuses(/\Atopic /) { commit.call({ [none, 0] => 1 }) } }
      [nil, '0', 1.5, -1, 2**31, 2**63].each { |none| refuses(/\Apartition /) { commit.call({ ['t', none] => 1 }) } }
      [nil, '0', 1.5].each { |none| refuses(/\Aoffset .* not #{none.class}\z/) { commit.call({ ['t', 0] => none }) } }
      [-1, 2**63, 2**70].each { |none| refuses(/\Aoffset .* not #{none}\z/) { commit.call({ ['t', 0] => none }) } }
      [nil, 5, :group].each { |none| refuses(/\Agroup /) { commit.call({ ['t', 0] => 1 }, none) } }
      within_limit do
        commit.call({ ['t', 0] => 1 })
        producer.commit_transaction
      end
    end
  end
end
