# frozen_string_literal: true

require 'test/unit'
require 'timeout'
require 'kprod'

# A cluster of the library's own, which can be made to fail, and limits for what must not hang.
module Support
  MOCK = { 'test.mock.num.brokers' => 1, 'max.block.ms' => 20_000 }.freeze

  # The functions of kprod_mock.h.
  module Mock
    extend FFI::Library
    ffi_lib Kprod::Library::NAME
    attach_function :kprod_mock_create, %i[int32 pointer pointer], :int32
    attach_function :kprod_mock_bootstrap, [:pointer], :string
    attach_function :kprod_mock_create_topic, %i[pointer string int32], :int32
    attach_function :kprod_mock_set_broker_state, %i[pointer int32 int32], :int32
    attach_function :kprod_mock_inject, %i[pointer pointer], :int32
    attach_function :kprod_mock_fault_init, [:pointer], :void
    attach_function :kprod_mock_request_count, %i[pointer int32], :int64
    attach_function :kprod_mock_destroy, [:pointer], :void
  end

  # kprod_mock_fault_t
  class Fault < FFI::Struct
    layout :api, :int32, :broker, :int32, :topic, :pointer, :partition, :int32, :times, :int32, :kind, :int32,
           :error, :int32, :argument, :int32, :delay_ms, :int32, :throttle_ms, :int32
  end

  # A mock cluster of one broker with a topic "t" of one partition.
  class Cluster
    UP = 0
    CRASHED = 1
    # Numbers of APIs.
    PRODUCE = 0
    INIT_PRODUCER_ID = 22
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28

    attr_reader :bootstrap

    def self.open
      cluster = new
      yield cluster
    ensure
      cluster&.destroy
    end

    def initialize
      out = FFI::MemoryPointer.new(:pointer)
      succeed Mock.kprod_mock_create(1, out, nil)
      @mock = out.read_pointer
      @bootstrap = Mock.kprod_mock_bootstrap(@mock)
      succeed Mock.kprod_mock_create_topic(@mock, 't', 1)
    end

    def broker(state) = succeed(Mock.kprod_mock_set_broker_state(@mock, 1, state))

    # The answer to the next request of this kind comes late.
    def delay(api, milliseconds)
      fault = Fault.new
      Mock.kprod_mock_fault_init(fault)
      fault[:api] = api
      fault[:delay_ms] = milliseconds
      succeed Mock.kprod_mock_inject(@mock, fault)
    end

    def requests(api) = Mock.kprod_mock_request_count(@mock, api)
    def destroy = Mock.kprod_mock_destroy(@mock)

    private

    def succeed(code) = code.zero? || raise("the mock cluster gave #{code}")
  end

  def with(properties = {}, &block) = Kprod::Producer.open(MOCK.merge(properties), &block)

  # The values in topic t as a consumer of committed records reads them.
  def committed(cluster)
    IO.popen(['kcat', '-C', '-b', cluster.bootstrap, '-t', 't', '-e', '-q', '-X', 'isolation.level=read_committed'],
             &:readlines).map(&:chomp)
  end

  # Runs the block in a thread of its own, and fails when it takes too long.
  def within_limit(seconds = 30, &block)
    thread = Thread.new(&block)
    thread.report_on_exception = false
    assert thread.join(seconds), "it hangs:\n#{thread.backtrace&.join("\n")}"
    thread.value
  ensure
    thread&.kill
  end

  def until_true(what, seconds = 30)
    limit = Process.clock_gettime(Process::CLOCK_MONOTONIC) + seconds
    until yield
      assert Process.clock_gettime(Process::CLOCK_MONOTONIC) < limit, "not in time: #{what}"
      sleep 0.001
    end
  end
end
