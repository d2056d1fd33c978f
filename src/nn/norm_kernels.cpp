#include "nn/norm_kernels.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "nn/activation_kernel.hpp"
#include "nn/int8/round_kernel.hpp"
#include "nn/vector_code.hpp"

namespace lightswitch::nn {
namespace {

/// Rows are summed in fp32 for this many pixels, then in double: fast, and exact enough for any picture.
constexpr int64_t kBlock = 128;

/// Per channel: sums of (x - pivot) and of its square. The pivot keeps numbers far from zero from losing their spread.
template <typename T>
struct SumRows {
  [[gnu::always_inline]] static inline void run(const T* x, int64_t rows, int64_t channels, const float* pivot,
                                                float* sum, float* squares) {
    for (int64_t row = 0; row < rows; ++row, x += channels) {
      for (int64_t c = 0; c < channels; ++c) {
        const float distance = widen(x[c]) - pivot[c];
        sum[c] += distance;
        squares[c] += distance * distance;
      }
    }
  }
};

template <typename T, Activation act>
struct ScaleRows {
  [[gnu::always_inline]] static inline void run(const T* x, int64_t rows, int64_t channels, const float* scale,
                                                const float* shift, T* y) {
    for (int64_t row = 0; row < rows; ++row, x += channels, y += channels)
      for (int64_t c = 0; c < channels; ++c) y[c] = narrow<T>(activated<act>(widen(x[c]) * scale[c] + shift[c]));
  }
};

template <typename T, Activation act>
struct RmsRows {
  [[gnu::always_inline]] static inline void run(const T* x, int64_t rows, int64_t channels, const float* weight,
                                                const float* bias, float eps, T* y) {
    constexpr int64_t lanes = 16;
    for (int64_t row = 0; row < rows; ++row, x += channels, y += channels) {
      float partial[lanes] = {};
      int64_t c = 0;
      for (; c + lanes <= channels; c += lanes)
        for (int64_t lane = 0; lane < lanes; ++lane) partial[lane] += widen(x[c + lane]) * widen(x[c + lane]);
      float sum = 0;
      for (; c < channels; ++c) sum += widen(x[c]) * widen(x[c]);
      for (const float part : partial) sum += part;
      const float scale = 1.f / std::sqrt(sum / float(channels) + eps);
      for (c = 0; c < channels; ++c) y[c] = narrow<T>(activated<act>(widen(x[c]) * scale * weight[c] + bias[c]));
    }
  }
};

/// What one stretch of pixels adds to a picture's statistics.
struct Sums {
  std::vector<double> sum, squares;
};

template <typename T>
Sums sum_stretch(const T* x, int64_t pixels, int64_t channels, const float* pivot) {
  Sums total{std::vector<double>(channels), std::vector<double>(channels)};
  std::vector<float> block(2 * channels);
  for (int64_t done = 0; done < pixels; done += kBlock) {
    std::fill(block.begin(), block.end(), 0.f);
    run_vectorised<SumRows<T>>(x + done * channels, std::min(kBlock, pixels - done), channels, pivot, block.data(),
                               block.data() + channels);
    for (int64_t c = 0; c < channels; ++c) {
      total.sum[c] += block[c];
      total.squares[c] += block[channels + c];
    }
  }
  return total;
}

/// Adds the sums of all stretches up to one mean and variance per group.
void reduce(const std::vector<Sums>& stretches, const std::vector<float>& pivot, int64_t pixels, int64_t groups,
            double* statistics) {
  const int64_t channels = static_cast<int64_t>(pivot.size()), size = channels / groups;
  std::vector<double> means(channels), spreads(channels);
  for (int64_t c = 0; c < channels; ++c) {
    double sum = 0, squares = 0;
    for (const Sums& stretch : stretches) {
      sum += stretch.sum[c];
      squares += stretch.squares[c];
    }
    means[c] = pivot[c] + sum / double(pixels);
    spreads[c] = squares / double(pixels) - (sum / double(pixels)) * (sum / double(pixels));
  }
  for (int64_t first = 0; first < channels; first += size, statistics += 2) {
    double mean = 0, variance = 0;
    for (int64_t c = first; c < first + size; ++c) mean += means[c] / double(size);
    for (int64_t c = first; c < first + size; ++c)
      variance += (std::max(spreads[c], 0.0) + (means[c] - mean) * (means[c] - mean)) / double(size);
    statistics[0] = mean;
    statistics[1] = variance;
  }
}

template <typename T>
void statistics_of(const at::Tensor& x, int64_t groups, double* statistics) {
  const int64_t channels = x.size(1), pixels = x.size(2) * x.size(3);
  const T* input = x.const_data_ptr<T>();
  const int64_t wanted = (pixels * channels + kGrain - 1) / kGrain;
  const int64_t count = std::clamp<int64_t>(wanted, 1, 4 * at::get_num_threads());
  const int64_t stretch = (pixels + count - 1) / count;
  std::vector<float> pivot(channels);
  for (int64_t n = 0; n < x.size(0); ++n, input += pixels * channels, statistics += 2 * groups) {
    for (int64_t c = 0; c < channels; ++c) pivot[c] = widen(input[c]);
    std::vector<Sums> sums(count, {std::vector<double>(channels), std::vector<double>(channels)});
    at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t start = i * stretch, length = std::min(stretch, pixels - start);
        if (length > 0) sums[i] = sum_stretch(input + start * channels, length, channels, pivot.data());
      }
    });
    reduce(sums, pivot, pixels, groups, statistics);
  }
}

