# frozen_string_literal: true

module Kprod
  # Describes records to the library's batches.
  # @api private
  module Described
    NONE = -1
    # More milliseconds than any clock shows, and few enough for 64 bits.
    TIMES = (-(1 << 62)..(1 << 62)).freeze
    private_constant :TIMES

    # Gives the block a batch's record as a struct that lives as long as the block runs.
    def self.record(key:, value:, headers:, timestamp:)
      record = Library::Record.new
      kept = []
      put(record, :key, key, kept)
      put(record, :value, value, kept)
      unless headers.nil? || headers.empty?
        record[:headers] = array(headers, kept)
        record[:header_count] = headers.size
      end
      record[:partition] = NONE
      record[:timestamp_ms] = milliseconds(timestamp)
      result = yield record
      kept.clear
      result
    end

    def self.array(headers, kept)
      kept << (memory = FFI::MemoryPointer.new(Library::Header.size, headers.size))
      headers.each_with_index do |(name, content), place|
        header = Library::Header.new(memory + (place * Library::Header.size))
        put(header, :key, name.to_s, kept)
        put(header, :value, content, kept)
      end
      memory
    end

    def self.put(struct, name, content, kept)
      return struct[:"#{name}_len"] = NONE if content.nil?
      raise ArgumentError, "#{name} must be a String or nil" unless content.is_a?(String)

      kept << (memory = FFI::MemoryPointer.new(:uint8, [content.bytesize, 1].max))
      memory.put_bytes(0, content)
      struct[name] = memory
      struct[:"#{name}_len"] = content.bytesize
    end

    def self.milliseconds(timestamp)
      return NONE if timestamp.nil?

      timestamp = (timestamp.to_r * 1000).floor if timestamp.is_a?(Time)
      return timestamp.to_i if TIMES === timestamp

      raise ArgumentError, 'a timestamp must be a Time or milliseconds'
    end
  end
end
