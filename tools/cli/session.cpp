#include "cli/session.hpp"

#include <lightswitch/error.hpp>

#include <cstdlib>

#include "cli/log_spdlog.hpp"

namespace lightswitch::cli {
namespace {

ProgressStyle progress_style(const Terminal& terminal, const CommonOptions& common) {
  if (common.quiet) return ProgressStyle::none;
  return terminal.err_is_terminal ? ProgressStyle::bar : ProgressStyle::lines;
}

LogLevel least_level(const CommonOptions& common) {
  if (common.quiet) return LogLevel::error;
  return common.verbose ? LogLevel::debug : LogLevel::info;
}

/// https://no-color.org: the variable, when not empty, speaks against colours that nobody asked for.
bool wants_colour(const Terminal& terminal, const CommonOptions& common) {
  if (common.color != "auto") return common.color == "always";
  const char* no_color = std::getenv("NO_COLOR");
  return terminal.err_is_terminal && (no_color == nullptr || *no_color == '\0');
}

}  // namespace

Session::Session(Terminal terminal, const CommonOptions& common, std::stop_token stop)
    : terminal_(terminal),
      common_(common),
      stop_(std::move(stop)),
      progress_(terminal.err, progress_style(terminal, common)),
      sink_(make_spdlog_sink(terminal.err, least_level(common), wants_colour(terminal, common))) {}

void Session::check_stop() const {
  if (stop_.stop_requested()) throw Cancelled();
}

void Session::log(LogLevel level, const std::string& text) {
  progress_.leave_line();
  sink_({level, text, {}});
}

}  // namespace lightswitch::cli
