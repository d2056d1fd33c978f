#include "cli/opus_tools.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <lightswitch/error.hpp>

#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

namespace lightswitch::cli {
namespace {

bool on_path(const std::string& program) {
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (access((std::filesystem::path(folder) / program).c_str(), X_OK) == 0) return true;
  return false;
}

void run_program(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  int status = 0;
  const int fault = posix_spawnp(&child, arguments[0], nullptr, nullptr, arguments.data(), environ);
  if (fault != 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw FileError("a program failed", {words.back(), words.front(), "exit status 0",
                                         fault != 0 ? "not started" : "status " + std::to_string(status)});
}

}  // namespace

bool has_opus_tools() {
  return on_path("opusenc") && on_path("opusdec");
}

int64_t through_opus(const std::filesystem::path& wav, int64_t bits_per_second, int64_t sample_rate,
                     const std::filesystem::path& opus, const std::filesystem::path& back) {
  char kilobits[32];
  std::snprintf(kilobits, sizeof kilobits, "%.3f", static_cast<double>(bits_per_second) / 1000);
  run_program({"opusenc", "--quiet", "--bitrate", kilobits, wav, opus});
  run_program({"opusdec", "--quiet", "--rate", std::to_string(sample_rate), opus, back});
  return static_cast<int64_t>(std::filesystem::file_size(opus)) * 8;
}

}  // namespace lightswitch::cli
