// Every kind of bad input: one exit code, a message that names file, field, expected and found, and nothing left
// behind.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/weights.hpp>

#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "cli/command_run.hpp"
#include "cli/small_package.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using testing::CommandRun;
using testing::contains;
using testing::read_file;
using testing::write_file;

class BadInput : public ::testing::Test {
 protected:
  BadInput() {
    testing::write_small_package(model_.path());
    save_safetensors(input_ / "tae.safetensors", testing::tiny_autoencoder(1));
    write_latents(input_ / "z.safetensors", latents(testing::random_tensor({1, 4, 2, 2}, 1)));
  }

  static LatentFile latents(at::Tensor tensor) {
    LatentFile content;
    content.latents = std::move(tensor);
    return content;
  }

  /// Runs a command that must fail with 1, print nothing on standard output and leave the output folder empty.
  std::string failure(const std::vector<std::string>& arguments) {
    std::vector<std::string> all = arguments;
    all.insert(all.end(), {"-o", (output_ / "a.png").string()});
    const CommandRun run = testing::run_command(all);
    EXPECT_EQ(run.code, 1) << run.err;
    EXPECT_EQ(run.out, "");
    EXPECT_TRUE(contains(run.err, "error: "));
    EXPECT_TRUE(testing::names_in(output_.path()).empty());
    return run.err;
  }
  std::string decode_failure(const std::string& file) {
    return failure({"decode", file, "--decoder", input("tae.safetensors")});
  }
  std::string decoder_failure(const std::string& file) {
    return failure({"decode", input("z.safetensors"), "--decoder", file});
  }
  std::string image_failure(const std::vector<std::string>& more = {}) {
    std::vector<std::string> all{"image", "-p", "x", "-m", model_.path().string()};
    all.insert(all.end(), more.begin(), more.end());
    return failure(all);
  }

  std::string input(const std::string& name) const { return (input_ / name).string(); }
  std::string written(const std::string& name, const std::string& bytes) const {
    return write_file(input_ / name, bytes).string();
  }
  /// The decoder's weights after a change.
  std::string changed_weights(const std::function<void(std::map<std::string, at::Tensor>&)>& change) const {
    auto weights = testing::tiny_autoencoder(1);
    change(weights);
    save_safetensors(input_ / "changed.safetensors", weights);
    return input("changed.safetensors");
  }
  void edit_model(const std::function<void(nlohmann::json&)>& change) const {
    auto json = nlohmann::json::parse(read_file(model_ / "model.json"));
    change(json);
    write_file(model_ / "model.json", json.dump());
  }

  testing::TemporaryFolder model_, input_, output_;
};

TEST_F(BadInput, TheGoodInputsWork) {
  const CommandRun run = testing::run_command(
      {"decode", input("z.safetensors"), "--decoder", input("tae.safetensors"), "-o", (output_ / "a.png").string()});
  EXPECT_EQ(run.code, 0) << run.err;
}

TEST_F(BadInput, MissingLatentFile) {
  EXPECT_TRUE(contains(decode_failure(input("none.safetensors")), input("none.safetensors")));
}

TEST_F(BadInput, MissingDecoderFile) {
  EXPECT_TRUE(contains(decoder_failure(input("none.safetensors")), "none.safetensors"));
}

TEST_F(BadInput, UnknownDecoderNameListsTheKnownOnes) {
  const std::string text = image_failure({"--decoder", "vea"});
  EXPECT_TRUE(contains(text, "vea"));
  EXPECT_TRUE(contains(text, "other, tae"));
}

TEST_F(BadInput, EmptyFile) {
  EXPECT_TRUE(contains(decode_failure(written("empty", "")), "empty"));
  EXPECT_TRUE(contains(decoder_failure(written("empty", "")), "empty"));
}

