#include "cli/signals.hpp"

#include <signal.h>
#include <unistd.h>

namespace lightswitch::cli {
namespace {

sigset_t watched() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

StopOnSignal::StopOnSignal() {
  const sigset_t set = watched();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  waiter_ = std::thread([this] { wait(); });
}

StopOnSignal::~StopOnSignal() {
  over_ = true;
  pthread_kill(waiter_.native_handle(), SIGTERM);  // wakes sigwait()
  waiter_.join();
}

void StopOnSignal::wait() {
  const sigset_t set = watched();
  for (int signal = 0; sigwait(&set, &signal) == 0;) {
    if (over_) return;
    if (received_ != 0) _exit(128 + signal);
    received_ = signal;
    source_.request_stop();
  }
}

}  // namespace lightswitch::cli
