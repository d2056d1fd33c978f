// The codec's stages on one stream: codec/STAGE/FRAMES is one call of so many frames of 20 ms. x_real_time says how
// many times faster than the sound itself a stage is, GMAC/s what it multiplies. Random weights; nothing is timed
// before the stored case has been computed as PyTorch does.

#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <lightswitch/audio/quantizer.hpp>
#include <lightswitch/audio/soundstream.hpp>

#include <string>

#include "audio/codec_case.hpp"
#include "harness/program.hpp"

namespace lightswitch::bench {
namespace {

using namespace lightswitch::audio;
namespace cases = lightswitch::audio::testing;

constexpr double kFrameSeconds = 0.02;
constexpr double kParity = 1e-4;

/// What is wrong with the stored case; empty when it agrees.
const std::string& fault() {
  static const std::string found = [] {
    const auto reference = cases::stored_codec("odd");
    const SoundStreamDecoder decoder(reference.layout, reference.weights, "heavy.");
    const SoundStreamEncoder encoder(reference.layout, reference.weights, "encoder.");
    std::vector<float> samples(reference.decoded.numel()), embeddings(reference.embeddings.numel());
    auto decoding = decoder.start(), encoding = encoder.start();
    decoder.decode(cases::numbers_of(reference.embeddings), decoding, samples);
    encoder.encode(cases::numbers_of(reference.samples), encoding, embeddings);
    const double worst = std::max(cases::largest_difference(samples, cases::numbers_of(reference.decoded)),
                                  cases::largest_difference(embeddings, cases::numbers_of(reference.embeddings)));
    return worst <= kParity ? "" : "differs from the stored case by " + std::to_string(worst);
  }();
  return found;
}

template <typename Call>
void time(benchmark::State& state, int64_t frames, int64_t macs, const Call& call) {
  if (!fault().empty()) {
    state.SkipWithError(fault().c_str());
    return;
  }
  call();
  for (auto _ : state) call();
  const auto rate = benchmark::Counter::kIsIterationInvariantRate;
  state.counters["GMAC/s"] = benchmark::Counter(static_cast<double>(macs) * 1e-9, rate);
  state.counters["x_real_time"] = benchmark::Counter(static_cast<double>(frames) * kFrameSeconds, rate);
}

void encode(benchmark::State& state, int64_t frames) {
  static const SoundStreamEncoder encoder(Layout::heavy(), cases::random_encoder(Layout::heavy()));
  const auto sound = cases::noise(frames * 320);
  std::vector<float> embeddings(frames * 64);
  auto stream = encoder.start();
  time(state, frames, frames * encoder.macs_per_frame(), [&] { encoder.encode(sound, stream, embeddings); });
}

void quantize(benchmark::State& state, int64_t frames) {
  static const ResidualQuantizer quantizer(at::randn({16, 256, 64}, at::detail::createCPUGenerator(1)));
  const auto embeddings = cases::noise(frames * 64);
  std::vector<int32_t> indices(frames * 16);
  time(state, frames, frames * quantizer.macs_per_frame(16), [&] { quantizer.encode(embeddings, 16, indices); });
}

void decode(benchmark::State& state, const SoundStreamDecoder& decoder, int64_t frames) {
  const auto embeddings = cases::noise(frames * 64);
  std::vector<float> samples(frames * decoder.layout().hop());
  auto stream = decoder.start();
  time(state, frames, frames * decoder.macs_per_frame(), [&] { decoder.decode(embeddings, stream, samples); });
}

const SoundStreamDecoder& heavy() {
  static const SoundStreamDecoder decoder(Layout::heavy(), cases::random_decoder(Layout::heavy()));
  return decoder;
}

const SoundStreamDecoder& light() {
  static const SoundStreamDecoder decoder(Layout::light(), cases::random_decoder(Layout::light()));
  return decoder;
}

void warm_up(benchmark::State& state, int64_t frames) {
  const auto embeddings = cases::noise(frames * 64);
  auto stream = heavy().start();
  time(state, frames, heavy().warm_up_macs(frames), [&] { heavy().warm_up(embeddings, stream); });
}

void register_all() {
  const auto add = [](const std::string& stage, int64_t frames, const auto& run) {
    benchmark::RegisterBenchmark(("codec/" + stage + "/" + std::to_string(frames)).c_str(),
                                 [run, frames](benchmark::State& state) { run(state, frames); })
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
  };
  for (const int64_t frames : {1, 8, 50}) {
    add("encoder", frames, [](auto& state, int64_t count) { encode(state, count); });
    add("quantizer", frames, [](auto& state, int64_t count) { quantize(state, count); });
    add("heavy", frames, [](auto& state, int64_t count) { decode(state, heavy(), count); });
    add("light", frames, [](auto& state, int64_t count) { decode(state, light(), count); });
  }
  add("warm_up", heavy().reach(), [](auto& state, int64_t count) { warm_up(state, count); });
}

}  // namespace
}  // namespace lightswitch::bench

int main(int argc, char** argv) {
  return lightswitch::bench::run_program(argc, argv, lightswitch::bench::register_all);
}
