#pragma once

#include <functional>

namespace lightswitch::bench {

/// Google Benchmark's main with this project's habits: repetitions in random interleaving (so that contenders share the
/// machine's moods), medians, machine facts in the JSON. Flags on the command line win.
int run_program(int argc, char** argv, const std::function<void()>& register_benchmarks);

}  // namespace lightswitch::bench
