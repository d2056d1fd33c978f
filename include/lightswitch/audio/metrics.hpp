#pragma once

#include <cstdint>
#include <span>

namespace lightswitch::audio {

/// How near a sound is to a reference. One channel each, of one length and one rate, which has to be 16 kHz where no
/// rate is asked for. Every function throws TensorError for sizes that it cannot take, NumericError for NaN or
/// infinity.

/// Scale-invariant signal-to-noise ratio in dB (Le Roux et al. 2019, arXiv 1811.02508, means taken away): infinite when
/// equal but for loudness. @throws NumericError for a silent reference.
double si_snr(std::span<const float> sound, std::span<const float> reference);

/// Mean absolute difference of log10 mel spectrograms: 16 kHz, periodic Hann window of 1024, hop 256, frames that lie
/// inside (a shorter sound is padded with zeros to one), 80 bands of 0 … 8 kHz on Slaney's scale with areas of one,
/// log10 of power, at least 1e-5. 0 when equal.
double log_mel_distance(std::span<const float> sound, std::span<const float> reference);

/// Short-time objective intelligibility (Taal et al. 2011): 0 … 1, 1 when equal.
/// @param sample_rate of both; they are brought to 10 kHz.
/// @throws TensorError when less than 0.4 s of the reference is no silence.
double stoi(std::span<const float> sound, std::span<const float> reference, int64_t sample_rate = 16000);

/// Mean over frames of 30 ms, hop a quarter, of the signal-to-noise ratio in dB, each held to -10 … 35 (Hansen and
/// Pellom 1998). 35 when equal.
double segmental_snr(std::span<const float> sound, std::span<const float> reference, int64_t sample_rate = 16000);

}  // namespace lightswitch::audio
