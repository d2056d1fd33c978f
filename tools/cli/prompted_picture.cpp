#include "cli/prompted_picture.hpp"

#include <ATen/ATen.h>
#include <lightswitch/text_to_image.hpp>

#include "cli/network_lookup.hpp"
#include "core/stopwatch.hpp"

namespace lightswitch::cli {

at::Tensor draw(const PromptedPicture& wanted, Session& session, Timings& timings) {
  const Stopwatch watch;
  NetworkLookup networks(session, wanted.model);
  TextToImageOptions options = networks.package().defaults();
  options.prompt = wanted.prompt;
  options.height = wanted.height;
  options.width = wanted.width;
  options.seed = wanted.seed;
  TextToImageParts parts = networks.package().load_parts();
  std::string decoder;
  parts.decoder = networks.decoder(decoder);
  session.note("first a picture of \"" + wanted.prompt + "\" by " + networks.package().name() + ", decoder " + decoder);
  TextToImageCallbacks callbacks;
  callbacks.step = [&](const StepProgress& progress) {
    session.progress().update("picture", progress.step, progress.steps);
  };
  const auto result = TextToImage(std::move(parts)).generate(options, callbacks, session.stop());
  timings.add("picture", watch.ms());
  return result.images[0];
}

}  // namespace lightswitch::cli
