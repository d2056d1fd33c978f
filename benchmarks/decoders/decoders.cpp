// Decoder time, memory and achieved share of the machine's convolution peak: family x size x dtype, batch 1, random
// weights of the real sizes. Names are decode/FAMILY/PIXELS/DTYPE; choose with --benchmark_filter=REGEX.

#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <c10/core/InferenceMode.h>

#include <map>
#include <string>

#include "core/peak_memory.hpp"
#include "harness/conv_peak.hpp"
#include "harness/program.hpp"
#include "harness/subjects.hpp"

namespace lightswitch::bench {
namespace {

double peak_of(DType dtype) {
  static std::map<DType, double> measured;
  const auto [entry, fresh] = measured.try_emplace(dtype, 0);
  if (fresh) entry->second = convolution_peak(dtype);
  return entry->second;
}

void decode(benchmark::State& state, const Subject& subject, int64_t pixels, DType dtype) {
  const c10::InferenceMode guard;
  const Contender& one = contender(subject, dtype);
  if (!one.fault.empty()) {
    state.SkipWithError(one.fault.c_str());
    return;
  }
  const int64_t edge = pixels / one.decoder->spec().factor;
  const auto latents = at::randn({1, 4, edge, edge}, at::detail::createCPUGenerator(1));
  one.decoder->forward(latents);  // warm-up: packs weights and fills the primitive cache for this size
  const PeakMemory memory;
  one.decoder->forward(latents);
  const auto peak_bytes = memory.bytes();
  for (auto _ : state) {
    auto picture = one.decoder->forward(latents);
    benchmark::DoNotOptimize(picture.data_ptr());
  }
  const double macs = static_cast<double>(one.decoder->macs(edge, edge));
  const auto rate = benchmark::Counter::kIsIterationInvariantRate;
  state.counters["GMAC"] = macs * 1e-9;
  state.counters["GMAC/s"] = benchmark::Counter(macs * 1e-9, rate);
  state.counters["peak_share"] = benchmark::Counter(macs / peak_of(dtype), rate);
  if (peak_bytes) state.counters["peak_MiB"] = static_cast<double>(*peak_bytes) / (1 << 20);
}

void register_all() {
  const auto dtypes = timed_dtypes();
  for (const Subject& subject : subjects())
    for (const int64_t pixels : {256, 512, 1024})
      for (const DType dtype : dtypes)
        benchmark::RegisterBenchmark(
            ("decode/" + subject.name + "/" + std::to_string(pixels) + "/" + to_string(dtype)).c_str(),
            [&subject, pixels, dtype](benchmark::State& state) { decode(state, subject, pixels, dtype); })
            ->Iterations(1)
            ->UseRealTime()
            ->MeasureProcessCPUTime()
            ->Unit(benchmark::kMillisecond);
}

}  // namespace
}  // namespace lightswitch::bench

int main(int argc, char** argv) {
  return lightswitch::bench::run_program(argc, argv, lightswitch::bench::register_all);
}
