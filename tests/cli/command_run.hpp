#pragma once

#include <nlohmann/json_fwd.hpp>
#include <stop_token>
#include <string>
#include <vector>

namespace lightswitch::testing {

/// What one call of the command line left behind.
struct CommandRun {
  int code = 0;
  std::string out, err;
};

/// Calls cli::run() in this process: `lightswitch ARGUMENTS…`.
CommandRun run_command(const std::vector<std::string>& arguments, std::stop_token stop = {}, bool terminal = false);

/// Standard output as JSON; fails the test when it is anything else.
nlohmann::ordered_json json_of(const CommandRun& run);

}  // namespace lightswitch::testing
