#include <sndfile.h>
#include <unistd.h>
#include <lightswitch/audio/sound_file.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <optional>

#include "core/atomic_file.hpp"

namespace lightswitch::audio {

struct SoundWriter::File {
  SNDFILE* handle = nullptr;
  std::optional<PendingFile> pending;
  std::string name;
  ~File() { sf_close(handle); }
  [[noreturn]] void refuse() const { throw FileError("cannot write", {name, "", "", sf_strerror(handle)}); }
};

SoundWriter::SoundWriter(const std::filesystem::path& file, const SoundFormat& format)
    : file_(std::make_unique<File>()), channels_(format.channels) {
  const bool pipe = file == "-";
  const std::string ending = pipe ? ".wav" : file.extension().string();
  file_->name = pipe ? "standard output" : file.string();
  SF_INFO info{};
  info.samplerate = static_cast<int>(format.sample_rate);
  info.channels = static_cast<int>(format.channels);
  if (ending == ".wav") {
    // wav keeps its length at the start, where a pipe cannot go back to; AU has a value for one that is not known.
    info.format = (pipe ? SF_FORMAT_AU : SF_FORMAT_WAV) | SF_FORMAT_PCM_16;
  } else if (ending == ".flac") {
    info.format = SF_FORMAT_FLAC | SF_FORMAT_PCM_16;
  } else {
    throw OptionError("sound is not written in this format", {file_->name, "", ".wav or .flac", ending});
  }
  if (pipe) {
    file_->handle = sf_open_fd(STDOUT_FILENO, SFM_WRITE, &info, SF_FALSE);
  } else {
    file_->pending.emplace(file);
    file_->handle = sf_open(file_->pending->temporary().c_str(), SFM_WRITE, &info);
  }
  if (file_->handle == nullptr) file_->refuse();
  sf_command(file_->handle, SFC_SET_CLIPPING, nullptr, SF_TRUE);
}

SoundWriter::~SoundWriter() = default;

void SoundWriter::write(std::span<const float> interleaved) {
  clipped_ += std::ranges::count_if(interleaved, [](float sample) { return sample > 1 || sample < -1; });
  const auto count = static_cast<int64_t>(interleaved.size()) / channels_;
  if (sf_writef_float(file_->handle, interleaved.data(), count) != count) file_->refuse();
}

void SoundWriter::finish() {
  SNDFILE* const handle = file_->handle;
  file_->handle = nullptr;
  if (sf_close(handle) != 0) throw FileError("cannot write", {file_->name, "", "", "the file could not be closed"});
  if (file_->pending) file_->pending->rename_to(file_->pending->target());
}

}  // namespace lightswitch::audio
