#pragma once

#include <cstdlib>
#include <filesystem>

namespace lightswitch::testing {

/// Where real weights and pictures lie: $LIGHTSWITCH_DATA, or ../shared/data beside the source tree.
inline std::filesystem::path data_root() {
  const char* chosen = std::getenv("LIGHTSWITCH_DATA");
  if (chosen != nullptr && *chosen != '\0') return chosen;
  return std::filesystem::path(LIGHTSWITCH_SOURCE_DIR).parent_path() / "shared" / "data";
}

}  // namespace lightswitch::testing

/// Skips the running test, saying what is not there.
#define LIGHTSWITCH_REQUIRE_DATA(file) \
  if (!std::filesystem::exists(file)) GTEST_SKIP() << (file) << " is not there (LIGHTSWITCH_DATA names the data folder)"
