// Sounds and streams among the items of a batch, with a codec of random weights.

#include <gtest/gtest.h>
#include <lightswitch/batch/batch.hpp>
#include <lightswitch/batch/codec_sounds.hpp>

#include <algorithm>

#include "cli/batch_run.hpp"
#include "cli/codec_files.hpp"
#include "support/errors.hpp"

namespace lightswitch {
namespace {

using testing::BatchFolders;
using testing::CommandRun;
using testing::contains;
using testing::names_in;
using testing::read_file;
using testing::results_in;
using testing::run_command;

class BatchSound : public ::testing::Test {
 protected:
  BatchSound() {
    testing::write_codec(codec_, true);
    testing::write_noise(at("talk.wav"), {16000, 1}, 8000);
    testing::write_noise(at("song.flac"), {44100, 2}, 30000);
  }

  std::filesystem::path at(const std::string& name) const { return folders_.work() / name; }
  std::string made(const std::string& name, const std::string& out = "out") const {
    return read_file(folders_.output(out) / name);
  }
  CommandRun batch(const std::string& lines, std::vector<std::string> more = {}, const std::string& out = "out") const {
    more.insert(more.end(), {"--codec", codec_.string()});
    return folders_.run(folders_.manifest(lines), more, out);
  }
  /// What `lightswitch codec` makes of a file.
  std::string by_codec(std::vector<std::string> words, const std::string& input, const std::string& ending) const {
    const auto out = at("by_codec" + ending);
    words.insert(words.begin(), "codec");
    words.insert(words.end(), {at(input).string(), "-m", codec_.string(), "-o", out.string()});
    const CommandRun run = run_command(words);
    EXPECT_EQ(run.code, 0) << run.err;
    return read_file(out);
  }

  const BatchFolders folders_;
  const std::filesystem::path codec_ = at("codec.safetensors");
};

constexpr const char* kSounds = R"({"id":"talk","audio":"talk.wav"}
{"id":"small","audio":"talk.wav","bitrate":1600}
{"id":"picture","prompt":"a red house"}
{"id":"song","audio":"song.flac"}
)";

TEST_F(BatchSound, SoundsBecomeTheStreamsOfCodecEncode) {
  const CommandRun run = batch(kSounds);
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(names_in(folders_.output()), (std::set<std::string>{"talk.lsc", "small.lsc", "picture.png", "song.lsc",
                                                                "results-0-of-1.jsonl", "settings.json"}));
  EXPECT_TRUE(made("talk.lsc") == by_codec({"encode"}, "talk.wav", ".lsc"));
  EXPECT_TRUE(made("small.lsc") == by_codec({"encode", "--bitrate", "1600"}, "talk.wav", ".lsc"));
  EXPECT_TRUE(made("song.lsc") == by_codec({"encode"}, "song.flac", ".lsc"));
  for (const auto& result : results_in(folders_.output())) {
    EXPECT_EQ(result["bytes"], made(result["out"]).size());
    EXPECT_GT(result["ms_encode_file"], 0);
    EXPECT_EQ(result["ms_denoise"] > 0, result["id"] == "picture");
  }
}

TEST_F(BatchSound, StreamsBecomeTheSoundsOfCodecDecode) {
  ASSERT_EQ(batch(kSounds, {}, "streams").code, 0);
  const CommandRun run = batch(R"({"id":"all","audio":"streams/song.lsc"}
{"id":"light","audio":"streams/song.lsc","route":"light"}
{"id":"some","audio":"streams/song.lsc","heavy_share":0.5}
)",
                               {"--sound-format", "flac"});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_TRUE(made("all.flac") == by_codec({"decode"}, "streams/song.lsc", ".flac"));
  EXPECT_TRUE(made("light.flac") == by_codec({"decode", "--route", "light"}, "streams/song.lsc", ".flac"));
  EXPECT_TRUE(made("some.flac") == by_codec({"decode", "--heavy-share", "0.5"}, "streams/song.lsc", ".flac"));
  EXPECT_FALSE(made("all.flac") == made("light.flac"));
  for (const auto& result : results_in(folders_.output())) EXPECT_GT(result["ms_decode"], 0);
}

