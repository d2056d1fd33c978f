#include <lightswitch/version.h>
#include <lightswitch/torchscript.hpp>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include "cli/comparison.hpp"
#include "cli/metrics_job.hpp"
#include "cli/output_names.hpp"
#include "cli/report.hpp"
#include "cli/subcommands.hpp"
#include "core/nearest_word.hpp"
#include "core/sha256.hpp"

namespace lightswitch::cli {
namespace {

using Json = nlohmann::ordered_json;
using Names = std::set<std::string>;

const Names kOfPictures{"psnr", "ssim", "ms-ssim", "lpips", "frechet"};
const Names kOfClips{"psnr", "ssim", "ms-ssim", "lpips", "flicker", "frechet"};
const Names kOfSounds{"si-snr", "log-mel", "stoi", "segmental-snr"};

Names all_names() {
  Names all = kOfClips;
  all.insert(kOfSounds.begin(), kOfSounds.end());
  return all;
}

void check(const MetricsArguments& arguments) {
  const Names known = all_names();
  const std::vector<std::string> words(known.begin(), known.end());
  for (const std::string& name : arguments.metrics) {
    if (known.contains(name)) continue;
    const std::string nearest = nearest_word(name, words);
    throw UsageError("unknown metric", {"", "--metric", join_words(words),
                                        name + (nearest.empty() ? "" : "; did you mean " + nearest + "?")});
  }
  const auto asks = [&](const char* name) { return std::ranges::count(arguments.metrics, name) > 0; };
  if (asks("lpips") && arguments.lpips.empty())
    throw UsageError("lpips needs a judge", {"", "--lpips", "a TorchScript file", "none"});
  if (arguments.sets && std::ranges::any_of(arguments.metrics, [](const auto& name) { return name != "frechet"; }))
    throw UsageError("sets of any names have a Fréchet distance alone",
                     {"", "--metric", "frechet with --sets", arguments.metrics.front()});
  if (arguments.ssim_window != "gaussian" && arguments.ssim_window != "uniform")
    throw UsageError("unknown window", {"", "--ssim-window", "gaussian or uniform", arguments.ssim_window});
  if (arguments.clip_frames < 1)
    throw UsageError("out of range", {"", "--clip-frames", "1 or more", std::to_string(arguments.clip_frames)});
}

class Measuring {
 public:
  Measuring(const MetricsArguments& arguments, Session& session)
      : arguments_(arguments),
        session_(session),
        first_(metric_input(arguments.first)),
        second_(metric_input(arguments.second)) {
    if (!arguments.save_statistics.empty()) check_folder_of(arguments.save_statistics);
    only_sets_ = arguments.sets || holds_statistics();
    choose();
  }

  void run() {
    if (!arguments_.lpips.empty() && metrics_.contains("lpips")) judge_ = load_picture_distance(arguments_.lpips);
    std::shared_ptr<const FeatureNetwork> network;
    if (metrics_.contains("frechet") && !arguments_.features.empty())
      network = load_feature_network(arguments_.features);
    if (!only_sets_) score();
    if (metrics_.contains("frechet")) measure_sets(network.get());
    if (session_.common().json != "-") print();
    write_json(to_json(), session_);
  }

 private:
  bool holds_statistics() const {
    return first_.kind == MetricKind::statistics || second_.kind == MetricKind::statistics;
  }
  MetricKind kind() const { return first_.kind == MetricKind::statistics ? second_.kind : first_.kind; }

