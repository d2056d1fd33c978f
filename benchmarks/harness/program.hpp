#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <string>

namespace lightswitch::bench {

/// Google Benchmark's main with this project's habits: repetitions in random interleaving (so that contenders share the
/// machine's moods), medians, machine facts in the JSON. Flags on the command line win.
int run_program(int argc, char** argv, const std::function<void()>& register_benchmarks);

/// A benchmark that measures its time itself (State::SetIterationTime), once a repetition.
void register_self_timed(const std::string& name, const std::function<void(benchmark::State&)>& run);

}  // namespace lightswitch::bench
