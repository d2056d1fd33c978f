#include <lightswitch/audio/metrics.hpp>
#include <lightswitch/audio/sound_file.hpp>
#include <lightswitch/error.hpp>

#include "cli/metrics_job.hpp"

namespace lightswitch::cli {
namespace {

constexpr int64_t kRate = 16000;

}  // namespace

Scores sound_scores(const MatchedFiles& files, const std::set<std::string>& metrics) {
  const auto sound = audio::read_mono(files.first, kRate), original = audio::read_mono(files.second, kRate);
  const std::string file = files.first.string();
  if (sound.size() != original.size())
    throw TensorError("sounds of different length cannot be compared",
                      {file, "samples at 16 kHz", std::to_string(original.size()), std::to_string(sound.size())});
  try {
    Scores scores;
    if (metrics.contains("si-snr")) scores.emplace_back("si-snr", audio::si_snr(sound, original));
    if (metrics.contains("log-mel")) scores.emplace_back("log-mel", audio::log_mel_distance(sound, original));
    if (metrics.contains("stoi")) scores.emplace_back("stoi", audio::stoi(sound, original));
    if (metrics.contains("segmental-snr")) scores.emplace_back("segmental-snr", audio::segmental_snr(sound, original));
    return scores;
  } catch (const TensorError& error) {
    throw TensorError(error.what(), {file, "", "", ""});
  } catch (const NumericError& error) {
    throw NumericError(error.what(), {file, "", "", ""});
  }
}

}  // namespace lightswitch::cli
