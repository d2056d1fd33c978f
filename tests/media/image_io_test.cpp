#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/media/image_io.hpp>

#include <limits>
#include <opencv2/imgcodecs.hpp>

#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using testing::close;
using testing::contains;
using testing::expect_error;
using testing::TemporaryFolder;

/// Multiples of 1/255, so that 8 bits hold them exactly. Odd sizes show swapped axes and row padding.
at::Tensor eight_bit_picture(int64_t height = 13, int64_t width = 21) {
  auto generator = at::detail::createCPUGenerator(7);
  return at::randint(0, 256, {3, height, width}, generator, at::kFloat) / 255;
}

/// Slow gradients, which lossy formats keep.
at::Tensor smooth_picture() {
  const at::Tensor rows = at::linspace(0, 1, 40).view({1, 40, 1}), columns = at::linspace(0, 1, 56).view({1, 1, 56});
  return at::cat({rows.expand({1, 40, 56}), columns.expand({1, 40, 56}), (rows + columns) / 2});
}

TEST(ImageIo, PngKeepsEightBits) {
  const TemporaryFolder folder;
  const at::Tensor picture = eight_bit_picture();
  write_image(folder / "a.png", picture);
  EXPECT_TRUE(close(read_image(folder / "a.png"), picture, 1e-7));
}

TEST(ImageIo, PngIsWhatAnotherReaderSees) {
  const TemporaryFolder folder;
  const at::Tensor picture = eight_bit_picture();
  write_image(folder / "a.png", picture, {.text = {{"parameters", "a red house"}}});
  const cv::Mat seen = cv::imread((folder / "a.png").string(), cv::IMREAD_UNCHANGED);
  ASSERT_EQ(seen.type(), CV_8UC3);
  const at::Tensor pixels = at::from_blob(seen.data, {seen.rows, seen.cols, 3}, at::kByte);
  EXPECT_TRUE(close(pixels.flip(2).permute({2, 0, 1}).to(at::kFloat) / 255, picture, 1e-7));
}

TEST(ImageIo, RoundsToTheNearestAndClamps) {
  const TemporaryFolder folder;
  const at::Tensor values =
      at::tensor({-1.0, 0.0, 0.4999 / 255, 0.5 / 255, 254.4 / 255, 254.6 / 255, 1.0, 2.0}, at::kFloat);
  write_image(folder / "a.png", values.view({1, 1, 8}).expand({3, 1, 8}));
  const at::Tensor stored = (read_image(folder / "a.png")[0][0] * 255).round();
  EXPECT_TRUE(close(stored, at::tensor({0.0, 0.0, 0.0, 1.0, 254.0, 255.0, 255.0, 255.0}, at::kFloat), 0));
}

TEST(ImageIo, AcceptsAnyStrides) {
  const TemporaryFolder folder;
  const at::Tensor picture = eight_bit_picture();
  write_image(folder / "a.png", picture.transpose(1, 2).contiguous().transpose(1, 2));
  EXPECT_TRUE(close(read_image(folder / "a.png"), picture, 1e-7));
}

TEST(ImageIo, PngCarriesText) {
  const TemporaryFolder folder;
  const ImageText text{{"parameters", "a red house\nSteps: 25, Seed: 42"},
                       {"lightswitch", "{\"prompt\": \"ein weißes Haus 🏠\"}"}};
  write_image(folder / "a.png", eight_bit_picture(), {.text = text});
  EXPECT_EQ(read_image_text(folder / "a.png"), text);
  const std::string bytes = testing::read_file(folder / "a.png");
  EXPECT_TRUE(contains(bytes, "tEXtparameters"));
  EXPECT_TRUE(contains(bytes, "iTXtlightswitch"));
}

TEST(ImageIo, TextIsEmptyWhereThereIsNone) {
  const TemporaryFolder folder;
  write_image(folder / "a.png", eight_bit_picture());
  write_image(folder / "a.jpg", eight_bit_picture());
  EXPECT_TRUE(read_image_text(folder / "a.png").empty());
  EXPECT_TRUE(read_image_text(folder / "a.jpg").empty());
}

TEST(ImageIo, RefusesTextWhereItCannotBeKept) {
  const TemporaryFolder folder;
  const auto error = expect_error<UnsupportedError>(
      [&] { write_image(folder / "a.jpg", eight_bit_picture(), {.text = {{"parameters", "x"}}}); });
  EXPECT_EQ(error.detail().field, "text");
  EXPECT_TRUE(testing::names_in(folder.path()).empty());
}

