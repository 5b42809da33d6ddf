# frozen_string_literal: true

# A Kafka producer on libkprod.
module Kprod
end

require_relative 'kprod/library'
require_relative 'kprod/errors'
require_relative 'kprod/future'
require_relative 'kprod/record'
require_relative 'kprod/pack'
require_relative 'kprod/outgoing'
require_relative 'kprod/reports'
require_relative 'kprod/batch'
require_relative 'kprod/transactions'
require_relative 'kprod/producer'