/// Calls rows(x, count, scale, shift, y) on stretches of pixels: the norm of channel c is x * scale[c] + shift[c].
template <typename T, typename Result, typename Rows>
void group_norm(const at::Tensor& x, const at::Tensor& statistics, const float* weight, const float* bias, double eps,
                at::Tensor& y, Rows&& rows) {
  const int64_t channels = x.size(1), pixels = x.size(2) * x.size(3);
  const int64_t groups = statistics.size(1), size = channels / groups;
  const T* input = x.const_data_ptr<T>();
  Result* output = y.mutable_data_ptr<Result>();
  std::vector<float> scale(channels), shift(channels);
  for (int64_t n = 0; n < x.size(0); ++n, input += pixels * channels, output += pixels * channels) {
    const double* own = statistics.const_data_ptr<double>() + (statistics.size(0) == 1 ? 0 : n * 2 * groups);
    for (int64_t c = 0; c < channels; ++c) {
      const double mean = own[c / size * 2], inverse = 1 / std::sqrt(own[c / size * 2 + 1] + eps);
      scale[c] = float(weight[c] * inverse);
      shift[c] = float(bias[c] - mean * weight[c] * inverse);
    }
    at::parallel_for(0, pixels, std::max<int64_t>(kGrain / channels, 1), [&](int64_t begin, int64_t end) {
      rows(input + begin * channels, end - begin, static_cast<const float*>(scale.data()),
           static_cast<const float*>(shift.data()), output + begin * channels);
    });
  }
}

template <typename T, Activation act>
void rms_norm(const at::Tensor& x, const float* weight, const float* bias, double eps, at::Tensor& y) {
  const int64_t channels = x.size(1), pixels = x.size(0) * x.size(2) * x.size(3);
  const T* input = x.const_data_ptr<T>();
  T* output = y.mutable_data_ptr<T>();
  at::parallel_for(0, pixels, std::max<int64_t>(kGrain / channels, 1), [&](int64_t begin, int64_t end) {
    run_vectorised<RmsRows<T, act>>(input + begin * channels, end - begin, channels, weight, bias, float(eps),
                                    output + begin * channels);
  });
}

}  // namespace

at::Tensor group_statistics(const at::Tensor& x, int64_t groups) {
  at::Tensor statistics = at::empty({x.size(0), groups, 2}, at::kDouble);
  double* target = statistics.mutable_data_ptr<double>();
  if (x.scalar_type() == at::kBFloat16)
    statistics_of<at::BFloat16>(x, groups, target);
  else
    statistics_of<float>(x, groups, target);
  return statistics;
}

void group_norm_kernel(const at::Tensor& x, const at::Tensor& statistics, const at::Tensor& weight,
                       const at::Tensor& bias, double eps, Activation act, at::Tensor& y) {
  for_type_and_activation(x.scalar_type(), act, [&](auto element, auto constant) {
    using T = decltype(element);
    group_norm<T, T>(x, statistics, weight.const_data_ptr<float>(), bias.const_data_ptr<float>(), eps, y,
                     [&](const T* from, int64_t rows, const float* scale, const float* shift, T* to) {
                       run_vectorised<ScaleRows<T, decltype(constant)::value>>(from, rows, x.size(1), scale, shift, to);
                     });
  });
}

bool group_norm_to_bytes_kernel(const at::Tensor& x, const at::Tensor& statistics, const at::Tensor& weight,
                                const at::Tensor& bias, double eps, Activation act, const Rounding& rounding,
                                at::Tensor& bytes) {
  std::atomic<bool> finite = true;
  for_type_and_activation(x.scalar_type(), act, [&](auto element, auto constant) {
    using T = decltype(element);
    group_norm<T, uint8_t>(x, statistics, weight.const_data_ptr<float>(), bias.const_data_ptr<float>(), eps, bytes,
                           [&](const T* from, int64_t rows, const float* scale, const float* shift, uint8_t* to) {
                             uint32_t largest = 0;
                             run_vectorised<RoundRows<T, decltype(constant)::value>>(
                                 from, rows, x.size(1), scale, shift, float(1 / rounding.scale), float(rounding.zero),
                                 to, &largest);
                             if (largest >= kInfinityBits) finite = false;
                           });
  });
  return finite;
}

void rms_norm_kernel(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double eps, Activation act,
                     at::Tensor& y) {
  for_type_and_activation(x.scalar_type(), act, [&](auto element, auto constant) {
    rms_norm<decltype(element), decltype(constant)::value>(x, weight.const_data_ptr<float>(),
                                                           bias.const_data_ptr<float>(), eps, y);
  });
}

}  // namespace lightswitch::nn
