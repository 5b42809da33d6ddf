# frozen_string_literal: true

module Kprod
  # A Kafka producer, for any number of threads and fibers. Make it after a fork: in a child of the process that made
  # it, it raises {ForkedError}.
  class Producer
    UNASSIGNED = -1
    CLOSED = -105
    INVALID_CONFIG = -103
    REPORTS = 'kprod.delivery.reports'
    REPORTS_HELP = "#{REPORTS} (also delivery.report.only.error) must be left at all: the reports settle the futures of " \
                   'what is sent'
    private_constant :UNASSIGNED, :CLOSED, :INVALID_CONFIG, :REPORTS, :REPORTS_HELP

    # @param properties [Hash] the library's properties by name, as docs/configuration.md lists them
    def initialize(properties)
      @handle, max_block = create(properties)
      @outgoing = Outgoing.new(@handle, max_block)
      @transactions = Transactions.new(@handle, @outgoing)
      @mutex = Mutex.new
      @topics = {}
      @names = {}
      @closing = false
      # The call that ends it in the library.
      @closed = nil
      @poller = Reports.new(@handle, @outgoing, @names).start
      # Its thread does not hold it.
      ObjectSpace.define_finalizer(self, @poller.method(:abandon))
    end

    # Makes a producer and closes it after the block. A child that the block forks may leave it too.
    def self.open(properties)
      process = Process.pid
      producer = new(properties)
      begin
        yield producer
      ensure
        producer.close if process == Process.pid
      end
    end

    # Waits until the cluster answers, and makes a transactional.id known to it.
    def start = operation(:kprod_start_async)

    # Sends a record: gathers it with others for the library, at the latest until someone waits or this thread does
    # something else. Without room in buffer.memory it waits up to max.block.ms, and other threads and fibers run; in a
    # callback it does not wait.
    # @yield [metadata, error] its outcome, in the producer's own thread
    # @return [Future] its outcome, also when the library refuses it
    # @raise [QueueFullError] there is no room, and it will not be sent
    def send(topic, value, key: nil, headers: nil, partition: nil, timestamp: nil, &callback)
      @outgoing.add(handle_of(topic), value, key, Described.pairs(headers), place(partition),
                    Described.milliseconds(timestamp), callback, self, true)
    end

    # As {#send}, but never waits: {QueueFullError} when there is no room.
    def try_send(topic, value, key: nil, headers: nil, partition: nil, timestamp: nil, &callback)
      @outgoing.add(handle_of(topic), value, key, Described.pairs(headers), place(partition),
                    Described.milliseconds(timestamp), callback, self, false)
    end

    # @return [Integer] the number of the topic's partitions
    def partitions_for(topic) = operation(:kprod_partitions_for_async, handle_of(topic))

    # Waits until all that was sent before has an outcome, and the callbacks have run.
    def flush
      operation(:kprod_flush_async, after_sends: true)
      nil
    end

    # @return [Batch]
    def create_batch
      check_open
      Batch.new(@handle)
    end

    # Sends a batch to a partition, after those sent to it before. Refused, it may be sent again; interrupted while it
    # waits, by Timeout or Thread#raise, it may not, and is not sent unless the library has accepted it before.
    # @return [Future]
    def send_batch(batch, topic, partition, &callback)
      raise ArgumentError, "batch must be one of create_batch, not #{batch.class}" unless batch.is_a?(Batch)

      Described.partition(partition)
      topic = handle_of(topic)
      @outgoing.offer(batch, callback, self) do |tag, accepted|
        Library.kprod_send_batch_async(@handle, batch.handle, topic, partition, tag, accepted)
      end
    end

    # A transactional call that was interrupted, by Timeout or Thread#raise, or raised {TimedOutError}, goes on: the
    # same call again has its result.
    def begin_transaction
      check_open
      @transactions.begin
    end

    # See {#begin_transaction}.
    def commit_transaction
      check_open
      @transactions.commit
    end

    # See {#begin_transaction}.
    def abort_transaction
      check_open
      @transactions.abort
    end

    # Runs the block in a transaction: commits it at the block's end, or aborts it when the block raises, is left by
    # break, return or throw, or the commit is refused. A commit that raises {TimedOutError} goes on:
    # {#commit_transaction} has its result.
    def transaction(&block)
      check_open
      @transactions.run(self, &block)
    end

    # Makes a consumer group's offsets part of the transaction. See {#begin_transaction}.
    # @param offsets [Hash{Array(String, Integer) => Integer}] the next offset to consume by topic and partition
    def send_offsets_to_transaction(offsets, group)
      check_open
      @transactions.send_offsets(offsets, group)
    end

    # Waits for the outcomes of all that was sent, and ends the producer. Again does nothing.
    def close
      @outgoing.check_process
      @outgoing.check_wait
      @closing = true
      @outgoing.hold do
        @mutex.synchronize { @closed ||= end_after_sends if @poller.alive? }
        @poller.join
      end
      nil
    end

    private

    def create(properties)
      raise ArgumentError, "properties must be a Hash, not #{properties.class}" unless properties.is_a?(Hash)

      out = FFI::MemoryPointer.new(:pointer)
      error = FFI::MemoryPointer.new(:pointer)
      config = Library.kprod_config_new
      properties.each do |key, value|
        code = Library.kprod_config_set(config, key.to_s, value.to_s, error)
        raise Error.taken(error, code) unless code.zero?
      end
      value_of = lambda do |key|
        Library.kprod_config_get(config, key, out, error)
        out.read_pointer.read_string
      end
      max_block = value_of.call('max.block.ms').to_i / 1000.0
      raise Error.of(INVALID_CONFIG, REPORTS_HELP) unless value_of.call(REPORTS) == 'all'

      code = Library.kprod_create(config, Library::API_VERSION, out, error)
      raise Error.taken(error, code) unless code.zero?

      [out.read_pointer, max_block]
    ensure
      Library.kprod_config_free(config)
    end

    def end_after_sends
      @outgoing.expect(after_sends: true) { |tag| Library.kprod_close_async(@handle, tag) }
    rescue ClosedError
      nil
    end

    def operation(call, *arguments, after_sends: false)
      check_open
      @outgoing.expect(after_sends: after_sends) { |tag| Library.public_send(call, @handle, *arguments, tag) }.value
    end

    def place(partition) = partition.nil? ? UNASSIGNED : Described.partition(partition)

    def handle_of(topic)
      check_open
      @topics[topic] || learn(Described.topic(topic))
    end

    def learn(topic)
      @outgoing.hold { @mutex.synchronize { @topics[topic] || ask_for(topic) } }
    end

    def ask_for(topic)
      out = FFI::MemoryPointer.new(:uint32)
      code = Library.kprod_topic(@handle, topic, topic.bytesize, out)
      raise Error.of(code) unless code.zero?

      @names[out.read_uint32] = topic.dup.freeze
      @topics[topic.dup.freeze] = out.read_uint32
    end

    def check_open
      return if @poller.alive? && !@closing

      @outgoing.check_process
      raise Error.of(CLOSED)
    end
  end
end
