#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace lightswitch::audio {

/// Columns of weights that lie side by side: one AVX-512 register, two of AVX2.
inline constexpr int64_t kPanel = 16;

/// Storage whose first number starts a cache line, so that no panel straddles two.
template <typename Number>
struct CacheLineAllocator {
  using value_type = Number;
  CacheLineAllocator() = default;
  template <typename Other>
  CacheLineAllocator(const CacheLineAllocator<Other>&) {}
  Number* allocate(size_t count) {
    return static_cast<Number*>(::operator new(count * sizeof(Number), std::align_val_t(64)));
  }
  void deallocate(Number* numbers, size_t) { ::operator delete(numbers, std::align_val_t(64)); }
  friend bool operator==(CacheLineAllocator, CacheLineAllocator) { return true; }
};
using Floats = std::vector<float, CacheLineAllocator<float>>;

/// What happens to a sum of products.
enum class Finish {
  store,
  leaky,  ///< store max(x, 0.3 x)
  add,    ///< add to what is there
};

/// out[row][column] = finish(bias[column] + sum over taps and inputs of x * weights). Sums of one output are added in
/// one order whatever the number of rows, so that a stream gives the same bits in chunks of any size.
struct Dense {
  const float* x;        ///< first number of the first row's window
  ptrdiff_t row_step;    ///< numbers from one row's window to the next
  int64_t taps;          ///< separate stretches of a window
  ptrdiff_t tap_step;    ///< numbers from one stretch to the next
  int64_t inputs;        ///< numbers in a stretch
  const float* weights;  ///< [panel][tap][input][kPanel], columns padded with zeros
  const float* bias;     ///< as many as padded columns
  float* out;
  ptrdiff_t out_step;     ///< numbers from one row of outputs to the next
  int64_t rows, columns;  ///< of outputs; columns before padding
  Finish finish;
};

/// out[row][channel] = bias[channel] + sum over taps of x[row + tap * dilation][channel] * weights[tap][channel].
struct Depthwise {
  const float* x;
  int64_t taps, dilation;
  const float *weights, *bias;
  float* out;
  int64_t rows, channels;
};

/// out[entry] = squared distance of `x` from each entry of a codebook.
struct Distances {
  const float* x;
  int64_t features;
  const float* book;  ///< [feature][entry]
  int64_t book_step;  ///< numbers from one feature's entries to the next one's
  float* out;
  int64_t entries;
};

/// The arithmetic, in the widest instructions that this machine has.
struct Kernels {
  void (*dense)(const Dense&);
  void (*depthwise)(const Depthwise&);
  void (*distances)(const Distances&);
  void (*leaky)(const float* x, float* out, int64_t count);
};
const Kernels& kernels();

/// exp(x) - 1 below zero. May work in place.
void elu(const float* x, float* out, int64_t count);

}  // namespace lightswitch::audio
