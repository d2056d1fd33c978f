// Real clips through encoders and decoders of pictures: nothing is lost on the way, and memory does not grow.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/media/video_io.hpp>
#include <lightswitch/metrics.hpp>
#include <lightswitch/weights.hpp>

#include <nlohmann/json.hpp>

#include "cli/command_run.hpp"
#include "cli/process.hpp"
#include "cli/small_package.hpp"
#include "support/data.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using testing::CommandRun;
using testing::contains;
using testing::run_command;

at::Tensor all_frames(const std::filesystem::path& file) {
  const auto reader = open_video(file);
  std::vector<at::Tensor> frames;
  for (;;) {
    const at::Tensor next = reader->read(16);
    if (next.size(0) == 0) return at::cat(frames);
    frames.push_back(next);
  }
}

class RealClips : public ::testing::Test {
 protected:
  void SetUp() override { LIGHTSWITCH_REQUIRE_DATA(data_ / "video"); }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  /// The first frames of a real clip, cut to a size, as a file of their own.
  at::Tensor write_part(const std::string& clip, int64_t frames, int64_t height, int64_t width) const {
    const auto reader = open_video(data_ / "video" / clip);
    const at::Tensor part = reader->read(frames).narrow(2, 0, height).narrow(3, 0, width);
    const auto writer = create_video(folder_ / "part.y4m", reader->info().fps);
    writer->write(part);
    writer->finish();
    return part;
  }
  /// Through `encode` and `decode`. @return mean PSNR of the frames.
  double there_and_back(const std::string& clip, const std::vector<std::string>& encoder,
                        const std::vector<std::string>& decoder, const std::string& output) const {
    std::vector<std::string> encode{"encode", clip, "-o", at("z.safetensors")};
    encode.insert(encode.end(), encoder.begin(), encoder.end());
    const CommandRun encoded = run_command(encode);
    EXPECT_EQ(encoded.code, 0) << encoded.err;
    std::vector<std::string> decode{"decode", at("z.safetensors"), "-o", at(output)};
    decode.insert(decode.end(), decoder.begin(), decoder.end());
    const CommandRun decoded = run_command(decode);
    EXPECT_EQ(decoded.code, 0) << decoded.err;
    const auto before = open_video(clip)->info(), after = open_video(folder_ / output)->info();
    EXPECT_EQ(after.width, before.width);
    EXPECT_EQ(after.height, before.height);
    EXPECT_NEAR(after.fps, before.fps, 1e-3);
    const at::Tensor original = all_frames(clip), copy = all_frames(folder_ / output);
    EXPECT_EQ(copy.sizes(), original.sizes());
    const double quality = psnr(copy, original);
    ::testing::Test::RecordProperty("psnr", std::to_string(quality));
    return quality;
  }

  const std::filesystem::path data_ = testing::data_root();
  testing::TemporaryFolder folder_;
};

/// The model that ships knows drawn scenes alone; real ones come back recognisable.
TEST_F(RealClips, ThroughTheShippedAutoencoder) {
  const std::vector<std::string> model{"-m", std::string(LIGHTSWITCH_SOURCE_DIR) + "/models/scenes"};
  EXPECT_GT(there_and_back((data_ / "video" / "carphone_pristine.mp4").string(), model, model, "copy.mp4"), 15);
}

TEST_F(RealClips, ThroughTaef2InAnOddSize) {
  const auto weights = data_ / "models" / "taef2";
  LIGHTSWITCH_REQUIRE_DATA(weights / "taef2_encoder.pth");
  write_part("test_ucf_style.avi", 5, 117, 151);
  for (const char* output : {"copy.y4m", "copy.mp4"})
    EXPECT_GT(there_and_back(at("part.y4m"), {"--encoder", (weights / "taef2_encoder.pth").string()},
                             {"--decoder", (weights / "taef2_decoder.pth").string()}, output),
              std::string(output) == "copy.y4m" ? 27 : 24);
}

TEST_F(RealClips, EveryContainerIsRead) {
  for (const auto& entry : std::filesystem::directory_iterator(data_ / "video")) {
    if (!is_video_name(entry.path())) continue;
    const auto reader = open_video(entry.path());
    const at::Tensor frames = reader->read(2);
    EXPECT_EQ(frames.sizes(), at::IntArrayRef({2, 3, reader->info().height, reader->info().width})) << entry.path();
    EXPECT_GT(frames.std().item<double>(), 0.02) << entry.path() << " is blank";
  }
}

