# frozen_string_literal: true

# A Fiber scheduler for the tests: fibers that wait are resumed in turn by one thread.
class Scheduler
  def initialize
    @ready = Thread::Queue.new
    @timers = {}.compare_by_identity
    # Nobody else holds a fiber that waits: the lists of Mutex and ConditionVariable do not keep it from being collected.
    @blocked = {}.compare_by_identity
  end

  def run
    until @blocked.empty? && @timers.empty? && @ready.empty?
      fibers = [next_fiber]
      fibers << @ready.pop until @ready.empty?
      fibers.compact.each { |fiber| fiber.resume if fiber.alive? }
    end
  end
  alias close run

  def block(_blocker, timeout = nil)
    return kernel_sleep(timeout) if timeout

    @blocked[Fiber.current] = true
    Fiber.yield
    @blocked.delete(Fiber.current)
    true
  end

  # From any thread: all but the queue belongs to the scheduler's.
  def unblock(_blocker, fiber) = @ready << fiber

  def kernel_sleep(duration = nil)
    return block(:sleep) if duration.nil?

    @timers[Fiber.current] = now + duration
    Fiber.yield
    @timers.delete(Fiber.current)
    true
  end

  def io_wait(_io, events, _timeout) = events

  def fiber(&block) = Fiber.new(blocking: false, &block).tap(&:resume)

  private

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

  def next_fiber
    fiber, at = @timers.min_by(&:last)
    return @ready.pop if fiber.nil? && !@blocked.empty?
    return nil if fiber.nil? || !@ready.empty?
    return fiber if at <= now

    sleep_until(at)
  end

  # The queue's pop has no limit in this version of Ruby.
  def sleep_until(time)
    Thread.pass while @ready.empty? && now < time
    nil
  end
end
