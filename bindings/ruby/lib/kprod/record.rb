# frozen_string_literal: true

module Kprod
  # What a record may be, and records as the library's batches take them.
  # @api private
  module Described
    NONE = -1
    # More milliseconds than any clock shows, and few enough for 64 bits.
    TIMES = (-(1 << 62)..(1 << 62)).freeze
    MOST_PARTITION = (1 << 31) - 1
    MOST_OFFSET = (1 << 63) - 1
    private_constant :TIMES, :MOST_PARTITION, :MOST_OFFSET

    # Gives the block a batch's record as a struct that lives as long as the block runs.
    def self.record(key:, value:, headers:, timestamp:)
      record = Library::Record.new
      kept = []
      put(record, :key, key, kept)
      put(record, :value, value, kept)
      if (pairs = pairs(headers))
        record[:headers] = array(pairs, kept)
        record[:header_count] = pairs.length
      end
      record[:partition] = NONE
      record[:timestamp_ms] = milliseconds(timestamp)
      result = yield record
      kept.clear
      result
    end

    # The headers' names and contents. What the program's own classes do here is done under no lock.
    # @return [Array(String, Object), nil] nil: there are none
    def self.pairs(headers)
      return nil if headers.nil?

      pairs = headers.to_a if headers.respond_to?(:to_a)
      raise ArgumentError, "headers must be a Hash, or pairs, not #{headers.class}" unless pairs.is_a?(Array)

      pairs = pairs.map do |pair|
        unless pair.is_a?(Array) && pair.length == 2 && (pair.first.is_a?(String) || pair.first.is_a?(Symbol))
          raise ArgumentError, 'a header must be a name, a String or Symbol, and a String or nil'
        end

        [pair.first.to_s, pair.last]
      end
      pairs.empty? ? nil : pairs
    end

    def self.topic(topic)
      return topic if topic.is_a?(String)

      raise ArgumentError, "topic must be a String, not #{topic.class}"
    end

    def self.partition(partition)
      return partition if partition.is_a?(Integer) && partition.between?(0, MOST_PARTITION)

      raise ArgumentError, "partition must be an Integer from 0 to #{MOST_PARTITION}, not #{told(partition)}"
    end

    def self.offset(offset)
      return offset if offset.is_a?(Integer) && offset.between?(0, MOST_OFFSET)

      raise ArgumentError, "offset must be an Integer from 0 to #{MOST_OFFSET}, not #{told(offset)}"
    end

    # A number by its value, else only what it is: it may be long, or secret.
    def self.told(value) = value.is_a?(Integer) ? value : value.class

    def self.array(pairs, kept)
      kept << (memory = FFI::MemoryPointer.new(Library::Header.size, pairs.length))
      pairs.each_with_index do |(name, content), place|
        header = Library::Header.new(memory + (place * Library::Header.size))
        put(header, :key, name, kept)
        put(header, :value, content, kept, 'a header')
      end
      memory
    end

    def self.put(struct, name, content, kept, what = name)
      return struct[:"#{name}_len"] = NONE if content.nil?
      raise ArgumentError, "#{what} must be a String or nil, not #{content.class}" unless content.is_a?(String)

      kept << (memory = FFI::MemoryPointer.new(:uint8, [content.bytesize, 1].max))
      memory.put_bytes(0, content)
      struct[name] = memory
      struct[:"#{name}_len"] = content.bytesize
    end

    def self.milliseconds(timestamp)
      return NONE if timestamp.nil?

      whole = timestamp.is_a?(Time) ? (timestamp.to_r * 1000).floor : timestamp
      unless whole.is_a?(Integer)
        raise TypeError, "timestamp must be a Time or an Integer of milliseconds, not #{timestamp.class}"
      end
      return whole if TIMES.cover?(whole)

      raise ArgumentError, "timestamp must be in 64 bits of milliseconds, not #{whole}"
    end
  end
end
