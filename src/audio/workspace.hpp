#pragma once

#include "audio/kernels.hpp"

namespace lightswitch::audio {

/// What a network computes in. Grows to what the largest call needed.
class Workspace {
 public:
  Floats signal, next, window, hidden, mixed;
};

}  // namespace lightswitch::audio
