#include "audio/kernels.hpp"

#include <cmath>
#include <cstring>

// One text of each kernel, compiled for several instruction sets: always_inline lets it take on the target of the
// function that it ends up in. GNU vectors are as wide as a panel; the compiler splits them where registers are
// narrower.
#define LIGHTSWITCH_INLINE [[gnu::always_inline]] inline

namespace lightswitch::audio {
namespace {

constexpr float kSlope = 0.3F;

typedef float Panel __attribute__((vector_size(kPanel * sizeof(float))));

LIGHTSWITCH_INLINE void load(Panel& panel, const float* from) {
  std::memcpy(&panel, from, sizeof panel);
}

/// Rows x panels of outputs, all of whose sums stay in registers.
template <int rows, int panels>
LIGHTSWITCH_INLINE void tile(const Dense& a, int64_t row, int64_t panel) {
  Panel sums[rows][panels];
  for (int p = 0; p < panels; ++p) {
    Panel bias;
    load(bias, a.bias + (panel + p) * kPanel);
    for (int r = 0; r < rows; ++r) sums[r][p] = bias;
  }
  const int64_t panel_size = a.taps * a.inputs * kPanel;
  const float* weights = a.weights + panel * panel_size;
  const float* window = a.x + row * a.row_step;
  for (int64_t tap = 0; tap < a.taps; ++tap, window += a.tap_step) {
    for (int64_t i = 0; i < a.inputs; ++i, weights += kPanel) {
      Panel w[panels];
      for (int p = 0; p < panels; ++p) load(w[p], weights + p * panel_size);
      for (int r = 0; r < rows; ++r) {
        const float x = window[r * a.row_step + i];
        for (int p = 0; p < panels; ++p) sums[r][p] += x * w[p];
      }
    }
  }
  for (int r = 0; r < rows; ++r) {
    for (int p = 0; p < panels; ++p) {
      float* out = a.out + (row + r) * a.out_step + (panel + p) * kPanel;
      const int64_t left = a.columns - (panel + p) * kPanel;
      if (left >= kPanel) {
        Panel result = sums[r][p];
        if (a.finish == Finish::add) {
          Panel before;
          load(before, out);
          result += before;
        }
        if (a.finish == Finish::leaky) result = result > 0 ? result : result * kSlope;
        std::memcpy(out, &result, sizeof result);
      } else {
        for (int64_t c = 0; c < left; ++c) {
          const float sum = sums[r][p][c];
          if (a.finish == Finish::store) out[c] = sum;
          if (a.finish == Finish::leaky) out[c] = sum > 0 ? sum : sum * kSlope;
          if (a.finish == Finish::add) out[c] += sum;
        }
      }
    }
  }
}

template <int panels>
LIGHTSWITCH_INLINE void all_rows(const Dense& a, int64_t panel) {
  int64_t row = 0;
  for (; row + 6 <= a.rows; row += 6) tile<6, panels>(a, row, panel);
  for (; row + 4 <= a.rows; row += 4) tile<4, panels>(a, row, panel);
  for (; row + 2 <= a.rows; row += 2) tile<2, panels>(a, row, panel);
  for (; row < a.rows; ++row) tile<1, panels>(a, row, panel);
}

/// @tparam few_rows, many_rows panels at once, as far as registers go.
template <int few_rows, int many_rows>
LIGHTSWITCH_INLINE void dense(const Dense& a) {
  const int64_t panels = (a.columns + kPanel - 1) / kPanel;
  int64_t panel = 0;
  if (a.rows <= 2)
    for (; panel + few_rows <= panels; panel += few_rows) all_rows<few_rows>(a, panel);
  for (; panel + many_rows <= panels; panel += many_rows) all_rows<many_rows>(a, panel);
  for (; panel < panels; ++panel) all_rows<1>(a, panel);
}

LIGHTSWITCH_INLINE void depthwise(const Depthwise& a) {
  for (int64_t row = 0; row < a.rows; ++row) {
    float* __restrict__ out = a.out + row * a.channels;
    const float* x = a.x + row * a.channels;
    int64_t c = 0;
    for (; c + kPanel <= a.channels; c += kPanel) {
      Panel sum;
      load(sum, a.bias + c);
      for (int64_t tap = 0; tap < a.taps; ++tap) {
        Panel value, weight;
        load(value, x + tap * a.dilation * a.channels + c);
        load(weight, a.weights + tap * a.channels + c);
        sum += value * weight;
      }
      std::memcpy(out + c, &sum, sizeof sum);
    }
    for (; c < a.channels; ++c) {
      float sum = a.bias[c];
      for (int64_t tap = 0; tap < a.taps; ++tap)
        sum += x[tap * a.dilation * a.channels + c] * a.weights[tap * a.channels + c];
      out[c] = sum;
    }
  }
}

template <int panels>
LIGHTSWITCH_INLINE void distances_of(const Distances& a, int64_t entry) {
  Panel sums[panels]{};
  for (int64_t i = 0; i < a.features; ++i) {
    for (int p = 0; p < panels; ++p) {
      Panel book;
      load(book, a.book + i * a.book_step + entry + p * kPanel);
      const Panel difference = a.x[i] - book;
      sums[p] += difference * difference;
    }
  }
  std::memcpy(a.out + entry, sums, sizeof sums);
}

LIGHTSWITCH_INLINE void distances(const Distances& a) {
  int64_t entry = 0;
  for (; entry + 4 * kPanel <= a.entries; entry += 4 * kPanel) distances_of<4>(a, entry);
  for (; entry + kPanel <= a.entries; entry += kPanel) distances_of<1>(a, entry);
  for (; entry < a.entries; ++entry) {
    float sum = 0;
    for (int64_t i = 0; i < a.features; ++i) {
      const float difference = a.x[i] - a.book[i * a.book_step + entry];
      sum += difference * difference;
    }
    a.out[entry] = sum;
  }
}

LIGHTSWITCH_INLINE void leaky(const float* x, float* out, int64_t count) {
  int64_t i = 0;
  for (; i + kPanel <= count; i += kPanel) {
    Panel value;
    load(value, x + i);
    value = value > 0 ? value : value * kSlope;
    std::memcpy(out + i, &value, sizeof value);
  }
  for (; i < count; ++i) out[i] = x[i] > 0 ? x[i] : x[i] * kSlope;
}

#define LIGHTSWITCH_KERNELS(name, target, few_rows, many_rows)                             \
  namespace name {                                                                         \
  target void dense_kernel(const Dense& a) {                                               \
    dense<few_rows, many_rows>(a);                                                         \
  }                                                                                        \
  target void depthwise_kernel(const Depthwise& a) {                                       \
    depthwise(a);                                                                          \
  }                                                                                        \
  target void distances_kernel(const Distances& a) {                                       \
    distances(a);                                                                          \
  }                                                                                        \
  target void leaky_kernel(const float* x, float* out, int64_t count) {                    \
    leaky(x, out, count);                                                                  \
  }                                                                                        \
  constexpr Kernels table{dense_kernel, depthwise_kernel, distances_kernel, leaky_kernel}; \
  }

LIGHTSWITCH_KERNELS(plain, , 1, 1)
#if defined(__x86_64__)
LIGHTSWITCH_KERNELS(avx2, [[gnu::target("avx2,fma")]], 2, 1)
LIGHTSWITCH_KERNELS(avx512, [[gnu::target("avx512f,avx512vl,avx512dq,avx512bw,fma")]], 4, 2)
#endif

const Kernels& choose() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw"))
    return avx512::table;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2::table;
#endif
  return plain::table;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

void elu(const float* x, float* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = x[i] > 0 ? x[i] : std::expm1(x[i]);
}

}  // namespace lightswitch::audio
