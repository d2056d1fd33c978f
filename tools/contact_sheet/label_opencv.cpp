#include "contact_sheet/label_opencv.hpp"

#include <ATen/ATen.h>

#include <opencv2/imgproc.hpp>
#include <sstream>
#include <vector>

namespace lightswitch::contact_sheet {
namespace {

constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
constexpr double kFontScale = 0.42;
constexpr int kLineHeight = 16, kBaseline = 12, kMargin = 3;

/// One '?' for each character outside ASCII, however many bytes UTF-8 gives it.
std::string to_ascii(const std::string& text) {
  std::string ascii;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 128) ascii += byte < 32 ? ' ' : c;
    if (byte >= 192) ascii += '?';
  }
  return ascii;
}

bool fits(const std::string& line, int64_t width) {
  return cv::getTextSize(line, kFont, kFontScale, 1, nullptr).width + 2 * kMargin <= width;
}

std::vector<std::string> broken(const std::string& text, int64_t width) {
  std::vector<std::string> lines;
  std::istringstream words(to_ascii(text));
  for (std::string word; words >> word;) {
    if (!lines.empty() && fits(lines.back() + " " + word, width))
      lines.back() += " " + word;
    else
      lines.push_back(word);
  }
  return lines;
}

}  // namespace

at::Tensor draw_label(const std::string& text, int64_t width) {
  const std::vector<std::string> lines = broken(text, width);
  cv::Mat canvas(static_cast<int>(lines.size()) * kLineHeight, static_cast<int>(width), CV_8U, cv::Scalar(255));
  for (size_t i = 0; i < lines.size(); ++i)
    cv::putText(canvas, lines[i], {kMargin, static_cast<int>(i) * kLineHeight + kBaseline}, kFont, kFontScale,
                cv::Scalar(30), 1, cv::LINE_AA);
  if (lines.empty()) return at::ones({3, 0, width});
  return (at::from_blob(canvas.data, {canvas.rows, canvas.cols}, at::kByte).to(at::kFloat) / 255)
      .expand({3, -1, -1})
      .clone();
}

}  // namespace lightswitch::contact_sheet
