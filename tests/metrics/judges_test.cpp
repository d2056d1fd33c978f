// Judges and feature networks that users bring as TorchScript.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <lightswitch/torchscript.hpp>

#include <cmath>
#include <string>

#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using namespace lightswitch::testing;

class Judges : public ::testing::Test {
 protected:
  /// An archive whose forward is this.
  std::filesystem::path archive(const std::string& arguments, const std::string& result) const {
    torch::jit::Module module("Judge");
    module.define("def forward(self, " + arguments + "):\n    return " + result + "\n");
    const auto file = folder_ / "judge.ts";
    module.save(file.string());
    return file;
  }
  at::Tensor pictures(int64_t count, uint64_t seed = 1) const {
    return random_tensor({count, 3, 8, 6}, seed).sigmoid();
  }

  TemporaryFolder folder_;
};

TEST_F(Judges, ADistanceSeesPicturesFromMinusOneToOne) {
  const auto judge = load_picture_distance(archive("x, y", "(x - 2 * y).abs().flatten(1).mean(1)"));
  const at::Tensor x = pictures(3, 1), y = pictures(3, 2);
  const double expected = ((2 * x - 1) - 2 * (2 * y - 1)).abs().mean().item<double>();
  EXPECT_NEAR((*judge)(x, y), expected, 1e-6);
  expect_error<TensorError>([&] { (*judge)(x, pictures(2)); });
  expect_error<NumericError>([&] { (*judge)(x, y* NAN); });
}

TEST_F(Judges, AFeatureNetworkSeesPicturesAndClips) {
  const auto network = load_feature_network(archive("x", "x.flatten(2).mean(2)"));
  const at::Tensor x = pictures(4);
  EXPECT_TRUE(close(network->features(x), 2 * x.mean({2, 3}) - 1, 1e-6));
  EXPECT_TRUE(close(network->features(x[1]), (2 * x.mean({2, 3}) - 1).narrow(0, 1, 1), 1e-6));
  const at::Tensor clip = x.transpose(0, 1).unsqueeze(0);
  EXPECT_TRUE(close(network->features(clip), (2 * x.mean({0, 2, 3}) - 1).unsqueeze(0), 1e-6));
}

TEST_F(Judges, PooledMapsOfOnePixelAreFeatures) {
  const auto network = load_feature_network(archive("x", "x.mean([2, 3], True)"));
  EXPECT_EQ(network->features(pictures(4)).sizes(), at::IntArrayRef({4, 3}));
}

TEST_F(Judges, WhatIsNoFeatureNetworkIsRefused) {
  const auto fails = [&](const char* result) {
    const auto network = load_feature_network(archive("x", result));
    const auto error = expect_error<FormatError>([&] { network->features(pictures(4)); });
    EXPECT_EQ(error.detail().file, (folder_ / "judge.ts").string()) << result;
  };
  for (const char* result : {"x", "x.mean()", "x.flatten(1).mean(1)", "(x.flatten(1), 1)", "x[:2].flatten(1)",
                             "x.flatten(1) > 0", "x.flatten(1)[:, :0]"})
    fails(result);
  expect_error<FormatError>([&] { load_feature_network(archive("x, y", "x")); });
  expect_error<FormatError>([&] { load_feature_network(write_file(folder_ / "text", "not an archive")); });
  expect_error<FileError>([&] { load_feature_network(folder_ / "none"); });
  const auto network = load_feature_network(archive("x", "torch.max_pool2d(x, [2, 2]).flatten(1)"));
  expect_error<TensorError>([&] { network->features(at::zeros({1, 1, 8, 8})); });
  expect_error<TensorError>([&] { network->features(at::Tensor()); });
  expect_error<NumericError>([&] { network->features(pictures(1) * INFINITY); });
  EXPECT_TRUE(contains(expect_error<Error>([&] { network->features(pictures(2).unsqueeze(0).transpose(1, 2)); }).what(),
                       "judge.ts"))
      << "a network of pictures takes no clips";
}

}  // namespace
}  // namespace lightswitch
