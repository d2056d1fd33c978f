#include "nn/weight_loader.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/errors.hpp"
#include "support/tensors.hpp"

namespace lightswitch::nn {
namespace {

using testing::contains;
using testing::expect_error;
using Tensors = std::map<std::string, at::Tensor>;

WeightLoader loader_of(Tensors tensors, std::string prefix, std::vector<std::string> siblings = {}) {
  NetworkRequest request;
  request.weights = weights_from_memory(std::move(tensors), "toy.safetensors");
  request.dtype = DType::fp32;
  return WeightLoader(request, std::move(prefix), std::move(siblings));
}

TEST(WeightLoader, TakesEverythingAndSkipsSiblings) {
  auto loader =
      loader_of({{"decoder.a", at::full({2, 3}, 2.0)}, {"encoder.b", at::zeros({1})}, {"extra", at::ones({1})}},
                "decoder.", {"encoder."});
  EXPECT_TRUE(at::equal(loader.take("a", {2, 3}), at::full({2, 3}, 2.0)));
  EXPECT_TRUE(at::equal(loader.take_absolute("extra", {1}), at::ones({1})));
  EXPECT_EQ(loader.parameters(), 7);
  EXPECT_NO_THROW(loader.finish());
}

TEST(WeightLoader, KnowsNamesAndShapesInsideThePrefix) {
  const auto loader = loader_of({{"decoder.a", at::zeros({2, 3})}}, "decoder.");
  EXPECT_TRUE(loader.has("a"));
  EXPECT_FALSE(loader.has("decoder.a"));
  EXPECT_TRUE(loader.has_absolute("decoder.a"));
  EXPECT_EQ(loader.shape_of("a"), (std::vector<int64_t>{2, 3}));
  EXPECT_TRUE(loader.shape_of("b").empty());
}

TEST(WeightLoader, GivesSinglePrecisionWhateverIsStored) {
  auto loader = loader_of({{"half", at::full({2}, 0.5, at::kHalf)}, {"brain", at::full({2}, 0.25, at::kBFloat16)}}, "");
  EXPECT_EQ(loader.take("half", {2}).scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(loader.take("brain", {2}), at::full({2}, 0.25)));
}

TEST(WeightLoader, CountsATensorTakenTwiceOnce) {
  auto loader = loader_of({{"a", at::zeros({5})}}, "");
  loader.take("a", {5});
  loader.take("a", {5});
  EXPECT_EQ(loader.parameters(), 5);
}

TEST(WeightLoader, FilesMayNameTensorsOtherwise) {
  NetworkRequest request;
  request.weights = weights_from_memory({{"model.decoder.old", at::full({2, 3, 1, 1}, 2.0)},
                                         {"model.decoder.extra", at::zeros({1})},
                                         {"model.loss.a", at::zeros({1})},
                                         {"unet.a", at::zeros({1})}},
                                        "toy.safetensors");
  request.dtype = DType::fp32;
  const auto stored = [](const std::string& name) { return name == "decoder.new" ? "decoder.old" : name; };
  WeightLoader loader(request, "decoder.", {"loss."}, {.scope = "model.", .stored = stored});
  EXPECT_TRUE(loader.has("new"));
  EXPECT_FALSE(loader.has("other"));
  EXPECT_EQ(loader.axis_of("new", 1, 9), 3);
  EXPECT_EQ(loader.axis_of("other", 1, 9), 9);
  EXPECT_TRUE(at::equal(loader.take("new", {2, 3, 1, 1}), at::full({2, 3, 1, 1}, 2.0)));
  loader.take("other", {1});
  const auto error = expect_error<WeightsError>([&] { loader.finish(); });
  EXPECT_TRUE(contains(error.what(), "1 missing: model.decoder.other"));
  EXPECT_TRUE(contains(error.what(), "1 unexpected: model.decoder.extra"));
}

TEST(WeightLoader, OneErrorListsEverythingThatIsWrong) {
  auto loader = loader_of({{"net.shape", at::zeros({2})},
                           {"net.extra", at::zeros({1})},
                           {"stray", at::zeros({1})},
                           {"net.count", at::zeros({1}, at::kInt)}},
                          "net.");
  EXPECT_TRUE(at::equal(loader.take("missing", {3}), at::zeros({3})));
  EXPECT_TRUE(at::equal(loader.take("shape", {4}), at::zeros({4})));
  loader.take("count", {1});
  const auto error = expect_error<WeightsError>([&] { loader.finish(); });
  EXPECT_EQ(error.detail().file, "toy.safetensors");
  EXPECT_TRUE(contains(error.what(), "1 missing: net.missing;"));
  EXPECT_TRUE(contains(
      error.what(),
      "2 misshapen: net.shape (expected [4], found [2]), net.count (expected floating-point numbers, found Int)"));
  EXPECT_TRUE(contains(error.what(), "2 unexpected: net.extra, stray"));
}

TEST(WeightLoader, LongListsNameTheFirstTenAndCountAll) {
  auto loader = loader_of({}, "");
  for (int i = 0; i < 25; ++i) loader.take("tensor" + std::to_string(i), {1});
  const std::string text = expect_error<WeightsError>([&] { loader.finish(); }).what();
  EXPECT_TRUE(contains(text, "25 missing: tensor0, "));
  EXPECT_TRUE(contains(text, "tensor9, and 15 more"));
  EXPECT_FALSE(contains(text, "tensor10"));
}

TEST(WeightLoader, IgnoredTensorsAreNotUnexpected) {
  auto loader = loader_of({{"net.num_batches_tracked", at::zeros({}, at::kLong)}}, "net.");
  EXPECT_THROW(loader.finish(), WeightsError);
  loader.ignore("num_batches_tracked");
  EXPECT_NO_THROW(loader.finish());
}

TEST(WeightLoader, AbsurdShapesAreRefusedBeforeTheyAreAllocated) {
  auto loader = loader_of({}, "");
  expect_error<WeightsError>([&] { loader.take("huge", {int64_t(1) << 40, 1024}); });
  auto other = loader_of({}, "");
  expect_error<WeightsError>([&] { other.take("overflowing", {int64_t(1) << 40, int64_t(1) << 40}); });
}

TEST(DTypes, ResolveToWhatTheMachineCanDo) {
  EXPECT_EQ(resolve_dtype(DType::fp32, at::kCPU), DType::fp32);
  EXPECT_EQ(resolve_dtype(DType::bf16, at::kCPU), DType::bf16);
  EXPECT_EQ(resolve_dtype(DType::automatic, at::kCUDA), DType::bf16);
  EXPECT_EQ(resolve_dtype(DType::fp16, at::kCUDA), DType::fp16);
  EXPECT_NE(resolve_dtype(DType::automatic, at::kCPU), DType::automatic);
  EXPECT_EQ(expect_error<UnsupportedError>([] { resolve_dtype(DType::fp16, at::kCPU); }).detail().field, "dtype");
  EXPECT_EQ(scalar_type(DType::bf16), at::kBFloat16);
  EXPECT_EQ(scalar_type(DType::fp32), at::kFloat);
}

}  // namespace
}  // namespace lightswitch::nn
