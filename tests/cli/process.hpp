#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace lightswitch::testing {

/// A program in a process of its own. Its output goes to files, so that it can be read while the program runs.
class Process {
 public:
  /// @param folder where the two files are put; must outlive the object.
  Process(const std::filesystem::path& program, const std::vector<std::string>& arguments,
          const std::filesystem::path& folder, const std::map<std::string, std::string>& environment = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Waits until standard error holds the text. @return false after 60 s, or when the program ends before.
  bool wait_for_error_text(const std::string& text);
  void send(int signal) const;
  /// Waits for the end. @return the exit code, or minus the signal that killed it.
  int wait();

  std::string out() const;
  std::string err() const;

 private:
  bool has_ended();

  std::filesystem::path folder_;
  pid_t id_ = 0;
  int status_ = 0;
  bool ended_ = false;
};

/// The program that this build made.
std::filesystem::path lightswitch_program();

}  // namespace lightswitch::testing