  /// What is measured. @throws OptionError for what these inputs do not have.
  void choose() {
    if (!holds_statistics() && first_.kind != second_.kind)
      throw OptionError("inputs of different kinds are not compared",
                        {second_.path.string(), "", to_string(first_.kind), to_string(second_.kind)});
    Names possible = kind() == MetricKind::sounds ? kOfSounds : kind() == MetricKind::clips ? kOfClips : kOfPictures;
    if (only_sets_) possible = {"frechet"};
    if (only_sets_ && kind() == MetricKind::sounds)
      throw OptionError("sounds have no Fréchet distance here", {"", "--sets", "pictures or clips", "sounds"});
    for (const std::string& name : arguments_.metrics) {
      if (!possible.contains(name))
        throw OptionError(std::string("not a metric of ") + (only_sets_ ? "sets" : to_string(kind())),
                          {"", "--metric", join_words({possible.begin(), possible.end()}), name});
      metrics_.insert(name);
    }
    if (metrics_.empty()) {
      metrics_ = possible;
      metrics_.erase("ms-ssim");  // which small pictures do not have
      if (arguments_.lpips.empty()) metrics_.erase("lpips");
      if (arguments_.features.empty() && !only_sets_) metrics_.erase("frechet");
    }
    const bool computes = first_.kind != MetricKind::statistics || second_.kind != MetricKind::statistics;
    if (metrics_.contains("frechet") && arguments_.features.empty() && computes)
      throw OptionError("a Fréchet distance needs a feature network", {"", "--features", "a TorchScript file", "none"});
  }

  void score() {
    const auto pairs = matched(first_, second_);
    const PictureJudges judges{
        metrics_, arguments_.ssim_window == "uniform" ? SsimWindow::uniform : SsimWindow::gaussian, judge_.get()};
    if (metrics_ == Names{"frechet"}) return;
    for (size_t i = 0; i < pairs.size(); ++i) {
      session_.check_stop();
      table_.add(pairs[i].name, score(pairs[i], judges));
      if (pairs.size() > 1)
        session_.progress().update("compare", static_cast<int64_t>(i) + 1, static_cast<int64_t>(pairs.size()));
    }
  }

  Scores score(const MatchedFiles& files, const PictureJudges& judges) const {
    if (kind() == MetricKind::pictures) return picture_scores(files, judges);
    if (kind() == MetricKind::clips) return clip_scores(files, judges, session_);
#ifdef LIGHTSWITCH_AUDIO
    return sound_scores(files, metrics_);
#else
    throw UnsupportedError("this build has no audio", {files.first.string(), "", "", ""});
#endif
  }

  void measure_sets(const FeatureNetwork* network) {
    const FeatureOptions options{arguments_.clip_frames, arguments_.frame_features};
    std::string source;
    if (network != nullptr) {
      source = "sha256:" + sha256_file(arguments_.features);
      if (kind() == MetricKind::clips)
        source += " of " + std::to_string(options.clip_frames) + (options.frame_features ? " frames, mean" : " frames");
    }
    const auto a = gather_statistics(first_, network, source, options, session_);
    if (!arguments_.save_statistics.empty()) a.save(arguments_.save_statistics);
    const auto b = gather_statistics(second_, network, source, options, session_);
    frechet_ = frechet_distance(a, b);
    samples_[0] = a.count();
    samples_[1] = b.count();
    dimensions_ = a.dimensions();
    if (std::min(samples_[0], samples_[1]) <= dimensions_)
      session_.warn("Fréchet distance of fewer samples than the " + std::to_string(dimensions_) +
                    " dimensions of the features: too large, and to be compared with sets of these sizes alone");
  }

  void print() const {
    table_.print(session_.out());
    if (!frechet_) return;
    char line[160];
    std::snprintf(line, sizeof line, "%-14s %12.6g   (%lld and %lld samples, %lld dimensions)\n", "frechet", *frechet_,
                  static_cast<long long>(samples_[0]), static_cast<long long>(samples_[1]),
                  static_cast<long long>(dimensions_));
    session_.out() << line;
  }

  Json to_json() const {
    Json json{{"version", LIGHTSWITCH_VERSION}, {"command", "metrics"},      {"a", arguments_.first},
              {"b", arguments_.second},         {"kind", to_string(kind())}, {"metrics", table_.summary()}};
    if (metrics_.contains("ssim")) json["ssim_window"] = arguments_.ssim_window;
    if (frechet_)
      json["frechet"] = {{"distance", *frechet_}, {"samples", {samples_[0], samples_[1]}}, {"dimensions", dimensions_}};
    json["pairs"] = table_.pairs();
    return json;
  }

