#include "svd/svd.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/error.hpp>
#include <lightswitch/temporal_decoder.hpp>

#include "support/errors.hpp"
#include "support/family_contract.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using testing::close;
using testing::contains;
using testing::expect_error;
using testing::PythonCase;
using testing::ReferenceCase;
using testing::stored_case;
using testing::Tensors;
using testing::tensors_of;
using testing::weightless;
using testing::with_tensors;

/// A clip [T, C, h, w], pushed in chunks of so many frames (0: at once).
at::Tensor in_chunks(const TemporalDecoder& decoder, const at::Tensor& clip, int64_t chunk) {
  const auto stream = decoder.begin();
  std::vector<at::Tensor> frames;
  for (const at::Tensor& part : clip.split(chunk == 0 ? clip.size(0) : chunk))
    frames.push_back(stream->push(part.transpose(0, 1)));
  return at::cat(frames);
}

/// Both halves agree with the reference; the clip is cut as the reference cut it.
void expect_clip_parity(const ReferenceCase& reference) {
  ASSERT_TRUE(svd::family().recognises(*reference.request.weights));
  const auto decoder = svd::family().make_temporal_decoder(reference.request);
  EXPECT_GT(reference.decoder_output.std().item<double>(), 0.1);
  const int64_t chunk = std::stoll(reference.request.config.at("chunk"));
  const at::Tensor frames = in_chunks(*decoder, reference.decoder_input, chunk);
  EXPECT_TRUE(close(frames, reference.decoder_output, testing::kParity));
  ::testing::Test::RecordProperty("frames", c10::str(testing::largest_difference(frames, reference.decoder_output)));
  if (!reference.encoder_input.defined()) return;
  const auto encoder = svd::family().make_encoder(reference.request);
  EXPECT_TRUE(close(encoder->forward(reference.encoder_input), reference.encoder_output, testing::kParity));
}

TEST(SvdStored, EqualsTheReference) {
  expect_clip_parity(stored_case("svd"));
}

class SvdPython : public ::testing::TestWithParam<PythonCase> {};

TEST_P(SvdPython, EqualsTheReference) {
  const auto made = testing::python_case("svd", GetParam().config, GetParam().latent);
  if (!made) GTEST_SKIP() << "LIGHTSWITCH_REFERENCE_PYTHON does not name a Python with diffusers";
  expect_clip_parity(*made);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, SvdPython,
    ::testing::Values(PythonCase{"stable_video_diffusion",
                                 R"({"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2})", "3x4x5"},
                      PythonCase{"last_chunk_shorter",
                                 R"({"block_out_channels": [32, 64], "layers_per_block": 2, "chunk": 3,
                                     "scope": "vae."})",
                                 "7x5x4"},
                      PythonCase{"compvis_checkpoint",
                                 R"({"block_out_channels": [32, 64, 96], "layers_per_block": 2, "compvis": true,
                                     "scope": "first_stage_model."})",
                                 "4x4x5"}),
    testing::kCaseName);

/// One frame at a time is what a Decoder does with the pictures of a batch.
TEST(SvdPython, PicturesAreClipsOfOneFrame) {
  LIGHTSWITCH_EXPECT_PYTHON_PARITY(
      svd::family(), R"({"block_out_channels": [32, 64, 64], "layers_per_block": 2, "chunk": 1})", "3x6x4");
}

TEST(Svd, FramesDependOnTheChunk) {
  const auto reference = stored_case("svd");
  const auto decoder = svd::family().make_temporal_decoder(reference.request);
  ASSERT_TRUE(decoder->depends_on_chunks());
  const at::Tensor whole = in_chunks(*decoder, reference.decoder_input, 0);
  const at::Tensor cut = in_chunks(*decoder, reference.decoder_input, 2);
  EXPECT_EQ(whole.sizes(), cut.sizes());
  EXPECT_FALSE(close(whole, cut, 1e-3));
}

