#include <lightswitch/decoder_registry.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/temporal_decoder.hpp>

#include <algorithm>

#include "core/nearest_word.hpp"

namespace lightswitch {
namespace {

std::vector<std::string> names_of(const std::vector<DecoderFamily>& families) {
  std::vector<std::string> names;
  for (const DecoderFamily& family : families) names.push_back(family.name);
  return names;
}

std::string first_names(const WeightSource& weights) {
  std::string text;
  for (size_t i = 0; i < std::min<size_t>(3, weights.tensors().size()); ++i) text += weights.tensors()[i].name + ", ";
  return std::to_string(weights.tensors().size()) + " tensors: " + text + "…";
}

/// Runs `make`; a mismatch with the family that was asked for names the family whose tensors these are.
template <typename Make>
auto or_name_a_better_family(const std::vector<DecoderFamily>& families, const DecoderFamily& tried,
                             const WeightSource& weights, const Make& make) {
  try {
    return make();
  } catch (const WeightsError& error) {
    const auto better = std::ranges::find_if(families, [&](const DecoderFamily& family) {
      return family.name != tried.name && family.recognises(weights) && !tried.recognises(weights);
    });
    if (better == families.end()) throw;
    throw WeightsError("the tensors belong to another family",
                       {weights.origin(), "family", better->name, tried.name + ", for which " + error.what()});
  }
}

}  // namespace

DecoderRegistry::DecoderRegistry(std::span<const DecoderFamily> families) {
  for (const DecoderFamily& family : families) add(family);
}

void DecoderRegistry::add(DecoderFamily family) {
  if (std::ranges::any_of(families_, [&](const DecoderFamily& known) { return known.name == family.name; }))
    throw OptionError("a decoder family of that name is already registered", {"", family.name, "", ""});
  families_.push_back(std::move(family));
}

const DecoderFamily& DecoderRegistry::family(std::string_view name) const {
  const auto known = std::ranges::find(families_, name, &DecoderFamily::name);
  if (known == families_.end())
    throw OptionError("unknown decoder family", {"", "family", join_words(names_of(families_)), std::string(name)});
  return *known;
}

const DecoderFamily& DecoderRegistry::recognise(const WeightSource& weights) const {
  std::vector<const DecoderFamily*> matches;
  for (const DecoderFamily& family : families_)
    if (family.recognises(weights)) matches.push_back(&family);
  if (matches.empty())
    throw WeightsError("no decoder family recognises these tensors",
                       {weights.origin(), "", join_words(names_of(families_)), first_names(weights)});
  if (matches.size() > 1)
    throw WeightsError("two families recognise these tensors: name one with family=",
                       {weights.origin(), "family", matches[0]->name + " or " + matches[1]->name, ""});
  return *matches.front();
}

std::unique_ptr<Decoder> DecoderRegistry::make_decoder(const DecoderFamily& family,
                                                       const NetworkRequest& request) const {
  return or_name_a_better_family(families_, family, *request.weights, [&] { return family.make_decoder(request); });
}

std::unique_ptr<Encoder> DecoderRegistry::make_encoder(const DecoderFamily& family,
                                                       const NetworkRequest& request) const {
  if (!family.make_encoder)
    throw UnsupportedError("this family has no encoder", {request.weights->origin(), family.name, "", ""});
  return or_name_a_better_family(families_, family, *request.weights, [&] { return family.make_encoder(request); });
}

std::unique_ptr<TemporalDecoder> DecoderRegistry::make_temporal_decoder(const DecoderFamily& family,
                                                                        const NetworkRequest& request) const {
  if (!family.make_temporal_decoder) {
    std::vector<std::string> others;
    for (const DecoderFamily& known : families_)
      if (known.make_temporal_decoder) others.push_back(known.name);
    throw UnsupportedError("this family has no decoder of clips",
                           {request.weights->origin(), "family", join_words(others), family.name});
  }
  return or_name_a_better_family(families_, family, *request.weights,
                                 [&] { return family.make_temporal_decoder(request); });
}

}  // namespace lightswitch
