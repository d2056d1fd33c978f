// plugin_adapter.hpp: a C++ Decoder and Encoder on the other side of the C boundary.

#include <gtest/gtest.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/plugin_host.hpp>
#include <lightswitch/temporal_decoder.hpp>

#include <chrono>
#include <new>
#include <thread>

#include "abi/plugins.hpp"
#include "support/errors.hpp"
#include "support/network_contract.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using namespace lightswitch::testing;

std::shared_ptr<const Decoder> open(const std::string& fault = "none") {
  return open_plugin_decoder({fake_plugin("adapted"), ""}, {.options = {{"fault", fault}}});
}

at::Tensor decoded(const std::string& fault) {
  return open(fault)->forward(at::zeros({1, 3, 2, 2}));
}

template <typename Wanted>
void expect_fault(const std::string& fault, const std::string& text) {
  const auto error = expect_error<Wanted>([&] { decoded(fault); });
  EXPECT_TRUE(contains(error.what(), text));
  EXPECT_EQ(error.detail().file, fake_plugin("adapted").string());
}

TEST(Adapter, CarriesFactsBothWays) {
  const auto decoder = open();
  EXPECT_EQ(decoder->info().family, "adapted");
  EXPECT_EQ(decoder->info().configuration, "two lines");
  EXPECT_EQ(decoder->info().parameters, 12);
  EXPECT_EQ(decoder->spec().space, "adapted");
  EXPECT_EQ(decoder->spec().channels, 3);
  EXPECT_EQ(decoder->spec().factor, 4);
  EXPECT_EQ(decoder->spec().network_input, LatentKind::raw);
  EXPECT_EQ(decoder->spec().scaling_factor, 0.5);
  EXPECT_EQ(decoder->spec().shift_factor, 0.25);
  EXPECT_EQ(decoder->spec().output_range, OutputRange::signed_unit);
  EXPECT_EQ(decoder->spec().halo, 2);
  EXPECT_EQ(decoder->macs(2, 3), 72);
}

TEST(Adapter, DecodesAndEncodes) {
  const auto latents = random_tensor({2, 3, 4, 5});
  EXPECT_TRUE(close(open()->forward(latents), at::upsample_nearest2d(latents, {16, 20}), 0));
  const auto encoder = open_plugin_encoder({fake_plugin("adapted"), ""});
  const auto pictures = random_tensor({2, 3, 8, 12});
  EXPECT_TRUE(close(encoder->forward(pictures), at::avg_pool2d(pictures, 4), 1e-6));
  EXPECT_EQ(encoder->macs(8, 12), 96);
  EXPECT_EQ(encode(*encoder, pictures.sigmoid()).sizes(), at::IntArrayRef({2, 3, 2, 3}));
  expect_error<TensorError>([&] { encoder->forward(random_tensor({1, 3, 7, 8})); });
}

TEST(Adapter, KeepsTheContractOfADecoder) {
  const auto latents = random_tensor({1, 3, 4, 4});
  expect_batch_equals_single(*open(), latents);
  expect_thread_safe(*open(), latents, open()->forward(latents), 0);
}

TEST(Adapter, TurnsEveryExceptionIntoItsOwnKind) {
  expect_fault<FileError>("file", "w.safetensors: file: failed: expected sound, found broken");
  expect_fault<FormatError>("format", "found broken");
  expect_fault<IntegrityError>("integrity", "found broken");
  expect_fault<WeightsError>("weights", "found broken");
  expect_fault<OptionError>("option", "found broken");
  expect_fault<TensorError>("tensor", "found broken");
  expect_fault<NumericError>("numeric", "found broken");
  expect_fault<UnsupportedError>("unsupported", "found broken");
  expect_fault<PluginError>("torch", "mat1 and mat2");
  expect_fault<PluginError>("standard", "a standard exception");
  expect_fault<PluginError>("number", "unknown type");
  EXPECT_THROW(decoded("cancelled"), Cancelled);
  EXPECT_THROW(decoded("memory"), std::bad_alloc);
}

TEST(Adapter, TurnsExceptionsOfCreationToo) {
  expect_error<WeightsError>([] { open("create-weights"); });
  EXPECT_TRUE(contains(expect_error<PluginError>([] { open("create-number"); }).what(), "unknown type"));
}

TEST(Adapter, AWrongShapeIsAnErrorWithBothShapes) {
  const auto error = expect_error<TensorError>([] { decoded("shape"); });
  EXPECT_TRUE(contains(error.what(), "expected [1, 3, 8, 8], found [1, 3, 5, 5]"));
}

TEST(Adapter, NaNIsNoticed) {
  expect_error<NumericError>([] { decode(*open("nan"), at::zeros({1, 3, 2, 2}), {.kind = LatentKind::raw}); });
}

std::shared_ptr<const TemporalDecoder> open_clips(const std::string& fault = "none") {
  return open_plugin_temporal_decoder({fake_plugin("adapted"), ""}, {.options = {{"fault", fault}}});
}

TEST(Adapter, FramesComeWhenTheyAreReady) {
  const auto decoder = open_clips();
  EXPECT_EQ(decoder->spec().factor, 4);
  EXPECT_EQ(decoder->info().family, "adapted");
  EXPECT_FALSE(decoder->depends_on_chunks());
  EXPECT_EQ(decoder->macs(5, 2, 3), 30);
  EXPECT_EQ(decoder->frames(5), 4);
  const auto latents = random_tensor({3, 4, 2, 3});
  const auto stream = decoder->begin();
  EXPECT_EQ(stream->push(latents.narrow(1, 0, 1)).sizes(), at::IntArrayRef({0, 3, 8, 12}));  // held back
  const auto frames = stream->push(latents.narrow(1, 1, 3));
  ASSERT_EQ(frames.sizes(), at::IntArrayRef({3, 3, 8, 12}));
  const auto first = latents.select(1, 0).unsqueeze(0);
  EXPECT_TRUE(close(frames.narrow(0, 0, 1), at::upsample_nearest2d(first, {8, 12}) + first.mean(), 1e-6));
  EXPECT_TRUE(close(decoder->begin()->push(latents), frames, 1e-6));
  expect_error<TensorError>([&] { stream->push(latents[0]); });
}

TEST(Adapter, AStreamFailsAsADecoderDoes) {
  const auto latents = at::zeros({3, 2, 2, 2});
  const auto push = [&](const std::string& fault) { open_clips(fault)->begin()->push(latents); };
  EXPECT_TRUE(contains(expect_error<NumericError>([&] { push("numeric"); }).what(), "found broken"));
  EXPECT_TRUE(contains(expect_error<PluginError>([&] { push("number"); }).what(), "unknown type"));
  EXPECT_TRUE(contains(expect_error<PluginError>([&] { push("shape"); }).what(),
                       "expected [T, 3, 8, 8] float32, found [1, 3, 5, 5]"));
  EXPECT_THROW(push("memory"), std::bad_alloc);
  std::stop_source source;
  source.request_stop();
  EXPECT_THROW(open_clips()->begin()->push(latents, source.get_token()), Cancelled);
  expect_error<WeightsError>([] { open_clips("create-weights"); });
  expect_error<UnsupportedError>([] { open_plugin_temporal_decoder({fake_plugin("good"), ""}); });
}

TEST(Adapter, AStopReachesTheDecoderWhileItWorks) {
  const auto decoder = open("waits");
  std::stop_source source;
  const std::jthread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    source.request_stop();
  });
  EXPECT_THROW(decoder->forward(at::zeros({1, 3, 2, 2}), source.get_token()), Cancelled);
}

}  // namespace
}  // namespace lightswitch
