# frozen_string_literal: true

require_relative 'support'
require 'open3'

# A library that is not there, or another: who starts the program is told which, and what to do.
class TestLibrary < Test::Unit::TestCase
  def required(library)
    said, status = Open3.capture2e({ 'KPROD_LIBRARY' => library }, RbConfig.ruby, '-I',
                                   File.expand_path('../lib', __dir__), '-e', "require 'kprod'")
    assert !status.success?
    said.lines.first
  end

  def test_one_that_is_not_there
    assert_match(%r{/nowhere/kprod.so cannot be loaded .*KPROD_LIBRARY.*\(LoadError\)}, required('/nowhere/kprod.so'))
  end

  def test_another
    assert_match(/libc.so.6 cannot be loaded .*KPROD_LIBRARY.*kprod_version.*\(LoadError\)/, required('libc.so.6'))
  end
end
