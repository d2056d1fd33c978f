#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace lightswitch {

/// Threads that work off a bounded queue.
class EncodePool {
 public:
  using Work = std::function<void()>;

  /// @param waiting most that may wait; push() then blocks.
  EncodePool(int64_t threads, int64_t waiting);
  /// Drops what still waits.
  ~EncodePool();
  EncodePool(const EncodePool&) = delete;
  EncodePool& operator=(const EncodePool&) = delete;

  /// @throws what a work before it threw: nothing that waits is then begun any more.
  void push(Work work);
  /// Waits until everything is done. @throws as push().
  void finish();

 private:
  void serve();
  void rethrow();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> queue_;
  int64_t waiting_, busy_ = 0;
  bool over_ = false;
  std::exception_ptr failure_;
  std::vector<std::thread> threads_;
};

}  // namespace lightswitch
