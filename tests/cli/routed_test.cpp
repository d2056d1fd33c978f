#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/media/image_io.hpp>

#include <nlohmann/json.hpp>

#include "cli/command_run.hpp"
#include "cli/small_package.hpp"
#include "support/errors.hpp"
#include "support/reference_case.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"
#include "support/weights.hpp"

/// Routed decoders on the command line.
namespace lightswitch {
namespace {

using testing::close;
using testing::CommandRun;
using testing::contains;
using testing::run_command;

class RoutedCommand : public ::testing::Test {
 protected:
  RoutedCommand() {
    save_safetensors(folder_ / "routed.safetensors",
                     testing::tensors_of(*testing::stored_case("routed").request.weights));
    LatentFile content;
    content.kind = LatentKind::raw;
    content.latents = testing::random_tensor({2, 5, 8, 8}, 9);
    content.scaling_factor = 1.0;
    write_latents(folder_ / "z.safetensors", content);
  }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  CommandRun decode(const std::string& options, const std::vector<std::string>& more = {}) {
    std::vector<std::string> all{"decode",    at("z.safetensors"),
                                 "--decoder", at("routed.safetensors") + ",tile=2,dtype=fp32" + options,
                                 "-o",        at("a-%d.png")};
    all.insert(all.end(), more.begin(), more.end());
    return run_command(all);
  }

