#include "media/png.hpp"

#include <ATen/ATen.h>
#include <png.h>
#include <zlib.h>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <bit>
#include <csetjmp>
#include <cstring>
#include <vector>

#include "core/image_size.hpp"

namespace lightswitch {
namespace {

// libpng leaves its functions by longjmp, which skips destructors. So the two functions that call setjmp (read_pixels,
// write_all) own nothing: everything they touch belongs to a session object of the caller.

struct Session {
  std::string message;      ///< libpng's last words
  std::string_view unread;  ///< reading: bytes still to come
  std::string written;      ///< writing: the file so far
  std::vector<png_bytep> rows;
  at::Tensor pixels;  ///< [H, W, channels, bytes per sample] uint8
};

extern "C" {
void keep_message(png_structp png, png_const_charp message) {
  static_cast<Session*>(png_get_error_ptr(png))->message = message;
  png_longjmp(png, 1);
}
void ignore_warning(png_structp, png_const_charp) {}
void read_bytes(png_structp png, png_bytep to, size_t count) {
  auto& unread = static_cast<Session*>(png_get_io_ptr(png))->unread;
  if (unread.size() < count) png_error(png, "end of file inside the picture");
  std::memcpy(to, unread.data(), count);
  unread.remove_prefix(count);
}
void write_bytes(png_structp png, png_bytep from, size_t count) {
  static_cast<Session*>(png_get_io_ptr(png))->written.append(reinterpret_cast<const char*>(from), count);
}
void flush_nothing(png_structp) {}
}

struct Reader {
  Session session;
  png_structp png;
  png_infop info;

  explicit Reader(std::string_view bytes) {
    session.unread = bytes;
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &session, keep_message, ignore_warning);
    info = png_create_info_struct(png);
    png_set_read_fn(png, &session, read_bytes);
    png_set_user_limits(png, 1 << 20, 1 << 20);  // a row buffer is allocated before the size can be checked
  }
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
};

bool read_header(Reader& reader) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  png_read_info(reader.png, reader.info);
  png_set_expand(reader.png);
  png_set_gray_to_rgb(reader.png);
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  return true;
}

bool read_pixels(Reader& reader) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  png_read_image(reader.png, reader.session.rows.data());
  png_read_end(reader.png, reader.info);
  return true;
}

/// Runs the whole file through libpng, so that checksums and text behind the pixels are seen too.
void read_all(Reader& reader, const std::string& origin) {
  Session& session = reader.session;
  const auto refuse = [&] { throw FormatError("damaged PNG: " + session.message, {origin, "", "", ""}); };
  if (!read_header(reader)) refuse();
  const uint64_t width = png_get_image_width(reader.png, reader.info),
                 height = png_get_image_height(reader.png, reader.info);
  check_image_size(width, height, origin);
  const int64_t channels = png_get_channels(reader.png, reader.info),
                depth = png_get_bit_depth(reader.png, reader.info);
  session.pixels =
      at::empty({static_cast<int64_t>(height), static_cast<int64_t>(width), channels, depth / 8}, at::kByte);
  for (uint64_t y = 0; y < height; ++y)
    session.rows.push_back(session.pixels.data_ptr<uint8_t>() + y * static_cast<uint64_t>(session.pixels.stride(0)));
  if (!read_pixels(reader)) refuse();
}

struct Writer {
  Session session;
  png_structp png;
  png_infop info;
  std::vector<png_text> text;

  Writer() {
    png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &session, keep_message, ignore_warning);
    info = png_create_info_struct(png);
    png_set_write_fn(png, &session, write_bytes, flush_nothing);
  }
  ~Writer() { png_destroy_write_struct(&png, &info); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
};

bool write_all(Writer& writer, png_uint_32 width, png_uint_32 height, int compression) {
  if (setjmp(png_jmpbuf(writer.png))) return false;
  png_set_compression_level(writer.png, compression);
  if (compression == 1) png_set_compression_strategy(writer.png, Z_RLE);
  png_set_IHDR(writer.png, writer.info, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_text(writer.png, writer.info, writer.text.data(), static_cast<int>(writer.text.size()));
  png_write_info(writer.png, writer.info);
  png_write_image(writer.png, writer.session.rows.data());
  png_write_end(writer.png, nullptr);
  return true;
}

png_text text_chunk(const std::string& keyword, const std::string& value) {
  const bool ascii =
      std::all_of(value.begin(), value.end(), [](char c) { return static_cast<unsigned char>(c) < 128; });
  png_text chunk{};
  chunk.compression = ascii ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
  chunk.key =
      const_cast<char*>(keyword.c_str());  // libpng's struct serves reading and writing: it does not change the text
  chunk.text = const_cast<char*>(value.c_str());
  chunk.text_length = ascii ? value.size() : 0;
  chunk.itxt_length = ascii ? 0 : value.size();
  return chunk;
}

}  // namespace

bool looks_like_png(std::string_view bytes) {
  return bytes.substr(0, 8) == "\x89PNG\r\n\x1a\n";
}

at::Tensor decode_png(std::string_view bytes, const std::string& origin) {
  Reader reader(bytes);
  read_all(reader, origin);
  const at::Tensor& stored = reader.session.pixels;
  at::Tensor samples = stored.select(3, 0).to(at::kFloat);
  if (stored.size(3) == 2) samples = samples * 256 + stored.select(3, 1);  // most significant byte first
  samples = samples / (stored.size(3) == 2 ? 65535 : 255);
  at::Tensor colour = samples.slice(2, 0, 3);
  if (stored.size(2) == 4) {
    const at::Tensor opacity = samples.slice(2, 3, 4);
    colour = colour * opacity + (1 - opacity);
  }
  return colour.permute({2, 0, 1}).contiguous();
}

ImageText decode_png_text(std::string_view bytes, const std::string& origin) {
  Reader reader(bytes);
  read_all(reader, origin);
  png_textp chunks = nullptr;
  int count = 0;
  png_get_text(reader.png, reader.info, &chunks, &count);
  ImageText text;
  for (int i = 0; i < count; ++i) {
    const bool international = chunks[i].compression >= PNG_ITXT_COMPRESSION_NONE;
    text[chunks[i].key] = std::string(chunks[i].text, international ? chunks[i].itxt_length : chunks[i].text_length);
  }
  return text;
}

std::string encode_png(const at::Tensor& pixels, const ImageText& text, int compression) {
  Writer writer;
  for (const auto& [keyword, value] : text) {
    if (keyword.empty() || keyword.size() > 79)
      throw OptionError("PNG keyword has a length that PNG does not allow",
                        {"", keyword, "1 … 79 characters", std::to_string(keyword.size())});
    writer.text.push_back(text_chunk(keyword, value));
  }
  for (int64_t y = 0; y < pixels.size(0); ++y)
    writer.session.rows.push_back(pixels.data_ptr<uint8_t>() + y * pixels.stride(0));
  if (!write_all(writer, static_cast<png_uint_32>(pixels.size(1)), static_cast<png_uint_32>(pixels.size(0)),
                 compression))
    throw FormatError("cannot encode PNG: " + writer.session.message);
  return std::move(writer.session.written);
}

}  // namespace lightswitch