TEST(ImageIo, RefusesKeywordsThatPngForbids) {
  const TemporaryFolder folder;
  for (const std::string& keyword : {std::string(), std::string(80, 'k')})
    expect_error<OptionError>([&] { write_image(folder / "a.png", eight_bit_picture(), {.text = {{keyword, "x"}}}); });
  EXPECT_TRUE(testing::names_in(folder.path()).empty());
}

TEST(ImageIo, ReadsSixteenBits) {
  const TemporaryFolder folder;
  cv::Mat deep(2, 3, CV_16UC3, cv::Scalar(1, 32768, 65534));  // blue, green, red
  cv::imwrite((folder / "a.png").string(), deep);
  const at::Tensor picture = read_image(folder / "a.png");
  EXPECT_TRUE(close(picture.select(2, 1).select(1, 1) * 65535, at::tensor({65534.0, 32768.0, 1.0}, at::kFloat), 0.01));
}

TEST(ImageIo, GreyBecomesThreeEqualChannels) {
  const TemporaryFolder folder;
  cv::imwrite((folder / "a.png").string(), cv::Mat(2, 3, CV_8U, cv::Scalar(51)));
  EXPECT_TRUE(close(read_image(folder / "a.png"), at::full({3, 2, 3}, 0.2), 1e-6));
}

TEST(ImageIo, TransparentPixelsLieOverWhite) {
  const TemporaryFolder folder;
  cv::Mat rgba(1, 3, CV_8UC4);
  rgba.at<cv::Vec4b>(0, 0) = {0, 0, 255, 255};  // opaque red
  rgba.at<cv::Vec4b>(0, 1) = {0, 0, 255, 51};   // a fifth of it
  rgba.at<cv::Vec4b>(0, 2) = {0, 0, 255, 0};    // invisible
  cv::imwrite((folder / "a.png").string(), rgba);
  const at::Tensor picture = read_image(folder / "a.png");
  EXPECT_TRUE(close(picture.select(1, 0),
                    at::tensor({1.0, 1.0, 1.0, 0.0, 0.8, 1.0, 0.0, 0.8, 1.0}, at::kFloat).view({3, 3}), 1e-6));
}

TEST(ImageIo, LossyFormatsStayClose) {
  const TemporaryFolder folder;
  for (const char* name : {"a.jpg", "a.jpeg", "a.webp", "A.JPG"}) {
    write_image(folder / name, smooth_picture());
    EXPECT_TRUE(close(read_image(folder / name), smooth_picture(), 0.06)) << name;
  }
  write_image(folder / "rough.jpg", smooth_picture(), {.text = {}, .quality = 5});
  EXPECT_LT(std::filesystem::file_size(folder / "rough.jpg"), std::filesystem::file_size(folder / "a.jpg"));
}

TEST(ImageIo, JpegIsTurnedAsItsExifSays) {
  const TemporaryFolder folder;
  write_image(folder / "a.jpg", smooth_picture());
  const std::string plain = testing::read_file(folder / "a.jpg");
  // One little-endian TIFF directory with one entry: tag 0x0112, type SHORT, count 1, value 6 (turn clockwise to see it
  // upright).
  const std::string tiff("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0", 26);
  const std::string segment = std::string("\xff\xe1\x00\x22", 4) + std::string("Exif\0\0", 6) + tiff;
  testing::write_file(folder / "turned.jpg", plain.substr(0, 2) + segment + plain.substr(2));
  EXPECT_TRUE(close(read_image(folder / "turned.jpg"), smooth_picture().flip(1).transpose(1, 2), 0.06));
}

TEST(ImageIo, TheContentTellsTheFormatNotTheName) {
  const TemporaryFolder folder;
  write_image(folder / "a.png", eight_bit_picture());
  std::filesystem::rename(folder / "a.png", folder / "a.jpg");
  EXPECT_TRUE(close(read_image(folder / "a.jpg"), eight_bit_picture(), 1e-7));
}

TEST(ImageIo, RefusesUnknownExtensionsAndNamesTheKnown) {
  const TemporaryFolder folder;
  const auto error = expect_error<OptionError>([&] { write_image(folder / "a.bmp", eight_bit_picture()); });
  for (const std::string& known : image_extensions()) EXPECT_TRUE(contains(error.detail().expected, known));
  EXPECT_EQ(error.detail().found, ".bmp");
}

