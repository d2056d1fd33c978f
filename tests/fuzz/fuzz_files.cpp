// fuzz_files FORMAT [--count N] [--seed S]: damages small sound files of one format N times and reads each. Whatever
// the bytes, the answer must be a sound object or a typed error; anything else ends the program, under sanitizers more
// so. Everything depends on the seed. The mutation that failed is left in fuzz_failure.bin, or, where a sanitizer ended
// the program, in the temporary folder.

#include <ATen/ATen.h>
#ifdef LIGHTSWITCH_AUDIO
#include <lightswitch/audio/bitstream.hpp>
#endif
#include <lightswitch/decoder_registry.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/weights.hpp>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#ifdef LIGHTSWITCH_AUDIO
#include "audio/crc32.hpp"
#include "audio/lyra/tflite_file.hpp"
#include "audio/tflite_bytes.hpp"
#endif
#include "fuzz/mutate.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"

namespace lightswitch {
namespace {

namespace fs = std::filesystem;

const fs::path kFiles = fs::path(LIGHTSWITCH_SOURCE_DIR) / "tests" / "fixtures" / "files";
/// A reader may allocate no more than this for files of a few kilobytes.
constexpr uint64_t kMostBytes = 64 << 20;

struct Format {
  const char* name;
  const char* extension;
  std::vector<const char*> corpus;
  void (*read)(const fs::path& file);
  std::vector<std::string> (*make)(const fs::path& folder) = nullptr;  ///< of a corpus that is not stored
};

/// Every byte of every tensor is touched, so that one outside the mapping is noticed.
uint64_t touch(const WeightSource& weights) {
  uint64_t sum = 0, bytes = 0;
  for (const TensorInfo& info : weights.tensors()) {
    const at::Tensor tensor = weights.read(info.name).contiguous();
    bytes += tensor.nbytes();
    if (bytes > kMostBytes) throw std::logic_error("a small file made large tensors");
    const auto* data = static_cast<const unsigned char*>(tensor.const_data_ptr());
    for (size_t i = 0; i < tensor.nbytes(); ++i) sum += data[i];
  }
  for (const DecoderFamily& family : builtin_decoder_families()) sum += family.recognises(weights);
  return sum;
}

void read_weights(const fs::path& file) {
  static volatile uint64_t kept;
  kept = touch(*open_weights(file));
}

void read_latent_file(const fs::path& file) {
  read_latents(file);
}

std::vector<std::string> make_latent_files(const fs::path& folder) {
  std::vector<std::string> corpus;
  const auto save = [&](LatentFile content) {
    write_latents(folder / "z", content);
    corpus.push_back(testing::read_file(folder / "z"));
  };
  LatentFile diffusion{.latents = at::ones({2, 4, 3, 5}), .kind = LatentKind::diffusion};
  diffusion.scaling_factor = 0.18215;
  diffusion.seed = 7;
  diffusion.width = 40;
  diffusion.prompt = "a red house";
  save(diffusion);
  save({.latents = at::ones({1, 4, 2, 3, 3}), .kind = LatentKind::raw});
  save({.latents = at::ones({1, 3, 3}, at::kLong), .kind = LatentKind::indices});
  return corpus;
}

#ifdef LIGHTSWITCH_AUDIO
std::vector<std::string> make_tflite_files(const fs::path&) {
  return {audio::testing::small_tflite()};
}

void read_tflite(const fs::path& file) {
  const audio::TfliteFile model(file);
  for (const audio::TfliteGraph& graph : model.graphs())
    for (const audio::TfliteTensor& tensor : graph.tensors)
      if (!tensor.data.empty()) model.values(tensor);
}

std::vector<std::string> make_streams(const fs::path& folder) {
  audio::StreamInfo info{
      .model = std::string(64, 'a'), .channels = 2, .stages = 3, .bits = 5, .hop = 10, .block_frames = 4};
  info.hints = true;
  audio::StreamWriter writer(folder / "stream", info);
  writer.write(std::vector<int32_t>(11 * 6, 7), std::vector<Path>(11 * 2, Path::heavy));
  writer.finish(108, 108);
  return {testing::read_file(folder / "stream")};
}

void read_stream(const fs::path& file) {
  const audio::StreamReader reader(file);
  uint64_t bytes = 0;
  for (int64_t block = 0; block < reader.blocks(); ++block)
    bytes += reader.read(block).indices.size() * sizeof(int32_t);
  if (bytes > kMostBytes) throw std::logic_error("a small file made many indices");
}

/// The file as it is, then with a header whose checksum is right, so that what lies behind it is reached.
void read_stream_twice(const fs::path& file) {
  std::string bytes = testing::read_file(file);
  if (bytes.size() >= 84) {
    const uint32_t sum = audio::crc32(std::string_view(bytes).substr(0, 80));
    bytes.replace(80, 4, reinterpret_cast<const char*>(&sum), 4);
    read_stream(testing::write_file(file.parent_path() / "repaired", bytes));
  }
  read_stream(file);
}
#endif

const std::vector<Format>& formats() {
  static const std::vector<Format> all{
      {"safetensors", ".safetensors", {"tensors.safetensors"}, read_weights},
      {"pth", ".pth", {"state_dict.pth", "protocol4.pth", "ema.pth", "lightning.ckpt"}, read_weights},
      {"gguf", ".gguf", {"tensors.gguf"}, read_weights},
      {"index", ".index.json", {"sharded/diffusion_pytorch_model.safetensors.index.json"}, read_weights},
      {"latents", ".safetensors", {}, read_latent_file, make_latent_files},
#ifdef LIGHTSWITCH_AUDIO
      {"tflite", ".tflite", {}, read_tflite, make_tflite_files},
      {"lsc", ".lsc", {}, read_stream_twice, make_streams},
#endif
  };
  return all;
}

std::vector<std::string> corpus_of(const Format& format, const fs::path& folder) {
  if (format.make != nullptr) return format.make(folder);
  std::vector<std::string> corpus;
  for (const char* name : format.corpus) corpus.push_back(testing::read_file(kFiles / name));
  // An index needs its shards beside it.
  for (const auto& entry : fs::directory_iterator(kFiles / "sharded"))
    if (entry.path().extension() == ".safetensors") fs::copy_file(entry.path(), folder / entry.path().filename());
  return corpus;
}

int fuzz(const Format& format, uint64_t count, uint64_t seed) {
  const testing::TemporaryFolder folder;
  const auto corpus = corpus_of(format, folder.path());
  const auto file = folder / ("mutant" + std::string(format.extension));
  for (const std::string& bytes : corpus) format.read(testing::write_file(file, bytes));  // sound before it is damaged
  uint64_t refused = 0;
  for (uint64_t i = 0; i < count; ++i) {
    testing::Mutator mutate(seed * 1000003 + i);
    const std::string bytes = mutate(corpus[i % corpus.size()], corpus);
    testing::write_file(file, bytes);
    try {
      format.read(file);
    } catch (const Error&) {
      ++refused;
    } catch (const std::exception& error) {
      fs::copy_file(file, "fuzz_failure.bin", fs::copy_options::overwrite_existing);
      std::printf("%s: mutation %llu of seed %llu: %s\n", format.name, static_cast<unsigned long long>(i),
                  static_cast<unsigned long long>(seed), error.what());
      return 1;
    }
  }
  std::printf("%s: %llu mutations, %llu refused, the rest read; seed %llu\n", format.name,
              static_cast<unsigned long long>(count), static_cast<unsigned long long>(refused),
              static_cast<unsigned long long>(seed));
  // A fuzzer whose files are all refused, or never, looks at nothing.
  return refused > count / 10 && refused < count ? 0 : 1;
}

}  // namespace
}  // namespace lightswitch

int main(int argc, char** argv) {
  uint64_t count = 1000, seed = 1;
  std::string wanted = argc > 1 ? argv[1] : "";
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    if (option == "--count") count = std::strtoull(argv[i + 1], nullptr, 10);
    if (option == "--seed") seed = std::strtoull(argv[i + 1], nullptr, 10);
  }
  for (const auto& format : lightswitch::formats())
    if (wanted == format.name) return lightswitch::fuzz(format, count, seed);
  std::printf("usage: fuzz_files safetensors|pth|gguf|index|latents|tflite|lsc [--count N] [--seed S]\n");
  return 2;
}
