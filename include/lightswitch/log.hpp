#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lightswitch {

enum class LogLevel { debug, info, warning, error };

/// One message with its facts as fields, so that a sink may print text or structured records.
struct LogMessage {
  LogLevel level = LogLevel::info;
  std::string text;
  std::vector<std::pair<std::string, std::string>> fields;
};

/// Where an object sends its messages. Belongs to the object it is given to; an empty sink drops them. Called on the
/// thread that does the work. The library never writes to stdout or stderr by itself.
using LogSink = std::function<void(const LogMessage&)>;

}  // namespace lightswitch
