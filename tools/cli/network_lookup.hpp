#pragma once

#include <lightswitch/decode.hpp>
#include <lightswitch/decoder_spec.hpp>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/model_package.hpp>
#include <lightswitch/temporal_decoder.hpp>

#include <memory>
#include <optional>
#include <string>

#include "cli/session.hpp"

namespace lightswitch::cli {

/// Resolves SPECs for one subcommand. The package is opened only when a SPEC needs it: a weight file decodes without
/// any.
class NetworkLookup {
 public:
  NetworkLookup(Session& session, std::string model);

  /// @throws FileError, FormatError, IntegrityError.
  const ModelPackage& package();

  const DecoderRegistry& registry() const { return registry_; }

  /// `spec` empty: the package's default. @throws UsageError when the text of the SPEC is wrong, else as
  /// open_decoder().
  std::shared_ptr<const Decoder> decoder(std::string& spec);
  /// The same decoder in another dtype, with this calibration.
  std::shared_ptr<const Decoder> decoder_in(const std::string& spec, const std::string& dtype,
                                            const std::string& calibration);
  /// Where the decoder's calibration is looked for.
  std::filesystem::path calibration_file(const std::string& spec);
  /// For a decoder that overflows: the same SPEC in fp32, and a warning; null where fp32 was in use. `info` becomes
  /// that of the decoder in use.
  OpenWider in_fp32(const std::string& spec, NetworkInfo& info);
  std::shared_ptr<const Encoder> encoder(std::string& spec);

  /// Whether the decoder is one of clips; `spec` as in decoder().
  bool decodes_clips(std::string& spec);
  std::shared_ptr<const TemporalDecoder> temporal_decoder(std::string& spec);
  /// in_fp32() of decoders of clips.
  OpenWiderClips clips_in_fp32(const std::string& spec, NetworkInfo& info);

 private:
  NetworkContext context(const NetworkSpec& spec);
  NetworkSpec of_decoder(std::string& spec);
  /// A function that opens the same SPEC in fp32. @param open from SPEC and context to a network.
  template <typename Open>
  auto reopening(const std::string& spec, NetworkInfo& info, Open open);

  Session& session_;
  std::string model_;
  DecoderRegistry registry_;
  std::optional<ModelPackage> package_;
};

/// The value of --kind, nothing where it was not given. @throws UsageError.
std::optional<LatentKind> checked_kind(const std::string& text);

/// A SPEC whose mistakes are the command line's. @throws UsageError.
NetworkSpec parse_spec(const std::string& text);

/// "kl, 64-64-128 …, 4.1 M parameters, fp32"
std::string describe(const NetworkInfo& info);

}  // namespace lightswitch::cli
