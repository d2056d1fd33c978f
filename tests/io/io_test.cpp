#include <gtest/gtest.h>
#include <torch/script.h>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/model_package.hpp>
#include <lightswitch/torchscript.hpp>
#include <lightswitch/weights.hpp>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/sha256.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using namespace lightswitch::testing;

void write(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

// ---- latent files

TEST(LatentFile, KeepsEverything) {
  const TemporaryFolder folder;
  LatentFile written;
  written.latents = random_tensor({2, 4, 3, 5});
  written.kind = LatentKind::raw;
  written.space = "sd1";
  written.scaling_factor = 0.18215;
  written.shift_factor = 0.1;
  written.width = 39;
  written.height = 24;
  written.seed = 7;
  written.prompt = "ein Bär — \"zwei\"";
  written.model = "scenes";
  write_latents(folder / "l.safetensors", written);
  const auto read = read_latents(folder / "l.safetensors");
  EXPECT_TRUE(at::equal(read.latents, written.latents));
  EXPECT_EQ(read.kind, LatentKind::raw);
  EXPECT_EQ(read.space, "sd1");
  EXPECT_EQ(read.scaling_factor, 0.18215);
  EXPECT_EQ(read.shift_factor, 0.1);
  EXPECT_EQ(read.width, 39);
  EXPECT_EQ(read.height, 24);
  EXPECT_EQ(read.seed, 7);
  EXPECT_EQ(read.prompt, written.prompt);
  EXPECT_EQ(read.model, "scenes");
}

TEST(LatentFile, AClipThatIsWrittenInPiecesIsTheSameFile) {
  const TemporaryFolder folder;
  LatentFile facts;
  facts.fps = 30000.0 / 1001;
  facts.width = 47;
  facts.height = 31;
  LatentFile whole = facts;
  whole.latents = random_tensor({1, 4, 7, 4, 6});
  write_latents(folder / "whole.safetensors", whole);
  LatentClipWriter writer(folder / "pieces.safetensors", facts, {4, 7, 4, 6});
  for (const auto& piece : whole.latents[0].split(3, 1)) writer.write(piece);
  expect_error<TensorError>([&] { writer.write(whole.latents[0].narrow(1, 0, 1)); });
  EXPECT_EQ(testing::names_in(folder.path()).count("pieces.safetensors"), 0u);
  writer.finish();
  EXPECT_EQ(testing::read_file(folder / "pieces.safetensors"), testing::read_file(folder / "whole.safetensors"));
  const LatentFile read = read_latents(folder / "pieces.safetensors", {}, {}, true);
  EXPECT_TRUE(close(read.latents, whole.latents, 0));
  EXPECT_EQ(read.fps, facts.fps);
}

TEST(LatentFile, AnIncompleteClipLeavesNothing) {
  const TemporaryFolder folder;
  {
    LatentClipWriter writer(folder / "clip.safetensors", {}, {4, 3, 2, 2});
    writer.write(at::zeros({4, 2, 2, 2}));
    expect_error<TensorError>([&] { writer.write(at::zeros({4, 1, 2, 3})); });
    expect_error<TensorError>([&] { writer.finish(); });
  }
  EXPECT_TRUE(testing::names_in(folder.path()).empty());
  expect_error<FileError>([&] { LatentClipWriter(folder / "missing" / "a.safetensors", {}, {4, 3, 2, 2}); });
}

TEST(LatentFile, IndicesAreKeptAsIndices) {
  const TemporaryFolder folder;
  LatentFile written;
  written.kind = LatentKind::indices;
  written.latents = at::arange(12).view({1, 3, 4});
  write_latents(folder / "l.safetensors", written);
  EXPECT_TRUE(at::equal(read_latents(folder / "l.safetensors").latents, written.latents));
}

TEST(LatentFile, UnmarkedFileNeedsKindAndScalingFactor) {
  const TemporaryFolder folder;
  save_safetensors(folder / "l.safetensors", {{"latents", at::ones({1, 4, 2, 2})}});
  const auto error = expect_error<FormatError>([&] { read_latents(folder / "l.safetensors"); });
  EXPECT_EQ(error.detail().field, "format");
  EXPECT_TRUE(contains(error.what(), "--kind"));
  EXPECT_TRUE(contains(error.what(), "--scaling-factor"));
  expect_error<FormatError>([&] { read_latents(folder / "l.safetensors", LatentKind::raw); });
  const auto read = read_latents(folder / "l.safetensors", LatentKind::raw, 0.5);
  EXPECT_EQ(read.kind, LatentKind::raw);
  EXPECT_EQ(read.scaling_factor, 0.5);
}

TEST(LatentFile, BadMetadataNamesTheField) {
  const TemporaryFolder folder;
  const auto field_of = [&](std::map<std::string, std::string> metadata) {
    metadata.insert({{"format", "lightswitch.latents"}, {"version", "1"}, {"kind", "raw"}});
    save_safetensors(folder / "l.safetensors", {{"latents", at::ones({1, 4, 2, 2})}}, metadata);
    return expect_error<FormatError>([&] { read_latents(folder / "l.safetensors"); }).detail().field;
  };
  EXPECT_EQ(field_of({{"version", "2"}}), "version");
  EXPECT_EQ(field_of({{"kind", "warm"}}), "kind");
  EXPECT_EQ(field_of({{"scaling_factor", "0.18x"}}), "scaling_factor");
  EXPECT_EQ(field_of({{"scaling_factor", "nan"}}), "scaling_factor");
  EXPECT_EQ(field_of({{"width", "12.5"}}), "width");
  EXPECT_EQ(field_of({{"kind", "indices"}}), "indices");  // the tensor of that name is missing
}

TEST(LatentFile, UnusableTensorsAreNotWritten) {
  const TemporaryFolder folder;
  LatentFile content;
  for (const auto& latents : {at::ones({4, 2, 2}), at::ones({1, 4, 2, 2}, at::kLong), at::ones({1, 0, 2, 2})}) {
    content.latents = latents;
    expect_error<TensorError>([&] { write_latents(folder / "l.safetensors", content); });
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "l.safetensors"));
}

