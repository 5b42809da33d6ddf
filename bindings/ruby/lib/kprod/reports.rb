# frozen_string_literal: true

module Kprod
  # What the producer's own thread does: it alone takes reports, and ends when the closed producer has no more.
  # @api private
  class Reports
    CHUNK = 1024
    WORDS = Library::DELIVERY_SIZE / 8
    LOW = 0xffffffff
    # In the first word of an entry: a record's kind, and no error.
    DELIVERED = 1
    OPERATION = 3
    WRITABLE = 5
    CLOSED = -105
    INTERNAL = -100
    # What has a thread.
    LIVE = {}.compare_by_identity
    private_constant :CLOSED, :INTERNAL, :LIVE, :CHUNK, :WORDS, :LOW, :DELIVERED, :OPERATION, :WRITABLE

    # @param names [Hash] the topics' names by their handles
    def initialize(handle, outgoing, names)
      @handle = handle
      @outgoing = outgoing
      @names = names
      @entries = FFI::MemoryPointer.new(Library::DELIVERY_SIZE, CHUNK)
      @stopped = @abandoned = @destroyed = @over = false
      # Held where the library must not go, or is said to.
      @there = Mutex.new
      # Of the end.
      @code = nil
    end

    # The threads would wait in the library when the process is to end, and nothing else can end that. What the program
    # registers after it has loaded this runs before, and may still use its producers; for those that are made later it
    # is registered again.
    def self.stop_at_exit
      return if @registered

      @registered = true
      at_exit do
        @registered = false
        LIVE.keys.each(&:stop)
      end
    end

    stop_at_exit

    # Starts the thread.
    def start
      LIVE[self] = true
      Reports.stop_at_exit
      go_on
      self
    end

    # Ends the thread without another report.
    def stop
      @stopped = true
      interrupt
    end

    # Ends the producer, which was collected. A finalizer's thread may hold any lock and be in the middle of anything:
    # nothing waits here, and the producer's thread does the work. Thread#kill must not leave it half done.
    def abandon(_id)
      return if @stopped || @outgoing.forked?

      Thread.handle_interrupt(Object => :never) do
        @abandoned = true
        interrupt
      end
    end

    def alive? = @thread.alive?

    # Waits for the end.
    def join
      until @over
        thread = @thread
        thread.join
        return if thread.equal?(@thread)
      end
    end

    private

    # Where the lock is taken, the library is about to go, or another does this.
    def interrupt
      return unless @there.try_lock

      begin
        Library.kprod_poll_interrupt(@handle) unless @destroyed
      ensure
        @there.unlock
      end
    end

    def go_on
      @thread = Thread.new { run }
      @thread.name = 'kprod'
    end

    def run
      @outgoing.serve
      @code ||= take_all
      finish
    rescue Exception # rubocop:disable Lint/RescueException
      # No callback's, which are told: without this thread there is no producer.
      @code ||= INTERNAL
      raise
    ensure
      # A callback may end the thread that it runs in.
      go_on unless @over || @stopped
    end

    # Stays among those that are stopped at exit until it is over: the end of the process also ends a thread that waits
    # in kprod_destroy, and lets none go on.
    def finish
      unless @stopped || @destroyed
        @there.synchronize { @destroyed = true }
        Library.kprod_destroy(@handle)
      end
      @outgoing.end_with(@code)
      @over = true
      LIVE.delete(self)
    end

    # Waits only when there is nothing to take: each wait gives the interpreter's lock away. Gives the code of the end.
    # A poll that does not wait uses an interrupt up too: whether it was one for the end is to be known before the wait,
    # which ends at once where the interrupt comes later.
    def take_all
      loop do
        count = Library.kprod_poll(@handle, @entries, CHUNK, 0)
        count = wait if count.zero? && !given_up?
        return CLOSED if given_up?

        return count if count.negative?

        take(count) if count.positive?
      end
    end

    # Set before the interrupt.
    def given_up? = @stopped || @abandoned

    def wait
      timeout = @outgoing.idle
      return Library.kprod_poll_waiting(@handle, @entries, CHUNK, timeout) unless timeout.zero?

      @outgoing.settle
      0
    end

    def take(count)
      words = @entries.read_bytes(count * Library::DELIVERY_SIZE).unpack('q*')
      writable = false
      details = nil
      @outgoing.settle do |owed, last|
        at = 0
        while at < words.length
          if (future = owed.delete(words[at + 1]))
            outcome = words[at] == DELIVERED ? metadata(words, at) : other(words, at, details ||= {})
            if words[at] & LOW == OPERATION then last << [future, outcome]
            else @outgoing.finish(future, outcome)
            end
          elsif words[at] & LOW == WRITABLE
            writable = true
          end
          at += WORDS
        end
      end
      @outgoing.taken(writable)
    end

    def metadata(words, at)
      place = words[at + 2]
      Metadata.new(@names[place & LOW], place >> 32, words[at + 3], words[at + 4], words[at + 5] >> 32)
    end

    # The outcome of what is not a record, or has failed.
    def other(words, at, details)
      kind = words[at] & LOW
      code = words[at] >> 32
      unless code.zero?
        detail = words[at + 7]
        message = details.fetch(detail) { details[detail] = message_of(detail) }
        return Error.of(code, message, words[at + 6] & LOW, record: kind != OPERATION)
      end
      kind == OPERATION ? words[at + 5] >> 32 : metadata(words, at)
    end

    def message_of(detail)
      return nil if detail.zero?

      out = FFI::MemoryPointer.new(:pointer)
      code = Library.kprod_error_detail(@handle, detail, out)
      code.zero? ? Error.taken(out, code).message : nil
    end
  end
end
