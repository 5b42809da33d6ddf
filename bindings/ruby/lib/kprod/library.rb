# frozen_string_literal: true

require 'ffi'

module Kprod
  VERSION = '0.1.0'

  # The C library: KPROD_LIBRARY, else libkprod.so.0 as the system finds it.
  # @api private
  module Library
    extend FFI::Library

    API_VERSION = 1
    NAME = ENV.fetch('KPROD_LIBRARY', nil).then { |name| name.nil? || name.empty? ? 'libkprod.so.0' : name }
    begin
      ffi_lib NAME
      attach_function :kprod_version, [], :uint32
      attach_function :kprod_api_version, [], :uint32
    rescue LoadError => e
      # FFI does not say what to do.
      raise LoadError, "#{NAME} cannot be loaded as libkprod: install it, or name its file in the environment's " \
                       "KPROD_LIBRARY (#{e.message})"
    end

    # Before 1.0 another minor version may be incompatible.
    found = [kprod_version >> 24, (kprod_version >> 16) & 0xff]
    unless found == [0, 1] && kprod_api_version >= API_VERSION
      raise LoadError, "#{NAME} is libkprod #{found.join('.')} with API version #{kprod_api_version}: " \
                       "this package needs 0.1 with API version #{API_VERSION}"
    end

    # What may wait is `blocking`: it lets other threads of Ruby run.
    {
      err_name: [[:int32], :string],
      err_str: [[:int32], :string],
      error_code: [[:pointer], :int32],
      error_message: [[:pointer], :string],
      error_is_retriable: [[:pointer], :int32],
      error_is_abortable: [[:pointer], :int32],
      error_is_fatal: [[:pointer], :int32],
      error_free: [[:pointer], :void],
      error_detail: [%i[pointer uint64 pointer], :int32],
      config_new: [[], :pointer],
      config_set: [%i[pointer string string pointer], :int32],
      config_get: [%i[pointer string pointer pointer], :int32],
      config_free: [[:pointer], :void],
      create: [%i[pointer uint32 pointer pointer], :int32],
      topic: [%i[pointer buffer_in int64 buffer_out], :int32],
      topic_name: [%i[pointer uint32], :string],
      send_packed: [%i[pointer buffer_in uint64 buffer_in uint64 pointer], :int64],
      poll: [%i[pointer pointer uint64 int32], :int64],
      poll_interrupt: [[:pointer], :int32],
      start_async: [%i[pointer uint64], :int32],
      partitions_for_async: [%i[pointer uint32 uint64], :int32],
      flush_async: [%i[pointer uint64], :int32],
      close_async: [%i[pointer uint64], :int32],
      destroy: [[:pointer], :int32, true],
      create_batch: [%i[pointer pointer pointer], :int32],
      batch_append: [%i[pointer pointer pointer], :int32],
      batch_close: [[:pointer], :int32],
      batch_size: [[:pointer], :int64],
      batch_record_count: [[:pointer], :int64],
      send_batch_async: [%i[pointer pointer uint32 int32 uint64 uint64], :int32],
      batch_free: [[:pointer], :void],
      begin_transaction_async: [%i[pointer uint64], :int32],
      commit_transaction_async: [%i[pointer uint64], :int32],
      abort_transaction_async: [%i[pointer uint64], :int32],
      send_offsets_to_transaction_async: [%i[pointer pointer uint64 pointer uint64], :int32]
    }.each do |name, (parameters, result, blocking)|
      attach_function "kprod_#{name}", parameters, result, blocking: blocking || false
    end
    # As kprod_poll, but lets other threads run while it waits.
    attach_function :kprod_poll_waiting, :kprod_poll, %i[pointer pointer uint64 int32], :int64, blocking: true

    # kprod_header_t
    class Header < FFI::Struct
      layout :key, :pointer, :key_len, :int64, :value, :pointer, :value_len, :int64
    end

    # kprod_record_t
    class Record < FFI::Struct
      layout :key, :pointer, :key_len, :int64, :value, :pointer, :value_len, :int64, :headers, :pointer,
             :header_count, :uint32, :partition, :int32, :timestamp_ms, :int64, :tag, :uint64, :topic, :uint32,
             :reserved0, :uint32, :topic_name, :pointer, :topic_name_len, :int64, :reserved, [:uint64, 2]
    end

    # The size of kprod_delivery_t.
    DELIVERY_SIZE = 80
  end
end
