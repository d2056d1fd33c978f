#pragma once

#include <lightswitch/decoder.hpp>
#include <lightswitch/text_to_image.hpp>

#include <filesystem>
#include <memory>

namespace lightswitch::cli {

/// Pictures of what a run believes in so far: the predicted clean latents through a (light) decoder, written over one
/// file.
class Preview {
 public:
  Preview(std::shared_ptr<const Decoder> decoder, int64_t interval, std::filesystem::path file);

  /// Writes a preview after every `interval` steps, the pictures of a batch side by side. The last step gets none: the
  /// result follows.
  void show(const StepProgress& progress, std::stop_token stop);

  /// Milliseconds spent here so far; the pipeline's denoising time contains them.
  double ms() const { return ms_; }

 private:
  std::shared_ptr<const Decoder> decoder_;
  int64_t interval_;
  std::filesystem::path file_;
  double ms_ = 0;
};

}  // namespace lightswitch::cli
