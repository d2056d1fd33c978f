// Decoders of clips: milliseconds a frame and peak memory by clip length, Stable Video Diffusion's beside the light
// ones. Random weights of the real sizes. Names are video/DECODER/WIDTHxHEIGHT/FRAMES/DTYPE; choose with
// --benchmark_filter=REGEX, write JSON with --benchmark_out=FILE. The time is that of a frame.
// `svd` and `tae-192` are decoded in chunks of eight latents, their last one shorter; `svd-exact` and `taesdv`, whose
// frames do not depend on chunks, one latent after the other.

#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <lightswitch/temporal_decoder.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/peak_memory.hpp"
#include "core/stopwatch.hpp"
#include "harness/gate.hpp"
#include "harness/program.hpp"
#include "harness/random_weights.hpp"
#include "harness/subjects.hpp"

namespace lightswitch::bench {
namespace {

struct ClipSubject {
  std::string name, family, fixture;
  Config config;
  int64_t chunk;
  std::shared_ptr<const WeightSource> (*weights)();
};

const std::vector<ClipSubject>& clip_subjects() {
  static const std::vector<ClipSubject> list = {
      {"svd", "svd", "svd", {}, 8, random_svd},
      {"svd-exact", "svd", "svd", {{"chunking", "exact"}}, 1, random_svd},
      {"tae-192", "taming", "taming_temporal", {}, 8, [] { return random_tiny_temporal(192); }},
      {"taesdv", "taming", "taming_taesdv", {}, 1, [] { return random_taesdv(64); }},
  };
  return list;
}

struct ClipContender {
  std::unique_ptr<TemporalDecoder> decoder;
  std::string fault;  ///< empty, or why it must not be timed
};

const ClipContender& contender(const ClipSubject& subject, DType dtype) {
  static std::map<std::string, ClipContender> made;
  const auto [entry, fresh] = made.try_emplace(subject.name + to_string(dtype));
  if (fresh) {
    const DecoderRegistry registry(builtin_decoder_families());
    const DecoderFamily& family = registry.family(subject.family);
    entry->second.fault = gate_clips(family, subject.fixture, subject.config, dtype);
    entry->second.decoder =
        family.make_temporal_decoder({.weights = subject.weights(), .config = subject.config, .dtype = dtype});
  }
  return entry->second;
}

struct Size {
  int64_t width, height;
};

void decode(benchmark::State& state, const ClipSubject& subject, Size size, int64_t frames, DType dtype) {
  const ClipContender& one = contender(subject, dtype);
  if (!one.fault.empty()) {
    state.SkipWithError(one.fault.c_str());
    return;
  }
  const LatentSpec& spec = one.decoder->spec();
  const int64_t height = size.height / spec.factor, width = size.width / spec.factor;
  const auto latents = at::randn({spec.channels, frames, height, width}, at::detail::createCPUGenerator(1));
  const ClipOptions options{.kind = spec.network_input, .chunk = subject.chunk};
  const auto run = [&](int64_t count) {
    decode_clip(*one.decoder, latents.narrow(1, 0, count), options,
                [](const at::Tensor& ready) { benchmark::DoNotOptimize(ready.const_data_ptr()); });
  };
  run(std::min(frames, subject.chunk));  // warm-up: packs weights for this size
  for (auto _ : state) {
    const PeakMemory memory;
    const Stopwatch watch;
    run(frames);
    state.SetIterationTime(watch.ms() * 1e-3 / static_cast<double>(frames));
    if (const auto bytes = memory.bytes()) state.counters["peak_MiB"] = static_cast<double>(*bytes) / (1 << 20);
  }
  state.counters["GMAC"] = static_cast<double>(one.decoder->macs(1, height, width)) * 1e-9;
}

void register_all() {
  for (const Size size : {Size{256, 256}, Size{1024, 576}})
    for (const int64_t frames : {8, 14, 25})
      for (const DType dtype : timed_dtypes())
        for (const ClipSubject& subject : clip_subjects())
          register_self_timed("video/" + subject.name + "/" + std::to_string(size.width) + "x" +
                                  std::to_string(size.height) + "/" + std::to_string(frames) + "/" + to_string(dtype),
                              [&subject, size, frames, dtype](benchmark::State& state) {
                                decode(state, subject, size, frames, dtype);
                              });
}

}  // namespace
}  // namespace lightswitch::bench

int main(int argc, char** argv) {
  return lightswitch::bench::run_program(argc, argv, lightswitch::bench::register_all);
}
