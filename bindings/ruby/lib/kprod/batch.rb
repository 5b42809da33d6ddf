# frozen_string_literal: true

module Kprod
  # A batch to be filled by hand, from {Producer#create_batch}, and sent by {Producer#send_batch}. One thread uses it at
  # a time.
  class Batch
    FULL = -133
    ILLEGAL_STATE = -108
    private_constant :FULL, :ILLEGAL_STATE

    # @api private
    def initialize(producer)
      out = FFI::MemoryPointer.new(:pointer)
      error = FFI::MemoryPointer.new(:pointer)
      code = Library.kprod_create_batch(producer, out, error)
      raise Error.taken(error, code) unless code.zero?

      @handle = FFI::AutoPointer.new(out.read_pointer, Library.method(:kprod_batch_free))
    end

    # @return [Integer, nil] the record's place in the batch; nil: no room, and the batch is closed now
    def append(value, key: nil, headers: nil, timestamp: nil)
      appended = FFI::MemoryPointer.new(48)
      code = Described.record(key: key, value: value, headers: headers, timestamp: timestamp) do |record|
        Library.kprod_batch_append(handle, record.to_ptr, appended)
      end
      return nil if code == FULL
      raise Error.of(code) unless code.zero?

      appended.get_int64(8)
    end

    # Takes no more records.
    def close
      code = Library.kprod_batch_close(handle)
      raise Error.of(code) unless code.zero?
    end

    # @return [Integer] its bytes, 61 when it is empty
    def size = Library.kprod_batch_size(handle)

    # @return [Integer]
    def record_count = Library.kprod_batch_record_count(handle)

    # @api private
    def handle = @handle || raise(Error.of(ILLEGAL_STATE, 'the send of the batch was interrupted: fill another one'))

    # Takes it back from the library, which sends it no more unless it has accepted it.
    # @api private
    def withdraw
      @handle.free
      @handle = nil
    end
  end
end
