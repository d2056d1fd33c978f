#pragma once

#include <lightswitch/batch/batch.hpp>
#include <lightswitch/decoder_spec.hpp>
#include <lightswitch/text_to_image.hpp>

#include <list>
#include <memory>
#include <optional>
#include <string>

namespace lightswitch {

/// Networks that items of a batch share. A manifest may name any number of decoders; the last few stay open.
class NetworkCache {
 public:
  NetworkCache(const BatchNetworks& networks, const BatchSettings& settings)
      : networks_(networks), settings_(settings) {}

  /// @throws as open_decoder().
  std::shared_ptr<const Decoder> decoder(const std::string& spec);
  /// The same SPEC in fp32, for one item whose numbers overflow; null where fp32 was in use already.
  std::shared_ptr<const Decoder> wider(const std::string& spec);
  /// The model with this decoder. @throws UnusableBatch when the model's own parts cannot be loaded.
  TextToImage pipeline(const std::string& spec);

 private:
  std::shared_ptr<const Decoder> open(const std::string& spec, bool in_fp32);

  struct Open {
    std::string spec;
    bool in_fp32;
    std::shared_ptr<const Decoder> decoder;
  };
  const BatchNetworks& networks_;
  const BatchSettings& settings_;
  std::list<Open> open_;  ///< the last one used first
  std::optional<TextToImageParts> parts_;
};

}  // namespace lightswitch
