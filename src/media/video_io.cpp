#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/media/video_io.hpp>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "core/describe.hpp"
#include "core/nearest_word.hpp"
#include "core/y4m.hpp"
#include "media/extension.hpp"
#include "media/pending_clip.hpp"
#include "media/video_opencv.hpp"

namespace lightswitch {
namespace {

class PlainReader final : public VideoReader {
 public:
  explicit PlainReader(const std::filesystem::path& file) : reader_(file) {
    const Y4mHeader& header = reader_.header();
    info_.width = header.width;
    info_.height = header.height;
    if (header.rate == 0 || header.rate_scale == 0)
      throw FormatError("a clip without a frame rate", {file.string(), "F", "above 0", "0"});
    info_.fps = static_cast<double>(header.rate) / static_cast<double>(header.rate_scale);
    next_ = reader_.read();
    if (!next_.defined()) throw FormatError("a clip without frames", {file.string(), "frames", "1 or more", "0"});
  }

  const VideoInfo& info() const override { return info_; }

  at::Tensor read(int64_t most) override {
    std::vector<at::Tensor> frames;
    for (; next_.defined() && static_cast<int64_t>(frames.size()) < most; next_ = reader_.read())
      frames.push_back(next_);
    return frames.empty() ? at::empty({0, 3, info_.height, info_.width}) : at::stack(frames);
  }

 private:
  Y4mReader reader_;
  VideoInfo info_;
  at::Tensor next_;  // read ahead, so that an empty clip is noticed when it is opened
};

class PlainWriter final : public PendingClip {
 public:
  PlainWriter(const std::filesystem::path& file, double fps) : PendingClip(file), fps_(fps) {}

 private:
  void begin(int64_t height, int64_t width) override { writer_.emplace(temporary(), width, height, fps_); }
  void add(const at::Tensor& frame) override { writer_->write(frame); }
  void close() override { writer_->close(); }

  double fps_;
  std::optional<Y4mWriter> writer_;
};

}  // namespace

void PendingClip::write(const at::Tensor& frames) {
  const bool fits = frames.defined() && frames.dim() == 4 && frames.size(1) == 3 && frames.is_floating_point() &&
                    frames.size(2) > 0 && frames.size(3) > 0 &&
                    (size_.empty() || frames.sizes().slice(1) == at::IntArrayRef(size_));
  if (!fits)
    throw TensorError("not frames of this clip",
                      {target().string(), "frames",
                       size_.empty() ? "[T, 3, H, W]" : c10::str("[T, ", size_[0], ", ", size_[1], ", ", size_[2], "]"),
                       describe(frames)});
  if (frames.size(0) == 0) return;
  if (size_.empty()) {
    size_ = frames.sizes().slice(1).vec();
    begin(size_[1], size_[2]);
  }
  for (const at::Tensor& frame : frames.unbind()) {
    add(frame.to(at::kFloat).clamp(0, 1));
    ++frames_;
  }
}

void PendingClip::finish() {
  if (frames_ == 0) throw OptionError("no frame to write", {target().string(), "frames", "1 or more", "0"});
  close();
  file_.rename_to(target());
}

std::filesystem::path PendingClip::keep_partial() {
  if (frames_ == 0) return {};
  close();
  std::filesystem::path name = target();
  name.replace_filename(target().stem().string() + ".partial" + target().extension().string());
  file_.rename_to(name);
  return name;
}

const std::vector<std::string>& video_extensions() {
  static const std::vector<std::string> known{".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".y4m"};
  return known;
}

bool is_video_name(const std::filesystem::path& file) {
  return std::ranges::find(video_extensions(), lower_extension(file)) != video_extensions().end();
}

std::unique_ptr<VideoReader> open_video(const std::filesystem::path& file) {
  std::error_code code;
  if (!std::filesystem::is_regular_file(file, code))
    throw FileError("cannot read", {file.string(), "", "a clip", code ? code.message() : "no file of that name"});
  if (std::filesystem::file_size(file) == 0) throw FormatError("not a clip", {file.string(), "", "", "an empty file"});
  if (lower_extension(file) == ".y4m") return std::make_unique<PlainReader>(file);
  return open_with_opencv(file);
}

std::unique_ptr<VideoWriter> create_video(const std::filesystem::path& file, double fps) {
  if (!(fps > 0) || fps > 1000)
    throw OptionError("out of range", {file.string(), "fps", "above 0, at most 1000", std::to_string(fps)});
  const std::string extension = lower_extension(file);
  if (extension == ".y4m") return std::make_unique<PlainWriter>(file, fps);
  if (extension == ".mp4") return create_with_opencv(file, fps);
  throw OptionError("unknown kind of clip", {file.string(), "extension", ".mp4 or .y4m", extension});
}

}  // namespace lightswitch
