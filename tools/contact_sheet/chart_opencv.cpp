#include <ATen/ATen.h>

#include <cmath>
#include <opencv2/imgproc.hpp>

#include "contact_sheet/chart.hpp"
#include "contact_sheet/label_opencv.hpp"

namespace lightswitch::contact_sheet {
namespace {

cv::Point pixel(const ChartLayout::Point& point) {
  return {static_cast<int>(std::lround(point.x)), static_cast<int>(std::lround(point.y))};
}

void words(cv::Mat& canvas, const std::string& text, cv::Point at) {
  cv::putText(canvas, text, at, cv::FONT_HERSHEY_SIMPLEX, 0.42, cv::Scalar::all(30), 1, cv::LINE_AA);
}

}  // namespace

at::Tensor draw_chart(const Chart& chart, int64_t width, int64_t height) {
  const ChartLayout layout(chart, width, height);
  cv::Mat canvas(static_cast<int>(height), static_cast<int>(width), CV_8UC3, cv::Scalar::all(255));
  const int left = static_cast<int>(layout.left()), right = static_cast<int>(layout.right());
  words(canvas, chart.title, {left, 14});
  for (const double value : {0.0, layout.top() / 2, layout.top()}) {
    const cv::Point place = pixel(layout.at(0, value));
    cv::line(canvas, place, {right, place.y}, cv::Scalar::all(221));
    words(canvas, ChartLayout::text(value), {2, place.y + 4});
  }
  std::vector<at::Tensor> names;
  for (size_t i = 0; i < chart.curves.size(); ++i) {
    const auto colour = ChartLayout::colour(i);
    const cv::Scalar paint(colour[0], colour[1], colour[2]);
    std::vector<cv::Point> points;
    for (const auto& point : layout.line(chart.curves[i])) points.push_back(pixel(point));
    cv::polylines(canvas, points, false, paint, 2, cv::LINE_AA);
    if (points.size() == 1) cv::circle(canvas, points[0], 2, paint, cv::FILLED);
    at::Tensor name = draw_label("      " + chart.curves[i].name, width);
    const at::Tensor mark = at::tensor({colour[0], colour[1], colour[2]}, at::kFloat).div(255).view({3, 1, 1});
    const int64_t lines = name.size(1);
    if (lines > 0) name = at::cat({at::ones({3, lines, 34}), name.narrow(2, 0, width - 34)}, 2);
    if (lines > 0) name.narrow(1, 4, 8).narrow(2, 8, 16).copy_(mark.expand({3, 8, 16}));
    names.push_back(name);
  }
  const cv::Point below = pixel(layout.at(0, 0));
  words(canvas, std::to_string(chart.first), {left, below.y + 16});
  if (layout.steps() > 1) {
    const std::string last = std::to_string(chart.first + static_cast<int64_t>(layout.steps()) - 1);
    words(canvas, last, {right - 8 * static_cast<int>(last.size()), below.y + 16});
  }
  const at::Tensor plot =
      at::from_blob(canvas.data, {canvas.rows, canvas.cols, 3}, at::kByte).to(at::kFloat).permute({2, 0, 1}) / 255;
  names.insert(names.begin(), plot);
  return at::cat(names, 1);
}

}  // namespace lightswitch::contact_sheet
