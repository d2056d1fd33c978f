#include <unistd.h>
#include <lightswitch/memory.hpp>

#include <iostream>

#include "cli/commands.hpp"
#include "cli/signals.hpp"

int main(int argc, char** argv) {
  lightswitch::recycle_large_blocks();
  lightswitch::cli::StopOnSignal signals;
  const int code =
      lightswitch::cli::run(argc, argv, {std::cout, std::cerr, ::isatty(STDERR_FILENO) == 1}, signals.token());
  return code == lightswitch::cli::kCancelled ? 128 + signals.received() : code;
}
