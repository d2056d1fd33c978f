#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/frechet.hpp>
#include <lightswitch/weights.hpp>

#include <cmath>
#include <map>
#include <string>

#include "metrics/reference_numbers.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using namespace lightswitch::testing;

FeatureStatistics statistics_of(const at::Tensor& features, const std::string& source = "") {
  FeatureStatistics statistics(source);
  statistics.add(features);
  return statistics;
}

at::Tensor two_pass_covariance(const at::Tensor& features) {
  const at::Tensor deviations = features.to(at::kDouble) - features.to(at::kDouble).mean(0);
  return deviations.t().matmul(deviations) / static_cast<double>(features.size(0) - 1);
}

TEST(FeatureStatistics, DoNotDependOnHowTheSamplesCome) {
  const at::Tensor features = random_tensor({101, 7}, 1);
  const FeatureStatistics whole = statistics_of(features);
  FeatureStatistics one_by_one;
  for (int64_t i = 0; i < 101; ++i) one_by_one.add(features.narrow(0, i, 1));
  EXPECT_EQ(one_by_one.count(), 101);
  EXPECT_TRUE(close(one_by_one.mean(), whole.mean(), 1e-12));
  EXPECT_TRUE(close(one_by_one.covariance(), whole.covariance(), 1e-12));
  EXPECT_TRUE(close(whole.covariance(), two_pass_covariance(features), 1e-12));
}

TEST(FeatureStatistics, ShardsMergeIntoTheWhole) {
  const at::Tensor features = random_tensor({90, 16}, 2) * 3 + 5;
  FeatureStatistics merged;
  const auto keep = statistics_of(features.narrow(0, 10, 33));
  for (const auto& part : {statistics_of(features.narrow(0, 0, 10)), keep, FeatureStatistics(),
                           statistics_of(features.narrow(0, 43, 1)), statistics_of(features.narrow(0, 44, 46))})
    merged.merge(part);
  const FeatureStatistics whole = statistics_of(features);
  EXPECT_EQ(merged.count(), 90);
  EXPECT_TRUE(close(merged.mean(), whole.mean(), 1e-9));
  EXPECT_TRUE(close(merged.covariance(), whole.covariance(), 1e-9));
  EXPECT_TRUE(close(keep.covariance(), two_pass_covariance(features.narrow(0, 10, 33)), 1e-12)) << "as it was";
  const FeatureStatistics other = statistics_of(random_tensor({90, 16}, 3));
  EXPECT_NEAR(frechet_distance(merged, other), frechet_distance(whole, other), 1e-9);
}

TEST(FeatureStatistics, CopiesGoTheirOwnWays) {
  FeatureStatistics first = statistics_of(random_tensor({5, 3}, 1));
  const FeatureStatistics copy = first;
  const at::Tensor before = copy.covariance();
  first.add(random_tensor({5, 3}, 2));
  EXPECT_TRUE(at::equal(copy.covariance(), before));
  EXPECT_EQ(copy.count(), 5);
}

TEST(FeatureStatistics, ALargeMeanCostsNoDigits) {
  const at::Tensor small = random_tensor({400, 4}, 3).to(at::kDouble);
  const double far = 1ull << 30;  // squares of it have no digits left for a variance of 1
  FeatureStatistics statistics;
  for (int64_t i = 0; i < 400; ++i) statistics.add(small.narrow(0, i, 1) + far);
  EXPECT_TRUE(close(statistics.covariance(), two_pass_covariance(small), 1e-6));
}

TEST(FeatureStatistics, ComeBackFromAFileToTheLastBit) {
  const TemporaryFolder folder;
  const FeatureStatistics kept = statistics_of(random_tensor({11, 5}, 1), "network 1");
  kept.save(folder / "a.safetensors");
  const FeatureStatistics back = FeatureStatistics::load(folder / "a.safetensors");
  EXPECT_EQ(back.count(), 11);
  EXPECT_EQ(back.source(), "network 1");
  EXPECT_TRUE(at::equal(back.mean(), kept.mean()));
  EXPECT_TRUE(at::equal(back.covariance(), kept.covariance()));
}