TEST_F(BatchSound, BytesDependOnNothingButTheItem) {
  ASSERT_EQ(batch(kSounds, {"--encode-threads", "1"}, "plain").code, 0);
  ASSERT_EQ(batch(kSounds, {"--encode-threads", "4", "--queue", "1"}, "threads").code, 0);
  for (const std::string shard : {"0/2", "1/2"}) ASSERT_EQ(batch(kSounds, {"--shard", shard}, "shards").code, 0);
  for (const std::string name : {"talk.lsc", "small.lsc", "song.lsc"})
    for (const std::string out : {"threads", "shards"}) EXPECT_TRUE(made(name, "plain") == made(name, out)) << name;
}

TEST_F(BatchSound, ResumeSkipsWhatIsThereAndMakesWhatChanged) {
  ASSERT_EQ(batch(kSounds).code, 0);
  testing::write_noise(at("talk.wav"), {16000, 1}, 8000, 5);
  // As a killed run leaves them.
  testing::write_file(folders_.output() / "..talk.12-34.12-56.lsc", "half");
  testing::write_file(folders_.output() / ".talk.12-34.lsc", "half");
  const CommandRun run = batch(kSounds, {"--resume"});
  EXPECT_TRUE(contains(run.err, "2 done, 2 there already")) << run.err;
  const auto names = names_in(folders_.output());
  EXPECT_TRUE(std::ranges::none_of(names, [](const std::string& name) { return name.starts_with('.'); }));
  EXPECT_TRUE(contains(batch(kSounds, {"--resume", "--bitrate", "3200"}).err, "2 done, 2 there already"))
      << "small has a rate of its own";
}

TEST_F(BatchSound, VerifyKnowsThem) {
  ASSERT_EQ(batch(kSounds, {"--tar", "2"}, "tars").code, 0);
  ASSERT_EQ(batch(kSounds).code, 0);
  const std::string manifest = folders_.manifest(kSounds);
  const auto verify = [&](const std::string& out) {
    return run_command({"verify", folders_.output(out).string(), "--manifest", manifest});
  };
  EXPECT_TRUE(contains(verify("tars").out, "4 of 4 items complete"));
  EXPECT_EQ(verify("out").code, 0);
  std::string bytes = made("song.lsc");
  bytes.back() ^= 1;
  testing::write_file(folders_.output() / "song.lsc", bytes);
  testing::write_noise(at("talk.wav"), {16000, 1}, 8000, 5);
  EXPECT_TRUE(contains(verify("out").out, "1 of 4 items complete, 1 damaged, 2 other settings"));
}

