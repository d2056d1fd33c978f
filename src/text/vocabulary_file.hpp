#pragma once

#include <lightswitch/error.hpp>

#include <filesystem>
#include <string>
#include <string_view>

#include "nn/files/mapped_file.hpp"

namespace lightswitch::text {

/// A vocabulary's bytes, refused before they are read when no vocabulary is that large.
class VocabularyFile {
 public:
  explicit VocabularyFile(const std::filesystem::path& file) : mapping_(file) {
    constexpr size_t kLargest = size_t{64} << 20;
    if (mapping_.bytes().size() > kLargest)
      throw FormatError("too large for a vocabulary",
                        {file.string(), "", "at most 64 MiB", std::to_string(mapping_.bytes().size()) + " bytes"});
  }

  std::string_view text() const {
    return {reinterpret_cast<const char*>(mapping_.bytes().data()), mapping_.bytes().size()};
  }

 private:
  nn::MappedFile mapping_;
};

}  // namespace lightswitch::text
