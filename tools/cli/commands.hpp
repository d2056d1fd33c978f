#pragma once

#include <iosfwd>
#include <stop_token>

namespace lightswitch::cli {

/// What the process ends with; 128 plus the signal's number after a signal.
enum ExitCode : int {
  kDone = 0,
  kFailed = 1,
  kWrongUsage = 2,
  kSomeFailed = 3,      ///< batch: another try may make them
  kNeverSucceeds = 42,  ///< batch: no other try helps
  kCancelled = 130,
};

/// Where a run writes. Results go to `out`, everything else to `err`.
struct Terminal {
  std::ostream& out;
  std::ostream& err;
  bool err_is_terminal = false;  ///< bars and colours are for people
};

/// The whole program: parses the command line, runs one subcommand and says on `err` what went wrong.
/// @return an ExitCode; kCancelled when `stop` was requested before the work was done.
int run(int argc, const char* const* argv, Terminal terminal, std::stop_token stop);

}  // namespace lightswitch::cli
