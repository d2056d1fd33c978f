#include "cli/calibrate_job.hpp"

#include <ATen/ATen.h>
#include <lightswitch/version.h>
#include <lightswitch/calibration.hpp>
#include <lightswitch/decode.hpp>
#include <lightswitch/metrics.hpp>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>

#include "cli/network_lookup.hpp"
#include "cli/picture_input.hpp"
#include "cli/report.hpp"

namespace lightswitch::cli {
namespace {

/// Pictures in int8 beside those in fp32.
struct Loss {
  double mean = 0, worst = std::numeric_limits<double>::infinity();  // PSNR in dB
};

class CalibrateJob {
 public:
  CalibrateJob(const CalibrateArguments& arguments, Session& session)
      : arguments_(arguments), session_(session), networks_(session, arguments.model), spec_(arguments.decoder) {}

  void run() {
    const auto exact = networks_.decoder(spec_);
    const std::string file = arguments_.output.empty() ? networks_.calibration_file(spec_).string() : arguments_.output;
    read(exact->spec());
    const Calibration calibration = measured(*exact);
    write_calibration(calibration, file);
    const size_t layers = calibration.ranges.size();
    session_.note(file + ": " + std::to_string(layers) + " layers, seen on " + std::to_string(count_) + " pictures");
    nlohmann::ordered_json report{{"version", LIGHTSWITCH_VERSION},
                                  {"command", "calibrate"},
                                  {"decoder", spec_},
                                  {"layers", layers},
                                  {"pictures", count_},
                                  {"outputs", {file}}};
    try {
      const Loss loss = compared(*exact, *networks_.decoder_in(spec_, "int8", file));
      char text[96];
      std::snprintf(text, sizeof text, "int8 beside %s: PSNR %.1f dB, %.1f dB at worst", to_string(exact->info().dtype),
                    loss.mean, loss.worst);
      session_.note(text);
      report["psnr"] = loss.mean;
      report["worst_psnr"] = loss.worst;
    } catch (const UnsupportedError& error) {
      session_.warn(error.what());  // the file may be meant for another machine
    }
    write_json(report, session_);
  }

 private:
  void read(const LatentSpec& spec) {
    for (const std::string& name : arguments_.latents) {
      files_.push_back(read_latents(name, checked_kind(arguments_.kind), arguments_.scaling_factor));
      LatentFile& file = files_.back();
      require_same_space(file, name, spec);
      if (file.latents.dim() == 5) file.latents = file.latents.transpose(1, 2).flatten(0, 1);  // clips, frame by frame
      count_ += file.latents.size(0);
    }
  }

  /// Calls use(latents of one picture, their kind) for each, under a name for the progress.
  template <typename Use>
  void each(const char* stage, Use&& use) {
    int64_t done = 0;
    for (const LatentFile& file : files_)
      for (int64_t i = 0; i < file.latents.size(0); ++i) {
        session_.check_stop();
        use(file.latents.narrow(0, i, 1), file.kind);
        session_.progress().update(stage, ++done, count_);
      }
  }

  Calibration measured(const Decoder& decoder) {
    Calibration calibration;
    each("calibrate", [&](const at::Tensor& latents, LatentKind kind) {
      calibration.widen(calibrate(decoder, latents, kind, session_.stop()));
    });
    return calibration;
  }

  Loss compared(const Decoder& exact, const Decoder& rounded) {
    Loss loss;
    each("compare", [&](const at::Tensor& latents, LatentKind kind) {
      DecodeOptions options;
      options.kind = kind;
      options.stop = session_.stop();
      const double db = psnr(decode(rounded, latents, options), decode(exact, latents, options));
      loss.mean += db / static_cast<double>(count_);
      loss.worst = std::min(loss.worst, db);
    });
    return loss;
  }

  const CalibrateArguments& arguments_;
  Session& session_;
  NetworkLookup networks_;
  std::string spec_;
  std::vector<LatentFile> files_;
  int64_t count_ = 0;
};

}  // namespace

void calibrate_decoder(const CalibrateArguments& arguments, Session& session) {
  if (!arguments.decoder.empty()) parse_spec(arguments.decoder);
  checked_kind(arguments.kind);
  CalibrateJob(arguments, session).run();
}

}  // namespace lightswitch::cli
