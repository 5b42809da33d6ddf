# frozen_string_literal: true

Gem::Specification.new do |spec|
  spec.name = 'kprod'
  spec.version = '0.1.0'
  spec.summary = 'A Kafka producer on libkprod'
  spec.authors = ['The libkprod authors']
  spec.license = 'Apache-2.0'
  spec.required_ruby_version = '>= 3.1'
  spec.files = Dir.chdir(__dir__) { Dir['lib/**/*.rb'] + ['README.md'] }
  spec.add_runtime_dependency 'ffi', '~> 1.15'
end
