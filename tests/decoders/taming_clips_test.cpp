// The family's decoders of clips: TAESDV, TAEHV and DecoderTinyTemporal.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/error.hpp>
#include <lightswitch/temporal_decoder.hpp>

#include <functional>

#include "support/errors.hpp"
#include "support/network_contract.hpp"
#include "support/reference_case.hpp"
#include "support/tensors.hpp"
#include "support/weights.hpp"
#include "taming/taming.hpp"

namespace lightswitch {
namespace {

using testing::close;
using testing::contains;
using testing::expect_error;
using testing::stored_case;
using testing::Tensors;
using testing::tensors_of;
using testing::weightless;
using testing::with_tensors;

class TamingClips : public ::testing::TestWithParam<const char*> {
 protected:
  testing::ReferenceCase reference = stored_case(GetParam());
  std::unique_ptr<TemporalDecoder> decoder = taming::family().make_temporal_decoder(reference.request);
  at::Tensor clip = reference.frames_input;
};

INSTANTIATE_TEST_SUITE_P(Cases, TamingClips,
                         ::testing::Values("taming_taesdv", "taming_taehv", "taming_taehv_wide", "taming_temporal"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST_P(TamingClips, ASingleLatentIsAClipOfOneFrame) {
  const at::Tensor latents = clip.transpose(0, 1);
  const at::Tensor pictures = taming::family().make_decoder(reference.request)->forward(latents);
  for (int64_t t = 0; t < latents.size(0); ++t)
    EXPECT_TRUE(close(pictures.narrow(0, t, 1), decoder->begin()->push(clip.narrow(1, t, 1)), 1e-5));
}

TEST_P(TamingClips, FramesSeeOneAnotherAndStreamsDoNot) {
  const auto stream = decoder->begin(), other = decoder->begin();
  at::Tensor changed = clip.clone();
  changed.select(1, 0).mul_(-1);
  const at::Tensor frames = stream->push(clip), of_changed = other->push(changed);
  EXPECT_FALSE(close(of_changed[-1], frames[-1], 1e-3));
  EXPECT_TRUE(close(frames, reference.frames_output, testing::kParity));
}

TEST_P(TamingClips, ChunksMatterOnlyWhereTheySaySo) {
  const auto stream = decoder->begin();
  std::vector<at::Tensor> frames;
  for (int64_t t = 0; t < clip.size(1); ++t) frames.push_back(stream->push(clip.narrow(1, t, 1)));
  const auto same = close(at::cat(frames), reference.frames_output, testing::kParity);
  EXPECT_EQ(bool(same), !decoder->depends_on_chunks());
}

TEST_P(TamingClips, RefusesWhatIsNoClipAndStops) {
  EXPECT_EQ(expect_error<TensorError>([&] { decoder->begin()->push(at::zeros({99, 2, 8, 8})); }).detail().field,
            "latents with time in front");
  expect_error<TensorError>([&] { decoder->begin()->push(at::zeros({1, 4, 2, 8, 8})); });
  std::stop_source source;
  source.request_stop();
  EXPECT_THROW(decoder->begin()->push(clip, source.get_token()), Cancelled);
}

TEST_P(TamingClips, EveryTensorIsNeededAndEveryShapeChecked) {
  const Tensors all = tensors_of(*reference.request.weights);
  const auto refuses = [&](Tensors tensors, const std::string& changed) {
    const NetworkRequest request = with_tensors(reference.request, std::move(tensors));
    if (changed.starts_with("encoder.")) {
      EXPECT_THROW(taming::family().make_encoder(request), Error) << changed;
    } else {
      EXPECT_THROW(taming::family().make_decoder(request), Error) << changed;
    }
  };
  for (const auto& [name, tensor] : all) {
    Tensors tensors = all;
    tensors.erase(name);
    refuses(tensors, name);
    for (int64_t axis = 0; axis < tensor.dim(); ++axis) {
      const bool says_latent_channels = axis == 1 && tensor.size(axis) == decoder->spec().channels;
      if (says_latent_channels) continue;
      std::vector<int64_t> shape = tensor.sizes().vec();
      shape[axis] += 1;
      tensors[name] = at::zeros(shape);
      refuses(tensors, name);
    }
  }
}

TEST(TamingClips, MissingTensorsAreNamed) {
  const std::map<std::string, std::vector<std::string>> cases{
      {"taming_taesdv", {"decoder.4.conv.0.weight", "decoder.19.bias"}},
      {"taming_taehv", {"decoder.7.conv.weight", "decoder.15.conv.4.bias", "decoder.22.weight"}},
      {"taming_temporal", {"mid_block.resnets.1.time_mixer.mix_factor", "layers.8.conv.2.weight"}}};
  for (const auto& [file, names] : cases) {
    const NetworkRequest request = stored_case(file).request;
    for (const std::string& name : names) {
      Tensors tensors = tensors_of(*request.weights);
      ASSERT_EQ(tensors.erase(name), 1) << name;
      const auto error =
          expect_error<WeightsError>([&] { taming::family().make_decoder(with_tensors(request, tensors)); });
      EXPECT_TRUE(contains(error.what(), "1 missing: " + name)) << error.what();
    }
  }
}

TEST(TamingClips, HasThePublishedSizes) {
  Tensors tensors = tensors_of(*stored_case("taming_temporal").request.weights);
  EXPECT_EQ(tensors.size(), 99);
  for (auto& [name, tensor] : tensors) {
    std::vector<int64_t> shape = tensor.sizes().vec();
    for (int64_t& size : shape)
      if (size == 12) size = 192;
    tensor = weightless(shape);
  }
  NetworkRequest request;
  request.dtype = DType::fp32;
  const auto decoder = taming::family().make_temporal_decoder(with_tensors(request, std::move(tensors)));
  EXPECT_EQ(decoder->info().parameters, 10897541);
  EXPECT_EQ(decoder->info().configuration, "width 192, blocks 3,2,2,1, bilinear, temporal middle");
  EXPECT_TRUE(decoder->spec().global_operations);
  const double pixels = 128 * 128;  // of the middle, for 64x64 latents
  const double attention = 2 * pixels * pixels * 192;
  EXPECT_NEAR((decoder->macs(1, 64, 64) - attention) / 1e9, 552 + 31, 1) << "the layers, and the middle's convolutions";
}

TEST(TamingClips, AnEncoderOfClipsTakesPictures) {
  const auto reference = stored_case("taming_taehv_wide");
  const auto encoder = taming::family().make_encoder(reference.request);
  EXPECT_EQ(encoder->spec().factor, 16);
  EXPECT_EQ(encoder->spec().output_range, OutputRange::unit);
  EXPECT_EQ(encoder->info().configuration, "width 8, blocks 0,3,3,3, each sees the frame before, 4 frames a latent");
  EXPECT_TRUE(encoder->info().skipped.contains("decoder."));
  EXPECT_GT(encoder->macs(64, 64), 0);
  testing::expect_batch_equals_single(*encoder, reference.encoder_input);
}

TEST(TamingClips, SuperDecodersAreRefusedByName) {
  const NetworkRequest request = with_tensors({}, {{"decoder.0.weight", at::zeros({16, 4, 1, 1})},
                                                   {"decoder.1.conv.0.weight", at::zeros({32, 1, 7, 7})},
                                                   {"decoder.1.conv.1.weight", at::zeros({64, 32, 1, 1})}});
  EXPECT_TRUE(taming::family().recognises(*request.weights));
  for (const auto& make : {std::function([&] { taming::family().make_decoder(request); }),
                           std::function([&] { taming::family().make_temporal_decoder(request); })})
    EXPECT_TRUE(contains(expect_error<UnsupportedError>(make).what(), "'super'"));
}

TEST(TamingClips, MemoryMakesFramesOfLatents) {
  const NetworkRequest request = stored_case("taming_taehv").request;
  const auto clips = taming::family().make_temporal_decoder(request);
  EXPECT_FALSE(clips->depends_on_chunks());
  EXPECT_EQ(clips->spec().factor, 16);
  EXPECT_FALSE(clips->spec().global_operations);
  EXPECT_EQ(clips->info().configuration, "width 12, blocks 3,3,3,0, each sees the frame before, 4 frames a latent");
  const auto stream = clips->begin();
  EXPECT_EQ(stream->push(at::zeros({5, 1, 2, 2})).size(0), 1) << "three of the first latent's frames are dropped";
  EXPECT_EQ(stream->push(at::zeros({5, 3, 2, 2})).size(0), 12);
  EXPECT_EQ(clips->macs(3, 4, 5), 3 * clips->macs(1, 4, 5));
  EXPECT_EQ(clips->macs(1, 4, 5), taming::family().make_decoder(request)->macs(4, 5));
  EXPECT_EQ(taming::family().make_decoder(stored_case("taming_taesdv").request)->spec().halo, 19);
}

}  // namespace
}  // namespace lightswitch
