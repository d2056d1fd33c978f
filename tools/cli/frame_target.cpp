#include "cli/frame_target.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include "cli/output_names.hpp"

namespace lightswitch::cli {
namespace {

class Pictures final : public FrameTarget {
 public:
  Pictures(std::vector<std::filesystem::path> names, std::function<ImageText()> metadata, Session& session)
      : names_(std::move(names)), metadata_(std::move(metadata)), session_(session) {}

  void write(const at::Tensor& frames) override {
    for (const at::Tensor& picture : frames.unbind()) {
      const auto& name = names_.at(outputs_.size());
      ImageWriteOptions how;
      if (name.extension() == ".png" && metadata_) how.text = metadata_();
      write_image(name, picture, how);
      outputs_.push_back(name.string());
      session_.note("wrote " + name.string());
    }
  }
  void finish() override {}
  void abandon() override {
    if (!outputs_.empty() && names_.size() > 1)
      session_.warn("only " + std::to_string(outputs_.size()) + " of " + std::to_string(names_.size()) +
                    " frames are written");
  }
  const std::vector<std::string>& outputs() const override { return outputs_; }

 private:
  std::vector<std::filesystem::path> names_;
  std::function<ImageText()> metadata_;
  Session& session_;
  std::vector<std::string> outputs_;
};

class Video final : public FrameTarget {
 public:
  Video(const std::filesystem::path& file, double fps, int64_t frames, Session& session)
      : file_(file), writer_(create_video(file, fps)), frames_(frames), session_(session) {}

  void write(const at::Tensor& frames) override { writer_->write(frames); }
  void finish() override {
    writer_->finish();
    outputs_.push_back(file_.string());
    session_.note("wrote " + file_.string());
  }
  void abandon() override {
    const int64_t written = writer_->frames_written();
    if (const auto kept = writer_->keep_partial(); !kept.empty())
      session_.warn("only " + std::to_string(written) + " of " + std::to_string(frames_) + " frames are written, in " +
                    kept.string());
  }
  const std::vector<std::string>& outputs() const override { return outputs_; }

 private:
  std::filesystem::path file_;
  std::unique_ptr<VideoWriter> writer_;
  int64_t frames_;
  Session& session_;
  std::vector<std::string> outputs_;
};

}  // namespace

std::unique_ptr<FrameTarget> open_frame_target(const FrameRequest& request, Session& session) {
  if (is_video_name(request.output))
    return std::make_unique<Video>(request.output, request.fps(), request.frames, session);
  return std::make_unique<Pictures>(output_names(picture_pattern(request.output), request.frames), request.metadata,
                                    session);
}

void check_frame_target(const std::string& output) {
  if (!is_video_name(output)) return check_picture_target(picture_pattern(output));
  const std::filesystem::path file(output);
  const std::string extension = file.extension().string();
  if (extension != ".mp4" && extension != ".y4m")
    throw UsageError("clips are not written so", {"", "--output", ".mp4 or .y4m", extension});
  check_folder_of(file);
}

}  // namespace lightswitch::cli