TEST(FeatureStatistics, WhatIsNoSampleIsRefusedAndLeavesThemAsTheyWere) {
  FeatureStatistics statistics = statistics_of(random_tensor({4, 3}, 1));
  const at::Tensor before = statistics.covariance();
  EXPECT_EQ(expect_error<TensorError>([&] { statistics.add(random_tensor({4, 2})); }).detail().expected,
            "[N, 3] floating point");
  expect_error<TensorError>([&] { statistics.add(random_tensor({3})); });
  expect_error<TensorError>([&] { statistics.add(at::zeros({1, 3}, at::kLong)); });
  expect_error<TensorError>([&] { statistics.add(at::Tensor()); });
  expect_error<TensorError>([&] { FeatureStatistics().add(at::zeros({2, 0})); });
  expect_error<NumericError>([&] { statistics.add(at::full({1, 3}, NAN)); });
  expect_error<NumericError>([&] { statistics.add(at::full({1, 3}, INFINITY)); });
  expect_error<TensorError>([&] { statistics.merge(statistics_of(random_tensor({4, 2}))); });
  EXPECT_TRUE(at::equal(statistics.covariance(), before));
  expect_error<TensorError>([] { FeatureStatistics().mean(); });
  EXPECT_EQ(
      expect_error<TensorError>([] { (void)statistics_of(random_tensor({1, 3})).covariance(); }).detail().expected,
      "2 samples or more");
}

TEST(FeatureStatistics, OfAnotherNetworkDoNotMix) {
  FeatureStatistics first = statistics_of(random_tensor({4, 3}, 1), "a"), second = first;
  const FeatureStatistics other = statistics_of(random_tensor({4, 3}, 1), "b"),
                          unknown = statistics_of(random_tensor({4, 3}, 2));
  expect_error<TensorError>([&] { first.merge(other); });
  expect_error<TensorError>([&] { frechet_distance(first, other); });
  EXPECT_GT(frechet_distance(first, unknown), 0);
  second.merge(unknown);
  EXPECT_EQ(second.source(), "a");
}

/// A file that is sound until something in it is changed.
struct StatisticsFile {
  std::map<std::string, at::Tensor> tensors = {{"mean", at::zeros({2}, at::kDouble)},
                                               {"scatter", at::eye(2, at::kDouble)}};
  std::map<std::string, std::string> metadata = {
      {"format", "lightswitch.feature_statistics"}, {"version", "1"}, {"count", "3"}, {"source", "x"}};

  /// The field that is at fault.
  template <typename Wanted>
  std::string refused() const {
    const TemporaryFolder folder;
    save_safetensors(folder / "file", tensors, metadata);
    const auto error = expect_error<Wanted>([&] { FeatureStatistics::load(folder / "file"); });
    EXPECT_EQ(error.detail().file, (folder / "file").string());
    return error.detail().field;
  }
};

TEST(StatisticsFile, ASoundOneIsRead) {
  const TemporaryFolder folder;
  const StatisticsFile sound;
  save_safetensors(folder / "file", sound.tensors, sound.metadata);
  EXPECT_EQ(FeatureStatistics::load(folder / "file").count(), 3);
}

TEST(StatisticsFile, MetadataIsChecked) {
  for (const char* key : {"format", "version"}) {
    StatisticsFile other;
    other.metadata[key] = "lightswitch.latents";
    EXPECT_EQ(other.refused<FormatError>(), key);
    other.metadata.erase(key);
    EXPECT_EQ(other.refused<FormatError>(), key);
  }
  for (const char* count : {"", "0", "-1", "3x", "1e3", "9223372036854775807", "99999999999999999999"}) {
    StatisticsFile other;
    other.metadata["count"] = count;
    EXPECT_EQ(other.refused<FormatError>(), "count") << count;
  }
}

