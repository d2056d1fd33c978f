#include "cli/command_run.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/commands.hpp"

namespace lightswitch::testing {

CommandRun run_command(const std::vector<std::string>& arguments, std::stop_token stop, bool terminal) {
  std::vector<const char*> argv{"lightswitch"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  std::ostringstream out, err;
  const int code = cli::run(static_cast<int>(argv.size()), argv.data(), {out, err, terminal}, std::move(stop));
  return {code, out.str(), err.str()};
}

nlohmann::ordered_json json_of(const CommandRun& run) {
  auto json = nlohmann::ordered_json::parse(run.out, nullptr, false);
  EXPECT_FALSE(json.is_discarded()) << "not JSON: " << run.out << "\nand on standard error: " << run.err;
  return json;
}

}  // namespace lightswitch::testing
