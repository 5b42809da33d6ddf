# frozen_string_literal: true

module Kprod
  # Where a record or batch is in the log.
  Metadata = Struct.new(:topic, :partition, :offset, :timestamp, :count, keyword_init: true)

  # The outcome of a send, once there is one. Its waits let other threads run and, under a Fiber scheduler, other fibers.
  class Future
    # @api private
    def initialize(callback = nil)
      @mutex = Mutex.new
      @settled = ConditionVariable.new
      @callback = callback
      @done = false
    end

    # Waits for the outcome.
    # @param timeout [Numeric, nil] seconds; nil: no limit
    # @return [Boolean] whether there is an outcome
    def wait(timeout = nil)
      limit = timeout && now + timeout
      @mutex.synchronize do
        until @done
          left = limit && limit - now
          break if left && left <= 0

          @settled.wait(@mutex, left)
        end
        @done
      end
    end

    # Waits for the outcome.
    # @return [Metadata]
    # @raise [Error] why the record failed; {TimedOutError} when the time has passed, which has no effect on the send
    def value(timeout = nil)
      raise Error.of(-109) unless wait(timeout)
      raise @error if @error

      @value
    end

    # @return [Boolean]
    def done? = @done

    # @return [Error, nil] why it failed
    attr_reader :error

    # @api private
    def settle(value, error)
      @mutex.synchronize do
        @value = value
        @error = error
        @done = true
        @settled.broadcast
      end
      @callback&.call(value, error)
    end

    private

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
