// PPM, PGM, PFM and NPY, which are written without a library.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/media/image_io.hpp>

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
using testing::write_file;

at::Tensor column(std::initializer_list<double> rgb) {
  return at::tensor(std::vector<double>(rgb), at::kFloat).view({3, 1, 1});
}

TEST(PlainFormats, PpmIsHeaderAndBytes) {
  const TemporaryFolder folder;
  write_image(folder / "a.ppm", at::cat({column({1, 0, 0.2}), column({0, 1, 0.4})}, 2));
  EXPECT_EQ(testing::read_file(folder / "a.ppm"), std::string("P6\n2 1\n255\n\xff\0\x33\0\xff\x66", 17));
  EXPECT_TRUE(close(read_image(folder / "a.ppm"), at::cat({column({1, 0, 0.2}), column({0, 1, 0.4})}, 2), 1e-6));
}

TEST(PlainFormats, ReadsCommentsGreyAndSixteenBits) {
  const TemporaryFolder folder;
  write_file(folder / "a.pgm", std::string("P5 # grey\n# two wide\n2 1 65535\n\x80\0\xff\xff", 35));
  EXPECT_TRUE(
      close(read_image(folder / "a.pgm") * 65535, at::tensor({32768.0, 65535.0}, at::kFloat).expand({3, 1, 2}), 0.01));
}

TEST(PlainFormats, FloatsAreKeptAsTheyAre) {
  const TemporaryFolder folder;
  const at::Tensor numbers = testing::random_tensor({3, 5, 7}, 3) * 10;
  for (const char* name : {"a.pfm", "a.npy"}) {
    write_image(folder / name, numbers);
    EXPECT_TRUE(close(read_image(folder / name), numbers, 0)) << name;
  }
}

TEST(PlainFormats, PfmStoresTheBottomRowFirst) {
  const TemporaryFolder folder;
  // Big-endian (positive scale), grey, 1 wide, 2 high: 1.0 at the bottom, 2.0 on top.
  write_file(folder / "a.pfm", std::string("Pf\n1 2\n1.0\n\x3f\x80\0\0\x40\0\0\0", 19));
  const at::Tensor picture = read_image(folder / "a.pfm");
  EXPECT_EQ(picture[0][0][0].item<float>(), 2.0f);
  EXPECT_EQ(picture[2][1][0].item<float>(), 1.0f);
}

TEST(PlainFormats, NpyHeaderIsAsNumPyWritesIt) {
  const TemporaryFolder folder;
  write_image(folder / "a.npy", at::zeros({3, 2, 4}));
  const std::string bytes = testing::read_file(folder / "a.npy");
  EXPECT_EQ(bytes.substr(0, 8), std::string("\x93NUMPY\x01\0", 8));
  EXPECT_TRUE(contains(bytes, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4, 3), }"));
  EXPECT_EQ(bytes.size(), 128u + 2 * 4 * 3 * 4);
  EXPECT_EQ(bytes[127], '\n');
}

TEST(PlainFormats, RefusesOtherArrays) {
  const TemporaryFolder folder;
  write_image(folder / "a.npy", at::zeros({3, 2, 4}));
  const std::string good = testing::read_file(folder / "a.npy");
  const auto refused = [&](const std::string& from, const std::string& to) {
    std::string bytes = good;
    bytes.replace(bytes.find(from), from.size(), to);
    write_file(folder / "b.npy", bytes);
    return expect_error<FormatError>([&] { read_image(folder / "b.npy"); }).detail();
  };
  EXPECT_EQ(refused("<f4", "<f8").field, "header");
  EXPECT_EQ(refused("False", "True ").field, "header");
  EXPECT_EQ(refused(", 3)", ", 4)").field, "header");
  EXPECT_EQ(refused("(2, 4", "(2, 5").field, "data");
  EXPECT_EQ(refused("(2, 4", "(0, 4").field, "width x height");
  EXPECT_EQ(refused(std::string("\x93NUMPY\x01", 7), std::string("\x93NUMPY\x07", 7)).field, "version");
}

TEST(PlainFormats, RefusesLyingHeaders) {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& bytes) {
    write_file(folder / "a.ppm", bytes);
    return expect_error<FormatError>([&] { read_image(folder / "a.ppm"); }).detail();
  };
  EXPECT_EQ(refused("P6\n999999999 999999999\n255\nabc").field, "width x height");
  EXPECT_EQ(refused("P6\n18446744073709551615 2\n255\nabc").field, "width x height");
  EXPECT_EQ(refused("P6\n0 5\n255\nabc").field, "width x height");
  EXPECT_EQ(refused("P6\nwide 5\n255\nabc").field, "width");
  EXPECT_EQ(refused("P6\n-3 5\n255\nabc").field, "width");
  EXPECT_EQ(refused("P6\n1 1\n70000\nabcdef").field, "maximum");
  EXPECT_EQ(refused("P6\n2 2\n255\nabc").field, "pixels");
  EXPECT_EQ(refused("P6\n2 2 #").field, "maximum");
  EXPECT_EQ(refused("PF\n1 1\n0\nabcdefghijkl").field, "scale");
}

}  // namespace
}  // namespace lightswitch
