#include <gtest/gtest.h>
#include <lightswitch/decoder_registry.hpp>

#include <filesystem>
#include <string>

#include "support/reference_file.hpp"

namespace lightswitch {
namespace {

/// Every stored network belongs to exactly one built-in family, the one its file is named after.
TEST(Recognition, FamiliesDoNotOverlap) {
  const DecoderRegistry registry(builtin_decoder_families());
  const std::filesystem::path fixtures = std::filesystem::path(LIGHTSWITCH_SOURCE_DIR) / "tests" / "fixtures";
  int networks = 0;
  for (const auto& entry : std::filesystem::directory_iterator(fixtures)) {
    const std::string name = entry.path().stem().string();
    const std::string family = name.substr(0, name.find('_'));
    if (family != "kl" && family != "taming" && family != "vit" && family != "vqgan" && family != "svd" &&
        family != "projection")
      continue;
    const auto weights = testing::load_reference_case(entry.path()).request.weights;
    EXPECT_EQ(registry.recognise(*weights).name, family) << name;
    ++networks;
  }
  EXPECT_GE(networks, 18);
}

}  // namespace
}  // namespace lightswitch