// ---- TorchScript parts

TEST(TorchScript, RefusesWhatIsNotAnArchive) {
  const TemporaryFolder folder;
  write(folder / "page.pt", "<!DOCTYPE html><html>not found</html>");
  write(folder / "empty.pt", "");
  const std::string real = std::string(LIGHTSWITCH_SOURCE_DIR) + "/tests/data/schedulers/ddim.pt";
  std::filesystem::copy_file(real, folder / "cut.pt");
  std::filesystem::resize_file(folder / "cut.pt", 5000);
  for (const char* name : {"page.pt", "empty.pt", "cut.pt"}) {
    EXPECT_EQ(expect_error<FormatError>([&] { load_scheduler(folder / name); }).detail().file,
              (folder / name).string());
    expect_error<FormatError>([&] { load_denoiser(folder / name, {"sample", "timestep"}); });
    expect_error<FormatError>([&] { load_text_encoder(folder / name, {"x"}); });
  }
  expect_error<FileError>([&] { load_scheduler(folder / "absent.pt"); });
  expect_error<FileError>([&] { load_scheduler(folder.path()); });
}

TEST(TorchScript, ASchedulerIsNotADenoiser) {
  const std::string file = std::string(LIGHTSWITCH_SOURCE_DIR) + "/tests/data/schedulers/ddim.pt";
  EXPECT_EQ(expect_error<FormatError>([&] { load_denoiser(file, {"sample", "timestep"}); }).detail().field, "forward");
  EXPECT_EQ(expect_error<FormatError>([&] { load_text_encoder(file, {"x"}); }).detail().field, "forward");
  EXPECT_EQ(expect_error<FormatError>([&] { load_denoiser(file, {"timestep", "sample"}); }).detail().field, "inputs");
}

TEST(TorchScript, SchedulerRunsAreIndependent) {
  const auto scheduler = load_scheduler(std::string(LIGHTSWITCH_SOURCE_DIR) + "/tests/data/schedulers/dpm++2m.pt");
  const auto drive = [](SchedulerRun& run, int64_t i, at::Tensor& sample) {
    sample = run.step(sample * 0.5, i, sample, {}).sample;
  };
  const auto alone = scheduler->begin(4);
  auto expected = at::ones({1, 4, 2, 2});
  for (int64_t i = 0; i < 4; ++i) drive(*alone, i, expected);
  const auto a = scheduler->begin(4), b = scheduler->begin(4);
  auto sample_a = at::ones({1, 4, 2, 2}), sample_b = at::ones({1, 4, 2, 2}) * 2;
  for (int64_t i = 0; i < 4; ++i) drive(*a, i, sample_a), drive(*b, i, sample_b);
  EXPECT_TRUE(at::equal(sample_a, expected));
  EXPECT_EQ(a->size(), 4);
  EXPECT_GT(a->timestep(0), a->timestep(3));
}

TEST(TorchScript, HalvesAreWidenedAndIndicesStayIndices) {
  const TemporaryFolder folder;
  torch::jit::Module module("Part");
  module.register_parameter("weight", at::ones({2}, at::kHalf), false);
  module.register_buffer("places", at::arange(3));
  module.define(R"(
def forward(self, ids: Tensor):
    return self.weight, self.places[ids]
)");
  module.save((folder / "part.pt").string());
  const auto found = load_text_encoder(folder / "part.pt", {"weight", "places"})->encode(at::ones({1, 1}, at::kLong));
  EXPECT_EQ(found.at("weight").scalar_type(), at::kFloat);
  EXPECT_EQ(found.at("places").scalar_type(), at::kLong);
}

