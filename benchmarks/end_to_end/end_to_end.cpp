// Prompt to picture with the shipped model: what each stage takes, and the decoder's share of it. The decoder's picture
// is compared with its own in fp32 before anything is timed. Names are end_to_end/DECODER/STEPS/DTYPE, the type being
// that of denoiser and decoder. `peak_MiB` is that of the process so far.

#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <lightswitch/decoder_spec.hpp>

#include <map>

#include "harness/gate.hpp"
#include "harness/program.hpp"
#include "harness/scenes.hpp"
#include "harness/subjects.hpp"

namespace lightswitch::bench {
namespace {

constexpr double kLeastDb = 40;

/// The pipeline without a decoder, per arithmetic of the denoiser; its parts are shared.
TextToImageParts parts(DType dtype) {
  static std::map<DType, TextToImageParts> all;
  const auto known = all.find(dtype);
  return known != all.end() ? known->second : all.emplace(dtype, scenes().load_parts(dtype)).first->second;
}

TextToImage pipeline(const std::string& decoder, DType dtype) {
  static const DecoderRegistry registry(builtin_decoder_families());
  const NetworkContext context{.registry = registry, .package = &scenes()};
  TextToImageParts all = parts(dtype);
  all.decoder = open_decoder(NetworkSpec::parse(decoder + ",dtype=" + to_string(dtype)), context);
  return TextToImage(all);
}

void generate(benchmark::State& state, const std::string& decoder, int64_t steps, DType dtype) {
  const TextToImage timed = pipeline(decoder, dtype);
  TextToImageOptions options = scenes().defaults();
  options.prompt = "two red balloons over a blue house, snowy field, night sky";
  options.steps = steps;
  TextToImageResult result = timed.generate(options);  // the first one warms TorchScript up
  TextToImageResult expected{.images = {}, .latents = result.latents, .timings = {}};
  pipeline(decoder, DType::fp32).decode(expected, options);
  const double db = psnr(2 * result.images, 2 * expected.images);
  if (!(db >= kLeastDb)) return state.SkipWithError(("wrong answer: " + std::to_string(db) + " dB").c_str());
  Timings sums;
  for (auto _ : state) {
    result = timed.generate(options);
    double total = 0;
    for (const StageTime& stage : result.timings.stages) {
      sums.add(stage.name, stage.ms);
      total += stage.ms;
    }
    state.SetIterationTime(total * 1e-3);
  }
  const auto rounds = static_cast<double>(state.iterations());
  for (const StageTime& stage : sums.stages) state.counters[stage.name + "_ms"] = stage.ms / rounds;
  state.counters["decode_share"] = sums.decode_share();
  state.counters["dB"] = std::min(db, 200.0);
  state.counters["peak_MiB"] = static_cast<double>(peak_resident_bytes()) / (1 << 20);
}

void register_all() {
  for (const std::string decoder : {"vae", "vit", "tae"})
    for (const int64_t steps : {1, 4, 20})
      for (const DType dtype : timed_dtypes())
        register_self_timed("end_to_end/" + decoder + "/" + std::to_string(steps) + "/" + to_string(dtype),
                            [=](benchmark::State& state) { generate(state, decoder, steps, dtype); });
}

}  // namespace
}  // namespace lightswitch::bench

int main(int argc, char** argv) {
  return lightswitch::bench::run_program(argc, argv, lightswitch::bench::register_all);
}
