#pragma once

#include <lightswitch/decode.hpp>
#include <lightswitch/error.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace lightswitch::cli {

class Session;

/// The command line alone shows the mistake: exit code 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// The work ended with an exit code of its own; the message is not about a single mistake.
class EndedWith : public Error {
 public:
  EndedWith(int code, const std::string& message) : Error(message), code_(code) {}
  int code() const { return code_; }

 private:
  int code_;
};

/// Options that every subcommand takes.
struct CommonOptions {
  std::string device = "cpu";
  std::string dtype = "auto";
  int threads = 0;
  bool deterministic = false;
  bool verbose = false;
  bool quiet = false;
  std::string color = "auto";
  std::string json;  ///< file for the report, "-" for standard output, empty for none
};

/// What the chosen subcommand does once the whole command line is understood.
using Job = std::function<void(Session&)>;

/// Adds the common options to a subcommand. `network` adds those that matter only where a network runs.
void add_common_options(CLI::App& command, CommonOptions& options, bool network);

/// -m, for subcommands that look networks up. @param names what the package is asked for: "decoders", "encoders".
void add_model_option(CLI::App& command, std::string& model, const std::string& names, const std::string& group);

/// --kind and --scaling-factor, for subcommands that read latent files which may not say it themselves.
void add_latent_file_options(CLI::App& command, std::string& kind, std::optional<double>& scaling_factor);

/// --strict-dtype, for subcommands that decode.
void add_strict_dtype_option(CLI::App& command, bool& strict);

/// --vae-tiling and its kin, for subcommands that decode.
struct TilingOptions {
  bool enabled = false;
  bool only_exact = false;
  int64_t size = 64;
  double overlap = TileOptions{}.overlap;
  std::string max_memory;

  /// Whether tiles were asked for, or may be chosen.
  bool any() const { return enabled || only_exact || !max_memory.empty(); }
  /// What was asked for, without regard to --max-memory. @throws UsageError, for --max-memory too.
  TileOptions checked() const;
  /// checked(), made smaller until the process stays within --max-memory while it decodes these latents [N, C, h, w].
  /// @throws UsageError, UnsupportedError.
  TileOptions fitted(const Decoder& decoder, int64_t height, int64_t width) const;
};
/// "512M" in bytes. @throws UsageError naming the option.
int64_t parse_bytes(const std::string& option, const std::string& text);
void add_tiling_options(CLI::App& command, TilingOptions& options);

/// @throws UsageError for a device or dtype that does not exist, UnsupportedError for one that this build cannot use.
DType checked_dtype(const CommonOptions& options);
/// Checks the common options and sets what is the process's own: threads and determinism.
void apply_process_options(const CommonOptions& options);

}  // namespace lightswitch::cli
