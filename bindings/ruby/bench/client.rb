# frozen_string_literal: true

# client.rb NAME HOST:PORT RECORDS SIZE: sends records through one library to a broker that only acknowledges, after a
# tenth of them to warm up, and says what it took. The script beside it runs all of them in turns.

TOPIC = 'bench'
# Records whose futures are kept before they are awaited, as by a program that looks at each outcome.
WINDOW = 10_000

# Sends a window of records, then looks at each outcome.
module Windows
  def send_all(value, records)
    acknowledged = 0
    while acknowledged < records
      window = Array.new([WINDOW, records - acknowledged].min) { produce(value) }
      window.each { |pending| acknowledged += 1 if offset_of(pending) >= 0 }
    end
    acknowledged
  end
end

# This package, with a future for each record.
class KprodFutures
  include Windows

  def initialize(servers)
    require 'kprod'
    @producer = Kprod::Producer.new('bootstrap.servers' => servers, 'acks' => 1, 'linger.ms' => 5)
  end

  def produce(value) = @producer.send(TOPIC, value)

  def offset_of(future) = future.value.offset

  def close = @producer.close
end

# This package, with a callback for each record.
class KprodCallbacks < KprodFutures
  def send_all(value, records)
    acknowledged = 0
    records.times { @producer.send(TOPIC, value) { |metadata, error| acknowledged += 1 if error.nil? && metadata.offset >= 0 } }
    @producer.flush
    acknowledged
  end
end

# The gem rdkafka.
class RdkafkaGem
  include Windows

  def initialize(servers)
    require 'rdkafka'
    Rdkafka::Config.logger = Logger.new($stderr)
    @producer = Rdkafka::Config.new('bootstrap.servers' => servers, 'acks' => '1', 'linger.ms' => '5').producer
  end

  def produce(value)
    @producer.produce(topic: TOPIC, payload: value)
  rescue Rdkafka::RdkafkaError => e
    raise unless e.code == :queue_full

    sleep 0.001
    retry
  end

  def offset_of(handle) = handle.wait.offset

  def close = @producer.close
end

# The least that the gem rdkafka does, where it is not to be had: librdkafka through ffi, rd_kafka_producev with a handle's
# address as the opaque, a thread that polls, and a delivery callback in Ruby for each record that finds the handle again.
class RdkafkaFfi
  include Windows

  # The library and the part of its interface that is needed.
  module Native
    require 'ffi'
    extend FFI::Library
    ffi_lib ENV.fetch('RDKAFKA_LIBRARY', 'librdkafka.so.1')

    # rd_kafka_message_t
    class Message < FFI::Struct
      layout :err, :int, :rkt, :pointer, :partition, :int32, :payload, :pointer, :len, :size_t, :key, :pointer,
             :key_len, :size_t, :offset, :int64, :_private, :pointer
    end

    callback :delivered, %i[pointer pointer pointer], :void
    attach_function :rd_kafka_conf_new, [], :pointer
    attach_function :rd_kafka_conf_set, %i[pointer string string pointer int], :int
    attach_function :rd_kafka_conf_set_dr_msg_cb, %i[pointer delivered], :void
    attach_function :rd_kafka_new, %i[int pointer pointer int], :pointer
    attach_function :rd_kafka_producev, %i[pointer varargs], :int
    attach_function :rd_kafka_poll, %i[pointer int], :int, blocking: true
    attach_function :rd_kafka_flush, %i[pointer int], :int, blocking: true
    attach_function :rd_kafka_destroy, [:pointer], :void, blocking: true
  end

  # A record's struct, whose address is its opaque.
  class Handle < FFI::Struct
    layout :pending, :bool, :response, :int, :partition, :int, :offset, :int64
    REGISTRY = {}

    def wait
      sleep 0.001 while self[:pending]
      self[:offset]
    end
  end

  VTYPE_END = 0
  VTYPE_TOPIC = 1
  VTYPE_VALUE = 4
  VTYPE_OPAQUE = 6
  VTYPE_MSGFLAGS = 7
  COPY = 2
  QUEUE_FULL = -184

  def initialize(servers)
    configuration = Native.rd_kafka_conf_new
    { 'bootstrap.servers' => servers, 'acks' => '1', 'linger.ms' => '5' }.each do |name, value|
      raise name unless Native.rd_kafka_conf_set(configuration, name, value, nil, 0).zero?
    end
    @callback = proc { |_, message, _| delivered(Native::Message.new(message)) }
    Native.rd_kafka_conf_set_dr_msg_cb(configuration, @callback)
    @client = Native.rd_kafka_new(0, configuration, nil, 0)
    @closing = false
    @poller = Thread.new { Native.rd_kafka_poll(@client, 100) until @closing }
  end

  def delivered(message)
    handle = Handle::REGISTRY.delete(message[:_private].address)
    handle[:response] = message[:err]
    handle[:partition] = message[:partition]
    handle[:offset] = message[:offset]
    handle[:pending] = false
  end

  def produce(value)
    handle = Handle.new
    handle[:pending] = true
    Handle::REGISTRY[handle.to_ptr.address] = handle
    arguments = [:int, VTYPE_TOPIC, :string, TOPIC, :int, VTYPE_MSGFLAGS, :int, COPY, :int, VTYPE_VALUE, :buffer_in, value,
                 :size_t, value.bytesize, :int, VTYPE_OPAQUE, :pointer, handle.to_ptr, :int, VTYPE_END]
    while (code = Native.rd_kafka_producev(@client, *arguments)) != 0
      raise code.to_s unless code == QUEUE_FULL

      sleep 0.001
    end
    handle
  end

  def offset_of(handle)
    offset = handle.wait
    handle[:response].zero? ? offset : -1
  end

  def close
    @closing = true
    @poller.join
    Native.rd_kafka_flush(@client, 10_000)
    Native.rd_kafka_destroy(@client)
  end
end

CONTESTANTS = { 'kprod' => KprodFutures, 'kprod-callbacks' => KprodCallbacks, 'rdkafka' => RdkafkaGem,
                'rdkafka-ffi' => RdkafkaFfi }.freeze

def now(clock) = Process.clock_gettime(clock, :nanosecond)

def run(contestant, value, records)
  got = contestant.send_all(value, records)
  raise "#{got} of #{records} records were acknowledged" unless got == records
end

name, servers, records, size = ARGV
records = records.to_i
contestant = CONTESTANTS.fetch(name).new(servers)
value = 'x' * size.to_i
run(contestant, value, records / 10)
wall = now(Process::CLOCK_MONOTONIC)
cpu = now(Process::CLOCK_PROCESS_CPUTIME_ID)
run(contestant, value, records)
puts "client=#{name} records=#{records} total=#{records + (records / 10)} " \
     "wall_ns=#{now(Process::CLOCK_MONOTONIC) - wall} cpu_ns=#{now(Process::CLOCK_PROCESS_CPUTIME_ID) - cpu}"
contestant.close