/// chunking=exact gives `expected`, the clip decoded as one chunk, however it is cut.
void expect_exact(NetworkRequest request, const at::Tensor& clip, const at::Tensor& expected, double tolerance) {
  request.config["chunking"] = "exact";
  const auto decoder = svd::family().make_temporal_decoder(request);
  EXPECT_FALSE(decoder->depends_on_chunks());
  for (const int64_t chunk : {1, 2, 3, 0}) {
    std::vector<at::Tensor> frames;
    const auto stream = decoder->begin_clip(clip.transpose(0, 1));
    for (const at::Tensor& part : clip.split(chunk == 0 ? clip.size(0) : chunk)) {
      frames.push_back(stream->push(part.transpose(0, 1)));
      EXPECT_EQ(frames.back().size(0), part.size(0));
    }
    EXPECT_TRUE(close(at::cat(frames), expected, tolerance)) << "chunks of " << chunk;
    ::testing::Test::RecordProperty("chunk_" + std::to_string(chunk),
                                    c10::str(testing::largest_difference(at::cat(frames), expected)));
  }
}

TEST(SvdExact, EqualsTheWholeClipHoweverItIsCut) {
  const auto reference = stored_case("svd");
  for (const int64_t count : {int64_t{1}, int64_t{2}, reference.decoder_input.size(0)}) {
    const at::Tensor clip = reference.decoder_input.narrow(0, 0, count);
    const auto decoder = svd::family().make_temporal_decoder(reference.request);
    expect_exact(reference.request, clip, in_chunks(*decoder, clip, 0), 1e-5);
  }
}

class SvdExactPython : public ::testing::TestWithParam<PythonCase> {};

TEST_P(SvdExactPython, EqualsDiffusersDecodingTheClipAtOnce) {
  const auto made = testing::python_case("svd", GetParam().config, GetParam().latent);
  if (!made) GTEST_SKIP() << "LIGHTSWITCH_REFERENCE_PYTHON does not name a Python with diffusers";
  expect_exact(made->request, made->decoder_input, made->decoder_output, 2e-5);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, SvdExactPython,
    ::testing::Values(PythonCase{"stable_video_diffusion",
                                 R"({"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2})", "4x4x5"},
                      PythonCase{"seven_frames", R"({"block_out_channels": [32, 64], "layers_per_block": 2})", "7x5x4"},
                      PythonCase{"one_frame", R"({"block_out_channels": [32, 64, 64], "layers_per_block": 2})",
                                 "1x6x4"}),
    testing::kCaseName);

TEST(SvdExact, NeedsTheClipAtTheStart) {
  auto reference = stored_case("svd");
  reference.request.config["chunking"] = "exact";
  const auto decoder = svd::family().make_temporal_decoder(reference.request);
  const at::Tensor clip = reference.decoder_input.transpose(0, 1);
  const auto stream = decoder->begin();
  EXPECT_EQ(stream->push(clip).size(0), clip.size(1)) << "one push is the whole clip";
  EXPECT_EQ(expect_error<UnsupportedError>([&] { stream->push(clip); }).detail().field, "chunking");
  std::stop_source source;
  source.request_stop();
  EXPECT_THROW(decoder->begin()->push(clip, source.get_token()), Cancelled);
  expect_error<TensorError>([&] { decoder->begin()->push(at::zeros({9, 2, 4, 4})); });
}

TEST(SvdExact, OtherWordsAreRefused) {
  NetworkRequest request = stored_case("svd").request;
  request.config["chunking"] = "perhaps";
  EXPECT_EQ(expect_error<OptionError>([&] { svd::family().make_temporal_decoder(request); }).detail().field,
            "chunking");
  expect_error<OptionError>([&] { svd::family().make_decoder(request); });
}

