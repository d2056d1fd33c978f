#include <sndfile.h>
#include <unistd.h>
#include <lightswitch/audio/sound_file.hpp>
#include <lightswitch/error.hpp>

#include <cmath>
#include <filesystem>

namespace lightswitch::audio {
namespace {

constexpr int64_t kMostChannels = 64;

}  // namespace

struct SoundReader::File {
  SNDFILE* handle = nullptr;
  ~File() { sf_close(handle); }
};

SoundReader::SoundReader(const std::filesystem::path& file)
    : file_(std::make_unique<File>()), name_(file == "-" ? "standard input" : file.string()) {
  std::error_code ignored;
  if (file != "-" && !std::filesystem::exists(file, ignored))
    throw FileError("cannot read", {name_, "", "a file", "none"});
  SF_INFO info{};
  file_->handle =
      file == "-" ? sf_open_fd(STDIN_FILENO, SFM_READ, &info, SF_FALSE) : sf_open(name_.c_str(), SFM_READ, &info);
  if (file_->handle == nullptr) throw FormatError("not a sound file", {name_, "", "", sf_strerror(nullptr)});
  if (info.channels < 1 || info.channels > kMostChannels || info.samplerate < 1)
    throw FormatError("unusable sound",
                      {name_, "", "1 … 64 channels and a rate",
                       std::to_string(info.channels) + " channels, " + std::to_string(info.samplerate) + " Hz"});
  format_ = {info.samplerate, info.channels};
  length_ = info.seekable != 0 ? info.frames : -1;
}

SoundReader::~SoundReader() = default;

int64_t SoundReader::read(std::span<float> interleaved) {
  const int64_t wanted = static_cast<int64_t>(interleaved.size()) / format_.channels;
  const int64_t got = sf_readf_float(file_->handle, interleaved.data(), wanted);
  if (sf_error(file_->handle) != SF_ERR_NO_ERROR)
    throw FormatError("sound breaks off", {name_, "", "", sf_strerror(file_->handle)});
  for (int64_t i = 0; i < got * format_.channels; ++i)
    if (!std::isfinite(interleaved[i])) throw FormatError("sound holds NaN or infinity", {name_, "", "", ""});
  return got;
}

std::vector<float> read_mono(const std::filesystem::path& file, int64_t sample_rate) {
  SoundReader reader(file);
  const int64_t channels = reader.format().channels;
  Resampler resampler(reader.format().sample_rate, sample_rate);
  constexpr int64_t kPiece = 4096;
  std::vector<float> interleaved(kPiece * channels), mono(kPiece), out;
  for (int64_t got = 1; got > 0;) {
    got = reader.read(interleaved);
    for (int64_t i = 0; i < got; ++i) {
      float sum = 0;
      for (int64_t c = 0; c < channels; ++c) sum += interleaved[i * channels + c];
      mono[i] = sum / static_cast<float>(channels);
    }
    resampler.push(std::span(mono).first(got), got == 0, out);
  }
  return out;
}

}  // namespace lightswitch::audio
