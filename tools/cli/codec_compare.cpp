#include "cli/codec_compare.hpp"

#include <ATen/ATen.h>
#include <lightswitch/version.h>
#include <lightswitch/audio/metrics.hpp>
#include <lightswitch/audio/sound_codec.hpp>
#include <lightswitch/audio/sound_file.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/media/image_io.hpp>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include "cli/codec_model_lookup.hpp"
#include "cli/opus_tools.hpp"
#include "cli/quantile.hpp"
#include "cli/report.hpp"
#include "cli/report_page.hpp"
#include "cli/sound_picture.hpp"
#include "contact_sheet/sheet.hpp"
#include "core/atomic_file.hpp"

namespace lightswitch::cli {
namespace {

using audio::CodecModel;
using audio::DecodeSoundOptions;
using Json = nlohmann::ordered_json;

constexpr int64_t kPictureWidth = 900;

/// One way that the sound went.
struct Heard {
  std::string name;  ///< "6000 bit/s, gate 0.20"
  std::string file;  ///< of the wav, in the folder
  std::vector<float> samples;
  double bits_per_second = 0;
  std::optional<double> real_time, light_share, mean_reduction;  ///< of decoding; Opus tells none
  std::vector<Path> paths;
  double si_snr = 0, log_mel = 0, segmental_snr = 0;
  std::optional<double> stoi;  ///< not of short sounds
};

std::string of_share(double share) {
  return number("%.2f", share);
}

class SoundComparison {
 public:
  SoundComparison(const CodecCompareArguments& arguments, Session& session)
      : arguments_(arguments), session_(session), folder_(arguments.output), model_(open_codec_model(arguments.model)) {
    for (const int64_t bitrate : arguments.bitrates) stages_.push_back(stages_for(bitrate, *model_, 1));
    if (stages_.empty()) stages_.push_back(model_->quantizer().stages());
    rate_ = model_->sample_rate();
    original_ = audio::read_mono(arguments.input, rate_);
    if (original_.empty()) throw FormatError("nothing to compare", {arguments.input, "samples", "1 or more", "0"});
    std::filesystem::create_directories(folder_);
    audio::SoundWriter writer(folder_ / kOriginal, {rate_, 1});
    writer.write(original_);
    writer.finish();
  }

  void run() {
    const bool opus = has_opus_tools();
    if (!opus) session_.note("without opusenc and opusdec (opus-tools) there is no Opus to compare with");
    const auto count = static_cast<int64_t>(stages_.size());
    for (int64_t i = 0; i < count; ++i) {
      session_.progress().update("compare", i, count);
      through_codec(stages_[i]);
      if (opus) through_opus_at(static_cast<int64_t>(std::llround(model_->bits_per_second(stages_[i]))));
    }
    session_.progress().update("compare", count, count);
    for (Heard& heard : heard_) judge(heard);
    write_page();
    write_sheet();
    write_json(report(), session_);
    session_.note("wrote " + (folder_ / "index.html").string());
  }

 private:
  static constexpr const char* kOriginal = "original.wav";

  double seconds() const { return static_cast<double>(original_.size()) / static_cast<double>(rate_); }

  void through_codec(int64_t stages) {
    const auto rate = std::to_string(std::llround(model_->bits_per_second(stages)));
    const auto stream = folder_ / (rate + ".lsc");
    audio::encode_sound(folder_ / kOriginal, stream, model_, {.stages = stages}, {{}, session_.stop()});
    const auto add = [&](const std::string& name, const DecodeSoundOptions& options) {
      Heard heard;
      heard.name = rate + " bit/s, " + name;
      heard.file = rate + "-" + name + ".wav";
      std::ranges::replace(heard.file, ' ', '-');
      const auto told = audio::decode_sound(stream, folder_ / heard.file, model_, options, {{}, session_.stop()});
      heard.bits_per_second = static_cast<double>(std::filesystem::file_size(stream)) * 8 / seconds();
      heard.real_time = quantile(told.real_time, 0.5);
      heard.light_share = told.routing.light_share();
      heard.mean_reduction = told.routing.mean_reduction();
      heard.paths = told.paths;
      heard_.push_back(std::move(heard));
    };
    using Route = DecodeSoundOptions::Route;
    add("heavy", {.route = Route::heavy, .keep_paths = true});
    if (model_->light() && model_->gate()) {
      auto shares = arguments_.heavy_shares;
      if (shares.empty()) shares = {0.4, 0.2};
      for (const double share : shares)
        add("gate " + of_share(share), {.route = Route::gate, .heavy_share = share, .keep_paths = true});
    } else if (!arguments_.heavy_shares.empty()) {
      throw UnsupportedError("the model has no gate",
                             {arguments_.model, "--heavy-share", "a light decoder and a gate", ""});
    }
    if (model_->light()) add("light", {.route = Route::light, .keep_paths = true});
  }

  void through_opus_at(int64_t bits_per_second) {
    Heard heard;
    heard.name = "Opus at " + std::to_string(bits_per_second) + " bit/s";
    heard.file = "opus-" + std::to_string(bits_per_second) + ".wav";
    const auto bits =
        through_opus(folder_ / kOriginal, bits_per_second, rate_,
                     folder_ / ("opus-" + std::to_string(bits_per_second) + ".opus"), folder_ / heard.file);
    heard.bits_per_second = static_cast<double>(bits) / seconds();
    heard_.push_back(std::move(heard));
  }

