# frozen_string_literal: true

module Kprod
  # Where a record or batch is in the log.
  Metadata = Struct.new(:topic, :partition, :offset, :timestamp, :count)

  # The outcome of a send, once there is one. Its waits let other threads run and, under a Fiber scheduler, fibers.
  # Where there is none yet, neither can a callback wait for it ({InCallbackError}) nor a child of the process that sent
  # ({ForkedError}).
  class Future
    TIMED_OUT = -109
    LATE = 'The wait has ended without an outcome, and the send goes on: wait again, and do not send it again.'
    private_constant :TIMED_OUT, :LATE

    # @api private
    attr_reader :outcome

    # @api private
    attr_accessor :callback

    # @api private
    def initialize(outgoing, callback)
      @outgoing = outgoing
      @callback = callback
      @outcome = nil
    end

    # Waits for the outcome.
    # @param timeout [Numeric, nil] seconds; nil: no limit
    # @return [Boolean] whether there is an outcome
    def wait(timeout = nil) = done? || @outgoing.await(self, timeout)

    # Waits for the outcome.
    # @return [Metadata]
    # @raise [Error] why the record failed; {TimedOutError}, not retriable, when the time has passed, which has no
    #   effect on the send
    def value(timeout = nil)
      raise Error.of(TIMED_OUT, LATE, 0) unless wait(timeout)
      raise @outcome if @outcome.is_a?(Error)

      @outcome
    end

    # @return [Boolean]
    def done? = !@outcome.nil?

    # @return [Error, nil] why it failed
    def error
      @outcome if @outcome.is_a?(Error)
    end

    # Takes the record back, if the library has not accepted it yet: then it is never sent, and its outcome is a
    # {CancelledError}. Later it has no effect.
    # @return [Boolean] whether it was taken back
    def cancel = @outgoing.cancel(self)

    # @api private
    attr_writer :outcome

    # @api private
    def tell
      outcome = @outcome
      callback = @callback
      # It may hold its producer, which is not to be held by who keeps the future.
      @callback = nil
      outcome.is_a?(Error) ? callback.call(nil, outcome) : callback.call(outcome, nil)
    rescue Exception => e # rubocop:disable Lint/RescueException
      # A callback's own failure must not end the reports of others.
      Kprod.complain('a callback', e)
    end
  end
end
