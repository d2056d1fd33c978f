#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/memory.hpp>
#include <lightswitch/posterior.hpp>

#include "core/stopwatch.hpp"
#include "decoder/latents.hpp"
#include "decoder/out_of_memory.hpp"
#include "decoder/tiling.hpp"

namespace lightswitch {
namespace {

/// @param layer the place that is named where the decoder itself cannot name the first.
NumericError overflow(const Decoder& decoder, const at::Tensor& latents, const std::string& found,
                      const std::string& layer, std::stop_token stop) {
  std::string first = decoder.first_non_finite_layer(latents, std::move(stop));
  if (first.empty()) first = layer;
  const std::string place = first.empty() ? "" : ", first after " + first;
  return NumericError(std::string("the decoder's numbers overflow in ") + to_string(decoder.info().dtype),
                      {"", "picture", "finite numbers", found + place});
}

void require_approximate_tiles(const Decoder& decoder, const TileOptions& tiles) {
  const std::string& family = decoder.info().family;
  if (tiles.only_exact)
    throw UnsupportedError("tiles would not be exact: this decoder normalises or attends over the whole picture",
                           {"", "tiles.only_exact", "false for decoders of family " + family, "true"});
  if (!decoder.shared_norms())
    throw UnsupportedError(
        "this decoder normalises or attends over the whole picture and cannot share statistics between tiles",
        {"", "tiles.size", "0 for decoders of family " + family, std::to_string(tiles.size)});
}

at::Tensor decode_by_one(const Decoder& decoder, const at::Tensor& latents, const DecodeOptions& options) {
  const LatentSpec& spec = decoder.spec();
  const bool tiled = options.tiles.size > 0;
  if (tiled && spec.global_operations) require_approximate_tiles(decoder, options.tiles);
  const auto input = to_network_input(latents, options.kind, spec);

  const auto forward = [&](const at::Tensor& part, const NormStatistics* shared = nullptr) {
    if (options.stop.stop_requested()) throw Cancelled();
    at::Tensor picture;
    try {
      if (shared && !shared->empty())
        picture = decoder.shared_norms()->forward_with(*shared, part, options.stop);
      else if (options.routed && decoder.routing())
        picture = decoder.routing()->forward_observed(part, options.routed, options.stop);
      else
        picture = decoder.forward(part, options.stop);
    } catch (const NumericError& error) {  // found on the way
      throw overflow(decoder, part, error.detail().found, error.detail().field, options.stop);
    }
    const std::vector<int64_t> expected = {part.size(0), 3, part.size(-2) * spec.factor, part.size(-1) * spec.factor};
    if (!picture.defined() || picture.sizes() != at::IntArrayRef(expected))
      throw TensorError("the decoder returned another shape",
                        {"", "picture", c10::str(at::IntArrayRef(expected)), describe(picture)});
    if (!is_finite(picture)) throw overflow(decoder, part, count_of_bad(picture), "", options.stop);
    return to_unit(picture, spec.output_range);
  };
  const auto in_tiles = [&](const at::Tensor& one) {
    const TileOptions& tiles = options.tiles;
    if (!spec.global_operations)
      return decode_exact_tiles(
          one, tiles.size, spec.halo, spec.factor, [&](const at::Tensor& part) { return forward(part); },
          options.progress);
    const NormStatistics shared = decoder.shared_norms()->measure(thinned(one, tiles.size), options.stop);
    return decode_blended_tiles(
        one, tiles, spec.factor, [&](const at::Tensor& part) { return forward(part, &shared); }, options.progress);
  };
  // One picture at a time: kernels may round differently for different batch sizes, and memory stays that of one
  // picture.
  std::vector<at::Tensor> pictures;
  const int64_t count = input.size(0);
  for (int64_t i = 0; i < count; ++i) {
    const auto one = input.slice(0, i, i + 1);
    pictures.push_back(tiled ? in_tiles(one) : forward(one));
    if (!tiled && options.progress) options.progress(i + 1, count);
  }
  return count == 1 ? pictures.front() : at::cat(pictures);
}

/// Where whole pictures are routed: each by the decoder of its path.
at::Tensor decode_by_path(const RoutedDecoding& routing, const at::Tensor& latents, const DecodeOptions& options) {
  std::vector<at::Tensor> pictures;
  std::vector<PictureRoute> routes = routing.plan(latents, options.kind, false);
  for (size_t i = 0; i < routes.size(); ++i) {
    const auto index = static_cast<int64_t>(i);
    const Stopwatch watch;
    pictures.push_back(decode_by_one(*routing.path(routes[i].plan[0]), latents.slice(0, index, index + 1), options));
    RoutingStats& stats = routes[i].stats;
    (stats.heavy > 0 ? stats.heavy_ms : stats.light_ms) = watch.ms();
    if (options.routed) options.routed(routes[i]);
  }
  return at::cat(pictures);
}

at::Tensor decode_once(const Decoder& decoder, const at::Tensor& latents, const DecodeOptions& options) {
  require_latents(latents, options.kind, decoder.spec());
  options.tiles.validate();
  const RoutedDecoding* routing = decoder.routing();
  if (!routing) return decode_by_one(decoder, latents, options);
  std::vector<PictureRoute> routes;  // told when all went well: what failed is decoded again, with routes of its own
  DecodeOptions noting = options;
  if (options.routed) noting.routed = [&](const PictureRoute& route) { routes.push_back(route); };
  at::Tensor pictures =
      routing->path(Path::light) ? decode_by_path(*routing, latents, noting) : decode_by_one(decoder, latents, noting);
  for (const PictureRoute& route : routes) options.routed(route);
  return pictures;
}

at::Tensor decode_in_some_dtype(const Decoder& decoder, const at::Tensor& latents, const DecodeOptions& options) {
  try {
    return decode_once(decoder, latents, options);
  } catch (const NumericError& error) {
    const bool by_decoder = error.detail().field == "picture";
    const auto wider = by_decoder && options.wider ? options.wider(error) : nullptr;
    if (!wider) throw;
    return decode_once(*wider, latents, options);
  }
}

MemoryError out_of_memory(const Decoder& decoder, const at::Tensor& latents, const TileOptions& tiles) {
  const auto bytes = predicted_decode_bytes(decoder, latents.size(-2), latents.size(-1), tiles);
  const std::string needed = bytes ? "about " + std::to_string(*bytes >> 20) + " MiB beside the weights" : "enough";
  const std::string how = tiles.size > 0 ? "in tiles of " + std::to_string(tiles.size) + " latents" : "whole";
  return MemoryError("memory ran out while a picture was decoded " + how, {"", "memory", needed, "less"});
}

}  // namespace

void TileOptions::validate() const {
  if (size < 0) throw OptionError("out of range", {"", "tiles.size", "0 or more latents", std::to_string(size)});
  if (!(overlap >= 0 && overlap <= 0.9))
    throw OptionError("out of range", {"", "tiles.overlap", "0 … 0.9", std::to_string(overlap)});
}

at::Tensor decode(const Decoder& decoder, const at::Tensor& latents, const DecodeOptions& options) {
  const c10::InferenceMode guard;
  DecodeOptions attempt = options;
  for (;;) {
    try {
      return decode_in_some_dtype(decoder, latents, attempt);
    } catch (const std::exception& error) {
      if (!is_out_of_memory(error)) throw;
      const MemoryError told = out_of_memory(decoder, latents, attempt.tiles);
      const auto smaller = smaller_tiles(decoder, latents.size(-2), latents.size(-1), attempt.tiles);
      if (!smaller || !options.smaller || !options.smaller(told, *smaller)) throw told;
      attempt.tiles = *smaller;
    }
    release_large_blocks();  // what the failed attempt had
  }
}

namespace {

/// Checked pictures in the range that the encoder wants.
at::Tensor to_encoder_input(const at::Tensor& pictures, const LatentSpec& spec) {
  const bool fits = pictures.defined() && pictures.dim() == 4 && pictures.size(1) == 3 &&
                    pictures.is_floating_point() && pictures.numel() > 0 && pictures.size(2) % spec.factor == 0 &&
                    pictures.size(3) % spec.factor == 0;
  if (!fits)
    throw TensorError(
        "unusable pictures",
        {"", "pictures", "[N, 3, H, W] floating point, H and W multiples of " + std::to_string(spec.factor),
         describe(pictures)});
  require_finite(pictures, "pictures");
  const auto unit = pictures.to(at::kFloat);
  return spec.output_range == OutputRange::signed_unit ? unit * 2 - 1 : unit;
}

at::Tensor to_kind(const at::Tensor& z, LatentKind kind, const LatentSpec& spec) {
  if (kind == spec.network_input) return z.contiguous();
  return (kind == LatentKind::diffusion ? (z - spec.shift_factor) * spec.scaling_factor
                                        : z / spec.scaling_factor + spec.shift_factor)
      .contiguous();
}

}  // namespace

at::Tensor encode(const Encoder& encoder, const at::Tensor& pictures, LatentKind kind, std::stop_token stop) {
  const c10::InferenceMode guard;
  const LatentSpec& spec = encoder.spec();
  if (kind == LatentKind::indices && spec.codebook == 0)
    throw UnsupportedError("this encoder makes continuous latents", {"", "kind", "raw or diffusion", "indices"});
  const auto x = to_encoder_input(pictures, spec);
  std::vector<at::Tensor> latents;
  for (int64_t i = 0; i < x.size(0); ++i) {
    if (stop.stop_requested()) throw Cancelled();
    latents.push_back(encoder.forward(x.slice(0, i, i + 1), stop));
  }
  const auto z = at::cat(latents);
  require_finite(z, "latents");
  if (kind == LatentKind::indices) return encoder.to_indices(z, stop);
  return to_kind(z, kind, spec);
}

LatentPosterior encode_posterior(const Encoder& encoder, const at::Tensor& pictures, std::stop_token stop) {
  const c10::InferenceMode guard;
  const auto* distribution = dynamic_cast<const PosteriorEncoder*>(&encoder);
  if (distribution == nullptr) return {encode(encoder, pictures, LatentKind::diffusion, stop), {}};
  const LatentSpec& spec = encoder.spec();
  LatentPosterior found = distribution->posterior(to_encoder_input(pictures, spec), stop);
  require_finite(found.mean, "latents");
  require_finite(found.deviation, "deviation");
  const double scale = spec.network_input == LatentKind::raw ? spec.scaling_factor : 1.0;
  return {to_kind(found.mean, LatentKind::diffusion, spec), found.deviation * scale};
}

}  // namespace lightswitch
