// From a weight file in the page cache to a decoder that is ready: time, and memory of the process's own beside the
// size of the file. own_MiB holds kept_MiB, which temporary tensors had and the first decode uses again; peak_MiB is of
// all resident memory, pages of the file too. SD's KL decoder, random weights. Names are load/STORED/COMPUTED.

#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <lightswitch/decoder_registry.hpp>
#include <lightswitch/memory.hpp>

#include <filesystem>
#include <map>
#include <string>

#include "core/peak_memory.hpp"
#include "harness/program.hpp"
#include "harness/random_weights.hpp"
#include "nn/weight_loader.hpp"
#include "support/temporary_folder.hpp"

namespace lightswitch::bench {
namespace {

/// Written once, read by every repetition.
const std::filesystem::path& weight_file(at::ScalarType stored) {
  static const testing::TemporaryFolder folder;
  static std::map<at::ScalarType, std::filesystem::path> written;
  const auto [entry, fresh] =
      written.try_emplace(stored, folder / (c10::toString(stored) + std::string(".safetensors")));
  if (fresh) {
    const auto weights = random_kl({128, 256, 512, 512}, 4);
    std::map<std::string, at::Tensor> tensors;
    for (const TensorInfo& info : weights->tensors()) tensors[info.name] = weights->read(info.name).to(stored);
    save_safetensors(entry->second, tensors);
  }
  return entry->second;
}

std::unique_ptr<Decoder> load(const std::filesystem::path& file, DType dtype) {
  const DecoderRegistry registry(builtin_decoder_families());
  const NetworkRequest request{.weights = open_weights(file), .config = {}, .dtype = dtype};
  return registry.make_decoder(registry.recognise(*request.weights), request);
}

void measure(benchmark::State& state, at::ScalarType stored, DType dtype) {
  const auto& file = weight_file(stored);
  load(file, dtype);  // brings the file into the page cache
  const double mebibyte = 1 << 20;
  const PeakMemory memory;
  const auto before = own_memory();
  {
    const auto decoder = load(file, dtype);
    const auto after = own_memory(), peak = memory.bytes();
    if (before && after) state.counters["own_MiB"] = static_cast<double>(*after - *before) / mebibyte;
    if (peak) state.counters["peak_MiB"] = static_cast<double>(*peak) / mebibyte;
    state.counters["kept_MiB"] = static_cast<double>(large_block_usage().kept) / mebibyte;
  }
  for (auto _ : state) benchmark::DoNotOptimize(load(file, dtype));
  state.counters["file_MiB"] = static_cast<double>(std::filesystem::file_size(file)) / mebibyte;
}

void register_all() {
  std::vector<DType> dtypes = {DType::fp32};
  if (nn::resolve_dtype(DType::automatic, c10::Device(c10::kCPU)) == DType::bf16) dtypes.push_back(DType::bf16);
  for (const auto stored : {at::kFloat, at::kHalf})
    for (const DType dtype : dtypes)
      benchmark::RegisterBenchmark(
          ("load/" + std::string(stored == at::kFloat ? "fp32" : "fp16") + "/" + to_string(dtype)).c_str(),
          [stored, dtype](benchmark::State& state) { measure(state, stored, dtype); })
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
