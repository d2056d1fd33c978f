#pragma once

#include <lightswitch/weights.hpp>

#include <memory>
#include <vector>

namespace lightswitch::bench {

/// Decoders of real sizes with random weights: time and memory do not depend on what the numbers are. Names as in the
/// families' own files. Scaled so that activations stay of order one.

/// AutoencoderKL's decoder. SD and SDXL: widths 128, 256, 512, 512 and 4 channels.
std::shared_ptr<const WeightSource> random_kl(const std::vector<int64_t>& widths, int64_t channels);
/// AutoencoderTiny's decoder, blocks 3, 3, 3, 1. TAESD: 64. TAE-192: 192.
std::shared_ptr<const WeightSource> random_taming(int64_t width, int64_t channels);
/// The EfficientViT configuration of arXiv 2503.04871: widths 128 x 3, 256 x 3, depths 0, 5, 10, 0, 0, 0.
std::shared_ptr<const WeightSource> random_vit_of_the_paper();

/// The routed decoder. The shipped one: 64, 3, {64, 48, 24}, 16.
std::shared_ptr<const WeightSource> random_routed(int64_t width, int64_t blocks, const std::vector<int64_t>& heavy,
                                                  int64_t gate);

/// Stable Video Diffusion's decoder of clips: KL's widths with a temporal half in each block.
std::shared_ptr<const WeightSource> random_svd();
/// TAESDV: TAESD's layout, every block of which sees the frame before.
std::shared_ptr<const WeightSource> random_taesdv(int64_t width);
/// DecoderTinyTemporal of arXiv 2503.04871, blocks 3, 2, 2, 1. TAE-192: 192.
std::shared_ptr<const WeightSource> random_tiny_temporal(int64_t width);

}  // namespace lightswitch::bench