  void judge(Heard& heard) const {
    heard.samples = audio::read_mono(folder_ / heard.file, rate_);
    heard.samples.resize(original_.size());
    heard.si_snr = audio::si_snr(heard.samples, original_);
    heard.log_mel = audio::log_mel_distance(heard.samples, original_);
    try {
      heard.segmental_snr = audio::segmental_snr(heard.samples, original_, rate_);
      heard.stoi = audio::stoi(heard.samples, original_, rate_);
    } catch (const TensorError&) {  // too short for it, which the table shows
    }
  }

  at::Tensor picture_of(const Heard& heard) const {
    return sound_picture(heard.samples, original_, heard.paths, kPictureWidth);
  }

  at::Tensor picture_of_original() const { return sound_picture(original_, original_, {}, kPictureWidth); }

  void write_page() const {
    const Page page(folder_);
    write_stream_atomically(folder_ / "index.html", [&](std::ostream& out) {
      begin_page(out, "Codecs compared");
      out << "<p>" << escaped(arguments_.input) << ", " << number("%.2f", seconds()) << " s at " << rate_
          << " Hz, one channel. Bits: of the whole file. Log-mel: mean difference of log10 mel spectrograms, less is "
             "better. Under each spectrogram: who made which frame, orange the heavy decoder, blue the light "
             "one.</p>\n";
      write_table(out);
      const auto show = [&](const std::string& name, const std::string& file, const at::Tensor& picture) {
        out << "<figure class=\"strip\"><figcaption>" << escaped(name)
            << "</figcaption>\n<audio controls preload=\"none\" src=\"" << escaped(file)
            << "\"></audio>\n<div class=\"wide\">" << page.image(picture, name, "sound") << "</div></figure>\n";
      };
      show("original", kOriginal, picture_of_original());
      for (const Heard& heard : heard_) show(heard.name, heard.file, picture_of(heard));
      end_page(out);
    });
  }

  void write_table(std::ostream& out) const {
    const auto optional = [](const char* format, const std::optional<double>& value) {
      return value ? number(format, *value) : std::string("–");
    };
    out << "<div class=\"wide\"><table><tr><th>codec</th><th>file</th><th>bit/s</th><th>log-mel</th><th>STOI</th>"
           "<th>SI-SNR dB</th><th>segmental SNR dB</th><th>light frames</th><th>fewer multiply-adds</th>"
           "<th>times real time</th></tr>\n";
    for (const Heard& heard : heard_)
      out << "<tr><td>" << escaped(heard.name) << "</td><td>" << escaped(heard.file) << "</td><td>"
          << number("%.0f", heard.bits_per_second) << "</td><td>" << number("%.3f", heard.log_mel) << "</td><td>"
          << optional("%.3f", heard.stoi) << "</td><td>" << number("%.2f", heard.si_snr) << "</td><td>"
          << number("%.2f", heard.segmental_snr) << "</td><td>" << optional("%.2f", heard.light_share) << "</td><td>"
          << optional("%.2f", heard.mean_reduction) << "</td><td>" << optional("%.0f", heard.real_time)
          << "</td></tr>\n";
    out << "</table></div>\n";
  }

  void write_sheet() const {
    contact_sheet::Layout layout;
    layout.columns = 1;
    layout.row_labels = {"original: " + arguments_.input};
    std::vector<contact_sheet::Cell> cells = {{picture_of_original(), ""}};
    for (const Heard& heard : heard_) {
      layout.row_labels.push_back(heard.name + ": log-mel " + number("%.3f", heard.log_mel) +
                                  (heard.stoi ? ", STOI " + number("%.3f", *heard.stoi) : ""));
      cells.push_back({picture_of(heard), ""});
    }
    write_image(folder_ / "sheet.png", contact_sheet::lay_out(cells, layout));
  }

  Json report() const {
    const auto optional = [](const std::optional<double>& value) { return value ? Json(*value) : Json(); };
    Json codecs = Json::array();
    for (const Heard& heard : heard_)
      codecs.push_back({{"name", heard.name},
                        {"file", heard.file},
                        {"bits_per_second", heard.bits_per_second},
                        {"log_mel_distance", heard.log_mel},
                        {"stoi", optional(heard.stoi)},
                        {"si_snr", heard.si_snr},
                        {"segmental_snr", heard.segmental_snr},
                        {"light_share", optional(heard.light_share)},
                        {"mean_reduction", optional(heard.mean_reduction)},
                        {"real_time_factor", optional(heard.real_time)}});
    return {{"version", LIGHTSWITCH_VERSION},
            {"command", "codec compare"},
            {"input", arguments_.input},
            {"seconds", seconds()},
            {"codecs", std::move(codecs)},
            {"outputs", {(folder_ / "index.html").string(), (folder_ / "sheet.png").string()}}};
  }

  const CodecCompareArguments& arguments_;
  Session& session_;
  std::filesystem::path folder_;
  std::shared_ptr<const CodecModel> model_;
  std::vector<int64_t> stages_;
  int64_t rate_ = 0;
  std::vector<float> original_;
  std::vector<Heard> heard_;
};

void check(const CodecCompareArguments& arguments) {
  for (const double share : arguments.heavy_shares)
    if (!(share >= 0 && share <= 1))
      throw UsageError("impossible share", {"", "--heavy-share", "0 … 1", std::to_string(share)});
}

}  // namespace

void compare_sound(const CodecCompareArguments& arguments, Session& session) {
  check(arguments);
  SoundComparison(arguments, session).run();
}

}  // namespace lightswitch::cli
