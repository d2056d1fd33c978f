#pragma once

#include <lightswitch/decoder.hpp>
#include <lightswitch/routing.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

/// Decoders with a light and a heavy way through them: a gate chooses, for every tile or for every picture.
namespace lightswitch {

/// How one picture was routed.
struct PictureRoute {
  int64_t rows = 1, columns = 1;  ///< samples: tiles row after row; 1 and 1 where the picture is routed whole
  int64_t tile = 0;               ///< edge of a tile in pixels, those at the right and the bottom may be cut off; 0
                                  ///< where the picture is routed whole
  RoutePlan plan;                 ///< rows * columns paths
  std::vector<GateScore> scores;  ///< as many
  RoutingStats stats;             ///< of this picture
};

/// Told of pictures one by one, in order, on the decoding thread.
using RouteObserver = std::function<void(const PictureRoute&)>;

/// What a routed decoder can do beside Decoder. Nothing of it changes the object: what happened is told to an observer.
class RoutedDecoding {
 public:
  virtual ~RoutedDecoding() = default;

  /// Decoder::forward() that tells how every picture was routed. @param observe may be empty.
  virtual at::Tensor forward_observed(const at::Tensor& latents, const RouteObserver& observe,
                                      std::stop_token stop = {}) const = 0;

  /// The same networks with this share, whatever rule they have now. @throws OptionError unless it lies in 0 … 1.
  virtual std::shared_ptr<const Decoder> with_heavy_share(double heavy_share) const = 0;

  /// Milliseconds that a picture may take, where the rule is such a budget. Nothing can be decoded before
  /// settle_budget() has made a share of it.
  virtual std::optional<double> budget_ms() const = 0;

  /// Where whole pictures are routed: the decoder of one path. Null where tiles are.
  virtual const Decoder* path(Path /*path*/) const { return nullptr; }

  /// Where whole pictures are routed: what becomes of each of [N, C, h, w].
  /// @param successive the pictures are the frames of one clip, in order: a path is then kept for some frames.
  /// @throws OptionError while a budget is not settled, NumericError.
  virtual std::vector<PictureRoute> plan(const at::Tensor& /*latents*/, LatentKind /*kind*/,
                                         bool /*successive*/) const {
    return {};
  }
};

/// What a budget was turned into.
struct SettledBudget {
  std::shared_ptr<const Decoder> decoder;  ///< with the share in place of the budget
  double heavy_share = 0;
  double ms = 0;                      ///< of a picture with that share, measured
  double light_ms = 0, heavy_ms = 0;  ///< of a picture that is all light or all heavy, measured
};

/// Turns the budget of a routed decoder into the largest share of heavy samples that keeps it, by measurements on
/// noise: once, so that what is decoded afterwards is a function of latents and share alone. Takes some dozens of
/// decodes; each number is the median of three.
/// @param height, width of the latents that will be decoded.
/// @throws UnsupportedError without a budget, OptionError when even all light takes longer, Cancelled.
SettledBudget settle_budget(const Decoder& decoder, int64_t height, int64_t width, std::stop_token stop = {});

/// The route over the picture: heavy tiles keep their colours, light ones become grey and darker. A light picture
/// that is routed whole is drawn likewise.
/// @param picture [3, H, W] in [0, 1]. @return a new picture of the same shape.
/// @throws TensorError when the route is that of another size.
at::Tensor draw_route(const at::Tensor& picture, const PictureRoute& route);

}  // namespace lightswitch
