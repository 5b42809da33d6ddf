# frozen_string_literal: true

module Kprod
  # Tells what the user's code raised in the producer's thread, which goes on also when it cannot be told.
  # @api private
  def self.complain(what, error)
    warn "kprod: #{what} raised #{error.full_message}"
  rescue Exception # rubocop:disable Lint/RescueException
    nil
  end

  # What the library refused or could not do.
  class Error < StandardError
    # @return [Integer] the code, one of KPROD_ERR_* of kprod.h
    attr_reader :code
    # @return [Symbol, nil] of a record or batch: whether it may stand in the log (:no, :possibly, :yes)
    attr_reader :persisted

    def initialize(code, message = nil, flags = 0, persisted = nil)
      super(message || Library.kprod_err_str(code))
      @code = code
      @flags = flags
      @persisted = persisted
    end

    # @return [String] the code's name, such as "TIMED_OUT"
    def name = Library.kprod_err_name(code)
    # @return [Boolean] whether the same may work later
    def retriable? = @flags.anybits?(1)
    # @return [Boolean] whether the transaction is to be aborted
    def abortable? = @flags.anybits?(2)
    # @return [Boolean] whether the producer is of no more use
    def fatal? = @flags.anybits?(4)

    PERSISTED = %i[no possibly yes].freeze
    private_constant :PERSISTED

    # @api private
    def self.of(code, message = nil, flags = nil, record: false)
      flags ||= { -109 => 1, -110 => 1, -111 => 1, -124 => 4 }.fetch(code, 0)
      CLASSES.fetch(code, Error).new(code, message, flags, record ? PERSISTED[flags >> 4 & 3] : nil)
    end

    # The error of a commit, of whose records one was refused.
    # @api private
    def self.incomplete(cause)
      of(cause.code, "a record of the transaction was refused, abort it: #{cause.message}", 2)
    end

    # The error object at this pointer's place, freed.
    # @api private
    def self.taken(out, code)
      object = out.read_pointer
      return of(code) if object.null?

      flags = [Library.kprod_error_is_retriable(object), Library.kprod_error_is_abortable(object),
               Library.kprod_error_is_fatal(object)].each_with_index.sum { |set, bit| set.zero? ? 0 : 1 << bit }
      error = of(Library.kprod_error_code(object), Library.kprod_error_message(object), flags)
      Library.kprod_error_free(object)
      error
    end
  end

  # A property is unknown, or its value not allowed.
  class ConfigError < Error; end
  # The producer is closed.
  class ClosedError < Error; end
  # The producer was made before a fork: make a new one in the child.
  class ForkedError < Error; end
  # A callback called what would wait for the producer's own thread, in which it runs.
  class InCallbackError < Error; end
  # The call does not fit the state of the producer, its transaction or the batch.
  class IllegalStateError < Error; end
  # The call's time has passed.
  class TimedOutError < Error; end
  # There was no room in buffer.memory.
  class QueueFullError < Error; end
  # {Future#cancel} took the record back before the library had it.
  class CancelledError < Error; end
  # The record's transaction was aborted before it was sent.
  class AbortedError < Error; end

  class Error
    CLASSES = { -102 => ConfigError, -103 => ConfigError, -105 => ClosedError, -106 => ForkedError,
                -107 => InCallbackError, -108 => IllegalStateError, -109 => TimedOutError,
                -110 => QueueFullError, -111 => QueueFullError, -116 => CancelledError, -132 => AbortedError }.freeze
    private_constant :CLASSES
  end
end
