#pragma once

#include <gtest/gtest.h>
#include <lightswitch/frechet.hpp>
#include <lightswitch/metrics.hpp>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace lightswitch::testing {

/// What make_metric_fixtures.py stored.
inline nlohmann::json stored_numbers() {
  return nlohmann::json::parse(
      std::ifstream(std::filesystem::path(LIGHTSWITCH_SOURCE_DIR) / "tests" / "fixtures" / "metrics.json"));
}

inline double frechet_of(const at::Tensor& a, const at::Tensor& b) {
  FeatureStatistics first, second;
  first.add(a);
  second.add(b);
  return frechet_distance(first, second);
}

inline std::map<std::string, double> numbers_of_pictures(const at::Tensor& picture, const at::Tensor& reference) {
  std::map<std::string, double> numbers = {{"psnr", psnr(picture, reference)},
                                           {"ssim", ssim(picture, reference)},
                                           {"ssim_uniform", ssim(picture, reference, SsimWindow::uniform)}};
  if (std::min(picture.size(-1), picture.size(-2)) > 160) numbers["ms_ssim"] = ms_ssim(picture, reference);
  return numbers;
}

/// Every expected number, by whatever computed it ("ssim", "ssim scikit-image 0.26.0"), must be the one found: to 1e-9
/// of it by definition and by packages of double precision, to 1e-5 by those of single precision (and by SciPy's root
/// of a singular matrix).
inline void expect_numbers(const std::map<std::string, double>& found, const nlohmann::json& expected) {
  ASSERT_GE(expected.size(), found.size());
  for (const auto& [key, value] : expected.items()) {
    const auto metric = found.find(key.substr(0, key.find(' ')));
    ASSERT_NE(metric, found.end()) << key;
    const bool exact = key.find(' ') == std::string::npos || key.find("scikit-image") != std::string::npos;
    const double wanted = value.get<double>(), difference = std::abs(metric->second - wanted);
    EXPECT_LE(difference, (exact ? 1e-9 : 1e-5) * std::max(1.0, std::abs(wanted))) << key;
  }
}

}  // namespace lightswitch::testing
