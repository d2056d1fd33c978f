#pragma once

#include <atomic>
#include <stop_token>
#include <thread>

namespace lightswitch::cli {

/// Turns SIGINT and SIGTERM into a stop request. Construct it first in main(): threads started later inherit the
/// blocked signals, so that one thread alone receives them and no code ever runs inside a signal handler. A second
/// signal ends the process at once.
class StopOnSignal {
 public:
  StopOnSignal();
  ~StopOnSignal();
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;

  std::stop_token token() const { return source_.get_token(); }
  /// Number of the signal that came, 0 before.
  int received() const { return received_; }

 private:
  void wait();

  std::stop_source source_;
  std::atomic<int> received_{0};
  std::atomic<bool> over_{false};
  std::thread waiter_;
};

}  // namespace lightswitch::cli
