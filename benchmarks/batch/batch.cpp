// Pictures of a batch, from manifest to files: `pictures/s` on the wall, and the milliseconds a picture of each stage.
// The folder is verified, and every file has to be byte for byte that of micro-batches of one, before a rate is shown.
// Names are batch/DECODER/MICRO_BATCH; the shipped model, four steps.

#include <benchmark/benchmark.h>
#include <lightswitch/batch/batch.hpp>
#include <lightswitch/batch/verify.hpp>

#include <fstream>
#include <map>

#include "core/sha256.hpp"
#include "core/stopwatch.hpp"
#include "harness/program.hpp"
#include "harness/scenes.hpp"
#include "support/temporary_folder.hpp"

namespace lightswitch::bench {
namespace {

constexpr int64_t kPictures = 16, kSteps = 4;

void write_manifest(const std::filesystem::path& file) {
  std::ofstream lines(file);
  for (int64_t i = 0; i < kPictures; ++i)
    lines << R"({"id": ")" << i << R"(", "prompt": "a yellow boat on the sea at dusk", "seed": )" << i << "}\n";
}

/// Seconds of one batch into an empty folder.
double make(const std::filesystem::path& folder, const std::string& decoder, int64_t micro_batch) {
  static const DecoderRegistry registry(builtin_decoder_families());
  BatchRequest request;
  request.manifest = folder / "prompts.jsonl";
  request.output = folder / "pictures";
  request.settings = batch_defaults(&scenes());
  request.settings.options.steps = kSteps;
  request.settings.decoder = decoder;
  request.settings.dtype = resolved_for_cpu(DType::automatic);
  request.micro_batch = micro_batch;
  write_manifest(request.manifest);
  const Stopwatch watch;
  const BatchSummary summary = run_batch(request, {.registry = registry, .package = &scenes()});
  const double seconds = watch.ms() * 1e-3;
  if (summary.done != kPictures) throw std::runtime_error("pictures are missing");
  return seconds;
}

std::map<std::string, std::string> hashes(const std::filesystem::path& folder) {
  std::map<std::string, std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".png") found[entry.path().filename().string()] = sha256_file(entry.path());
  return found;
}

const std::map<std::string, std::string>& one_by_one(const std::string& decoder) {
  static std::map<std::string, std::map<std::string, std::string>> all;
  auto& expected = all[decoder];
  if (expected.empty()) {
    const testing::TemporaryFolder folder;
    make(folder.path(), decoder, 1);
    expected = hashes(folder / "pictures");
  }
  return expected;
}

void run(benchmark::State& state, const std::string& decoder, int64_t micro_batch) {
  const auto& expected = one_by_one(decoder);
  for (auto _ : state) {
    const testing::TemporaryFolder folder;
    const double seconds = make(folder.path(), decoder, micro_batch);
    const BatchCheck check = verify_batch(folder / "pictures", folder / "prompts.jsonl");
    if (check.complete != kPictures || hashes(folder / "pictures") != expected)
      return state.SkipWithError("not the pictures of micro-batches of one");
    state.SetIterationTime(seconds);
    const auto each = [&](double ms) { return ms / kPictures; };
    state.counters["pictures/s"] = kPictures / seconds;
    state.counters["denoise_ms"] = each(check.statistics.ms_denoise);
    state.counters["decode_ms"] = each(check.statistics.ms_decode);
    state.counters["file_ms"] = each(check.statistics.ms_encode_file);
    state.counters["peak_MiB"] = static_cast<double>(check.statistics.peak_bytes) / (1 << 20);
  }
}

void register_all() {
  for (const std::string decoder : {"vae", "vit", "tae"})
    for (const int64_t micro_batch : {1, 4, 16})
      register_self_timed("batch/" + decoder + "/" + std::to_string(micro_batch),
                          [=](benchmark::State& state) { run(state, decoder, micro_batch); });
}

}  // namespace
}  // namespace lightswitch::bench

int main(int argc, char** argv) {
  return lightswitch::bench::run_program(argc, argv, lightswitch::bench::register_all);
}
