#pragma once

#include <lightswitch/weights.hpp>

#include <string>

namespace lightswitch::kl {

inline const std::string kDecoder = "decoder.";
inline const std::string kEncoder = "encoder.";

/// True when the file holds the half of an AutoencoderKL that `prefix` names, in diffusers' names.
bool holds(const WeightSource& weights, const std::string& prefix);

/// True for the same networks in the names of the CompVis code ("first_stage_model.decoder.mid.block_1…").
bool holds_compvis_names(const WeightSource& weights);

/// @throws UnsupportedError for CompVis names, WeightsError when the half is not there.
void require(const WeightSource& weights, const std::string& prefix);

}  // namespace lightswitch::kl
