#pragma once

#include <lightswitch/log.hpp>

#include <iosfwd>

namespace lightswitch::cli {

/// A sink that prints "text (field=value, …)" through spdlog; warnings and errors are marked by their level.
/// @param least messages below this level are dropped.
LogSink make_spdlog_sink(std::ostream& stream, LogLevel least, bool coloured);

}  // namespace lightswitch::cli