TEST(StatisticsFile, TensorsAreChecked) {
  const auto with = [](const char* name, const at::Tensor& tensor) {
    StatisticsFile other;
    other.tensors[name] = tensor;
    return other;
  };
  EXPECT_EQ(with("mean", at::zeros({2})).refused<FormatError>(), "mean") << "float32";
  EXPECT_EQ(with("mean", at::zeros({1, 2}, at::kDouble)).refused<FormatError>(), "mean");
  EXPECT_EQ(with("scatter", at::eye(3, at::kDouble)).refused<FormatError>(), "scatter");
  EXPECT_EQ(with("scatter", -at::eye(2, at::kDouble)).refused<FormatError>(), "scatter");
  EXPECT_EQ(with("scatter", at::ones({2, 2}, at::kDouble).triu()).refused<FormatError>(), "scatter");
  EXPECT_EQ(with("mean", at::full({2}, NAN, at::kDouble)).refused<NumericError>(), "mean");
  StatisticsFile less;
  less.tensors.erase("scatter");
  EXPECT_EQ(less.refused<FormatError>(), "scatter");
  less.tensors = {{"scatter", at::eye(2, at::kDouble)}};
  EXPECT_EQ(less.refused<FormatError>(), "mean");
}

TEST(StatisticsFile, OtherFilesAreRefused) {
  const TemporaryFolder folder;
  expect_error<FileError>([&] { FeatureStatistics::load(folder / "none"); });
  expect_error<FormatError>([&] { FeatureStatistics::load(write_file(folder / "text", "mean: 3, count: 4")); });
}

TEST(Frechet, OfOneDimensionIsThatOfTwoNormalDistributions) {
  const at::Tensor x = random_tensor({500, 1}, 1).to(at::kDouble);
  const at::Tensor unit = (x - x.mean()) / x.std();
  // (3 - 1)² + (5 - 2)²
  EXPECT_NEAR(frechet_of(unit * 2 + 1, unit * 5 + 3), 13, 1e-9);
}

TEST(Frechet, IsNothingForEqualSetsAndSymmetricForOthers) {
  const at::Tensor a = random_tensor({30, 8}, 1), b = random_tensor({40, 8}, 2) * 2, few = random_tensor({4, 8}, 3);
  EXPECT_NEAR(frechet_of(a, a), 0, 1e-12);
  EXPECT_NEAR(frechet_of(few, few), 0, 1e-12) << "a singular covariance";
  EXPECT_NEAR(frechet_of(a, b), frechet_of(b, a), 1e-10);
  EXPECT_GT(frechet_of(a, b), 1);
  const at::Tensor still = at::ones({3, 8});
  EXPECT_NEAR(frechet_of(still, still + 1), 8, 1e-12) << "no variance at all";
}

TEST(Frechet, WhatHasNoDistanceIsRefused) {
  const FeatureStatistics a = statistics_of(random_tensor({5, 3}, 1));
  EXPECT_EQ(
      expect_error<TensorError>([&] { frechet_distance(a, statistics_of(random_tensor({5, 4}))); }).detail().field,
      "dimensions");
  expect_error<TensorError>([&] { frechet_distance(a, statistics_of(random_tensor({1, 3}))); });
  expect_error<TensorError>([&] { frechet_distance(FeatureStatistics(), a); });
}

/// Mean and spread of a picture's numbers; of a clip's first and last frame their difference too.
class PlainFeatures final : public FeatureNetwork {
 public:
  at::Tensor features(const at::Tensor& batch) const override {
    const at::Tensor change = batch.dim() == 5 ? batch.select(2, -1) - batch.select(2, 0) : at::zeros_like(batch);
    return at::stack({batch.flatten(1).mean(1), change.flatten(1).mean(1)}, 1);
  }
};

TEST(ClipFeatures, AreOfTheClipOrTheMeanOfItsFrames) {
  const at::Tensor clip = random_tensor({5, 3, 4, 6}, 1).sigmoid();
  const at::Tensor whole = clip_features(PlainFeatures(), clip, ClipFeatures::of_clip);
  EXPECT_EQ(whole.sizes(), at::IntArrayRef({1, 2}));
  EXPECT_TRUE(close(whole[0], at::stack({clip.mean(), (clip[4] - clip[0]).mean()}), 1e-6));
  const at::Tensor frames = clip_features(PlainFeatures(), clip, ClipFeatures::mean_of_frames);
  EXPECT_TRUE(close(frames, PlainFeatures().features(clip).mean(0, true), 1e-6));
  expect_error<TensorError>([&] { clip_features(PlainFeatures(), clip[0], ClipFeatures::of_clip); });
  expect_error<TensorError>([&] { clip_features(PlainFeatures(), at::Tensor(), ClipFeatures::of_clip); });
}

}  // namespace
}  // namespace lightswitch
