#pragma once

#include <cstddef>
#include <cstdint>

namespace lightswitch {

/// round(share * samples). @throws OptionError naming the option unless share lies in 0 … 1.
int64_t heavy_samples(double share, size_t samples, const char* option);

}  // namespace lightswitch
