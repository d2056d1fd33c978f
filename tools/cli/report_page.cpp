#include "cli/report_page.hpp"

#include <lightswitch/version.h>
#include <lightswitch/media/image_io.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <ostream>

namespace lightswitch::cli {
namespace {

const char* const kStyle = R"(
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem auto; max-width: 1200px; padding: 0 1rem; color: #1b1b1b; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; } td, th { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid #ddd; }
td:first-child, th:first-child, td:nth-child(2), th:nth-child(2) { text-align: left; }
.row { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; flex: 1 1 220px; max-width: 384px; } figcaption { font-weight: 600; margin-bottom: .2rem; }
figure img { width: 100%; display: block; margin-bottom: .3rem; }
svg { max-width: 100%; height: auto; } figure.strip { max-width: none; margin-top: .6rem; }
figure.strip img { width: auto; } img.crop { image-rendering: pixelated; } small { color: #666; }
)";

std::string base64(const std::string& bytes) {
  static const char* const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t left = std::min<size_t>(3, bytes.size() - i);
    uint32_t block = 0;
    for (size_t k = 0; k < 3; ++k) block = block << 8 | (k < left ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) text += k <= left ? digits[block >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

}  // namespace

std::string escaped(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string number(const char* format, double value) {
  if (std::isinf(value)) return "equal";
  char text[48];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

Page::~Page() {
  std::error_code ignored;
  std::filesystem::remove(scratch_, ignored);
}

std::string Page::image(const at::Tensor& picture, const std::string& alt, const char* kind) const {
  write_image(scratch_, picture);
  std::ifstream stream(scratch_, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(stream)), {});
  return "<img class=\"" + std::string(kind) + "\" alt=\"" + escaped(alt) + "\" src=\"data:image/png;base64," +
         base64(bytes) + "\">\n";
}

void begin_page(std::ostream& out, const std::string& title) {
  out << "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
         "content=\"width=device-width, initial-scale=1\"><title>"
      << escaped(title) << "</title><style>" << kStyle << "</style></head><body>\n<h1>" << escaped(title) << "</h1>\n";
}

void end_page(std::ostream& out) {
  out << "<p><small>lightswitch " << LIGHTSWITCH_VERSION << "</small></p>\n</body></html>\n";
}

void write_table(const std::vector<ComparedDecoder>& decoders, const std::string& unit, std::ostream& out) {
  const bool of_clips = std::any_of(decoders.begin(), decoders.end(), [](const auto& one) { return one.flicker; });
  out << "<div class=\"wide\"><table><tr><th>decoder</th><th>family</th><th>PSNR dB</th><th>SSIM</th><th>LPIPS</th>"
      << (of_clips ? "<th>flicker</th>" : "") << "<th>ms" << unit << "</th><th>peak MiB</th><th>parameters</th><th>GMAC"
      << unit << "</th><th>dtype</th></tr>\n";
  for (const ComparedDecoder& decoder : decoders) {
    out << "<tr><td>" << escaped(decoder.spec) << "</td><td>" << escaped(decoder.info.family) << "</td><td>"
        << number("%.2f", decoder.psnr) << "</td><td>" << number("%.4f", decoder.ssim) << "</td><td>"
        << (decoder.lpips ? number("%.4f", *decoder.lpips) : "–") << "</td><td>";
    if (of_clips) out << (decoder.flicker ? number("%.2f", *decoder.flicker * kLevels) : "–") << "</td><td>";
    out << number("%.1f", decoder.ms) << "</td><td>"
        << (decoder.peak_bytes ? number("%.0f", static_cast<double>(*decoder.peak_bytes) / (1 << 20)) : "–")
        << "</td><td>" << number("%.2f M", static_cast<double>(decoder.info.parameters) / 1e6) << "</td><td>"
        << number("%.2f", decoder.gmac) << "</td><td>" << to_string(decoder.info.dtype) << "</td></tr>\n";
  }
  out << "</table></div>\n";
}

}  // namespace lightswitch::cli
