#pragma once

#include <lightswitch/log.hpp>

#include <stop_token>
#include <string>

#include "cli/commands.hpp"
#include "cli/common_options.hpp"
#include "cli/progress.hpp"

namespace lightswitch::cli {

/// One run of one subcommand: where it talks to, and whether it was asked to stop.
class Session {
 public:
  Session(Terminal terminal, const CommonOptions& common, std::stop_token stop);

  void note(const std::string& text) { log(LogLevel::info, text); }
  void detail(const std::string& text) { log(LogLevel::debug, text); }
  void warn(const std::string& text) { log(LogLevel::warning, text); }
  void error(const std::string& text) { log(LogLevel::error, text); }

  /// @throws Cancelled.
  void check_stop() const;

  std::ostream& out() const { return terminal_.out; }
  Progress& progress() { return progress_; }
  const CommonOptions& common() const { return common_; }
  const std::stop_token& stop() const { return stop_; }

 private:
  void log(LogLevel level, const std::string& text);

  Terminal terminal_;
  const CommonOptions& common_;
  std::stop_token stop_;
  Progress progress_;
  LogSink sink_;
};

}  // namespace lightswitch::cli