  const MetricsArguments& arguments_;
  Session& session_;
  MetricInput first_, second_;
  bool only_sets_ = false;
  Names metrics_;
  std::shared_ptr<const PictureDistance> judge_;
  ScoreTable table_;
  std::optional<double> frechet_;
  int64_t samples_[2] = {0, 0}, dimensions_ = 0;
};

}  // namespace

void add_metrics_command(CLI::App& app, CommonOptions& common, Job& job) {
  auto* command = app.add_subcommand("metrics", "Measure how near pictures, clips or sounds come to others");
  const auto to = std::make_shared<MetricsArguments>();
  command
      ->add_option("a", to->first,
                   "A picture, a clip, a sound, or a folder of one kind; for the Fréchet distance also statistics "
                   "that were saved, or a folder of them, which are merged")
      ->type_name("A")
      ->required();
  command
      ->add_option("b", to->second,
                   "What A is measured against: of the same kind, in a folder with the same names but for their "
                   "endings")
      ->type_name("B")
      ->required();
  const char* group = "Metrics";
  command
      ->add_option("--metric", to->metrics,
                   "What to measure; repeat for more. Of pictures and clips psnr, ssim, ms-ssim, lpips and frechet, of "
                   "clips flicker too, of sounds si-snr, log-mel, stoi and segmental-snr (default: all that apply but "
                   "ms-ssim, which needs 161x161 pixels)")
      ->type_name("NAME")
      ->allow_extra_args(false)
      ->group(group);
  command
      ->add_option("--ssim-window", to->ssim_window,
                   "Gaussian as Wang et al. (11x11, default: gaussian), or uniform as scikit-image without options")
      ->type_name("NAME")
      ->group(group);
  command->add_option("--lpips", to->lpips, "TorchScript judge: forward(a, b), pictures in -1 … 1")
      ->type_name("FILE")
      ->group(group);
  command
      ->add_option("--features", to->features,
                   "TorchScript feature network for the Fréchet distance: forward(batch) of pictures [N,3,H,W], or of "
                   "clips [N,3,T,H,W], in -1 … 1, gives [N,D]")
      ->type_name("FILE")
      ->group(group);
  command
      ->add_flag("--sets", to->sets,
                 "A and B are sets whose files have nothing to do with each other: Fréchet distance alone")
      ->group(group);
  command
      ->add_option("--clip-frames", to->clip_frames,
                   "Each run of so many frames of a clip is one sample of the Fréchet distance; fewer at a clip's end "
                   "are left out (default: 16)")
      ->type_name("N")
      ->group(group);
  command
      ->add_flag("--frame-features", to->frame_features,
                 "The feature network takes pictures: a sample of a clip is the mean over its frames, which does not "
                 "see motion; with --clip-frames 1 every frame is a sample")
      ->group(group);
  command
      ->add_option("--save-statistics", to->save_statistics,
                   "Keep the mean and covariance of A's features, to be named as A or B another time")
      ->type_name("FILE")
      ->group(group);
  command->add_option("-t,--threads", common.threads, "Threads to compute with; 0 leaves the choice to LibTorch")
      ->type_name("N")
      ->group("Common");
  add_common_options(*command, common, false);
  command->footer(
      "Clips are scored frame by frame. Sounds are compared at 16 kHz, their channels averaged.\n\nExamples:\n"
      "  lightswitch metrics copy.png original.png --lpips lpips.ts\n"
      "  lightswitch metrics decoded photos --metric psnr --metric ms-ssim --json scores.json\n"
      "  lightswitch metrics made coco --sets --features inception.ts --save-statistics made.safetensors\n"
      "  lightswitch metrics talk-decoded.wav talk.flac");
  command->callback([to, &job] {
    job = [to](Session& session) {
      check(*to);
      Measuring(*to, session).run();
    };
  });
}

}  // namespace lightswitch::cli
