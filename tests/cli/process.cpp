#include "cli/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <thread>

#include "support/files.hpp"

namespace lightswitch::testing {

Process::Process(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                 const std::filesystem::path& folder, const std::map<std::string, std::string>& environment)
    : folder_(folder) {
  const std::string out = (folder / "stdout.txt").string(), err = (folder / "stderr.txt").string();
  std::vector<std::string> words{program.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  id_ = ::fork();
  if (id_ < 0) throw std::runtime_error("cannot fork");
  if (id_ == 0) {
    for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
    ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
    ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
}

Process::~Process() {
  if (has_ended()) return;
  ::kill(id_, SIGKILL);
  ::waitpid(id_, &status_, 0);
}

bool Process::has_ended() {
  if (!ended_) ended_ = ::waitpid(id_, &status_, WNOHANG) == id_;
  return ended_;
}

bool Process::wait_for_error_text(const std::string& text) {
  for (int tries = 0; tries < 1200; ++tries) {
    const bool over = has_ended();
    if (err().find(text) != std::string::npos) return true;
    if (over) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

void Process::send(int signal) const {
  ::kill(id_, signal);
}

int Process::wait() {
  if (!ended_) ::waitpid(id_, &status_, 0);
  ended_ = true;
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_);
}

std::string Process::out() const {
  return read_file(folder_ / "stdout.txt");
}
std::string Process::err() const {
  return read_file(folder_ / "stderr.txt");
}

std::filesystem::path lightswitch_program() {
  return std::filesystem::path(LIGHTSWITCH_BINARY_DIR) / "bin" / "lightswitch";
}

}  // namespace lightswitch::testing
