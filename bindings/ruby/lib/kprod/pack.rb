# frozen_string_literal: true

module Kprod
  # Records as kprod_send_packed takes them: their bytes in one string, and a descriptor of six 64-bit words for each:
  # tag, timestamp, topic and partition, offset and key's length, value's and headers' lengths, number of headers.
  # @api private
  class Pack
    CAPACITY = 512
    ROOM = 64 << 10
    WORDS = 6
    NONE = -1
    LOW = 0xffffffff
    # For the upper half of a word. Shifting a negative number by 32 bits would make objects of it.
    HIGH = 1 << 32
    # No record of this size is accepted by any library, and no sum of such sizes overflows.
    MOST = 1 << 29
    TOO_LARGE = -113
    private_constant :CAPACITY, :ROOM, :WORDS, :NONE, :LOW, :HIGH, :MOST, :TOO_LARGE

    attr_reader :count

    def initialize
      @words = []
      @futures = []
      @bytes = String.new(capacity: ROOM, encoding: Encoding::BINARY)
      @why = FFI::MemoryPointer.new(:int32)
      @count = 0
    end

    def empty? = @count.zero?
    def full? = @count >= CAPACITY || @bytes.bytesize >= ROOM

    # Copies a record.
    def add(tag, topic, value, key, headers, partition, timestamp, future)
      offset = @bytes.bytesize
      key = put(key)
      value = put(value)
      named = headers.nil? ? 0 : put_headers(headers)
      @words.push(tag, timestamp, topic + (partition * HIGH), offset + (key * HIGH), (value & LOW) + (named * HIGH),
                  named.zero? ? 0 : headers.size)
      @futures.push(future)
      @count += 1
    end

    # Hands over what there is. Gives nil when nothing is left; else whether all or only the first of what is left was
    # refused, and the code.
    def hand_over(producer)
      accepted = Library.kprod_send_packed(producer, @bytes, @bytes.bytesize, @words.pack('q*'), @count, @why)
      return [:all, accepted] if accepted.negative?

      shift(accepted)
      empty? ? nil : [:first, @why.read_int32]
    end

    # Takes the first record out, gives its tag and future.
    def shift_one
      tag = @words.first
      future = @futures.first
      shift(1)
      [tag, future]
    end

    # Takes the future's record out, gives its tag; nil: it is not here.
    def delete(future)
      place = @futures.index { |other| other.equal?(future) }
      return nil if place.nil?

      @futures.delete_at(place)
      @count -= 1
      @words.slice!(place * WORDS, WORDS).first.tap { clear if @count.zero? }
    end

    private

    def shift(count)
      @words.shift(count * WORDS)
      @futures.shift(count)
      @count -= count
      clear if @count.zero?
    end

    def clear
      @words.clear
      @futures.clear
      @bytes.bytesize > 4 * ROOM ? @bytes = String.new(capacity: ROOM, encoding: Encoding::BINARY) : @bytes.clear
      @count = 0
    end

    def put(content)
      return NONE if content.nil?

      @bytes << bytes_of(content)
      content.bytesize
    end

    def bytes_of(content)
      raise ArgumentError, 'keys, values and headers must be Strings or nil' unless content.is_a?(String)
      raise Error.of(TOO_LARGE) if content.bytesize > MOST

      content.encoding.equal?(Encoding::BINARY) ? content : content.b
    end

    # For each its key's length, key, value's length and value; gives the length of all.
    def put_headers(headers)
      before = @bytes.bytesize
      headers.each do |name, content|
        put_counted(name.to_s)
        put_counted(content)
      end
      @bytes.bytesize - before
    end

    def put_counted(content)
      length = content.nil? ? NONE : bytes_of(content).bytesize
      @bytes << [length].pack('l')
      put(content)
    end
  end
end
