#include "media/video_opencv.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include <cmath>
#include <opencv2/videoio.hpp>

#include "core/image_size.hpp"
#include "media/mp4_size.hpp"
#include "media/pending_clip.hpp"

namespace lightswitch {
namespace {

at::Tensor to_frame(const cv::Mat& picture) {
  const at::Tensor blue_first = at::from_blob(picture.data, {picture.rows, picture.cols, 3},
                                              {static_cast<int64_t>(picture.step[0]), 3, 1}, at::kByte);
  return blue_first.flip(2).permute({2, 0, 1}).to(at::kFloat, false, true, at::MemoryFormat::Contiguous) / 255;
}

class OpenCvReader final : public VideoReader {
 public:
  explicit OpenCvReader(const std::filesystem::path& file) : name_(file.string()), capture_(name_, cv::CAP_FFMPEG) {
    if (!capture_.isOpened()) throw FormatError("not a clip", {name_, "", "a clip that FFmpeg reads", "another file"});
    const double width = capture_.get(cv::CAP_PROP_FRAME_WIDTH), height = capture_.get(cv::CAP_PROP_FRAME_HEIGHT);
    check_image_size(static_cast<uint64_t>(std::max(0.0, width)), static_cast<uint64_t>(std::max(0.0, height)), name_);
    info_.width = static_cast<int64_t>(width);
    info_.height = static_cast<int64_t>(height);
    info_.fps = capture_.get(cv::CAP_PROP_FPS);
    if (!(info_.fps > 0) || !std::isfinite(info_.fps))
      throw FormatError("a clip without a frame rate", {name_, "fps", "above 0", std::to_string(info_.fps)});
    if (const double frames = capture_.get(cv::CAP_PROP_FRAME_COUNT); frames > 0 && frames < 1e12)
      info_.frames = static_cast<int64_t>(frames);
    if (const auto size = read_true_size(file); size && size->first <= info_.width && size->second <= info_.height) {
      info_.width = std::max<int64_t>(size->first, 1);
      info_.height = std::max<int64_t>(size->second, 1);
    }
  }

  const VideoInfo& info() const override { return info_; }

  at::Tensor read(int64_t most) override {
    std::vector<at::Tensor> frames;
    cv::Mat picture;
    while (static_cast<int64_t>(frames.size()) < most && next(picture)) {
      if (picture.type() != CV_8UC3 || picture.rows < info_.height || picture.cols < info_.width)
        throw FormatError("damaged clip",
                          {name_, "frame " + std::to_string(read_),
                           std::to_string(info_.width) + "x" + std::to_string(info_.height) + " pixels of 8 bits",
                           std::to_string(picture.cols) + "x" + std::to_string(picture.rows)});
      frames.push_back(to_frame(picture).narrow(1, 0, info_.height).narrow(2, 0, info_.width));
      ++read_;
    }
    return frames.empty() ? at::empty({0, 3, info_.height, info_.width}) : at::stack(frames);
  }

 private:
  bool next(cv::Mat& picture) {
    bool there = false;
    try {
      there = capture_.read(picture);
    } catch (const cv::Exception& error) {
      throw FormatError("damaged clip: " + error.err, {name_, "frame " + std::to_string(read_), "", ""});
    }
    if (!there && read_ < info_.frames.value_or(1))
      throw FormatError("clip is truncated or damaged",
                        {name_, "frames", std::to_string(info_.frames.value_or(1)), std::to_string(read_)});
    return there;
  }

  std::string name_;
  cv::VideoCapture capture_;
  VideoInfo info_;
  int64_t read_ = 0;
};

class Mp4Writer final : public PendingClip {
 public:
  Mp4Writer(const std::filesystem::path& file, double fps) : PendingClip(file), fps_(fps) {}

 private:
  void begin(int64_t height, int64_t width) override {
    height_ = height;
    width_ = width;
    const cv::Size even(static_cast<int>(width + width % 2), static_cast<int>(height + height % 2));
    for (const char* codec : {"avc1", "mp4v"})
      if (writer_.open(temporary().string(), cv::CAP_FFMPEG,
                       cv::VideoWriter::fourcc(codec[0], codec[1], codec[2], codec[3]), fps_, even))
        return;
    throw UnsupportedError("this OpenCV cannot write mp4",
                           {target().string(), "", "an FFmpeg with H.264 or MPEG-4; .y4m needs neither", "none"});
  }

  void add(const at::Tensor& frame) override {
    const at::Tensor even = at::replication_pad2d(frame, {0, width_ % 2, 0, height_ % 2});
    const at::Tensor pixels = (even * 255 + 0.5).floor().to(at::kByte).permute({1, 2, 0}).flip(2).contiguous();
    writer_.write(
        cv::Mat(static_cast<int>(pixels.size(0)), static_cast<int>(pixels.size(1)), CV_8UC3, pixels.data_ptr()));
  }

  void close() override {
    writer_.release();
    if (width_ % 2 != 0 || height_ % 2 != 0) append_true_size(temporary(), width_, height_);
  }

  double fps_;
  int64_t width_ = 0, height_ = 0;
  cv::VideoWriter writer_;
};

}  // namespace

std::unique_ptr<VideoReader> open_with_opencv(const std::filesystem::path& file) {
  return std::make_unique<OpenCvReader>(file);
}

std::unique_ptr<VideoWriter> create_with_opencv(const std::filesystem::path& file, double fps) {
  return std::make_unique<Mp4Writer>(file, fps);
}

}  // namespace lightswitch
