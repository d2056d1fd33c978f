#include "core/y4m.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <sstream>

#include "core/image_size.hpp"

namespace lightswitch {
namespace {

constexpr std::string_view magic = "YUV4MPEG2";

int64_t number(std::string_view text, const std::string& file, const char* field) {
  int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size() || value < 0)
    throw FormatError("damaged clip header", {file, field, "a number", "\"" + std::string(text) + "\""});
  return value;
}

Chroma chroma_of(std::string_view word, const std::string& file) {
  if (word == "420" || word == "420jpeg" || word == "420paldv" || word == "420mpeg2") return Chroma::half_both;
  if (word == "422") return Chroma::half_width;
  if (word == "444") return Chroma::full;
  if (word == "mono") return Chroma::none;
  throw UnsupportedError("this kind of colour is not read",
                         {file, "C", "420, 420jpeg, 420mpeg2, 420paldv, 422, 444 or mono", std::string(word)});
}

Y4mHeader parse(const std::string& line, const std::string& file) {
  Y4mHeader header;
  std::istringstream words(line);
  std::string word;
  words >> word;
  if (word != magic) throw FormatError("not a YUV4MPEG2 clip", {file, "", std::string(magic), word.substr(0, 16)});
  while (words >> word) {
    const std::string_view value = std::string_view(word).substr(1);
    if (word[0] == 'W') header.width = number(value, file, "W");
    if (word[0] == 'H') header.height = number(value, file, "H");
    if (word[0] == 'C') header.chroma = chroma_of(value, file);
    if (word[0] == 'F') {
      const size_t colon = std::min(value.find(':'), value.size());
      header.rate = number(value.substr(0, colon), file, "F");
      header.rate_scale = number(value.substr(std::min(colon + 1, value.size())), file, "F");
    }
    if (word[0] == 'I' && value != "p" && value != "?")
      throw UnsupportedError("interlaced clips are not read", {file, "I", "p", std::string(value)});
    if (word == "XCOLORRANGE=FULL") header.full_range = true;
  }
  check_image_size(static_cast<uint64_t>(header.width), static_cast<uint64_t>(header.height), file);
  return header;
}

/// 30000:1001 and its kin where that is what the number means, else millionths.
std::string fraction(double frames_per_second) {
  for (const int64_t scale : {1, 1001}) {
    const double rate = frames_per_second * static_cast<double>(scale);
    if (std::abs(rate - std::round(rate)) < 1e-2 * (scale == 1 ? 1e-4 : 1))
      return std::to_string(std::llround(rate)) + ":" + std::to_string(scale);
  }
  return std::to_string(std::llround(frames_per_second * 1e6)) + ":1000000";
}

}  // namespace

Y4mReader::Y4mReader(const std::filesystem::path& file) : name_(file.string()), stream_(file, std::ios::binary) {
  if (!stream_) throw FileError("cannot read", {name_, "", "", std::strerror(errno)});
  header_ = parse(line(1024, "header"), name_);
}

std::string Y4mReader::line(size_t most, const char* field) {
  std::string text;
  for (int c = stream_.get(); c != '\n'; c = stream_.get()) {
    if (c == std::char_traits<char>::eof())
      throw FormatError("clip is truncated", {name_, field, "a line", "end of file"});
    if (text.size() == most)
      throw FormatError("damaged clip", {name_, field, "a line of at most " + std::to_string(most) + " bytes", "more"});
    text += static_cast<char>(c);
  }
  return text;
}

at::Tensor Y4mReader::plane(int64_t height, int64_t width) {
  const at::Tensor bytes = at::empty({1, 1, height, width}, at::kByte);
  stream_.read(static_cast<char*>(bytes.data_ptr()), bytes.numel());
  if (stream_.gcount() != bytes.numel())
    throw FormatError("clip is truncated",
                      {name_, "frame " + std::to_string(frames_), std::to_string(bytes.numel()) + " bytes of a plane",
                       std::to_string(stream_.gcount())});
  return bytes.to(at::kFloat);
}

at::Tensor Y4mReader::read() {
  if (stream_.peek() == std::char_traits<char>::eof()) return {};
  const std::string start = line(256, "frame");
  if (!start.starts_with("FRAME"))
    throw FormatError("damaged clip", {name_, "frame " + std::to_string(frames_), "FRAME", start.substr(0, 16)});
  const int64_t h = header_.height, w = header_.width;
  const double scale = header_.full_range ? 255 : 219, colour_scale = header_.full_range ? 255 : 224;
  const at::Tensor light = (plane(h, w) - (header_.full_range ? 0 : 16)) / scale;
  at::Tensor blue = at::zeros({1}), red = at::zeros({1});
  if (header_.chroma != Chroma::none) {
    const int64_t colour_h = header_.chroma == Chroma::half_both ? (h + 1) / 2 : h;
    const int64_t colour_w = header_.chroma == Chroma::full ? w : (w + 1) / 2;
    for (at::Tensor* each : {&blue, &red}) {
      *each = (plane(colour_h, colour_w) - 128) / colour_scale;
      // Enlarged by two and cut, so that an odd edge keeps its place.
      const int64_t wide = colour_w == w ? w : 2 * colour_w, high = colour_h == h ? h : 2 * colour_h;
      *each = at::upsample_bilinear2d(*each, {high, wide}, false).slice(2, 0, h).slice(3, 0, w);
    }
  }
  ++frames_;
  const at::Tensor r = light + 1.402 * red, b = light + 1.772 * blue;
  const at::Tensor g = (light - 0.299 * r - 0.114 * b) / 0.587;
  return at::cat({r, g, b}, 1).squeeze(0).clamp(0, 1);
}

Y4mWriter::Y4mWriter(const std::filesystem::path& file, int64_t width, int64_t height, double frames_per_second)
    : name_(file.string()), stream_(file, std::ios::binary) {
  stream_ << magic << " W" << width << " H" << height << " F" << fraction(frames_per_second)
          << " Ip A1:1 C444 XCOLORRANGE=FULL\n";
  check();
}

void Y4mWriter::write(const at::Tensor& frame) {
  const at::Tensor colours = frame.to(at::kFloat).clamp(0, 1);
  const at::Tensor light = 0.299 * colours[0] + 0.587 * colours[1] + 0.114 * colours[2];
  const at::Tensor planes =
      at::stack({light * 255, (colours[2] - light) * (255 / 1.772) + 128, (colours[0] - light) * (255 / 1.402) + 128});
  const at::Tensor bytes = (planes + 0.5).floor().clamp(0, 255).to(at::kByte).contiguous();
  stream_ << "FRAME\n";
  stream_.write(static_cast<const char*>(bytes.data_ptr()), bytes.numel());
  check();
}

void Y4mWriter::close() {
  stream_.close();
  check();
}

void Y4mWriter::check() const {
  if (!stream_) throw FileError("cannot write", {name_, "", "", std::strerror(errno)});
}

}  // namespace lightswitch
