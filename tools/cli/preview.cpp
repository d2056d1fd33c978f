#include "cli/preview.hpp"

#include <ATen/ATen.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/media/image_io.hpp>

#include "core/stopwatch.hpp"

namespace lightswitch::cli {

Preview::Preview(std::shared_ptr<const Decoder> decoder, int64_t interval, std::filesystem::path file)
    : decoder_(std::move(decoder)), interval_(interval), file_(std::move(file)) {}

void Preview::show(const StepProgress& progress, std::stop_token stop) {
  if (progress.step == progress.steps || progress.step % interval_ != 0) return;
  const Stopwatch watch;
  DecodeOptions options;
  options.stop = std::move(stop);
  const at::Tensor pictures = decode(*decoder_, progress.predicted_x0, options);
  write_image(file_, at::cat(pictures.unbind(0), 2));
  ms_ += watch.ms();
}

}  // namespace lightswitch::cli