TEST_F(BadInput, TruncatedFile) {
  const std::string latents = read_file(input_ / "z.safetensors"), weights = read_file(input_ / "tae.safetensors");
  for (const double share : {0.001, 0.1, 0.5, 0.99}) {
    const auto part = [&](const std::string& whole) {
      return whole.substr(0, static_cast<size_t>(share * static_cast<double>(whole.size())));
    };
    EXPECT_TRUE(contains(decode_failure(written("cut", part(latents))), input("cut")));
    EXPECT_TRUE(contains(decoder_failure(written("cut", part(weights))), input("cut")));
  }
}

TEST_F(BadInput, AnHtmlPageInsteadOfWeights) {
  const std::string text =
      decoder_failure(written("page.safetensors", "<!DOCTYPE html><html><body>404 Not Found</body></html>"));
  EXPECT_TRUE(contains(text, "page.safetensors"));
  EXPECT_TRUE(contains(text, "HTML"));
}

TEST_F(BadInput, AHeaderOfTwoToTheSixtyBytes) {
  std::string bytes("\0\0\0\0\0\0\0\x10", 8);
  EXPECT_TRUE(contains(decoder_failure(written("huge.safetensors", bytes + "{}")), "huge.safetensors"));
}

TEST_F(BadInput, LyingOffsets) {
  const std::string header = R"({"latents":{"dtype":"F32","shape":[1,4,2,2],"data_offsets":[0,6400]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  const std::string text = decode_failure(written("lies.safetensors", bytes + header + std::string(64, '\0')));
  EXPECT_TRUE(contains(text, "lies.safetensors"));
  EXPECT_TRUE(contains(text, "latents"));
}

TEST_F(BadInput, WrongFamily) {
  const std::string text = decoder_failure(input("tae.safetensors") + ",family=kl");
  EXPECT_TRUE(contains(text, "tae.safetensors"));
  save_safetensors(input_ / "bert.safetensors", {{"embeddings", at::zeros({2, 2})}});
  EXPECT_TRUE(contains(decoder_failure(input("bert.safetensors")), "no decoder family recognises"));
}

TEST_F(BadInput, MissingTensor) {
  const std::string text =
      decoder_failure(changed_weights([](auto& weights) { weights.erase("decoder.layers.5.conv.2.weight"); }));
  EXPECT_TRUE(contains(text, "changed.safetensors"));
  EXPECT_TRUE(contains(text, "layers.5.conv.2.weight"));
}

TEST_F(BadInput, UnexpectedTensor) {
  const std::string text = decoder_failure(
      changed_weights([](auto& weights) { weights["decoder.layers.5.conv.9.weight"] = at::zeros({1}); }));
  EXPECT_TRUE(contains(text, "changed.safetensors"));
  EXPECT_TRUE(contains(text, "layers.5.conv.9.weight"));
}

TEST_F(BadInput, MisshapenTensor) {
  const std::string text = decoder_failure(
      changed_weights([](auto& weights) { weights["decoder.layers.5.conv.2.weight"] = at::zeros({8, 7, 3, 3}); }));
  EXPECT_TRUE(contains(text, "layers.5.conv.2.weight"));
  EXPECT_TRUE(contains(text, "[8, 8, 3, 3]"));
  EXPECT_TRUE(contains(text, "[8, 7, 3, 3]"));
}

TEST_F(BadInput, LatentsOfAnotherChannelCount) {
  write_latents(input_ / "z16.safetensors", latents(at::zeros({1, 16, 2, 2})));
  const std::string text = decode_failure(input("z16.safetensors"));
  EXPECT_TRUE(contains(text, "[N, 4, h, w]"));
  EXPECT_TRUE(contains(text, "[1, 16, 2, 2]"));
}

TEST_F(BadInput, LatentsWithNaN) {
  at::Tensor bad = at::zeros({1, 4, 2, 2});
  bad[0][1][1][0] = std::numeric_limits<float>::quiet_NaN();
  write_latents(input_ / "nan.safetensors", latents(bad));
  const std::string text = decode_failure(input("nan.safetensors"));
  EXPECT_TRUE(contains(text, "expected finite numbers"));
  EXPECT_TRUE(contains(text, "1 of 16"));
}