/// In a process of its own, whose peak is its own.
class LongClips : public ::testing::Test {
 protected:
  LongClips() { save_safetensors(folder_ / "tae.safetensors", testing::tiny_autoencoder(1)); }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  int64_t peak_of(const std::vector<std::string>& arguments) {
    std::vector<std::string> all = arguments;
    all.insert(all.end(), {"-t", "1", "-q", "--json", at("report.json")});
    testing::Process process(testing::lightswitch_program(), all, folder_.path());
    EXPECT_EQ(process.wait(), 0) << process.err();
    return nlohmann::json::parse(testing::read_file(folder_ / "report.json"))["peak_bytes"].get<int64_t>();
  }

  testing::TemporaryFolder folder_;
};

TEST_F(LongClips, TakeAsMuchMemoryAsShortOnes) {
  const at::Tensor part = testing::random_tensor({50, 3, 24, 40}, 3).sigmoid();
  const int64_t frame_bytes = part.numel() / 50 * 4;
  int64_t shorter[2] = {}, longer[2] = {};
  for (const int64_t turns : {4, 60}) {
    const auto writer = create_video(folder_ / "a.y4m", 25);
    for (int64_t i = 0; i < turns; ++i) writer->write(part);
    writer->finish();
    int64_t* peaks = turns == 4 ? shorter : longer;
    peaks[0] = peak_of({"encode", at("a.y4m"), "--encoder", at("tae.safetensors"), "-o", at("z.safetensors")});
    peaks[1] = peak_of({"decode", at("z.safetensors"), "--decoder", at("tae.safetensors"), "-o", at("b.y4m")});
    EXPECT_EQ(open_video(folder_ / "b.y4m")->read(turns * 50 + 1).size(0), turns * 50);
  }
  const int64_t more_frames = 56 * 50;
  // Pages of the latent file, a hundredth of the frames, and the allocator's moods.
  for (const int i : {0, 1}) EXPECT_LT(longer[i] - shorter[i], more_frames * frame_bytes / 4) << i;
  RecordProperty("encode_grows_by", std::to_string(longer[0] - shorter[0]));
  RecordProperty("decode_grows_by", std::to_string(longer[1] - shorter[1]));
}

/// What is wrong with a clip is said by name, and nothing is left behind.
class BadClips : public ::testing::Test {
 protected:
  BadClips() {
    save_safetensors(folder_ / "tae.safetensors", testing::tiny_autoencoder(1));
    const auto writer = create_video(folder_ / "good.mp4", 25);
    writer->write(testing::random_tensor({12, 3, 32, 48}, 3).sigmoid());
    writer->finish();
    bytes_ = testing::read_file(folder_ / "good.mp4");
    std::filesystem::remove(folder_ / "good.mp4");
  }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  /// `encode` of a file of these bytes fails, naming the file. @return what it says.
  std::string refused(const std::string& name, const std::string& bytes) const {
    testing::write_file(folder_ / name, bytes);
    const CommandRun run =
        run_command({"encode", at(name), "--encoder", at("tae.safetensors"), "-o", at("z.safetensors")});
    EXPECT_EQ(run.code, 1) << name << run.err;
    EXPECT_TRUE(contains(run.err, at(name))) << run.err;
    EXPECT_EQ(testing::names_in(folder_.path()), (std::set<std::string>{name, "tae.safetensors"}));
    std::filesystem::remove(folder_ / name);
    return run.err;
  }

  testing::TemporaryFolder folder_;
  std::string bytes_;
};

TEST_F(BadClips, CorruptFiles) {
  EXPECT_TRUE(contains(refused("empty.mp4", ""), "an empty file"));
  refused("text.mp4", "<html></html>");
  refused("half.mp4", bytes_.substr(0, bytes_.size() / 2));
  refused("picture.avi", "\x89PNG\r\n\x1a\n");
  std::string damaged = bytes_;
  const size_t data = damaged.find("mdat");
  ASSERT_NE(data, std::string::npos);
  for (size_t i = data + 40; i < damaged.size() && i < data + 4000; ++i) damaged[i] = static_cast<char>(i * 37);
  refused("damaged.mp4", damaged);
}

TEST_F(BadClips, WithoutFrames) {
  EXPECT_TRUE(contains(refused("none.y4m", "YUV4MPEG2 W16 H16 F25:1\n"), "without frames"));
}

/// A header that promises more than there is, by any factor, ends where the frames end.
TEST_F(BadClips, ImpossibleFrameCounts) {
  const size_t table = bytes_.find("stsz");
  ASSERT_NE(table, std::string::npos);
  for (const char* count : {"\x7f\xff\xff\xff", "\xff\xff\xff\xff"}) {
    std::string lying = bytes_;
    lying.replace(table + 12, 4, std::string(count, 4));
    refused("lying.mp4", lying);
  }
}

}  // namespace
}  // namespace lightswitch
