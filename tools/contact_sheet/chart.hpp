#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace lightswitch::contact_sheet {

/// Numbers over time, one for each step from `first` on.
struct Curve {
  std::string name;
  std::vector<double> values;  ///< 0 or more each
};

struct Chart {
  std::string title;
  std::vector<Curve> curves;  ///< as long as each other
  int64_t first = 0;          ///< what the first step is called
};

/// Where things of a chart lie, in pixels from the top left.
class ChartLayout {
 public:
  ChartLayout(const Chart& chart, int64_t width, int64_t height);

  struct Point {
    double x = 0, y = 0;
  };
  Point at(size_t step, double value) const;
  std::vector<Point> line(const Curve& curve) const;
  size_t steps() const { return steps_; }
  /// The height of the axis: a round number.
  double top() const { return top_; }
  int64_t left() const { return kLeft; }
  int64_t right() const { return width_ - kRight; }
  /// Red, green, blue of a curve, 0 … 255.
  static std::array<int, 3> colour(size_t curve);
  /// A number of the axis: "0.5".
  static std::string text(double value);

 private:
  static constexpr int64_t kLeft = 48, kRight = 16, kAbove = 24, kBelow = 24;
  int64_t width_, height_;
  size_t steps_ = 0;
  double top_ = 1;
};

/// As a picture [3, H, width]: `height` rows, and below them which line is which.
at::Tensor draw_chart(const Chart& chart, int64_t width, int64_t height);

}  // namespace lightswitch::contact_sheet
