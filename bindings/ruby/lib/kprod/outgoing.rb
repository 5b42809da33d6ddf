# frozen_string_literal: true

module Kprod
  # Records on their way into the library, and the futures of what it owes a report for. Records are gathered in a pack,
  # which goes to the library when it is full, when someone waits, or when the producer's thread has nothing else to do.
  # One lock guards all of this. What Thread#raise, Timeout or Thread#kill must not cut in two is `whole`, where nothing
  # waits.
  # @api private
  class Outgoing
    QUEUE_FULL = -110
    REPORT_QUEUE_FULL = -111
    CLOSED = -105
    FORKED = -106
    IN_CALLBACK = -107
    ILLEGAL_STATE = -108
    CANCELLED = -116
    NOTHING = { Object => :never }.freeze
    ENDED = 'a transaction has begun or ended while it waited to be sent'
    private_constant :QUEUE_FULL, :REPORT_QUEUE_FULL, :CLOSED, :FORKED, :IN_CALLBACK, :ILLEGAL_STATE, :CANCELLED,
                     :NOTHING, :ENDED

    # While a transaction is open: why records sent in it were refused. The library does not know of them, and would
    # commit the rest. Sends add to it under the lock. Each transaction has its own, by which what waits knows its own.
    # @return [Array<Error>, nil]
    attr_accessor :refusals

    # @param max_block [Float] how long records wait for room, in seconds
    def initialize(handle, max_block)
      @handle = handle
      @process = Process.pid
      @max_block = max_block
      @mutex = Mutex.new
      # Signalled when the pack has gone, and at the end.
      @room = ConditionVariable.new
      @pack = Pack.new
      # Why the library has no room for the pack, or nil, and until when the pack may wait for it.
      @full = @full_until = nil
      # The futures of begins whose outcomes are not known: until then nothing is sent in a transaction, nor counts
      # against it, though the library may have begun it. Sends from then on are the transaction's.
      @begins = {}.compare_by_identity
      @owed = {}
      @last_tag = 0
      # While anything that it has sent is without an outcome, so that it is not collected.
      @producer = nil
      @waiting = {}.compare_by_identity
      # Those that {#hold} holds.
      @fibers = {}.compare_by_identity
      # Futures and errors of what was refused, for the producer's thread.
      @refused = []
      # Of the producer's thread: futures whose callbacks are to run, and futures with outcomes that are to be known
      # then, for who waits for a flush expects all callbacks to have run. Where a callback ends the thread, another goes
      # on.
      @called = []
      @last = []
      @thread = nil
      # Whether the producer's thread waits for reports, or is about to.
      @idle = false
      @ended = false
    end

    # Whether this is the producer's thread, which runs callbacks and must not wait for what it alone can bring.
    def callback? = Thread.current.equal?(@thread)

    # For the producer's thread, when it begins.
    def serve = @thread = Thread.current

    # @raise [InCallbackError]
    def check_wait
      raise Error.of(IN_CALLBACK) if callback?
    end

    # In a child of the process that made the producer only the thread that forked is alive.
    def forked? = @process != Process.pid

    # @raise [ForkedError]
    def check_process
      raise Error.of(FORKED) if forked?
    end

    # Holds the fiber while the block runs, which waits: the lists of Mutex, ConditionVariable and Thread do not, a
    # Fiber scheduler need not, and what waits and was collected ends the process.
    def hold
      fiber = Fiber.current
      return yield if @fibers.key?(fiber)

      begin
        @fibers[fiber] = true
        yield
      ensure
        @fibers.delete(fiber)
      end
    end

    # Gathers a record; if it may, waits for room.
    # @return [Future]
    def add(topic, value, key, headers, partition, timestamp, callback, producer, wait)
      future = Future.new(self, callback)
      locked do
        within_part { await_room(wait && !callback?) } if @full || @ended
        # First, so that an interrupted send leaves no record behind that nobody looks after.
        interrupt if @idle
        @producer = producer
        @pack.add(@last_tag += 1, topic, value, key, headers, partition, timestamp, future)
        pass if @pack.full?
      end
      future
    end

    # A future, whose tag the block gives to the library; if wanted, once that has all that was sent before.
    # @param begins [Boolean] whether it is a begin's, which opens a transaction where none is
    # @param noted [Proc, nil] is given the future when the library has its tag: an interrupt may come before the return
    def expect(after_sends: false, begins: false, noted: nil)
      check_wait
      future = Future.new(self, nil)
      locked do
        await_gone if after_sends
        whole do
          start(future) { |tag| yield tag }
          noted&.call(future)
          @begins[future] = true if begins && @refusals.nil?
        end
      end
      future
    end

    # The outcome of a batch that was accepted; the block gives the tags of the outcome and of the acceptance to the
    # library. Where the wait is interrupted the batch is withdrawn.
    def offer(batch, callback, producer, &start)
      check_wait
      outcome = Future.new(self, callback)
      accepted = Future.new(self, nil)
      tag = ended = nil
      locked do
        within_part { await_gone }
        raise Error.of(ILLEGAL_STATE) unless @begins.empty?

        whole do
          start(accepted) { |accepted_tag| owe(tag = (@last_tag += 1), outcome, start.call(tag, accepted_tag)) }
          @producer = producer
        end
      end
      accepted.value
      ended = outcome
    ensure
      whole { give_up(batch, tag, accepted) } unless ended
    end

    # Waits for the future's outcome; the timeout is in seconds.
    def await(future, timeout)
      check_process
      limit = timeout && (now + timeout)
      locked do
        pass
        until future.done?
          left = limit && (limit - now)
          break if left && left <= 0

          check_wait
          wait_for(@waiting[future] ||= ConditionVariable.new, left)
        end
      end
      future.done?
    end

    # Takes a record back that the library has not got.
    def cancel(future)
      return false if future.done?

      check_process
      locked do
        whole do
          next false unless @pack.delete(future)

          settle_later(future, Error.of(CANCELLED, record: true))
          have_room if @pack.empty?
          true
        end
      end
    end

    # Refuses what the library has not got.
    def fail(code)
      locked { whole { refuse_pack(code) } }
    end

    # For the producer's thread, before it waits for reports.
    # @return [Integer] how long it may wait, in milliseconds; -1: until it is interrupted; 0: there is more to do
    def idle
      @mutex.synchronize do
        pass
        refuse_pack(@full) if @full && @full_until <= now
        return 0 unless @refused.empty? && @called.empty? && @last.empty?

        @idle = true
        @producer = nil if @owed.empty? && @pack.empty?
        @full ? ((@full_until - now) * 1000).ceil.clamp(1, 1_000_000_000) : -1
      end
    end

    # For the producer's thread: settles what was refused, and what the block is given to settle: the futures that are
    # owed a report by their tags, and an array of futures with outcomes, to be known when the callbacks have run.
    def settle
      @mutex.synchronize do
        @idle = false
        @refused.each { |future, error| finish(future, error) }
        @refused.clear
        yield @owed, @last if block_given?
      end
      tell
      return if @last.empty?

      @mutex.synchronize do
        @last.each do |future, outcome|
          know_begin(future, outcome) if @begins.key?(future)
          finish(future, outcome)
        end
        @last.clear
      end
    end

    # Gives a future its outcome, within {#settle}'s block.
    def finish(future, outcome)
      future.outcome = outcome
      wake(future) unless @waiting.empty?
      @called << future if future.callback
    end

    # For the producer's thread: reports were taken, and the library may say that it has room.
    def taken(writable)
      return unless writable || @full == REPORT_QUEUE_FULL

      @mutex.synchronize do
        @full = nil
        pass
        @room.broadcast unless @full
      end
    end

    # For the producer's thread: the library is gone, and no report will come.
    def end_with(code)
      @mutex.synchronize do
        @ended = true
        refuse_pack(code)
        @owed.each_value { |future| @refused << [future, Error.of(code)] }
        @owed.clear
        @room.broadcast
      end
      settle
    end

    private

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

    # Takes the lock. Only under a Fiber scheduler do fibers wait for it, else threads do.
    def locked(&block)
      Fiber.current_scheduler ? hold { @mutex.synchronize(&block) } : @mutex.synchronize(&block)
    end

    def whole(&block) = Thread.handle_interrupt(NOTHING, &block)

    # In this order: who is interrupted in between does it again.
    def interrupt
      Library.kprod_poll_interrupt(@handle)
      @idle = false
    end

    def tell
      while (future = @called.shift)
        future.tell
      end
    end

    def wake(future)
      @waiting.delete(future)&.broadcast
    rescue StandardError => e
      # Others wait too.
      Kprod.complain('a Fiber scheduler', e)
    end

    # Gives the block a tag for the library.
    def start(future)
      raise Error.of(CLOSED) if @ended

      tag = (@last_tag += 1)
      code = yield tag
      raise Error.of(code) unless code.zero?

      @owed[tag] = future
    end

    def owe(tag, future, code)
      @owed[tag] = future if code.zero?
      code
    end

    # There is no outcome of a batch that was refused, or withdrawn before it was accepted, which its answer tells.
    def give_up(batch, tag, accepted)
      locked do
        next unless @owed.key?(tag)
        next if accepted.done? && !accepted.error
        next @owed.delete(tag) if accepted.done?

        accepted.callback = ->(_, error) { @mutex.synchronize { @owed.delete(tag) } if error }
        batch.withdraw
      end
    end

    def know_begin(future, outcome)
      # It was sent before.
      refuse_pack(ILLEGAL_STATE)
      @begins.delete(future)
      @refusals = [] unless outcome.is_a?(Error)
    end

    # Hands over the pack, unless the library was full and has not said that it is not any more.
    def pass
      whole { hand_over } unless @full || @pack.empty?
    end

    def hand_over
      return refuse_pack(ILLEGAL_STATE) unless @begins.empty?

      until @full || @pack.empty?
        refused, code = @pack.hand_over(@handle, @owed)
        case refused
        when nil then break
        when :all then return refuse_pack(code)
        else [QUEUE_FULL, REPORT_QUEUE_FULL].include?(code) ? have_no_room(code) : refuse(@pack.shift_one, code)
        end
      end
    end

    def have_no_room(code)
      @full = code
      @full_until = now + @max_block
      # The producer's thread is to mind the time.
      interrupt if @idle
    end

    def have_room
      @full = nil
      @room.broadcast
    end

    def wait_for(condition, limit = nil) = hold { condition.wait(@mutex, limit) }

    # What the block waits to send is part of no other transaction than before.
    def within_part
      part = @refusals
      yield
      raise Error.of(ILLEGAL_STATE, ENDED) unless @refusals.equal?(part)
    end

    def await_room(wait)
      limit = now + @max_block
      while @full && !@ended
        left = limit - now
        raise Error.of(@full) unless wait && left.positive?

        wait_for(@room, left)
      end
      raise Error.of(CLOSED) if @ended
    end

    # Until the library has, or has refused, all that was sent before.
    def await_gone
      pass
      until @pack.empty? || @ended
        wait_for(@room)
        pass
      end
    end

    def refuse_pack(code)
      refuse(@pack.shift_one, code) until @pack.empty?
      have_room
    end

    def refuse(future, code)
      error = Error.of(code, record: true)
      @refusals << error if @refusals&.empty?
      settle_later(future, error)
    end

    def settle_later(future, error)
      @refused << [future, error]
      interrupt if @idle
    end
  end
end
