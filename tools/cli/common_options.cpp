#include "cli/common_options.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/Device.h>
#include <lightswitch/version.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cmath>

#include "core/peak_memory.hpp"

namespace lightswitch::cli {

void add_common_options(CLI::App& command, CommonOptions& options, bool network) {
  const char* group = "Common";
  command.set_help_flag("-h,--help", "Print this help and leave")->group(group);
  command.set_version_flag("--version", "lightswitch " LIGHTSWITCH_VERSION, "Print the version and leave")
      ->group(group);
  command.add_option("--json", options.json, "Write a report of the run as JSON; - for standard output")
      ->type_name("FILE")
      ->group(group);
  if (network) {
    command.add_option("-d,--device", options.device, "Where networks run: cpu")->type_name("NAME")->group(group);
    command
        .add_option("--dtype", options.dtype,
                    "Arithmetic of decoders and encoders: auto (bf16 where this CPU multiplies it faster), fp32, bf16, "
                    "fp16; int8 "
                    "for decoders of pictures that were calibrated")
        ->type_name("NAME")
        ->group(group);
    command.add_option("-t,--threads", options.threads, "Threads to compute with; 0 leaves the choice to LibTorch")
        ->type_name("N")
        ->group(group);
    command
        .add_flag("--deterministic", options.deterministic, "Refuse operations whose result may vary from run to run")
        ->group(group);
  }
  auto* verbose = command.add_flag("-v,--verbose", options.verbose, "Say more on standard error")->group(group);
  command.add_flag("-q,--quiet", options.quiet, "Say nothing on standard error but errors")
      ->excludes(verbose)
      ->group(group);
  command.add_option("--color", options.color, "Colours on standard error: auto (on a terminal), always or never")
      ->type_name("WHEN")
      ->group(group);
}

void add_tiling_options(CLI::App& command, TilingOptions& options) {
  const char* group = "Decoder";
  command
      .add_flag("--vae-tiling", options.enabled,
                "Decode in tiles, for memory: exact where a decoder sees only so far, blended and approximate where it "
                "looks at the whole picture at once, which is said on standard error")
      ->group(group);
  command
      .add_flag("--exact-tiles", options.only_exact,
                "Decode in tiles, and refuse a decoder whose tiles would be approximate")
      ->group(group);
  command
      .add_option(
          "--max-memory", options.max_memory,
          "What the program may hold while it decodes a picture, itself and weights included: 2G, 512M. The "
          "picture is decoded whole where it fits, else in the largest tiles that do, which is said on standard "
          "error")
      ->type_name("SIZE")
      ->group(group);
  command.add_option("--vae-tile-size", options.size, "Edge of a tile in latents (default: 64)")
      ->type_name("N")
      ->group(group);
  command
      .add_option("--vae-tile-overlap", options.overlap,
                  "Share of an approximate tile's edge that is blended with its neighbour, 0 to 0.9 (default: 0.25)")
      ->type_name("X")
      ->group(group);
}

void add_model_option(CLI::App& command, std::string& model, const std::string& names, const std::string& group) {
  command
      .add_option("-m,--model", model,
                  "Model package that names " + names +
                      ": a folder, or a name in $LIGHTSWITCH_MODELS (default: the one that ships, scenes)")
      ->type_name("DIR")
      ->group(group);
}

void add_latent_file_options(CLI::App& command, std::string& kind, std::optional<double>& scaling_factor) {
  command.add_option("--kind", kind, "For files that do not say it: what the latents are, raw, diffusion or indices")
      ->type_name("KIND")
      ->group("Decoder");
  command
      .add_option("--scaling-factor", scaling_factor,
                  "For files that do not say it: what diffusion latents were multiplied by")
      ->type_name("X")
      ->group("Decoder");
}

void add_strict_dtype_option(CLI::App& command, bool& strict) {
  command
      .add_flag("--strict-dtype", strict,
                "Fail when numbers overflow in the decoder's dtype; without it, the decode is repeated in fp32 and a "
                "warning says so")
      ->group("Decoder");
}

TileOptions TilingOptions::checked() const {
  if (size < 1) throw UsageError("out of range", {"", "--vae-tile-size", "1 or more", std::to_string(size)});
  TileOptions tiles{.size = size, .overlap = overlap, .only_exact = only_exact};
  try {
    tiles.validate();
  } catch (const OptionError&) {
    throw UsageError("out of range", {"", "--vae-tile-overlap", "0 … 0.9", std::to_string(overlap)});
  }
  if (!enabled && !only_exact) tiles.size = 0;
  if (!max_memory.empty()) parse_bytes("--max-memory", max_memory);
  return tiles;
}

namespace {

/// What a program grows by while it decodes, beside what is predicted: code and kernels that come into use.
constexpr int64_t kGrowth = int64_t{64} << 20;

}  // namespace

TileOptions TilingOptions::fitted(const Decoder& decoder, int64_t height, int64_t width) const {
  const TileOptions wanted = checked();
  if (max_memory.empty()) return wanted;
  const int64_t held = held_memory().value_or(0) + kGrowth, most = parse_bytes("--max-memory", max_memory);
  try {
    return fitting_tiles(decoder, height, width, std::max<int64_t>(most - held, 0), wanted);
  } catch (const UnsupportedError& error) {
    ErrorDetail detail = error.detail();
    detail.expected += ", beside " + std::to_string(held >> 20) + " MiB for the program and its weights";
    detail.found += " of " + max_memory;
    throw UnsupportedError("the decode does not fit into --max-memory", detail);
  }
}

int64_t parse_bytes(const std::string& option, const std::string& text) {
  const auto refuse = [&] {
    return UsageError("not a size", {"", option, "a number with K, M or G behind it, such as 2G or 512M", text});
  };
  size_t digits = 0;
  double value = 0;
  try {
    value = std::stod(text, &digits);
  } catch (const std::logic_error&) {
    throw refuse();
  }
  std::string unit = text.substr(digits);
  if (unit.ends_with("iB")) unit.resize(unit.size() - 2);
  if (unit.ends_with("B")) unit.resize(unit.size() - 1);
  const size_t power = std::string(" KMG").find(unit.empty() ? ' ' : unit.front());
  if (power == std::string::npos || unit.size() > 1) throw refuse();
  const double bytes = value * std::pow(1024.0, static_cast<double>(power));
  if (!(bytes >= 1 && bytes < 1e18)) throw refuse();
  return static_cast<int64_t>(bytes);
}

DType checked_dtype(const CommonOptions& options) {
  const auto dtype = parse_dtype(options.dtype);
  if (!dtype) throw UsageError("unknown value", {"", "--dtype", "auto, fp32, bf16, fp16 or int8", options.dtype});
  return *dtype;
}

void apply_process_options(const CommonOptions& options) {
  if (options.color != "auto" && options.color != "always" && options.color != "never")
    throw UsageError("unknown value", {"", "--color", "auto, always or never", options.color});
  if (options.threads < 0 || options.threads > 1024)
    throw UsageError("out of range", {"", "--threads", "0 … 1024", std::to_string(options.threads)});
  checked_dtype(options);
  try {
    if (!c10::Device(options.device).is_cpu())
      throw UnsupportedError("this device is not available yet", {"", "--device", "cpu", options.device});
  } catch (const c10::Error&) {
    throw UsageError("unknown device", {"", "--device", "cpu", options.device});
  }
  if (options.threads > 0) at::set_num_threads(options.threads);
  if (options.deterministic) at::globalContext().setDeterministicAlgorithms(true, false);
}

}  // namespace lightswitch::cli