TEST(Svd, PublishedSizeAndCost) {
  Tensors tensors;
  const auto add = [&](const std::string& name, std::vector<int64_t> shape) {
    tensors["decoder." + name + ".weight"] = weightless(shape);
    tensors["decoder." + name + ".bias"] = weightless({shape[0]});
  };
  const auto block = [&](const std::string& name, int64_t in, int64_t out) {
    add(name + ".spatial_res_block.norm1", {in});
    add(name + ".spatial_res_block.conv1", {out, in, 3, 3});
    add(name + ".spatial_res_block.norm2", {out});
    add(name + ".spatial_res_block.conv2", {out, out, 3, 3});
    if (in != out) add(name + ".spatial_res_block.conv_shortcut", {out, in, 1, 1});
    for (const char* layer : {"1", "2"}) {
      add(name + ".temporal_res_block.norm" + layer, {out});
      add(name + ".temporal_res_block.conv" + layer, {out, out, 3, 1, 1});
    }
    tensors["decoder." + name + ".time_mixer.mix_factor"] = at::zeros({1});
  };
  add("conv_in", {512, 4, 3, 3});
  block("mid_block.resnets.0", 512, 512);
  block("mid_block.resnets.1", 512, 512);
  add("mid_block.attentions.0.group_norm", {512});
  for (const char* part : {"to_q", "to_k", "to_v", "to_out.0"})
    add(std::string("mid_block.attentions.0.") + part, {512, 512});
  int64_t in = 512;
  const std::vector<int64_t> widths{512, 512, 256, 128};
  for (size_t stage = 0; stage < widths.size(); ++stage) {
    const std::string name = "up_blocks." + std::to_string(stage);
    for (const char* resnet : {"0", "1", "2"}) {
      block(name + ".resnets." + resnet, in, widths[stage]);
      in = widths[stage];
    }
    if (stage + 1 < widths.size()) add(name + ".upsamplers.0.conv", {in, in, 3, 3});
  }
  add("conv_norm_out", {128});
  add("conv_out", {3, 128, 3, 3});
  add("time_conv_out", {3, 3, 3, 1, 1});
  EXPECT_EQ(tensors.size(), 266u);
  NetworkRequest request;
  request.dtype = DType::fp32;
  const auto decoder = svd::family().make_temporal_decoder(with_tensors(request, tensors));
  EXPECT_EQ(decoder->info().parameters, 63579183);
  EXPECT_EQ(decoder->macs(3, 8, 8), 3 * decoder->macs(1, 8, 8));
  EXPECT_NEAR(static_cast<double>(decoder->macs(1, 64, 64)) / 1257.3e9, 1.21, 0.01);
}

TEST(Svd, PicturesOfABatchEqualThoseMadeAlone) {
  const auto reference = stored_case("svd");
  testing::expect_batch_equals_single(*svd::family().make_decoder(reference.request),
                                      reference.decoder_input.slice(0, 0, 1));
}

TEST(SvdFiles, MissingAndMisshapenTensorsAreListed) {
  const NetworkRequest request = stored_case("svd").request;
  Tensors tensors = tensors_of(*request.weights);
  tensors.erase("decoder.up_blocks.0.resnets.1.time_mixer.mix_factor");
  tensors["decoder.time_conv_out.weight"] = at::zeros({3, 3, 3, 3, 3});
  tensors["decoder.nonsense"] = at::zeros({1});
  const auto error =
      expect_error<WeightsError>([&] { svd::family().make_temporal_decoder(with_tensors(request, tensors)); });
  EXPECT_TRUE(contains(error.what(), "1 missing: decoder.up_blocks.0.resnets.1.time_mixer.mix_factor"));
  EXPECT_TRUE(contains(error.what(), "1 misshapen: decoder.time_conv_out.weight (expected [3, 3, 3, 1, 1]"));
  EXPECT_TRUE(contains(error.what(), "1 unexpected: decoder.nonsense"));
  expect_error<WeightsError>([&] { svd::family().make_decoder(stored_case("kl").request); });
  tensors["decoder.mid_block.resnets.0.spatial_res_block.conv1.weight"] = at::zeros({32});
  EXPECT_FALSE(svd::family().recognises(*with_tensors(request, tensors).weights));
}

}  // namespace
}  // namespace lightswitch
