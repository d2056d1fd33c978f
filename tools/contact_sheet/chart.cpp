#include "contact_sheet/chart.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace lightswitch::contact_sheet {
namespace {

/// The smallest of 1, 2, 5, 10, … times a power of ten that is no smaller.
double round_up(double value) {
  if (!(value > 0)) return 1;
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double step : {1.0, 2.0, 5.0})
    if (value <= step * power) return step * power;
  return 10 * power;
}

}  // namespace

ChartLayout::ChartLayout(const Chart& chart, int64_t width, int64_t height) : width_(width), height_(height) {
  double largest = 0;
  for (const Curve& curve : chart.curves) {
    steps_ = std::max(steps_, curve.values.size());
    for (const double value : curve.values) largest = std::max(largest, value);
  }
  top_ = round_up(largest);
}

ChartLayout::Point ChartLayout::at(size_t step, double value) const {
  const auto across = static_cast<double>(right() - left());
  const auto up = static_cast<double>(height_ - kAbove - kBelow);
  // A single step has no time to run through: it stands at the left.
  const double share = steps_ > 1 ? static_cast<double>(step) / static_cast<double>(steps_ - 1) : 0;
  return {static_cast<double>(left()) + share * across, static_cast<double>(kAbove) + (1 - value / top_) * up};
}

std::vector<ChartLayout::Point> ChartLayout::line(const Curve& curve) const {
  std::vector<Point> points;
  for (size_t i = 0; i < curve.values.size(); ++i) points.push_back(at(i, curve.values[i]));
  return points;
}

std::array<int, 3> ChartLayout::colour(size_t curve) {
  // Told apart by people who see few colours, too (Okabe and Ito).
  static constexpr std::array<std::array<int, 3>, 7> colours{
      {{0, 114, 178}, {213, 94, 0}, {0, 158, 115}, {204, 121, 167}, {230, 159, 0}, {86, 180, 233}, {0, 0, 0}}};
  return colours[curve % colours.size()];
}

std::string ChartLayout::text(double value) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%g", value);
  return digits;
}

}  // namespace lightswitch::contact_sheet