TEST(ImageIo, RefusesWhatIsNoPicture) {
  const TemporaryFolder folder;
  const auto file = folder / "a.png";
  EXPECT_EQ(expect_error<TensorError>([&] { write_image(file, at::zeros({1, 4, 4})); }).detail().found,
            "Float [1, 4, 4]");
  EXPECT_EQ(expect_error<TensorError>([&] { write_image(file, at::zeros({3, 4, 4}, at::kByte)); }).detail().found,
            "Byte [3, 4, 4]");
  expect_error<TensorError>([&] { write_image(file, at::zeros({3, 0, 4})); });
  expect_error<TensorError>([&] { write_image(file, at::Tensor()); });
  at::Tensor bad = at::zeros({3, 4, 4});
  bad[1][2][3] = std::numeric_limits<float>::quiet_NaN();
  expect_error<NumericError>([&] { write_image(file, bad); });
  EXPECT_TRUE(testing::names_in(folder.path()).empty());
}

TEST(ImageIo, QualityHasARange) {
  const TemporaryFolder folder;
  for (const int quality : {0, 101, -5})
    EXPECT_EQ(expect_error<OptionError>(
                  [&] { write_image(folder / "a.jpg", smooth_picture(), {.text = {}, .quality = quality}); })
                  .detail()
                  .found,
              std::to_string(quality));
}

TEST(ImageIo, PngLevelsKeepEveryPixel) {
  const TemporaryFolder folder;
  std::map<int, size_t> bytes;
  for (const int level : {0, 1, 6, 9}) {
    const auto file = folder / (std::to_string(level) + ".png");
    write_image(file, smooth_picture(), {.text = {{"parameters", "x"}}, .compression = level});
    EXPECT_TRUE(at::equal(to_stored_pixels(read_image(file), ".png"), to_stored_pixels(smooth_picture(), ".png")));
    EXPECT_EQ(read_image_text(file).at("parameters"), "x");
    bytes[level] = std::filesystem::file_size(file);
  }
  EXPECT_LT(bytes[1], bytes[0] / 2);
  EXPECT_LE(bytes[9], bytes[6]);
  for (const int level : {-1, 10})
    EXPECT_TRUE(contains(expect_error<OptionError>([&] {
                           write_image(folder / "a.png", smooth_picture(), {.text = {}, .compression = level});
                         }).what(),
                         "compression"));
}

TEST(ImageIo, TheTwoHalvesAreTheWhole) {
  const TemporaryFolder folder;
  for (const std::string& extension : image_extensions()) {
    const auto file = folder / ("a" + extension);
    write_image(file, smooth_picture());
    const at::Tensor pixels = to_stored_pixels(smooth_picture(), extension);
    EXPECT_TRUE(encode_pixels(pixels, extension) == testing::read_file(file)) << extension;
    EXPECT_THROW(encode_pixels(pixels.transpose(0, 1), extension), TensorError) << extension;
  }
  EXPECT_THROW(encode_pixels(to_stored_pixels(smooth_picture(), ".npy"), ".png"), TensorError);
  EXPECT_THROW(to_stored_pixels(smooth_picture(), ".bmp"), OptionError);
}

TEST(ImageIo, AFailedWriteLeavesTheOldFile) {
  const TemporaryFolder folder;
  testing::write_file(folder / "a.png", "old");
  expect_error<TensorError>([&] { write_image(folder / "a.png", at::zeros({4, 4})); });
  EXPECT_EQ(testing::read_file(folder / "a.png"), "old");
  EXPECT_TRUE(contains(
      expect_error<FileError>([&] { write_image(folder / "none" / "a.png", eight_bit_picture()); }).what(), "none"));
  EXPECT_EQ(testing::names_in(folder.path()), std::set<std::string>{"a.png"});
}

TEST(ImageIo, ResizingKeepsFlatColourAndAverages) {
  EXPECT_TRUE(close(resize_image(at::full({3, 10, 14}, 0.3), 23, 5), at::full({3, 23, 5}, 0.3), 1e-6));
  const at::Tensor checks =
      (at::arange(32).view({1, 32, 1}) + at::arange(32)).remainder(2).to(at::kFloat).expand({3, 32, 32});
  const at::Tensor small = resize_image(checks, 8, 8);
  EXPECT_TRUE(close(small.narrow(1, 1, 6).narrow(2, 1, 6), at::full({3, 6, 6}, 0.5), 0.02));
}

TEST(ImageIo, CoveringKeepsTheMiddle) {
  at::Tensor wide = at::zeros({3, 20, 60});
  wide.narrow(2, 20, 20).fill_(1);
  const at::Tensor square = resize_to_cover(wide, 10, 10);
  ASSERT_EQ(square.sizes(), at::IntArrayRef({3, 10, 10}));
  EXPECT_TRUE(close(square.narrow(2, 1, 8), at::ones({3, 10, 8}), 0.05));
  EXPECT_EQ(resize_to_cover(wide, 7, 31).sizes(), at::IntArrayRef({3, 7, 31}));
}

}  // namespace
}  // namespace lightswitch
