# frozen_string_literal: true

module Kprod
  # Records as kprod_send_packed takes them: their bytes in one string, and a descriptor of six 64-bit words for each:
  # tag, timestamp, topic and partition, offset and key's length, value's and headers' lengths, number of headers.
  #
  # A record is in it once its future is: what was added of one before an error or another thread's Thread#raise came is
  # taken back by the next.
  # @api private
  class Pack
    CAPACITY = 512
    ROOM = 64 << 10
    WORDS = 6
    NONE = -1
    LOW = 0xffffffff
    # For the upper half of a word. Shifting a negative number by 32 bits would make objects of it.
    HIGH = 1 << 32
    # No content of this size is accepted by any library, and no sum of two such sizes overflows.
    MOST = 1 << 29
    TOO_LARGE = -113
    NO_HEADERS = [0, 0].freeze
    private_constant :CAPACITY, :ROOM, :WORDS, :NONE, :LOW, :HIGH, :MOST, :TOO_LARGE, :NO_HEADERS

    def initialize
      @words = []
      @futures = []
      @bytes = String.new(capacity: ROOM, encoding: Encoding::BINARY)
      # Of the records' bytes.
      @used = 0
      @why = FFI::MemoryPointer.new(:int32)
    end

    def empty? = @futures.empty?
    def full? = @futures.length >= CAPACITY || @used >= ROOM

    # Copies a record.
    def add(tag, topic, value, key, headers, partition, timestamp, future)
      trim
      offset = @used
      key = put(key)
      value = put(value)
      named, number = headers.nil? ? NO_HEADERS : put_headers(headers)
      @words.push(tag, timestamp, topic + (partition * HIGH), offset + (key * HIGH), (value & LOW) + (named * HIGH),
                  number)
      @used = @bytes.bytesize
      @futures.push(future)
    end

    # Hands over what there is; the futures of what was accepted are owed an outcome. Gives nil when nothing is left;
    # else whether all or only the first of what is left was refused, and the code.
    def hand_over(producer, owed)
      trim
      accepted = Library.kprod_send_packed(producer, @bytes, @used, @words.pack('q*'), @futures.length, @why)
      return [:all, accepted] if accepted.negative?

      accepted.times { |place| owed[@words[place * WORDS]] = @futures[place] }
      shift(accepted)
      empty? ? nil : [:first, @why.read_int32]
    end

    # Takes the first record out, gives its future.
    def shift_one = @futures.first.tap { shift(1) }

    # Takes the future's record out; false: it is not here.
    def delete(future)
      place = @futures.index { |other| other.equal?(future) }
      return false if place.nil?

      trim
      @futures.delete_at(place)
      @words.slice!(place * WORDS, WORDS)
      clear if empty?
      true
    end

    private

    def shift(count)
      @words.shift(count * WORDS)
      @futures.shift(count)
      clear if empty?
    end

    # Takes back what belongs to no record.
    def trim
      @bytes.slice!(@used..) if @bytes.bytesize > @used
      length = @futures.length * WORDS
      @words.slice!(length..) if @words.length > length
    end

    def clear
      @words.clear
      @futures.clear
      @bytes.bytesize > 4 * ROOM ? @bytes = String.new(capacity: ROOM, encoding: Encoding::BINARY) : @bytes.clear
      @used = 0
    end

    def put(content)
      return NONE if content.nil?

      bytes = bytes_of(content)
      @bytes << bytes
      bytes.bytesize
    end

    def bytes_of(content)
      unless content.is_a?(String)
        raise ArgumentError, "keys, values and headers must be Strings or nil, not #{content.class}"
      end

      # A class of the program's own may count otherwise.
      content = String.new(content) unless content.instance_of?(String)
      raise Error.of(TOO_LARGE) if content.bytesize > MOST

      content.encoding.equal?(Encoding::BINARY) ? content : content.b
    end

    # For each its key's length, key, value's length and value; gives the length of all, and their number.
    def put_headers(pairs)
      before = @bytes.bytesize
      pairs.each do |name, content|
        put_counted(name)
        put_counted(content)
        raise Error.of(TOO_LARGE) if @bytes.bytesize - before > MOST
      end
      [@bytes.bytesize - before, pairs.length]
    end

    def put_counted(content)
      length = content.nil? ? NONE : bytes_of(content).bytesize
      @bytes << [length].pack('l')
      put(content)
    end
  end
end
