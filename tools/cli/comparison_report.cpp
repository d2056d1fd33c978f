#include <ATen/ATen.h>
#include <lightswitch/version.h>
#include <lightswitch/media/image_io.hpp>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <ostream>

#include "cli/comparison.hpp"
#include "contact_sheet/sheet.hpp"
#include "core/atomic_file.hpp"

namespace lightswitch::cli {
namespace {

constexpr int64_t kCropEdge = 128;
constexpr double kDifferenceGain = 8;

const char* const kStyle = R"(
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem auto; max-width: 1200px; padding: 0 1rem; color: #1b1b1b; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; } td, th { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid #ddd; }
td:first-child, th:first-child, td:nth-child(2), th:nth-child(2) { text-align: left; }
.row { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; flex: 1 1 220px; max-width: 384px; } figcaption { font-weight: 600; margin-bottom: .2rem; }
figure img { width: 100%; display: block; margin-bottom: .3rem; }
img.crop { image-rendering: pixelated; } small { color: #666; }
)";

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

std::string number(const char* format, double value) {
  if (std::isinf(value)) return "equal";
  char text[48];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

/// Pictures as the page holds them: PNG files on the way, since that is what the media room writes.
class Page {
 public:
  explicit Page(const std::filesystem::path& folder) : scratch_(folder / ".picture.png") {}
  ~Page() {
    std::error_code ignored;
    std::filesystem::remove(scratch_, ignored);
  }

  std::string image(const at::Tensor& picture, const std::string& alt, const char* kind) const {
    write_image(scratch_, picture);
    std::ifstream stream(scratch_, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(stream)), {});
    return "<img class=\"" + std::string(kind) + "\" alt=\"" + escaped(alt) + "\" src=\"data:image/png;base64," +
           base64(bytes) + "\">\n";
  }

 private:
  std::filesystem::path scratch_;
};

void write_table(const Comparison& comparison, std::ostream& out) {
  out << "<div class=\"wide\"><table><tr><th>decoder</th><th>family</th><th>PSNR dB</th><th>SSIM</th><th>LPIPS</th>"
         "<th>ms</th><th>peak MiB</th><th>parameters</th><th>GMAC</th><th>dtype</th></tr>\n";
  for (const ComparedDecoder& decoder : comparison.decoders) {
    out << "<tr><td>" << escaped(decoder.spec) << "</td><td>" << escaped(decoder.info.family) << "</td><td>"
        << number("%.2f", decoder.psnr) << "</td><td>" << number("%.4f", decoder.ssim) << "</td><td>"
        << (decoder.lpips ? number("%.4f", *decoder.lpips) : "–") << "</td><td>" << number("%.1f", decoder.ms)
        << "</td><td>"
        << (decoder.peak_bytes ? number("%.0f", static_cast<double>(*decoder.peak_bytes) / (1 << 20)) : "–")
        << "</td><td>" << number("%.2f M", static_cast<double>(decoder.info.parameters) / 1e6) << "</td><td>"
        << number("%.2f", decoder.gmac) << "</td><td>" << to_string(decoder.info.dtype) << "</td></tr>\n";
  }
  out << "</table></div>\n";
}

void write_row(const Comparison& comparison, const ComparedPicture& picture, const Page& page, std::ostream& out) {
  const Crop crop = worst_crop(picture, kCropEdge);
  const bool is_part = crop.height < picture.reference.size(1) || crop.width < picture.reference.size(2);
  const auto crop_of = [&](const at::Tensor& whole, const std::string& name) {
    return is_part ? page.image(crop.of(whole), name + ", crop", "crop") : std::string();
  };
  out << "<h2>" << escaped(picture.name) << "</h2>\n<div class=\"row\">\n<figure><figcaption>"
      << escaped(comparison.reference) << "</figcaption>\n"
      << page.image(picture.reference, "reference", "whole") << crop_of(picture.reference, "reference")
      << "</figure>\n";
  for (size_t i = 0; i < picture.decoded.size(); ++i) {
    const std::string& name = comparison.decoders[i].spec;
    out << "<figure><figcaption>" << escaped(name) << "</figcaption>\n"
        << page.image(picture.decoded[i], name, "whole") << crop_of(picture.decoded[i], name)
        << page.image(difference_map(picture.decoded[i], picture.reference, kDifferenceGain), name + ", difference",
                      "whole")
        << "</figure>\n";
  }
  out << "</div>\n";
}

void write_page(const Comparison& comparison, int64_t shown, const std::filesystem::path& folder) {
  const Page page(folder);
  write_stream_atomically(folder / "index.html", [&](std::ostream& out) {
    out << "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
           "content=\"width=device-width, initial-scale=1\"><title>Decoders compared</title><style>"
        << kStyle << "</style></head><body>\n<h1>Decoders compared</h1>\n<p>" << escaped(comparison.input) << ": "
        << comparison.pictures.size() << (comparison.pictures.size() == 1 ? " picture" : " pictures")
        << ". Scores against " << escaped(comparison.reference) << "; ms: one picture, fastest of " << comparison.repeat
        << ". Below each picture: the " << kCropEdge
        << "-pixel square where the decoders differ most, enlarged, where it is larger than that, and the difference, "
        << kDifferenceGain << " times.</p>\n";
    write_table(comparison, out);
    const size_t count = std::min(static_cast<size_t>(shown), comparison.pictures.size());
    for (size_t i = 0; i < count; ++i) write_row(comparison, comparison.pictures[i], page, out);
    if (count < comparison.pictures.size())
      out << "<p><small>The first " << count << " of " << comparison.pictures.size() << " pictures.</small></p>\n";
    out << "<p><small>lightswitch " << LIGHTSWITCH_VERSION << "</small></p>\n</body></html>\n";
  });
}

void write_sheet(const Comparison& comparison, int64_t shown, const std::filesystem::path& folder) {
  contact_sheet::Layout layout;
  layout.columns = static_cast<int64_t>(comparison.decoders.size()) + 1;
  layout.column_labels.push_back(comparison.reference);
  for (const ComparedDecoder& decoder : comparison.decoders)
    layout.column_labels.push_back(decoder.spec + ": " + number("%.2f dB", decoder.psnr) + ", " +
                                   number("%.1f ms", decoder.ms));
  std::vector<contact_sheet::Cell> cells;
  const size_t count = std::min(static_cast<size_t>(shown), comparison.pictures.size());
  for (size_t i = 0; i < count; ++i) {
    const ComparedPicture& picture = comparison.pictures[i];
    const Crop crop = worst_crop(picture, kCropEdge);
    cells.push_back({crop.of(picture.reference), picture.name});
    for (const at::Tensor& decoded : picture.decoded) cells.push_back({crop.of(decoded), ""});
    cells.push_back({at::ones({3, 1, 1}), ""});
    for (const at::Tensor& decoded : picture.decoded)
      cells.push_back({crop.of(difference_map(decoded, picture.reference, kDifferenceGain)), ""});
  }
  write_image(folder / "sheet.png", contact_sheet::lay_out(cells, layout));
}

}  // namespace

void write_report(const Comparison& comparison, int64_t shown, const std::filesystem::path& folder) {
  write_sheet(comparison, shown, folder);
  write_page(comparison, shown, folder);
}

}  // namespace lightswitch::cli
