#pragma once

#include "audio/kernels.hpp"

namespace lightswitch::audio {

/// What a network computes in. Grows to what the largest call needed.
class Workspace {
 public:
  Floats signal, next, window, hidden, mixed;  // of a network
  Floats embeddings, samples;                  // of a decoder that switches
};

}  // namespace lightswitch::audio
