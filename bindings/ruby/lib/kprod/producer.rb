# frozen_string_literal: true

module Kprod
  # A Kafka producer, for any number of threads and fibers. Make it after a fork: in a child of the process that made
  # it, it raises {ForkedError}.
  class Producer
    CHUNK = 1024
    CONFIGURED = -1
    private_constant :CHUNK, :CONFIGURED

    # @param properties [Hash] the library's properties by name, as docs/configuration.md lists them
    def initialize(properties)
      @process = Process.pid
      @handle = create(properties)
      @mutex = Mutex.new
      @owed = {}
      @next_tag = 0
      @topics = {}
      @names = {}
      @closing = false
      @poller = Thread.new { poll }
      @poller.name = 'kprod'
    end

    # Makes a producer and closes it after the block.
    def self.open(properties)
      producer = new(properties)
      begin
        yield producer
      ensure
        producer.close
      end
    end

    # Waits until the cluster answers, and makes a transactional.id known to it.
    def start = operation(:kprod_start_async)

    # Sends a record. Without room in buffer.memory or metadata it waits up to max.block.ms, and other threads run.
    # @yield [metadata, error] its outcome, in the producer's own thread
    # @return [Future]
    # @raise [Error] it was not accepted and will not be sent
    def send(topic, value, key: nil, headers: nil, partition: nil, timestamp: nil, &callback)
      deliver(:kprod_send, topic, value, key, headers, partition, timestamp, callback)
    end

    # As {#send}, but never waits: {QueueFullError} when there is no room.
    def try_send(topic, value, key: nil, headers: nil, partition: nil, timestamp: nil, &callback)
      deliver(:kprod_try_send, topic, value, key, headers, partition, timestamp, callback)
    end

    # @return [Integer] the number of the topic's partitions
    def partitions_for(topic) = operation(:kprod_partitions_for_async, handle_of(topic))

    # Waits until all that was sent before has an outcome.
    def flush
      operation(:kprod_flush_async)
      nil
    end

    # @return [Batch]
    def create_batch
      check_open
      Batch.new(@handle)
    end

    # Sends a batch to a partition, after those sent to it before. Refused, it may be sent again.
    # @return [Future]
    def send_batch(batch, topic, partition, &callback)
      topic = handle_of(topic)
      expect(callback) do |tag|
        Library.kprod_send_batch(@handle, batch.handle, topic, partition, tag, CONFIGURED)
      end
    end

    def begin_transaction = operation(:kprod_begin_transaction_async)
    def commit_transaction = operation(:kprod_commit_transaction_async)
    def abort_transaction = operation(:kprod_abort_transaction_async)

    # Runs the block in a transaction: commits it, or aborts it when the block raises or the commit is refused.
    def transaction
      begin_transaction
      begin
        result = yield self
        commit_transaction
        result
      rescue Exception => e # rubocop:disable Lint/RescueException
        # A commit that has only taken its time goes on and cannot be aborted; after a fatal error nothing can.
        abort_transaction unless e.is_a?(Error) && (e.fatal? || e.is_a?(TimedOutError))
        raise
      end
    end

    # Makes a consumer group's offsets part of the transaction.
    # @param offsets [Hash{Array(String, Integer) => Integer}] the next offset to consume by topic and partition
    def send_offsets_to_transaction(offsets, group)
      described = FFI::MemoryPointer.new(64, [offsets.size, 1].max)
      kept = offsets.each_with_index.map do |((topic, partition), offset), place|
        name = FFI::MemoryPointer.from_string(topic)
        (described + (place * 64)).put_pointer(0, name).put_int64(8, topic.bytesize).put_int64(16, offset)
                                  .put_int64(32, -1).put_int32(40, partition).put_int32(44, -1)
        name
      end
      member = FFI::MemoryPointer.new(80)
      kept << (name = FFI::MemoryPointer.from_string(group))
      member.put_pointer(0, name).put_int64(8, group.bytesize).put_int64(40, -1).put_int32(48, -1)
      operation(:kprod_send_offsets_to_transaction_async, described, offsets.size, member)
      kept.clear
      nil
    end

    # Waits for the outcomes of all that was sent, and ends the producer. Again does nothing.
    def close
      check_process
      first = @mutex.synchronize { @closing ? false : (@closing = true) }
      settle_close if first
      @poller.join unless Thread.current == @poller
      nil
    end

    private

    def create(properties)
      out = FFI::MemoryPointer.new(:pointer)
      error = FFI::MemoryPointer.new(:pointer)
      config = Library.kprod_config_new
      properties.each do |key, value|
        code = Library.kprod_config_set(config, key.to_s, value.to_s, error)
        raise Error.taken(error, code) unless code.zero?
      end
      code = Library.kprod_create(config, Library::API_VERSION, out, error)
      raise Error.taken(error, code) unless code.zero?

      out.read_pointer
    ensure
      Library.kprod_config_free(config)
    end

    def deliver(call, topic, value, key, headers, partition, timestamp, callback)
      topic = handle_of(topic)
      expect(callback) do |tag|
        Described.record(key: key, value: value, headers: headers, timestamp: timestamp, topic: topic,
                         partition: partition, tag: tag) { |record| Library.public_send(call, @handle, record.to_ptr) }
      end
    end

    def operation(call, *arguments)
      check_open
      expect(nil) { |tag| Library.public_send(call, @handle, *arguments, tag) }.value
    end

    # A future, whose tag the block gives to the library.
    def expect(callback)
      future = Future.new(callback)
      tag = @mutex.synchronize do
        @owed[@next_tag += 1] = future
        @next_tag
      end
      code = nil
      begin
        code = yield tag
      ensure
        # Refused, or an exception came first.
        @mutex.synchronize { @owed.delete(tag) } unless code&.zero?
      end
      raise Error.of(code) unless code.zero?

      future
    end

    def handle_of(topic)
      check_open
      @topics[topic] || @mutex.synchronize do
        out = FFI::MemoryPointer.new(:uint32)
        code = Library.kprod_topic(@handle, topic, topic.bytesize, out)
        raise Error.of(code) unless code.zero?

        @names[out.read_uint32] = topic.dup.freeze
        @topics[topic.dup.freeze] = out.read_uint32
      end
    end

    def check_open
      check_process
      raise Error.of(-105) if @closing
    end

    def check_process
      return if @process == Process.pid

      raise Error.of(-106)
    end

    def settle_close
      expect(nil) { |tag| Library.kprod_close_async(@handle, tag) }.wait
    end

    # The producer's thread: it alone takes reports, and ends when the closed producer has no more.
    def poll
      reports = FFI::MemoryPointer.new(Library::DELIVERY_SIZE, CHUNK)
      while (count = Library.kprod_poll(@handle, reports, CHUNK, CONFIGURED)) >= 0
        count.times { |place| take(reports.get_bytes(place * Library::DELIVERY_SIZE, Library::DELIVERY_SIZE)) }
      end
      Library.kprod_destroy(@handle)
      @mutex.synchronize { @owed.values.tap { @owed = {} } }.each { |future| future.settle(nil, Error.of(count)) }
    end

    def take(report)
      kind, code, tag, topic, partition, offset, timestamp, _, count, flags, _, detail = report.unpack(Library::DELIVERY)
      future = @mutex.synchronize { @owed.delete(tag) } if kind <= 3
      return if future.nil?

      operation = kind == 3
      if code.zero?
        future.settle(operation ? count : Metadata.new(topic: @names[topic], partition: partition, offset: offset,
                                                       timestamp: timestamp, count: count), nil)
      else
        future.settle(nil, Error.of(code, message(detail), flags, record: !operation))
      end
    rescue StandardError => e
      # A callback's own failure must not end the reports of others.
      warn "kprod: a callback raised #{e.full_message}"
    end

    def message(detail)
      return nil if detail.zero?

      out = FFI::MemoryPointer.new(:pointer)
      code = Library.kprod_error_detail(@handle, detail, out)
      code.zero? ? Error.taken(out, code).message : nil
    end
  end
end