TEST_F(BatchSound, ItemsAtFaultFailAlone) {
  testing::write_file(at("text.wav"), "this is no sound");
  testing::write_file(at("text.lsc"), "nor is this a stream");
  const CommandRun run = batch(R"({"id":"missing","audio":"none.wav"}
{"id":"text","audio":"text.wav"}
{"id":"stream","audio":"text.lsc"}
{"id":"rate","audio":"talk.wav","bitrate":1000}
{"id":"route","audio":"talk.wav","route":"light"}
{"id":"word","audio":"text.lsc","route":"cheap"}
{"id":"share","audio":"text.lsc","route":"light","heavy_share":0.5}
{"id":"steps","audio":"talk.wav","steps":3}
{"id":"both","audio":"talk.wav","prompt":"x"}
{"id":"prompt","prompt":"x","bitrate":3200}
{"id":"talk","audio":"talk.wav"}
)");
  EXPECT_EQ(run.code, 3) << run.err;  // the missing file may come
  std::map<std::string, std::string> errors;
  for (const auto& result : results_in(folders_.output())) {
    if (result["state"] == "done") continue;
    const auto& id = result["id"];
    errors[id.is_null() ? std::to_string(result["line"].get<int>()) : id.get<std::string>()] = result["error"];
    EXPECT_EQ(result["retry"], result["id"] == "missing") << result;
  }
  EXPECT_EQ(errors.size(), 10u);
  EXPECT_TRUE(contains(errors["missing"], "none.wav"));
  EXPECT_TRUE(contains(errors["text"], "text.wav"));
  EXPECT_TRUE(contains(errors["stream"], "text.lsc"));
  EXPECT_TRUE(contains(errors["rate"], "a multiple of 400")) << errors["rate"];
  EXPECT_TRUE(contains(errors["route"], "only streams are decoded"));
  EXPECT_TRUE(contains(errors["word"], "heavy, light, gate or hints"));
  EXPECT_TRUE(contains(errors["share"], "the share is the gate's"));
  EXPECT_TRUE(contains(errors["8"], "no such key beside `audio`"));
  EXPECT_TRUE(contains(errors["9"], "prompt and audio"));
  EXPECT_TRUE(contains(errors["10"], "no such key beside `prompt`"));
  EXPECT_EQ(names_in(folders_.output()), (std::set<std::string>{"talk.lsc", "results-0-of-1.jsonl", "settings.json"}));
}

TEST_F(BatchSound, WithoutACodecSoundsAreRefused) {
  const CommandRun run = folders_.run(folders_.manifest(kSounds));
  EXPECT_EQ(run.code, 42) << run.err;
  EXPECT_TRUE(contains(run.err, "sounds need a codec"));
  EXPECT_TRUE(std::filesystem::exists(folders_.output() / "picture.png"));
  EXPECT_EQ(folders_.run(folders_.manifest(kSounds), {"--codec", "/nowhere"}, "none").code, 42);
}

TEST_F(BatchSound, MistakesOfTheCommandLine) {
  const auto mistake = [&](const std::vector<std::string>& more) {
    const CommandRun run = folders_.run(folders_.manifest(kSounds), more);
    EXPECT_EQ(run.code, 2) << run.err;
    return run.err;
  };
  EXPECT_TRUE(contains(mistake({"--bitrate", "3200"}), "--codec"));
  EXPECT_TRUE(contains(mistake({"--route", "light"}), "--codec"));
  EXPECT_TRUE(contains(mistake({"--heavy-share", "0.5"}), "--codec"));
  EXPECT_TRUE(contains(mistake({"--codec", "c", "--heavy-share", "1.5"}), "0 … 1"));
  EXPECT_TRUE(contains(mistake({"--codec", "c", "--route", "cheap"}), "heavy, light, gate or hints"));
  EXPECT_TRUE(contains(mistake({"--codec", "c", "--route", "light", "--heavy-share", "0.5"}), "--route gate"));
  EXPECT_TRUE(contains(mistake({"--codec", "c", "--sound-format", "mp3"}), ".wav or .flac"));
}

TEST_F(BatchSound, SoundsAloneNeedNoModelOfPictures) {
  const auto codec = std::make_shared<const audio::CodecModel>(audio::CodecModel::open(codec_));
  const CodecSounds sounds(codec);
  const DecoderRegistry registry(builtin_decoder_families());
  BatchRequest request;
  request.manifest = folders_.manifest("{\"id\":\"talk\",\"audio\":\"talk.wav\"}\n{\"id\":\"p\",\"prompt\":\"x\"}\n");
  request.output = folders_.output();
  request.settings = batch_defaults(nullptr);
  request.settings.sound.model = codec->identity();
  const BatchSummary summary = run_batch(request, {.registry = registry, .sounds = &sounds});
  EXPECT_EQ(summary.done, 1);
  EXPECT_EQ(summary.failed, 1) << "there is nobody to draw the picture";
}

}  // namespace
}  // namespace lightswitch
