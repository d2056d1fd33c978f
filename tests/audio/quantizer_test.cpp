#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/audio/quantizer.hpp>
#include <lightswitch/error.hpp>

#include "audio/codec_case.hpp"
#include "support/errors.hpp"

namespace lightswitch::audio {
namespace {

using lightswitch::testing::expect_error;
using testing::largest_difference;
using testing::noise;
using testing::numbers_of;

TEST(Quantizer, FirstStagesOfACodeAreACode) {
  const auto reference = testing::stored_codec("odd");
  const ResidualQuantizer quantizer(reference.weights->read("quantizer.codebooks"));
  const int64_t frames = reference.embeddings.size(0), all = quantizer.stages();
  std::vector<int32_t> whole(frames * all);
  quantizer.encode(numbers_of(reference.embeddings), all, whole);
  double before = INFINITY;
  for (int64_t stages = 1; stages <= all; ++stages) {
    std::vector<int32_t> indices(frames * stages);
    quantizer.encode(numbers_of(reference.embeddings), stages, indices);
    for (int64_t frame = 0; frame < frames; ++frame)
      for (int64_t stage = 0; stage < stages; ++stage)
        EXPECT_EQ(indices[frame * stages + stage], whole[frame * all + stage]);
    std::vector<float> summed(reference.embeddings.numel());
    quantizer.decode(indices, stages, summed);
    if (stages == 2) {
      EXPECT_LE(largest_difference(summed, numbers_of(reference.dequantized_2)), 1e-6);
    }
    const at::Tensor error = at::tensor(summed) - reference.embeddings.flatten();
    EXPECT_LT(error.square().mean().item<double>(), before);
    before = error.square().mean().item<double>();
  }
}

TEST(Quantizer, ManyEntriesAreSearchedInPieces) {
  // 600 entries: more than one piece, and a rest that fills no vector register. Every entry's own code is itself.
  const at::Tensor books = at::randn({1, 600, 8}, at::detail::createCPUGenerator(2));
  const ResidualQuantizer quantizer(books);
  std::vector<int32_t> indices(600);
  quantizer.encode(numbers_of(books), 1, indices);
  for (int32_t i = 0; i < 600; ++i) EXPECT_EQ(indices[i], i);
  EXPECT_EQ(quantizer.bits(), 10);
}

TEST(Quantizer, TiesGoToTheLowestIndex) {
  at::Tensor books = at::zeros({1, 300, 2});
  books[0][40] = at::ones({2});
  books[0][41] = at::ones({2});
  books[0][290] = at::ones({2});
  const ResidualQuantizer quantizer(books);
  std::vector<int32_t> indices(2);
  quantizer.encode(std::vector<float>{1, 1, 0, 0}, 1, indices);
  EXPECT_EQ(indices, (std::vector<int32_t>{40, 0}));
}

TEST(Quantizer, BitsOfAnIndex) {
  for (const auto& [entries, bits] : {std::pair{1, 0}, {2, 1}, {16, 4}, {17, 5}, {256, 8}})
    EXPECT_EQ(ResidualQuantizer(at::zeros({1, entries, 1})).bits(), bits);
}

TEST(Quantizer, WhatDoesNotFitIsRefused) {
  expect_error<TensorError>([] { ResidualQuantizer(at::zeros({2, 3})); });
  expect_error<TensorError>([] { ResidualQuantizer(at::zeros({2, 0, 3})); });
  expect_error<TensorError>([] { ResidualQuantizer(at::zeros({2, 3, 4}, at::kInt)); });
  expect_error<TensorError>([] { ResidualQuantizer(at::zeros({1, 70000, 1})); });
  expect_error<NumericError>([] { ResidualQuantizer(at::full({1, 2, 3}, NAN)); });
  const ResidualQuantizer quantizer(at::randn({3, 4, 5}));
  std::vector<int32_t> indices(6);
  std::vector<float> embeddings = noise(10);
  expect_error<OptionError>([&] { quantizer.encode(embeddings, 4, indices); });
  expect_error<OptionError>([&] { quantizer.encode(embeddings, 0, indices); });
  expect_error<TensorError>([&] { quantizer.encode(embeddings, 2, indices); });
  expect_error<TensorError>([&] { quantizer.encode(noise(11), 3, indices); });
  for (const int32_t lie : {-1, 4, 1 << 30}) {
    indices[3] = lie;
    expect_error<TensorError>([&] { quantizer.decode(indices, 3, embeddings); });
  }
  embeddings[7] = NAN;
  expect_error<NumericError>([&] { quantizer.encode(embeddings, 3, indices); });
}

}  // namespace
}  // namespace lightswitch::audio
