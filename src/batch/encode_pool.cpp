#include "batch/encode_pool.hpp"

#include <utility>

namespace lightswitch {

EncodePool::EncodePool(int64_t threads, int64_t waiting) : waiting_(waiting) {
  for (int64_t i = 0; i < threads; ++i) threads_.emplace_back([this] { serve(); });
}

EncodePool::~EncodePool() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
    queue_.clear();
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void EncodePool::push(Work work) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return failure_ || static_cast<int64_t>(queue_.size()) < waiting_; });
  rethrow();
  queue_.push_back(std::move(work));
  changed_.notify_all();
}

void EncodePool::finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return busy_ == 0 && (failure_ || queue_.empty()); });
  rethrow();
}

void EncodePool::rethrow() {
  if (failure_) std::rethrow_exception(failure_);
}

void EncodePool::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return over_ || (!failure_ && !queue_.empty()); });
    if (over_) return;
    const Work work = std::move(queue_.front());
    queue_.pop_front();
    ++busy_;
    lock.unlock();
    std::exception_ptr thrown;
    try {
      work();
    } catch (...) {
      thrown = std::current_exception();
    }
    lock.lock();
    --busy_;
    if (thrown && !failure_) failure_ = thrown;
    changed_.notify_all();
  }
}

}  // namespace lightswitch
