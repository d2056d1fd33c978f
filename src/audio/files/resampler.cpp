#include <soxr.h>
#include <lightswitch/audio/sound_file.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>

namespace lightswitch::audio {

struct Resampler::Stream {
  soxr_t handle = nullptr;
  ~Stream() { soxr_delete(handle); }
};

Resampler::Resampler(int64_t from, int64_t to) : from_(from), to_(to) {
  if (from == to) return;
  stream_ = std::make_unique<Stream>();
  soxr_error_t error = nullptr;
  const auto type = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
  const auto quality = soxr_quality_spec(SOXR_HQ, 0);
  stream_->handle =
      soxr_create(static_cast<double>(from), static_cast<double>(to), 1, &error, &type, &quality, nullptr);
  if (error != nullptr)
    throw UnsupportedError("rate cannot be changed",
                           {"", "sample rate", std::to_string(to), std::to_string(from) + ": " + error});
}

Resampler::~Resampler() = default;
Resampler::Resampler(Resampler&&) noexcept = default;

void Resampler::push(std::span<const float> samples, bool last, std::vector<float>& out) {
  if (!stream_) {
    out.insert(out.end(), samples.begin(), samples.end());
    return;
  }
  taken_ += static_cast<int64_t>(samples.size());
  const auto take = [&](const float* in, size_t count, size_t& used) {
    constexpr size_t kPiece = 4096;
    const size_t before = out.size();
    size_t made = 0;
    out.resize(before + kPiece);
    const soxr_error_t error = soxr_process(stream_->handle, in, count, &used, out.data() + before, kPiece, &made);
    out.resize(before + made);
    if (error != nullptr) throw UnsupportedError("rate cannot be changed", {"", "", "", error});
    given_ += static_cast<int64_t>(made);
    return made;
  };
  for (size_t done = 0; done < samples.size();) {
    size_t used = 0;
    const size_t made = take(samples.data() + done, samples.size() - done, used);
    done += used;
    if (used == 0 && made == 0) throw UnsupportedError("rate cannot be changed", {"", "", "progress", "none"});
  }
  if (!last) return;
  size_t used = 0;
  while (take(nullptr, 0, used) > 0) {
  }
  // Rounding may leave a sample too many or too few.
  const int64_t exact = (taken_ * to_ + from_ / 2) / from_;
  for (; given_ < exact; ++given_) out.push_back(0);
  for (; given_ > exact && !out.empty(); --given_) out.pop_back();
}

}  // namespace lightswitch::audio