TEST_F(BadInput, LatentsOfTheWrongKindOfNumber) {
  save_safetensors(input_ / "int.safetensors", {{"latents", at::zeros({1, 4, 2, 2}, at::kLong)}},
                   {{"format", "lightswitch.latents"}, {"version", "1"}, {"kind", "diffusion"}});
  EXPECT_TRUE(contains(decode_failure(input("int.safetensors")), "int.safetensors: latents"));
}

TEST_F(BadInput, SizesThatDoNotFitTheFactor) {
  const std::string text = image_failure({"-W", "100", "-H", "64"});
  EXPECT_TRUE(contains(text, "width"));
  EXPECT_TRUE(contains(text, "multiple of 8"));
  EXPECT_TRUE(contains(text, "found 100"));
}

TEST_F(BadInput, UnknownSamplerListsTheKnownOnes) {
  const std::string text = image_failure({"--sampling-method", "eular"});
  EXPECT_TRUE(contains(text, "euler_a"));
  EXPECT_TRUE(contains(text, "found eular"));
}

TEST_F(BadInput, MissingModel) {
  const std::string text = failure({"image", "-p", "x", "-m", input("none")});
  EXPECT_TRUE(contains(text, input("none")));
  EXPECT_TRUE(contains(text, "model.json"));
}

TEST_F(BadInput, AFolderThatIsNoModel) {
  EXPECT_TRUE(contains(failure({"image", "-p", "x", "-m", output_.path().string()}), "model.json"));
}

TEST_F(BadInput, MalformedModelJson) {
  write_file(model_ / "model.json", "{\"format\": ");
  EXPECT_TRUE(contains(image_failure(), "model.json"));
}

TEST_F(BadInput, UnknownModelKeysAndVersions) {
  edit_model([](auto& json) { json["version"] = 7; });
  EXPECT_TRUE(contains(image_failure(), "version: another version of the package format: expected 1, found 7"));
  edit_model([](auto& json) { json["version"] = 1, json["decodres"] = 1; });
  EXPECT_TRUE(contains(image_failure(), "decodres"));
}

TEST_F(BadInput, HashMismatchNamesThePart) {
  for (const char* part : {"tae.safetensors", "denoiser.pt", "text_encoder.pt", "schedulers/euler.pt"}) {
    const std::string good = read_file(model_ / part);
    std::string bad = good;
    bad[bad.size() / 2] ^= 1;
    write_file(model_ / part, bad);
    const std::string text = image_failure();
    EXPECT_TRUE(contains(text, (model_ / part).string() + ": sha256")) << part;
    write_file(model_ / part, good);
  }
}

TEST_F(BadInput, AMissingOrShortenedPartIsNamed) {
  const std::string good = read_file(model_ / "denoiser.pt");
  write_file(model_ / "denoiser.pt", good.substr(0, 100));
  EXPECT_TRUE(contains(image_failure(), "expected " + std::to_string(good.size()) + ", found 100"));
  std::filesystem::remove(model_ / "denoiser.pt");
  EXPECT_TRUE(contains(image_failure(), "denoiser.pt"));
}

TEST_F(BadInput, AStartPictureThatIsNone) {
  EXPECT_TRUE(contains(image_failure({"-i", input("none.png")}), input("none.png")));
  EXPECT_TRUE(contains(image_failure({"-i", written("page.png", "<html>")}), "not a picture"));
}

TEST_F(BadInput, EncodingWhatIsNoPicture) {
  const CommandRun run = testing::run_command({"encode", written("page.png", "<html>"), "-m", model_.path().string(),
                                               "-o", (output_ / "z.safetensors").string()});
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(contains(run.err, "page.png: not a picture"));
  EXPECT_TRUE(testing::names_in(output_.path()).empty());
}

TEST_F(BadInput, ATargetThatIsAFolder) {
  std::filesystem::create_directory(input_ / "a.png");
  const CommandRun run = testing::run_command(
      {"decode", input("z.safetensors"), "--decoder", input("tae.safetensors"), "-o", input("a.png")});
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(contains(run.err, "a folder"));
}

}  // namespace
}  // namespace lightswitch
