#include "nn/files/file_signature.hpp"

#include <algorithm>
#include <cctype>
#include <string>

namespace lightswitch::nn {

const char* describe_signature(std::string_view bytes) {
  using namespace std::string_view_literals;
  if (bytes.starts_with("PK\x03\x04"sv)) return "a zip archive (such as PyTorch's .pt and .pth files)";
  if (bytes.starts_with("\x80\x02"sv) || bytes.starts_with("\x80\x04"sv))
    return "a Python pickle (such as old .pth files)";
  if (bytes.starts_with("version https://git-lfs"sv)) return "a Git LFS pointer (the file itself was not downloaded)";
  if (bytes.starts_with("GGUF"sv)) return "a GGUF file";
  if (bytes.starts_with("\x89PNG"sv)) return "a PNG picture";
  if (bytes.starts_with("\xff\xd8\xff"sv)) return "a JPEG picture";
  if (bytes.starts_with("\x1f\x8b"sv)) return "a gzip archive";

  const size_t text = bytes.find_first_not_of(" \t\r\n");
  if (text == std::string_view::npos) return nullptr;
  if (bytes[text] == '{') return "a JSON document";
  std::string start(bytes.substr(text, 14));
  std::transform(start.begin(), start.end(), start.begin(), [](unsigned char c) { return std::tolower(c); });
  if (start.starts_with("<!doctype html") || start.starts_with("<html")) return "an HTML page (a failed download?)";
  if (start.starts_with("<?xml")) return "an XML document";
  return nullptr;
}

}  // namespace lightswitch::nn
