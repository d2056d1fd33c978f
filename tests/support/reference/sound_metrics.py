"""python -m reference.sound_metrics --out FILE: two sounds and what the definitions say of them, in NumPy alone.

Tensors: reference, sound (float16, [samples], 16 kHz) and float64 si_snr, log_mel, stoi, segmental_snr.
"""

import argparse
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

RATE = 16000


def si_snr(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x - x.mean(), y - y.mean()
    target = (y @ x) / (x @ x) * x
    return 10 * np.log10((target @ target) / ((y - target) @ (y - target)))


def mel_filters(bands: int, fft: int) -> np.ndarray:
    """Slaney's auditory toolbox: 200/3 Hz a mel below 1 kHz, 27 mels for a factor of 6.4 above; unit area."""
    top = 15 + 27 * np.log(RATE / 2 / 1000) / np.log(6.4)
    mels = np.linspace(0, top, bands + 2)
    hz = np.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((mels - 15) / 27))
    bins = np.fft.rfftfreq(fft, 1 / RATE)
    filters = np.zeros((bands, len(bins)))
    for i in range(bands):
        low, middle, high = hz[i : i + 3]
        rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
        filters[i] = np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low)
    return filters


def log_mel(x: np.ndarray) -> np.ndarray:
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    frames = np.stack([x[i : i + 1024] * window for i in range(0, len(x) - 1023, 256)])
    power = np.abs(np.fft.rfft(frames)) ** 2
    return np.log10(np.maximum(power @ mel_filters(80, 1024).T, 1e-5))


def to_10_khz(x: np.ndarray) -> np.ndarray:
    """Polyphase by 5/8, as Octave's resample: zeros between samples, a Kaiser-windowed sinc, every eighth sample."""
    up, down = 5, 8
    cutoff = 1 / (2 * max(up, down))
    half = int(np.ceil((60 - 8) / (28.714 * cutoff / 10)))
    t = np.arange(-half, half + 1)
    taps = np.kaiser(2 * half + 1, 0.1102 * (60 - 8.7)) * np.sinc(2 * cutoff * t)
    taps = taps / taps.sum() * up
    stuffed = np.zeros(len(x) * up)
    stuffed[::up] = x
    return np.convolve(stuffed, taps)[half : half + len(stuffed)][::down]


def stoi(x: np.ndarray, y: np.ndarray) -> float:
    """Taal, Hendriks, Heusdens, Jensen: An Algorithm for Intelligibility Prediction … (2011)."""
    eps, frame, hop, fft, segment = np.finfo(float).eps, 256, 128, 512, 30
    x, y = to_10_khz(x), to_10_khz(y)
    window = np.hanning(frame + 2)[1:-1]
    starts = range(0, len(x) - frame, hop)  # as the authors' code: none that ends with the sound
    fx, fy = (np.stack([window * z[i : i + frame] for i in starts]) for z in (x, y))
    energy = 20 * np.log10(np.linalg.norm(fx, axis=1) + eps)
    loud = energy > energy.max() - 40
    x, y = np.zeros((loud.sum() + 1) * hop), np.zeros((loud.sum() + 1) * hop)
    for i, (a, b) in enumerate(zip(fx[loud], fy[loud])):
        x[i * hop : i * hop + frame] += a
        y[i * hop : i * hop + frame] += b
    frequencies = np.linspace(0, 10000, fft + 1)[: fft // 2 + 1]
    levels = []
    for z in (x, y):
        spectrum = np.stack([np.fft.rfft(window * z[i : i + frame], fft) for i in range(0, len(z) - frame, hop)])
        bands = []
        for k in range(15):
            low = np.argmin(np.square(frequencies - 150 * 2 ** ((2 * k - 1) / 6)))
            high = np.argmin(np.square(frequencies - 150 * 2 ** ((2 * k + 1) / 6)))
            bands.append(np.sqrt(np.sum(np.abs(spectrum[:, low:high]) ** 2, axis=1)))
        levels.append(np.stack(bands))
    correlations = []
    for m in range(segment, levels[0].shape[1] + 1):
        for a, b in zip(levels[0][:, m - segment : m], levels[1][:, m - segment : m]):
            b = b * np.linalg.norm(a) / (np.linalg.norm(b) + eps)
            b = np.minimum(b, a * (1 + 10 ** (15 / 20)))
            a, b = a - a.mean(), b - b.mean()
            correlations.append((a / (np.linalg.norm(a) + eps)) @ (b / (np.linalg.norm(b) + eps)))
    return float(np.mean(correlations))


def segmental_snr(x: np.ndarray, y: np.ndarray) -> float:
    frame, eps = round(0.03 * RATE), np.finfo(float).eps
    window = 0.5 * (1 - np.cos(2 * np.pi * np.arange(1, frame + 1) / (frame + 1)))
    ratios = []
    for start in range(0, len(x) - frame + 1, frame // 4):
        a, b = x[start : start + frame] * window, y[start : start + frame] * window
        ratios.append(10 * np.log10((a @ a) / ((a - b) @ (a - b) + eps) + eps))
    return float(np.mean(np.clip(ratios, -10, 35)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    file = parser.parse_args().out
    random = np.random.default_rng(1)
    t = np.arange(int(0.9 * RATE)) / RATE
    # Something like a voice: harmonics that glide, syllables, a pause.
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 1.5 * t)) / RATE
    voice = sum(np.sin(n * phase) / n for n in range(1, 30)) * np.sin(2 * np.pi * 2.2 * t) ** 2
    voice[int(0.4 * RATE) : int(0.5 * RATE)] = 0
    reference = (0.2 * voice).astype(np.float16)
    noisy = 0.8 * reference.astype(float) + 0.05 * random.standard_normal(len(t))
    sound = noisy.astype(np.float16)
    x, y = reference.astype(float), sound.astype(float)
    values = {
        "si_snr": si_snr(x, y),
        "log_mel": float(np.abs(log_mel(x) - log_mel(y)).mean()),
        "stoi": stoi(x, y),
        "segmental_snr": segmental_snr(x, y),
    }
    print(values)
    save_file({"reference": reference, "sound": sound} | {k: np.array(v) for k, v in values.items()}, file)


if __name__ == "__main__":
    main()
