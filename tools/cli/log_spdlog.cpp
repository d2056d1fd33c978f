#include "cli/log_spdlog.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <memory>

namespace lightswitch::cli {
namespace {

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

/// Notes need no mark; what wants attention does.
const char* mark_of(LogLevel level, bool coloured) {
  switch (level) {
    case LogLevel::warning:
      return coloured ? "\033[33mwarning:\033[0m " : "warning: ";
    case LogLevel::error:
      return coloured ? "\033[1;31merror:\033[0m " : "error: ";
    default:
      return "";
  }
}

}  // namespace

LogSink make_spdlog_sink(std::ostream& stream, LogLevel least, bool coloured) {
  // Not entered in spdlog's global registry: the logger lives and dies with the sink.
  const auto logger =
      std::make_shared<spdlog::logger>("lightswitch", std::make_shared<spdlog::sinks::ostream_sink_mt>(stream, true));
  logger->set_pattern("%v");
  logger->set_level(level_of(least));
  return [logger, coloured](const LogMessage& message) {
    std::string fields;
    for (const auto& [name, value] : message.fields) fields += (fields.empty() ? " (" : ", ") + name + "=" + value;
    if (!fields.empty()) fields += ")";
    logger->log(level_of(message.level), "{}{}{}", mark_of(message.level, coloured), message.text, fields);
  };
}

}  // namespace lightswitch::cli
