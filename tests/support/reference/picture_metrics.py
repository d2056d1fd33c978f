"""python -m reference.picture_metrics IN OUT: what the definitions, and packages where installed, say of two pictures.

IN is a safetensors file: picture, reference (float32, [3, H, W] in 0 … 1), and features_a, features_b (float32, [N, D]).
OUT is JSON, a number for each name; behind the name of a metric may stand, after a blank, the package that computed it.
The definitions need NumPy alone.
"""

import argparse
import importlib.metadata
import json
from pathlib import Path

import numpy as np

C1, C2 = 0.01**2, 0.03**2
EXPONENTS = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]


def gaussian_window() -> np.ndarray:
    """Along either axis."""
    weights = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    return weights / weights.sum()


def local_means(plane: np.ndarray, window: np.ndarray) -> np.ndarray:
    for axis in (0, 1):
        plane = np.lib.stride_tricks.sliding_window_view(plane, len(window), axis) @ window
    return plane


def similarity(x: np.ndarray, y: np.ndarray, window: np.ndarray, sample: bool = False) -> tuple[float, float]:
    """SSIM (Wang, Bovik, Sheikh, Simoncelli 2004) of a plane, and its product of contrast and structure."""
    factor = len(window) ** 2 / (len(window) ** 2 - 1) if sample else 1
    mx, my = local_means(x, window), local_means(y, window)
    vx = factor * (local_means(x * x, window) - mx * mx)
    vy = factor * (local_means(y * y, window) - my * my)
    vxy = factor * (local_means(x * y, window) - mx * my)
    structure = (2 * vxy + C2) / (vx + vy + C2)
    return float(((2 * mx * my + C1) / (mx**2 + my**2 + C1) * structure).mean()), float(structure.mean())


def halved(plane: np.ndarray) -> np.ndarray:
    """Every second of the 2x2 means of the plane, mirrored at its end, as the authors' own code has it."""
    x = np.pad(plane, ((0, 1), (0, 1)), mode="symmetric")
    return ((x[:-1, :-1] + x[1:, :-1] + x[:-1, 1:] + x[1:, 1:]) / 4)[::2, ::2]


def ms_ssim(x: np.ndarray, y: np.ndarray) -> float:
    """Wang, Simoncelli, Bovik (2003)."""
    product = 1.0
    for scale, exponent in enumerate(EXPONENTS):
        whole, structure = similarity(x, y, gaussian_window())
        product *= max(whole if scale == 4 else structure, 0) ** exponent
        x, y = halved(x), halved(y)
    return product


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """tr (A B)^½ from the symmetric roots of A and B, each by its eigenvalues."""

    def root(matrix: np.ndarray) -> np.ndarray:
        values, vectors = np.linalg.eigh(matrix)
        values[values < values.max() * len(values) * np.finfo(float).eps] = 0
        return vectors * np.sqrt(values) @ vectors.T

    ca, cb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    cross = np.linalg.svd(root(ca) @ root(cb), compute_uv=False).sum()
    return float(np.square(a.mean(0) - b.mean(0)).sum() + np.trace(ca) + np.trace(cb) - 2 * cross)


def definitions(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    planes = list(zip(x, y))
    box = np.full(7, 1 / 7)
    numbers = {
        "psnr": float(-10 * np.log10(np.square(x - y).mean())),
        "ssim": float(np.mean([similarity(*p, gaussian_window())[0] for p in planes])),
        "ssim_uniform": float(np.mean([similarity(*p, box, sample=True)[0] for p in planes])),
    }
    if min(x.shape[1:]) > 160:
        numbers["ms_ssim"] = float(np.mean([ms_ssim(*p) for p in planes]))
    return numbers


def scikit_image(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    common = {"data_range": 1, "channel_axis": 0}
    gaussian = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return {
        "psnr": float(peak_signal_noise_ratio(y, x, data_range=1)),
        "ssim": float(structural_similarity(x, y, **common, **gaussian)),
        "ssim_uniform": float(structural_similarity(x, y, **common)),
    }


def pytorch_msssim(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    import torch
    from pytorch_msssim import ms_ssim, ssim

    a, b = torch.from_numpy(x)[None], torch.from_numpy(y)[None]
    numbers = {"ssim": float(ssim(a, b, data_range=1))}
    # It fills odd sizes up with zeros, which are no part of the picture.
    if min(x.shape[1:]) > 160 and all(size % 16 == 0 for size in x.shape[1:]):
        numbers["ms_ssim"] = float(ms_ssim(a, b, data_range=1))
    return numbers


def scipy(a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    from scipy.linalg import sqrtm

    ca, cb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    cross = sqrtm(ca @ cb).real
    return {"frechet": float(np.square(a.mean(0) - b.mean(0)).sum() + np.trace(ca + cb - 2 * cross))}


def by_packages(names: dict, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    numbers = {}
    for package, compute in names.items():
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
        numbers |= {f"{name} {package} {version}": value for name, value in compute(x, y).items()}
    return numbers


def of_pictures(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    x, y = x.astype(float), y.astype(float)
    packages = {"scikit-image": scikit_image, "pytorch-msssim": pytorch_msssim}
    return definitions(x, y) | by_packages(packages, x, y)


def of_features(a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    a, b = a.astype(float), b.astype(float)
    return {"frechet": frechet(a, b)} | by_packages({"scipy": scipy}, a, b)


def main() -> None:
    from safetensors.numpy import load_file

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    given = load_file(options.input)
    numbers = of_pictures(given["picture"], given["reference"]) | of_features(given["features_a"], given["features_b"])
    options.output.write_text(json.dumps(numbers, indent=1) + "\n")


if __name__ == "__main__":
    main()
