// Encoding picture files on one core: `pixels/s` of CPU time, and `bytes/pixel`. Photographs from $LIGHTSWITCH_DATA
// where they are, else a drawn picture with the noise of one. Lossless formats are read back and compared before they
// are timed. Names are image_files/FORMAT[/PNG level].

#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <lightswitch/media/image_io.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "harness/program.hpp"
#include "support/data.hpp"
#include "support/temporary_folder.hpp"

namespace lightswitch::bench {
namespace {

constexpr size_t kPhotographs = 60;

at::Tensor drawn() {
  const at::Tensor y = at::linspace(0, 1, 512).unsqueeze(1), x = at::linspace(0, 1, 512).unsqueeze(0);
  const at::Tensor ball = ((x - 0.4).square() + (y - 0.6).square()).lt(0.05).to(at::kFloat);
  const at::Tensor picture = at::stack({x * 0.5 + ball * 0.4, y * 0.7 + x * 0.2, (1 - y) * (1 - ball)});
  return (picture + at::randn({3, 512, 512}) * 0.01).clamp(0, 1);
}

std::vector<at::Tensor> load_pictures() {
  const auto folder = testing::data_root() / "images" / "imagenet_sample";
  std::vector<std::filesystem::path> files;
  if (std::filesystem::is_directory(folder))
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      if (is_image_name(entry.path())) files.push_back(entry.path());
  if (files.empty()) return {drawn()};
  std::sort(files.begin(), files.end());
  files.resize(std::min(files.size(), kPhotographs));
  std::vector<at::Tensor> pictures;
  for (const auto& file : files) pictures.push_back(read_image(file));
  return pictures;
}

const std::vector<at::Tensor>& pictures() {
  static const std::vector<at::Tensor> all = load_pictures();
  return all;
}

bool reads_back(const at::Tensor& pixels, const std::string& extension, const std::string& bytes) {
  const testing::TemporaryFolder folder;
  const auto file = folder / ("a" + extension);
  std::ofstream(file, std::ios::binary) << bytes;
  return at::equal(to_stored_pixels(read_image(file), extension), pixels);
}

void encode(benchmark::State& state, const std::string& extension, const ImageWriteOptions& how) {
  std::vector<at::Tensor> all;
  int64_t count = 0;
  size_t bytes = 0;
  const bool lossless = extension == ".png" || extension == ".ppm" || extension == ".npy";
  for (const at::Tensor& picture : pictures()) {
    all.push_back(to_stored_pixels(picture, extension));
    count += picture.size(1) * picture.size(2);
    const std::string file = encode_pixels(all.back(), extension, how);
    bytes += file.size();
    if (lossless && !reads_back(all.back(), extension, file))
      return state.SkipWithError("another picture was read back");
  }
  for (auto _ : state)
    for (const at::Tensor& pixels : all) benchmark::DoNotOptimize(encode_pixels(pixels, extension, how));
  state.counters["pixels/s"] =
      benchmark::Counter(static_cast<double>(count), benchmark::Counter::kIsIterationInvariantRate);
  state.counters["bytes/pixel"] = static_cast<double>(bytes) / static_cast<double>(count);
}

void register_one(const std::string& extension, const std::string& name, const ImageWriteOptions& how) {
  benchmark::RegisterBenchmark(("image_files/" + name).c_str(), [extension, how](benchmark::State& state) {
    encode(state, extension, how);
  })->Unit(benchmark::kMillisecond);
}

void register_all() {
  for (const int level : {0, 1, 2, 3, 6, 9}) {
    ImageWriteOptions how;
    how.compression = level;
    register_one(".png", "png/" + std::to_string(level), how);
  }
  for (const std::string name : {"jpg", "webp", "ppm", "npy"}) register_one("." + name, name, {});
}

}  // namespace
}  // namespace lightswitch::bench

int main(int argc, char** argv) {
  return lightswitch::bench::run_program(argc, argv, lightswitch::bench::register_all);
}
