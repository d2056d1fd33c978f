#pragma once

#include <lightswitch/media/video_io.hpp>

#include "core/atomic_file.hpp"

namespace lightswitch {

/// What every VideoWriter does with its file; formats add how it begins, takes a frame and ends.
class PendingClip : public VideoWriter {
 public:
  explicit PendingClip(const std::filesystem::path& file) : file_(file) {}

  void write(const at::Tensor& frames) override;
  int64_t frames_written() const override { return frames_; }
  void finish() override;
  std::filesystem::path keep_partial() override;

 protected:
  virtual void begin(int64_t height, int64_t width) = 0;
  /// @param frame [3, H, W] float32 in [0, 1].
  virtual void add(const at::Tensor& frame) = 0;
  virtual void close() = 0;

  const std::filesystem::path& target() const { return file_.target(); }
  const std::filesystem::path& temporary() const { return file_.temporary(); }

 private:
  PendingFile file_;
  std::vector<int64_t> size_;
  int64_t frames_ = 0;
};

}  // namespace lightswitch
