#include "cli/isolated.hpp"

#include <lightswitch/error.hpp>

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>

namespace lightswitch::cli {
namespace {

constexpr int kWorkThrew = 70;

[[noreturn]] void run_child(const std::function<std::string()>& work, int pipe) {
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
  try {
    const std::string text = work();
    for (size_t done = 0; done < text.size();) {
      const ssize_t count = ::write(pipe, text.data() + done, text.size() - done);
      if (count < 0) _exit(kWorkThrew);
      done += static_cast<size_t>(count);
    }
    _exit(0);
  } catch (...) {
    _exit(kWorkThrew);
  }
}

/// Reads until the child closes its end. @return false when the time ran out or a stop was requested.
bool read_all(int pipe, std::string& text, std::chrono::seconds limit, const std::stop_token& stop) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (std::chrono::steady_clock::now() < end && !stop.stop_requested()) {
    pollfd ready{.fd = pipe, .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, 50) <= 0) continue;
    std::array<char, 4096> buffer;
    const ssize_t count = ::read(pipe, buffer.data(), buffer.size());
    if (count == 0) return true;
    if (count > 0) text.append(buffer.data(), static_cast<size_t>(count));
  }
  return false;
}

}  // namespace

IsolatedResult run_isolated(const std::function<std::string()>& work, std::chrono::seconds limit,
                            std::stop_token stop) {
  std::array<int, 2> ends{};
  const auto refuse = [](const char* call) {
    throw FileError("no process of its own for this", {"", call, "success", std::strerror(errno)});
  };
  if (::pipe(ends.data()) != 0) refuse("pipe");
  const pid_t child = ::fork();
  if (child < 0) {
    ::close(ends[0]);
    ::close(ends[1]);
    refuse("fork");
  }
  if (child == 0) {
    ::close(ends[0]);
    run_child(work, ends[1]);
  }
  ::close(ends[1]);
  IsolatedResult result;
  const bool ended = read_all(ends[0], result.text, limit, stop);
  ::close(ends[0]);
  if (!ended) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (stop.stop_requested()) throw Cancelled();
  if (!ended)
    result.failure = "no answer within " + std::to_string(limit.count()) + " s";
  else if (WIFSIGNALED(status))
    result.failure = std::string("crashed: ") + ::strsignal(WTERMSIG(status));
  else if (WEXITSTATUS(status) != 0)
    result.failure = "the process ended with code " + std::to_string(WEXITSTATUS(status));
  return result;
}

}  // namespace lightswitch::cli
