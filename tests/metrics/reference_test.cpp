// The metrics against scikit-image, pytorch-msssim, SciPy and their definitions in NumPy: stored numbers, and live
// where a Python with NumPy is at hand.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/weights.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "metrics/made_inputs.hpp"
#include "metrics/reference_numbers.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using namespace lightswitch::testing;

TEST(Reference, MadePicturesScoreAsStored) {
  const auto stored = stored_numbers().at("made");
  ASSERT_GE(stored.size(), 3U);
  for (const auto& [size, numbers] : stored.items()) {
    SCOPED_TRACE(size);
    const auto [picture, reference] = made_pair(std::stol(size), std::stol(size.substr(size.find('x') + 1)));
    expect_numbers(numbers_of_pictures(picture, reference), numbers);
  }
}

TEST(Reference, MadeFeaturesAreAsFarApartAsStored) {
  const auto stored = stored_numbers().at("made_features");
  ASSERT_EQ(stored.size(), 2U);
  for (const auto& [count, numbers] : stored.items()) {
    SCOPED_TRACE(count);
    const auto [a, b] = made_features(std::stol(count));
    expect_numbers({{"frechet", frechet_of(a, b)}}, numbers);
  }
}

TEST(Reference, RandomPicturesAndFeaturesScoreAsPythonSays) {
  const char* const python = std::getenv("LIGHTSWITCH_REFERENCE_PYTHON");
  if (python == nullptr || *python == '\0')
    GTEST_SKIP() << "LIGHTSWITCH_REFERENCE_PYTHON does not name a Python with NumPy";
  const at::Tensor reference = at::avg_pool2d(random_tensor({3, 349, 340}, 1), 5, 2).mul(2).sigmoid();
  const at::Tensor picture = (reference + 0.1 * random_tensor(reference.sizes(), 2)).clamp(0, 1);
  const at::Tensor mixing = random_tensor({12, 12}, 3);
  const at::Tensor a = random_tensor({50, 12}, 4).matmul(mixing) + 30, b = random_tensor({9, 12}, 5) + 29;
  const TemporaryFolder folder;
  save_safetensors(folder / "in",
                   {{"picture", picture}, {"reference", reference}, {"features_a", a}, {"features_b", b}});
  const std::filesystem::path support = std::filesystem::path(LIGHTSWITCH_SOURCE_DIR) / "tests" / "support";
  const std::string command = "cd '" + support.string() + "' && '" + python + "' -m reference.picture_metrics '" +
                              (folder / "in").string() + "' '" + (folder / "out").string() + "'";
  ASSERT_EQ(std::system(command.c_str()), 0);
  auto found = numbers_of_pictures(picture, reference);
  ASSERT_EQ(found.size(), 4U) << "the pictures are large enough for five scales";
  found["frechet"] = frechet_of(a, b);
  expect_numbers(found, nlohmann::json::parse(std::ifstream(folder / "out")));
}

}  // namespace
}  // namespace lightswitch
