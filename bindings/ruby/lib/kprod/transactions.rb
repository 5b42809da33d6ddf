# frozen_string_literal: true

module Kprod
  # The producer's transactional calls. What was interrupted while it waited, by Timeout or Thread#raise, goes on in the
  # library, and the same call waits for it again.
  # @api private
  class Transactions
    FORKED = -106
    ILLEGAL_STATE = -108
    CLOSED = -105
    ABORTED = -132
    private_constant :FORKED, :ILLEGAL_STATE, :CLOSED, :ABORTED

    def initialize(handle, outgoing)
      @handle = handle
      @outgoing = outgoing
      # A step that was interrupted, and its future.
      @left = nil
    end

    def begin
      # What was sent before is no part of it.
      step([:begin], after_sends: true, begins: true) { |tag| Library.kprod_begin_transaction_async(@handle, tag) }
    end

    def commit
      refusals = nil
      step([:commit], after_sends: true) do |tag|
        refusals = @outgoing.refusals
        first = refusals&.first
        raise Error.incomplete(first), cause: first if first

        # What is refused from here on is not the transaction's.
        @outgoing.refusals = nil
        Library.kprod_commit_transaction_async(@handle, tag)
      end
    rescue Error => e
      @outgoing.refusals ||= refusals unless e.is_a?(TimedOutError) && !e.abortable?
      raise
    end

    def abort
      @outgoing.check_wait
      # The library answers one call at a time.
      @left.last.wait if @left && @left.first.first == :offsets
      @outgoing.fail(ABORTED)
      refusals = nil
      step([:abort]) do |tag|
        refusals = @outgoing.refusals
        # What waits is not to be sent in the next one.
        @outgoing.refusals = nil
        Library.kprod_abort_transaction_async(@handle, tag)
      end
    rescue Error => e
      @outgoing.refusals ||= refusals unless e.is_a?(TimedOutError)
      raise
    end

    def send_offsets(offsets, group)
      pairs = pairs_of(offsets)
      raise ArgumentError, "group must be a String, not #{group.class}" unless group.is_a?(String)

      step([:offsets, pairs, group]) do |tag|
        described, member, _kept = describe(pairs, group)
        Library.kprod_send_offsets_to_transaction_async(@handle, described, pairs.length, member, tag)
      end
    end

    # Commits what the block does, or aborts it, however the block is left before its end.
    def run(producer)
      stage = :begin
      self.begin
      stage = :work
      result = yield producer
      stage = :commit
      commit
      stage = :over
      result
    rescue Error => e
      # A commit that has only taken its time goes on, and cannot be aborted.
      stage = :over if stage == :begin || (stage == :commit && e.is_a?(TimedOutError) && !e.abortable?)
      raise
    ensure
      undo unless stage == :over
    end

    private

    # Without a `rescue` of its own, and told only where the transaction stays open: elsewhere what led here says more.
    def undo
      abort
    rescue Error => e
      raise unless e.fatal? || [CLOSED, FORKED, ILLEGAL_STATE].include?(e.code)
    end

    def step(what, **before, &start)
      left = @left
      future = left.last if left && left.first == what
      ended = false
      begin
        future ||= @outgoing.expect(**before, noted: ->(noted) { future = noted }, &start)
        future.value
        @left = nil
        ended = true
      rescue Error
        @left = nil if left && future.equal?(left.last)
        ended = true
        raise
      ensure
        @left = [what, future] unless ended || future.nil?
      end
      nil
    end

    # The offsets as an array, in which all is as it has to be.
    def pairs_of(offsets)
      raise ArgumentError, "offsets must be a Hash, not #{offsets.class}" unless offsets.is_a?(Hash)

      offsets.to_a.each do |place, offset|
        unless place.is_a?(Array) && place.length == 2
          raise ArgumentError, 'offsets must have a topic and a partition, in an Array, for each key'
        end

        Described.topic(place.first)
        Described.partition(place.last)
        Described.offset(offset)
      end
    end

    # The library's structs, and the strings that they point to.
    def describe(offsets, group)
      described = FFI::MemoryPointer.new(64, [offsets.size, 1].max)
      kept = offsets.each_with_index.map do |((topic, partition), offset), place|
        name = FFI::MemoryPointer.from_string(topic)
        (described + (place * 64)).put_pointer(0, name).put_int64(8, topic.bytesize).put_int64(16, offset)
                                  .put_int64(32, -1).put_int32(40, partition).put_int32(44, -1)
        name
      end
      member = FFI::MemoryPointer.new(80)
      kept << (name = FFI::MemoryPointer.from_string(group))
      member.put_pointer(0, name).put_int64(8, group.bytesize).put_int64(40, -1).put_int32(48, -1)
      [described, member, kept]
    end
  end
end
