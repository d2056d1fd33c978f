// Photographs, scored as scikit-image, pytorch-msssim, PyTorch and SciPy scored them.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/torchscript.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "metrics/reference_numbers.hpp"
#include "support/data.hpp"

namespace lightswitch {
namespace {

using namespace lightswitch::testing;

TEST(RealPictures, ScoreAsTheReferencesSay) {
  const auto images = data_root() / "images", judge_file = data_root() / "models" / "lpips" / "lpips_squeeze.ts";
  LIGHTSWITCH_REQUIRE_DATA(images);
  LIGHTSWITCH_REQUIRE_DATA(judge_file);
  const auto judge = load_picture_distance(judge_file);
  const auto stored = stored_numbers().at("real");
  ASSERT_EQ(stored.size(), 6U);
  for (const auto& [name, numbers] : stored.items()) {
    SCOPED_TRACE(name);
    LIGHTSWITCH_REQUIRE_DATA(images / name);
    const at::Tensor picture = read_image(images / name);
    const at::Tensor eight_levels = ((picture * 255).round().floor_divide(32) * 32 + 16) / 255;
    auto found = numbers_of_pictures(eight_levels, picture);
    found["lpips"] = (*judge)(eight_levels, picture);
    expect_numbers(found, numbers);
  }
}

/// [N, D] of the first pictures of a folder, by name.
at::Tensor features_of(const FeatureNetwork& network, const std::filesystem::path& folder, size_t count) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (is_image_name(entry.path())) files.push_back(entry.path());
  std::ranges::sort(files);
  files.resize(std::min(files.size(), count));
  std::vector<at::Tensor> rows;
  for (const auto& file : files) rows.push_back(network.features(read_image(file)));
  return at::cat(rows);
}

TEST(RealPictures, SetsAreAsFarApartAsTheReferencesSay) {
  const auto images = data_root() / "images", file = data_root() / "models" / "lpips" / "squeeze_features.ts";
  LIGHTSWITCH_REQUIRE_DATA(images);
  LIGHTSWITCH_REQUIRE_DATA(file);
  const auto network = load_feature_network(file);
  const at::Tensor a = features_of(*network, images / "imagenet_sample", 40),
                   b = features_of(*network, images / "bsds500" / "val", 40);
  const auto stored = stored_numbers().at("real_features");
  ASSERT_EQ(stored.size(), 2U);
  for (const auto& [dimensions, numbers] : stored.items()) {
    SCOPED_TRACE(dimensions);
    const int64_t kept = std::stol(dimensions);
    const double found = frechet_of(a.narrow(1, 0, kept), b.narrow(1, 0, kept));
    // Features come from single precision, and from another build of PyTorch.
    for (const auto& [key, value] : numbers.items())
      EXPECT_NEAR(found, value.get<double>(), 1e-5 * value.get<double>()) << key;
  }
}

}  // namespace
}  // namespace lightswitch
