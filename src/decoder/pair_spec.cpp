#include "decoder/pair_spec.hpp"

#include <lightswitch/error.hpp>

#include <algorithm>

#include "core/nearest_word.hpp"
#include "decoder/pair_decoder.hpp"
#include "routing/latent_gate.hpp"

namespace lightswitch {
namespace {

/// The SPEC of one half: its source, and what the pair says about it.
NetworkSpec half_of(const NetworkSpec& pair, const std::string& half) {
  std::string text = pair.options.at(half);
  for (const auto& [option, value] : pair.options)
    if (option.starts_with(half + ".")) text += "," + option.substr(half.size() + 1) + "=" + value;
  NetworkSpec spec = NetworkSpec::parse(text);
  if (pair.options.count("dtype")) spec.options.emplace("dtype", pair.options.at("dtype"));
  return spec;
}

std::shared_ptr<const Decoder> open_half(const NetworkSpec& pair, const std::string& half,
                                         const NetworkContext& context) {
  const NetworkSpec spec = half_of(pair, half);
  if (decodes_clips(spec, context))
    throw UnsupportedError("a pair is routed picture by picture", {"", half, "a decoder of pictures", spec.source});
  return open_decoder(spec, context);
}

void require_pair_options(const NetworkSpec& spec) {
  for (const char* needed : {"light", "heavy", "gate"})
    if (!spec.options.count(needed))
      throw OptionError("a pair needs two decoders and the gate that was fitted for them",
                        {"", needed, "light=SPEC, heavy=SPEC, gate=FILE", "none"});
  std::vector<std::string> known = pair_options();
  for (const std::string& option : HeavyRule::options()) known.push_back(option);
  known.emplace_back("dtype");
  for (const auto& [option, value] : spec.options)
    if (std::ranges::find(known, option) == known.end() && !is_nested_option(spec, option))
      throw OptionError("a pair has no such option", {"", option, join_words(known), value});
}

}  // namespace

const std::vector<std::string>& pair_options() {
  static const std::vector<std::string> options = {"light", "heavy", "gate", "dwell", "tile"};
  return options;
}

bool is_nested_option(const NetworkSpec& spec, const std::string& key) {
  return spec.source == kPairSource && (key.starts_with("light.") || key.starts_with("heavy."));
}

bool names_pair(const NetworkSpec& spec) {
  return spec.source == kPairSource && (spec.options.count("light") || spec.options.count("heavy"));
}

std::shared_ptr<const Decoder> open_pair(const NetworkSpec& spec, const NetworkContext& context) {
  require_pair_options(spec);
  const PairRule rule = PairRule::read(spec.options);
  const auto gate = std::make_shared<const LatentGate>(open_weights(spec.options.at("gate")));
  auto light = open_half(spec, "light", context), heavy = open_half(spec, "heavy", context);
  if (gate->channels() != heavy->spec().channels)
    throw WeightsError("the gate is of another latent space",
                       {spec.options.at("gate"), "gate.conv1.weight",
                        std::to_string(heavy->spec().channels) + " channels", std::to_string(gate->channels())});
  return make_pair_decoder(std::move(light), std::move(heavy), gate, rule);
}

}  // namespace lightswitch