TEST(TorchScript, ADenoiserMultipliesInTheDtypeAskedForAndAnswersInFp32) {
  const TemporaryFolder folder;
  torch::jit::Module module("Part");
  // 1 + 2^-12 is one of fp32's numbers, and of neither half's.
  module.register_parameter("weight", at::eye(2) * (1 + std::ldexp(1.0, -12)), false);
  module.register_parameter("bias", at::full({2}, std::ldexp(1.0, -12)), false);
  module.define(R"(
def forward(self, sample: Tensor, timestep: Tensor):
    return torch.matmul(sample, self.weight) + self.bias
)");
  module.save((folder / "part.pt").string());
  const auto sample = at::ones({1, 1, 2, 2});
  const auto answer = [&](DType dtype) {
    return load_denoiser(folder / "part.pt", {"sample", "timestep"}, 1, dtype)->predict(sample, 1, {});
  };
  EXPECT_TRUE(at::equal(answer(DType::fp32), sample + std::ldexp(1.0, -11)));
  for (const DType dtype : {DType::bf16, DType::fp16}) {
    const auto found = answer(dtype);
    EXPECT_EQ(found.scalar_type(), at::kFloat);
    EXPECT_TRUE(at::equal(found, sample + std::ldexp(1.0, -12))) << "the product is rounded, the bias is not";
  }
  EXPECT_TRUE(at::equal(answer(DType::fp32), sample + std::ldexp(1.0, -11))) << "the thread is as it was";
  EXPECT_EQ(expect_error<OptionError>([&] { answer(DType::automatic); }).detail().field, "dtype");
}

// ---- model packages

/// The smallest package that opens; `change` spoils it before it is written.
struct Package {
  TemporaryFolder folder;
  nlohmann::json json;

  Package() {
    const std::string file = std::string(LIGHTSWITCH_SOURCE_DIR) + "/tests/data/schedulers/ddim.pt";
    std::filesystem::copy_file(file, folder / "ddim.pt");
    json = nlohmann::json::parse(R"({
      "format": "lightswitch.model", "version": 1, "name": "tiny", "kind": "text-to-image", "licence": "Apache-2.0",
      "trained_on": "nothing",
      "latent_spaces": {"tiny": {"channels": 4, "factor": 8, "scaling_factor": 1.5}},
      "parts": {
        "tokenizer": {"folder": "tokenizer", "type": "clip_bpe", "max_length": 8},
        "text_encoder": {"file": "ddim.pt", "outputs": ["encoder_hidden_states"]},
        "denoiser": {"file": "ddim.pt", "inputs": ["sample", "timestep"], "space": "tiny"},
        "schedulers": {"ddim": {"file": "ddim.pt"}},
        "decoders": {"vae": {"file": "ddim.pt", "family": "kl", "space": "tiny", "config": {"norm_num_groups": "8"}}}},
      "defaults": {"width": 64, "height": 32, "steps": 3, "cfg_scale": 2.5, "sampling_method": "ddim", "decoder": "vae"}
    })");
    json["files"]["ddim.pt"] = {{"bytes", std::filesystem::file_size(folder / "ddim.pt")},
                                {"sha256", sha256_file(folder / "ddim.pt")}};
  }
  ModelPackage open() const {
    write(folder / "model.json", json.dump());
    return ModelPackage::open(folder.path());
  }
};

TEST(ModelPackage, ReadsWhatItSays) {
  const Package package;
  const auto opened = package.open();
  EXPECT_EQ(opened.name(), "tiny");
  EXPECT_EQ(opened.licence(), "Apache-2.0");
  EXPECT_EQ(opened.latent_spaces().at("tiny").scaling_factor, 1.5);
  EXPECT_EQ(opened.defaults().width, 64);
  EXPECT_EQ(opened.defaults().height, 32);
  EXPECT_EQ(opened.defaults().steps, 3);
  EXPECT_EQ(opened.defaults().cfg_scale, 2.5);
  EXPECT_EQ(opened.default_decoder(), "vae");
  EXPECT_EQ(opened.sampling_methods(), (std::vector<std::string>{"ddim"}));
  const auto& config = opened.decoders().at("vae").config;
  EXPECT_EQ(config.at("norm_num_groups"), "8");
  EXPECT_EQ(config.at("scaling_factor"), "1.5");
  EXPECT_EQ(config.at("space"), "tiny");
  opened.verify();
}

