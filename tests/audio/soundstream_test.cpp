// Networks against the PyTorch definition, their sizes, and what they refuse.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/audio/quantizer.hpp>
#include <lightswitch/audio/soundstream.hpp>
#include <lightswitch/error.hpp>

#include "audio/codec_case.hpp"
#include "support/errors.hpp"
#include "support/weights.hpp"

namespace lightswitch::audio {
namespace {

using lightswitch::testing::contains;
using lightswitch::testing::expect_error;
using testing::largest_difference;
using testing::numbers_of;

/// On numbers of order one.
constexpr double kParity = 1e-4;

void expect_parity(const testing::CodecCase& reference) {
  const Layout& layout = reference.layout;
  const SoundStreamEncoder encoder(layout, reference.weights, "encoder.");
  std::vector<float> embeddings(reference.embeddings.numel());
  auto state = encoder.start();
  encoder.encode(numbers_of(reference.samples), state, embeddings);
  EXPECT_NEAR(reference.embeddings.std().item<double>(), 1, 0.5);
  const double encoded = largest_difference(embeddings, numbers_of(reference.embeddings));
  EXPECT_LE(encoded, kParity);

  const SoundStreamDecoder decoder(layout, reference.weights, "heavy.");
  std::vector<float> samples(reference.decoded.numel());
  state = decoder.start();
  decoder.decode(numbers_of(reference.embeddings), state, samples);
  EXPECT_NEAR(reference.decoded.std().item<double>(), 1, 0.5);
  const double decoded = largest_difference(samples, numbers_of(reference.decoded));
  EXPECT_LE(decoded, kParity);
  ::testing::Test::RecordProperty("encoder", c10::str(encoded));
  ::testing::Test::RecordProperty("decoder", c10::str(decoded));

  const ResidualQuantizer quantizer(reference.weights->read("quantizer.codebooks"));
  std::vector<int32_t> indices(reference.indices.numel());
  quantizer.encode(numbers_of(reference.embeddings), quantizer.stages(), indices);
  const at::Tensor expected = reference.indices.to(at::kInt).contiguous();
  EXPECT_TRUE(std::equal(indices.begin(), indices.end(), expected.const_data_ptr<int32_t>()));
  std::vector<float> summed(embeddings.size());
  quantizer.decode(indices, quantizer.stages(), summed);
  EXPECT_LE(largest_difference(summed, numbers_of(reference.dequantized)), 1e-6);
}

TEST(SoundStream, StoredCase) {
  expect_parity(testing::stored_codec("odd"));
}

class SoundStreamInPython : public ::testing::TestWithParam<const char*> {};

TEST_P(SoundStreamInPython, IsTheSame) {
  const auto reference = testing::python_codec(GetParam());
  if (!reference) GTEST_SKIP() << "LIGHTSWITCH_REFERENCE_PYTHON does not name a Python with torch";
  expect_parity(*reference);
}

INSTANTIATE_TEST_SUITE_P(Layouts, SoundStreamInPython, ::testing::Values("heavy", "light", "paper", "odd"),
                         [](const auto& test) { return std::string(test.param); });

TEST(SoundStream, HeavyAndLightHaveTheSizesOfTheDesign) {
  const SoundStreamDecoder heavy(Layout::heavy(), testing::random_decoder(Layout::heavy()));
  EXPECT_EQ(heavy.parameters(), 660289);
  EXPECT_EQ(heavy.macs_per_frame(), 1995008);  // 99.75 million a second at 50 frames
  const SoundStreamDecoder light(Layout::light(), testing::random_decoder(Layout::light()));
  EXPECT_EQ(light.parameters(), 27673);
  EXPECT_EQ(light.macs_per_frame(), 138816);  // 6.94 million a second
  const SoundStreamEncoder encoder(Layout::heavy(), testing::random_encoder(Layout::heavy()));
  EXPECT_EQ(encoder.parameters(), 660352);
  EXPECT_EQ(encoder.macs_per_frame(), 1995008);
}

TEST(SoundStream, ThePapersDecoderHasItsSize) {
  const SoundStreamDecoder decoder(Layout::paper(32), testing::random_decoder(Layout::paper(32)));
  // 4.56 thousand million multiply-adds a second at 75 frames
  EXPECT_NEAR(static_cast<double>(decoder.macs_per_frame()) * 75, 4.56e9, 0.01e9);
  std::vector<float> samples(320);
  auto state = decoder.start();
  decoder.decode(testing::noise(64), state, samples);
  EXPECT_GT(largest_difference(samples, std::vector<float>(320)), 0.1);
}

TEST(SoundStream, FilesThatDoNotFitAreRefused) {
  const auto sound = testing::stored_codec("odd");
  const auto refusal = [&](const std::function<void(lightswitch::testing::Tensors&)>& change) {
    auto tensors = lightswitch::testing::tensors_of(*sound.weights);
    change(tensors);
    const auto weights = weights_from_memory(std::move(tensors), "changed.safetensors");
    return std::string(expect_error<WeightsError>([&] { SoundStreamDecoder(sound.layout, weights, "heavy."); }).what());
  };
  EXPECT_TRUE(contains(refusal([](auto& t) { t.erase("heavy.last.bias"); }), "1 missing: heavy.last.bias"));
  EXPECT_TRUE(contains(refusal([](auto& t) { t["heavy.extra"] = at::ones({1}); }), "1 unexpected: heavy.extra"));
  EXPECT_TRUE(contains(refusal([](auto& t) { t["heavy.first.weight"] = at::ones({20, 6, 2}); }),
                       "heavy.first.weight (expected [20, 3, 2], found [20, 6, 2])"));
}

TEST(SoundStream, WrongSizesAndStatesAreRefused) {
  const auto sound = testing::stored_codec("odd");
  const SoundStreamDecoder decoder(sound.layout, sound.weights, "heavy.");
  const SoundStreamEncoder encoder(sound.layout, sound.weights, "encoder.");
  auto state = decoder.start(), foreign = StreamState(3);
  std::vector<float> room(1000);
  EXPECT_EQ(expect_error<TensorError>([&] { decoder.decode(testing::noise(7), state, room); }).detail().field,
            "embeddings");
  EXPECT_EQ(expect_error<TensorError>([&] { decoder.decode(testing::noise(12), state, std::span(room).first(47)); })
                .detail()
                .field,
            "samples");
  EXPECT_EQ(expect_error<TensorError>([&] { encoder.encode(testing::noise(24), foreign, room); }).detail().field,
            "state");
  EXPECT_EQ(expect_error<TensorError>([&] { decoder.warm_up(testing::noise(7), state); }).detail().field, "embeddings");
}

}  // namespace
}  // namespace lightswitch::audio
