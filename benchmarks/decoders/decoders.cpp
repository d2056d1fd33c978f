// Decoder time, memory and achieved share of the machine's convolution peak: family x size x dtype, batch 1, random
// weights of the real sizes. Names are decode/FAMILY/PIXELS/DTYPE; choose with --benchmark_filter=REGEX.

#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <c10/core/InferenceMode.h>
#include <lightswitch/decoder_registry.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/peak_memory.hpp"
#include "harness/conv_peak.hpp"
#include "harness/gate.hpp"
#include "harness/program.hpp"
#include "harness/random_weights.hpp"
#include "nn/weight_loader.hpp"

namespace lightswitch::bench {
namespace {

struct Subject {
  std::string name, family, fixture;
  std::shared_ptr<const WeightSource> (*weights)();
};

const std::vector<Subject>& subjects() {
  static const std::vector<Subject> list = {
      {"kl", "kl", "kl", [] { return random_kl({128, 256, 512, 512}, 4); }},
      {"tae-192", "taming", "taming", [] { return random_taming(192, 4); }},
      {"efficientvit", "vit", "vit_paper", [] { return random_vit_of_the_paper(); }},
      {"taesd", "taming", "taming", [] { return random_taming(64, 4); }},
  };
  return list;
}

/// A decoder that passed the gate, made when it is first timed, warmed up once per size.
struct Contender {
  std::unique_ptr<Decoder> decoder;
  std::string fault;
};

Contender& contender(const Subject& subject, DType dtype) {
  static std::map<std::string, Contender> made;
  const auto [entry, fresh] = made.try_emplace(subject.name + to_string(dtype));
  if (fresh) {
    const DecoderRegistry registry(builtin_decoder_families());
    const DecoderFamily& family = registry.family(subject.family);
    entry->second.fault = gate(family, subject.fixture, dtype);
    entry->second.decoder = family.make_decoder({.weights = subject.weights(), .config = {}, .dtype = dtype});
  }
  return entry->second;
}

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
  std::vector<DType> dtypes = {DType::fp32};
  if (nn::resolve_dtype(DType::automatic, c10::Device(c10::kCPU)) == DType::bf16) dtypes.push_back(DType::bf16);
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