TEST(ModelPackage, MissingFolderFileOrPart) {
  const TemporaryFolder empty;
  expect_error<FileError>([&] { ModelPackage::open(empty / "absent"); });
  EXPECT_EQ(expect_error<FileError>([&] { ModelPackage::open(empty.path()); }).detail().file,
            (empty / "model.json").string());
  const Package package;
  std::filesystem::remove(package.folder / "ddim.pt");
  EXPECT_EQ(expect_error<FileError>([&] { package.open(); }).detail().file, (package.folder / "ddim.pt").string());
}

TEST(ModelPackage, ChangedBytesAreRefusedByName) {
  const Package package;
  const auto opened = package.open();
  std::fstream stream(package.folder / "ddim.pt", std::ios::binary | std::ios::in | std::ios::out);
  stream.seekp(100);
  stream.put('\x55');
  stream.close();
  const auto error = expect_error<IntegrityError>([&] { opened.verify(); });
  EXPECT_EQ(error.detail().file, (package.folder / "ddim.pt").string());
  EXPECT_EQ(error.detail().field, "sha256");
  std::filesystem::resize_file(package.folder / "ddim.pt", 200);
  EXPECT_EQ(expect_error<IntegrityError>([&] { package.open(); }).detail().field, "bytes");
}

TEST(ModelPackage, PartsWithoutAHashAreNotLoaded) {
  Package package;
  package.json["files"] = nlohmann::json::object();
  EXPECT_EQ(expect_error<IntegrityError>([&] { package.open().verified("ddim.pt"); }).detail().field, "files.ddim.pt");
}

/// The field named by the error that opening a package throws once `pointer` holds `value`.
template <typename Wanted>
std::string spoiled_field(const char* pointer, const nlohmann::json& value) {
  Package package;
  package.json[nlohmann::json::json_pointer(pointer)] = value;
  return expect_error<Wanted>([&] { package.open(); }).detail().field;
}

TEST(ModelPackage, ErrorsNameTheKey) {
  EXPECT_EQ(spoiled_field<FormatError>("/format", "zip"), "format");
  EXPECT_EQ(spoiled_field<FormatError>("/version", 2), "version");
  EXPECT_EQ(spoiled_field<UnsupportedError>("/kind", "image-to-text"), "kind");
  EXPECT_EQ(spoiled_field<FormatError>("/nmae", "x"), "nmae");
  EXPECT_EQ(spoiled_field<FormatError>("/parts/denoiser/inputs", 3), "parts.denoiser.inputs");
  EXPECT_EQ(spoiled_field<FormatError>("/parts/denoiser/file", "../x.pt"), "parts.denoiser.file");
  EXPECT_EQ(spoiled_field<FormatError>("/parts/denoiser/file", "/etc/passwd"), "parts.denoiser.file");
  EXPECT_EQ(spoiled_field<UnsupportedError>("/parts/tokenizer/type", "t5"), "parts.tokenizer.type");
  EXPECT_EQ(spoiled_field<FormatError>("/parts/decoders/vae/space", "sd9"), "parts.decoders.vae.space");
  EXPECT_EQ(spoiled_field<FormatError>("/parts/decoders/vae/config/norm_num_groups", 8),
            "parts.decoders.vae.config.norm_num_groups");
  EXPECT_EQ(spoiled_field<FormatError>("/parts/denoiser/space", "sd9"), "parts.denoiser.space");
  EXPECT_EQ(spoiled_field<FormatError>("/parts/denoiser/empty_negative_prompt", "nothing"),
            "parts.denoiser.empty_negative_prompt");
  EXPECT_EQ(spoiled_field<FormatError>("/parts/text_encoder_2", {{"file", "ddim.pt"}, {"outputs", {"x"}}}),
            "parts.tokenizer_2");
  EXPECT_EQ(spoiled_field<FormatError>("/latent_spaces/tiny/channels", 0), "latent_spaces.tiny.channels");
  EXPECT_EQ(spoiled_field<FormatError>("/latent_spaces/tiny/scaling_factor", "1"), "latent_spaces.tiny.scaling_factor");
  EXPECT_EQ(spoiled_field<FormatError>("/defaults/decoder", "vit"), "defaults.decoder");
  EXPECT_EQ(spoiled_field<FormatError>("/defaults/sampling_method", "euler"), "defaults.sampling_method");
  EXPECT_EQ(spoiled_field<FormatError>("/defaults/steps", -1), "defaults.steps");
  EXPECT_EQ(spoiled_field<FormatError>("/files/ddim.pt/bytes", 18446744073709551615ull), "files.ddim.pt.bytes");
}

TEST(ModelPackage, MalformedJson) {
  const TemporaryFolder folder;
  for (const char* text : {"", "{\"format\": ", "[]", "<html>", "\xff\xfe"}) {
    write(folder / "model.json", text);
    EXPECT_EQ(expect_error<FormatError>([&] { ModelPackage::open(folder.path()); }).detail().file,
              (folder / "model.json").string());
  }
}

}  // namespace
}  // namespace lightswitch