  testing::TemporaryFolder folder_;
};

TEST_F(RoutedCommand, TellsWhatWasRouted) {
  const CommandRun run = decode(",heavy-share=0.25", {"--json", "-"});
  const auto routing = testing::json_of(run)["routing"];
  EXPECT_EQ(routing["pictures"], 2);
  EXPECT_EQ(routing["tiles"], 32);
  EXPECT_EQ(routing["light_share"], 0.75);
  EXPECT_EQ(routing["tile_pixels"], 16);
  EXPECT_GT(routing["mean_reduction"], 1);
  EXPECT_GT(routing["reduction_per_tile"], routing["mean_reduction"]);
  EXPECT_GT(routing["ms"]["heavy"], 0);
  EXPECT_TRUE(contains(run.err, "8 of 32 tiles heavy"));
}

TEST_F(RoutedCommand, CountsTheLastOfSeveralDecodes) {
  EXPECT_EQ(testing::json_of(decode(",heavy-share=0.25", {"--repeat", "3", "--json", "-"}))["routing"]["tiles"], 32);
}

TEST_F(RoutedCommand, DrawsTheRouteOverThePicture) {
  ASSERT_EQ(decode(",heavy-share=0.25", {"--route-map", at("map-%d.png")}).code, 0);
  for (const char* number : {"0", "1"}) {
    const at::Tensor picture = read_image(folder_ / (std::string("a-") + number + ".png"));
    const at::Tensor map = read_image(folder_ / (std::string("map-") + number + ".png"));
    EXPECT_NEAR((picture == map).all(0).to(at::kFloat).mean().item<double>(), 0.25, 0.02);
  }
}

TEST_F(RoutedCommand, ABudgetBecomesAShareThatIsRecorded) {
  const CommandRun run = decode(",budget-ms=100000", {"--json", "-"});
  const auto json = testing::json_of(run);
  EXPECT_EQ(json["budget"]["heavy_share"], 1.0);
  EXPECT_TRUE(contains(json["decoder"]["name"], ",heavy-share=1.0"));
  EXPECT_FALSE(contains(json["decoder"]["name"], "budget-ms"));
  EXPECT_TRUE(contains(run.err, "a budget of 100000 ms"));
  const CommandRun tight = decode(",budget-ms=0.000001");
  EXPECT_EQ(tight.code, 1);
  EXPECT_TRUE(contains(tight.err, "budget-ms"));
}

/// Two decoder files as one, without any model package.
class PairCommand : public RoutedCommand {
 protected:
  PairCommand() {
    save_safetensors(folder_ / "light.safetensors", testing::tiny_autoencoder(1));
    save_safetensors(folder_ / "heavy.safetensors", testing::tiny_autoencoder(1000));
    save_safetensors(folder_ / "gate.safetensors", {{"gate.conv1.weight", testing::random_tensor({6, 4, 3, 3}, 1) / 6},
                                                    {"gate.conv1.bias", testing::random_tensor({6}, 2)},
                                                    {"gate.conv2.weight", testing::random_tensor({6, 6, 3, 3}, 3) / 7},
                                                    {"gate.conv2.bias", testing::random_tensor({6}, 4)},
                                                    {"gate.out.weight", testing::random_tensor({1, 6, 1, 1}, 5)},
                                                    {"gate.out.bias", testing::random_tensor({1}, 6)}});
  }
  CommandRun decode_pair(const at::Tensor& latents, const std::string& options,
                         const std::vector<std::string>& more = {}) {
    LatentFile content;
    content.latents = latents;
    content.scaling_factor = 1.0;
    write_latents(folder_ / "pair.safetensors", content);
    std::vector<std::string> all{"decode",
                                 at("pair.safetensors"),
                                 "--decoder",
                                 "routed,light=" + at("light.safetensors") + ",heavy=" + at("heavy.safetensors") +
                                     ",gate=" + at("gate.safetensors") + ",dtype=fp32" + options,
                                 "-o",
                                 at("p-%d.png")};
    all.insert(all.end(), more.begin(), more.end());
    return run_command(all);
  }
};

TEST_F(PairCommand, RoutesAShareOfThePictures) {
  const CommandRun run = decode_pair(testing::random_tensor({4, 4, 3, 5}, 3), ",heavy-share=0.5",
                                     {"--json", "-", "--route-map", at("map-%d.png")});
  const auto routing = testing::json_of(run)["routing"];
  EXPECT_EQ(routing["pictures"], 4);
  EXPECT_EQ(routing["light_share"], 0.5);
  EXPECT_GT(routing["ms"]["light"], 0);
  int64_t drawn_heavy = 0;
  for (const char* number : {"0", "1", "2", "3"})
    drawn_heavy += close(read_image(folder_ / (std::string("p-") + number + ".png")),
                         read_image(folder_ / (std::string("map-") + number + ".png")), 0);
  EXPECT_EQ(drawn_heavy, 2);
}

TEST_F(PairCommand, RoutesTheFramesOfEachClip) {
  const CommandRun run =
      decode_pair(testing::random_tensor({2, 4, 8, 3, 5}, 3), ",heavy-share=0.5,dwell=4", {"--json", "-"});
  const auto json = testing::json_of(run);
  EXPECT_EQ(json["routing"]["pictures"], 16);
  EXPECT_EQ(json["routing"]["light_share"], 0.5);
}

TEST_F(PairCommand, RoutesTiles) {
  const at::Tensor latents = testing::random_tensor({1, 4, 40, 48}, 3);
  const CommandRun run = decode_pair(latents, ",tile=4,heavy-share=0.1", {"--json", "-", "--route-map", at("map.png")});
  const auto routing = testing::json_of(run)["routing"];
  EXPECT_EQ(routing["tiles"], 120);
  EXPECT_EQ(routing["light_share"], 0.9);
  EXPECT_EQ(routing["tile_pixels"], 32);
  const at::Tensor picture = read_image(folder_ / "p-0.png"), map = read_image(folder_ / "map.png");
  EXPECT_NEAR((picture == map).all(0).to(at::kFloat).mean().item<double>(), 0.1, 0.02);
  const CommandRun small = decode_pair(testing::random_tensor({1, 4, 8, 8}, 3), ",tile=4");
  EXPECT_EQ(small.code, 1);
  EXPECT_TRUE(contains(small.err, "the heavy decoder needs the whole picture for one of them")) << small.err;
}

/// `lightswitch image` with a routed decoder.
class RoutedImage : public RoutedCommand {
 protected:
  RoutedImage() {
    std::filesystem::create_directory(folder_ / "package");
    testing::write_small_package(folder_ / "package");
    auto tensors = testing::tensors_of(*testing::stored_case("routed").request.weights);
    tensors["trunk.first.weight"] =
        tensors["trunk.first.weight"].slice(1, 0, 4).contiguous();  // of the package's latents
    save_safetensors(folder_ / "four.safetensors", tensors);
  }
  CommandRun image(const std::string& decoder, const std::string& output, const std::vector<std::string>& more) {
    std::vector<std::string> all{"image", "-m", at("package"), "-p",    "a red house", "-W",      "96",
                                 "-H",    "64", "--decoder",   decoder, "-o",          at(output)};
    all.insert(all.end(), more.begin(), more.end());
    return run_command(all);
  }
  std::string routed() const { return at("four.safetensors") + ",tile=2,dtype=fp32,heavy-share=0.25"; }
};

TEST_F(RoutedImage, DrawsTheRouteOverEveryPicture) {
  const CommandRun run = image(routed(), "i-%d.png", {"-b", "2", "--route-map", at("m-%d.png"), "--json", "-"});
  ASSERT_EQ(run.code, 0) << run.err;
  const auto json = testing::json_of(run);
  EXPECT_EQ(json["routing"]["pictures"], 2);
  EXPECT_EQ(json["routing"]["tiles"], 2 * 24);
  EXPECT_EQ(json["routing"]["light_share"], 0.75);
  EXPECT_EQ(json["outputs"].size(), 4u);
  for (const char* number : {"0", "1"}) {
    const at::Tensor picture = read_image(folder_ / (std::string("i-") + number + ".png"));
    const at::Tensor map = read_image(folder_ / (std::string("m-") + number + ".png"));
    ASSERT_EQ(map.sizes(), at::IntArrayRef({3, 64, 96}));
    // Tile by tile: a heavy one keeps its colours, a light one is grey and darker.
    int64_t heavy = 0;
    for (int64_t y = 0; y < 64; y += 16)
      for (int64_t x = 0; x < 96; x += 16) {
        const auto tile = [&](const at::Tensor& of) { return of.slice(1, y, y + 16).slice(2, x, x + 16); };
        if (close(tile(picture), tile(map), 0)) {
          ++heavy;
        } else {
          EXPECT_TRUE(close(tile(map)[0], tile(map)[1], 0) && close(tile(map)[1], tile(map)[2], 0)) << y << " " << x;
          EXPECT_LT(tile(map).mean().item<double>(), tile(picture).mean().item<double>());
        }
      }
    EXPECT_EQ(heavy, 6);
  }
}

TEST_F(RoutedImage, RefusesToDrawWhatIsNotRouted) {
  for (const auto& [decoder, more, told] : {std::tuple{std::string("tae"), std::vector<std::string>{}, "--route-map"},
                                            {routed(), {"--vae-tiling", "--vae-tile-size", "4"}, "piece by piece"}}) {
    std::vector<std::string> all{"--route-map", at("m.png")};
    all.insert(all.end(), more.begin(), more.end());
    const CommandRun run = image(decoder, "i.png", all);
    EXPECT_EQ(run.code, 1);
    EXPECT_TRUE(contains(run.err, told)) << run.err;
  }
  EXPECT_EQ(image(routed(), "i.png", {"--route-map", at("no/folder/m.png")}).code, 1);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "i.png"));
}

TEST_F(RoutedCommand, RefusesToDrawWhatIsNotRouted) {
  save_safetensors(folder_ / "tae.safetensors", testing::tiny_autoencoder(1));
  LatentFile content;
  content.latents = testing::random_tensor({1, 4, 8, 8}, 9);
  content.scaling_factor = 1.0;
  write_latents(folder_ / "four.safetensors", content);
  const CommandRun run = run_command({"decode", at("four.safetensors"), "--decoder", at("tae.safetensors"),
                                      "--route-map", at("map.png"), "-o", at("b.png")});
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(contains(run.err, "--route-map"));
  const CommandRun pieces = decode("", {"--route-map", at("map.png"), "--vae-tiling", "--vae-tile-size", "4"});
  EXPECT_EQ(pieces.code, 1);
  EXPECT_TRUE(contains(pieces.err, "piece by piece"));
  EXPECT_EQ(decode("", {"--vae-tiling", "--vae-tile-size", "4"}).code, 0);
}

}  // namespace
}  // namespace lightswitch
